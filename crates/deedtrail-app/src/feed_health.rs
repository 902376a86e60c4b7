//! How the sources are doing, which planes of which system are seen, and what keeping it costs.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::event::Plane;
use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::SourceFacts;
use deedtrail_core::port::store::{Scope, StoreError};
use deedtrail_core::time::Timestamp;
use serde::Serialize;

use crate::App;
use crate::access::Principal;
use crate::timeline::ReadingError;

/// After so much silence a source without a rhythm of its own is shown as quiet, µs.
const QUIET_AFTER_US: i64 = Timestamp::DAY_US;
/// So long after records turned out to be missing a source is shown as one that says less, µs.
const MISSING_FOR_US: i64 = Timestamp::DAY_US;
/// Longest time over which a day's amount is averaged, µs.
const AVERAGED_US_MAX: i64 = 400 * Timestamp::DAY_US;
/// Retentions a cost is given for, days.
pub const RETENTION_DAYS: [u64; 4] = [30, 90, 365, 7 * 365];
/// Days for which raw records are compared with summaries.
pub const RAW_DAYS: u64 = 30;
/// Days for which summaries are.
pub const SUMMARY_DAYS: u64 = 400;

/// What a source is, and how it is doing.
#[derive(Clone, Debug)]
pub struct SourceReport {
    pub name: SourceName,
    /// `None` when records came under a name whose mapping is no longer there.
    pub facts: Option<SourceFacts>,
    /// `None` when nothing ever came.
    pub health: Option<SourceHealth>,
    /// For how long nothing has come, µs; `None` when nothing ever did.
    pub quiet_us: Option<i64>,
    pub state: SourceState,
}

/// How a source is doing, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    NeverDelivered,
    /// It delivers, as far as can be told.
    Live,
    /// Nothing for a day; its rhythm is not known, so that may be as it should be.
    Quiet,
    /// Events lack facts that they used to have, records are no longer understood, or numbers of
    /// records were skipped within a day.
    Degraded,
    /// Nothing for longer than its own rhythm makes likely.
    Silent,
}

impl SourceState {
    fn of(health: &SourceHealth, now: Timestamp) -> Self {
        let quiet = health.last_received.map(|at| now.micros_since(at));
        let missing = health.watched.missing.last();
        let misses = missing.is_some_and(|it| now.micros_since(it.noticed) < MISSING_FOR_US);
        if health.watched.silent {
            Self::Silent
        } else if misses || !health.watched.degraded.is_empty() {
            Self::Degraded
        } else if health.watched.overdue_at.is_none() && quiet > Some(QUIET_AFTER_US) {
            Self::Quiet
        } else {
            Self::Live
        }
    }
}

/// Space that the records and events of one source take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Its share of what log and archive take, by bytes and by events, bytes.
    pub stored: u64,
    /// The same for an average day.
    pub stored_per_day: u64,
    pub records_per_day: u64,
}

/// Space of records as they came, and of what is kept of behaviour without them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Space {
    /// Records and events: log and archive, bytes.
    pub raw: u64,
    /// The same kept for [`RAW_DAYS`], at the rate so far.
    pub raw_30_days: u64,
    /// Sessions, findings, identities and what was learned of them: the control plane, bytes.
    pub summaries: u64,
    /// The same kept for [`SUMMARY_DAYS`], were it to go on growing as it did so far.
    pub summaries_400_days: u64,
}

/// The planes of one system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SystemCoverage {
    pub system: Text,
    /// In the order of [`Plane::ALL`].
    pub planes: Vec<PlaneCoverage>,
}

/// Which planes of which system are seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    pub systems: Vec<SystemCoverage>,
    /// Sources that tell of more systems than are told apart, and the events of further systems.
    pub left_out: Vec<LeftOut>,
}

/// Events whose system is in no row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    pub source: SourceName,
    pub events: u64,
}

/// What is seen of one plane of a system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum PlaneCoverage {
    /// Events came, by these sources.
    Seen {
        events: u64,
        /// When the newest of them was received.
        last: Option<Timestamp>,
        sources: Vec<SourceName>,
        /// All of them are silent against their own rhythm.
        silent: bool,
    },
    /// Nothing came, although these sources of the vendor can show it; they never delivered.
    Missing { sources: Vec<SourceName> },
    /// No source that is known shows it, or one that delivers had nothing to tell of it.
    Unknown,
}

