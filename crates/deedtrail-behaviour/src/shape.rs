//! The shape of a whole session: which symbols, how often each. Missing steps show up here.
//!
//! A symbol whose number a session varies is *elastic*: in a signature it stands without its
//! number. A session's signature is known or not; an unknown one costs more the further it is from
//! the nearest known one.

mod numbers;
mod signature;

use serde::{Deserialize, Serialize};

use crate::limits::{SHAPE_SYMBOLS_MAX, SIGNATURE_PAIRS_MAX, SIGNATURES_MAX};
use numbers::Numbers;
use signature::{ANY, Signature, distance};
pub(crate) use signature::{Pairs, count, hash};

/// Nats for each step of distance to the nearest known signature.
const STEP_NATS: f64 = 2.0;
/// Share of what is unknown that is unlike anything known.
const UNLIKE_SHARE: f64 = 0.5;

/// Shapes of sessions learned so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shape {
    /// By symbol.
    symbols: Vec<(u32, Numbers)>,
    /// By hash.
    signatures: Vec<Signature>,
    pairs: usize,
    sessions: u32,
}

/// What one session's shape costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    pub(crate) nats: f64,
    /// Sessions of the very same signature learned so far.
    pub(crate) seen: u16,
}

/// One way in which a session's shape differs from what is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Difference {
    pub(crate) symbol: u32,
    pub(crate) number: u16,
    /// Number in the nearest known shape, or the most usual one.
    pub(crate) usual: u16,
    /// Sessions in which the symbol was seen, of [`Shape::sessions`].
    pub(crate) sessions: u32,
    pub(crate) nats: f64,
}

impl Shape {
    pub(crate) fn sessions(&self) -> u32 {
        self.sessions
    }

    /// Cost of a session with these symbols; `pairs` is scratch space.
    pub(crate) fn cost(&self, session: &[u32], pairs: &mut Pairs) -> Cost {
        if self.sessions == 0 {
            return Cost::default();
        }
        count(session, pairs);
        let mut nats = 0.0;
        for (symbol, number) in pairs.iter_mut() {
            nats += self.departure(*symbol, *number);
            *number = self.rigid(*symbol, *number);
        }
        let all = f64::from(self.sessions) + self.signatures.len() as f64;
        let seen = self
            .find(hash(pairs))
            .map_or(0, |at| self.signatures[at].sessions);
        if seen > 0 {
            nats -= (f64::from(seen) / all).ln();
            return Cost { nats, seen };
        }
        let unlike = UNLIKE_SHARE * self.signatures.len() as f64 / (all * all);
        nats -= unlike.ln();
        nats += STEP_NATS * self.nearest(pairs).map_or(0.0, |(_, distance)| distance);
        Cost { nats, seen }
    }

    /// How the session differs from what is known, largest first.
    pub(crate) fn differences(&self, session: &[u32]) -> Vec<Difference> {
        let mut pairs = Pairs::new();
        count(session, &mut pairs);
        let mut found: Vec<_> = pairs
            .iter()
            .filter_map(|pair| self.strange(*pair))
            .collect();
        for (symbol, number) in &mut pairs {
            *number = self.rigid(*symbol, *number);
        }
        if self.find(hash(&pairs)).is_none()
            && let Some((nearest, _)) = self.nearest(&pairs)
        {
            self.compare(&pairs, nearest, &mut found);
        }
        found.sort_by(|a, b| b.nats.total_cmp(&a.nats).then(a.symbol.cmp(&b.symbol)));
        found
    }

    pub(crate) fn learn(&mut self, session: &[u32], day: u16) {
        let mut pairs = Pairs::new();
        count(session, &mut pairs);
        self.sessions = self.sessions.saturating_add(1);
        let mut turned = false;
        for (symbol, number) in &pairs {
            turned |= self.learn_number(*symbol, *number);
        }
        if turned {
            self.write_anew();
        }
        for (symbol, number) in &mut pairs {
            *number = self.rigid(*symbol, *number);
        }
        self.insert(Signature::of(&pairs, 1, day));
    }

    /// Takes back a session that was learned. An elastic symbol stays elastic.
    pub(crate) fn forget(&mut self, session: &[u32]) {
        let mut pairs = Pairs::new();
        count(session, &mut pairs);
        self.sessions = self.sessions.saturating_sub(1);
        for (symbol, number) in &mut pairs {
            if let Ok(at) = self.symbols.binary_search_by_key(symbol, |entry| entry.0) {
                self.symbols[at].1.forget(*number);
            }
            *number = self.rigid(*symbol, *number);
        }
        if let Some(at) = self.find(hash(&pairs)) {
            self.signatures[at].sessions -= 1;
        }
        self.drop_empty();
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.sessions = self.sessions.saturating_add(other.sessions);
        for (symbol, numbers) in &other.symbols {
            match self.symbols.binary_search_by_key(symbol, |entry| entry.0) {
                Ok(at) => self.symbols[at].1.merge(numbers),
                Err(at) => self.symbols.insert(at, (*symbol, numbers.clone())),
            }
        }
        self.symbols.truncate(SHAPE_SYMBOLS_MAX);
        self.signatures.extend(other.signatures.iter().cloned());
        self.write_anew();
    }

