//! Randomness that repeats.

use std::sync::{Mutex, PoisonError};

use deedtrail_core::port::Entropy;

/// Bytes that follow from a seed (SplitMix64): never secure, always the same.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<u64>);

impl SeededEntropy {
    pub const fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in buffer.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = *state;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let bytes = (bits ^ (bits >> 31)).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_no_two_fills_are_alike() {
        let fills = |seed| {
            let entropy = SeededEntropy::new(seed);
            let mut two = [[0_u8; 13]; 2];
            for buffer in &mut two {
                entropy.fill(buffer);
            }
            two
        };
        assert_eq!(fills(7), fills(7));
        assert_ne!(fills(7), fills(8));
        let [first, second] = fills(7);
        assert_ne!(first, second);
    }
}
