//! Which techniques rules and code detectors cover, and whether the sources that they look at
//! deliver.

mod layer;

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::control::{self, CONTROLS, Framework};
use deedtrail_core::finding::registry;
use deedtrail_core::id::SourceName;
use deedtrail_core::time::Timestamp;
use deedtrail_detect::detector::DETECTORS;
use deedtrail_detect::rule::Rule;
use serde::Serialize;

use crate::App;
use crate::access::Principal;
use crate::feed_health::{SourceReport, SourceState};
use crate::timeline::ReadingError;
pub use layer::layer;

/// Whether something that a rule looks at comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// No source that it looks at ever delivered.
    Never,
    /// Those that did are silent against their own rhythm.
    Silent,
    /// Nothing came for a day, which may be as it should be.
    Quiet,
    Delivering,
}

impl Delivery {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Never => "never delivered",
            Self::Silent => "silent",
            Self::Quiet => "quiet for a day",
            Self::Delivering => "delivering",
        }
    }

    const fn of(state: SourceState) -> Self {
        match state {
            SourceState::NeverDelivered => Self::Never,
            SourceState::Silent => Self::Silent,
            SourceState::Quiet => Self::Quiet,
            SourceState::Live | SourceState::Degraded => Self::Delivering,
        }
    }
}

/// A rule, code detector or unsafe sequence, and what it goes by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleStanding {
    /// As its findings name it.
    pub rule: Text,
    pub title: String,
    /// Techniques it says it finds; those of its finding type where it says none.
    pub techniques: Vec<Text>,
    /// The best of its sources.
    pub delivery: Delivery,
    /// Sources that it looks at and that have delivered.
    pub sources: Vec<SourceName>,
    /// Days that their events tell of.
    pub days: i64,
}

/// A technique, and what covers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TechniqueCoverage {
    pub id: Text,
    /// `None` for one that is not in the control table.
    pub title: Option<&'static str>,
    #[serde(skip)]
    pub framework: Framework,
    /// The best of its rules; `None` without any.
    pub delivery: Option<Delivery>,
    pub rules: Vec<CoveringRule>,
}

/// A rule that covers a technique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoveringRule {
    pub rule: Text,
    pub delivery: Delivery,
}

impl App {
    /// Every rule, code detector and unsafe sequence in force, by name.
    pub fn rule_standings(&self, principal: &Principal) -> Result<Vec<RuleStanding>, ReadingError> {
        let reports = self.sources(principal)?;
        let told = reports.iter().filter_map(|report| {
            let account = self.ports.mapper.account_of(&report.name)?;
            Some((report.name.clone(), account.fields))
        });
        let told: BTreeMap<SourceName, BTreeSet<String>> = told.collect();
        let mut standings: BTreeMap<Text, RuleStanding> = BTreeMap::new();
        // A file may hold several rules, of which some only count for another: they are one here.
        let in_force = self.in_force();
        for rule in in_force.rules.rules() {
            let seen = reports.iter();
            let seen = seen.filter(|report| looks_at(rule, report, told.get(&report.name)));
            let standing = standings
                .entry(rule.name.clone())
                .or_insert_with(|| standing(&rule.name, &rule.title));
            standing.look_at(seen);
            if rule.is_alone() {
                standing.title.clone_from(&rule.title);
                standing.techniques = techniques_of(&rule.techniques, &[rule.finding.as_str()]);
            }
        }
        for detector in DETECTORS {
            let mut one = standing(detector.id, detector.meaning);
            one.look_at(reports.iter());
            one.techniques = techniques_of(&[], detector.findings);
            standings.insert(one.rule.clone(), one);
        }
        for form in in_force.sequences.forms() {
            let mut one = standing(&format!("sequence/{}", form.id), form.title.trim());
            one.look_at(reports.iter());
            let named: Vec<Text> = form.references.iter().map(Text::from).collect();
            let named: Vec<Text> = named.into_iter().filter(|id| is_technique(id)).collect();
            one.techniques = techniques_of(&named, &["allowed_but_unsafe"]);
            standings.insert(one.rule.clone(), one);
        }
        Ok(standings.into_values().collect())
    }

