//! Work at an hour of day at which the identity was never seen.

use deedtrail_core::event::ActorKind;
use deedtrail_core::finding::FindingDraft;

use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::{self, Profile};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/off-hours",
    findings: &["off_hours"],
    meaning: "Work at an hour of day (UTC, one hour either way) that holds none of at least 100 \
              earlier events over at least 14 active days; for people only changes and sensitive \
              targets. Said once a week.",
    runs: Runs::Event(detect),
};

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    let event = context.observation.event;
    let kind = context
        .observation
        .identity
        .map_or(event.mapped.actor_kind, |i| i.kind);
    let weighty = profile::sensitive(event) || profile::changes_something(event.mapped.action);
    let known = context.facts.actor_active_days >= context.settings.history_days_min;
    let never = context.facts.hour_share_percent == Some(0)
        && profile.never_near(context.facts.hour_of_day);
    if !(known && never && profile::is_work(event)) || kind == ActorKind::Human && !weighty {
        return Vec::new();
    }
    if !profile.may_fire(&["off_hours"], context.at(), 7) {
        return Vec::new();
    }
    let hour = context.facts.hour_of_day;
    let name = fact::actor_name(&context.observation);
    let mut draft = draft::of(
        &context.observation,
        "off_hours",
        DETECTOR.id,
        "hour of day",
    );
    draft.title = format!("{name} worked at {hour:02}:00 UTC, when it never did before");
    draft.reasons = vec![
        format!("observed: {} at {}", fact::sentence(event), context.at()),
        format!(
            "usual: none of {} events on {} active days lay within an hour of {hour:02}:00 UTC",
            profile.events_total, profile.active_days,
        ),
    ];
    draft.confidence = if context.facts.network_seen_before == Some(false) {
        0.75
    } else {
        0.5
    };
    vec![draft]
}
