//! From a mapping file's text to a plan, with every mistake named.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::action::{ACTIONS, Action};
use deedtrail_core::event::{ActorKind, Environment, OutcomeClass, Sensitivity};
use deedtrail_core::port::mapper::SigmaLogsource;
use regex::Regex;

use super::error::{MappingError, nearest};
use super::fields::{self, CLOSED};
use super::path::{self, Path as WrittenPath};
use super::pattern::{Lookup, Patterns};
use super::plan::{
    ChangePlan, Choice, Choices, Condition, DelegationPlan, Field, LEVELS_MAX, ListedField, Made,
    Own, Party, Path, Plan, Step, TimeFormat, Value,
};
use super::rules::Rules;
use super::spec::{
    ActorSpec, AliasSpec, AnswerSpec, ChangeSpec, ChoiceSpec, ChoicesSpec, ConditionSpec,
    DelegationSpec, MappingFile, OneOrMany, TargetSpec, TimeSpec, ValueSpec, ValueTable,
};
use crate::record::{ShapeId, Shapes};

/// Named tables: name, then answer = patterns.
type Tables = BTreeMap<String, BTreeMap<String, OneOrMany>>;

/// The tables every mapping may use.
#[derive(Debug, Default)]
pub(crate) struct SharedTables(Tables);

impl SharedTables {
    /// Reads `sources/tables.toml`.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, MappingError> {
        toml::from_str(text)
            .map(Self)
            .map_err(|error| MappingError::from_toml(file, text, &error))
    }
}

/// Compiles the text of a mapping file; `file` is its name for messages.
pub(crate) fn compile(file: &str, text: &str, shared: &SharedTables) -> Result<Plan, MappingError> {
    let spec: MappingFile =
        toml::from_str(text).map_err(|error| MappingError::from_toml(file, text, &error))?;
    let mut compiler = Compiler {
        file,
        text,
        shared: &shared.0,
        tables: &spec.tables,
        lookup: &spec.lookup,
        values: &spec.values,
        open_values: Vec::new(),
        shapes: Shapes::default(),
        levels: Vec::new(),
    };
    let each = match &spec.records.each {
        Some(each) => compiler.levels(each)?,
        None => Vec::new(),
    };
    compiler.plan(&spec, each)
}

struct Compiler<'s> {
    file: &'s str,
    text: &'s str,
    shared: &'s Tables,
    tables: &'s Tables,
    lookup: &'s BTreeMap<String, OneOrMany>,
    values: &'s BTreeMap<String, ValueSpec>,
    /// Names of the values being compiled, so that none leads back to itself.
    open_values: Vec<String>,
    shapes: Shapes,
    /// For each level of lists gone through: the steps from the record to its elements.
    levels: Vec<Vec<path::Step>>,
}

type Compiled<T> = Result<T, MappingError>;

