//! Symbols: what an action is to the models. Action, operation, outcome and class of target.

use deedtrail_core::Text;
use deedtrail_core::event::{Event, OutcomeClass};
use indexmap::IndexSet;
use serde::{Deserialize, Serialize};

use crate::limits::{SYMBOL_BYTES_MAX, SYMBOLS_MAX};
use crate::sequence::{BEGIN, END, OTHER};

/// Between the parts of a key; no operation has it.
const SEPARATOR: char = '\u{1f}';
/// Symbols before this one are reserved.
const FIRST: u32 = OTHER + 1;

/// A tenant's symbols, numbered as they come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dictionary {
    keys: IndexSet<Text>,
}

impl Dictionary {
    /// The symbol of an event.
    pub(crate) fn symbol(&mut self, event: &Event) -> u32 {
        let key = key_of(event);
        let known = self.keys.get_index_of(key.as_str());
        let place = match known {
            Some(place) => place,
            None if self.keys.len() >= SYMBOLS_MAX => return OTHER,
            None => self.keys.insert_full(Text::new(&key)).0,
        };
        FIRST + u32::try_from(place).unwrap_or(0)
    }

    /// What people read: the operation, its outcome unless it succeeded, and the class of target.
    pub(crate) fn label(&self, symbol: u32) -> String {
        match symbol {
            BEGIN => return "the beginning".to_owned(),
            END => return "the end of the session".to_owned(),
            _ => {}
        }
        let place = usize::try_from(symbol.saturating_sub(FIRST)).unwrap_or(usize::MAX);
        let key = (symbol >= FIRST)
            .then(|| self.keys.get_index(place))
            .flatten();
        let Some(key) = key else {
            return "something else".to_owned();
        };
        let mut parts = key.split(SEPARATOR).skip(1);
        let mut part = || parts.next().unwrap_or_default();
        let (operation, outcome, class) = (part(), part(), part());
        let outcome = if outcome.is_empty() {
            String::new()
        } else {
            format!(" ({outcome})")
        };
        let class = if class.is_empty() {
            String::new()
        } else {
            format!(" on {class}")
        };
        format!("`{operation}`{outcome}{class}")
    }
}

fn key_of(event: &Event) -> String {
    let mapped = &event.mapped;
    let outcome = match mapped.outcome {
        OutcomeClass::Success | OutcomeClass::Unknown => "",
        failed => failed.name(),
    };
    let mut key = String::with_capacity(64);
    key.push_str(mapped.action.name());
    for part in [
        &mapped.operation,
        outcome,
        mapped.target_kind.as_deref().unwrap_or_default(),
    ] {
        key.push(SEPARATOR);
        push(&mut key, part);
    }
    key
}

/// Adds text without separators, cut where it is too long.
fn push(key: &mut String, text: &str) {
    let cut = text.floor_char_boundary(SYMBOL_BYTES_MAX);
    let kept = text.get(..cut).unwrap_or_default();
    key.extend(kept.chars().filter(|c| *c != SEPARATOR));
}
