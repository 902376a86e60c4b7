//! Use after a long silence, with three explanations weighed.

use deedtrail_core::event::ActorKind;
use deedtrail_core::finding::{FindingDraft, Severity};
use deedtrail_core::id::CredentialUid;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::draft::Weighing;
use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::{self, Profile};

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/dormant",
    findings: &["dormant_reactivation"],
    meaning: "Use after at least 90 days of silence that are also more than 3 periods of the \
              identity's or credential's own cadence; weighs compromise, reactivated automation \
              and ownership gap. Lists the last use before the silence and what is done next that \
              day.",
    runs: Runs::Event(detect),
};

/// Acts after a return that its finding lists; further ones are on the timeline.
const NEXT_MAX: usize = 12;

/// A return from silence whose day is not over: what is done next is added to its finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Return {
    draft: FindingDraft,
    /// The credential that came back; `None` when the identity did.
    credential: Option<CredentialUid>,
    /// Hashes of what was told already.
    told: Vec<u64>,
}

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    if !profile::is_work(context.observation.event) {
        return Vec::new();
    }
    let mut drafts = Vec::from_iter(goes_on(context, profile));
    let identity = context.facts.days_since_use;
    let credential = context.facts.credential_days_since_use;
    let Some(days) = identity.max(credential) else {
        return drafts;
    };
    let cadence = profile.cadence_days();
    let patient = cadence.is_none_or(|period| days > period * context.settings.dormant_periods)
        || credential == Some(days) && identity != Some(days);
    if days < context.settings.dormant_days || !patient {
        return drafts;
    }
    let by_credential = identity.is_none_or(|identity| identity < days);
    let what = context.observation.credential.filter(|_| by_credential);
    let pattern = what.map_or_else(
        || "identity".to_owned(),
        |c| format!("credential {}", c.uid),
    );
    let name = fact::actor_name(&context.observation);
    let mut draft = draft::of(
        &context.observation,
        "dormant_reactivation",
        DETECTOR.id,
        &pattern,
    );
    draft.title = format!(
        "{name}: {} used again after {days} days of silence",
        what.map_or_else(
            || "identity".to_owned(),
            |c| format!("credential {}", fact::cut(&c.reference, 40))
        ),
    );
    draft.reasons = vec![observed(context, days), usual(profile)];
    draft.hypotheses = draft::weigh(explanations(context, profile, days));
    let likeliest = draft
        .hypotheses
        .first()
        .map(|h| h.name.clone())
        .unwrap_or_default();
    draft.severity = if likeliest == "compromise" {
        Severity::High
    } else {
        Severity::Medium
    };
    draft.confidence = 0.8;
    let last = match what {
        Some(_) => context.credential.and_then(|c| c.last_work.clone()),
        None => profile.last_work.clone(),
    };
    draft::rests_on(&mut draft, last.into_iter());
    profile.returned = Some(Return {
        draft: draft.clone(),
        credential: what.map(|credential| credential.uid),
        told: vec![act(context)],
    });
    drafts.push(draft);
    drafts
}

fn observed(context: &Context<'_>, days: i64) -> String {
    format!(
        "observed: {} after {days} days without use (limit {})",
        fact::sentence(context.observation.event),
        context.settings.dormant_days,
    )
}

fn usual(profile: &Profile) -> String {
    let active = profile.active_days;
    let Some(period) = profile.cadence_days() else {
        return format!("usual: no cadence known from {active} active days");
    };
    let often = if period == 1 {
        "day".to_owned()
    } else {
        format!("{period} days")
    };
    let longest = usize::try_from(profile.longest_gap_days()).unwrap_or_default();
    format!(
        "usual: active every {often} over {active} active days, longest gap {}",
        fact::counted(longest, "day"),
    )
}

/// The finding of a return earlier that day, with this act of the one who came back.
fn goes_on(context: &Context<'_>, profile: &mut Profile) -> Option<FindingDraft> {
    let returned = profile.returned.as_mut()?;
    let day = returned.draft.at.utc_day();
    if context.at().utc_day() > day {
        profile.returned = None;
        return None;
    }
    let event = context.observation.event;
    let other = returned.credential.is_some() && returned.credential != event.credential_uid;
    let act = act(context);
    let over = returned.told.len() > NEXT_MAX || returned.told.contains(&act);
    if other || over || context.at() < returned.draft.at {
        return None;
    }
    returned.told.push(act);
    let mut draft = returned.draft.clone();
    draft::rests_on(&mut draft, std::iter::once(profile::finding_event(event)));
    returned.draft.events.clone_from(&draft.events);
    draft.reasons.push(format!(
        "next: {} within {}, newest: {}",
        fact::counted(returned.told.len() - 1, "further act"),
        fact::span(context.at().micros_since(draft.at)),
        fact::sentence(event),
    ));
    draft.at = context.at();
    Some(draft)
}

