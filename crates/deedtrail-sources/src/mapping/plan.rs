//! A compiled mapping: what is evaluated for each record.

use std::cell::RefCell;
use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::entity::Place;
use deedtrail_core::event::{ActorKind, Environment, MappedEvent, OutcomeClass, Sensitivity};
use deedtrail_core::port::mapper::SigmaLogsource;

use super::pattern::{Lookup, Patterns};
use super::rules::Rules;
use super::spec::{Conversion, Unlabelled};
use super::time::TimePattern;
use crate::framing::{Envelope, Framing};
use crate::lazy_regex::LazyRegex;
use crate::record::line::Form;
use crate::record::{Asker, Memo, ShapeId, Shapes};

/// Most lists within lists that one mapping goes through.
pub(crate) const LEVELS_MAX: usize = 6;

/// Most values of one mapping that are computed once for each event; others each time.
pub(crate) const NAMED_MAX: usize = 16;

/// What has to be known of a log before the first of its records comes: what it is called, and what
/// tells its records from others.
#[derive(Debug)]
pub(crate) struct Outline {
    pub(crate) title: String,
    pub(crate) sigma: Vec<SigmaLogsource>,
    pub(crate) field_aliases: Vec<(String, String)>,
    pub(crate) version: Text,
    pub(crate) planes: Vec<String>,
    pub(crate) envelopes: Vec<Envelope>,
    /// How lines of text are read; only JSON if `None`.
    pub(crate) form: Option<Form>,
    pub(crate) unlabelled: Unlabelled,
    pub(crate) shipped_as: Vec<String>,
    /// The system, where it is the same for all events.
    pub(crate) system: Option<String>,
    /// What [`Self::identify`] reads.
    pub(crate) shapes: Shapes,
    pub(crate) named: Vec<Value>,
    pub(crate) identify: Condition,
}

impl Outline {
    /// What its deliveries look like.
    pub(crate) fn framing(&self) -> Framing<'_> {
        Framing {
            envelopes: &self.envelopes,
            csv: match &self.form {
                Some(Form::Csv(csv)) => Some(csv),
                _ => None,
            },
        }
    }
}

/// Most ways in which one condition is split; one with more is asked as a whole.
const WAYS_MAX: usize = 256;

/// A compiled mapping.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) version: Text,
    /// How lines of text are read; only JSON if `None`.
    pub(crate) form: Option<Form>,
    /// Lists of which each element is an event, outermost first; each from the level before it.
    pub(crate) each: Vec<Path>,
    pub(crate) shapes: Shapes,
    /// Values that several places ask for, computed once for each event.
    pub(crate) named: Vec<Value>,
    pub(crate) identify: Condition,
    /// The same, split: in the order of the outline's.
    pub(crate) ways: Vec<Condition>,
    pub(crate) id: Option<Value>,
    /// Number, and the stream in which it counts.
    pub(crate) number: Option<(Value, Option<Value>)>,
    pub(crate) time: Option<(Value, Vec<TimeFormat>)>,
    pub(crate) operation: Value,
    pub(crate) action: Choices<Action>,
    pub(crate) outcome: Choices<OutcomeClass>,
    pub(crate) fields: Vec<Field>,
    pub(crate) listed: Vec<ListedField>,
    pub(crate) actor: Rules<Party>,
    pub(crate) delegation: Vec<DelegationPlan>,
    pub(crate) target: Rules<Party>,
    pub(crate) labels: Vec<Label>,
    pub(crate) changes: Vec<ChangePlan>,
    pub(crate) tool_arguments: Option<Value>,
    pub(crate) mentions: Vec<MentionPlan>,
    pub(crate) tools: Vec<ToolsPlan>,
    pub(crate) policy: Option<(Choices<bool>, Option<Value>)>,
}

/// When a part of a plan needs to be looked at: always, or if a record holds what it asks for.
///
/// One bit each; [`crate::record::View::wanted`] knows which are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interest(pub(crate) u128);

impl Interest {
    pub(crate) const ALWAYS: Self = Self(0);
}

/// A field with one value.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) interest: Interest,
    pub(crate) value: Value,
    pub(crate) set: fn(&mut MappedEvent, &str),
}

