//! Values and conditions.

use deedtrail_core::Text;

use super::{Compiled, Compiler};
use crate::lazy_regex::LazyRegex;
use crate::mapping::error::nearest;
use crate::mapping::pattern::Patterns;
use crate::mapping::plan::{Capture, Children, Condition, Made, NAMED_MAX, Own, Path, Step, Value};
use crate::mapping::spec::{ConditionSpec, Conversion, ValueSpec, ValueTable};
use crate::record::Asker;

impl Compiler<'_> {
    /// A text where a value is wanted: constant, template, look-up, own fact or path.
    pub(super) fn text_value(&mut self, text: &str) -> Compiled<Value> {
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
    pub(super) fn own(&mut self, text: &str, name: &str) -> Compiled<Value> {
        Ok(Value::Own(match name {
            "operation" => Own::Operation,
            "action" => Own::Action,
            "outcome" => Own::Outcome,
            "actor_kind" => Own::ActorKind,
            _ => return self.named(text, name),
        }))
    }

    pub(super) fn named(&mut self, text: &str, name: &str) -> Compiled<Value> {
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
        if let Some((_, index)) = self.named_at.iter().find(|(known, _)| known == name) {
            return Ok(Value::Named(*index));
        }
        self.open_values.push(name.to_owned());
        let value = self.value(spec);
        self.open_values.pop();
        let value = value?;
        if self.named.len() == NAMED_MAX || value.asks_for_facts() {
            return Ok(value);
        }
        self.named_at.push((name.to_owned(), self.named.len()));
        self.named.push(value);
        Ok(Value::Named(self.named.len() - 1))
    }

    pub(super) fn template(&mut self, text: &str) -> Compiled<Value> {
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

    pub(super) fn value(&mut self, spec: &ValueSpec) -> Compiled<Value> {
        match spec {
            ValueSpec::Text(text) => self.text_value(text),
            ValueSpec::First(all) => {
                let values: Compiled<Vec<Value>> = all.iter().map(|one| self.value(one)).collect();
                values.map(|all| Value::First(gathered(all)))
            }
            ValueSpec::Table(table) => self.made(table),
        }
    }

    pub(super) fn optional(&mut self, spec: Option<&ValueSpec>) -> Compiled<Option<Value>> {
        spec.map(|spec| self.value(spec)).transpose()
    }

    pub(super) fn made(&mut self, table: &ValueTable) -> Compiled<Value> {
        let capture = table
            .capture
            .as_ref()
            .map(|pattern| {
                let pattern =
                    LazyRegex::new(pattern).or_else(|error| self.wrong(pattern, error))?;
                let asker = Asker::default();
                Ok(Capture { pattern, asker })
            })
            .transpose()?;
        let from = self.value(&table.from)?;
        let of_list = matches!(table.conversion, Some(Conversion::Count | Conversion::Join));
        if of_list {
            self.keep_lists(&from);
        }
        Ok(Value::Made(Box::new(Made {
            when: self.when(table.when.as_ref())?,
            from,
            before: table.before.clone(),
            after: table.after.clone(),
            after_last: table.after_last.clone(),
            capture,
            table: table.table.clone(),
            default: table.default.as_deref().map(Text::from),
            conversion: table.conversion,
        })))
    }

    /// Has the lists at a value's paths kept as such.
    fn keep_lists(&mut self, value: &Value) {
        match value {
            Value::Path(path) => {
                self.shapes.add_element(path.shape);
            }
            Value::First(all) => all.iter().for_each(|one| self.keep_lists(one)),
            _ => {}
        }
    }

    /// A value whose paths are kept whole, whatever they hold.
    pub(super) fn whole(&mut self, spec: Option<&ValueSpec>) -> Compiled<Option<Value>> {
        let value = self.optional(spec)?;
        if let Some(value) = &value {
            self.keep_whole(value);
        }
        Ok(value)
    }

    pub(super) fn keep_whole(&mut self, value: &Value) {
        match value {
            Value::Path(path) => self.shapes.keep_whole(path.shape),
            Value::Children(children) => {
                for (_, path) in &children.slots {
                    self.shapes.keep_whole(path.shape);
                }
            }
            Value::First(all) => all.iter().for_each(|one| self.keep_whole(one)),
            Value::Made(made) => self.keep_whole(&made.from),
            Value::Named(index) => {
                let value = self.named[*index].clone();
                self.keep_whole(&value);
            }
            Value::Own(_) | Value::Constant(_) | Value::Template(_) => {}
        }
    }

    pub(super) fn when(&mut self, spec: Option<&ConditionSpec>) -> Compiled<Option<Condition>> {
        spec.map(|spec| self.condition(spec)).transpose()
    }

    pub(super) fn condition(&mut self, spec: &ConditionSpec) -> Compiled<Condition> {
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
}

/// Fewest paths into one object that are gathered.
const GATHERED_MIN: usize = 3;

/// Gathers runs of plain paths into one object, so that the object is looked up once.
fn gathered(values: Vec<Value>) -> Vec<Value> {
    let mut gathered: Vec<Value> = Vec::new();
    let mut run: Option<Children> = None;
    for value in values {
        let child = child_of(&value);
        match (&mut run, child) {
            (Some(open), Some((parent, slot, path))) if same(&open.parent, &parent) => {
                open.slots.push((slot, path));
            }
            (_, child) => {
                close(run.take(), &mut gathered);
                match child {
                    Some((parent, slot, path)) => {
                        let slots = vec![(slot, path)];
                        run = Some(Children { parent, slots });
                    }
                    None => gathered.push(value),
                }
            }
        }
    }
    close(run, &mut gathered);
    gathered
}

/// The object a plain path ends in, and the slot there.
fn child_of(value: &Value) -> Option<(Path, u32, Path)> {
    let Value::Path(path) = value else {
        return None;
    };
    let Some((Step::Slot(slot), above)) = path.steps.split_last() else {
        return None;
    };
    let parent = Path::new(path.text.clone(), path.shape, path.level, above.to_vec());
    (path.slots.is_some() && !above.is_empty()).then(|| (parent, *slot, path.clone()))
}

/// Whether two plain paths lead to the same place.
fn same(one: &Path, other: &Path) -> bool {
    one.level == other.level && one.slots == other.slots
}

fn close(run: Option<Children>, into: &mut Vec<Value>) {
    match run {
        Some(run) if run.slots.len() >= GATHERED_MIN => into.push(Value::Children(Box::new(run))),
        Some(run) => into.extend(run.slots.into_iter().map(|(_, path)| Value::Path(path))),
        None => {}
    }
}
