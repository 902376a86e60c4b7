//! A clock that stands still until it is told.

use std::sync::atomic::{AtomicI64, Ordering};

use deedtrail_core::port::Clock;
use deedtrail_core::time::Timestamp;

/// A clock that a test sets.
#[derive(Debug)]
pub struct FakeClock(AtomicI64);

impl FakeClock {
    pub const fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_micros()))
    }

    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_micros(), Ordering::SeqCst);
    }

    /// Moves the clock by `micros`; negative moves it back.
    pub fn advance(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}
