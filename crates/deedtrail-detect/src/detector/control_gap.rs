//! A read-only identity that tries to write after a change of configuration failed.

use deedtrail_core::event::OutcomeClass;
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::time::Timestamp;

use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::{Profile, Trace, TraceKind};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/control-gap",
    findings: &["control_gap"],
    meaning: "An identity that is read-only, by declaration or by at least 14 days of history, \
              fails to change a configuration and within 24 hours attempts to write, whatever \
              comes of it.",
    runs: Runs::Event(detect),
};

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    let event = context.observation.event;
    let declared = context
        .observation
        .identity
        .is_some_and(|i| i.declared.read_only);
    if !context.left(TraceKind::WriteAttempt) {
        return Vec::new();
    }
    let window_us = context.settings.control_gap_hours * Timestamp::HOUR_US;
    let earlier = context.at().plus_micros(-window_us);
    // A failed change that arrives late finds the attempts that came after it.
    let failed = profile
        .traces
        .within(TraceKind::FailedChange, earlier, context.at())
        .next();
    let Some(failed) = failed else {
        return Vec::new();
    };
    let until = failed.time.plus_micros(window_us);
    let attempts = profile
        .traces
        .within(TraceKind::WriteAttempt, failed.time, until);
    let attempts = attempts
        .filter(|a| a.event_uid != failed.event_uid)
        .collect::<Vec<_>>();
    let Some(last) = attempts.last() else {
        return Vec::new();
    };
    let name = fact::actor_name(&context.observation);
    let went_through = event.mapped.outcome == OutcomeClass::Success;
    let mut draft = draft::of(
        &context.observation,
        "control_gap",
        DETECTOR.id,
        "write after failure",
    );
    draft.title = format!(
        "{name} is read-only, yet attempted {} after a failed change of configuration",
        fact::counted(attempts.len(), "write"),
    );
    draft.reasons = vec![
        if declared {
            "declared read-only".to_owned()
        } else {
            format!("usual: only reads in {} active days", profile.active_days)
        },
        format!("first: {}", failed.sentence),
        format!(
            "then, within {}: {} (window {} h)",
            fact::span(last.time.micros_since(failed.time)),
            last.sentence,
            context.settings.control_gap_hours,
        ),
        if went_through {
            "the newest attempt went through: the control did not hold".to_owned()
        } else {
            "the newest attempt did not go through".to_owned()
        },
    ];
    draft.confidence = if declared { 0.85 } else { 0.65 };
    let events = attempts
        .into_iter()
        .chain(std::iter::once(failed))
        .map(Trace::finding_event);
    draft::rests_on(&mut draft, events.collect::<Vec<_>>().into_iter());
    vec![draft]
}
