//! How an identity stands on two axes that are never mixed: how much it does, and how dangerous what
//! it did and could do is.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::behaviour::{BaselineRecord, IdentityBehaviour};
use deedtrail_core::entitlement::{Effect, Entitlement};
use deedtrail_core::finding::{Finding, FindingStatus, Severity};
use deedtrail_core::id::{AliasUid, IdentityId};
use deedtrail_core::identity::Identity;
use deedtrail_core::port::store::{BehaviourOrder, FindingFilter, Scope, SessionFilter};
use deedtrail_core::session::{Session, SessionVerdict};
use deedtrail_core::time::Timestamp;
use serde::Serialize;

use super::STANDINGS_MAX;
use crate::App;
use crate::access::Principal;
use crate::timeline::{IdentityFile, ReadingError, alias_uids};

/// Days that count as now.
const DAYS: i64 = 28;
/// Days before its last event within which what an identity did counts as dangerous.
const DANGER_DAYS: i64 = 90;
/// Findings of one identity that are looked at, and grave ones over all; the newest.
const FINDINGS_MAX: usize = 300;
/// Dangerous things that are named.
const REASONS_MAX: usize = 12;

/// How much an identity does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Active {
    /// Nothing in 28 days.
    Silent,
    /// Fewer than 10 events a day.
    Quiet,
    /// Fewer than 1,000 events a day.
    Regular,
    Busy,
}

impl Active {
    pub const ALL: [Self; 4] = [Self::Silent, Self::Quiet, Self::Regular, Self::Busy];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Quiet => "quiet",
            Self::Regular => "regular",
            Self::Busy => "busy",
        }
    }

    fn of(events: u64, days: usize) -> Self {
        match events / (days as u64).max(1) {
            _ if events == 0 => Self::Silent,
            0..10 => Self::Quiet,
            10..1_000 => Self::Regular,
            _ => Self::Busy,
        }
    }
}

/// How dangerous an identity is, by its points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Danger {
    /// Fewer than 20.
    Low,
    /// Fewer than 40.
    Medium,
    /// Fewer than 70.
    High,
    Critical,
}

impl Danger {
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    fn of(points: u32) -> Self {
        match points {
            0..20 => Self::Low,
            20..40 => Self::Medium,
            40..70 => Self::High,
            _ => Self::Critical,
        }
    }
}

/// A row of the table of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PointRow {
    pub id: &'static str,
    pub points: u32,
    pub meaning: &'static str,
}

/// Points of danger: each row counts once, however often it holds.
pub const POINTS: [PointRow; 9] = [
    row(
        "secret_extraction",
        40,
        "A session read secrets and let them out, or read more than it ever does.",
    ),
    row("destructive", 40, "A session destroyed something."),
    row(
        "persistence",
        30,
        "A session made itself a way to come back.",
    ),
    row("escalated", 25, "A session gained rights."),
    row(
        "unauthorised_change",
        15,
        "A session changed what it may not.",
    ),
    row(
        "finding_critical",
        40,
        "A critical finding nobody called benign or drift.",
    ),
    row(
        "finding_high",
        25,
        "A high finding nobody called benign or drift.",
    ),
    row(
        "finding_medium",
        8,
        "A medium finding nobody called benign or drift.",
    ),
    row(
        "could_do",
        12,
        "It may do everything somewhere, as the newest import of entitlements or its declaration says.",
    ),
];

/// Permissions, roles and policies that mean everything, in lower case.
const EVERYTHING: [&str; 6] = [
    "*",
    "*:*",
    "administratoraccess",
    "cluster-admin",
    "global administrator",
    "owner",
];

const fn row(id: &'static str, points: u32, meaning: &'static str) -> PointRow {
    PointRow {
        id,
        points,
        meaning,
    }
}

/// One thing that makes an identity dangerous.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DangerPoint {
    /// Row of [`POINTS`].
    pub row: &'static str,
    pub points: u32,
    /// What it rests on: the newest of its kind.
    pub reason: String,
}

/// How one identity stands.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    pub identity: IdentityId,
    pub name: Text,
    pub active: Active,
    /// Events of the last 28 days, and days with any.
    pub events: u64,
    pub active_days: usize,
    /// Sessions of the last 28 days that departed from what is learned without being a finding:
    /// nothing in them had weight.
    pub unusual_sessions: u64,
    pub danger: Danger,
    /// 0 to 100.
    pub danger_points: u32,
    /// The gravest first.
    pub danger_reasons: Vec<DangerPoint>,
    /// What is known of its behaviour; `None` before its first event.
    pub behaviour: Option<IdentityBehaviour>,
    /// The newest approved baseline that nobody withdrew.
    pub baseline: Option<BaselineRecord>,
}

