//! A source by the name somebody typed, or the names that come close.

use std::fmt;

use deedtrail_core::id::SourceName;

/// Names this similar to what was asked for are suggested (0 to 1, Jaro-Winkler).
const SIMILARITY_MIN: f64 = 0.7;
/// Most names suggested.
const SUGGESTIONS_MAX: usize = 3;
/// Most characters of what was asked for that are compared and repeated.
const NAME_CHARACTERS_MAX: usize = 80;

/// No source has that name; says which names come close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSource {
    name: String,
    /// Nearest first.
    near: Vec<SourceName>,
}

impl std::error::Error for UnknownSource {}

impl fmt::Display for UnknownSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no source is called `{}`", self.name)?;
        let near: Vec<String> = self.near.iter().map(|name| format!("`{name}`")).collect();
        if near.is_empty() {
            return Ok(());
        }
        write!(f, "; did you mean {}?", near.join(", "))
    }
}

/// The source of that name among those that are known.
pub fn known_source(
    name: &str,
    known: impl IntoIterator<Item = SourceName>,
) -> Result<SourceName, UnknownSource> {
    let name: String = name.chars().take(NAME_CHARACTERS_MAX).collect();
    let mut near = Vec::new();
    for source in known {
        if source.as_str() == name {
            return Ok(source);
        }
        near.push((strsim::jaro_winkler(&name, source.as_str()), source));
    }
    near.retain(|(score, _)| *score >= SIMILARITY_MIN);
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near = near.into_iter().take(SUGGESTIONS_MAX);
    let near = near.map(|(_, source)| source).collect();
    Err(UnknownSource { name, near })
}