/// What an act is known by: a change by its target and outcome, anything else by the class of its
/// target, so that reading a thousand objects is one act.
fn act(context: &Context<'_>) -> u64 {
    let event = context.observation.event;
    let keys = &context.facts.keys;
    let thing = if profile::changes_something(event.mapped.action) {
        keys.target
    } else {
        keys.class
    };
    let outcome = event.mapped.outcome.name();
    profile::key(&[&keys.operation.to_string(), &thing.to_string(), outcome])
}

fn explanations(context: &Context<'_>, profile: &Profile, days: i64) -> Vec<Weighing> {
    let mut compromise = Weighing::new("compromise", 1.0);
    let mut automation = Weighing::new("reactivated_automation", 1.0);
    let mut gap = Weighing::new("ownership_gap", 0.8);
    weigh_network(context, &mut compromise, &mut automation);
    weigh_owner(context, &mut automation, &mut gap);
    weigh_action(context, &mut compromise, &mut automation);
    let age = context.facts.credential_age_days;
    if let Some(age) = age.filter(|age| *age > days) {
        gap.speaks_for(
            1.3,
            format!("the credential is {age} days old and outlived the silence"),
        );
    }
    if profile.longest_gap_days() >= 60 {
        let longest = profile.longest_gap_days();
        automation.speaks_for(2.0, format!("it has rested for {longest} days before"));
    }
    vec![compromise, automation, gap]
}

fn weigh_network(context: &Context<'_>, compromise: &mut Weighing, automation: &mut Weighing) {
    let from = fact::origin(context.observation.event).unwrap_or_else(|| "its network".to_owned());
    match context.facts.network_seen_before {
        Some(false) => {
            compromise.speaks_for(4.0, format!("{from} was never seen for this identity"));
            automation.speaks_against(2.0, format!("{from} is new"));
        }
        Some(true) => {
            compromise.speaks_against(3.0, format!("{from} is known for this identity"));
            automation.speaks_for(2.0, format!("it runs from {from} as before"));
        }
        None => {}
    }
    if context.facts.country_seen_before == Some(false) {
        let country = context
            .observation
            .event
            .mapped
            .src_country
            .as_deref()
            .unwrap_or("?");
        compromise.speaks_for(1.5, format!("the country {} is new", fact::cut(country, 8)));
    }
}

fn weigh_owner(context: &Context<'_>, automation: &mut Weighing, gap: &mut Weighing) {
    let Some(identity) = context.observation.identity else {
        return;
    };
    let declared = &identity.declared;
    match (&declared.owner, declared.orphaned_since) {
        (_, Some(since)) => {
            let days = context.at().micros_since(since) / Timestamp::DAY_US;
            gap.speaks_for(
                4.0,
                format!("the owner left {days} days ago and nobody took over"),
            );
            automation.speaks_against(1.5, "nobody is there who could have started it again");
        }
        (None, None) => gap.speaks_for(3.0, "nobody is recorded as its owner"),
        (Some(owner), None) => {
            gap.speaks_against(3.0, format!("{} answers for it", fact::cut(owner, 60)));
            automation.speaks_for(
                1.3,
                format!("its owner {} can confirm", fact::cut(owner, 60)),
            );
        }
    }
    if let Some(ticket) = &context.observation.event.mapped.change_ticket {
        let ticket = fact::cut(ticket, 40);
        automation.speaks_for(4.0, format!("the event names the change ticket {ticket}"));
        gap.speaks_against(1.5, format!("somebody filed {ticket}"));
    }
    if identity.kind == ActorKind::Human {
        automation.speaks_against(4.0, "the identity is a person");
    }
}

fn weigh_action(context: &Context<'_>, compromise: &mut Weighing, automation: &mut Weighing) {
    let event = context.observation.event;
    if context.facts.first_time_operation == Some(true) {
        let operation = fact::cut(&event.mapped.operation, 60);
        compromise.speaks_for(2.0, format!("it never used {operation} before"));
    } else if context.facts.first_time_operation == Some(false) {
        automation.speaks_for(2.0, "it does what it did before the silence");
    }
    if profile::sensitive(event) || profile::changes_something(event.mapped.action) {
        compromise.speaks_for(1.3, format!("first act: {}", fact::sentence(event)));
    }
}
