//! The hours of the week in which a source usually delivers.

use serde::{Deserialize, Serialize};

/// Hours of a week.
const WEEK: usize = 168;
const DAY: usize = 24;
/// Weeks remembered of each hour: beyond it, older ones count half.
const WEEKS_MAX: u8 = 12;
/// However sure something was to come: one silent hour, or two that were heard in part, say little.
const SILENT_MIN: f64 = 0.045;
/// How many weeks of one hour the same hour of the other days counts for.
const OTHER_DAYS: f64 = 0.25;

/// How often each hour of the week was heard, and how often something came in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rhythm {
    heard: Vec<u8>,
    active: Vec<u8>,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            heard: vec![0; WEEK],
            active: vec![0; WEEK],
        }
    }
}

impl Rhythm {
    /// Remembers an hour in which the log was open. `hour` counts from 1970.
    pub(super) fn learn(&mut self, hour: i64, delivered: bool) {
        let place = place(hour);
        if self.heard[place] >= WEEKS_MAX {
            self.heard[place] /= 2;
            self.active[place] /= 2;
        }
        self.heard[place] += 1;
        self.active[place] += u8::from(delivered);
    }

    /// The chance that something comes in an hour, 0 to 1: as often as it did in that hour of the
    /// week, and a little as in that hour of the other days.
    pub(super) fn chance(&self, hour: i64) -> f64 {
        let place = place(hour);
        let same_hour = (place % DAY..WEEK).step_by(DAY);
        let sum = |counts: &[u8]| -> f64 {
            let counts = same_hour.clone().map(|place| f64::from(counts[place]));
            counts.sum()
        };
        let any_day = sum(&self.active) / (sum(&self.heard) + 1.0);
        (f64::from(self.active[place]) + OTHER_DAYS * any_day)
            / (f64::from(self.heard[place]) + OTHER_DAYS)
    }

    /// How surprising it is that nothing comes in an hour, in thousandths of a nat: independent
    /// surprises add up, and `e` to the sum is "one in so many".
    pub(super) fn surprise(&self, hour: i64) -> u32 {
        let silent = (1.0 - self.chance(hour)).max(SILENT_MIN);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 3102"
        )]
        let thousandths = (-silent.ln() * 1_000.0).round() as u32;
        thousandths
    }
}

fn place(hour: i64) -> usize {
    usize::try_from(hour.rem_euclid(168)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hours until a silence that begins at `from` is rarer than one in 10,000.
    fn patience(rhythm: &Rhythm, from: i64) -> usize {
        let mut surprise = 0;
        let silent = (from..).take_while(|hour| {
            surprise += rhythm.surprise(*hour);
            surprise < 9_210
        });
        silent.take(2_000).count() + 1
    }

    fn learned(weeks: i64, delivers: impl Fn(i64) -> bool) -> Rhythm {
        let mut rhythm = Rhythm::default();
        (0..weeks * 168).for_each(|hour| rhythm.learn(hour, delivers(hour)));
        rhythm
    }

    #[test]
    fn a_steady_source_is_missed_within_hours_and_an_office_one_not_at_the_weekend() {
        let steady = learned(3, |_| true);
        assert!(patience(&steady, 3 * 168) <= 4);
        // Hour 0 is a Thursday: days 2 and 3 are the weekend.
        let office =
            |hour: i64| (8..18).contains(&(hour % 24)) && ![2, 3].contains(&(hour / 24 % 7));
        let office = learned(4, office);
        let friday_evening = 4 * 168 + 24 + 18;
        assert!(patience(&office, friday_evening) > 62, "until Monday, 8 h");
        assert!(patience(&office, friday_evening) < 62 + 8);
        let monday_noon = 4 * 168 + 4 * 24 + 12;
        assert!(patience(&office, monday_noon) <= 6);
    }

    #[test]
    fn what_rarely_delivers_is_never_missed() {
        let monthly = learned(12, |hour| hour % 720 == 0);
        assert!(patience(&monthly, 0) > 400);
        assert_eq!(patience(&Rhythm::default(), 0), 2_001);
    }

    #[test]
    fn a_new_rhythm_replaces_an_old_one() {
        let mut rhythm = learned(12, |_| true);
        (0..26 * 168).for_each(|hour| rhythm.learn(hour, false));
        assert!(rhythm.chance(5) < 0.1);
    }
}
