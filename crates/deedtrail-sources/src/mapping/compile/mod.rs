//! From a mapping file's text to a plan, with every mistake named.

mod choices;
mod form;
mod interests;
mod parties;
mod paths;
mod values;

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::action::{ACTIONS, Action};
use deedtrail_core::event::OutcomeClass;
use deedtrail_core::port::mapper::SigmaLogsource;
use jiff::tz::TimeZone;

use super::error::MappingError;
use super::fields::{self, CLOSED};
use super::path;
use super::plan::{
    Choices, Field, Interest, ListedField, Outline, Party, Path, Plan, TimeFormat, Value,
};
use super::rules::Rules;
use super::spec::{
    AnswerSpec, ChoicesSpec, MappingFile, OneOrMany, SequenceSpec, TimeSpec, ValueSpec,
};
use super::time::{self, TimePattern};
use crate::record::Shapes;

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

/// The outline of a mapping file; `file` is its name for messages.
pub(crate) fn outline(
    file: &str,
    text: &str,
    shared: &SharedTables,
) -> Result<Outline, MappingError> {
    let spec = read(file, text)?;
    Compiler::new((file, text), shared, &spec).outline(&spec)
}

/// Compiles the text of a mapping file.
pub(crate) fn compile(file: &str, text: &str, shared: &SharedTables) -> Result<Plan, MappingError> {
    let spec = read(file, text)?;
    let mut compiler = Compiler::new((file, text), shared, &spec);
    let each = match &spec.records.each {
        Some(each) => compiler.levels(each)?,
        None => Vec::new(),
    };
    let mut plan = compiler.plan(&spec, each)?;
    interests::find(&mut plan);
    Ok(plan)
}

fn read(file: &str, text: &str) -> Result<MappingFile, MappingError> {
    toml::from_str(text).map_err(|error| MappingError::from_toml(file, text, &error))
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
    /// Values computed once for each event, and their names.
    named: Vec<Value>,
    named_at: Vec<(String, usize)>,
    shapes: Shapes,
    /// For each level of lists gone through: the steps from the record to its elements.
    levels: Vec<Vec<path::Step>>,
}

type Compiled<T> = Result<T, MappingError>;

impl<'s> Compiler<'s> {
    fn new(
        (file, text): (&'s str, &'s str),
        shared: &'s SharedTables,
        spec: &'s MappingFile,
    ) -> Self {
        Self {
            file,
            text,
            shared: &shared.0,
            tables: &spec.tables,
            lookup: &spec.lookup,
            values: &spec.values,
            open_values: Vec::new(),
            named: Vec::new(),
            named_at: Vec::new(),
            shapes: Shapes::default(),
            levels: Vec::new(),
        }
    }

    fn outline(mut self, spec: &MappingFile) -> Compiled<Outline> {
        let identify = self.condition(&spec.identify)?;
        Ok(Outline {
            title: spec.title.clone(),
            sigma: sigma(spec),
            field_aliases: spec.field_aliases.clone().into_iter().collect(),
            version: self.version(),
            planes: planes(spec.event.plane.as_ref()),
            envelopes: self.envelopes(&spec.records.envelope)?,
            form: self.form(spec.records.text.as_ref())?,
            unlabelled: spec.records.unlabelled,
            shipped_as: spec.records.shipped_as.clone(),
            system: constant(&spec.event.system),
            shapes: self.shapes,
            named: self.named,
            identify,
        })
    }

    /// The version of a mapping is its text's.
    fn version(&self) -> Text {
        let hash = crate::map::value::hash(self.text.as_bytes());
        hash.chars().take(16).collect()
    }

    fn plan(mut self, spec: &MappingFile, each: Vec<Path>) -> Compiled<Plan> {
        let listed = self.listed(spec)?;
        let mut plain = Vec::new();
        for field in fields::plain() {
            if let Some(value) = (field.spec)(&spec.event) {
                plain.push(Field {
                    name: field.name,
                    interest: Interest::ALWAYS,
                    value: self.value(value)?,
                    set: field.set,
                });
            }
        }
        // Whether a record is of this log is asked of the record, before its events are gone through.
        let levels = std::mem::take(&mut self.levels);
        let identify = self.condition(&spec.identify)?;
        self.levels = levels;
        let actors = self.all(&spec.actor, Self::actor)?;
        let targets = self.all(&spec.target, Self::target)?;
        let mut plan = Plan {
            version: self.version(),
            form: self.form(spec.records.text.as_ref())?,
            each,
            ways: identify.ways(),
            identify,
            id: self.optional(spec.event.id.as_ref())?,
            number: self.number(spec.event.sequence.as_ref())?,
            time: spec
                .event
                .time
                .as_ref()
                .map(|time| self.time(time))
                .transpose()?,
            operation: self.value(&spec.event.operation)?,
            action: self.actions(spec)?,
            outcome: self.outcomes(spec)?,
            fields: plain,
            listed,
            actor: Rules::new(actors, |party: &Party| party.when.as_ref()),
            delegation: self.all(&spec.delegation, Self::delegation)?,
            target: Rules::new(targets, |party: &Party| party.when.as_ref()),
            labels: self.labels(&spec.labels)?,
            changes: self.all(&spec.changes, Self::change)?,
            tool_arguments: self.whole(spec.event.tool_arguments.as_ref())?,
            mentions: self.all(&spec.mentions, Self::mention)?,
            tools: self.all(&spec.tools, Self::tools)?,
            policy: self.policy(spec)?,
            shapes: Shapes::default(),
            named: Vec::new(),
        };
        self.refuse_mixed()?;
        plan.shapes = self.shapes;
        plan.named = self.named;
        Ok(plan)
    }

