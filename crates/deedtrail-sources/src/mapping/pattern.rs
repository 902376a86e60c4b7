//! Patterns on values, and look-ups of values in lists of patterns.

use std::cell::RefCell;

use deedtrail_core::Text;
use memchr::memmem;

use crate::lazy_regex::LazyRegex;
use crate::record::{Asker, KeyTable, Memo};

/// One pattern.
#[derive(Clone, Debug)]
enum Pattern {
    Present,
    Exact(Text),
    /// `prefix*suffix`; either may be empty.
    Around(Text, Text),
    /// Any other glob: what stands between its stars.
    Glob(Vec<Text>),
    Regex(Box<LazyRegex>),
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Present);
        }
        if text.len() > 2 && text.starts_with('/') && text.ends_with('/') {
            let inside = text.trim_start_matches('/').trim_end_matches('/');
            return Ok(Self::Regex(Box::new(LazyRegex::new(inside)?)));
        }
        let parts: Vec<&str> = text.split('*').collect();
        Ok(match parts.as_slice() {
            [exact] => Self::Exact((*exact).into()),
            [before, after] => Self::Around((*before).into(), (*after).into()),
            _ => Self::Glob(parts.into_iter().map(Text::from).collect()),
        })
    }

    /// From so much work on, a remembered answer is cheaper than a new one.
    const SLOW: usize = 4;

    /// About how long it takes to try, in comparisons.
    const fn work(&self) -> usize {
        match self {
            Self::Present => 0,
            Self::Exact(_) | Self::Around(..) => 1,
            Self::Glob(_) | Self::Regex(_) => Self::SLOW,
        }
    }

    /// How telling it is that a value fits: one with hardly a letter in it is not.
    fn strength(&self) -> u32 {
        const TELLING_BYTES_MIN: usize = 4;
        let letters = match self {
            Self::Present => 0,
            Self::Exact(_) => return 4,
            Self::Around(before, after) => before.len() + after.len(),
            Self::Glob(parts) => parts.iter().map(Text::len).sum(),
            Self::Regex(regex) => regex.as_str().len(),
        };
        2 + u32::from(letters >= TELLING_BYTES_MIN)
    }

    #[inline]
    fn matches(&self, value: &str) -> bool {
        match self {
            Self::Present => true,
            Self::Exact(exact) => value == exact.as_str(),
            Self::Around(before, after) => {
                value.len() >= before.len() + after.len()
                    && value.starts_with(before.as_str())
                    && value.ends_with(after.as_str())
            }
            Self::Glob(parts) => glob(parts, value),
            Self::Regex(regex) => regex.get().is_some_and(|regex| regex.is_match(value)),
        }
    }
}

/// Whether `value` has all `parts` in order, the first at its start and the last at its end.
fn glob(parts: &[Text], value: &str) -> bool {
    let [first, middle @ .., last] = parts else {
        return false;
    };
    let Some(mut rest) = value.as_bytes().strip_prefix(first.as_bytes()) else {
        return false;
    };
    for part in middle {
        match memmem::find(rest, part.as_bytes()) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last.as_bytes())
}

/// Patterns of which one must match, and negated ones of which none may.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns {
    wanted: Vec<Pattern>,
    refused: Vec<Pattern>,
    asker: Asker,
    /// So much work that answers are worth remembering.
    slow: bool,
    /// One of them is for any value.
    presence: bool,
}

impl Patterns {
    pub(crate) fn parse<'t>(texts: impl Iterator<Item = &'t str>) -> Result<Self, String> {
        let mut patterns = Self::default();
        for text in texts {
            match text.strip_prefix('!') {
                Some(refused) => patterns.refused.push(Pattern::parse(refused)?),
                None => patterns.wanted.push(Pattern::parse(text)?),
            }
        }
        let all = patterns.wanted.iter().chain(&patterns.refused);
        patterns.presence = all.clone().any(|one| matches!(one, Pattern::Present));
        let work: usize = all.map(Pattern::work).sum();
        patterns.slow = work >= Pattern::SLOW;
        Ok(patterns)
    }

    /// Whether a value, or its absence, fits.
    #[inline]
    pub(crate) fn match_value(&self, value: Option<&str>, memo: &RefCell<Memo>) -> bool {
        match value {
            Some(value) if self.slow => {
                let fits = || u16::from(self.fits(value));
                memo.borrow_mut().answer(self.asker, value, fits) == 1
            }
            Some(value) => self.fits(value),
            None => self.fits_absence(),
        }
    }

    #[inline]
    fn fits(&self, value: &str) -> bool {
        (self.wanted.is_empty() || self.wanted.iter().any(|one| one.matches(value)))
            && !self.refused.iter().any(|one| one.matches(value))
    }

    /// Whether no value at all fits.
    pub(crate) const fn fits_absence(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Whether it matters that a value without a text is there.
    pub(crate) const fn asks_presence(&self) -> bool {
        self.presence
    }

    /// How telling it is that a value fits: exact texts most, its absence least.
    pub(crate) fn strength(&self) -> u32 {
        let wanted = self.wanted.iter().map(Pattern::strength);
        wanted.min().unwrap_or(1)
    }

    /// The texts it is a plain list of, if it is one.
    pub(crate) fn exact_values(&self) -> Option<Vec<&str>> {
        let exact = |pattern: &'_ Pattern| matches!(pattern, Pattern::Exact(_));
        if !self.refused.is_empty() || !self.wanted.iter().all(exact) {
            return None;
        }
        let values = self.wanted.iter().filter_map(|pattern| match pattern {
            Pattern::Exact(text) => Some(text.as_str()),
            _ => None,
        });
        Some(values.collect())
    }
}

