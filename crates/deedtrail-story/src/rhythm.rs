//! When things happen: office hours, nightly jobs, bursts.

use jiff::ToSpan as _;
use jiff::civil::{Date, date};

use deedtrail_core::time::Timestamp;

use crate::chance::Chance;
use crate::organisation::Person;

pub(crate) const SECOND: i64 = Timestamp::SECOND_US;
pub(crate) const MINUTE: i64 = Timestamp::MINUTE_US;
pub(crate) const HOUR: i64 = Timestamp::HOUR_US;
pub(crate) const DAY: i64 = Timestamp::DAY_US;

/// The civil date of a UTC day number.
pub(crate) fn civil(day: i64) -> Date {
    let epoch = date(1970, 1, 1);
    epoch.checked_add(day.days()).unwrap_or(epoch)
}

/// 0 is Monday.
pub(crate) const fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

/// Whether offices work on that day: Monday to Friday without the fixed holidays.
pub(crate) fn is_workday(day: i64) -> bool {
    let civil = civil(day);
    let holiday = matches!(
        (civil.month(), civil.day()),
        (1, 1 | 6) | (5, 1) | (10, 3) | (12, 24..=26 | 31)
    );
    weekday(day) < 5 && !holiday
}

/// A moment in a person's office day, microseconds after UTC midnight: two humps around lunch,
/// between 08:30 and 18:30 of the site's clock, never before the day begins at `arrives`.
pub(crate) fn office_moment(person: &Person, arrives: i64, chance: &mut Chance) -> i64 {
    // Half before lunch (hump at 10:30), half after (hump at 15:45); noon to 13:00 stays thin.
    let local = if chance.in_thousand(480) {
        9 * HOUR + chance.hump(3 * HOUR)
    } else {
        13 * HOUR + chance.hump(5 * HOUR + 30 * MINUTE)
    };
    let utc = local - person.site.hours_from_utc() * HOUR;
    let earliest = arrives + 20 * SECOND;
    if utc < earliest {
        earliest + chance.between(0, 2 * HOUR)
    } else {
        utc
    }
}

/// When a person signs in first, microseconds after UTC midnight: 08:30 to 09:30 of their clock.
pub(crate) fn arrival(person: &Person, chance: &mut Chance) -> i64 {
    let local = 8 * HOUR + 30 * MINUTE + chance.between(0, HOUR);
    local - person.site.hours_from_utc() * HOUR
}

/// A timer's moment: exact to the second but for `jitter` seconds of start-up.
pub(crate) fn timer(hour: i64, minute: i64, jitter: i64, chance: &mut Chance) -> i64 {
    hour * HOUR + minute * MINUTE + chance.between(0, jitter * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_the_right_names() {
        // 2026-11-21 is a Saturday.
        assert_eq!(civil(20_778).to_string(), "2026-11-21");
        assert_eq!(weekday(20_778), 5);
        assert!(!is_workday(20_778));
        assert!(is_workday(20_777));
    }
}
