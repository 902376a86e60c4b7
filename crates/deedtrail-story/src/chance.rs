//! Deterministic randomness: the same seed tells the same story on every machine.

/// The generator `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// A stream of its own for each (seed, place): a day's story does not depend on other days.
    pub(crate) fn of(seed: u64, place: i64) -> Self {
        let mut chance = Self(seed ^ place.cast_unsigned().wrapping_mul(0xD605_0B53_5F8D_3E5D));
        chance.next();
        chance
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `low..high` (`low` when the range is empty).
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).max(1).cast_unsigned();
        low + (self.next() % width).cast_signed()
    }

    /// A number in `0..length`, most often near the middle.
    pub(crate) fn hump(&mut self, length: i64) -> i64 {
        i64::midpoint(self.between(0, length), self.between(0, length))
    }

    /// True in `per_mille` of 1000 cases.
    pub(crate) fn in_thousand(&mut self, per_mille: u64) -> bool {
        self.next() % 1000 < per_mille
    }

    /// One of `items`, which must not be empty.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let place = usize::try_from(self.next() % items.len() as u64).unwrap_or(0);
        &items[place]
    }

    /// One of `items`, the first ones far more often than the last ones.
    pub(crate) fn pick_skewed<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let place = usize::try_from(self.next() % items.len() as u64).unwrap_or(0);
        let again = usize::try_from(self.next() % items.len() as u64).unwrap_or(0);
        &items[place * again / items.len()]
    }

    /// `digits` lower-case hex digits.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(digits);
        while text.len() < digits {
            let mut bits = self.next();
            for _ in 0..16.min(digits - text.len()) {
                text.push(char::from(HEX[usize::from(bits.to_le_bytes()[0] & 15)]));
                bits >>= 4;
            }
        }
        text
    }

    /// A version 4 UUID in text form.
    pub(crate) fn uuid(&mut self) -> String {
        let mut text = self.hex(36);
        for (place, replacement) in [
            (8, "-"),
            (13, "-"),
            (14, "4"),
            (18, "-"),
            (19, "a"),
            (23, "-"),
        ] {
            text.replace_range(place..=place, replacement);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_place() {
        let draw = |place| Chance::of(7, place).uuid();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_eq!(draw(1).len(), 36);
        let numbers: Vec<i64> = {
            let mut chance = Chance::of(7, 0);
            (0..1000).map(|_| chance.between(-3, 4)).collect()
        };
        assert_eq!(numbers.iter().min(), Some(&-3));
        assert_eq!(numbers.iter().max(), Some(&3));
    }
}
