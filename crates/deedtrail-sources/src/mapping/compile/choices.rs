//! Choices: fields with a closed list of values.

use std::collections::BTreeMap;

use super::{Compiled, Compiler};
use crate::mapping::error::nearest;
use crate::mapping::fields;
use crate::mapping::pattern::Lookup;
use crate::mapping::plan::{Choice, Choices, Interest, ListedField};
use crate::mapping::spec::{AnswerSpec, ChoiceSpec, ChoicesSpec, OneOrMany};

impl Compiler<'_> {
    pub(super) fn choices<T: Copy + PartialEq>(
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

    pub(super) fn table(&self, name: &str) -> Compiled<&BTreeMap<String, OneOrMany>> {
        if let Some(found) = self.tables.get(name).or_else(|| self.shared.get(name)) {
            return Ok(found);
        }
        let known = self.tables.keys().chain(self.shared.keys());
        let hint = nearest(name, known.map(String::as_str))
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        self.wrong(name, format!("no table is called `{name}`{hint}"))
    }

    pub(super) fn answers<T: Copy + PartialEq>(
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

    pub(super) fn closed(
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
            interest: Interest::ALWAYS,
            choices: self.answers(Some(spec), &what, &names, index)?,
            set: field.set,
        })
    }
}
