//! Answers remembered by text: the same operations, kinds and keys come again and again.
//!
//! What is remembered is what would be found anew, so it changes no answer.

use std::sync::atomic::{AtomicU32, Ordering};

use deedtrail_core::Text;

use super::shape::Ends;

/// Answers of each kind that are remembered; a newer one takes the place of an older one.
const SLOTS: usize = 1024;

/// Who asks: a list of patterns, or a mapping. Two are never the same, except for clones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asker(u32);

impl Asker {
    const NOBODY: Self = Self(0);
}

impl Default for Asker {
    /// Another one.
    fn default() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1))
    }
}

#[derive(Clone, Debug)]
struct Answer {
    asker: Asker,
    text: Text,
    number: u16,
}

/// What one thread remembers.
#[derive(Debug)]
pub(crate) struct Memo {
    answers: Vec<Answer>,
}

impl Default for Memo {
    fn default() -> Self {
        let answer = Answer {
            asker: Asker::NOBODY,
            text: Text::default(),
            number: 0,
        };
        Self {
            answers: vec![answer; SLOTS],
        }
    }
}

impl Memo {
    /// Longer texts are not remembered, bytes.
    pub(crate) const TEXT_BYTES_MAX: usize = 96;

    /// The answer to a text, found by `find` unless it is remembered.
    pub(crate) fn answer(&mut self, asker: Asker, text: &str, find: impl FnOnce() -> u16) -> u16 {
        if text.len() > Self::TEXT_BYTES_MAX {
            return find();
        }
        let known = &mut self.answers[place(text, asker.0)];
        if known.asker != asker || known.text != text {
            *known = Answer {
                asker,
                text: text.into(),
                number: find(),
            };
        }
        known.number
    }
}

fn place(text: &str, salt: u32) -> usize {
    (Ends::of(text.as_bytes()).hash() ^ (salt.wrapping_mul(0x9E37_79B1) >> 16) as usize)
        & (SLOTS - 1)
}
