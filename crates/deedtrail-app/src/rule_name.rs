//! Rules as people name them, and what is said of a name that is no rule's.

use deedtrail_charter::Library;
use deedtrail_detect::detector::DETECTORS;
use deedtrail_detect::rule::NearNames;
use deedtrail_detect::{RuleSet, fact};

/// Longest name that is repeated, bytes.
const NAME_SHOWN_BYTES_MAX: usize = 200;

/// Nothing in force has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no rule is called `{name}`{near}; `deedtrail rule list` names those in force")]
pub struct UnknownRule {
    name: String,
    near: NearNames,
}

impl UnknownRule {
    /// With the names of rules, code detectors and sequences that may have been meant.
    pub fn new(wanted: &str, rules: &RuleSet, sequences: &Library) -> Self {
        let sequences = sequences.forms();
        let sequences: Vec<String> = sequences
            .map(|form| format!("sequence/{}", form.id))
            .collect();
        let known = rules.findings().map(|rule| rule.name.as_str());
        let known = known
            .chain(DETECTORS.iter().map(|detector| detector.id))
            .chain(sequences.iter().map(String::as_str));
        Self {
            name: fact::cut(wanted, NAME_SHOWN_BYTES_MAX),
            near: NearNames::of(wanted, known),
        }
    }

    /// What follows the name: which others may have been meant, or nothing.
    pub const fn near(&self) -> &NearNames {
        &self.near
    }
}
