//! How records come: within an object, as lines of text.

use super::{Compiled, Compiler};
use crate::framing::Envelope;
use crate::mapping::spec::{OneOrMany, TextSpec, TextTable};
use crate::record::line::{Csv, Form, PAIRS_GROUP, Pairs, Pattern};

impl Compiler<'_> {
    pub(super) fn envelopes(&self, texts: &[String]) -> Compiled<Vec<Envelope>> {
        let parsed = texts
            .iter()
            .map(|text| Envelope::parse(text).or_else(|message| self.wrong(text, message)));
        parsed.collect()
    }

    pub(super) fn form(&self, spec: Option<&TextSpec>) -> Compiled<Option<Form>> {
        let form = match spec {
            None => return Ok(None),
            Some(TextSpec::Named(name)) if name == "cef" => Form::Cef,
            Some(TextSpec::Named(name)) => {
                return self.wrong(
                    name,
                    format!("`{name}` is not `cef`, nor a table with `pattern`, `pairs` or `csv`"),
                );
            }
            Some(TextSpec::Table(table)) => self.table_form(table)?,
        };
        Ok(Some(form))
    }

    fn table_form(&self, table: &TextTable) -> Compiled<Form> {
        let pairs = self.pairs(table)?;
        match (&table.pattern, pairs, &table.csv) {
            (Some(patterns), pairs, None) => self.patterns(patterns, pairs),
            (None, Some(pairs), None) => Ok(Form::Pairs(pairs)),
            (None, None, Some(separator)) => {
                let [separator @ (b' '..=b'~' | b'\t')] = separator.as_bytes() else {
                    let message = format!("`csv = \"{separator}\"` is not one ASCII character");
                    return self.wrong("csv", message);
                };
                Ok(Form::Csv(Csv {
                    separator: *separator,
                    columns: table.columns.clone(),
                }))
            }
            _ => self.wrong(
                "text",
                "`text` is one of `pattern`, `pairs` and `csv`; only `pattern` and `pairs` go together",
            ),
        }
    }

    fn pairs(&self, table: &TextTable) -> Compiled<Option<Pairs>> {
        let sign = table.sign.as_deref().unwrap_or("=");
        let Some(separator) = &table.pairs else {
            return Ok(None);
        };
        if separator.is_empty() || sign.trim().is_empty() {
            return self.wrong("pairs", "`pairs` and `sign` are not empty");
        }
        Ok(Some(Pairs {
            separator: separator.clone(),
            sign: sign.to_owned(),
        }))
    }

    fn patterns(&self, patterns: &OneOrMany, pairs: Option<Pairs>) -> Compiled<Form> {
        let texts = patterns.as_slice().iter();
        let compiled: Compiled<Vec<Pattern>> = texts
            .map(|text| Pattern::new(text).or_else(|message| self.wrong(text, message)))
            .collect();
        let compiled = compiled?;
        if pairs.is_some() && !compiled.iter().any(|one| one.has_group(PAIRS_GROUP)) {
            let message = format!("no pattern has a group `(?<{PAIRS_GROUP}>…)` for the pairs");
            return self.wrong("pairs", message);
        }
        Ok(Form::Patterns(compiled, pairs))
    }
}
