//! The `deedtrail:` block of a rule: which finding it makes, in which words.

use serde::Deserialize;

use crate::fact;
use crate::field::{self, View};
use crate::limits::TRACE_TEXT_BYTES_MAX;

/// What a match becomes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    /// Id of the finding type.
    pub(super) finding: String,
    pub(super) title: Option<Template>,
    /// Fields whose values, together, make two findings the same; empty: one per rule and day.
    pub(super) pattern: Vec<String>,
    pub(super) reasons: Vec<Template>,
    /// 0 to 1.
    pub(super) confidence: Option<f64>,
}

/// The block as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    finding: String,
    title: Option<String>,
    #[serde(default)]
    pattern: Vec<String>,
    #[serde(default)]
    reasons: Vec<String>,
    confidence: Option<f64>,
}

/// Names a correlation's templates may use beside the fields.
pub(super) const CORRELATION_NAMES: [&str; 2] = ["correlation_value", "correlation_minutes"];

/// Text with fields in braces: `{actor_name} read {target_name}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Words(String),
    Field(String),
}

/// What is wrong with a block, the word to look for in the file, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BlockError {
    pub(super) message: String,
    pub(super) needle: String,
    pub(super) suggestion: Option<String>,
}

impl BlockError {
    fn new(message: String, needle: &str) -> Self {
        Self {
            message,
            needle: needle.to_owned(),
            suggestion: None,
        }
    }

    pub(super) fn unknown_field(name: &str) -> Self {
        Self {
            message: format!("no field is called `{name}`"),
            needle: name.to_owned(),
            suggestion: Some(field::instead_of(name)),
        }
    }
}

impl Block {
    /// Reads and checks a block.
    pub(super) fn read(written: serde_json::Value) -> Result<Self, BlockError> {
        let written = serde_json::from_value::<Written>(written)
            .map_err(|error| BlockError::new(format!("in `deedtrail`: {error}"), "deedtrail:"))?;
        if deedtrail_core::finding::registry::find(&written.finding).is_none() {
            let known = deedtrail_core::finding::registry::all().map(|kind| kind.id);
            return Err(BlockError {
                suggestion: field::nearest(&written.finding, known)
                    .map(|near| format!("did you mean `{near}`?")),
                ..BlockError::new(
                    format!("no finding type is called `{}`", written.finding),
                    &written.finding,
                )
            });
        }
        if let Some(bad) = written
            .pattern
            .iter()
            .find(|name| field::find(name).is_none())
        {
            return Err(BlockError::unknown_field(bad));
        }
        let confidence_fits = written.confidence.is_none_or(|c| (0.0..=1.0).contains(&c));
        if !confidence_fits {
            let message = "`confidence` must lie between 0 and 1".to_owned();
            return Err(BlockError::new(message, "confidence"));
        }
        let title = written
            .title
            .map(|text| Template::read(&text))
            .transpose()?;
        let reasons = written.reasons.iter().map(|text| Template::read(text));
        Ok(Self {
            finding: written.finding,
            title,
            pattern: written.pattern,
            reasons: reasons.collect::<Result<_, _>>()?,
            confidence: written.confidence,
        })
    }
}

impl Template {
    fn read(text: &str) -> Result<Self, BlockError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((words, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                let message = "an opening brace without a closing one".to_owned();
                return Err(BlockError::new(message, text));
            };
            if field::find(name).is_none() && !CORRELATION_NAMES.contains(&name) {
                return Err(BlockError::unknown_field(name));
            }
            pieces.push(Piece::Words(words.to_owned()));
            pieces.push(Piece::Field(name.to_owned()));
            rest = after;
        }
        pieces.push(Piece::Words(rest.to_owned()));
        Ok(Self { pieces })
    }

    /// The text with the event's values; `extra` holds the correlation's.
    pub(super) fn fill(&self, view: &View<'_>, extra: &[(&str, String)]) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Words(words) => text.push_str(words),
                Piece::Field(name) => {
                    let own = extra.iter().find(|(known, _)| known == name);
                    let value = own
                        .map(|(_, value)| value.clone())
                        .or_else(|| view.get(name).map(|value| value.to_text()))
                        .unwrap_or_else(|| "unknown".to_owned());
                    text.push_str(&fact::cut(&value, TRACE_TEXT_BYTES_MAX));
                }
            }
        }
        text
    }
}