    /// Every technique of the control table, and others that rules name: ATT&CK first, by id.
    pub fn technique_coverage(
        &self,
        principal: &Principal,
    ) -> Result<Vec<TechniqueCoverage>, ReadingError> {
        let mut techniques: BTreeMap<(Framework, Text), TechniqueCoverage> = BTreeMap::new();
        let known = CONTROLS.iter().map(|control| Text::new_static(control.id));
        for id in known.filter(|id| is_technique(id)) {
            techniques.insert(key(&id), technique(&id));
        }
        for standing in self.rule_standings(principal)? {
            for id in &standing.techniques {
                let one = techniques.entry(key(id)).or_insert_with(|| technique(id));
                one.delivery = one.delivery.max(Some(standing.delivery));
                one.rules.push(CoveringRule {
                    rule: standing.rule.clone(),
                    delivery: standing.delivery,
                });
            }
        }
        Ok(techniques.into_values().collect())
    }
}

impl RuleStanding {
    fn look_at<'r>(&mut self, reports: impl Iterator<Item = &'r SourceReport>) {
        let mut sources: BTreeSet<SourceName> = self.sources.drain(..).collect();
        for report in reports {
            let Some(health) = report.health.as_ref().filter(|health| health.events > 0) else {
                continue;
            };
            let times = health.first_event.zip(health.last_event);
            let days = times.map_or(0, |(first, last)| {
                last.micros_since(first) / Timestamp::DAY_US
            });
            self.days = self.days.max(days);
            self.delivery = self.delivery.max(Delivery::of(report.state));
            sources.insert(report.name.clone());
        }
        self.sources = sources.into_iter().collect();
    }
}

fn standing(rule: &str, title: &str) -> RuleStanding {
    RuleStanding {
        rule: Text::new(rule),
        title: title.to_owned(),
        techniques: Vec::new(),
        delivery: Delivery::Never,
        sources: Vec::new(),
        days: 0,
    }
}

/// Whether a rule looks at events of a source. One on canonical fields looks at every source that has
/// told of its system and whose mapping can fill the fields it needs, where these are known (`told`);
/// a correlation by itself at none.
fn looks_at(rule: &Rule, report: &SourceReport, told: Option<&BTreeSet<String>>) -> bool {
    let Some(logsource) = &rule.logsource else {
        return false;
    };
    if rule.is_canonical() {
        if told.is_some_and(|told| !rule.is_told_by(told)) {
            return false;
        }
        let Some(service) = &logsource.service else {
            return true;
        };
        let systems = report.health.iter().flat_map(|it| it.systems.keys());
        return systems
            .into_iter()
            .any(|it| it.eq_ignore_ascii_case(service));
    }
    let facts = report.facts.as_ref();
    facts.is_some_and(|facts| rule.is_served_by(facts))
}

fn techniques_of(named: &[Text], findings: &[&str]) -> Vec<Text> {
    if !named.is_empty() {
        return named.to_vec();
    }
    let types = findings
        .iter()
        .filter_map(|finding| registry::find(finding));
    let ids = types.flat_map(|kind| kind.mapped_ref.iter().copied());
    let ids: BTreeSet<Text> = ids
        .map(Text::new_static)
        .filter(|id| is_technique(id))
        .collect();
    ids.into_iter().collect()
}

/// The publication that a technique's id belongs to.
fn framework(id: &str) -> Framework {
    if id.starts_with("AML.") {
        Framework::MitreAtlas
    } else {
        Framework::MitreAttack
    }
}

/// `T1098.001` or `AML.T0053`.
fn is_technique(id: &str) -> bool {
    let number = id.strip_prefix("AML.").unwrap_or(id).strip_prefix('T');
    number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
}

fn key(id: &Text) -> (Framework, Text) {
    (framework(id), id.clone())
}

fn technique(id: &Text) -> TechniqueCoverage {
    TechniqueCoverage {
        title: control::find(id).map(|control| control.title),
        framework: framework(id),
        delivery: None,
        rules: Vec::new(),
        id: id.clone(),
    }
}
