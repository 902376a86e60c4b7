//! Departures and sequences as finding drafts.

use deedtrail_charter::{Departure, DepartureKind, Match};
use deedtrail_core::Text;
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::id::IdentityId;

use super::About;
use crate::detector::draft;
use crate::{Observation, fact};

/// The type of finding a departure is.
const fn kind(departure: DepartureKind) -> &'static str {
    match departure {
        DepartureKind::Scope => "scope_departure",
        DepartureKind::Sequence => "sequence_departure",
    }
}

/// A departure shown by an event.
pub(super) fn departure(observation: &Observation<'_>, departure: Departure) -> FindingDraft {
    let rule = format!("charter/{}", departure.charter);
    let mut draft = draft::of(observation, kind(departure.kind), &rule, "");
    tell(&mut draft, &fact::actor_name(observation), departure);
    draft
}

/// A departure shown by nothing happening any more.
pub(super) fn ended(identity: IdentityId, about: &About, departure: Departure) -> FindingDraft {
    let kind = kind(departure.kind);
    let mut draft = FindingDraft {
        kind: kind.into(),
        rule: format!("charter/{}", departure.charter).into(),
        tenant: about.tenant.clone(),
        identity,
        first_alias: about.first_alias,
        pattern: Text::default(),
        session: None,
        severity: draft::severity_of(kind),
        confidence: 0.0,
        title: String::new(),
        reasons: Vec::new(),
        events: Vec::new(),
        allowed: Vec::new(),
        refused: Vec::new(),
        hypotheses: Vec::new(),
        techniques: Vec::new(),
        at: departure.at,
    };
    tell(&mut draft, &about.name, departure);
    draft
}

fn tell(draft: &mut FindingDraft, name: &str, departure: Departure) {
    let Departure {
        charter,
        version,
        line,
        rule,
        owner,
        purpose,
        ..
    } = &departure;
    draft.pattern = format!("charter {charter}: {}", departure.pattern).into();
    draft.reasons = vec![
        format!("observed: {}", departure.observed),
        format!("expected: {}", departure.expected),
        format!("charter: {charter}, version {version}, line {line}: {rule}"),
        format!("mission: {}", fact::cut(purpose, 200)),
        format!(
            "routed to the owner of the charter, {}",
            fact::cut(owner, 80)
        ),
    ];
    draft.title = format!("{name} {}", departure.title);
    draft.severity = departure.severity;
    draft.confidence = 0.9;
    draft.at = departure.at;
    draft.events.clear();
    draft::rests_on(draft, departure.events.into_iter());
}

/// An unsafe sequence that came about.
pub(super) fn sequence(observation: &Observation<'_>, found: Match) -> FindingDraft {
    let rule = format!("sequence/{}", found.id);
    let mut draft = draft::of(observation, &found.finding, &rule, &found.pattern);
    let name = fact::actor_name(observation);
    draft.title = format!("{name}: {}", found.title);
    draft.reasons = (1..)
        .zip(&found.steps)
        .map(|(number, step)| {
            let said = &step.event.fact;
            format!("step {number}, {}: {said}; {}", step.name, step.permitted)
        })
        .collect();
    draft.reasons.push(format!(
        "window: {} from the first step to the last (limit {})",
        fact::span(found.took_us),
        fact::span(found.within_us)
    ));
    draft
        .reasons
        .push(format!("unsafe together: {}", found.meaning.trim()));
    draft.severity = found.severity;
    draft.confidence = 0.75;
    draft.at = found.at;
    let (refused, allowed): (Vec<_>, Vec<_>) = found.steps.iter().partition(|step| step.refused);
    draft.allowed = allowed.into_iter().map(|step| step.what.clone()).collect();
    draft.refused = refused.into_iter().map(|step| step.what.clone()).collect();
    let is_technique = |id: &&String| id.starts_with("T1") || id.starts_with("AML.");
    draft.techniques = found
        .references
        .iter()
        .filter(is_technique)
        .map(Text::from)
        .collect();
    let events = found.steps.into_iter().map(|step| step.event);
    draft::rests_on(&mut draft, events);
    draft
}
