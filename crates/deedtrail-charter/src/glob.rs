//! Patterns with `*` for anything, ignoring ASCII case. No regular expressions: one pass per part.

use crate::limits::PATTERN_BYTES_MAX;

/// One pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    /// What stands between the stars.
    parts: Vec<Box<str>>,
    from_start: bool,
    to_end: bool,
}

impl Glob {
    /// Compiles a pattern; an error says what is wrong with it.
    pub fn new(pattern: &str) -> Result<Self, String> {
        if pattern.is_empty() {
            return Err("a pattern is empty; write `*` for anything".to_owned());
        }
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(format!(
                "a pattern has {} bytes; at most {PATTERN_BYTES_MAX} are allowed",
                pattern.len()
            ));
        }
        let parts = pattern.split('*').filter(|part| !part.is_empty());
        Ok(Self {
            parts: parts.map(Box::from).collect(),
            from_start: !pattern.starts_with('*'),
            to_end: !pattern.ends_with('*'),
        })
    }

    /// Whether the whole of `text` fits.
    pub fn matches(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let Some((first, others)) = self.parts.split_first() else {
            return true;
        };
        if others.is_empty() && self.from_start && self.to_end {
            return text.eq_ignore_ascii_case(first.as_bytes());
        }
        let mut rest = text;
        let mut middle = self.parts.as_slice();
        if self.from_start {
            let Some(after) = without_prefix(rest, first.as_bytes()) else {
                return false;
            };
            (rest, middle) = (after, others);
        }
        if self.to_end {
            let Some((last, before)) = middle.split_last() else {
                return false;
            };
            let Some(start) = rest.len().checked_sub(last.len()) else {
                return false;
            };
            if !rest[start..].eq_ignore_ascii_case(last.as_bytes()) {
                return false;
            }
            (rest, middle) = (&rest[..start], before);
        }
        for part in middle {
            let Some(after) = after_first(rest, part.as_bytes()) else {
                return false;
            };
            rest = after;
        }
        true
    }
}

fn without_prefix<'t>(text: &'t [u8], prefix: &[u8]) -> Option<&'t [u8]> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// What comes after the first occurrence of `part`, which is not empty.
fn after_first<'t>(text: &'t [u8], part: &[u8]) -> Option<&'t [u8]> {
    let first = part.first()?;
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    let mut rest = text;
    loop {
        rest = rest.get(memchr::memchr2(lower, upper, rest)?..)?;
        let (start, after) = rest.split_at_checked(part.len())?;
        if start.eq_ignore_ascii_case(part) {
            return Some(after);
        }
        rest = rest.get(1..)?;
    }
}

/// Patterns of which any suffices; none is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Globs(Vec<Glob>);

impl Globs {
    pub(crate) fn new(patterns: &[String]) -> Result<Self, String> {
        patterns
            .iter()
            .map(|pattern| Glob::new(pattern))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn any(&self, text: &str) -> bool {
        self.0.iter().any(|glob| glob.matches(text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).unwrap().matches(text)
    }

    #[test]
    fn stars_stand_for_anything() {
        assert!(check("iam:List*", "iam:ListRoles"));
        assert!(check("IAM:listroles", "iam:ListRoles"));
        assert!(check("*:role/ci-*", "arn:aws:iam::1:role/ci-deployer"));
        assert!(check("a*b*c", "a--b--c"));
        assert!(check("*", ""));
        assert!(check("*ab", "abab"));
        assert!(!check("a*b*c", "a--c--b"));
        assert!(!check("iam:List*", "sts:iam:ListRoles"));
        assert!(!check("abc", "abcd"));
        assert!(!check("ab*ba", "aba"));
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_definition(pattern in "[ab*]{1,6}", text in "[ab]{0,8}") {
            prop_assert_eq!(check(&pattern, &text), plain(pattern.as_bytes(), text.as_bytes()));
        }
    }

    fn plain(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => {
                plain(rest, text) || text.split_first().is_some_and(|(_, t)| plain(pattern, t))
            }
            (Some((p, rest)), Some((t, others))) => p == t && plain(rest, others),
            _ => false,
        }
    }
}
