//! A machine identity with a settled pattern touches something outside it.

use deedtrail_core::action::Action;
use deedtrail_core::event::ActorKind;
use deedtrail_core::finding::{FindingDraft, Severity};

use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::{self, Profile};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/pattern",
    findings: &["new_resource_class"],
    meaning: "A machine identity with at least 14 active days, whose set of (system, action, class \
              of target) has not grown for 7 days, touches one outside the set.",
    runs: Runs::Event(detect),
};

/// Days for which the set of classes must not have grown.
const SETTLED_DAYS: i64 = 7;

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    let event = context.observation.event;
    let mapped = &event.mapped;
    let kind = context
        .observation
        .identity
        .map_or(mapped.actor_kind, |identity| identity.kind);
    let machine = !matches!(
        kind,
        ActorKind::Human | ActorKind::Scanner | ActorKind::System
    );
    let settled = profile.active_days
        >= u32::try_from(context.settings.history_days_min).unwrap_or(0)
        && profile
            .class_new_day
            .is_some_and(|day| grew_days_ago(context, day) >= SETTLED_DAYS);
    let counts = profile::is_work(event) && mapped.action != Action::Click;
    if !machine || !settled || !counts {
        return Vec::new();
    }
    if profile.classes.is_new(context.facts.keys.class) != Some(true) {
        return Vec::new();
    }
    let name = fact::actor_name(&context.observation);
    // One finding per system and action: a walk through many new things is one departure.
    let pattern = format!("{} {}", mapped.system, mapped.action.name());
    let mut draft = draft::of(
        &context.observation,
        "new_resource_class",
        DETECTOR.id,
        &pattern,
    );
    draft.title = format!(
        "{name}: {} for the first time: {}",
        mapped.action.name(),
        thing(context),
    );
    draft.reasons = vec![
        format!("observed: {}", fact::sentence(event)),
        format!(
            "usual: {} of (system, action, class of target) in {} active days, none new for {} days",
            fact::counted(profile.classes.len(), "combination"),
            profile.active_days,
            profile
                .class_new_day
                .map_or(0, |day| grew_days_ago(context, day)),
        ),
        baseline(profile),
        what_is_new(context),
    ];
    if let Some(workload) = &mapped.workload {
        draft
            .reasons
            .push(format!("used from {}", fact::cut(workload, 80)));
    }
    let reaches = profile::sensitive(event) || context.facts.network_seen_before == Some(false);
    if reaches || profile::changes_something(mapped.action) {
        draft.severity = draft.severity.max(Severity::High);
        draft.confidence = 0.75;
    }
    vec![draft]
}

/// What it does by routine, by name as far as names are kept.
fn baseline(profile: &Profile) -> String {
    let named = profile.class_names.join("; ");
    match profile
        .classes
        .len()
        .saturating_sub(profile.class_names.len())
    {
        0 => format!("baseline: {named}"),
        more => format!("baseline: {named}; and {more} more"),
    }
}

/// What was touched: its kind and name.
fn thing(context: &Context<'_>) -> String {
    let event = context.observation.event;
    let name = fact::target_name(event);
    match &event.mapped.target_kind {
        Some(kind) if **kind != *name => format!("{} {name}", fact::cut(kind, 40)),
        _ => name,
    }
}

fn grew_days_ago(context: &Context<'_>, day: i64) -> i64 {
    context.at().utc_day() - day
}

fn what_is_new(context: &Context<'_>) -> String {
    let mapped = &context.observation.event.mapped;
    let facts = context.facts;
    let mut new = Vec::new();
    if facts.first_time_system == Some(true) {
        new.push(format!("system {}", fact::cut(&mapped.system, 40)));
    }
    if facts.first_time_action == Some(true) {
        new.push(format!("action {}", mapped.action.name()));
    }
    if facts.first_time_operation == Some(true) {
        new.push(format!("operation {}", fact::cut(&mapped.operation, 60)));
    }
    if facts.first_time_target_kind == Some(true) {
        let kind = mapped.target_kind.as_deref().unwrap_or("?");
        new.push(format!("kind of target {}", fact::cut(kind, 40)));
    }
    if facts.network_seen_before == Some(false) {
        new.push("network".to_owned());
    }
    if new.is_empty() {
        "new: only the class of target".to_owned()
    } else {
        format!("new: {}", new.join(", "))
    }
}
