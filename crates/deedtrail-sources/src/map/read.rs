//! Evaluates paths, values, conditions and choices over a parsed record.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::fmt::Write as _;

use deedtrail_core::Text;
use deedtrail_core::limits::COLUMN_BYTES_MAX;
use memchr::memmem;

use super::argument::ARGUMENTS_MAX;
use super::value;
use crate::mapping::pattern::Patterns;
use crate::mapping::plan::{
    Children, Choices, Condition, Interest, LEVELS_MAX, Made, NAMED_MAX, Own, Path, Step, Value,
};
use crate::mapping::rules::Rules;
use crate::mapping::spec::Conversion;
use crate::record::{Memo, Node, View};

/// A record with the list elements in hand and the facts of the event so far.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(super) view: View<'a>,
    named: &'a [Value],
    memo: &'a RefCell<Memo>,
    known: [OnceCell<Option<Cow<'a, str>>>; NAMED_MAX],
    pub(super) level: [Node; LEVELS_MAX],
    pub(super) operation: Cow<'a, str>,
    pub(super) action: &'static str,
    pub(super) outcome: &'static str,
    pub(super) actor_kind: &'static str,
    /// Paths that gave the values read, if somebody asks.
    pub(super) trace: Option<&'a RefCell<Vec<Text>>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(view: View<'a>, named: &'a [Value], memo: &'a RefCell<Memo>) -> Self {
        Self {
            view,
            named,
            memo,
            known: [const { OnceCell::new() }; NAMED_MAX],
            level: [Node::Absent; LEVELS_MAX],
            operation: Cow::Borrowed(""),
            action: "",
            outcome: "",
            actor_kind: "",
            trace: None,
        }
    }

    fn start(&self, path: &Path) -> Node {
        match path.level {
            None => self.view.root(),
            Some(level) => self.level[usize::from(level)],
        }
    }

    /// The value at a path as it stands.
    #[inline]
    pub(super) fn node(&self, path: &Path) -> Node {
        if let Some(slots) = &path.slots {
            return self.plain(path, slots);
        }
        self.walk(self.start(path), &path.steps, &|node| {
            (!matches!(node, Node::Absent | Node::Null)).then_some(node)
        })
        .unwrap_or(Node::Absent)
    }

    /// The value at a path that is only slots.
    #[inline]
    fn plain(&self, path: &Path, slots: &[u32]) -> Node {
        let down = |at, slot: &u32| self.view.child(at, *slot);
        slots.iter().fold(self.start(path), down)
    }

    /// The first value behind `steps` that `take` accepts.
    fn walk<T>(&self, mut at: Node, steps: &[Step], take: &dyn Fn(Node) -> Option<T>) -> Option<T> {
        for (index, step) in steps.iter().enumerate() {
            let rest = &steps[index + 1..];
            match step {
                Step::Slot(slot) => at = self.view.child(at, *slot),
                Step::Index(wanted) => at = self.view.elements(at).nth(*wanted)?,
                Step::Each => {
                    return self
                        .view
                        .elements(at)
                        .find_map(|one| self.walk(one, rest, take));
                }
                Step::Where { .. } => {
                    let mut fitting = self.picked(at, step);
                    return fitting.find_map(|one| self.walk(one, rest, take));
                }
            }
            if at == Node::Absent {
                return None;
            }
        }
        take(at)
    }

    /// The elements of a list that a step asks for.
    pub(super) fn picked(&self, list: Node, step: &Step) -> impl Iterator<Item = Node> {
        let elements = self.view.elements(list).enumerate();
        let fitting = elements.filter(move |(at, element)| match step {
            Step::Slot(_) => false,
            Step::Each => true,
            Step::Index(wanted) => at == wanted,
            Step::Where { key, patterns } => {
                let down = |at, slot: &u32| self.view.child(at, *slot);
                let found = key.iter().fold(*element, down);
                patterns.match_value(self.view.text(found), self.memo)
            }
        });
        fitting.map(|(_, element)| element)
    }

    /// A scalar, or the first of a list.
    #[inline]
    fn leaf(&self, node: Node) -> Option<&'a str> {
        match node {
            Node::Absent | Node::Null => None,
            Node::List { .. } => self.view.elements(node).find_map(|one| self.view.text(one)),
            _ => self.view.text(node),
        }
    }

    #[inline]
    pub(super) fn path_text(&self, path: &Path) -> Option<&'a str> {
        let text = match &path.slots {
            Some(slots) => self.leaf(self.plain(path, slots)),
            None => self.walk(self.start(path), &path.steps, &|node| self.leaf(node)),
        };
        if text.is_some() {
            self.note(path);
        }
        text
    }

    /// Notes that a path gave a value, if somebody asks.
    fn note(&self, path: &Path) {
        if let Some(trace) = self.trace {
            trace.borrow_mut().push(path.text.clone());
        }
    }

    fn children(&self, children: &Children) -> Option<&'a str> {
        let parent = self.node(&children.parent);
        if !matches!(parent, Node::Object { .. }) {
            return None;
        }
        children.slots.iter().find_map(|(slot, path)| {
            let text = self.leaf(self.view.child(parent, *slot))?;
            self.note(path);
            Some(text)
        })
    }

    /// A value as text; absent, blank and `-` are `None`.
    #[inline]
    pub(super) fn text(&self, value: &'a Value) -> Option<Cow<'a, str>> {
        match value {
            Value::Path(path) => self.path_text(path).map(Cow::Borrowed),
            value => self.found_text(value),
        }
    }

    fn found_text(&self, value: &'a Value) -> Option<Cow<'a, str>> {
        match value {
            Value::Path(path) => self.path_text(path).map(Cow::Borrowed),
            Value::Constant(text) => Some(Cow::Borrowed(text.as_str())),
            Value::Named(index) if self.trace.is_some() => self.text(&self.named[*index]),
            Value::Named(index) => {
                let known = self.known[*index].get_or_init(|| self.text(&self.named[*index]));
                known.clone()
            }
            Value::First(all) => all.iter().find_map(|one| self.text(one)),
            Value::Children(children) => self.children(children).map(Cow::Borrowed),
            Value::Template(parts) => self.template(parts),
            Value::Made(made) => self.made(made),
            Value::Own(own) => {
                let text = match own {
                    Own::Operation => self.operation.clone(),
                    Own::Action => Cow::Borrowed(self.action),
                    Own::Outcome => Cow::Borrowed(self.outcome),
                    Own::ActorKind => Cow::Borrowed(self.actor_kind),
                };
                (!text.is_empty()).then_some(text)
            }
        }
    }

    fn template(&self, parts: &'a [Value]) -> Option<Cow<'a, str>> {
        let mut whole = String::with_capacity(48);
        for part in parts {
            match part {
                Value::Constant(text) => whole.push_str(text),
                other => whole.push_str(&self.text(other)?),
            }
        }
        Some(Cow::Owned(whole))
    }

    fn made(&self, made: &'a Made) -> Option<Cow<'a, str>> {
        if let Some(when) = &made.when
            && !self.holds(when)
        {
            return None;
        }
        let made_value = match made.conversion {
            Some(Conversion::Count) => self.count(&made.from),
            Some(Conversion::Join) => self.join(&made.from),
            Some(Conversion::Values) => self.values(&made.from),
            _ => self.text(&made.from),
        };
        let made_value = made_value.and_then(|text| steps(made, text, self.memo));
        let text = made_value.or_else(|| made.default.as_deref().map(Cow::Borrowed))?;
        (!text.is_empty()).then_some(text)
    }

    fn count(&self, from: &'a Value) -> Option<Cow<'a, str>> {
        let Value::Path(path) = from else { return None };
        match self.node(path) {
            list @ Node::List { .. } => {
                self.note(path);
                Some(self.view.elements(list).count().to_string().into())
            }
            _ => None,
        }
    }

    /// The elements of a list, or all values a path with brackets leads to.
    fn join(&self, from: &'a Value) -> Option<Cow<'a, str>> {
        let path = match from {
            Value::Path(path) => path,
            Value::First(all) => return all.iter().find_map(|one| self.join(one)),
            _ => return self.text(from),
        };
        let joined = RefCell::new(String::new());
        let append = |node: Node| {
            let mut joined = joined.borrow_mut();
            for text in self
                .view
                .elements(node)
                .filter_map(|one| self.view.text(one))
            {
                if !joined.is_empty() {
                    joined.push(' ');
                }
                joined.push_str(text);
            }
            (joined.len() > COLUMN_BYTES_MAX).then_some(())
        };
        let _enough = self.walk(self.start(path), &path.steps, &append);
        let joined = joined.into_inner();
        if joined.is_empty() {
            return None;
        }
        self.note(path);
        Some(Cow::Owned(joined))
    }

    /// The texts in an object that is kept whole.
    fn values(&self, from: &'a Value) -> Option<Cow<'a, str>> {
        let members = self.view.members(self.whole(from));
        let texts = members.filter_map(|(_, one)| self.view.text(one));
        let joined = texts.take(ARGUMENTS_MAX).collect::<Vec<_>>().join(" ");
        if joined.is_empty() {
            return self.text(from);
        }
        Some(Cow::Owned(joined))
    }

    /// What stands at the first path of a value that leads somewhere.
    pub(super) fn whole(&self, value: &'a Value) -> Node {
        match value {
            Value::Path(path) => {
                let node = self.node(path);
                if node != Node::Absent {
                    self.note(path);
                }
                node
            }
            Value::First(all) => {
                let mut nodes = all.iter().map(|one| self.whole(one));
                nodes
                    .find(|node| *node != Node::Absent)
                    .unwrap_or(Node::Absent)
            }
            Value::Made(made) if self.allows(made.when.as_ref()) => self.whole(&made.from),
            Value::Named(index) => self.whole(&self.named[*index]),
            Value::Children(children) => {
                let parent = self.node(&children.parent);
                let slots = children.slots.iter();
                let mut nodes = slots.map(|(slot, path)| (self.view.child(parent, *slot), path));
                let given = |(node, _): &(Node, &Path)| !matches!(node, Node::Absent | Node::Null);
                let found = nodes.find(given);
                found.map_or(Node::Absent, |(node, path)| {
                    self.note(path);
                    node
                })
            }
            Value::Made(_) | Value::Own(_) | Value::Constant(_) | Value::Template(_) => {
                Node::Absent
            }
        }
    }

    pub(crate) fn holds(&self, condition: &'a Condition) -> bool {
        let untraced = self.trace.map(|trace| trace.borrow().len());
        let fields = &mut condition.fields.iter();
        let holds = fields.all(|(value, patterns)| self.fits(value, patterns))
            && condition.all_of.iter().all(|one| self.holds(one))
            && (condition.any_of.is_empty() || condition.any_of.iter().any(|one| self.holds(one)))
            && !condition.none_of.iter().any(|one| self.holds(one));
        if let (Some(trace), Some(len)) = (self.trace, untraced) {
            trace.borrow_mut().truncate(len);
        }
        holds
    }

    /// Whether a value fits. Objects and lists have no text, but they are there.
    pub(super) fn fits(&self, value: &'a Value, patterns: &Patterns) -> bool {
        let Value::Path(path) = value else {
            let text = self.text(value);
            let there = || (patterns.asks_presence() && self.contains(value)).then_some("");
            return patterns.match_value(text.as_deref().or_else(there), self.memo);
        };
        if path.slots.is_none()
            && let Some(text) = self.path_text(path)
        {
            return patterns.match_value(Some(text), self.memo);
        }
        let node = self.node(path);
        let there = is_container(node).then_some("");
        patterns.match_value(self.leaf(node).or(there), self.memo)
    }

    /// Whether there is anything at a value.
    pub(super) fn is_there(&self, value: &'a Value) -> bool {
        self.text(value).is_some() || self.contains(value)
    }

    /// Whether a value leads to an object or a list.
    fn contains(&self, value: &'a Value) -> bool {
        match value {
            Value::Path(path) => is_container(self.node(path)),
            Value::First(all) => all.iter().any(|one| self.contains(one)),
            Value::Named(index) => self.contains(&self.named[*index]),
            _ => false,
        }
    }

    /// Whether a part of the plan may have a value here.
    pub(super) fn wants(&self, interest: Interest) -> bool {
        interest == Interest::ALWAYS || self.view.wanted(interest.0)
    }

    pub(super) fn allows(&self, when: Option<&'a Condition>) -> bool {
        when.is_none_or(|when| self.holds(when))
    }

    /// The first answer.
    pub(super) fn choose<T: Copy + PartialEq>(&self, choices: &'a Choices<T>) -> Option<T> {
        choices.0.iter().find_map(|choice| {
            if !self.allows(choice.when.as_ref()) {
                return None;
            }
            let found = choice.lookup.as_ref().and_then(|lookup| match &choice.of {
                Some(of) => lookup.find(&self.text(of)?, self.memo),
                None => lookup.find(&self.operation, self.memo),
            });
            found.or(choice.set)
        })
    }

    /// The rules that may hold, in order.
    pub(super) fn candidates<R>(
        &self,
        rules: &'a Rules<R>,
    ) -> impl Iterator<Item = &'a R> + use<'a, R> {
        let key = rules.key().and_then(|key| self.text(key));
        rules.candidates(key.as_deref())
    }
}

/// Whether a value is an object, or a list with anything in it.
fn is_container(node: Node) -> bool {
    matches!(
        node,
        Node::Object { .. } | Node::Members { .. } | Node::List { .. }
    ) && node != Node::List { first: 0 }
}

/// What is made of a text, step by step.
fn steps<'a>(made: &'a Made, mut text: Cow<'a, str>, memo: &RefCell<Memo>) -> Option<Cow<'a, str>> {
    if let Some(end) = &made.before
        && let Some(at) = memmem::find(text.as_bytes(), end.as_bytes())
    {
        text = cut(text, 0, at);
    }
    if let Some(start) = &made.after {
        let at = memmem::find(text.as_bytes(), start.as_bytes())? + start.len();
        let end = text.len();
        text = cut(text, at, end);
    }
    if let Some(start) = &made.after_last
        && let Some(at) = memmem::rfind(text.as_bytes(), start.as_bytes())
    {
        let end = text.len();
        text = cut(text, at + start.len(), end);
    }
    if let Some(pattern) = &made.capture {
        let (start, end) = pattern.find(&text, memo)?;
        text = cut(text, start, end);
    }
    if let Some(table) = &made.table {
        text = Cow::Borrowed(table.get(text.as_ref())?.as_str());
    }
    match made.conversion {
        None | Some(Conversion::Count | Conversion::Join | Conversion::Values) => Some(text),
        Some(Conversion::Lower) => Some(text.to_lowercase().into()),
        Some(Conversion::Upper) => Some(text.to_uppercase().into()),
        Some(Conversion::Hash) => Some(value::hash(text.as_bytes()).to_string().into()),
        Some(Conversion::Domain) => value::domain(&text).map(Cow::Owned),
        Some(Conversion::SecondsToMs) => {
            let seconds = text.parse::<f64>().ok()?;
            let mut ms = String::new();
            write!(ms, "{:.0}", seconds * 1_000.0).ok()?;
            Some(ms.into())
        }
    }
}

/// `text[start..end]` of borrowed or owned text.
fn cut(text: Cow<'_, str>, start: usize, end: usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(start..end).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(start..end).unwrap_or_default().to_owned()),
    }
}
