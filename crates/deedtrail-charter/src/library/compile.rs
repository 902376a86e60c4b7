//! An unsafe sequence made ready to be looked for.

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, Sensitivity};
use deedtrail_core::finding::{Severity, registry};
use deedtrail_core::{control, time::Timestamp};

use super::form::{Binding, Clause, Outcome, SequenceStep, UnsafeSequence};
use crate::glob::Globs;
use crate::limits::{COUNT_MAX, STEPS_MAX, WITHIN_MINUTES_MAX};
use crate::matcher::{Matcher, Unknown};
use crate::subject::{Subject, key};

/// Type of finding a sequence is unless it says otherwise.
const FINDING: &str = "allowed_but_unsafe";

/// An unsafe sequence ready to be looked for.
#[derive(Clone, Debug)]
pub struct CompiledSequence {
    pub(super) form: UnsafeSequence,
    pub(super) steps: Vec<StepOf>,
    pub(super) severity: Severity,
    pub(super) finding: String,
    /// Hash of all it says: events kept for another wording are not its steps.
    pub(super) hash: u64,
}

#[derive(Clone, Debug)]
pub(super) struct StepOf {
    is: Vec<Condition>,
    not: Vec<Condition>,
    pub(super) count: usize,
    pub(super) same: Vec<Binding>,
    pub(super) other: Vec<Binding>,
}

#[derive(Clone, Debug)]
struct Condition {
    matcher: Matcher,
    target_kinds: Globs,
    commands: Globs,
    changed: Globs,
    actors: Vec<ActorKind>,
    sensitivities: Vec<Sensitivity>,
    outcome: Outcome,
    read_only: Option<bool>,
    new_network: Option<bool>,
    change_ticket: Option<bool>,
    audience_min: Option<u64>,
}

/// Key of the mistake's line, and what is wrong.
type Mistake = (&'static str, String);

impl CompiledSequence {
    pub(super) fn new(form: UnsafeSequence) -> Result<Self, Mistake> {
        check(&form)?;
        let finding = form.finding.clone().unwrap_or_else(|| FINDING.to_owned());
        let kind = registry::find(&finding)
            .ok_or_else(|| ("finding", format!("`{finding}` is no type of finding")))?;
        let steps = form.steps.iter().map(StepOf::new);
        let steps = steps
            .collect::<Result<_, _>>()
            .map_err(|message| ("steps", message))?;
        let said = serde_json::to_string(&form).unwrap_or_default();
        Ok(Self {
            steps,
            severity: form.severity.map_or(kind.severity, |severity| severity.0),
            finding,
            hash: key(&[said.as_bytes()]),
            form,
        })
    }
}

fn check(form: &UnsafeSequence) -> Result<(), Mistake> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if form.id.is_empty() || form.id.len() > 64 || !form.id.chars().all(letters) {
        let message = "an id has 1 to 64 lower-case letters, digits and `-`";
        return Err(("id", message.to_owned()));
    }
    let count = form.steps.len();
    if !(2..=STEPS_MAX).contains(&count) {
        return Err((
            "steps",
            format!("{count} steps; a sequence has 2 to {STEPS_MAX}"),
        ));
    }
    if form.within.0 > i64::from(WITHIN_MINUTES_MAX) * Timestamp::MINUTE_US {
        return Err((
            "within",
            format!("{} is too long; at most 30d", form.within),
        ));
    }
    let unknown = form
        .references
        .iter()
        .find(|id| control::find(id).is_none());
    if let Some(id) = unknown {
        return Err((
            "references",
            format!("`{id}` is no control of docs/reference/controls.md"),
        ));
    }
    Ok(())
}

impl StepOf {
    fn new(step: &SequenceStep) -> Result<Self, String> {
        let named = |message: String| format!("step `{}`: {message}", step.name);
        let count = step.count.unwrap_or(1);
        if count == 0 || count > COUNT_MAX {
            return Err(named(format!(
                "count {count}; 1 to {COUNT_MAX} are allowed"
            )));
        }
        if step.is.is_empty() {
            return Err(named("it does not say what it is".to_owned()));
        }
        let all = |clauses: &[Clause], outcome| {
            let conditions = clauses.iter().map(|clause| Condition::new(clause, outcome));
            conditions.collect::<Result<Vec<_>, _>>().map_err(named)
        };
        Ok(Self {
            is: all(&step.is, Outcome::Permitted)?,
            not: all(&step.not, Outcome::Any)?,
            count: usize::from(count),
            same: step.same.to_vec(),
            other: step.other.to_vec(),
        })
    }

    /// Whether an event of that action and operation may be the step.
    pub(super) fn may_be(&self, action: Action, operation: &str, is_tool: bool) -> bool {
        let matchers = self.is.iter().map(|condition| &condition.matcher);
        let mut matchers = matchers.filter(|it| it.may_match(action, operation, is_tool));
        matchers.next().is_some()
    }

    pub(super) fn is(&self, subject: &Subject<'_>) -> bool {
        self.is.iter().any(|condition| condition.holds(subject))
            && !self.not.iter().any(|condition| condition.holds(subject))
    }
}

impl Condition {
    fn new(clause: &Clause, outcome: Outcome) -> Result<Self, String> {
        Ok(Self {
            matcher: Matcher::new(&clause.grant())?,
            target_kinds: Globs::new(&clause.target_kind)?,
            commands: Globs::new(&clause.command)?,
            changed: Globs::new(&clause.changed)?,
            actors: clause.actor.iter().map(|kind| kind.0).collect(),
            sensitivities: clause.sensitivity.iter().map(|name| name.0).collect(),
            outcome: clause.outcome.unwrap_or(outcome),
            read_only: clause.read_only,
            new_network: clause.new_network,
            change_ticket: clause.change_ticket,
            audience_min: clause.audience_min,
        })
    }

    fn holds(&self, subject: &Subject<'_>) -> bool {
        let mapped = &subject.event.mapped;
        let refused = subject.refused();
        let one_of = |globs: &Globs, text: Option<&deedtrail_core::Text>| {
            globs.is_empty() || text.is_some_and(|text| globs.any(text))
        };
        let ended = match self.outcome {
            Outcome::Permitted => !refused,
            Outcome::Refused => refused,
            Outcome::Any => true,
        };
        let is = |wanted: Option<bool>, value: bool| wanted.is_none_or(|wanted| wanted == value);
        // What a source calls no use can still be a step when it is named.
        (mapped.meaningful || self.matcher.names_operations())
            && ended
            && (self.actors.is_empty() || self.actors.contains(&subject.kind()))
            && (self.sensitivities.is_empty()
                || self.sensitivities.contains(&mapped.target_sensitivity))
            && self.matcher.matches(subject, Unknown::Differs)
            && one_of(&self.target_kinds, mapped.target_kind.as_ref())
            && one_of(&self.commands, mapped.command.as_ref())
            && (self.changed.is_empty()
                || mapped
                    .changes
                    .iter()
                    .any(|change| self.changed.any(&change.path)))
            && is(
                self.read_only,
                subject
                    .identity
                    .is_some_and(|identity| identity.declared.read_only),
            )
            && self
                .new_network
                .is_none_or(|new| subject.network_seen_before == Some(!new))
            && is(self.change_ticket, mapped.change_ticket.is_some())
            && self.audience_min.is_none_or(|least| {
                let reached = mapped
                    .audience_count
                    .and_then(|count| u64::try_from(count).ok());
                reached.is_some_and(|reached| reached >= least)
            })
    }
}