/// Values to answers by exact name, else by the longest pattern that fits.
#[derive(Clone, Debug)]
pub(crate) struct Lookup<T> {
    names: KeyTable,
    answers: Vec<T>,
    /// Longest prefix first; index by first byte in `heads`.
    prefixes: Vec<(Text, T)>,
    heads: Vec<Vec<u16>>,
    /// All other patterns, most literal characters first.
    others: Vec<(usize, Pattern, T)>,
    asker: Asker,
}

impl<T> Default for Lookup<T> {
    fn default() -> Self {
        Self {
            names: KeyTable::default(),
            answers: Vec::new(),
            prefixes: Vec::new(),
            heads: Vec::new(),
            others: Vec::new(),
            asker: Asker::default(),
        }
    }
}

impl<T: Copy + PartialEq> Lookup<T> {
    /// Adds a pattern. Refuses an exact name that already has another answer.
    pub(crate) fn add(&mut self, text: &str, answer: T) -> Result<(), String> {
        match Pattern::parse(text)? {
            Pattern::Exact(name) => {
                let index = self.names.insert(&name) as usize;
                if index == self.answers.len() {
                    self.answers.push(answer);
                } else if self.answers[index] != answer {
                    return Err(format!("`{text}` has two answers"));
                }
            }
            Pattern::Around(prefix, after) if after.is_empty() && !prefix.is_empty() => {
                self.prefixes.push((prefix, answer));
            }
            other => self
                .others
                .push((text.chars().filter(|c| *c != '*').count(), other, answer)),
        }
        Ok(())
    }

    /// To be called once after the last [`Lookup::add`].
    pub(crate) fn finish(&mut self) {
        self.prefixes
            .sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        self.others
            .sort_by_key(|(literal, _, _)| std::cmp::Reverse(*literal));
        self.heads = vec![Vec::new(); 256];
        for (index, (prefix, _)) in self.prefixes.iter().enumerate() {
            let head = prefix.as_bytes().first().copied().unwrap_or_default();
            self.heads[usize::from(head)].push(u16::try_from(index).unwrap_or(u16::MAX));
        }
    }

    pub(crate) fn find(&self, value: &str, memo: &RefCell<Memo>) -> Option<T> {
        if let Some(index) = self.names.find(value.as_bytes()) {
            return self.answers.get(index as usize).copied();
        }
        if self.prefixes.is_empty() && self.others.is_empty() {
            return None;
        }
        // Patterns are numbered from 1: prefixes, then the others.
        let number = |index: Option<usize>| {
            let number = index.map_or(0, |index| index + 1);
            u16::try_from(number).unwrap_or(0)
        };
        let found = memo
            .borrow_mut()
            .answer(self.asker, value, || number(self.pattern(value)));
        let index = usize::from(found).checked_sub(1)?;
        let prefix = self.prefixes.get(index).map(|(_, answer)| *answer);
        let other = || self.others.get(index - self.prefixes.len());
        prefix.or_else(|| other().map(|(_, _, answer)| *answer))
    }

    /// Index of the longest pattern that fits: of a prefix, or of another behind all prefixes.
    fn pattern(&self, value: &str) -> Option<usize> {
        let head = usize::from(*value.as_bytes().first()?);
        let candidates = self.heads.get(head).map_or(&[][..], Vec::as_slice);
        let prefix = candidates
            .iter()
            .map(|index| usize::from(*index))
            .find(|index| value.starts_with(self.prefixes[*index].0.as_str()));
        let least = prefix.map_or(0, |index| self.prefixes[index].0.len());
        let others = self.others.iter();
        let other = others
            .take_while(|(literal, _, _)| prefix.is_none() || *literal > least)
            .position(|(_, pattern, _)| pattern.matches(value));
        other.map(|index| self.prefixes.len() + index).or(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_beats_longest_beats_shorter() {
        let mut lookup = Lookup::default();
        for (text, answer) in [
            ("List*", 1),
            ("ListKeys", 2),
            ("ListK*", 3),
            ("*Tags", 4),
            ("*", 5),
        ] {
            lookup.add(text, answer).unwrap();
        }
        assert!(lookup.add("ListKeys", 9).is_err());
        lookup.finish();
        let memo = RefCell::default();
        for (value, answer) in [
            ("ListKeys", 2),
            ("ListKings", 3),
            ("ListXTags", 1),
            ("PutTags", 4),
            ("Q", 5),
        ] {
            assert_eq!(lookup.find(value, &memo), Some(answer), "{value}");
            assert_eq!(
                lookup.find(value, &memo),
                Some(answer),
                "{value}, remembered"
            );
        }
    }

    #[test]
    fn negated_patterns_hold_for_absent_values() {
        let memo = RefCell::default();
        let check = |texts: &[&str], value: Option<&str>, fits: bool| {
            let patterns = Patterns::parse(texts.iter().copied()).unwrap();
            for _ in 0..2 {
                assert_eq!(
                    patterns.match_value(value, &memo),
                    fits,
                    "{texts:?} {value:?}"
                );
            }
        };
        check(&["!*"], None, true);
        check(&["!*"], Some("x"), false);
        check(&["*"], None, false);
        check(&["a*z", "/^q+$/"], Some("abcz"), true);
        check(&["a*z", "/^q+$/"], Some("qq"), true);
        check(&["!Yes", "!No"], Some("maybe"), true);
        check(&["a*b*c"], Some("a--b--c"), true);
        check(&["*in*side*"], Some("-in-side"), true);
        check(&["a*b*b"], Some("ab"), false);
        assert!(Patterns::parse(["/(/"].into_iter()).is_err());
    }
}