impl App {
    /// Every source that can be read or has delivered, by name.
    pub fn sources(&self, principal: &Principal) -> Result<Vec<SourceReport>, ReadingError> {
        principal.require(Scope::Read)?;
        let now = self.ports.clock.now();
        let empty = |name: SourceName| SourceReport {
            name,
            facts: None,
            health: None,
            quiet_us: None,
            state: SourceState::NeverDelivered,
        };
        let mut reports: BTreeMap<SourceName, SourceReport> = BTreeMap::new();
        for facts in self.ports.mapper.sources() {
            let mut report = empty(facts.name.clone());
            report.facts = Some(facts);
            reports.insert(report.name.clone(), report);
        }
        for health in self.source_health(principal)? {
            let name = health.source.clone();
            let report = reports.entry(name.clone()).or_insert_with(|| empty(name));
            report.quiet_us = health.last_received.map(|at| now.micros_since(at));
            report.state = SourceState::of(&health, now);
            report.health = Some(health);
        }
        Ok(reports.into_values().collect())
    }

    /// Counters of the sources of the principal's tenant.
    fn source_health(&self, principal: &Principal) -> Result<Vec<SourceHealth>, StoreError> {
        let mut healths = self.ports.store.source_health()?;
        healths.retain(|health| health.tenant == principal.tenant);
        Ok(healths)
    }

    /// What a source costs: its share of the space that everything takes.
    pub fn cost(&self, principal: &Principal, of: &SourceHealth) -> Result<Cost, ReadingError> {
        principal.require(Scope::Read)?;
        let healths = self.ports.store.source_health()?;
        let bytes: u64 = healths.iter().map(|health| health.bytes).sum();
        let archive = self.ports.archive.figures();
        let log_bytes = self.ports.log.stored_bytes()?;
        let stored =
            share(log_bytes, of.bytes, bytes) + share(archive.bytes, of.events, archive.rows);
        let days = days(of);
        Ok(Cost {
            stored,
            stored_per_day: stored / days,
            records_per_day: of.records / days,
        })
    }

    /// What raw records and summaries of behaviour take, and would take if kept for long.
    pub fn space(&self, principal: &Principal) -> Result<Space, ReadingError> {
        principal.require(Scope::Read)?;
        let healths = self.source_health(principal)?;
        let mut raw_per_day = 0;
        for health in &healths {
            raw_per_day += self.cost(principal, health)?.stored_per_day;
        }
        let longest = healths.iter().map(days).max().unwrap_or(1);
        let summaries = self.ports.store.stored_bytes()?;
        Ok(Space {
            raw: self.ports.log.stored_bytes()? + self.ports.archive.figures().bytes,
            raw_30_days: raw_per_day.saturating_mul(RAW_DAYS),
            summaries,
            summaries_400_days: (summaries / longest).saturating_mul(SUMMARY_DAYS),
        })
    }

    /// Which planes of which system are seen, by system.
    pub fn coverage(&self, principal: &Principal) -> Result<Coverage, ReadingError> {
        Ok(coverage(&self.sources(principal)?))
    }
}

