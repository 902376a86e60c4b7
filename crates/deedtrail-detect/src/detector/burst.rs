//! One credential touching very many things within seconds.

use deedtrail_core::finding::FindingDraft;
use deedtrail_core::time::Timestamp;

use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::Profile;

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/burst",
    findings: &["burst"],
    meaning: "One credential touches at least 300 distinct targets within 60 seconds, and at least \
              twice as many as on any earlier day.",
    runs: Runs::Event(detect),
};

fn detect(context: &Context<'_>, _profile: &mut Profile) -> Vec<FindingDraft> {
    let (Some(used), limit) = (context.credential, context.settings.burst_targets_min) else {
        return Vec::new();
    };
    if used.burst.count_at_most() < limit {
        return Vec::new();
    }
    let window_us = context
        .settings
        .burst_seconds
        .saturating_mul(Timestamp::SECOND_US);
    let (count, first) = used.burst.window(window_us);
    let usual = usize::try_from(used.burst.usual()).unwrap_or(usize::MAX);
    // Said at the limit and at every further hundred: repeats carry the newest count.
    let step = count == limit || count > limit && count.is_multiple_of(100);
    if count < limit || !step || usual.saturating_mul(2) > count {
        return Vec::new();
    }
    let reference = context
        .observation
        .event
        .mapped
        .credential_ref
        .as_deref()
        .unwrap_or("unnamed");
    let reference = fact::cut(reference, 60);
    let name = fact::actor_name(&context.observation);
    let pattern = format!("credential {reference}");
    let mut draft = draft::of(&context.observation, "burst", DETECTOR.id, &pattern);
    let took = first.map_or(0, |first| context.at().micros_since(first));
    draft.title = format!(
        "{name}: {count} distinct targets in {} with credential {reference}",
        fact::span(took),
    );
    draft.reasons = vec![
        format!(
            "observed: {count} distinct targets within {} (limit {limit} within {} s)",
            fact::span(took),
            context.settings.burst_seconds,
        ),
        format!("usual: at most {usual} within the same time on any earlier day"),
        format!("newest: {}", fact::sentence(context.observation.event)),
    ];
    draft.confidence = 0.8;
    vec![draft]
}