/// What danger rests on.
#[derive(Debug, Default)]
struct Ground {
    now: Timestamp,
    sessions: Vec<Session>,
    findings: Vec<Finding>,
    entitlements: Vec<Entitlement>,
}

impl App {
    /// How one identity stands.
    pub fn standing(
        &self,
        principal: &Principal,
        file: &IdentityFile,
    ) -> Result<Standing, ReadingError> {
        principal.require(Scope::Read)?;
        let (store, tenant) = (&self.ports.store, &principal.tenant);
        let identity = &file.identity;
        let behaviour = store.behaviour(tenant, identity.id)?;
        let ground = self.ground(principal, identity.id, &alias_uids(file))?;
        let mut standing = self.stand(identity, behaviour, &ground);
        let baselines = store.baselines(tenant, identity.id)?;
        standing.baseline = baselines.into_iter().find(|it| it.withdrawn.is_none());
        Ok(standing)
    }

    /// How identities stand, the most dangerous first: those active last, and those that the newest
    /// findings of high severity are about. Baselines are left out.
    pub fn standings(&self, principal: &Principal) -> Result<Vec<Standing>, ReadingError> {
        principal.require(Scope::Read)?;
        let (store, tenant) = (&self.ports.store, &principal.tenant);
        let newest = store.behaviours(tenant, BehaviourOrder::Newest, STANDINGS_MAX)?;
        let mut ids: BTreeSet<IdentityId> = newest.iter().map(|known| known.identity).collect();
        let grave = FindingFilter {
            tenant: tenant.clone(),
            severity_min: Some(Severity::High),
            ..FindingFilter::default()
        };
        let grave = store.findings(&grave, FINDINGS_MAX)?.into_iter();
        ids.extend(grave.map(|finding| finding.draft.identity));
        let mut standings: BTreeMap<IdentityId, Standing> = BTreeMap::new();
        for id in ids {
            // Whoever was merged into another is that other.
            let Some(identity) = store.identity(id)?.filter(|it| it.tenant == *tenant) else {
                continue;
            };
            if standings.contains_key(&identity.id) {
                continue;
            }
            let aliases = store.aliases_of(identity.id)?;
            let uids: Vec<_> = aliases.iter().map(|alias| alias.uid).collect();
            let ground = self.ground(principal, identity.id, &uids)?;
            let behaviour = store.behaviour(tenant, identity.id)?;
            let standing = self.stand(&identity, behaviour, &ground);
            standings.insert(identity.id, standing);
        }
        let mut standings: Vec<Standing> = standings.into_values().collect();
        standings.sort_by_key(|it| std::cmp::Reverse((it.danger_points, it.events)));
        Ok(standings)
    }

    /// What the danger of an identity rests on.
    fn ground(
        &self,
        principal: &Principal,
        identity: IdentityId,
        aliases: &[AliasUid],
    ) -> Result<Ground, ReadingError> {
        let (store, tenant) = (&self.ports.store, &principal.tenant);
        let mut ground = Ground {
            now: self.ports.clock.now(),
            entitlements: store.entitlements_of(tenant, aliases)?,
            ..Ground::default()
        };
        for verdict in departing() {
            let filter = SessionFilter {
                tenant: tenant.clone(),
                identity: Some(identity),
                verdict: Some(verdict),
                ..SessionFilter::default()
            };
            ground.sessions.extend(store.sessions(&filter, 1)?);
        }
        let filter = FindingFilter {
            tenant: tenant.clone(),
            identity: Some(identity),
            severity_min: Some(Severity::Medium),
            ..FindingFilter::default()
        };
        ground.findings = store.findings(&filter, FINDINGS_MAX)?;
        Ok(ground)
    }

    fn stand(
        &self,
        identity: &Identity,
        behaviour: Option<IdentityBehaviour>,
        ground: &Ground,
    ) -> Standing {
        let today = self.ports.clock.now().utc_day();
        let days = behaviour.iter().flat_map(|known| &known.days);
        let days: Vec<u64> = days
            .filter(|it| today - i64::from(it.day) < DAYS)
            .map(|it| u64::from(it.events))
            .collect();
        let events = days.iter().sum();
        let unusual = behaviour.iter().flat_map(|known| &known.unusual);
        let unusual = unusual.filter(|it| today - i64::from(it.day) < DAYS);
        let unusual_sessions = unusual.map(|it| u64::from(it.sessions)).sum();
        let danger_reasons = ground.reasons(identity);
        let points = danger_reasons
            .iter()
            .map(|it| it.points)
            .sum::<u32>()
            .min(100);
        Standing {
            identity: identity.id,
            name: identity.name.clone(),
            active: Active::of(events, days.len()),
            events,
            active_days: days.len(),
            unusual_sessions,
            danger: Danger::of(points),
            danger_points: points,
            danger_reasons,
            behaviour,
            baseline: None,
        }
    }
}

