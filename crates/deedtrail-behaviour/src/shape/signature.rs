//! A session's signature: its symbols with their exact numbers, elastic ones without.

use serde::{Deserialize, Serialize};

/// Number of an elastic symbol in a signature: "any".
pub(crate) const ANY: u16 = u16::MAX;
/// Distance between a signature with an elastic symbol and one without it.
const ELASTIC_STEP: f64 = 0.5;
/// Signatures seen within this many days do not vanish when counts are halved.
const RECENT_DAYS: u16 = 30;

/// (symbol, number), by symbol.
pub(crate) type Pairs = Vec<(u32, u16)>;

/// A known signature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Signature {
    pub(crate) hash: u64,
    pub(crate) pairs: Box<[(u32, u16)]>,
    pub(crate) sessions: u16,
    pub(crate) day: u16,
}

impl Signature {
    pub(crate) fn of(pairs: &[(u32, u16)], sessions: u16, day: u16) -> Self {
        Self {
            hash: hash(pairs),
            pairs: pairs.into(),
            sessions,
            day,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.sessions = self.sessions.saturating_add(other.sessions);
        self.day = self.day.max(other.day);
    }

    pub(crate) fn halve(&mut self, today: u16) {
        let recent = today.saturating_sub(self.day) < RECENT_DAYS;
        self.sessions = self.sessions / 2 + (self.sessions % 2) * u16::from(recent);
    }
}

/// Counts the symbols of a session into `pairs`.
pub(crate) fn count(session: &[u32], pairs: &mut Pairs) {
    pairs.clear();
    pairs.extend(session.iter().map(|symbol| (*symbol, 1)));
    pairs.sort_unstable();
    pairs.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 = kept.1.saturating_add(1).min(ANY - 1);
        }
        same
    });
}

pub(crate) fn hash(pairs: &[(u32, u16)]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for (symbol, number) in pairs {
        let pair = (u64::from(*symbol) << 16) | u64::from(*number);
        state = (state ^ pair).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state ^= state >> 31;
    }
    state
}

/// Sum of the differences in number, symbol by symbol; ends early above `limit`.
pub(crate) fn distance(left: &[(u32, u16)], right: &[(u32, u16)], limit: f64) -> f64 {
    let (mut at, mut other, mut sum) = (0, 0, 0.0);
    while (at < left.len() || other < right.len()) && sum < limit {
        let (number, beside) = aligned(left, right, &mut at, &mut other).1;
        sum += step(number, beside);
    }
    sum
}

/// Calls `each` with (symbol, number left, number right, distance) where they differ.
pub(crate) fn differences(
    left: &[(u32, u16)],
    right: &[(u32, u16)],
    mut each: impl FnMut(u32, u16, u16, f64),
) {
    let (mut at, mut other) = (0, 0);
    while at < left.len() || other < right.len() {
        let (symbol, (number, beside)) = aligned(left, right, &mut at, &mut other);
        let distance = step(number, beside);
        if distance > 0.0 {
            each(symbol, number, beside, distance);
        }
    }
}

/// The next symbol of either side, with its number on both; 0 where a side lacks it.
fn aligned(
    left: &[(u32, u16)],
    right: &[(u32, u16)],
    at: &mut usize,
    other: &mut usize,
) -> (u32, (u16, u16)) {
    let first = left.get(*at).copied();
    let second = right.get(*other).copied();
    let symbol = match (first, second) {
        (Some(first), Some(second)) => first.0.min(second.0),
        (Some(one), None) | (None, Some(one)) => one.0,
        (None, None) => return (0, (0, 0)),
    };
    let mine = first.filter(|pair| pair.0 == symbol);
    let theirs = second.filter(|pair| pair.0 == symbol);
    *at += usize::from(mine.is_some());
    *other += usize::from(theirs.is_some());
    (
        symbol,
        (
            mine.map_or(0, |pair| pair.1),
            theirs.map_or(0, |pair| pair.1),
        ),
    )
}

fn step(number: u16, beside: u16) -> f64 {
    if number == beside {
        0.0
    } else if number == ANY || beside == ANY {
        ELASTIC_STEP
    } else {
        f64::from(number.abs_diff(beside))
    }
}
