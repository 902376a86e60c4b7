//! A clock that jumps and numbers that repeat.

use std::sync::{Mutex, PoisonError};

use deedtrail_core::port::{Clock, Entropy};
use deedtrail_core::time::Timestamp;

/// 2026-11-01T00:00:00Z, µs since 1970.
const BASE_US: i64 = 1_793_491_200_000_000;
const HOUR_US: i64 = 3_600_000_000;
const TEN_YEARS_US: i64 = 10 * 365 * 24 * HOUR_US;

/// A clock that mostly goes on by up to two seconds a look, and now and then jumps by up to ten
/// years, goes back an hour, or stands still.
#[derive(Debug)]
pub(super) struct JumpingClock(Mutex<(fastrand::Rng, i64)>);

impl JumpingClock {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new((fastrand::Rng::with_seed(seed), BASE_US)))
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (dice, now) = &mut *inner;
        *now = match dice.u32(0..40) {
            0 => BASE_US + dice.i64(-TEN_YEARS_US..=TEN_YEARS_US),
            1 => *now - HOUR_US,
            2..8 => *now,
            _ => *now + dice.i64(0..2_000_000),
        };
        Timestamp::from_micros(*now)
    }
}

/// Repeatable numbers.
#[derive(Debug)]
pub(super) struct Numbers(Mutex<fastrand::Rng>);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
}

impl Entropy for Numbers {
    fn fill(&self, buffer: &mut [u8]) {
        let mut dice = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        dice.fill(buffer);
    }
}
