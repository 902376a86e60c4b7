//! How often one symbol comes in a session: a small histogram.

use serde::{Deserialize, Serialize};

use crate::limits::SHAPE_NUMBERS_MAX;

/// More different numbers than this make a symbol elastic, unless one of them prevails.
const RIGID_NUMBERS_MAX: usize = 2;
/// Below this sum of squared shares no number prevails.
const PREVAILS_MIN: f64 = 0.75;
/// What a number's neighbours count for.
const NEIGHBOUR_SHARE: f64 = 0.15;

/// Share of what is unseen that falls with the square of the number, not exponentially.
const HEAVY_SHARE: f64 = 0.1;

/// Numbers a session of one symbol, over the sessions that had it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Numbers {
    /// (number, sessions), by number.
    histogram: Vec<(u16, u16)>,
    sessions: u32,
    /// Sum of the numbers, for the mean.
    sum: f64,
    /// Sum of squared counts of the histogram.
    squares: f64,
    /// Once elastic, always elastic.
    elastic: bool,
    /// The number seen most often.
    usual: u16,
}

impl Numbers {
    pub(crate) fn first(number: u16) -> Self {
        Self {
            histogram: vec![(number, 1)],
            sessions: 1,
            sum: f64::from(number),
            squares: 1.0,
            elastic: false,
            usual: number,
        }
    }

    pub(crate) fn sessions(&self) -> u32 {
        self.sessions
    }

    pub(crate) fn elastic(&self) -> bool {
        self.elastic
    }

    pub(crate) fn usual(&self) -> u16 {
        self.usual
    }

    pub(crate) fn learn(&mut self, number: u16) {
        let at = match self
            .histogram
            .binary_search_by_key(&number, |entry| entry.0)
        {
            Ok(at) => at,
            Err(at) if self.histogram.len() < SHAPE_NUMBERS_MAX => {
                self.histogram.insert(at, (number, 0));
                at
            }
            Err(at) => at.min(self.histogram.len() - 1),
        };
        let (number, count) = &mut self.histogram[at];
        if *count < u16::MAX {
            *count += 1;
            self.squares += 2.0 * f64::from(*count) - 1.0;
            self.sessions += 1;
            self.sum += f64::from(*number);
        }
        let (number, count) = (*number, *count);
        if count >= self.seen(self.usual) {
            self.usual = number;
        }
        self.elastic |= self.varies();
    }

    pub(crate) fn forget(&mut self, number: u16) {
        if let Ok(at) = self
            .histogram
            .binary_search_by_key(&number, |entry| entry.0)
        {
            self.histogram[at].1 -= 1;
        }
        self.recount();
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (number, count) in &other.histogram {
            match self.histogram.binary_search_by_key(number, |entry| entry.0) {
                Ok(at) => {
                    let mine = &mut self.histogram[at].1;
                    *mine = mine.saturating_add(*count);
                }
                Err(at) => self.histogram.insert(at, (*number, *count)),
            }
        }
        self.histogram.truncate(SHAPE_NUMBERS_MAX);
        self.elastic |= other.elastic;
        self.recount();
        self.elastic |= self.varies();
    }

    /// Halves every count; a remainder goes to the next larger number.
    pub(crate) fn halve(&mut self) {
        let mut carried = 0;
        for (_, count) in &mut self.histogram {
            let whole = count.saturating_add(carried);
            carried = whole % 2;
            *count = whole / 2;
        }
        self.recount();
    }

    /// Nats of `number` beyond those of the usual one.
    pub(crate) fn departure(&self, number: u16) -> f64 {
        (self.weight(self.usual) / self.weight(number))
            .ln()
            .max(0.0)
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of::<(u32, Self)>() + self.histogram.capacity() * size_of::<(u16, u16)>()
    }

    fn varies(&self) -> bool {
        let sessions = f64::from(self.sessions);
        self.histogram.len() > RIGID_NUMBERS_MAX
            && self.squares < PREVAILS_MIN * sessions * sessions
    }

    fn seen(&self, number: u16) -> u16 {
        let at = self
            .histogram
            .binary_search_by_key(&number, |entry| entry.0);
        at.map_or(0, |at| self.histogram[at].1)
    }

    /// Unnormalised probability: what was seen, a little of its neighbours, and one session of a
    /// geometric distribution with the same mean.
    fn weight(&self, number: u16) -> f64 {
        let beside = f64::from(self.seen(number.saturating_sub(1)))
            + f64::from(self.seen(number.saturating_add(1)));
        let ends = (f64::from(self.sessions.max(1)) / self.sum.max(1.0)).min(0.95);
        let tail = ends * (f64::from(number) * (1.0 - ends).ln()).exp();
        let anywhere = HEAVY_SHARE / (f64::from(number) * (f64::from(number) + 1.0)).max(1.0);
        f64::from(self.seen(number)) + NEIGHBOUR_SHARE * beside + tail + anywhere
    }

    fn recount(&mut self) {
        self.histogram.retain(|(_, count)| *count > 0);
        let counts = || self.histogram.iter().map(|(_, count)| *count);
        self.sessions = counts().map(u32::from).sum();
        self.squares = counts().map(|count| f64::from(count).powi(2)).sum();
        let weighted = |(number, count): &(u16, u16)| f64::from(*number) * f64::from(*count);
        self.sum = self.histogram.iter().map(weighted).sum();
        let most = self
            .histogram
            .iter()
            .max_by_key(|(number, count)| (*count, *number));
        self.usual = most.map_or(0, |(number, _)| *number);
    }
}
