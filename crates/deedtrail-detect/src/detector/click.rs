//! What followed a click on a protected link: harvested credentials, a token-bearing link used
//! from elsewhere, consent or persistence; or nothing.

use deedtrail_core::event::ActorKind;
use deedtrail_core::finding::{FindingDraft, Severity};
use deedtrail_core::time::Timestamp;

use super::{CodeDetector, Context, draft};
use crate::fact;
use crate::profile::{Profile, Trace, TraceKind};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/click",
    findings: &["credential_harvest", "token_link_use", "click_followed_by"],
    meaning: "A click, then within 30 minutes three failed sign-ins of the same identity from \
              another network; or within 60 minutes a refusal at a sensitive target from a \
              network never seen for it, or a consent, mailbox rule or new credential.",
    detect,
};

/// Kinds of event that can complete a pattern with an earlier click.
const FOLLOWING: [TraceKind; 5] = [
    TraceKind::SignInFailure,
    TraceKind::Denied,
    TraceKind::ConsentGrant,
    TraceKind::InboxRule,
    TraceKind::CredentialCreate,
];

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    let relevant = context.left(TraceKind::Click) || FOLLOWING.iter().any(|k| context.left(*k));
    let scanner = context.observation.event.mapped.actor_kind == ActorKind::Scanner;
    if !relevant || scanner {
        return Vec::new();
    }
    let widest = context
        .settings
        .click_follow_minutes
        .max(context.settings.click_failure_minutes);
    let from = if context.left(TraceKind::Click) {
        context.at()
    } else {
        context.at().plus_micros(-widest * Timestamp::MINUTE_US)
    };
    let profile = &*profile;
    let mut drafts = Vec::new();
    for click in profile.traces.within(TraceKind::Click, from, context.at()) {
        drafts.extend(harvest(context, profile, click));
        drafts.extend(token_link(context, profile, click));
        drafts.extend(followed_by(context, profile, click));
    }
    drafts
}

/// Traces of `kind` within `minutes` after a click.
fn after<'p>(
    profile: &'p Profile,
    click: &Trace,
    kind: TraceKind,
    minutes: i64,
) -> impl DoubleEndedIterator<Item = &'p Trace> {
    let until = click.time.plus_micros(minutes * Timestamp::MINUTE_US);
    profile.traces.within(kind, click.time, until)
}

/// Whether this event is part of the pattern: the click, or one of `kind`.
fn completes(context: &Context<'_>, click: &Trace, kind: TraceKind) -> bool {
    context.left(kind) || click.event_uid == context.observation.event.event_uid
}

fn harvest(context: &Context<'_>, profile: &Profile, click: &Trace) -> Option<FindingDraft> {
    if !completes(context, click, TraceKind::SignInFailure) {
        return None;
    }
    let minutes = context.settings.click_failure_minutes;
    let elsewhere = |failure: &&Trace| failure.same_network(click) == Some(false);
    let failures = after(profile, click, TraceKind::SignInFailure, minutes).filter(elsewhere);
    let failures = failures.collect::<Vec<_>>();
    let (first, last) = (failures.first()?, failures.last()?);
    if failures.len() < context.settings.click_failures_min {
        return None;
    }
    let name = fact::actor_name(&context.observation);
    let mut draft = draft::of(
        &context.observation,
        "credential_harvest",
        DETECTOR.id,
        &format!("click {}", click.event_uid),
    );
    draft.severity = if click.weight.is_some() {
        Severity::Critical
    } else {
        Severity::High
    };
    draft.confidence = if click.weight.is_some() { 0.9 } else { 0.75 };
    draft.title = format!(
        "{name}: a click, then {} from {} within {}",
        fact::counted(failures.len(), "failed sign-in"),
        last.origin(),
        fact::span(last.time.micros_since(click.time)),
    );
    draft.reasons = vec![
        format!(
            "observed: {} between {} and {} after the click (limit {} within {minutes} min)",
            fact::counted(failures.len(), "failed sign-in"),
            fact::span(first.time.micros_since(click.time)),
            fact::span(last.time.micros_since(click.time)),
            context.settings.click_failures_min,
        ),
        format!(
            "the click came from {}, the failures from {}",
            click.origin(),
            last.origin()
        ),
        history_of(profile, last),
    ];
    if let Some(weight) = &click.weight {
        draft.reasons.push(format!("the click was on {weight}"));
    }
    let events = failures.iter().map(|f| f.finding_event());
    draft::rests_on(
        &mut draft,
        std::iter::once(click.finding_event()).chain(events),
    );
    Some(draft)
}

