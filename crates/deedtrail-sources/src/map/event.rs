//! Fills canonical events from a parsed record.

use std::cell::RefCell;
use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::event::{Alias, Change, Delegation, MappedEvent, PolicyDecision};
use deedtrail_core::limits::{EVENTS_PER_RECORD_MAX, RECORD_TEXT_BYTES_MAX, UNMAPPED_PATHS_MAX};
use deedtrail_core::mapping::{FieldPaths, MapError, MappedRecord, RecordNumber, text_bytes};

use super::misfit::misfit;
use super::read::Reader;
use super::value::{self, BadTime};
use super::view::read;
use super::{argument, mention, tools};
use crate::mapping::plan::{Choices, LEVELS_MAX, Party, Plan, Value};
use crate::mapping::rules::Rules;
use crate::record::{Buffers, Memo, Node, View};

/// Most changes kept of one event.
const CHANGES_MAX: usize = 256;

/// Maps a record. `trace` receives the provenance of each event's fields.
pub(crate) fn map(
    plan: &Plan,
    source: &str,
    record: &[u8],
    Buffers { tree, memo }: &mut Buffers,
    trace: Option<&mut Vec<FieldPaths>>,
) -> Result<MappedRecord, MapError> {
    let view = read(plan, source, record, tree)?;
    let paths = RefCell::new(Vec::new());
    let mut reader = Reader::new(view, &plan.named, memo);
    if !matches!(view.root(), Node::Object { .. }) || !reader.holds(&plan.identify) {
        return Err(MapError::WrongSource {
            source_name: source.to_owned(),
            detail: misfit(&reader, &plan.identify),
        });
    }
    let mut filling = Filling {
        plan,
        memo,
        events: Vec::with_capacity(1),
        text_bytes: 0,
        entities: 0,
        trace,
    };
    filling.level(view, [Node::Absent; LEVELS_MAX], 0)?;
    if filling.events.is_empty() {
        filling.event(view, [Node::Absent; LEVELS_MAX])?;
    }
    reader.trace = filling.trace.is_some().then_some(&paths);
    let source_uid = text(&reader, plan.id.as_ref());
    for event in filling.trace.into_iter().flatten() {
        let named = |path: &Text| ("source_uid".to_owned(), path.to_string());
        event.extend(paths.borrow().iter().map(named));
    }
    reader.trace = None;
    let number = plan.number.as_ref().and_then(|(value, within)| {
        Some(RecordNumber {
            number: text(&reader, Some(value))?.parse().ok()?,
            within: text(&reader, within.as_ref()).unwrap_or_default(),
        })
    });
    let mut events = filling.events;
    let unmapped = view.unmapped(&plan.shapes, UNMAPPED_PATHS_MAX);
    if let Some((last, others)) = events.split_last_mut() {
        for event in others {
            event.unmapped.clone_from(&unmapped);
        }
        last.unmapped = unmapped;
    }
    Ok(MappedRecord {
        source_uid,
        number,
        mapping_version: plan.version.clone(),
        events,
    })
}

pub(super) fn text<'a>(reader: &Reader<'a>, value: Option<&'a Value>) -> Option<Text> {
    match value? {
        Value::Path(path) => reader.path_text(path).map(value::column),
        value => reader.text(value).map(|text| value::column(&text)),
    }
}

/// The aliases of a rule that have a value, each once.
pub(super) fn aliases<'a>(reader: &Reader<'a>, of: &'a [(Text, Value)]) -> Vec<Alias> {
    let mut aliases: Vec<Alias> = Vec::with_capacity(of.len());
    for (namespace, from) in of {
        if let Some(text) = reader.text(from)
            && let Some(value) = value::alias(namespace, &text)
        {
            let alias = Alias {
                namespace: namespace.clone(),
                value,
            };
            if !aliases.contains(&alias) {
                aliases.push(alias);
            }
        }
    }
    aliases
}

/// The events of one record under construction.
struct Filling<'p, 't> {
    plan: &'p Plan,
    memo: &'p RefCell<Memo>,
    events: Vec<MappedEvent>,
    /// Text of all events but the first, which its columns' limits bound.
    text_bytes: usize,
    /// What the mentions of all events name.
    entities: usize,
    trace: Option<&'t mut Vec<FieldPaths>>,
}

impl Filling<'_, '_> {
    /// Goes through the lists of the plan from `depth` on; the innermost elements are events.
    fn level(
        &mut self,
        view: View<'_>,
        mut bound: [Node; LEVELS_MAX],
        depth: usize,
    ) -> Result<(), MapError> {
        let Some(list) = self.plan.each.get(depth) else {
            return self.event(view, bound);
        };
        let mut reader = Reader::new(view, &self.plan.named, self.memo);
        reader.level = bound;
        for element in view.elements(reader.node(list)) {
            bound[depth] = element;
            self.level(view, bound, depth + 1)?;
        }
        Ok(())
    }