    /// A list is read with brackets by every path or by none.
    fn refuse_mixed(&self) -> Compiled<()> {
        let Some(shape) = self.shapes.mixed() else {
            return Ok(());
        };
        let path = &shape.path;
        let tail = path.rsplit('.').next().unwrap_or(path);
        self.wrong(
            &format!("{tail}["),
            format!(
                "`{path}` is read with brackets (`{path}[].x`) and without (`{path}.x`); write all its paths with brackets, a single object is then a list of one"
            ),
        )
    }

    /// Fields with a closed list of values.
    fn listed(&mut self, spec: &MappingFile) -> Compiled<Vec<ListedField>> {
        let mut listed = Vec::new();
        for field in CLOSED {
            if let Some(choices) = (field.spec)(&spec.event) {
                listed.push(self.closed(field, choices)?);
            }
        }
        Ok(listed)
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

    fn time(&mut self, spec: &TimeSpec) -> Compiled<(Value, Vec<TimeFormat>)> {
        let time = match spec {
            TimeSpec::Plain(from) => return Ok((self.value(from)?, vec![TimeFormat::Rfc3339])),
            TimeSpec::Formatted(time) => time,
        };
        let zone = self.zone(time.zone.as_deref())?;
        let mut parsed = Vec::new();
        for format in time.format.as_slice() {
            parsed.push(match format.as_str() {
                "rfc3339" => TimeFormat::Rfc3339,
                "unix_s" => TimeFormat::Unix(1),
                "unix_ms" => TimeFormat::Unix(1_000),
                "unix_us" => TimeFormat::Unix(1_000_000),
                "unix_ns" => TimeFormat::Unix(1_000_000_000),
                pattern if pattern.contains('%') => {
                    if let Err(reason) = TimePattern::check(pattern) {
                        return self.wrong(pattern, format!("`{pattern}`: {reason}"));
                    }
                    TimeFormat::Pattern(TimePattern::new(pattern, zone.clone()))
                }
                other => {
                    return self.wrong(
                        other,
                        format!("`{other}` is none of rfc3339, unix_s, unix_ms, unix_us, unix_ns, or a pattern such as `%Y-%m-%d %H:%M:%S`"),
                    );
                }
            });
        }
        Ok((self.value(&time.from)?, parsed))
    }

    fn zone(&self, name: Option<&str>) -> Compiled<TimeZone> {
        let Some(name) = name else {
            return Ok(TimeZone::UTC);
        };
        time::zones().get(name).or_else(|_| {
            self.wrong(
                name,
                format!(
                    "`{name}` is no time zone; write one of the IANA names, such as `Europe/Berlin`"
                ),
            )
        })
    }

    fn actions(&mut self, spec: &MappingFile) -> Compiled<Choices<Action>> {
        let (all, parse) = (action_names(), Action::from_name);
        self.choices(&spec.action, "an action", &all, parse)
    }

    fn outcomes(&mut self, spec: &MappingFile) -> Compiled<Choices<OutcomeClass>> {
        let all = names(OutcomeClass::ALL, OutcomeClass::name);
        let parse = OutcomeClass::from_name;
        self.choices(&spec.outcome, "an outcome", &all, parse)
    }

    fn number(&mut self, spec: Option<&SequenceSpec>) -> Compiled<Option<(Value, Option<Value>)>> {
        let Some(spec) = spec else {
            return Ok(None);
        };
        // It is the record's, and asked for before its events are gone through.
        let levels = std::mem::take(&mut self.levels);
        let number = (
            self.value(&spec.value)?,
            self.optional(spec.within.as_ref())?,
        );
        self.levels = levels;
        Ok(Some(number))
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

/// The text of a value that is `'always the same'`.
fn constant(spec: &ValueSpec) -> Option<String> {
    let ValueSpec::Text(text) = spec else {
        return None;
    };
    let inside = text.strip_prefix('\'')?.strip_suffix('\'')?;
    Some(inside.to_owned())
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