fn token_link(context: &Context<'_>, profile: &Profile, click: &Trace) -> Option<FindingDraft> {
    if !completes(context, click, TraceKind::Denied) {
        return None;
    }
    let minutes = context.settings.click_follow_minutes;
    let unusual =
        |refusal: &&Trace| refusal.weight.is_some() && refusal.network_seen == Some(false);
    let refusals = after(profile, click, TraceKind::Denied, minutes).filter(unusual);
    let refusals = refusals.collect::<Vec<_>>();
    let first = refusals.first()?;
    let name = fact::actor_name(&context.observation);
    let employment = context
        .observation
        .identity
        .and_then(|i| i.declared.employment.as_deref());
    let mut draft = draft::of(
        &context.observation,
        "token_link_use",
        DETECTOR.id,
        &format!("click {}", click.event_uid),
    );
    draft.severity = Severity::High;
    draft.confidence = if click.weight.is_some() { 0.9 } else { 0.7 };
    draft.title = format!(
        "Proven sequence: {name} opened {}, then was refused at {} from {} {} later",
        click.weight.as_deref().unwrap_or("a protected link"),
        first.target_name,
        first.origin(),
        fact::span(first.time.micros_since(click.time)),
    );
    draft.reasons = vec![
        format!(
            "observed: {} at {} within {} of the click (window {minutes} min)",
            fact::counted(refusals.len(), "refusal"),
            first.target_name,
            fact::span(first.time.micros_since(click.time)),
        ),
        history_of(profile, first),
        format!("identity class: {}", employment.unwrap_or("not declared")),
    ];
    let events = refusals.iter().map(|r| r.finding_event());
    draft::rests_on(
        &mut draft,
        std::iter::once(click.finding_event()).chain(events),
    );
    Some(draft)
}

fn followed_by(context: &Context<'_>, profile: &Profile, click: &Trace) -> Option<FindingDraft> {
    let minutes = context.settings.click_follow_minutes;
    let kinds = [
        TraceKind::ConsentGrant,
        TraceKind::InboxRule,
        TraceKind::CredentialCreate,
    ];
    if !kinds.iter().any(|kind| completes(context, click, *kind)) {
        return None;
    }
    let mut found = kinds
        .iter()
        .flat_map(|k| after(profile, click, *k, minutes))
        .collect::<Vec<_>>();
    found.sort_by_key(|trace| (trace.time, trace.log_seq));
    let first = *found.first()?;
    // Making a credential soon after a harmless click is daily work, from the same network.
    let elsewhere = found.iter().any(|trace| trace.network_seen == Some(false));
    if click.weight.is_none() && !elsewhere {
        return None;
    }
    let name = fact::actor_name(&context.observation);
    let mut draft = draft::of(
        &context.observation,
        "click_followed_by",
        DETECTOR.id,
        &format!("click {}", click.event_uid),
    );
    draft.severity = Severity::High;
    draft.confidence = 0.75;
    draft.title = format!(
        "{name} opened {}; {} later: {}",
        click.weight.as_deref().unwrap_or("a protected link"),
        fact::span(first.time.micros_since(click.time)),
        first.sentence,
    );
    draft.reasons = vec![
        format!(
            "observed: {} within {} of the click (window {minutes} min)",
            fact::counted(found.len(), "consent, mailbox rule or new credential"),
            fact::span(first.time.micros_since(click.time)),
        ),
        format!(
            "usual: consents on {} of {} active days, new credentials on {}",
            profile.days_of(deedtrail_core::action::Action::ConsentGrant),
            profile.active_days,
            profile.days_of(deedtrail_core::action::Action::CredentialCreate),
        ),
        history_of(profile, first),
    ];
    let events = found.iter().map(|f| f.finding_event());
    draft::rests_on(
        &mut draft,
        std::iter::once(click.finding_event()).chain(events),
    );
    Some(draft)
}

/// How usual the origin of a trace is for the actor.
fn history_of(profile: &Profile, trace: &Trace) -> String {
    let known = fact::counted(profile.networks.len(), "network");
    let systems = profile.asns.len();
    match trace.network_seen {
        Some(false) => format!(
            "usual: {known} in {systems} AS over {} active days; {} was never among them",
            profile.active_days,
            trace.origin(),
        ),
        Some(true) => format!("usual: {} is one of the identity's {known}", trace.origin()),
        None => format!(
            "there is no history of networks to compare {} with",
            trace.origin()
        ),
    }
}
