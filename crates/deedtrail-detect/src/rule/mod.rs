//! Sigma rules: loading, checking, choosing by log source, and what a match becomes.
//!
//! A rule of log source `product: deedtrail` sees canonical fields ([`crate::field`]) of every
//! source; `category` then is the kind of telemetry and `service` the system. Any other rule sees
//! the vendor's own field names of the sources that serve its log source, so public rule sets work
//! unchanged.

mod block;
mod choice;
mod correlation;
mod depth;
mod explain;
mod load;
mod logsource;
mod naming;
mod place;
mod record;
mod run;
mod sigma;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use deedtrail_core::Text;
use deedtrail_core::finding::Severity;
use deedtrail_core::port::mapper::{SigmaLogsource, SourceFacts};
use serde::Serialize;

use crate::field::{FieldValue, View, told_as};
use block::Block;
pub(crate) use choice::ChosenRules;
pub use correlation::CorrelationState;
use correlation::Window;
pub use naming::{NearNames, rule_name};
pub(crate) use record::Record;

/// Product of rules that see canonical fields.
pub const CANONICAL_PRODUCT: &str = "deedtrail";

/// One file of rules as read from a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// Path below the rules folder, e.g. `agent/scope-departure/rule.yml`.
    pub path: String,
    pub text: String,
}

/// Whether a problem keeps its rule from being loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemSeverity {
    Warning,
    Error,
}

/// What is wrong with a rule file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleProblem {
    pub path: String,
    /// 1-based line.
    pub line: usize,
    pub severity: ProblemSeverity,
    pub message: String,
    pub suggestion: Option<String>,
}

/// One line: where, what, and what was probably meant.
impl fmt::Display for RuleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; {suggestion}"),
            None => Ok(()),
        }
    }
}

/// One rule that was loaded.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Path below the rules folder without file name or extension: `agent/scope-departure`.
    pub name: Text,
    /// Id the author gave it.
    pub sigma_id: Option<String>,
    /// Name its author gave it, for correlations.
    pub sigma_name: Option<String>,
    pub title: String,
    pub description: String,
    pub severity: Severity,
    /// Finding type its matches become.
    pub finding: Text,
    pub techniques: Vec<Text>,
    pub false_positives: Vec<String>,
    /// `None` for a correlation.
    pub logsource: Option<SigmaLogsource>,
    /// Its file below the rules folder, and the line of its log source.
    path: String,
    logsource_line: usize,
    /// Field names it compares or groups by.
    pub fields: BTreeSet<String>,
    /// Those of them that it cannot match without.
    needed: BTreeSet<String>,
    confidence: f64,
    block: Option<Block>,
    /// Whether a match is a finding by itself, or only counts for correlations.
    alone: bool,
    correlation: Option<Correlation>,
}

/// What a correlation needs at run time.
#[derive(Clone, Debug)]
struct Correlation {
    /// Hash of its name and of what it says, with the rules it counts: key of its groups.
    key: u64,
    window: Window,
    /// Places of the inputs among the rules, in order.
    inputs: Vec<usize>,
    group_by: Vec<String>,
    aliases: BTreeMap<String, BTreeMap<String, String>>,
    value_fields: Vec<String>,
}

/// Rules that were loaded together.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    matchers: sigma::Matchers,
    /// Places of the single-event rules among `rules`, in the order of `matchers`.
    singles: Vec<usize>,
    /// Rule -> correlations it is an input of.
    counted_by: BTreeMap<usize, Vec<usize>>,
}

impl RuleSet {
    /// Loads every rule that is sound; the rest, and doubts about the sound ones, are problems.
    ///
    /// Never fails and never panics, whatever the files hold.
    pub fn load(files: &[RuleFile]) -> (Self, Vec<RuleProblem>) {
        load::load(files)
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules whose matches are findings by themselves; the others only count for these.
    pub fn findings(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.alone)
    }

    /// The rule of that name, of the file at that path below the folder of rules, or whose author gave
    /// it that id or name.
    pub fn find(&self, name: &str) -> Option<&Rule> {
        let filed = rule_name(name);
        let given = |by_author: &Option<String>| by_author.as_deref() == Some(name);
        let first = |is_meant: &dyn Fn(&Rule) -> bool| self.rules.iter().find(|it| is_meant(it));
        first(&|rule| rule.name == name)
            .or_else(|| first(&|rule| rule.name == filed))
            .or_else(|| first(&|rule| given(&rule.sigma_id)))
            .or_else(|| first(&|rule| given(&rule.sigma_name)))
    }

