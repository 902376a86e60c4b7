//! Text from outside, made safe to look at: deceptive characters become visible, and nothing is
//! endless. Escaping for HTML is the templates' part.

use std::fmt;

use deedtrail_core::visible::{Breaks, visible};

/// Most characters of a short text (names, references); the rest is counted.
const SHORT_CHARACTERS_MAX: usize = 240;
/// Most characters of a long text (raw records, commands); the rest is counted.
const LONG_CHARACTERS_MAX: usize = 64_000;

/// Most characters of a name in a table cell or picture.
const BRIEF_CHARACTERS_MAX: usize = 26;

/// Text as a page shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown(String);

impl Shown {
    /// A name, reference or sentence.
    pub(crate) fn new(text: &str) -> Self {
        Self::cut(text, SHORT_CHARACTERS_MAX)
    }

    /// A name in a table cell or picture: what is cut is marked, not counted.
    pub(crate) fn brief(text: &str) -> Self {
        let all = Self::new(text).0;
        if all.chars().count() <= BRIEF_CHARACTERS_MAX {
            return Self(all);
        }
        let start: String = all.chars().take(BRIEF_CHARACTERS_MAX - 1).collect();
        Self(format!("{start}…"))
    }

    /// A record or command; line breaks and tabs stay.
    pub(crate) fn long(text: &str) -> Self {
        Self::cut(text, LONG_CHARACTERS_MAX)
    }

    /// At most `characters_max` characters.
    pub(crate) fn cut(text: &str, characters_max: usize) -> Self {
        if text.trim().is_empty() {
            return Self("(empty)".to_owned());
        }
        let breaks = if characters_max >= LONG_CHARACTERS_MAX {
            Breaks::Kept
        } else {
            Breaks::Shown
        };
        let mut characters = text.chars();
        let mut shown = visible(characters.by_ref().take(characters_max), breaks);
        let rest = characters.count() as u64;
        if rest > 0 {
            let more = format!("… (+{} characters)", grouped(rest));
            shown.push_str(&more);
        }
        Self(shown)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A count with narrow spaces between groups of three digits.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// `part` of `whole` in percent with one decimal place; `–` when there is no whole.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let tenths = u128::from(part) * 1000 / u128::from(whole);
    if tenths == 0 && part > 0 {
        return "< 0.1 %".to_owned();
    }
    format!("{}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_visible_and_short() {
        assert_eq!(Shown::new("a\u{202e}b").as_str(), "a⟨U+202E⟩b");
        assert_eq!(Shown::new("a\nb\u{0}").as_str(), "a␊b␀");
        assert_eq!(Shown::long("a\nb").as_str(), "a\nb");
        assert_eq!(Shown::new(" ").as_str(), "(empty)", "a link needs a name");
        assert_eq!(Shown::brief(&"x".repeat(99)).as_str().chars().count(), 26);
        let piled = Shown::new(&format!("a{}", "\u{337}".repeat(99)));
        assert!(piled.as_str().ends_with("⟨+95 marks⟩"), "{piled}");
        let long = Shown::new(&"x".repeat(10_000));
        assert!(
            long.as_str().ends_with("… (+9\u{202f}760 characters)"),
            "{long}"
        );
    }

    #[test]
    fn counts_and_shares() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(share(1, 3), "33.3 %");
        assert_eq!(share(1, 100_000), "< 0.1 %");
        assert_eq!(share(0, 0), "–");
        assert_eq!(share(u64::MAX, u64::MAX), "100.0 %");
    }
}
