//! Far more data taken out at once than ever before.

use deedtrail_core::finding::{FindingDraft, Severity};

use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::{self, Profile};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/exfiltration",
    findings: &["exfiltration"],
    meaning: "One event takes out at least 100 MiB and ten times as much as any earlier event of \
              an identity with at least 14 active days.",
    runs: Runs::Event(detect),
};

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    let event = context.observation.event;
    let Some(bytes) = event.mapped.bytes_out else {
        return Vec::new();
    };
    let usual = profile.bytes_out_peak;
    let known = context.facts.actor_active_days >= context.settings.history_days_min;
    let far_more = bytes >= context.settings.exfiltration_bytes_min
        && bytes >= usual.saturating_mul(context.settings.exfiltration_factor);
    if !known || !far_more || profile::refused(event) {
        return Vec::new();
    }
    let name = fact::actor_name(&context.observation);
    let mut draft = draft::of(&context.observation, "exfiltration", DETECTOR.id, "volume");
    draft.title = format!(
        "{name} took {} MiB out of {} at once",
        bytes >> 20,
        fact::target_name(event),
    );
    draft.reasons = vec![
        format!("observed: {bytes} bytes: {}", fact::sentence(event)),
        format!(
            "usual: at most {usual} bytes at once in {} active days (limit {} times that)",
            profile.active_days, context.settings.exfiltration_factor,
        ),
    ];
    if let Some(false) = context.facts.network_seen_before {
        draft
            .reasons
            .push("it came from a network never seen for this identity".to_owned());
        draft.severity = draft.severity.max(Severity::High);
    }
    draft.confidence = 0.7;
    vec![draft]
}