impl Compiler<'_> {
    fn plan(mut self, spec: &MappingFile, each: Vec<Path>) -> Compiled<Plan> {
        let mut listed = Vec::new();
        for field in CLOSED {
            if let Some(choices) = (field.spec)(&spec.event) {
                listed.push(self.closed(field, choices)?);
            }
        }
        let mut plain = Vec::new();
        for field in fields::plain() {
            if let Some(value) = (field.spec)(&spec.event) {
                plain.push(Field {
                    name: field.name,
                    value: self.value(value)?,
                    set: field.set,
                });
            }
        }
        let actors = self.all(&spec.actor, Self::actor)?;
        let targets = self.all(&spec.target, Self::target)?;
        Ok(Plan {
            title: spec.title.clone(),
            sigma: sigma(spec),
            field_aliases: spec.field_aliases.clone().into_iter().collect(),
            version: crate::map::value::hash(self.text.as_bytes())
                .chars()
                .take(16)
                .collect(),
            planes: planes(spec.event.plane.as_ref()),
            envelopes: spec.records.envelope.clone(),
            each,
            identify: self.condition(&spec.identify)?,
            id: self.optional(spec.event.id.as_ref())?,
            time: spec
                .event
                .time
                .as_ref()
                .map(|time| self.time(time))
                .transpose()?,
            operation: self.value(&spec.event.operation)?,
            action: self.choices(
                &spec.action,
                "an action",
                &action_names(),
                Action::from_name,
            )?,
            outcome: self.choices(
                &spec.outcome,
                "an outcome",
                &names(OutcomeClass::ALL, OutcomeClass::name),
                OutcomeClass::from_name,
            )?,
            fields: plain,
            listed,
            actor: Rules::new(actors, |party: &Party| party.when.as_ref()),
            delegation: self.all(&spec.delegation, Self::delegation)?,
            target: Rules::new(targets, |party: &Party| party.when.as_ref()),
            labels: self.labels(&spec.labels)?,
            changes: self.all(&spec.changes, Self::change)?,
            tool_arguments: self.whole(spec.event.tool_arguments.as_ref())?,
            policy: self.policy(spec)?,
            shapes: self.shapes,
        })
    }

    fn all<S, P>(
        &mut self,
        specs: &[S],
        one: fn(&mut Self, &S) -> Compiled<P>,
    ) -> Compiled<Vec<P>> {
        specs.iter().map(|spec| one(self, spec)).collect()
    }

    fn wrong<T>(&self, needle: &str, message: impl Into<String>) -> Compiled<T> {
        Err(MappingError::at_text(
            self.file,
            self.text,
            needle,
            message.into(),
        ))
    }

    /// The levels of `a[].b[]`: a path to each list.
    fn levels(&mut self, each: &str) -> Compiled<Vec<Path>> {
        let written = self.written(each)?;
        if written.steps.last() != Some(&path::Step::Each) {
            return self.wrong(each, format!("`each = \"{each}\"` must end with `[]`"));
        }
        let mut lists = Vec::new();
        for (index, step) in written.steps.iter().enumerate() {
            if *step != path::Step::Each {
                continue;
            }
            if self.levels.len() + 1 >= LEVELS_MAX {
                return self.wrong(
                    each,
                    format!("at most {} lists in each other", LEVELS_MAX - 1),
                );
            }
            lists.push(self.steps(each, &written.steps[..index])?);
            self.levels.push(written.steps[..=index].to_vec());
        }
        Ok(lists)
    }

    fn written(&self, text: &str) -> Compiled<WrittenPath> {
        WrittenPath::parse(text).or_else(|message| self.wrong(text, message))
    }

    /// A path; `@` and the longest list gone through are its start.
    fn path(&mut self, text: &str) -> Compiled<Path> {
        let written = self.written(text)?;
        if !written.from_element {
            return self.steps(text, &written.steps);
        }
        let Some(level) = self.levels.last() else {
            return self.wrong(text, format!("`{text}`: `@` needs `each` under [records]"));
        };
        let mut steps = level.clone();
        steps.extend(written.steps);
        self.steps(text, &steps)
    }

    fn steps(&mut self, text: &str, steps: &[path::Step]) -> Compiled<Path> {
        let level = (0..self.levels.len())
            .rev()
            .find(|index| steps.starts_with(&self.levels[*index]));
        let bound = level.map_or(0, |index| self.levels[index].len());
        let mut shape = ShapeId::ROOT;
        let mut compiled = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let (step, next) = self.step(text, step, shape)?;
            shape = next;
            if index >= bound {
                compiled.push(step);
            }
        }
        let text = if text.contains('=') {
            text.into()
        } else {
            self.shapes.get(shape).path.clone()
        };
        Ok(Path {
            text,
            shape,
            level: level.and_then(|index| u8::try_from(index).ok()),
            steps: compiled,
        })
    }

    fn step(&mut self, text: &str, step: &path::Step, at: ShapeId) -> Compiled<(Step, ShapeId)> {
        Ok(match step {
            path::Step::Key(name) => {
                let (slot, shape) = self.slot(text, at, name)?;
                (Step::Slot(slot), shape)
            }
            path::Step::Each => (Step::Each, self.shapes.add_element(at)),
            path::Step::Index(index) => (Step::Index(*index), self.shapes.add_element(at)),
            path::Step::Where { key, pattern } => {
                let element = self.shapes.add_element(at);
                let (mut shape, mut slots) = (element, Vec::new());
                for name in key {
                    let (slot, below) = self.slot(text, shape, name)?;
                    slots.push(slot);
                    shape = below;
                }
                let patterns = Patterns::parse(pattern.split('|'))
                    .or_else(|message| self.wrong(text, message))?;
                (
                    Step::Where {
                        key: slots,
                        patterns,
                    },
                    element,
                )
            }
        })
    }

    fn slot(&mut self, text: &str, at: ShapeId, name: &str) -> Compiled<(u32, ShapeId)> {
        match self.shapes.add_child(at, name) {
            Some(found) => Ok(found),
            None => self.wrong(
                text,
                format!(
                    "more than {} keys of one object are named",
                    Shapes::CHILDREN_MAX
                ),
            ),
        }
    }

    /// A text where a value is wanted: constant, template, look-up, own fact or path.
    fn text_value(&mut self, text: &str) -> Compiled<Value> {
        if let Some(constant) = text
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''))
        {
            return Ok(Value::Constant(constant.into()));
        }
        if let Some(own) = text.strip_prefix('$') {
            return self.own(text, own);
        }
        if text.contains('{') {
            return self.template(text);
        }
        if let Some((name, wanted)) = text.split_once(':')
            && let Some(paths) = self.lookup.get(name)
        {
            let paths = paths.as_slice().iter();
            let values: Compiled<Vec<Value>> = paths
                .map(|path| self.path(&path.replace('$', wanted)).map(Value::Path))
                .collect();
            return values.map(Value::First);
        }
        if let Some((name, _)) = text.split_once(':')
            && !name.contains(['.', '[', '"'])
        {
            return self.wrong(text, format!("`{text}`: no [lookup] is called `{name}`"));
        }
        self.path(text).map(Value::Path)
    }

    /// `$name`: a fact of the event, or a named value.
    fn own(&mut self, text: &str, name: &str) -> Compiled<Value> {
        Ok(Value::Own(match name {
            "operation" => Own::Operation,
            "action" => Own::Action,
            "outcome" => Own::Outcome,
            "actor_kind" => Own::ActorKind,
            _ => return self.named(text, name),
        }))
    }

    fn named(&mut self, text: &str, name: &str) -> Compiled<Value> {
        let values = self.values;
        let Some(spec) = values.get(name) else {
            let facts = ["operation", "action", "outcome", "actor_kind"].into_iter();
            let known = facts.chain(values.keys().map(String::as_str));
            let hint = nearest(name, known)
                .map_or_else(String::new, |near| format!("; did you mean `${near}`?"));
            return self.wrong(text, format!("no [values] entry is called `{name}`{hint}"));
        };
        if self.open_values.iter().any(|open| open == name) {
            return self.wrong(text, format!("`${name}` leads back to itself"));
        }
        self.open_values.push(name.to_owned());
        let value = self.value(spec);
        self.open_values.pop();
        value
    }

    fn template(&mut self, text: &str) -> Compiled<Value> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((inside, after)) = after.split_once('}') else {
                return self.wrong(text, format!("`{text}`: `{{` has no `}}`"));
            };
            if !before.is_empty() {
                parts.push(Value::Constant(before.into()));
            }
            parts.push(self.text_value(inside)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Value::Constant(rest.into()));
        }
        Ok(Value::Template(parts))
    }

    fn value(&mut self, spec: &ValueSpec) -> Compiled<Value> {
        match spec {
            ValueSpec::Text(text) => self.text_value(text),
            ValueSpec::First(all) => {
                let values: Compiled<Vec<Value>> = all.iter().map(|one| self.value(one)).collect();
                values.map(Value::First)
            }
            ValueSpec::Table(table) => self.made(table),
        }
    }

    fn optional(&mut self, spec: Option<&ValueSpec>) -> Compiled<Option<Value>> {
        spec.map(|spec| self.value(spec)).transpose()
    }

    fn made(&mut self, table: &ValueTable) -> Compiled<Value> {
        let capture = table
            .capture
            .as_ref()
            .map(|pattern| {
                Regex::new(pattern).or_else(|error| self.wrong(pattern, error.to_string()))
            })
            .transpose()?;
        Ok(Value::Made(Box::new(Made {
            when: self.when(table.when.as_ref())?,
            from: self.value(&table.from)?,
            before: table.before.clone(),
            after: table.after.clone(),
            after_last: table.after_last.clone(),
            capture,
            table: table.table.clone(),
            default: table.default.as_deref().map(Text::from),
            conversion: table.conversion,
        })))
    }

    /// A value whose paths are kept whole, whatever they hold.
    fn whole(&mut self, spec: Option<&ValueSpec>) -> Compiled<Option<Value>> {
        let value = self.optional(spec)?;
        if let Some(value) = &value {
            self.keep_whole(value);
        }
        Ok(value)
    }

    fn keep_whole(&mut self, value: &Value) {
        match value {
            Value::Path(path) => self.shapes.keep_whole(path.shape),
            Value::First(all) => all.iter().for_each(|one| self.keep_whole(one)),
            Value::Made(made) => self.keep_whole(&made.from),
            Value::Own(_) | Value::Constant(_) | Value::Template(_) => {}
        }
    }

    fn when(&mut self, spec: Option<&ConditionSpec>) -> Compiled<Option<Condition>> {
        spec.map(|spec| self.condition(spec)).transpose()
    }

    fn condition(&mut self, spec: &ConditionSpec) -> Compiled<Condition> {
        let mut fields = Vec::new();
        for (path, pattern) in &spec.fields {
            let patterns = Patterns::parse(pattern.0.iter().map(String::as_str))
                .or_else(|message| self.wrong(path, message))?;
            fields.push((self.text_value(path)?, patterns));
        }
        Ok(Condition {
            fields,
            any_of: self.all(&spec.any_of, Self::condition)?,
            all_of: self.all(&spec.all_of, Self::condition)?,
            none_of: self.all(&spec.none_of, Self::condition)?,
        })
    }

    fn choices<T: Copy + PartialEq>(
        &mut self,
        specs: &[ChoiceSpec],
        what: &str,
        names: &[&str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Compiled<Choices<T>> {
        let answer = |compiler: &Self, name: &str| {
            if let Some(answer) = parse(name) {
                return Ok(answer);
            }
            let hint = nearest(name, names.iter().copied()).map_or_else(
                || names.join(", "),
                |near| format!("did you mean `{near}`?"),
            );
            compiler.wrong(name, format!("`{name}` is not {what}; {hint}"))
        };
        let mut choices = Vec::new();
        for spec in specs {
            let mut lookup = Lookup::default();
            let mut filled = false;
            let shared = spec
                .table
                .as_ref()
                .map(|name| self.table(name))
                .transpose()?;
            for (name, patterns) in shared.into_iter().flatten().chain(&spec.is) {
                let given = answer(self, name)?;
                for pattern in patterns.as_slice() {
                    filled = true;
                    lookup
                        .add(pattern, given)
                        .or_else(|message| self.wrong(pattern, message))?;
                }
            }
            lookup.finish();
            choices.push(Choice {
                when: self.when(spec.when.as_ref())?,
                of: self.optional(spec.of.as_ref())?,
                lookup: filled.then_some(lookup),
                set: spec
                    .set
                    .as_ref()
                    .map(|set| answer(self, set.name()))
                    .transpose()?,
            });
        }
        Ok(Choices(choices))
    }

    fn table(&self, name: &str) -> Compiled<&BTreeMap<String, OneOrMany>> {
        if let Some(found) = self.tables.get(name).or_else(|| self.shared.get(name)) {
            return Ok(found);
        }
        let known = self.tables.keys().chain(self.shared.keys());
        let hint = nearest(name, known.map(String::as_str))
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        self.wrong(name, format!("no table is called `{name}`{hint}"))
    }

    fn answers<T: Copy + PartialEq>(
        &mut self,
        spec: Option<&ChoicesSpec>,
        what: &str,
        names: &[&str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Compiled<Choices<T>> {
        match spec {
            None => Ok(Choices::default()),
            Some(ChoicesSpec::Choices(choices)) => self.choices(choices, what, names, parse),
            Some(ChoicesSpec::Always(answer)) => {
                let always = ChoiceSpec {
                    when: None,
                    of: None,
                    is: BTreeMap::new(),
                    table: None,
                    set: Some(AnswerSpec::Name(answer.clone())),
                };
                self.choices(&[always], what, names, parse)
            }
        }
    }

    fn closed(
        &mut self,
        field: &'static fields::ClosedField,
        spec: &ChoicesSpec,
    ) -> Compiled<ListedField> {
        let names = (field.names)();
        let index = |name: &str| {
            let at = names.iter().position(|known| *known == name)?;
            u8::try_from(at).ok()
        };
        let what = format!("a value of `{}`", field.name);
        Ok(ListedField {
            name: field.name,
            choices: self.answers(Some(spec), &what, &names, index)?,
            set: field.set,
        })
    }

    fn time(&mut self, spec: &TimeSpec) -> Compiled<(Value, Vec<TimeFormat>)> {
        let (from, formats) = match spec {
            TimeSpec::Plain(from) => return Ok((self.value(from)?, vec![TimeFormat::Rfc3339])),
            TimeSpec::Formatted(time) => (&time.from, &time.format),
        };
        let mut parsed = Vec::new();
        for format in formats.as_slice() {
            parsed.push(match format.as_str() {
                "rfc3339" => TimeFormat::Rfc3339,
                "unix_s" => TimeFormat::Unix(1),
                "unix_ms" => TimeFormat::Unix(1_000),
                "unix_us" => TimeFormat::Unix(1_000_000),
                "unix_ns" => TimeFormat::Unix(1_000_000_000),
                pattern if pattern.contains('%') => TimeFormat::Pattern(pattern.to_owned()),
                other => {
                    return self.wrong(
                        other,
                        format!("`{other}` is none of rfc3339, unix_s, unix_ms, unix_us, unix_ns, or a pattern such as `%Y-%m-%d %H:%M:%S`"),
                    );
                }
            });
        }
        Ok((self.value(from)?, parsed))
    }

    fn aliases(&mut self, specs: &[AliasSpec]) -> Compiled<Vec<(Text, Value)>> {
        let mut aliases = Vec::new();
        for (namespace, value) in specs.iter().flatten() {
            aliases.push((namespace.into(), self.value(value)?));
        }
        Ok(aliases)
    }

    fn labels(&mut self, specs: &BTreeMap<String, ValueSpec>) -> Compiled<Vec<(Text, Value)>> {
        let labels = specs.iter();
        labels
            .map(|(name, value)| Ok((name.into(), self.value(value)?)))
            .collect()
    }

    fn actor(&mut self, spec: &ActorSpec) -> Compiled<Party> {
        let kinds = names(ActorKind::ALL, ActorKind::name);
        Ok(Party {
            when: self.when(spec.when.as_ref())?,
            actor_kind: self.answers(
                spec.kind.as_ref(),
                "an actor kind",
                &kinds,
                ActorKind::from_name,
            )?,
            target_kind: None,
            reference: self.optional(spec.reference.as_ref())?,
            name: self.optional(spec.name.as_ref())?,
            aliases: self.aliases(&spec.aliases)?,
            environment: Choices::default(),
            sensitivity: Choices::default(),
        })
    }

    fn target(&mut self, spec: &TargetSpec) -> Compiled<Party> {
        Ok(Party {
            when: self.when(spec.when.as_ref())?,
            actor_kind: Choices::default(),
            target_kind: self.optional(spec.kind.as_ref())?,
            reference: self.optional(spec.reference.as_ref())?,
            name: self.optional(spec.name.as_ref())?,
            aliases: self.aliases(&spec.aliases)?,
            environment: self.answers(
                spec.environment.as_ref(),
                "an environment",
                &names(Environment::ALL, Environment::name),
                Environment::from_name,
            )?,
            sensitivity: self.answers(
                spec.sensitivity.as_ref(),
                "a sensitivity",
                &names(Sensitivity::ALL, Sensitivity::name),
                Sensitivity::from_name,
            )?,
        })
    }

    fn delegation(&mut self, spec: &DelegationSpec) -> Compiled<DelegationPlan> {
        Ok(DelegationPlan {
            when: self.when(spec.when.as_ref())?,
            relation: spec.relation.as_str().into(),
            namespace: spec.namespace.as_str().into(),
            value: self.value(&spec.value)?,
        })
    }

    fn change(&mut self, spec: &ChangeSpec) -> Compiled<ChangePlan> {
        let outer = self.levels.len();
        let each = match &spec.each {
            None => None,
            Some(each) => {
                // The elements take the level after the event's own.
                let mut written = self.written(each)?;
                if written.from_element {
                    let mut steps = self.levels.last().cloned().unwrap_or_default();
                    steps.append(&mut written.steps);
                    written.steps = steps;
                }
                if written.steps.last() != Some(&path::Step::Each) {
                    return self.wrong(each, format!("`each = \"{each}\"` must end with `[]`"));
                }
                let list = &written.steps[..written.steps.len() - 1];
                let list = self.steps(each, list)?;
                self.levels.push(written.steps.clone());
                u8::try_from(outer).ok().map(|level| (list, level))
            }
        };
        let change = ChangePlan {
            when: self.when(spec.when.as_ref())?,
            each,
            path: self.value(&spec.path)?,
            before: self.optional(spec.before.as_ref())?,
            after: self.optional(spec.after.as_ref())?,
        };
        self.levels.truncate(outer);
        Ok(change)
    }

    fn policy(&mut self, spec: &MappingFile) -> Compiled<Option<(Choices<bool>, Option<Value>)>> {
        let Some(policy) = &spec.policy else {
            return Ok(None);
        };
        let parse = |name: &str| name.parse().ok();
        let allowed = self.answers(
            Some(&policy.allowed),
            "true or false",
            &["true", "false"],
            parse,
        )?;
        Ok(Some((allowed, self.optional(policy.id.as_ref())?)))
    }
}

fn names<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|item| name(*item)).collect()
}

fn action_names() -> Vec<&'static str> {
    ACTIONS.iter().map(|facts| facts.name).collect()
}

fn sigma(spec: &MappingFile) -> Vec<SigmaLogsource> {
    let sources = spec.sigma.iter().map(|source| SigmaLogsource {
        product: source.product.clone(),
        service: source.service.clone(),
        category: source.category.clone(),
    });
    sources.collect()
}

/// Planes a mapping can answer with, in order, without repeats.
fn planes(spec: Option<&ChoicesSpec>) -> Vec<String> {
    let mut planes: Vec<String> = match spec {
        None => vec!["application".into()],
        Some(ChoicesSpec::Always(plane)) => vec![plane.clone()],
        Some(ChoicesSpec::Choices(choices)) => choices
            .iter()
            .flat_map(|choice| {
                let set = choice.set.as_ref().map(AnswerSpec::name);
                choice.is.keys().map(String::as_str).chain(set)
            })
            .map(str::to_owned)
            .collect(),
    };
    planes.sort();
    planes.dedup();
    planes
}
