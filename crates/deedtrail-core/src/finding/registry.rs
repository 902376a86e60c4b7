//! The registry of finding types: what each means, how urgent it is, what to do first, and which
//! controls it answers. A detector or rule may only emit a type that stands here.

mod behavioural;
mod click;
mod post_authentication;
mod usage;

use super::{FindingType, Severity, TelemetryKind};

/// What a type says apart from its kind and its printed references.
struct Entry {
    id: &'static str,
    title: &'static str,
    severity: Severity,
    meaning: &'static str,
    response: &'static [&'static str],
    mapped_ref: &'static [&'static str],
}

impl Entry {
    /// The printed references belong to the kind of telemetry, so they are not repeated per type.
    const fn of(self, telemetry: TelemetryKind) -> FindingType {
        FindingType {
            id: self.id,
            title: self.title,
            telemetry,
            severity: self.severity,
            meaning: self.meaning,
            response: self.response,
            seed_ref: seed_ref(telemetry),
            mapped_ref: self.mapped_ref,
        }
    }
}

/// References as first printed, per kind of telemetry; `control::CROSSWALK` says how to read them.
const fn seed_ref(telemetry: TelemetryKind) -> &'static [&'static str] {
    match telemetry {
        TelemetryKind::Click => &[
            "NIST CSF 2.0 DE.AE-1",
            "NIST CSF 2.0 RS.AN-1",
            "OWASP NHI-09",
        ],
        TelemetryKind::PostAuthentication => &[
            "OWASP NHI-01",
            "NIST CSF 2.0 DE.CM",
            "NIST SP 800-207 continuous monitoring principle",
        ],
        TelemetryKind::Behavioural => {
            &["OWASP NHI-06", "NIST CSF 2.0 DE.CM", "NIST SP 800-207 5.1"]
        }
        TelemetryKind::Usage => &["OWASP NHI-01", "NIST CSF 2.0 PR.AC-1", "NIST AI RMF"],
    }
}

/// Every finding type, grouped by kind of telemetry.
pub fn all() -> impl Iterator<Item = &'static FindingType> {
    [
        click::TYPES,
        post_authentication::TYPES,
        post_authentication::deed::TYPES,
        behavioural::TYPES,
        usage::TYPES,
    ]
    .into_iter()
    .flatten()
}

/// The finding type of that id.
pub fn find(id: &str) -> Option<&'static FindingType> {
    all().find(|kind| kind.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::control::{self, CROSSWALK, Framework};

    #[test]
    fn ids_are_unique_and_speak_the_same_way() {
        let mut seen = BTreeSet::new();
        for kind in all() {
            assert!(seen.insert(kind.id), "{} stands twice", kind.id);
            let plain = kind.id.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(plain, "{} is not snake case", kind.id);
            assert!(kind.meaning.ends_with('.'), "{}: meaning", kind.id);
            assert!(kind.response.len() >= 2, "{}: response", kind.id);
            assert!(!kind.title.ends_with('.'), "{}: title", kind.id);
            assert_eq!(find(kind.id), Some(kind));
        }
        assert_eq!(find("no_such_type"), None);
    }

    #[test]
    fn every_type_has_references_that_exist() {
        for kind in all() {
            assert!(!kind.mapped_ref.is_empty(), "{}: mapped_ref", kind.id);
            for id in kind.mapped_ref {
                assert!(
                    control::find(id).is_some(),
                    "{}: {id} is no control",
                    kind.id
                );
            }
            let printed: Vec<_> = control::seed_refs(kind.telemetry).collect();
            assert_eq!(kind.seed_ref, printed, "{}", kind.id);
        }
    }

    #[test]
    fn every_type_answers_a_framework_of_the_crosswalk() {
        for kind in all() {
            let csf = kind
                .mapped_ref
                .iter()
                .filter_map(|id| control::find(id))
                .any(|control| control.framework == Framework::NistCsf);
            assert!(csf, "{} names no CSF subcategory", kind.id);
        }
    }

    #[test]
    fn control_ids_are_unique_and_none_is_of_csf_1_1() {
        let mut seen = BTreeSet::new();
        for control in control::CONTROLS {
            assert!(seen.insert(control.id), "{} stands twice", control.id);
            assert!(!is_csf_1_1(control.id), "{} is a CSF 1.1 id", control.id);
        }
        for row in CROSSWALK {
            for id in row.mapped_ref {
                assert!(control::find(id).is_some(), "{id} is no control");
                assert!(!is_csf_1_1(id), "{id} is a CSF 1.1 id");
            }
        }
        assert!(is_csf_1_1("DE.AE-1") && !is_csf_1_1("DE.AE-01") && !is_csf_1_1("NHI1:2025"));
    }

    /// CSF 1.1 numbers subcategories with one digit, 2.0 with two.
    fn is_csf_1_1(id: &str) -> bool {
        let Some((category, number)) = id.split_once('-') else {
            return false;
        };
        category.len() == 5 && category.contains('.') && number.len() == 1
    }
}
