//! What comes out of scores and labels, with bootstrap intervals.

/// A generator of reproducible numbers (SplitMix64).
pub struct Seeded(pub u64);

impl Seeded {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }
}

/// Precision, recall and F1 when `false_share` of the normal and `true_share` of the abnormal are
/// reported, in a mix of so many of each.
pub fn f1(false_share: f64, true_share: f64, normal: f64, abnormal: f64) -> f64 {
    let hits = true_share * abnormal;
    let reported = hits + false_share * normal;
    2.0 * hits / (reported + abnormal)
}

/// Chance that an abnormal score is above a normal one; ties count half.
pub fn auc(normal: &[f64], abnormal: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = normal.iter().map(|score| (*score, false)).collect();
    all.extend(abnormal.iter().map(|score| (*score, true)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut wins, mut at) = (0.0, 0.0, 0);
    while at < all.len() {
        let tied = all[at..]
            .iter()
            .take_while(|entry| entry.0 == all[at].0)
            .count();
        let hits = all[at..at + tied].iter().filter(|entry| entry.1).count() as f64;
        let misses = tied as f64 - hits;
        wins += hits * (below + 0.5 * misses);
        below += misses;
        at += tied;
    }
    wins / (normal.len() as f64 * abnormal.len() as f64)
}

/// 2.5 % and 97.5 % quantiles of `statistic` over resampled scores.
pub fn interval(
    normal: &[f64],
    abnormal: &[f64],
    seed: u64,
    statistic: impl Fn(&[f64], &[f64]) -> f64,
) -> (f64, f64) {
    const ROUNDS: usize = 400;
    let mut seeded = Seeded(seed);
    let mut draw = |from: &[f64]| -> Vec<f64> {
        (0..from.len())
            .map(|_| from[seeded.below(from.len())])
            .collect()
    };
    let mut found: Vec<f64> = (0..ROUNDS)
        .map(|_| statistic(&draw(normal), &draw(abnormal)))
        .collect();
    found.sort_by(f64::total_cmp);
    (found[ROUNDS / 40], found[ROUNDS - 1 - ROUNDS / 40])
}

/// Share of scores for which `reported` holds.
pub fn share(scores: &[f64], reported: impl Fn(f64) -> bool) -> f64 {
    scores.iter().filter(|score| reported(**score)).count() as f64 / scores.len().max(1) as f64
}
