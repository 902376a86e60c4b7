//! Names and the values beside them: `"password": "…"`, `{"name": "password", "value": "…"}`,
//! `password=…`.

use std::ops::Range;

use deedtrail_core::port::log::PartClass;

use super::mask::is_mask;
use super::name::{self, Meaning};
use super::parameter;
use super::range::Found;
use super::value::{self, ESCAPES_MAX, Value};

/// Most members between a name and its value.
const MEMBERS_BETWEEN_MAX: usize = 4;

/// Marks what stands beside names that say so.
pub(super) fn names(record: &[u8], found: &mut Found) {
    let mut scan = Scan {
        record,
        found,
        resume: 0,
        arguments_end: 0,
        last_value: None,
        of_kind_secret: None,
        of_agent: None,
    };
    let mut opened = 0;
    for at in memchr::memchr2_iter(b'"', b'=', record) {
        if record[at] == b'=' {
            if at >= scan.resume {
                scan.assignment(at);
            }
            continue;
        }
        let key = opened..at;
        opened = at + 1;
        if at < scan.resume {
            continue;
        }
        match record.get(opened) {
            Some(b':') => scan.key(key, opened + 1),
            Some(b' ' | b'\t' | b'\n' | b'\r') => {
                let colon = value::skip_space(record, opened);
                if record.get(colon) == Some(&b':') {
                    scan.key(key, colon + 1);
                }
            }
            _ => {}
        }
    }
}

/// A key that was read.
struct Key {
    /// Where its opening quote stands, with the backslashes before it.
    start: usize,
    escapes: usize,
    /// Where its value starts.
    value_at: usize,
}

struct Scan<'a> {
    record: &'a [u8],
    found: &'a mut Found,
    /// What lies before is read already.
    resume: usize,
    /// Arguments are not looked for within arguments.
    arguments_end: usize,
    /// The newest `value` key: its name may come after it.
    last_value: Option<Key>,
    of_kind_secret: Option<bool>,
    of_agent: Option<bool>,
}

