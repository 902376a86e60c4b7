//! Looks for unsafe sequences in the events of one identity.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::event::OutcomeClass;
use deedtrail_core::finding::FindingEvent;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::compile::{CompiledSequence, StepOf};
use super::form::{Binding, Follows};
use super::{Library, Match, MatchedStep, Memo, Place};
use crate::limits::{MARKS_MAX, MARKS_PER_STEP, PLANTED_MAX};
use crate::subject::{Subject, cut, key};

/// Events of an identity that are steps of unsafe sequences, in order of time. Late events take
/// their place, so that the order of arrival does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    marks: Vec<Mark>,
}

/// Hash of a sequence, and place of a step in it.
type StepKey = (u64, u8);

/// One such event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    event: FindingEvent,
    /// Operation and target.
    what: Text,
    permitted: Text,
    refused: bool,
    /// Hash of what [`Binding::ALL`] names, where it is known.
    bindings: [Option<u64>; Binding::ALL.len()],
    /// Hash of who acted.
    actor: u64,
    steps: Vec<StepKey>,
}

/// First steps whose target goes on with the sequence, by hash of the target's names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planted {
    marks: BTreeMap<u64, Mark>,
}

impl Planted {
    fn note(&mut self, subject: &Subject<'_>, mark: &Mark) {
        let mapped = &subject.event.mapped;
        let names = mapped.target_ref.iter().chain(&mapped.target_name);
        let aliases = mapped.target_aliases.iter().map(|alias| &alias.value);
        for name in names.chain(aliases) {
            self.marks.insert(name_key(subject, name), mark.clone());
        }
        while self.marks.len() > PLANTED_MAX {
            let oldest = self
                .marks
                .iter()
                .min_by_key(|(key, mark)| (mark.event.order(), **key));
            let Some(oldest) = oldest.map(|(key, _)| *key) else {
                return;
            };
            self.marks.remove(&oldest);
        }
    }

    /// First steps that were about whoever acts now.
    fn about(&self, subject: &Subject<'_>) -> Vec<Mark> {
        if self.marks.is_empty() {
            return Vec::new();
        }
        let mapped = &subject.event.mapped;
        let names = mapped.actor_ref.iter().chain(&mapped.actor_name);
        let names = names.chain(mapped.actor_aliases.iter().map(|alias| &alias.value));
        let names = names.chain(&mapped.credential_ref);
        let mut marks: Vec<Mark> = Vec::new();
        for name in names {
            let found = self.marks.get(&name_key(subject, name));
            let new = found.filter(|mark| {
                mark.actor != actor(subject)
                    && marks
                        .iter()
                        .all(|known| known.event.event_uid != mark.event.event_uid)
            });
            marks.extend(new.cloned());
        }
        marks
    }
}

fn name_key(subject: &Subject<'_>, name: &str) -> u64 {
    let event = subject.event;
    let name = name.to_ascii_lowercase();
    key(&[
        event.tenant.as_str().as_bytes(),
        event.mapped.system.as_bytes(),
        name.as_bytes(),
    ])
}

/// Who acts: the identity, else the alias.
fn actor(subject: &Subject<'_>) -> u64 {
    match (subject.identity, subject.event.actor_alias_uid) {
        (Some(identity), _) => key(&[&identity.id.to_bytes()]),
        (None, Some(alias)) => key(&[&alias.to_bytes()]),
        (None, None) => 0,
    }
}

impl Watch {
    pub const fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Time of the newest event kept.
    pub fn newest(&self) -> Option<Timestamp> {
        self.marks.last().map(|mark| mark.event.time)
    }

    /// Puts a mark in its place; where it stands then.
    fn insert(&mut self, mark: Mark) -> Option<usize> {
        if self
            .marks
            .iter()
            .any(|known| known.event.event_uid == mark.event.event_uid)
        {
            return None;
        }
        let order = mark.event.order();
        let place = self
            .marks
            .partition_point(|known| known.event.order() <= order);
        self.marks.insert(place, mark);
        Some(place)
    }

    /// Keeps each step's newest events and as many as are allowed in all.
    fn make_room(&mut self, library: &Library) {
        let mut kept: BTreeMap<StepKey, usize> = BTreeMap::new();
        for mark in self.marks.iter_mut().rev() {
            mark.steps.retain(|step| {
                let count = kept.entry(*step).or_default();
                *count += 1;
                *count <= library.count(*step) + MARKS_PER_STEP
            });
        }
        self.marks.retain(|mark| !mark.steps.is_empty());
        let over = self.marks.len().saturating_sub(MARKS_MAX);
        self.marks.drain(..over);
    }
}

