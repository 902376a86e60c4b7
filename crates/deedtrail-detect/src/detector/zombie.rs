//! A credential that still authenticates for a workload that is gone.

use deedtrail_core::finding::FindingDraft;
use deedtrail_core::time::Timestamp;

use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::{self, Profile};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/zombie",
    findings: &["zombie_credential"],
    meaning: "A credential still authenticates although the workload its identity serves has been \
              gone for at least 30 days. Said once a week per credential.",
    runs: Runs::Event(detect),
};

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    let event = context.observation.event;
    let Some(identity) = context.observation.identity else {
        return Vec::new();
    };
    let Some(gone) = identity.declared.workload_gone_since else {
        return Vec::new();
    };
    let days = context.at().micros_since(gone) / Timestamp::DAY_US;
    // A refused attempt shows that the credential no longer opens anything.
    let authenticated = !profile::is_work(event) && profile::took_place(event);
    if days < context.settings.zombie_days || !authenticated {
        return Vec::new();
    }
    let reference = event
        .mapped
        .credential_ref
        .as_deref()
        .unwrap_or("its credential");
    let pattern = format!("credential {}", fact::cut(reference, 100));
    if !profile.may_fire(&["zombie_credential", &pattern], context.at(), 7) {
        return Vec::new();
    }
    let name = fact::actor_name(&context.observation);
    let workload = identity
        .declared
        .workload
        .as_deref()
        .unwrap_or("its workload");
    let mut draft = draft::of(
        &context.observation,
        "zombie_credential",
        DETECTOR.id,
        &pattern,
    );
    draft.title = format!(
        "{name} still authenticates, but {} has been gone for {days} days",
        fact::cut(workload, 60),
    );
    draft.reasons = vec![
        format!(
            "still authenticates: {}; {} sign-ins since its last work",
            fact::sentence(event),
            profile.sign_ins_since_use.saturating_add(1),
        ),
        format!(
            "no live workload: {} is gone since {gone}",
            fact::cut(workload, 60)
        ),
        match context.facts.days_since_use {
            Some(idle) => format!(
                "last work {idle} days ago (limit {})",
                context.settings.zombie_days
            ),
            None => "no work was ever seen".to_owned(),
        },
    ];
    draft.confidence = 0.9;
    vec![draft]
}
