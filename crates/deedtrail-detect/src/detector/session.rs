//! One session in two places, or in two clients, at once.

use deedtrail_core::Text;
use deedtrail_core::event::ActorKind;
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::time::Timestamp;

use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::{self, Profile};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/session",
    findings: &["session_change"],
    meaning: "One session goes on within an hour from another AS and with another client, or from \
              another country, which nobody reaches in that time. Sessions without a vendor's id are \
              judged for people only.",
    runs: Runs::Event(detect),
};

/// Where somebody is, in words.
fn place(asn: Option<i64>, country: Option<&Text>) -> String {
    match (asn, country) {
        (Some(asn), _) => format!("AS{asn}"),
        (None, Some(country)) => fact::cut(country, 8),
        (None, None) => "an unknown network".to_owned(),
    }
}

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    let event = context.observation.event;
    let Some(session) = event.session_uid.and_then(|uid| profile.session(uid)) else {
        return Vec::new();
    };
    let apart = context.at().micros_since(session.last).abs();
    // One key used from many regions at once is how machines work.
    let told_apart =
        event.mapped.session_ref.is_some() || event.mapped.actor_kind == ActorKind::Human;
    if apart > Timestamp::HOUR_US || !told_apart {
        return Vec::new();
    }
    let client = profile::client(event);
    let differs =
        |one: &Option<_>, other: &Option<_>| one.is_some() && other.is_some() && one != other;
    let other_as = matches!((session.asn, event.mapped.src_asn), (Some(a), Some(b)) if a != b);
    let other_client = differs(&session.client, &client);
    let other_country = differs(&session.country, &event.mapped.src_country);
    if !(other_country || other_as && other_client) {
        return Vec::new();
    }
    let uid = session.uid.to_string();
    let (before, was) = (session.event.clone(), session.asn);
    let countries = (session.country.clone(), event.mapped.src_country.clone());
    let clients = (session.client.clone(), client);
    if !profile.may_fire(&["session_change", &uid], context.at(), 1) {
        return Vec::new();
    }
    let was = place(was, countries.0.as_ref());
    let now = place(event.mapped.src_asn, countries.1.as_ref());
    let name = fact::actor_name(&context.observation);
    let mut draft = draft::of(
        &context.observation,
        "session_change",
        DETECTOR.id,
        &format!("session {uid}"),
    );
    draft.title = format!(
        "{name}: one session moved from {was} to {now} in {}",
        fact::span(apart)
    );
    draft.reasons = vec![format!(
        "observed: {was}, then {now} {} later",
        fact::span(apart)
    )];
    if let (true, (Some(from), Some(to))) = (other_country, countries) {
        draft.reasons.push(format!(
            "countries: {} and {}",
            fact::cut(&from, 8),
            fact::cut(&to, 8)
        ));
    }
    if let (true, (Some(from), Some(to))) = (other_client, clients) {
        draft.reasons.push(format!("clients: {from} and {to}"));
    }
    draft
        .reasons
        .push("usual: a session stays with its network or its client (window 60 min)".to_owned());
    draft.confidence = if other_client && other_country {
        0.85
    } else {
        0.65
    };
    draft::rests_on(&mut draft, std::iter::once(before));
    vec![draft]
}
