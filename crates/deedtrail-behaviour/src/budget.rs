//! Keeps alerts within the budget: adaptive conformal inference (Gibbs and Candès 2021).

use serde::{Deserialize, Serialize};

use crate::settings::Budget;

/// How far one session moves the threshold.
const STEP_MAX: f64 = 0.005;
/// The same as a share of the target, where that is less.
const STEP_SHARE: f64 = 0.5;
/// Weight of a session in the recent share of alerts.
const RECENT_WEIGHT: f64 = 0.004;
/// Recent alerts beyond which only the very rarest alert, as a multiple of the target.
const RECENT_SLACK: f64 = 1.3;
/// How far above the target the threshold goes in quiet times.
const SLACK: f64 = 10.0;
const SHARE_MIN: f64 = 1e-5;
const SHARE_MAX: f64 = 0.5;
/// Weight of a day in the mean number of sessions a day.
const DAY_WEIGHT: f64 = 0.2;
/// Sessions a day taken to be there before a day has passed.
const SESSIONS_PER_DAY_MIN: f64 = 100.0;

/// The threshold and what it follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Allowance {
    /// Sessions rarer than this alert; `None` before the first.
    share: Option<f64>,
    /// Mean share of alerts among the last few hundred sessions.
    recent: f64,
    day: i64,
    today: u32,
    per_day: f64,
}

impl Allowance {
    /// Before the first session of a tenant that has `per_day` a day.
    pub(crate) fn starting_at(per_day: f64) -> Self {
        Self {
            per_day,
            ..Self::default()
        }
    }

    /// Sessions with a smaller `p` are rare.
    pub(crate) fn share(&self, budget: Budget) -> f64 {
        self.share.unwrap_or_else(|| self.target(budget))
    }

    /// Sessions with a smaller `p` may alert. After a row of alerts only the very rarest do.
    pub(crate) fn alerting(&self, budget: Budget) -> f64 {
        if self.recent > RECENT_SLACK * self.target(budget) {
            SHARE_MIN
        } else {
            self.share(budget)
        }
    }

    /// Counts a session that ended on `day`, and moves the threshold.
    pub(crate) fn count(&mut self, budget: Budget, day: i64, alerted: bool) {
        if day > self.day {
            self.end_day(day);
        }
        self.today = self.today.saturating_add(1);
        let alerts = f64::from(u8::from(alerted));
        self.recent += RECENT_WEIGHT * (alerts - self.recent);
        let target = self.target(budget);
        let step = STEP_MAX.min(STEP_SHARE * target);
        let moved = self.share(budget) + step * (target - alerts);
        self.share = Some(moved.clamp(SHARE_MIN, (SLACK * target).min(SHARE_MAX)));
    }

    fn end_day(&mut self, day: i64) {
        let ended = f64::from(self.today);
        self.per_day = if self.per_day == 0.0 {
            ended
        } else {
            self.per_day + DAY_WEIGHT * (ended - self.per_day)
        };
        self.day = day;
        self.today = 0;
    }

    fn target(&self, budget: Budget) -> f64 {
        let share = match budget {
            Budget::Share(share) => share,
            Budget::PerDay(alerts) => {
                let sessions = self.per_day.max(f64::from(self.today));
                alerts / sessions.max(SESSIONS_PER_DAY_MIN)
            }
        };
        if share.is_finite() {
            share.clamp(SHARE_MIN, SHARE_MAX)
        } else {
            SHARE_MIN
        }
    }
}