/// A field whose values are a closed list: `set` takes the index its `choices` give.
#[derive(Debug)]
pub(crate) struct ListedField {
    pub(crate) name: &'static str,
    pub(crate) interest: Interest,
    pub(crate) choices: Choices<u8>,
    pub(crate) set: fn(&mut MappedEvent, u8),
}

/// A compiled path.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    /// For people.
    pub(crate) text: Text,
    /// Where it ends.
    pub(crate) shape: ShapeId,
    /// `None`: from the record; else from the element of that level.
    pub(crate) level: Option<u8>,
    pub(crate) steps: Vec<Step>,
    /// If all steps are slots, which: the usual case, read without recursion.
    pub(crate) slots: Option<Vec<u32>>,
}

impl Path {
    pub(crate) fn new(text: Text, shape: ShapeId, level: Option<u8>, steps: Vec<Step>) -> Self {
        let slot = |step: &Step| match step {
            Step::Slot(slot) => Some(*slot),
            _ => None,
        };
        Self {
            text,
            shape,
            level,
            slots: steps.iter().map(slot).collect(),
            steps,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Slot(u32),
    Each,
    Index(usize),
    Where { key: Vec<u32>, patterns: Patterns },
}

/// Facts of the event that later choices may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    Operation,
    Action,
    Outcome,
    ActorKind,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Path(Path),
    Own(Own),
    /// Index into [`Plan::named`].
    Named(usize),
    Constant(Text),
    First(Vec<Value>),
    /// The first that has a value among children of one object: a long list of plain paths.
    Children(Box<Children>),
    /// Absent when one of its parts is.
    Template(Vec<Value>),
    Made(Box<Made>),
}

/// Children of one object, in the order they are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Children {
    pub(crate) parent: Path,
    /// Slot and path of each.
    pub(crate) slots: Vec<(u32, Path)>,
}

impl Value {
    /// Whether it needs to know what was already decided about the event.
    pub(crate) fn asks_for_facts(&self) -> bool {
        match self {
            Self::Own(_) => true,
            Self::Path(_) | Self::Children(_) | Self::Constant(_) | Self::Named(_) => false,
            Self::First(all) | Self::Template(all) => all.iter().any(Self::asks_for_facts),
            Self::Made(made) => {
                let when = made.when.as_ref().is_some_and(Condition::asks_for_facts);
                when || made.from.asks_for_facts()
            }
        }
    }
}

/// A value made from another.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) when: Option<Condition>,
    pub(crate) from: Value,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) after_last: Option<String>,
    pub(crate) capture: Option<Capture>,
    pub(crate) table: Option<BTreeMap<String, String>>,
    pub(crate) default: Option<Text>,
    pub(crate) conversion: Option<Conversion>,
}

/// What a pattern finds in a text.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    pub(crate) pattern: LazyRegex,
    pub(crate) asker: Asker,
}

