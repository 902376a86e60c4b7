//! A source by the name somebody typed, or the names that come close; and those of anything else.

use std::fmt;

use deedtrail_core::id::SourceName;

/// Names this similar to what was asked for are suggested (0 to 1, Jaro-Winkler).
const SIMILARITY_MIN: f64 = 0.8;
/// Similarity of a name to a part of it, such as `cloudtrail`.
const PART_SIMILARITY: f64 = 0.95;
/// Names this much less similar than the nearest are not suggested.
const SIMILARITY_GAP: f64 = 0.1;
/// Fewest characters that count as a part of a name.
const PART_CHARACTERS_MIN: usize = 3;
/// Most names suggested.
pub const SUGGESTIONS_MAX: usize = 3;
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
        f.write_str(&did_you_mean(&self.near))
    }
}

/// The source of that name among those that are known.
pub fn known_source(
    name: &str,
    known: impl IntoIterator<Item = SourceName>,
) -> Result<SourceName, UnknownSource> {
    let name: String = name.chars().take(NAME_CHARACTERS_MAX).collect();
    let mut others = Vec::new();
    for source in known {
        if source.as_str() == name {
            return Ok(source);
        }
        others.push(source);
    }
    let near = nearest(&name, others, SourceName::as_str);
    Err(UnknownSource { name, near })
}

/// Those of `known` whose name comes close to what somebody typed, the nearest first, at most
/// [`SUGGESTIONS_MAX`].
pub fn nearest<T>(
    typed: &str,
    known: impl IntoIterator<Item = T>,
    name: impl Fn(&T) -> &str,
) -> Vec<T> {
    let typed: String = typed.chars().take(NAME_CHARACTERS_MAX).collect();
    let known = known.into_iter();
    let mut near: Vec<(f64, T)> = known
        .map(|one| (similarity(&typed, name(&one)), one))
        .filter(|(score, _)| *score >= SIMILARITY_MIN)
        .collect();
    let best = near.iter().map(|(score, _)| *score).fold(0.0, f64::max);
    near.retain(|(score, _)| *score >= best - SIMILARITY_GAP);
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near = near.into_iter().take(SUGGESTIONS_MAX);
    near.map(|(_, one)| one).collect()
}

/// The end of a sentence that says something is unknown: empty when nothing comes close.
pub fn did_you_mean(near: &[impl fmt::Display]) -> String {
    let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    if near.is_empty() {
        return String::new();
    }
    format!("; did you mean {}?", near.join(", "))
}

fn similarity(typed: &str, name: &str) -> f64 {
    let (folded, name) = (typed.to_lowercase(), name.to_lowercase());
    let name: String = name.chars().take(NAME_CHARACTERS_MAX).collect();
    if folded.chars().count() >= PART_CHARACTERS_MIN && name.contains(folded.as_str()) {
        return PART_SIMILARITY;
    }
    strsim::jaro_winkler(&folded, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_come_close_are_suggested() {
        let known = [
            "aws.cloudtrail",
            "aws.guardduty",
            "okta.system",
            "github.audit",
        ];
        let suggested = |typed: &str| {
            let known = known.map(|name| SourceName::new(name).unwrap());
            known_source(typed, known).unwrap_err().to_string()
        };
        for (typed, meant) in [
            ("aws.cloudtral", "; did you mean `aws.cloudtrail`?"),
            ("AWS.CloudTrail", "; did you mean `aws.cloudtrail`?"),
            ("cloudtrail", "; did you mean `aws.cloudtrail`?"),
            ("okta", "; did you mean `okta.system`?"),
            ("github.adit", "; did you mean `github.audit`?"),
            ("foo", ""),
            ("", ""),
        ] {
            assert_eq!(
                suggested(typed),
                format!("no source is called `{typed}`{meant}")
            );
        }
    }
}
