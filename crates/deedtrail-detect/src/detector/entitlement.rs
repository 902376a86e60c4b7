//! Something done that no imported entitlement covers. Whether one does is compared where imports are
//! known, outside this crate; here it becomes a finding.

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::Sensitivity;
use deedtrail_core::finding::{FindingDraft, Severity};

use super::{CodeDetector, Runs, draft};
use crate::{Observation, fact};

/// Its entry among the detectors.
pub const DETECTOR: CodeDetector = CodeDetector {
    id: "code/entitlement",
    findings: &["unentitled_use"],
    meaning: "An identity that holds imported entitlements in a system does something there that none of \
              them covers, or that one denies (docs/reference/entitlement-import.md). Told of events \
              at most a day older than the import, once a day for each identity and system.",
    runs: Runs::Outside,
};

/// What is known of a deed that goes beyond what was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unentitled {
    /// Permissions any of which it takes.
    pub permissions: Vec<Text>,
    /// What denies it; empty where nothing allows it.
    pub denied_by: Vec<Text>,
    /// Entitlements the identity holds in that system.
    pub held: usize,
    /// The imports they come from, with their days.
    pub imports: String,
}

/// The finding about one such event.
pub fn unentitled(observation: &Observation<'_>, beyond: &Unentitled) -> FindingDraft {
    let event = observation.event;
    let mapped = &event.mapped;
    let kind = "unentitled_use";
    let pattern = format!("system {}", fact::cut(&mapped.system, 60));
    let mut draft = draft::of(observation, kind, DETECTOR.id, &pattern);
    let name = fact::actor_name(observation);
    let operation = fact::cut(&mapped.operation, 80);
    let target = fact::target_name(event);
    let on = if target.is_empty() || target == operation {
        String::new()
    } else {
        format!(" on {target}")
    };
    let how = if beyond.denied_by.is_empty() {
        "without being entitled to it"
    } else {
        "although it is denied"
    };
    draft.title = format!("{name} did {operation}{on} {how}");
    let takes = beyond.permissions.join(" or ");
    let takes = fact::cut(&takes, 200);
    draft.reasons = vec![
        format!("observed: {}", fact::sentence(event)),
        if beyond.denied_by.is_empty() {
            format!(
                "entitled: {} in {} by {}; none covers {takes}",
                fact::counted(beyond.held, "grant"),
                fact::cut(&mapped.system, 60),
                fact::cut(&beyond.imports, 200)
            )
        } else {
            format!(
                "denied: {takes}, by {} ({})",
                fact::cut(&beyond.denied_by.join("; "), 200),
                fact::cut(&beyond.imports, 200)
            )
        },
        "not in an export: policies of resources, of the organisation and of sessions".to_owned(),
    ];
    if is_grave(mapped.action) || mapped.target_sensitivity == Sensitivity::Secret {
        draft.severity = Severity::High;
    }
    draft.confidence = if beyond.denied_by.is_empty() {
        0.6
    } else {
        0.8
    };
    draft
}

/// Secrets, rights and credentials.
const fn is_grave(action: Action) -> bool {
    matches!(
        action,
        Action::SecretRead
            | Action::PrivilegeGrant
            | Action::ConsentGrant
            | Action::CredentialCreate
            | Action::IdentityCreate
    )
}