/// Verdicts of sessions that departed from their scope.
fn departing() -> impl Iterator<Item = SessionVerdict> {
    let all = SessionVerdict::ALL.iter().copied();
    all.filter(|verdict| *verdict != SessionVerdict::InScope)
}

impl Ground {
    fn reasons(&self, identity: &Identity) -> Vec<DangerPoint> {
        let mut reasons: Vec<DangerPoint> = POINTS
            .iter()
            .filter_map(|row| {
                let reason = self.reason(row.id, identity)?;
                Some(DangerPoint {
                    row: row.id,
                    points: row.points,
                    reason,
                })
            })
            .collect();
        reasons.sort_by_key(|it| std::cmp::Reverse(it.points));
        reasons.truncate(REASONS_MAX);
        reasons
    }

    /// Why a row holds; `None` when it does not.
    fn reason(&self, row: &str, identity: &Identity) -> Option<String> {
        let last = identity.last_seen.unwrap_or_default();
        let since = last.plus_micros(-DANGER_DAYS * Timestamp::DAY_US);
        if let Some(severity) = row.strip_prefix("finding_") {
            let accepted = |finding: &&Finding| {
                let said = finding.disposition.as_deref();
                finding.status == FindingStatus::Closed && matches!(said, Some("benign" | "drift"))
            };
            let counts = |finding: &&Finding| {
                finding.draft.severity.name() == severity && !accepted(finding)
            };
            let newest = self.findings.iter().filter(counts);
            let newest = newest.filter(|finding| finding.last_time >= since);
            let newest = newest.max_by_key(|finding| finding.last_time)?;
            return Some(newest.draft.title.clone());
        }
        if row == "could_do" {
            return self.everything(identity);
        }
        let of_verdict = |session: &&Session| session.verdict.name() == row;
        let mut sessions = self.sessions.iter().filter(of_verdict);
        let session = sessions.find(|session| session.last >= since)?;
        let class =
            |reason: &&deedtrail_core::session::VerdictReason| reason.class == session.verdict;
        let sentence = session.reasons.iter().find(class);
        let sentence = sentence.map_or("", |reason| reason.sentence.as_str());
        Some(format!("session of {}: {sentence}", session.started))
    }

    /// Where it may do everything.
    fn everything(&self, identity: &Identity) -> Option<String> {
        let now = self.now;
        let means_all = |text: &str| EVERYTHING.contains(&text.to_lowercase().as_str());
        let granted = self.entitlements.iter().map(|it| &it.grant).find(|grant| {
            let named =
                grant.permissions.iter().any(|one| means_all(one)) != grant.permissions_except;
            let via = grant.via.as_deref().is_some_and(means_all);
            grant.effect == Effect::Allow
                && grant.expires.is_none_or(|at| at > now)
                && (named || via)
        });
        if let Some(grant) = granted {
            let via = grant.via.as_deref().unwrap_or("a direct grant");
            return Some(format!("it may do everything in {} by {via}", grant.system));
        }
        let mut tags = identity.declared.tags.iter();
        let tag = tags.find(|(tag, value)| {
            let named = ["privileged", "admin"].contains(&tag.to_lowercase().as_str());
            named && *value != "false"
        })?;
        Some(format!("it is declared as `{}`", tag.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_page_has_every_row() {
        let page = include_str!("../../../../docs/reference/behaviour.md");
        for row in POINTS {
            let line = format!("| `{}` | {} | {} |", row.id, row.points, row.meaning);
            assert!(page.contains(&line), "{line}");
        }
    }

    #[test]
    fn levels_begin_where_the_page_says() {
        let of = |events, days| Active::of(events, days).name();
        assert_eq!(
            [of(0, 0), of(9, 1), of(10, 1)],
            ["silent", "quiet", "regular"]
        );
        assert_eq!([of(1_999, 2), of(2_000, 2)], ["regular", "busy"]);
        let danger = [0, 19, 20, 39, 40, 69, 70, 300].map(|points| Danger::of(points).name());
        let expected = [
            "low", "low", "medium", "medium", "high", "high", "critical", "critical",
        ];
        assert_eq!(danger, expected);
    }
}