    fn event(&mut self, view: View<'_>, bound: [Node; LEVELS_MAX]) -> Result<(), MapError> {
        if self.events.len() == EVENTS_PER_RECORD_MAX {
            return Err(MapError::TooManyEvents {
                limit: EVENTS_PER_RECORD_MAX,
            });
        }
        let paths = RefCell::new(Vec::new());
        let mut reader = Reader::new(view, &self.plan.named, self.memo);
        reader.level = bound;
        reader.trace = self.trace.is_some().then_some(&paths);
        self.events.push(MappedEvent {
            meaningful: true,
            ..MappedEvent::default()
        });
        let Some(event) = self.events.last_mut() else {
            return Ok(());
        };
        let mut builder = EventBuilder {
            plan: self.plan,
            reader,
            paths: &paths,
            provenance: Vec::new(),
            event,
        };
        builder.fill()?;
        if let Some(trace) = &mut self.trace {
            trace.push(builder.provenance);
        }
        if let Some(event) = self.events.last_mut() {
            mention::limit(event, &mut self.entities);
        }
        if let [_, .., event] = self.events.as_slice() {
            self.text_bytes += text_bytes(event);
        }
        if self.text_bytes > RECORD_TEXT_BYTES_MAX {
            return Err(MapError::TooMuchText {
                limit_bytes: RECORD_TEXT_BYTES_MAX,
            });
        }
        Ok(())
    }
}

/// One event under construction.
struct EventBuilder<'a> {
    plan: &'a Plan,
    reader: Reader<'a>,
    paths: &'a RefCell<Vec<Text>>,
    provenance: FieldPaths,
    event: &'a mut MappedEvent,
}

impl<'a> EventBuilder<'a> {
    /// Notes where `field` came from, if somebody asks.
    #[inline]
    fn note(&mut self, field: &str) {
        if self.reader.trace.is_some() {
            self.note_paths(field);
        }
    }

    #[cold]
    fn note_paths(&mut self, field: &str) {
        for path in self.paths.borrow_mut().drain(..) {
            self.provenance.push((field.to_owned(), path.to_string()));
        }
    }

    fn fill(&mut self) -> Result<(), MapError> {
        let plan = self.plan;
        self.operation();
        self.time()?;
        for field in &plan.fields {
            if !self.reader.wants(field.interest) {
                continue;
            }
            if let Some(text) = self.reader.text(&field.value) {
                (field.set)(self.event, &text);
            }
            self.note(field.name);
        }
        self.actor();
        for field in &plan.listed {
            if !self.reader.wants(field.interest) {
                continue;
            }
            if let Some(index) = self.reader.choose(&field.choices) {
                (field.set)(self.event, index);
            }
            self.note(field.name);
        }
        self.target();
        self.delegation();
        self.labels();
        self.changes();
        self.rest();
        Ok(())
    }

    /// Operation, action and outcome: what later choices may ask for.
    fn operation(&mut self) {
        let plan = self.plan;
        if let Some(operation) = self.reader.text(&plan.operation) {
            self.event.operation = value::column(&operation);
            self.reader.operation = operation;
        }
        self.note("operation");
        self.event.action = self.reader.choose(&plan.action).unwrap_or_default();
        self.reader.action = self.event.action.name();
        self.note("action");
        let facts = self.event.action.facts();
        self.event.class_uid = facts.class_uid;
        self.event.activity_id = facts.activity_id;
        self.event.outcome = self.reader.choose(&plan.outcome).unwrap_or_default();
        self.reader.outcome = self.event.outcome.name();
        self.note("outcome");
    }

    fn time(&mut self) -> Result<(), MapError> {
        let Some((value, formats)) = &self.plan.time else {
            return Ok(());
        };
        if let Some(text) = self.reader.text(value) {
            match value::time(&text, formats) {
                Ok(at) => self.event.time = Some(at),
                Err(BadTime::Unreadable) => {}
                Err(BadTime::Absurd) => {
                    return Err(MapError::OutOfRange {
                        field: "time".into(),
                        detail: "no clock shows this".into(),
                    });
                }
            }
        }
        self.note("time");
        Ok(())
    }

    fn actor(&mut self) {
        let plan = self.plan;
        let Some((party, found)) = self.party(&plan.actor, "actor") else {
            return;
        };
        self.event.actor_kind = self.reader.choose(&party.actor_kind).unwrap_or_default();
        self.reader.actor_kind = self.event.actor_kind.name();
        self.note("actor_kind");
        self.event.actor_ref = found.reference;
        self.event.actor_name = found.name;
        self.event.actor_aliases = found.aliases;
    }

