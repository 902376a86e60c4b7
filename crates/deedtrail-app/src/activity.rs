//! Activity of one identity over time.

use deedtrail_core::port::archive::{Bucket, EventFilter};
use deedtrail_core::port::store::Scope;
use deedtrail_core::time::Timestamp;

use crate::App;
use crate::access::Principal;
use crate::timeline::{IdentityFile, ReadingError, alias_uids};

/// Most bars of a histogram.
const BUCKETS_MAX: i64 = 90;

/// A stretch of time cut into equal buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Start of the first bucket.
    pub from: Timestamp,
    /// End of the last bucket.
    pub to: Timestamp,
    pub bucket_us: i64,
}

impl Window {
    /// Buckets of an hour, a day, a week … so that `first..=last` fits in at most 90 bars, with at
    /// least 72 hours shown and some calm before `first`.
    pub fn around(first: Timestamp, last: Timestamp) -> Self {
        let span = last.micros_since(first).max(0);
        let units = [1, 6, 24, 7 * 24, 28 * 24].map(|hours| hours * Timestamp::HOUR_US);
        let fits = |unit: &&i64| span / **unit < BUCKETS_MAX - 24;
        let unit = units.iter().find(fits).copied();
        let unit = unit.unwrap_or(span / 60 + 1);
        let end = (last.as_micros().div_euclid(unit) + 1).saturating_mul(unit);
        let bars = (span / unit + 24).clamp(72, BUCKETS_MAX);
        Self {
            from: Timestamp::from_micros(end.saturating_sub(bars.saturating_mul(unit))),
            to: Timestamp::from_micros(end),
            bucket_us: unit,
        }
    }

    /// Which bucket an instant falls into.
    pub fn place(&self, at: Timestamp) -> Option<usize> {
        let inside = at >= self.from && at < self.to;
        let place = at.micros_since(self.from) / self.bucket_us;
        inside
            .then_some(place)
            .and_then(|p| usize::try_from(p).ok())
    }

    /// Start of every bucket.
    pub fn starts(&self) -> Vec<Timestamp> {
        let bars = self.to.micros_since(self.from) / self.bucket_us;
        let start = |place| self.from.plus_micros(place * self.bucket_us);
        (0..bars.min(BUCKETS_MAX)).map(start).collect()
    }
}

/// What an identity did in a window.
#[derive(Clone, Debug)]
pub struct Activity {
    pub window: Window,
    /// Buckets without events are left out.
    pub buckets: Vec<Bucket>,
}

impl App {
    /// Events of one identity by bucket.
    pub fn activity(
        &self,
        principal: &Principal,
        file: &IdentityFile,
        window: Window,
    ) -> Result<Activity, ReadingError> {
        principal.require(Scope::Read)?;
        let filter = EventFilter {
            tenant: principal.tenant.clone(),
            aliases: alias_uids(file),
            from: Some(window.from),
            to: Some(window.to),
            ..EventFilter::default()
        };
        let archive = &self.ports.archive;
        Ok(Activity {
            window,
            buckets: archive.histogram(&filter, window.bucket_us)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hours: i64) -> Timestamp {
        Timestamp::from_micros(hours * Timestamp::HOUR_US)
    }

    #[test]
    fn a_short_span_gets_72_hours_and_lies_at_the_end() {
        let window = Window::around(hour(1000), hour(1001));
        assert_eq!(window.bucket_us, Timestamp::HOUR_US);
        assert_eq!(window.starts().len(), 72);
        assert_eq!(window.place(hour(1001)), Some(71));
        assert_eq!(window.place(window.to), None);
    }

    #[test]
    fn any_span_fits() {
        for hours in [0, 1, 65, 66, 100, 1_000, 10_000, 100_000, 10_000_000] {
            let (first, last) = (hour(0), hour(hours));
            let window = Window::around(first, last);
            assert!(window.starts().len() <= 90, "{hours}");
            assert!(window.place(last).is_some(), "{hours}");
            assert!(window.place(first).is_some(), "{hours}");
        }
    }
}
