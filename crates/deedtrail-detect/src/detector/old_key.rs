//! A credential used long after it should have been replaced, or after it was.

use deedtrail_core::finding::FindingDraft;

use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::{self, Profile};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/old-key",
    findings: &["old_key_used"],
    meaning: "A credential used after it was rotated or revoked, or made more than 180 days ago \
              and never rotated. Said once in 30 days per credential.",
    runs: Runs::Event(detect),
};

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    let event = context.observation.event;
    let Some(reference) = &event.mapped.credential_ref else {
        return Vec::new();
    };
    let key = profile::key(&[event.tenant.as_str(), &event.mapped.system, reference]);
    let reference = fact::cut(reference, 60);
    let name = fact::actor_name(&context.observation);
    let rotation = context.rotations.before(key, context.at());
    let age = context.facts.credential_age_days;
    let never_rotated = context.facts.credential_days_since_rotation.is_none();
    let old = age.filter(|age| never_rotated && *age > context.settings.credential_age_days_max);
    let what = if rotation.is_some() {
        "after rotation"
    } else {
        "old"
    };
    if (rotation.is_none() && old.is_none())
        || !profile.may_fire(&["old_key_used", what, &reference], context.at(), 30)
    {
        return Vec::new();
    }
    let pattern = format!("credential {reference} {what}");
    let mut draft = draft::of(&context.observation, "old_key_used", DETECTOR.id, &pattern);
    if let Some(rotation) = rotation {
        let since = fact::span(context.at().micros_since(rotation.time));
        draft.title = format!("{name}: credential {reference} used {since} after it was replaced");
        draft.reasons = vec![
            format!("observed: {} with {reference}", fact::sentence(event)),
            format!(
                "{reference} was rotated or revoked {since} before, at {}",
                rotation.time
            ),
            "usual: a replaced credential is never seen again".to_owned(),
        ];
        draft.severity = deedtrail_core::finding::Severity::High;
        draft.confidence = 0.9;
        draft::rests_on(&mut draft, std::iter::once(rotation.clone()));
    } else if let Some(age) = old {
        draft.title = format!("{name}: credential {reference} is {age} days old and in use");
        draft.reasons = vec![
            format!("observed: {} with {reference}", fact::sentence(event)),
            format!(
                "made {age} days ago and never rotated (limit {} days)",
                context.settings.credential_age_days_max
            ),
            format!(
                "used {} times so far",
                context.credential.map_or(1, |c| c.uses)
            ),
        ];
        draft.confidence = 0.9;
    }
    vec![draft]
}