impl Library {
    /// How many events a step needs; 0 when no sequence says so (any more).
    fn count(&self, (hash, step): StepKey) -> usize {
        let sequence = self.sequences.iter().find(|sequence| sequence.hash == hash);
        let step = sequence.and_then(|sequence| sequence.steps.get(usize::from(step)));
        step.map_or(0, |step| step.count)
    }

    /// Looks at an event of the identity that `watch` belongs to, in the order of the log; the
    /// sequences that it completes.
    pub fn observe(
        &self,
        subject: &Subject<'_>,
        watch: &mut Watch,
        planted: &mut Planted,
        memo: &mut Memo,
    ) -> Vec<Match> {
        if !subject.dated() {
            return Vec::new();
        }
        let candidates = self.candidates(subject, memo);
        let is =
            |(sequence, step): &&(usize, usize)| self.sequences[*sequence].steps[*step].is(subject);
        let steps: Vec<Place> = candidates.iter().filter(is).copied().collect();
        if steps.is_empty() {
            return Vec::new();
        }
        for mark in planted.about(subject) {
            watch.insert(mark);
        }
        let (own, handed) = self.sorted(&steps, watch);
        let mark = Mark::of(subject);
        if !handed.is_empty() {
            let steps = handed;
            planted.note(
                subject,
                &Mark {
                    steps,
                    ..mark.clone()
                },
            );
        }
        if own.is_empty() {
            return Vec::new();
        }
        let Some(place) = watch.insert(Mark { steps: own, ..mark }) else {
            return Vec::new();
        };
        let mut touched: Vec<usize> = steps.iter().map(|(sequence, _)| *sequence).collect();
        touched.dedup();
        let found = touched
            .into_iter()
            .filter_map(|sequence| self.sequences[sequence].find(&watch.marks, place));
        let found = found.collect();
        watch.make_room(self);
        found
    }

    /// Steps that the actor itself goes on from, and first steps that their target goes on from.
    fn sorted(&self, steps: &[Place], watch: &Watch) -> (Vec<StepKey>, Vec<StepKey>) {
        let (mut own, mut handed) = (Vec::new(), Vec::new());
        for (sequence, step) in steps {
            let sequence = &self.sequences[*sequence];
            let place = (sequence.hash, u8::try_from(*step).unwrap_or(u8::MAX));
            let begun = || {
                watch
                    .marks
                    .iter()
                    .any(|mark| mark.steps.contains(&(place.0, 0)))
            };
            match (sequence.form.follows, *step) {
                (Follows::Target, 0) => handed.push(place),
                (Follows::Target, _) if !begun() => {}
                _ => own.push(place),
            }
        }
        (own, handed)
    }
}

impl Mark {
    fn of(subject: &Subject<'_>) -> Self {
        let mapped = &subject.event.mapped;
        let what = format!("{} on {}", cut(&mapped.operation, 60), subject.target());
        Self {
            event: subject.finding_event(),
            what: Text::from(what),
            permitted: Text::from(permitted(subject)),
            refused: subject.refused(),
            bindings: Binding::ALL.map(|binding| bound(subject, binding)),
            actor: actor(subject),
            steps: Vec::new(),
        }
    }

    fn bound(&self, binding: Binding) -> Option<u64> {
        self.bindings[binding as usize]
    }

    /// Whether it can stand beside the first event as that step.
    fn fits(&self, step: &StepOf, first: &Self) -> bool {
        let same = |binding: &Binding| {
            let mine = self.bound(*binding);
            mine.is_some() && mine == first.bound(*binding)
        };
        let other = |binding: &Binding| {
            let pair = (self.bound(*binding), first.bound(*binding));
            matches!(pair, (Some(mine), Some(theirs)) if mine != theirs)
        };
        step.same.iter().all(same) && step.other.iter().all(other)
    }
}