/// `whole * part / all`, without a whole of nothing.
fn share(whole: u64, part: u64, all: u64) -> u64 {
    let share = u128::from(whole) * u128::from(part) / u128::from(all.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// Days over which a source's amount is averaged: since its first record; of a history that came at
/// once, the days it tells of.
fn days(health: &SourceHealth) -> u64 {
    let span = |from: Option<Timestamp>, to: Option<Timestamp>| {
        from.zip(to).map_or(0, |(from, to)| to.micros_since(from))
    };
    let received = span(health.first_received, health.last_received);
    let told = span(health.first_event, health.last_event).min(AVERAGED_US_MAX);
    let span = if received < Timestamp::DAY_US {
        told
    } else {
        received
    };
    u64::try_from(span / Timestamp::DAY_US).unwrap_or(0).max(1)
}

/// Events of one plane of one system.
#[derive(Default)]
struct Cell<'a> {
    events: u64,
    last: Option<Timestamp>,
    sources: BTreeMap<&'a SourceName, SourceState>,
}

fn coverage(reports: &[SourceReport]) -> Coverage {
    let left_out = reports.iter().filter_map(|report| {
        let events = report.health.as_ref()?.systems_over;
        let source = report.name.clone();
        (events > 0).then_some(LeftOut { source, events })
    });
    Coverage {
        systems: systems(reports),
        left_out: left_out.collect(),
    }
}

fn systems(reports: &[SourceReport]) -> Vec<SystemCoverage> {
    let mut seen: BTreeMap<&Text, BTreeMap<&str, Cell<'_>>> = BTreeMap::new();
    for report in reports {
        for (system, planes) in report.health.iter().flat_map(|health| &health.systems) {
            for (plane, one) in planes {
                let planes = seen.entry(system).or_default();
                let cell = planes.entry(plane.as_str()).or_default();
                cell.events += one.events;
                cell.last = cell.last.max(one.last);
                cell.sources.insert(&report.name, report.state);
            }
        }
    }
    let of_one: BTreeSet<&SourceName> = reports
        .iter()
        .filter(|report| is_of_one_system(report))
        .map(|report| &report.name)
        .collect();
    let systems = seen.into_iter().map(|(system, seen)| {
        let sources = seen.values().flat_map(|cell| cell.sources.keys());
        let sources = sources.filter(|name| of_one.contains(*name));
        let vendors: BTreeSet<&str> = sources.map(|name| vendor(name)).collect();
        let planes = Plane::ALL.iter().map(|plane| {
            if let Some(cell) = seen.get(plane.name()) {
                let mut states = cell.sources.values();
                return PlaneCoverage::Seen {
                    events: cell.events,
                    last: cell.last,
                    silent: states.all(|state| *state == SourceState::Silent),
                    sources: cell.sources.keys().copied().cloned().collect(),
                };
            }
            let of_vendor = reports.iter().filter(|report| {
                let is_idle = report.state == SourceState::NeverDelivered;
                is_idle && is_of_one_system(report) && vendors.contains(vendor(&report.name))
            });
            let able = of_vendor.filter(|report| shows(report, *plane));
            let sources: Vec<SourceName> = able.map(|report| report.name.clone()).collect();
            if sources.is_empty() {
                PlaneCoverage::Unknown
            } else {
                PlaneCoverage::Missing { sources }
            }
        });
        SystemCoverage {
            system: system.clone(),
            planes: planes.collect(),
        }
    });
    systems.collect()
}

/// Whether a source is the log of one system. One in which several systems write is a form of many
/// vendors: it says of none of them what else it could show, and could show any of them.
fn is_of_one_system(report: &SourceReport) -> bool {
    let fixed = report.facts.as_ref();
    fixed.is_some_and(|facts| facts.system.is_some())
}

fn shows(report: &SourceReport, plane: Plane) -> bool {
    let facts = report.facts.as_ref();
    facts.is_some_and(|facts| facts.planes.iter().any(|name| name == plane.name()))
}

/// What stands before the first dot of a source's name.
fn vendor(name: &SourceName) -> &str {
    let name = name.as_str();
    name.split_once('.').map_or(name, |(vendor, _)| vendor)
}

#[cfg(test)]
mod tests {
    use deedtrail_core::id::TenantId;

    use super::*;

    fn report(name: &str, planes: &[&str], seen: &[(&str, &str)]) -> SourceReport {
        let name = SourceName::new(name).unwrap();
        let facts = SourceFacts {
            name: name.clone(),
            title: String::new(),
            sigma: Vec::new(),
            mapping_version: String::new(),
            system: name
                .as_str()
                .starts_with("acme.")
                .then(|| "acme".to_owned()),
            planes: planes.iter().map(|plane| (*plane).to_owned()).collect(),
            field_aliases: Vec::new(),
        };
        let mut health = SourceHealth::new(TenantId::default(), name.clone());
        let at = Timestamp::from_micros(5);
        for (system, plane) in seen {
            let plane = Plane::from_name(plane).unwrap();
            health.count_plane(&Text::new(system), plane.name(), at);
        }
        let delivered = !seen.is_empty();
        SourceReport {
            name,
            facts: Some(facts),
            health: delivered.then_some(health),
            quiet_us: None,
            state: if delivered {
                SourceState::Live
            } else {
                SourceState::NeverDelivered
            },
        }
    }

    #[test]
    fn a_plane_is_missing_where_a_source_of_the_vendor_never_delivered() {
        let reports = [
            report("acme.audit", &["control", "data"], &[("acme", "control")]),
            report("acme.sign_ins", &["identity_provider"], &[]),
            report("other.audit", &["mail"], &[]),
            report("form.span", &["agent"], &[("a", "agent")]),
            report("form.log", &["application"], &[]),
        ];
        let found = systems(&reports);
        let of = |system: &str, plane: Plane| {
            let row = found.iter().find(|row| row.system == system).unwrap();
            let place = Plane::ALL.iter().position(|one| *one == plane).unwrap();
            row.planes[place].clone()
        };
        let seen = PlaneCoverage::Seen {
            events: 1,
            last: Some(Timestamp::from_micros(5)),
            sources: vec![SourceName::new("acme.audit").unwrap()],
            silent: false,
        };
        assert_eq!(of("acme", Plane::Control), seen);
        let missing = PlaneCoverage::Missing {
            sources: vec![SourceName::new("acme.sign_ins").unwrap()],
        };
        assert_eq!(of("acme", Plane::IdentityProvider), missing);
        for (system, plane) in [
            ("acme", Plane::Data),
            ("acme", Plane::Mail),
            ("a", Plane::Application),
        ] {
            assert_eq!(
                of(system, plane),
                PlaneCoverage::Unknown,
                "{system} {plane:?}"
            );
        }
    }
}
