//! From text to a charter, with mistakes by line, column and what was probably meant.

use std::fmt;

use serde::de::DeserializeOwned;

use super::{Charter, Lines};
use crate::charter::Compiled;
use crate::limits::TEXT_BYTES_MAX;

/// A mistake in a charter or unsafe sequence; lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    pub file: String,
    pub line: u32,
    pub column: u32,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            message,
        } = self;
        write!(f, "{file}:{line}:{column}: {message}")
    }
}

impl std::error::Error for Problem {}

/// A charter with the text it was read from.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    pub charter: Charter,
    pub text: String,
}

/// Reads a charter and checks all of it; `file` is what mistakes are reported for.
pub fn parse(file: &str, text: &str) -> Result<Written, Problem> {
    let charter: Charter = parse_yaml(file, text)?;
    let written = Written {
        charter,
        text: text.to_owned(),
    };
    match Compiled::new(&written, 0) {
        Ok(_) => Ok(written),
        Err(mistake) => Err(Problem {
            file: file.to_owned(),
            line: mistake.place.line(Lines::of(text)),
            column: 1,
            message: mistake.message,
        }),
    }
}

/// The size limit of a text.
pub(crate) fn too_long(file: &str, text: &str) -> Option<Problem> {
    (text.len() > TEXT_BYTES_MAX).then(|| Problem {
        file: file.to_owned(),
        line: 1,
        column: 1,
        message: format!(
            "{} bytes are too much: a text has at most {TEXT_BYTES_MAX}",
            text.len()
        ),
    })
}

/// Reads YAML into a form of ours.
pub(crate) fn parse_yaml<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Problem> {
    if let Some(problem) = too_long(file, text) {
        return Err(problem);
    }
    yaml_serde::from_str(text).map_err(|error| {
        let at = error.location();
        let place = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let said = error.to_string();
        Problem {
            file: file.to_owned(),
            line: at.as_ref().map_or(1, |at| place(at.line())),
            column: at.as_ref().map_or(1, |at| place(at.column())),
            message: with_suggestion(without_place(&said)),
        }
    })
}

/// The message without ` at line 3 column 5`, which the problem says itself.
fn without_place(said: &str) -> &str {
    match said.rsplit_once(" at line ") {
        Some((message, place)) if place.contains("column") => message,
        _ => said,
    }
}

/// Adds what was probably meant to a message about an unknown name: the first name in back ticks is
/// the wrong one, those after it are what there is.
fn with_suggestion(message: &str) -> String {
    if !message.contains("unknown field") && !message.contains("unknown variant") {
        return message.to_owned();
    }
    let after = message.find("unknown ").and_then(|at| message.get(at..));
    let mut quoted = after.unwrap_or_default().split('`').skip(1).step_by(2);
    let Some(wrong) = quoted.next() else {
        return message.to_owned();
    };
    match nearest(wrong, quoted) {
        Some(meant) => format!("{message}; did you mean `{meant}`?"),
        None => message.to_owned(),
    }
}

/// The name closest to `wrong`, if it is close at all.
pub(crate) fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let near = names.map(|name| (strsim::damerau_levenshtein(wrong, name), name));
    let limit = (wrong.chars().count() / 3).max(2);
    near.min()
        .filter(|(distance, _)| *distance <= limit)
        .map(|(_, name)| name)
}
