//! A sign-in, then a new credential and a granted right.

use deedtrail_core::action::Action;
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::time::Timestamp;

use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::{Profile, Trace, TraceKind};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/escalation",
    findings: &["escalation_after_login"],
    meaning: "Within 60 minutes of its sign-in an identity makes a credential and grants a right, \
              and has not done both on three earlier days.",
    runs: Runs::Event(detect),
};

/// Days with both actions after which they are an administrator's routine.
const ROUTINE_DAYS: u32 = 3;

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    let kinds = [
        TraceKind::SignIn,
        TraceKind::CredentialCreate,
        TraceKind::PrivilegeGrant,
    ];
    if !kinds.iter().any(|kind| context.left(*kind)) {
        return Vec::new();
    }
    let created_days = profile.days_of(Action::CredentialCreate);
    let granted_days = profile.days_of(Action::PrivilegeGrant);
    if created_days >= ROUTINE_DAYS && granted_days >= ROUTINE_DAYS {
        return Vec::new();
    }
    let window_us = context.settings.escalation_minutes * Timestamp::MINUTE_US;
    let from = context.at().plus_micros(-window_us);
    let Some(sign_in) = profile
        .traces
        .within(TraceKind::SignIn, from, context.at())
        .next()
    else {
        return Vec::new();
    };
    let until = sign_in.time.plus_micros(window_us);
    let after = |kind| profile.traces.within(kind, sign_in.time, until);
    let created = after(TraceKind::CredentialCreate).collect::<Vec<_>>();
    let granted = after(TraceKind::PrivilegeGrant).collect::<Vec<_>>();
    let (Some(credential), Some(right)) = (created.first(), granted.first()) else {
        return Vec::new();
    };
    let last = credential.time.max(right.time);
    let name = fact::actor_name(&context.observation);
    let mut draft = draft::of(
        &context.observation,
        "escalation_after_login",
        DETECTOR.id,
        "sign-in",
    );
    draft.title = format!(
        "{name}: new credential and granted rights within {} of signing in",
        fact::span(last.micros_since(sign_in.time)),
    );
    draft.reasons = vec![
        format!("sign-in: {}", sign_in.sentence),
        later(sign_in, credential),
        later(sign_in, right),
        format!(
            "usual: new credentials on {created_days}, grants on {granted_days} of {} active days",
            profile.active_days
        ),
    ];
    draft.confidence = if sign_in.network_seen == Some(false) {
        0.85
    } else {
        0.7
    };
    let events = created
        .iter()
        .chain(&granted)
        .map(|trace| trace.finding_event());
    let events = events.chain(std::iter::once(Trace::finding_event(sign_in)));
    draft::rests_on(&mut draft, events.collect::<Vec<_>>().into_iter());
    vec![draft]
}

/// What came how long after the sign-in.
fn later(sign_in: &Trace, trace: &Trace) -> String {
    let after = fact::span(trace.time.micros_since(sign_in.time));
    format!("{after} later: {}", trace.sentence)
}