impl Capture {
    /// Where the first group, or else all that fits, starts and ends.
    pub(crate) fn find(&self, text: &str, memo: &RefCell<Memo>) -> Option<(usize, usize)> {
        /// Above every place in a text that is remembered.
        const PLACES: u16 = 128;
        const { assert!(Memo::TEXT_BYTES_MAX < PLACES as usize) };
        let find = || {
            let found = self.pattern.get()?.captures(text)?;
            let group = found.get(1).or_else(|| found.get(0))?;
            Some((group.start(), group.end()))
        };
        if text.len() > Memo::TEXT_BYTES_MAX {
            return find();
        }
        // Both places in one number, 0 if nothing fits.
        let number = || {
            let (start, end) = find()?;
            let (start, end) = (u16::try_from(start).ok()?, u16::try_from(end).ok()?);
            Some(1 + start * PLACES + end)
        };
        let number = memo
            .borrow_mut()
            .answer(self.asker, text, || number().unwrap_or(0));
        let both = number.checked_sub(1)?;
        Some((usize::from(both / PLACES), usize::from(both % PLACES)))
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Condition {
    pub(crate) fields: Vec<(Value, Patterns)>,
    pub(crate) any_of: Vec<Condition>,
    pub(crate) all_of: Vec<Condition>,
    pub(crate) none_of: Vec<Condition>,
}

impl Condition {
    /// Conditions without `any_of` and `all_of` of which one holds if and only if this one does; this one
    /// where they would be too many.
    pub(crate) fn ways(&self) -> Vec<Self> {
        self.split().unwrap_or_else(|| vec![self.clone()])
    }

    fn split(&self) -> Option<Vec<Self>> {
        let mut all = vec![Self {
            fields: self.fields.clone(),
            none_of: self.none_of.clone(),
            ..Self::default()
        }];
        for one in &self.all_of {
            all = product(&all, &one.split()?)?;
        }
        if !self.any_of.is_empty() {
            let any: Option<Vec<Vec<Self>>> = self.any_of.iter().map(Self::split).collect();
            all = product(&all, &any?.concat())?;
        }
        Some(all)
    }

    fn asks_for_facts(&self) -> bool {
        let nested = [&self.any_of, &self.all_of, &self.none_of];
        self.fields.iter().any(|(value, _)| value.asks_for_facts())
            || nested.into_iter().flatten().any(Self::asks_for_facts)
    }
}

fn product(left: &[Condition], right: &[Condition]) -> Option<Vec<Condition>> {
    let both = |one: &Condition, other: &Condition| Condition {
        fields: [&one.fields[..], &other.fields].concat(),
        none_of: [&one.none_of[..], &other.none_of].concat(),
        ..Condition::default()
    };
    let few = left.len() * right.len() <= WAYS_MAX;
    let pairs = left
        .iter()
        .flat_map(|one| right.iter().map(move |other| both(one, other)));
    few.then(|| pairs.collect())
}

/// A decision; the first choice with an answer wins.
#[derive(Debug)]
pub(crate) struct Choices<T>(pub(crate) Vec<Choice<T>>);

#[derive(Debug)]
pub(crate) struct Choice<T> {
    pub(crate) when: Option<Condition>,
    /// What is looked up; the operation if `None`.
    pub(crate) of: Option<Value>,
    pub(crate) lookup: Option<Lookup<T>>,
    pub(crate) set: Option<T>,
}

impl<T> Default for Choices<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Someone or something referred to: an actor or a target.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) when: Option<Condition>,
    pub(crate) actor_kind: Choices<ActorKind>,
    pub(crate) target_kind: Option<Value>,
    pub(crate) reference: Option<Value>,
    pub(crate) name: Option<Value>,
    pub(crate) aliases: Vec<(Text, Value)>,
    pub(crate) environment: Choices<Environment>,
    pub(crate) sensitivity: Choices<Sensitivity>,
}

#[derive(Debug)]
pub(crate) struct DelegationPlan {
    pub(crate) interest: Interest,
    pub(crate) when: Option<Condition>,
    pub(crate) relation: Text,
    pub(crate) namespace: Text,
    pub(crate) value: Value,
}

/// A text in which a session hears of something.
#[derive(Debug)]
pub(crate) struct MentionPlan {
    pub(crate) interest: Interest,
    pub(crate) when: Option<Condition>,
    pub(crate) place: Place,
    /// The tool whose output it is.
    pub(crate) name: Option<Value>,
    pub(crate) from: Value,
    /// Of a list of chat messages: those of this role.
    pub(crate) role: Option<Text>,
}

/// Tools that somebody has.
#[derive(Debug)]
pub(crate) struct ToolsPlan {
    pub(crate) interest: Interest,
    pub(crate) when: Option<Condition>,
    pub(crate) aliases: Vec<(Text, Value)>,
    pub(crate) from: Value,
    pub(crate) list: Option<Value>,
    pub(crate) continues: Option<Value>,
    pub(crate) more: Option<Value>,
}

#[derive(Debug)]
pub(crate) struct ChangePlan {
    pub(crate) interest: Interest,
    pub(crate) when: Option<Condition>,
    /// The list, which of its elements, and the level they take.
    pub(crate) each: Option<(Path, Step, u8)>,
    pub(crate) path: Value,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) interest: Interest,
    pub(crate) name: Text,
    pub(crate) value: Value,
}

/// How a time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TimeFormat {
    Rfc3339,
    /// Units per second.
    Unix(i64),
    Pattern(TimePattern),
}