impl Scan<'_> {
    /// A key from one quote to the next, the colon behind it.
    fn key(&mut self, text: Range<usize>, after_colon: usize) {
        let escapes = value::escapes_before(self.record, text.start, text.end);
        if escapes > ESCAPES_MAX {
            return;
        }
        let name = &self.record[text.start..text.end - escapes];
        let Some(meaning) = name::meaning(name) else {
            return;
        };
        let key = Key {
            start: text.start.saturating_sub(1 + escapes),
            escapes,
            value_at: value::skip_space(self.record, after_colon),
        };
        match meaning {
            Meaning::Name => self.name(&key),
            Meaning::Value => self.last_value = Some(key),
            Meaning::Secret => self.secret(&key),
            Meaning::Agent if !self.is_of_agent() => {}
            Meaning::Arguments | Meaning::Agent => {
                self.mark(key.value_at, key.escapes, PartClass::ToolArguments);
            }
            Meaning::Data if !self.is_of_kind_secret() => {}
            Meaning::Data | Meaning::Secrets => {
                if let Value::Object(inside) = value::at(self.record, key.value_at, key.escapes) {
                    self.resume = inside.end;
                    self.found.add(inside, PartClass::Secret);
                }
            }
        }
    }

    /// The value of a key that holds secrets: a text, or a list of texts. What lies in an object
    /// is judged by its own keys.
    fn secret(&mut self, key: &Key) {
        if self.record.get(key.value_at) != Some(&b'[') {
            self.secret_text(key.value_at, key.escapes);
            return;
        }
        let mut at = value::skip_space(self.record, key.value_at + 1);
        while let Some(end) = self.secret_text(at, key.escapes) {
            let comma = value::skip_space(self.record, end);
            if self.record.get(comma) != Some(&b',') {
                return;
            }
            at = value::skip_space(self.record, comma + 1);
        }
    }

    /// Marks the text at `at` unless it is a mask; one past its closing quote.
    fn secret_text(&mut self, at: usize, escapes: usize) -> Option<usize> {
        let start = value::quote_at(self.record, at, escapes)?;
        let end = value::text_end(self.record, start, escapes);
        if !is_mask(&self.record[start..end]) {
            self.found.add(start..end, PartClass::Secret);
        }
        self.resume = value::after_text(self.record, end, escapes);
        Some(self.resume)
    }

    /// A member whose value is a name: if that name says so, marks the values beside it.
    fn name(&mut self, key: &Key) {
        let Some(start) = value::quote_at(self.record, key.value_at, key.escapes) else {
            return;
        };
        let end = value::text_end(self.record, start, key.escapes);
        let class = match name::meaning(&self.record[start..end]) {
            Some(Meaning::Secret) => PartClass::Secret,
            Some(Meaning::Arguments) => PartClass::ToolArguments,
            _ => return,
        };
        self.value_before(key, class);
        let mut at = value::after_text(self.record, end, key.escapes);
        for _ in 0..MEMBERS_BETWEEN_MAX {
            match self.member(at, key.escapes, class) {
                Some(next) => at = next,
                None => return,
            }
        }
    }

    /// Marks the member right before a name, if it is a value.
    fn value_before(&mut self, name: &Key, class: PartClass) {
        let Some(key) = self.last_value.take() else {
            return;
        };
        // No further than to the name: a value is never read twice.
        let before = &self.record[..name.start];
        let end = match value::at(before, key.value_at, key.escapes) {
            Value::Text(text) => value::after_text(before, text.end, key.escapes),
            Value::Object(inside) | Value::Array(inside) => inside.end + 1,
            Value::Other => return,
        };
        let comma = value::skip_space(self.record, end);
        let next = value::skip_space(self.record, comma + 1);
        if next == name.start && key.escapes == name.escapes {
            self.mark(key.value_at, key.escapes, class);
        }
    }

    /// Reads the member after `at`; marks its value if the key says that it is one. The place
    /// after it, if more members may follow.
    fn member(&mut self, at: usize, escapes: usize, class: PartClass) -> Option<usize> {
        let record = self.record;
        let comma = value::skip_space(record, at);
        if record.get(comma) != Some(&b',') {
            return None;
        }
        let start = value::quote_at(record, value::skip_space(record, comma + 1), escapes)?;
        let end = value::text_end(record, start, escapes);
        let colon = value::skip_space(record, value::after_text(record, end, escapes));
        if record.get(colon) != Some(&b':') {
            return None;
        }
        let value_at = value::skip_space(record, colon + 1);
        if name::meaning(&record[start..end]) == Some(Meaning::Value) {
            return self.mark(value_at, escapes, class);
        }
        match record.get(value_at)? {
            b'{' | b'[' => None,
            b'"' | b'\\' => {
                let start = value::quote_at(record, value_at, escapes)?;
                let end = value::text_end(record, start, escapes);
                Some(value::after_text(record, end, escapes))
            }
            _ => {
                let scalar = record[value_at..].iter();
                let length =
                    scalar.take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
                Some(value_at + length.count())
            }
        }
    }

    /// Marks a whole value; one past it. Arguments are read on: secrets in them stay secrets.
    fn mark(&mut self, at: usize, escapes: usize, class: PartClass) -> Option<usize> {
        let of_arguments = class == PartClass::ToolArguments;
        if of_arguments && at < self.arguments_end {
            return None;
        }
        let (inside, end) = match value::at(self.record, at, escapes) {
            Value::Text(text) => (
                text.clone(),
                value::after_text(self.record, text.end, escapes),
            ),
            Value::Object(inside) => (self.only_text(inside.clone(), escapes), inside.end + 1),
            Value::Array(inside) => (inside.clone(), inside.end + 1),
            Value::Other => return None,
        };
        if of_arguments {
            self.arguments_end = end;
        } else {
            self.resume = end;
        }
        if of_arguments || !is_mask(&self.record[inside.clone()]) {
            self.found.add(inside, class);
        }
        Some(end)
    }

    /// The text of `{"stringValue":"…"}` (OTLP's `AnyValue`), else the object's inside.
    fn only_text(&self, inside: Range<usize>, escapes: usize) -> Range<usize> {
        let text = || {
            let key = value::quote_at(self.record, inside.start, escapes)?;
            let end = value::text_end(self.record, key, escapes);
            let colon = value::after_text(self.record, end, escapes);
            let value_at = value::skip_space(self.record, colon + 1);
            let start = value::quote_at(self.record, value_at, escapes)?;
            let text = start..value::text_end(self.record, start, escapes);
            let after = value::after_text(self.record, text.end, escapes);
            let only = value::skip_space(self.record, after) == inside.end;
            (&self.record[key..end] == b"stringValue" && only).then_some(text)
        };
        text().unwrap_or(inside)
    }

    /// Whether the record speaks of an object of kind Secret; looked up once.
    fn is_of_kind_secret(&mut self) -> bool {
        let record = self.record;
        *self.of_kind_secret.get_or_insert_with(|| {
            memchr::memmem::find_iter(record, b"\"Secret").any(|at| {
                matches!(record.get(at + 7), Some(b'"' | b'\\'))
                    || record[at + 7..].starts_with(b"List")
            })
        })
    }

    /// Whether the record is a message of the Model Context Protocol, or an agent's step as Langfuse
    /// keeps it; looked up once.
    fn is_of_agent(&mut self) -> bool {
        const TOLD_BY: [&[u8]; 4] = [
            b"\"jsonrpc",
            b"\"parentObservationId",
            b"\"parent_observation_id",
            b"\"htmlPath",
        ];
        let record = self.record;
        *self.of_agent.get_or_insert_with(|| {
            let stands = |text: &&[u8]| memchr::memmem::find(record, text).is_some();
            TOLD_BY.iter().any(stands)
        })
    }

    /// `name=value`, the sign at `at`.
    fn assignment(&mut self, at: usize) {
        if let Some(secret) = parameter::assigned(self.record, at..at + 1) {
            self.resume = secret.end;
            if !is_mask(&self.record[secret.clone()]) {
                self.found.add(secret, PartClass::Secret);
            }
        }
    }
}
