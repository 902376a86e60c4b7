//! Times and durations in words; always UTC.

use deedtrail_core::time::Timestamp;

/// An instant as a page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// RFC 3339, for `datetime`.
    pub(crate) iso: String,
    /// `14:02:11`
    pub(crate) clock: String,
    /// `2026-11-18 14:02`: what is shown may be of any year.
    pub(crate) short: String,
    /// `2026-11-18 14:02:11 UTC`
    pub(crate) full: String,
    /// `Wednesday 18 November 2026 · UTC`
    pub(crate) heading: String,
}

impl Moment {
    pub(crate) fn new(at: Timestamp) -> Self {
        let iso = at.to_string();
        // Beyond what clocks show, the nearest they do, as in the text form.
        let nearest = if at.as_micros() < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        };
        let time = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or(nearest);
        Self {
            iso,
            clock: time.strftime("%H:%M:%S").to_string(),
            short: time.strftime("%Y-%m-%d %H:%M").to_string(),
            full: time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            heading: time.strftime("%A %-d %B %Y · UTC").to_string(),
        }
    }
}

/// How long ago, roughly: `3 h ago`, `12 d ago`, `in the future`.
pub(crate) fn ago(us: i64) -> String {
    let units = [
        (Timestamp::DAY_US, "d"),
        (Timestamp::HOUR_US, "h"),
        (Timestamp::MINUTE_US, "min"),
        (Timestamp::SECOND_US, "s"),
    ];
    if us < 0 {
        return "in the future".to_owned();
    }
    match units.iter().find(|(unit, _)| us >= *unit) {
        Some((unit, name)) => format!("{} {name} ago", us / unit),
        None => "just now".to_owned(),
    }
}

/// A duration in its two largest units: `4m 37s`, `1h 24m`, `140d 3h`.
pub(crate) fn span(us: i64) -> String {
    let units = [
        (Timestamp::DAY_US, "d"),
        (Timestamp::HOUR_US, "h"),
        (Timestamp::MINUTE_US, "m"),
        (Timestamp::SECOND_US, "s"),
    ];
    let us = us.saturating_abs();
    let Some(place) = units.iter().position(|(unit, _)| us >= *unit) else {
        return "under 1s".to_owned();
    };
    let (unit, name) = units[place];
    let first = format!("{}{name}", us / unit);
    match units.get(place + 1) {
        Some((next, next_name)) if us % unit >= *next => {
            format!("{first} {}{next_name}", us % unit / next)
        }
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_in_words() {
        let at = Timestamp::parse_rfc3339("2026-11-18T14:02:11.5Z").unwrap();
        let moment = Moment::new(at);
        assert_eq!(moment.clock, "14:02:11");
        assert_eq!(moment.short, "2026-11-18 14:02");
        assert_eq!(moment.heading, "Wednesday 18 November 2026 · UTC");
        let far = Moment::new(Timestamp::from_micros(i64::MAX));
        assert_eq!(far.heading, "Thursday 30 December 9999 · UTC");
    }

    #[test]
    fn durations_in_two_units() {
        let minutes = |n: i64| n * Timestamp::MINUTE_US;
        assert_eq!(span(minutes(84)), "1h 24m");
        assert_eq!(span(minutes(60)), "1h");
        assert_eq!(span(140 * Timestamp::DAY_US + minutes(185)), "140d 3h");
        assert_eq!(span(5), "under 1s");
        assert_eq!(span(i64::MIN), span(i64::MAX));
        assert_eq!(ago(minutes(181)), "3 h ago");
        assert_eq!(ago(-1), "in the future");
    }
}
