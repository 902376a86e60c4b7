//! What followed a click on a protected link: harvested credentials, a token-bearing link used
//! from elsewhere, consent, rights or persistence; or nothing. The click may arrive last.

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, OutcomeClass};
use deedtrail_core::finding::{FindingDraft, Severity};
use deedtrail_core::time::Timestamp;

use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::{Profile, Trace, TraceKind};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/click",
    findings: &["credential_harvest", "token_link_use", "click_followed_by"],
    meaning: "A click, then within 30 minutes three failed sign-ins of the same identity from \
              another network that is not one of its own (records of one attempt count once); or \
              within 60 minutes a refusal from a network never seen for it, at a sensitive target \
              or, after a token-bearing link, at any; or a consent, mailbox rule, new credential, \
              new identity or granted right, or a sign-in from a network never seen for it.",
    runs: Runs::Event(detect),
};

/// Kinds of event that can complete a pattern with an earlier click.
const FOLLOWING: [TraceKind; 8] = [
    TraceKind::SignInFailure,
    TraceKind::Denied,
    TraceKind::ConsentGrant,
    TraceKind::InboxRule,
    TraceKind::CredentialCreate,
    TraceKind::PrivilegeGrant,
    TraceKind::IdentityCreate,
    TraceKind::StrangeSignIn,
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

/// Whether this event is part of the pattern: the click, or one of those that followed.
fn belongs(context: &Context<'_>, click: &Trace, following: &[&Trace]) -> bool {
    let event = context.observation.event.event_uid;
    click.event_uid == event || following.iter().any(|trace| trace.event_uid == event)
}

fn harvest(context: &Context<'_>, profile: &Profile, click: &Trace) -> Option<FindingDraft> {
    let minutes = context.settings.click_failure_minutes;
    // From a network of its own, a person has mistyped.
    let elsewhere = |failure: &&Trace| {
        failure.same_network(click) == Some(false) && failure.network_seen != Some(true)
    };
    let failures = after(profile, click, TraceKind::SignInFailure, minutes).filter(elsewhere);
    let failures = failures.collect::<Vec<_>>();
    let (first, last) = (failures.first()?, failures.last()?);
    let attempts = attempts(&failures);
    if attempts < context.settings.click_failures_min || !belongs(context, click, &failures) {
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
        fact::counted(attempts, "failed sign-in"),
        last.origin(),
        fact::span(last.time.micros_since(click.time)),
    );
    draft.reasons = vec![
        format!(
            "observed: {} between {} and {} after the click (limit {} within {minutes} min)",
            fact::counted(attempts, "failed sign-in"),
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

/// How often somebody tried: records of one attempt count once.
fn attempts(failures: &[&Trace]) -> usize {
    let mut last: Option<&Trace> = None;
    let mut count = 0;
    for failure in failures {
        if last.is_none_or(|last| !failure.same_attempt(last)) {
            last = Some(failure);
            count += 1;
        }
    }
    count
}

fn token_link(context: &Context<'_>, profile: &Profile, click: &Trace) -> Option<FindingDraft> {
    let minutes = context.settings.click_follow_minutes;
    let unusual = |refusal: &&Trace| {
        let weighs = refusal.weight.is_some()
            || click.token_bearing() && refusal.outcome == OutcomeClass::Denied;
        weighs && refusal.network_seen == Some(false)
    };
    let refusals = after(profile, click, TraceKind::Denied, minutes).filter(unusual);
    let refusals = refusals.collect::<Vec<_>>();
    let first = *refusals.first()?;
    if !belongs(context, click, &refusals) {
        return None;
    }
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

/// What may follow a click and stay, and whether it counts after this click.
fn stays(click: &Trace, trace: &Trace) -> bool {
    let strange = trace.network_seen == Some(false);
    match trace.kind {
        // On the way, a person opens a link and signs in from the same new network.
        TraceKind::StrangeSignIn => trace.same_network(click) != Some(true),
        // Rights are given every day; from where or by whom they never were, they are not.
        TraceKind::PrivilegeGrant | TraceKind::IdentityCreate => strange || trace.first_time,
        // Making a credential soon after a harmless click is daily work, from the same network.
        _ => strange || click.weight.is_some(),
    }
}

fn followed_by(context: &Context<'_>, profile: &Profile, click: &Trace) -> Option<FindingDraft> {
    let minutes = context.settings.click_follow_minutes;
    let kinds = [
        TraceKind::ConsentGrant,
        TraceKind::InboxRule,
        TraceKind::CredentialCreate,
        TraceKind::PrivilegeGrant,
        TraceKind::IdentityCreate,
        TraceKind::StrangeSignIn,
    ];
    let mut found = kinds
        .iter()
        .flat_map(|k| after(profile, click, *k, minutes))
        .filter(|trace| stays(click, trace))
        .collect::<Vec<_>>();
    found.sort_by_key(|trace| (trace.time, trace.log_seq));
    // The act that stays says more than the sign-in before it.
    let acts = |trace: &&&Trace| trace.kind != TraceKind::StrangeSignIn;
    let act = found.iter().find(acts);
    let first = *act.or(found.first())?;
    if !belongs(context, click, &found) {
        return None;
    }
    let name = fact::actor_name(&context.observation);
    let mut draft = draft::of(
        &context.observation,
        "click_followed_by",
        DETECTOR.id,
        &format!("click {}", click.event_uid),
    );
    draft.severity = if act.is_some() || click.weight.is_some() {
        Severity::High
    } else {
        Severity::Medium
    };
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
            if found.len() == 1 {
                "one act that opens or keeps access".to_owned()
            } else {
                format!("{} acts that open or keep access", found.len())
            },
            fact::span(first.time.micros_since(click.time)),
        ),
        usual_of(profile, first),
        history_of(profile, first),
    ];
    let events = found.iter().map(|f| f.finding_event());
    draft::rests_on(
        &mut draft,
        std::iter::once(click.finding_event()).chain(events),
    );
    Some(draft)
}

/// On how many days the identity did the like before.
fn usual_of(profile: &Profile, trace: &Trace) -> String {
    let (what, action) = match trace.kind {
        TraceKind::ConsentGrant => ("consents", Action::ConsentGrant),
        TraceKind::PrivilegeGrant => ("granted rights", Action::PrivilegeGrant),
        TraceKind::IdentityCreate => ("new identities", Action::IdentityCreate),
        TraceKind::StrangeSignIn => ("sign-ins", Action::Authenticate),
        TraceKind::InboxRule => ("changes of configuration", Action::ConfigChange),
        _ => ("new credentials", Action::CredentialCreate),
    };
    format!(
        "usual: {what} on {} of {} active days",
        profile.days_of(action),
        profile.active_days,
    )
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
