//! A machine that lists who may do what, more than it usually does.

use deedtrail_core::event::ActorKind;
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::time::Timestamp;

use super::draft::Weighing;
use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::{Profile, Trace, TraceKind};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/enumeration",
    findings: &["enumeration"],
    meaning: "A machine identity lists roles, policies, identities or permissions at least 10 \
              times within an hour, and at least twice as often as on any earlier day; weighs \
              misuse and drift.",
    runs: Runs::Event(detect),
};

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    if !context.left(TraceKind::Enumeration) {
        return Vec::new();
    }
    let kind = context
        .observation
        .identity
        .map_or(context.observation.event.mapped.actor_kind, |i| i.kind);
    let from = context.at().plus_micros(-Timestamp::HOUR_US);
    let hour = profile
        .traces
        .within(TraceKind::Enumeration, from, context.at());
    let listings = hour.cloned().collect::<Vec<_>>();
    profile.note_enumeration(context.at().utc_day(), listings.len());
    let usual = usize::try_from(profile.enumeration_peak).unwrap_or(usize::MAX);
    let unusual = listings.len() >= context.settings.enumeration_min
        && listings.len()
            >= usual
                .saturating_mul(2)
                .min(listings.len().saturating_add(usual / 2));
    let (Some(first), Some(last)) = (listings.first(), listings.last()) else {
        return Vec::new();
    };
    if kind == ActorKind::Human || !unusual || usual >= listings.len() {
        return Vec::new();
    }
    let name = fact::actor_name(&context.observation);
    let mut draft = draft::of(
        &context.observation,
        "enumeration",
        DETECTOR.id,
        "authority",
    );
    draft.title = format!(
        "{name} listed roles, policies or identities {} times within {}",
        listings.len(),
        fact::span(last.time.micros_since(first.time)),
    );
    draft.reasons = vec![
        format!(
            "observed: {} from {} to {} (limit {} within 60 min)",
            fact::counted(listings.len(), "listing"),
            first.time,
            last.time,
            context.settings.enumeration_min,
        ),
        format!(
            "usual: at most {usual} an hour on any earlier day of {}",
            profile.active_days
        ),
    ];
    draft.hypotheses = draft::weigh(explanations(context, profile, &listings));
    draft.confidence = 0.7;
    draft::rests_on(&mut draft, listings.iter().map(Trace::finding_event));
    vec![draft]
}

fn explanations(context: &Context<'_>, profile: &Profile, listings: &[Trace]) -> Vec<Weighing> {
    let mut misuse = Weighing::new("misuse", 1.0);
    let mut drift = Weighing::new("drift", 1.0);
    match context.facts.network_seen_before {
        Some(false) => misuse.speaks_for(3.0, "it comes from a network never seen for it"),
        Some(true) => {
            misuse.speaks_against(1.5, "it comes from a known network");
            drift.speaks_for(1.2, "it runs where it always runs");
        }
        None => {}
    }
    if profile.enumeration_peak == 0 && profile.active_days > 0 {
        let days = profile.active_days;
        misuse.speaks_for(
            1.5,
            format!("it listed nothing of the kind in {days} active days"),
        );
    } else if profile.enumeration_peak > 0 {
        drift.speaks_for(2.0, "it listed such things before, less often");
    }
    let targets = listings
        .iter()
        .map(|l| l.target)
        .collect::<std::collections::BTreeSet<_>>();
    if targets.len() > 3 {
        misuse.speaks_for(
            1.5,
            format!("it went through {} different things", targets.len()),
        );
    } else {
        drift.speaks_for(1.5, "it repeats the same listing, as a changed job would");
    }
    vec![misuse, drift]
}