    /// What a rule or code detector looks at and what comes of it, for people.
    ///
    /// A file with several rules is explained as a whole: what makes the finding first, then what
    /// only counts for it.
    pub fn explain(&self, name: &str, sources: &[SourceFacts]) -> Option<String> {
        let Some(found) = self.find(name) else {
            return explain::explain_code(name);
        };
        let (alone, helpers): (Vec<_>, Vec<_>) = self
            .rules
            .iter()
            .filter(|rule| rule.name == found.name)
            .partition(|rule| rule.alone);
        let texts = alone.into_iter().chain(helpers);
        let texts: Vec<_> = texts
            .map(|rule| explain::explain(self, rule, sources))
            .collect();
        Some(texts.join("\n"))
    }

    /// Warnings that need the sources: rules no source serves, one for all that are not told to be a
    /// slip of the pen, and fields of vendor rules that are in none of `known_fields` (paths seen in the
    /// source's fixtures), by source.
    pub fn check_sources(
        &self,
        sources: &[SourceFacts],
        known_fields: &BTreeMap<String, BTreeSet<String>>,
    ) -> Vec<RuleProblem> {
        logsource::check(self, sources, known_fields)
    }

    /// Names that rules on the vendor's own fields of a source look for, each once.
    pub(crate) fn vendor_fields(&self, source: &SourceFacts) -> BTreeSet<String> {
        let singles = self.singles.iter().map(|place| &self.rules[*place]);
        let vendor = singles.filter(|rule| !rule.is_canonical() && rule.is_served_by(source));
        vendor
            .flat_map(|rule| rule.fields.iter().cloned())
            .collect()
    }

    fn serves(&self, rule: usize, source: &SourceFacts) -> bool {
        self.rules[rule].is_served_by(source)
    }

    /// The keys of its correlations.
    pub(crate) fn correlation_keys(&self) -> BTreeSet<u64> {
        let correlations = self.rules.iter();
        let correlations = correlations.filter_map(|rule| rule.correlation.as_ref());
        correlations.map(|correlation| correlation.key).collect()
    }

    pub(crate) fn window_us(&self, key: u64) -> Option<i64> {
        let mut correlations = self
            .rules
            .iter()
            .filter_map(|rule| rule.correlation.as_ref());
        correlations
            .find(|c| c.key == key)
            .map(|c| c.window.length_us)
    }
}

impl Rule {
    /// Whether a rule on vendor names looks at the records of a source.
    pub fn is_served_by(&self, source: &SourceFacts) -> bool {
        let logsource = self.logsource.as_ref();
        logsource.is_some_and(|wanted| source.sigma.iter().any(|given| serves(wanted, given)))
    }

    /// Whether a source with these fields, by the names that mappings have, tells what a rule on
    /// canonical fields cannot match without.
    pub fn is_told_by(&self, fields: &BTreeSet<String>) -> bool {
        self.needed.iter().all(|field| {
            let told_as = told_as(field);
            told_as.is_empty() || told_as.iter().any(|name| fields.contains(*name))
        })
    }

    /// Whether its matches are findings by themselves, or only count for correlations.
    pub const fn is_alone(&self) -> bool {
        self.alone
    }

    /// Whether it sees canonical fields.
    pub fn is_canonical(&self) -> bool {
        self.logsource.as_ref().is_some_and(is_canonical)
    }
}

fn is_canonical(logsource: &SigmaLogsource) -> bool {
    logsource
        .product
        .as_deref()
        .is_some_and(|p| p.eq_ignore_ascii_case(CANONICAL_PRODUCT))
}

/// Every part a rule names must be what the source gives.
fn serves(wanted: &SigmaLogsource, given: &SigmaLogsource) -> bool {
    let part = |wanted: &Option<String>, given: &Option<String>| match (wanted, given) {
        (None, _) => true,
        (Some(wanted), Some(given)) => wanted.eq_ignore_ascii_case(given),
        (Some(_), None) => false,
    };
    part(&wanted.product, &given.product)
        && part(&wanted.service, &given.service)
        && part(&wanted.category, &given.category)
}

/// What a rule is evaluated on.
#[derive(Clone, Copy, Debug)]
enum Subject<'a> {
    Canonical(View<'a>),
    Vendor(Record<'a>),
}

impl<'a> Subject<'a> {
    fn get(&self, name: &str) -> Option<FieldValue<'a>> {
        match self {
            Self::Canonical(view) => view.get(name),
            Self::Vendor(record) => record.get(name),
        }
    }

    fn visit_texts(&self, visit: &mut dyn FnMut(&str)) {
        match self {
            Self::Canonical(view) => view.visit_texts(visit),
            Self::Vendor(record) => record.visit_texts(visit),
        }
    }

    fn visit_keys(&self, visit: &mut dyn FnMut(&str)) -> bool {
        match self {
            Self::Canonical(_) => false,
            Self::Vendor(record) => record.visit_keys(visit),
        }
    }
}
