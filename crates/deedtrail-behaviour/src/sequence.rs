//! The next action: prediction by partial matching, escape method C (Moffat 1990), on a table of
//! counts. `P_k(s) = (c_k(s) + q_k P_{k-1}(s)) / (T_k + q_k)`.

use crate::limits::DEPTH_MAX;
use crate::table::Counts;

/// Before the first symbol.
pub(crate) const BEGIN: u32 = 1;
/// After the last one.
pub(crate) const END: u32 = 2;
/// A symbol the dictionary had no room for.
pub(crate) const OTHER: u32 = 3;

/// What is left for shorter contexts is not looked up below this share of what was found.
const NEGLIGIBLE: f64 = 1e-3;

/// The contexts of a place in a session, the empty one first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contexts {
    hashes: [u32; DEPTH_MAX + 1],
    depth: usize,
}

impl Contexts {
    /// Contexts of what follows `before`, up to `depth` symbols long.
    #[inline]
    pub(crate) fn after(before: &[u32], depth: usize) -> Self {
        let depth = depth.min(DEPTH_MAX);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut hashes = [fold(state); DEPTH_MAX + 1];
        let mut back = before.iter().rev();
        for hash in &mut hashes[1..=depth] {
            state = mixed(state, back.next().copied().unwrap_or(BEGIN));
            *hash = fold(state);
        }
        Self { hashes, depth }
    }

    /// Shortest first.
    pub(crate) fn hashes(&self) -> &[u32] {
        &self.hashes[..=self.depth]
    }

    /// The longest context that was seen, and what was seen in it.
    pub(crate) fn longest(&self, counts: &Counts) -> Option<(usize, u32)> {
        let seen = |(_, hash): &(usize, &u32)| counts.total(**hash).is_some();
        let found = self.hashes().iter().enumerate().rev().find(seen);
        found.map(|(length, hash)| (length, *hash))
    }
}

/// Probability of `symbol` in that place; `base` is that of the model below.
#[inline]
pub(crate) fn probability(
    counts: &Counts,
    contexts: &Contexts,
    symbol: u32,
    base: impl FnOnce() -> f64,
) -> f64 {
    let mut found = 0.0;
    let mut left = 1.0;
    for hash in contexts.hashes().iter().rev() {
        let Some(total) = counts.total(*hash) else {
            continue;
        };
        let share = left / (f64::from(total.count) + f64::from(total.distinct));
        found += share * f64::from(counts.count(*hash, symbol));
        left = share * f64::from(total.distinct);
        if left < NEGLIGIBLE * found {
            return found;
        }
    }
    found + left * base()
}

/// Where nothing is known: all symbols seen so far and two more are equally likely.
pub(crate) fn uniform(counts: &Counts) -> f64 {
    let empty = Contexts::after(&[], 0).hashes[0];
    let seen = counts.total(empty).map_or(0, |total| total.distinct);
    1.0 / (f64::from(seen) + 2.0)
}

/// Learns a whole session, its end included.
pub(crate) fn learn(counts: &mut Counts, session: &[u32], depth: usize, day: u16) {
    for (context, symbol) in keys(session, depth) {
        counts.add(context, symbol, day);
    }
}

/// Forgets a session that was learned.
pub(crate) fn forget(counts: &mut Counts, session: &[u32], depth: usize) {
    let taken: Vec<_> = keys(session, depth).collect();
    counts.take_back(&taken);
}

/// Every (context, symbol) a session counts in.
fn keys(session: &[u32], depth: usize) -> impl Iterator<Item = (u32, u32)> + '_ {
    let places = session.iter().copied().chain([END]).enumerate();
    places.flat_map(move |(place, symbol)| {
        let contexts = Contexts::after(&session[place.saturating_sub(DEPTH_MAX)..place], depth);
        (0..=contexts.depth).map(move |length| (contexts.hashes[length], symbol))
    })
}

#[inline]
fn mixed(state: u64, symbol: u32) -> u64 {
    let next = (state ^ (u64::from(symbol) + 1)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    next ^ (next >> 32)
}

#[inline]
fn fold(state: u64) -> u32 {
    u32::try_from(state.wrapping_mul(0xff51_afd7_ed55_8ccd) >> 32).unwrap_or(0)
}
