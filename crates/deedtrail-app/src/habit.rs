//! Habits of one identity: at which hours of the week it acts, and how the mix of what it does has
//! changed. Only what it did itself, or others did in its name, counts.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::port::archive::{ActionCount, Bucket, EventFilter};
use deedtrail_core::port::store::Scope;
use deedtrail_core::time::Timestamp;

use crate::App;
use crate::access::Principal;
use crate::timeline::{IdentityFile, ReadingError, alias_uids};

/// Weeks that the hours of the week are counted over.
pub const HOURS_WEEKS: i64 = 12;
/// Days of the newer mix, and of the one before it.
pub const MIX_DAYS: i64 = 30;
pub const MIX_BEFORE_DAYS: i64 = 90;
/// 1970-01-01 was a Thursday: days from Monday to it.
const EPOCH_WEEKDAY: i64 = 3;

/// When and what an identity does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Habits {
    /// End of everything below: the full hour after the identity was last seen.
    pub until: Timestamp,
    pub hours: WeekHours,
    pub mix: ActionMix,
}

/// Events by hour of the week (UTC) over [`HOURS_WEEKS`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeekHours {
    /// Monday first, hours from midnight.
    pub counts: [[u64; 24]; 7],
}

/// What it did in the last [`MIX_DAYS`], and in the [`MIX_BEFORE_DAYS`] before those.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionMix {
    pub total: u64,
    pub total_before: u64,
    /// The largest change of share first.
    pub shifts: Vec<ActionShift>,
}

/// How often one action was done, then and now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionShift {
    pub action: Text,
    pub count: u64,
    pub before: u64,
    /// Share now less share before, in thousandths. Zero where one of the two times has no event.
    pub change: i64,
}

impl WeekHours {
    fn of(buckets: &[Bucket]) -> Self {
        let mut hours = Self::default();
        for bucket in buckets {
            let hour = bucket.start.as_micros().div_euclid(Timestamp::HOUR_US);
            let (day, hour) = (hour.div_euclid(24) + EPOCH_WEEKDAY, hour.rem_euclid(24));
            let day = usize::try_from(day.rem_euclid(7)).unwrap_or(0);
            let hour = usize::try_from(hour).unwrap_or(0);
            let count = &mut hours.counts[day][hour];
            *count = count.saturating_add(bucket.count);
        }
        hours
    }

    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }
}

impl ActionMix {
    fn of(now: &[ActionCount], before: &[ActionCount]) -> Self {
        let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for action in now {
            counts.entry(&action.action).or_default().0 = action.count;
        }
        for action in before {
            counts.entry(&action.action).or_default().1 = action.count;
        }
        let total = counts.values().map(|(now, _)| now).sum();
        let total_before = counts.values().map(|(_, before)| before).sum();
        let comparable = total > 0 && total_before > 0;
        let shift = |(action, (count, before)): (&str, (u64, u64))| ActionShift {
            action: action.into(),
            count,
            before,
            change: if comparable {
                thousandths(count, total) - thousandths(before, total_before)
            } else {
                0
            },
        };
        let mut shifts: Vec<ActionShift> = counts.into_iter().map(shift).collect();
        let order = |shift: &ActionShift| {
            let most = shift.count.max(shift.before);
            std::cmp::Reverse((shift.change.abs(), most))
        };
        shifts.sort_by_key(order);
        Self {
            total,
            total_before,
            shifts,
        }
    }
}

fn thousandths(part: u64, whole: u64) -> i64 {
    let share = u128::from(part) * 1000 / u128::from(whole.max(1));
    i64::try_from(share).unwrap_or(1000)
}

impl App {
    /// When an identity acts and what it does, up to when it was last seen.
    pub fn habits(
        &self,
        principal: &Principal,
        file: &IdentityFile,
    ) -> Result<Habits, ReadingError> {
        principal.require(Scope::Read)?;
        let last = file.identity.last_seen;
        let last = last.unwrap_or_else(|| self.ports.clock.now());
        let hour = last.as_micros().div_euclid(Timestamp::HOUR_US) + 1;
        let until = Timestamp::from_micros(hour.saturating_mul(Timestamp::HOUR_US));
        let within = |days: i64, to: Timestamp| EventFilter {
            tenant: principal.tenant.clone(),
            aliases: alias_uids(file),
            acting: true,
            from: Some(to.plus_micros(-days * Timestamp::DAY_US)),
            to: Some(to),
            ..EventFilter::default()
        };
        let before = until.plus_micros(-MIX_DAYS * Timestamp::DAY_US);
        let archive = &self.ports.archive;
        let weeks = within(HOURS_WEEKS * 7, until);
        Ok(Habits {
            until,
            hours: WeekHours::of(&archive.histogram(&weeks, Timestamp::HOUR_US)?),
            mix: ActionMix::of(
                &archive.actions(&within(MIX_DAYS, until))?,
                &archive.actions(&within(MIX_BEFORE_DAYS, before))?,
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(at: &str, count: u64) -> Bucket {
        let start = Timestamp::parse_rfc3339(at).unwrap();
        Bucket { start, count }
    }

    fn count(action: &str, count: u64) -> ActionCount {
        ActionCount {
            action: action.to_owned(),
            count,
            last: Timestamp::from_micros(0),
        }
    }

    #[test]
    fn hours_are_those_of_the_week() {
        let hours = WeekHours::of(&[
            bucket("2026-11-16T00:00:00Z", 1),
            bucket("2026-11-23T00:00:00Z", 2),
            bucket("2026-11-22T23:00:00Z", 4),
            bucket("1969-12-31T05:00:00Z", 8),
        ]);
        assert_eq!(hours.counts[0][0], 3, "Monday midnight");
        assert_eq!(hours.counts[6][23], 4, "Sunday night");
        assert_eq!(hours.counts[2][5], 8, "a Wednesday before 1970");
        assert_eq!(hours.total(), 15);
    }

    #[test]
    fn the_largest_change_of_share_comes_first() {
        let mix = ActionMix::of(
            &[count("read", 50), count("secret_read", 50)],
            &[count("read", 900), count("create", 100)],
        );
        let changes: Vec<(&str, i64)> = mix
            .shifts
            .iter()
            .map(|shift| (shift.action.as_str(), shift.change))
            .collect();
        assert_eq!(
            changes,
            [("secret_read", 500), ("read", -400), ("create", -100)]
        );
        assert_eq!((mix.total, mix.total_before), (100, 1000));
    }

    #[test]
    fn without_a_past_nothing_has_changed() {
        let mix = ActionMix::of(&[count("create", 1), count("read", 9)], &[]);
        assert!(mix.shifts.iter().all(|shift| shift.change == 0));
        assert_eq!(mix.shifts[0].action, "read", "then the most frequent first");
    }
}
