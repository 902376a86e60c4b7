//! What is told of departures and drifts, in words.

use deedtrail_behaviour::{Assessment, Deployment, Moment, TermKind};
use deedtrail_core::Text;
use deedtrail_core::behaviour::Drift;
use deedtrail_core::finding::{FindingDraft, Severity};
use deedtrail_core::session::DEPARTURE_REASONS_MAX;

use super::known::Known;
use super::weight::Stretch;
use crate::fact;

/// Reasons of one finding that come from terms.
const TERMS_MAX: usize = 6;
/// Longest reason kept with a session, bytes.
const REASON_BYTES_MAX: usize = 160;
/// Rarer than this is not told: no history is long enough for it.
const RARITY_MIN: f64 = 1e-4;

/// The finding that a departure is.
pub(super) fn departure(
    known: &Known,
    stretch: Option<&Stretch>,
    assessment: &Assessment,
) -> FindingDraft {
    let kind = match assessment.deployment {
        Some(_) => "group_change",
        None => "behaviour_departure",
    };
    let mut draft = known.draft(assessment.identity, kind, assessment.at);
    draft.pattern = Text::from(format!("session {}", assessment.session));
    draft.session = Some(assessment.session);
    draft.confidence = (1.0 - assessment.p).clamp(0.5, 0.95);
    draft
        .events
        .extend(stretch.and_then(|stretch| stretch.top.clone()));
    if stretch.is_some_and(|stretch| stretch.top.is_some() && !stretch.grave) {
        draft.severity = Severity::Low;
    }
    let terms = assessment.terms.iter().take(TERMS_MAX);
    draft.reasons = terms
        .map(|term| format!("{} ({:+.1} nats)", term.sentence, term.nats))
        .collect();
    let what = match (assessment.terms.first(), &assessment.deployment) {
        (_, Some(group)) => {
            draft.reasons.insert(0, began_together(group));
            "a whole group began something new".to_owned()
        }
        (Some(term), None) => format!("{}: {}", lead(term.kind), term.sentence),
        (None, None) => "a session unlike its others".to_owned(),
    };
    draft.title = format!("{}: {what}", known.name);
    draft.reasons.extend(expected(assessment));
    draft.reasons.push(rarity(assessment));
    draft
}

fn began_together(group: &Deployment) -> String {
    format!(
        "{} of {} active members of `{}` began the same that day: a deployment, unless nobody knows \
         of one",
        group.identities,
        group.members,
        fact::cut(&group.peer_group, 60)
    )
}

/// What is unusual, in words that need no numbers.
const fn lead(kind: TermKind) -> &'static str {
    match kind {
        TermKind::Sequence => "an unusual order",
        TermKind::Shape => "unlike its other sessions",
        TermKind::Argument => "an argument from an unusual place",
        TermKind::Scope => "outside what it usually does",
        TermKind::Hour => "at an unusual time",
        TermKind::Volume => "unusually much",
        TermKind::Network => "from an unusual network",
        TermKind::Client => "with an unusual client",
        TermKind::Credential => "with an unusual credential",
        TermKind::Burst => "unusually fast",
    }
}

/// What is told of a departure with its session.
pub(super) fn reasons(draft: &FindingDraft) -> Vec<Text> {
    let told = draft.reasons.iter().take(DEPARTURE_REASONS_MAX);
    told.map(|reason| fact::cut(reason, REASON_BYTES_MAX).into())
        .collect()
}

fn expected(assessment: &Assessment) -> Option<String> {
    let told = assessment.expected.iter();
    let told: Vec<String> = told
        .map(|one| format!("{} ({:.0} %)", one.label, one.share * 100.0))
        .collect();
    (!told.is_empty()).then(|| format!("usually next: {}", told.join(", ")))
}

fn rarity(assessment: &Assessment) -> String {
    let when = match assessment.moment {
        Moment::Event => "while it goes on",
        Moment::End => "as a whole",
    };
    let one_in = (1.0 / assessment.p.max(RARITY_MIN)).max(1.0);
    let score = assessment.score_nats;
    format!("the session {when} is rarer than one in {one_in:.0} (score {score:.1} nats)")
}

/// Why work is said to change.
pub(super) fn drift_reasons(drift: &Drift) -> Vec<String> {
    let mut reasons = vec![format!(
        "observed: the newest week differs from the past by {:.2} of 1 (chance alone: {:.2}), {:+.2} a \
         week over {} weeks",
        drift.score,
        drift.noise,
        drift.trend,
        drift.weeks.len()
    )];
    let rising = drift.rising.iter().take(TERMS_MAX);
    reasons.extend(rising.map(|rise| {
        format!(
            "more of {}: {:.1} % of its actions, before {:.1} %",
            rise.action,
            rise.now * 100.0,
            rise.before * 100.0
        )
    }));
    reasons
}
