//! Regular expressions of mappings, compiled when they are used first.
//!
//! The built-in mappings have hundreds, most of them for sources that an installation never sees; to
//! compile them all took more than a third of every command's start.

use std::sync::OnceLock;

use regex::Regex;

/// Longer expressions are compiled at once, bytes. Below it, without counted repetitions, a compiled
/// one stays far from the limit of its size.
const LAZY_BYTES_MAX: usize = 256;

/// An expression that is known to be one.
#[derive(Clone, Debug)]
pub(crate) struct LazyRegex {
    text: Box<str>,
    compiled: OnceLock<Option<Regex>>,
}

impl LazyRegex {
    /// Refuses what is no expression, or too large a one, with the reason.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let may_grow = text.len() > LAZY_BYTES_MAX || text.contains('{');
        let compiled = if may_grow {
            let regex = Regex::new(text).map_err(|error| error.to_string())?;
            OnceLock::from(Some(regex))
        } else {
            regex_syntax::parse(text).map_err(|error| error.to_string())?;
            OnceLock::new()
        };
        Ok(Self {
            text: text.into(),
            compiled,
        })
    }

    pub(crate) const fn as_str(&self) -> &str {
        &self.text
    }

    /// The compiled expression; there always is one, as [`Self::new`] says.
    pub(crate) fn get(&self) -> Option<&Regex> {
        self.compiled
            .get_or_init(|| Regex::new(&self.text).ok())
            .as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_at_once_and_in_the_same_words() {
        for text in ["(", "a**?)", r"\pL{100000}", "[z-a]", r"\q"] {
            let told = LazyRegex::new(text).unwrap_err();
            assert_eq!(told, Regex::new(text).unwrap_err().to_string(), "{text}");
        }
    }

    #[test]
    fn what_is_long_or_repeated_is_compiled_at_once_and_the_rest_at_its_use() {
        let long = "a".repeat(LAZY_BYTES_MAX + 1);
        for (text, at_once) in [("^a+$", false), ("^a{2}$", true), (&*long, true)] {
            let lazy = LazyRegex::new(text).unwrap();
            assert_eq!(lazy.compiled.get().is_some(), at_once, "{text}");
            assert_eq!(lazy.get().map(Regex::as_str), Some(text));
            assert_eq!(lazy.as_str(), text);
        }
    }

    #[test]
    fn what_is_lazy_stays_within_the_limit_of_size() {
        let classes = r"\w".repeat(LAZY_BYTES_MAX / 2);
        let folded = format!("(?i){}", r"\pL".repeat((LAZY_BYTES_MAX - 4) / 3));
        for text in [classes, folded] {
            assert!(LazyRegex::new(&text).unwrap().get().is_some(), "{text}");
        }
    }
}