    fn target(&mut self) {
        let plan = self.plan;
        let Some((party, found)) = self.party(&plan.target, "target") else {
            return;
        };
        if found.is_empty() {
            self.paths.borrow_mut().clear();
            return;
        }
        self.event.target_kind = text(&self.reader, party.target_kind.as_ref());
        self.note("target_kind");
        self.event.target_ref = found.reference;
        self.event.target_name = found.name;
        self.event.target_aliases = found.aliases;
        self.event.target_environment = self.choose(&party.environment, "target_environment");
        self.event.target_sensitivity = self.choose(&party.sensitivity, "target_sensitivity");
    }

    fn choose<T: Copy + PartialEq + Default>(&mut self, choices: &'a Choices<T>, field: &str) -> T {
        let chosen = self.reader.choose(choices).unwrap_or_default();
        self.note(field);
        chosen
    }

    /// The first rule that holds and names somebody; else the first that holds.
    fn party(&mut self, rules: &'a Rules<Party>, role: &str) -> Option<(&'a Party, Found)> {
        let mut first = None;
        for party in self.reader.candidates(rules) {
            if !self.reader.allows(party.when.as_ref()) {
                continue;
            }
            let found = self.found(party, role);
            if !found.is_empty() {
                return Some((party, found));
            }
            first = first.or(Some(party));
        }
        first.map(|party| (party, Found::default()))
    }

    fn found(&mut self, party: &'a Party, role: &str) -> Found {
        let reference = text(&self.reader, party.reference.as_ref());
        self.note_role(role, "ref");
        let name = text(&self.reader, party.name.as_ref());
        self.note_role(role, "name");
        let aliases = aliases(&self.reader, &party.aliases);
        self.note_role(role, "aliases");
        Found {
            reference,
            name,
            aliases,
        }
    }

    fn note_role(&mut self, role: &str, part: &str) {
        if self.reader.trace.is_some() {
            self.note(&format!("{role}_{part}"));
        }
    }

    fn delegation(&mut self) {
        let plan = self.plan;
        for link in &plan.delegation {
            if !self.reader.wants(link.interest) || !self.reader.allows(link.when.as_ref()) {
                continue;
            }
            if let Some(text) = self.reader.text(&link.value)
                && let Some(value) = value::alias(&link.namespace, &text)
            {
                self.event.delegation.push(Delegation {
                    relation: link.relation.clone(),
                    alias: Alias {
                        namespace: link.namespace.clone(),
                        value,
                    },
                });
            }
            self.note("delegation");
        }
    }

    fn labels(&mut self) {
        let plan = self.plan;
        let mut labels = Vec::with_capacity(16);
        for label in &plan.labels {
            if !self.reader.wants(label.interest) {
                continue;
            }
            if let Some(text) = text(&self.reader, Some(&label.value)) {
                labels.push((label.name.clone(), text));
            }
            self.note("labels");
        }
        // In the order of their names, so that this is quick.
        self.event.labels = BTreeMap::from_iter(labels);
    }

    fn changes(&mut self) {
        let plan = self.plan;
        for change in &plan.changes {
            if !self.reader.wants(change.interest) || !self.reader.allows(change.when.as_ref()) {
                continue;
            }
            let elements: Vec<Option<Node>> = match &change.each {
                None => vec![None],
                Some((list, pick, _)) => {
                    let elements = self.reader.picked(self.reader.node(list), pick);
                    elements.take(CHANGES_MAX).map(Some).collect()
                }
            };
            for element in elements {
                if let (Some(element), Some((_, _, level))) = (element, &change.each) {
                    self.reader.level[usize::from(*level)] = element;
                }
                let before = text(&self.reader, change.before.as_ref());
                let after = text(&self.reader, change.after.as_ref());
                if let Some(path) = text(&self.reader, Some(&change.path))
                    && (before.is_some() || after.is_some())
                {
                    self.event.changes.push(Change {
                        path,
                        before,
                        after,
                    });
                }
                self.note("changes");
            }
        }
    }

    /// Tool arguments and what an authoriser said.
    fn rest(&mut self) {
        let plan = self.plan;
        if let Some(from) = &plan.tool_arguments {
            let node = self.reader.whole(from);
            argument::fill(self.event, self.reader.view, node);
        }
        self.note("tool_arguments");
        for said in &plan.mentions {
            if self.reader.wants(said.interest) && self.reader.allows(said.when.as_ref()) {
                mention::fill(self.event, &self.reader, said);
            }
            self.note("mentions");
        }
        self.event.tools_told = plan
            .tools
            .iter()
            .find_map(|told| tools::told(&self.reader, told));
        self.note("tools");
        if let Some((allowed, id)) = &plan.policy
            && let Some(allowed) = self.reader.choose(allowed)
        {
            self.event.policy_decision = Some(PolicyDecision {
                allowed,
                policy_id: text(&self.reader, id.as_ref()),
            });
        }
        self.note("policy_decision");
    }
}

/// Who a rule leads to.
#[derive(Default)]
struct Found {
    reference: Option<Text>,
    name: Option<Text>,
    aliases: Vec<Alias>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.reference.is_none() && self.name.is_none() && self.aliases.is_empty()
    }
}