    /// Halves every count; what was seen once and not of late is gone.
    pub(crate) fn halve(&mut self, today: u16) {
        self.sessions = self.sessions.div_ceil(2);
        for (_, numbers) in &mut self.symbols {
            numbers.halve();
        }
        for signature in &mut self.signatures {
            signature.halve(today);
        }
        self.drop_empty();
    }

    pub(crate) fn bytes(&self) -> usize {
        let numbers: usize = self
            .symbols
            .iter()
            .map(|(_, numbers)| numbers.bytes())
            .sum();
        let signatures = self.signatures.capacity() * size_of::<Signature>();
        numbers + signatures + self.pairs * size_of::<(u32, u16)>()
    }

    fn numbers(&self, symbol: u32) -> Option<&Numbers> {
        let at = self
            .symbols
            .binary_search_by_key(&symbol, |entry| entry.0)
            .ok()?;
        Some(&self.symbols[at].1)
    }

    /// Nats for the number of an elastic symbol, or for a symbol never seen.
    fn departure(&self, symbol: u32, number: u16) -> f64 {
        match self.numbers(symbol) {
            None => (f64::from(self.sessions) + 1.0).ln() + 1.0 + 0.5 * f64::from(number).ln(),
            Some(numbers) if numbers.elastic() => numbers.departure(number),
            Some(_) => 0.0,
        }
    }

    fn rigid(&self, symbol: u32, number: u16) -> u16 {
        let elastic = self.numbers(symbol).is_some_and(Numbers::elastic);
        if elastic { ANY } else { number }
    }

    fn strange(&self, (symbol, number): (u32, u16)) -> Option<Difference> {
        let nats = self.departure(symbol, number);
        let numbers = self.numbers(symbol);
        (nats > 0.0).then(|| Difference {
            symbol,
            number,
            usual: numbers.map_or(0, Numbers::usual),
            sessions: numbers.map_or(0, Numbers::sessions),
            nats,
        })
    }

    fn compare(&self, pairs: &Pairs, nearest: &Signature, found: &mut Vec<Difference>) {
        signature::differences(pairs, &nearest.pairs, |symbol, number, usual, distance| {
            let numbers = self.numbers(symbol);
            if number > 0 && numbers.is_none() {
                return;
            }
            let elastic = |number| if number == ANY { 1 } else { number };
            found.push(Difference {
                symbol,
                number: elastic(number),
                usual: elastic(usual),
                sessions: numbers.map_or(0, Numbers::sessions),
                nats: STEP_NATS * distance,
            });
        });
    }

    fn find(&self, hash: u64) -> Option<usize> {
        let found = self
            .signatures
            .binary_search_by_key(&hash, |signature| signature.hash);
        found.ok()
    }

    fn nearest(&self, pairs: &Pairs) -> Option<(&Signature, f64)> {
        let mut best: Option<(&Signature, f64)> = None;
        for signature in &self.signatures {
            let limit = best.map_or(f64::INFINITY, |(_, distance)| distance);
            let distance = distance(pairs, &signature.pairs, limit);
            if distance < limit {
                best = Some((signature, distance));
            }
        }
        best
    }

    /// Whether the symbol has become elastic.
    fn learn_number(&mut self, symbol: u32, number: u16) -> bool {
        match self.symbols.binary_search_by_key(&symbol, |entry| entry.0) {
            Ok(at) => {
                let before = self.symbols[at].1.elastic();
                self.symbols[at].1.learn(number);
                !before && self.symbols[at].1.elastic()
            }
            Err(_) if self.symbols.len() >= SHAPE_SYMBOLS_MAX => false,
            Err(at) => {
                self.symbols.insert(at, (symbol, Numbers::first(number)));
                false
            }
        }
    }

    fn insert(&mut self, signature: Signature) {
        match self
            .signatures
            .binary_search_by_key(&signature.hash, |known| known.hash)
        {
            Ok(at) => self.signatures[at].add(&signature),
            Err(at) => {
                self.pairs += signature.pairs.len();
                self.signatures.insert(at, signature);
                while self.signatures.len() > SIGNATURES_MAX || self.pairs > SIGNATURE_PAIRS_MAX {
                    self.drop_rarest();
                }
            }
        }
    }

    fn drop_rarest(&mut self) {
        let rank = |signature: &Signature| (signature.sessions, signature.day, signature.hash);
        let rarest = (0..self.signatures.len()).min_by_key(|at| rank(&self.signatures[*at]));
        let Some(rarest) = rarest else { return };
        self.pairs -= self.signatures.remove(rarest).pairs.len();
    }

    fn drop_empty(&mut self) {
        self.symbols.retain(|(_, numbers)| numbers.sessions() > 0);
        self.signatures.retain(|signature| signature.sessions > 0);
        self.pairs = self
            .signatures
            .iter()
            .map(|signature| signature.pairs.len())
            .sum();
    }

    /// Writes every signature with the symbols that are elastic now.
    fn write_anew(&mut self) {
        let old = std::mem::take(&mut self.signatures);
        self.pairs = 0;
        for signature in old {
            let mut pairs = signature.pairs.clone();
            for (symbol, number) in &mut pairs {
                *number = self.rigid(*symbol, *number);
            }
            self.insert(Signature::of(&pairs, signature.sessions, signature.day));
        }
    }
}
