//! Many sign-ins, no work: an account that looks used and is not.

use deedtrail_core::action::Action;
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::time::Timestamp;

use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::{self, Profile};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/login-only",
    findings: &["login_only"],
    meaning: "At least 30 sign-ins over at least 30 days and not one meaningful action beyond \
              signing in. Said once in 30 days; any work, by person or machine, ends it.",
    runs: Runs::Event(detect),
};

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    let event = context.observation.event;
    if event.mapped.action != Action::Authenticate || profile::refused(event) {
        return Vec::new();
    }
    let count = profile.sign_ins_since_use.saturating_add(1);
    let Some(first) = profile.first_sign_in_since_use else {
        return Vec::new();
    };
    let days = context.at().micros_since(first) / Timestamp::DAY_US;
    let enough =
        count >= context.settings.login_only_sign_ins && days >= context.settings.login_only_days;
    if !enough || !profile.may_fire(&["login_only"], context.at(), 30) {
        return Vec::new();
    }
    let name = fact::actor_name(&context.observation);
    let mut draft = draft::of(&context.observation, "login_only", DETECTOR.id, "sign-ins");
    draft.title = format!("{name}: {count} sign-ins in {days} days and nothing done");
    draft.reasons = vec![
        format!("observed: {count} sign-ins since {first}, 0 meaningful actions beyond them"),
        format!(
            "limit: {} sign-ins over {} days without work",
            context.settings.login_only_sign_ins, context.settings.login_only_days,
        ),
        match context.facts.days_since_use {
            Some(idle) => format!("last work {idle} days ago"),
            None => "no work was ever seen, by person or machine".to_owned(),
        },
    ];
    draft.confidence = 0.7;
    vec![draft]
}