/// Hash of what a binding names.
fn bound(subject: &Subject<'_>, binding: Binding) -> Option<u64> {
    let event = subject.event;
    let mapped = &event.mapped;
    let of = |text: &Text| Some(key(&[text.as_bytes()])).filter(|_| !text.is_empty());
    match binding {
        Binding::Session => {
            let session = event.session_uid.map(|session| key(&[&session.to_bytes()]));
            session.or_else(|| mapped.trace_uid.as_ref().and_then(of))
        }
        Binding::Target => {
            let name = mapped.target_ref.as_ref().or(mapped.target_name.as_ref())?;
            Some(key(&[mapped.system.as_bytes(), name.as_bytes()]))
        }
        Binding::System => of(&mapped.system),
        Binding::Account => mapped.account.as_ref().and_then(of),
        Binding::Credential => event.credential_uid.map(|uid| key(&[&uid.to_bytes()])),
        Binding::Network => match (mapped.src_asn, &mapped.src_ip) {
            (Some(asn), _) => Some(key(&[&asn.to_le_bytes()])),
            (None, Some(ip)) => of(ip),
            (None, None) => None,
        },
        Binding::Operation => of(&mapped.operation),
    }
}

/// Whether it was permitted, and what says so.
fn permitted(subject: &Subject<'_>) -> String {
    let mapped = &subject.event.mapped;
    let policy = |id: &Option<Text>| match id {
        Some(id) => format!("policy {}", cut(id, 60)),
        None => "policy".to_owned(),
    };
    match (&mapped.policy_decision, mapped.outcome) {
        (Some(decision), _) if decision.allowed => {
            format!("permitted by {}", policy(&decision.policy_id))
        }
        (Some(decision), _) => format!("refused by {}", policy(&decision.policy_id)),
        (None, OutcomeClass::Success) => "permitted: it succeeded".to_owned(),
        (None, OutcomeClass::Denied) => "refused".to_owned(),
        (None, OutcomeClass::Failure) => "failed".to_owned(),
        (None, OutcomeClass::Unknown) => "permitted: nothing refused it".to_owned(),
    }
}

impl CompiledSequence {
    /// The sequence in the marks, if the one at `new` is needed for it. The newest possible first
    /// event is taken, then for each step the earliest events that fit.
    fn find(&self, marks: &[Mark], new: usize) -> Option<Match> {
        let is = |mark: &Mark, step: usize| {
            let place = (self.hash, u8::try_from(step).unwrap_or(u8::MAX));
            mark.steps.contains(&place)
        };
        let firsts = (0..=new).rev().filter(|place| is(&marks[*place], 0));
        for start in firsts {
            let (first, mut taken, mut step) = (&marks[start], Vec::new(), 0);
            let mut missing = self.steps.first().map_or(0, |step| step.count);
            for (place, mark) in marks.iter().enumerate().skip(start) {
                let after = mark.event.time.micros_since(first.event.time);
                if after > self.form.within.0 {
                    break;
                }
                let begins = place == start;
                if !is(mark, step) || !begins && !mark.fits(&self.steps[step], first) {
                    continue;
                }
                taken.push((step, place));
                missing -= 1;
                if missing == 0 {
                    step += 1;
                    let Some(next) = self.steps.get(step) else {
                        break;
                    };
                    missing = next.count;
                }
            }
            let whole = step == self.steps.len();
            if whole && taken.iter().any(|(_, place)| *place == new) {
                return Some(self.found(marks, &taken));
            }
        }
        None
    }

    fn found(&self, marks: &[Mark], taken: &[(usize, usize)]) -> Match {
        let steps = taken.iter().map(|(step, place)| {
            let mark = &marks[*place];
            MatchedStep {
                name: self.form.steps[*step].name.clone(),
                permitted: mark.permitted.to_string(),
                what: mark.what.to_string(),
                refused: mark.refused,
                event: mark.event.clone(),
            }
        });
        let steps: Vec<MatchedStep> = steps.collect();
        let times = steps.iter().map(|step| step.event.time);
        let (first, last) = (times.clone().min(), times.max());
        let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
        Match {
            id: self.form.id.clone(),
            title: self.form.title.clone(),
            meaning: self.form.meaning.clone(),
            severity: self.severity,
            finding: self.finding.clone(),
            pattern: match &self.form.pattern {
                Some(pattern) => pattern.clone(),
                None => format!("sequence {}", self.form.id),
            },
            references: self.form.references.to_vec(),
            steps,
            took_us: last.micros_since(first),
            within_us: self.form.within.0,
            at: last,
        }
    }
}
