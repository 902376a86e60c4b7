//! What another budget would have let through: the threshold run again over the newest sessions'
//! rarity, as it was when they were scored.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::budget::Allowance;
use crate::settings::Budget;

/// Days looked back.
const DAYS: u16 = 30;
/// Most sessions kept; of more, the newest.
const SESSIONS_MAX: usize = 20_000;

/// Sessions that could be judged, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scored {
    /// Day since 1970, and how rare the session was; 1 for what is below the floor.
    sessions: VecDeque<(u16, f32)>,
    newest: u16,
}

impl Scored {
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough")]
    pub(crate) fn note(&mut self, day: u16, p: f64) {
        self.newest = self.newest.max(day);
        if day < self.first_day() {
            return;
        }
        self.sessions.push_back((day, p as f32));
        while self
            .sessions
            .front()
            .is_some_and(|(day, _)| *day < self.first_day() || self.sessions.len() > SESSIONS_MAX)
        {
            self.sessions.pop_front();
        }
    }

    /// The first day that counts.
    fn first_day(&self) -> u16 {
        self.newest.saturating_sub(DAYS - 1)
    }

    /// Those that count: late ones stand behind newer ones.
    fn counted(&self) -> impl Iterator<Item = (u16, f64)> {
        let first = self.first_day();
        let sessions = self.sessions.iter().filter(move |(day, _)| *day >= first);
        sessions.map(|(day, p)| (*day, f64::from(*p)))
    }

    pub(crate) fn sessions(&self) -> u32 {
        u32::try_from(self.counted().count()).unwrap_or(u32::MAX)
    }

    /// Days from the oldest to the newest, and that one.
    pub(crate) fn days(&self) -> (u32, u16) {
        let oldest = self.counted().map(|(day, _)| day).min();
        let days = oldest.map_or(0, |oldest| self.newest - oldest + 1);
        (u32::from(days), self.newest)
    }

    /// Alerts that the budget would have let through, where there are so many sessions a day.
    pub(crate) fn alerts(&self, budget: Budget, per_day: f64) -> u32 {
        let mut allowance = Allowance::starting_at(per_day);
        let mut alerts = 0;
        for (day, p) in self.counted() {
            let alerted = p < allowance.alerting(budget);
            allowance.count(budget, i64::from(day), alerted);
            alerts += u32::from(alerted);
        }
        alerts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 200 sessions a day over twenty days, as rare as chance has it.
    fn even() -> Scored {
        let mut scored = Scored::default();
        for number in 0..4_000_u16 {
            let rank = (u32::from(number) * 1_511) % 4_000;
            scored.note(20_000 + number / 200, f64::from(rank + 1) / 4_000.0);
        }
        scored
    }

    #[test]
    fn a_larger_budget_lets_more_through_and_about_as_many_as_it_says() {
        let scored = even();
        let alerts: Vec<u32> = [1, 2, 5]
            .map(|per_day| scored.alerts(Budget::PerDay(f64::from(per_day)), 200.0))
            .to_vec();
        assert!(alerts.is_sorted(), "{alerts:?}");
        for (per_day, alerts) in [1, 2, 5].into_iter().zip(alerts) {
            let wished = per_day * 20;
            assert!((wished / 2..=wished * 3 / 2).contains(&alerts), "{alerts}");
        }
    }

    #[test]
    fn what_is_old_or_below_the_floor_does_not_count() {
        let mut scored = even();
        scored.note(20_100, 1.0);
        assert_eq!(scored.sessions(), 1);
        assert_eq!(scored.days(), (1, 20_100));
        assert_eq!(scored.alerts(Budget::PerDay(50.0), 1.0), 0);
        scored.note(20_050, 0.0);
        assert_eq!(scored.sessions(), 1, "too late to count");
        scored.note(20_080, 0.9);
        scored.note(20_120, 0.9);
        assert_eq!((scored.sessions(), scored.days()), (2, (21, 20_120)));
        assert_eq!(Scored::default().days(), (0, 0));
    }
}
