//! Times in a vendor's own pattern.

use deedtrail_core::time::Timestamp;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The zones of the IANA, as this build has them: the same on every machine.
pub(crate) fn zones() -> &'static TimeZoneDatabase {
    static ZONES: std::sync::LazyLock<TimeZoneDatabase> =
        std::sync::LazyLock::new(TimeZoneDatabase::bundled);
    &ZONES
}

/// A `strptime` pattern, with the zone of times that say none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimePattern {
    text: Box<str>,
    zone: TimeZone,
}

impl TimePattern {
    pub(crate) fn new(text: &str, zone: TimeZone) -> Self {
        Self {
            text: text.into(),
            zone,
        }
    }

    /// Can a time written by the pattern be read by it? The error says why not.
    pub(crate) fn check(pattern: &str) -> Result<(), String> {
        // 2001-02-03T16:05:06.789 in a zone with a name, an offset and a day part.
        let sample = jiff::civil::datetime(2001, 2, 3, 16, 5, 6, 789_000_000)
            .to_zoned(
                zones()
                    .get("Asia/Tokyo")
                    .map_err(|error| error.to_string())?,
            )
            .map_err(|error| error.to_string())?;
        let text = strtime::format(pattern, &sample).map_err(|error| error.to_string())?;
        let read = strtime::parse(pattern, &text).map_err(|error| error.to_string())?;
        at(&read, &TimeZone::UTC)
            .map(drop)
            .ok_or_else(|| "a time in this pattern does not say its year, month and day".to_owned())
    }

    pub(crate) fn read(&self, text: &str) -> Option<Timestamp> {
        at(&strtime::parse(&*self.text, text).ok()?, &self.zone)
    }
}

/// By its offset, its zone's name, else in `zone`.
fn at(time: &BrokenDownTime, zone: &TimeZone) -> Option<Timestamp> {
    let at = match (time.to_timestamp(), time.iana_time_zone()) {
        (Ok(at), _) => at,
        (Err(_), Some(_)) => time.to_zoned_with(zones()).ok()?.timestamp(),
        (Err(_), None) => time
            .to_datetime()
            .ok()?
            .to_zoned(zone.clone())
            .ok()?
            .timestamp(),
    };
    Some(Timestamp::from_micros(at.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str, zone: &str, text: &str) -> String {
        let pattern = TimePattern::new(pattern, zones().get(zone).unwrap());
        let found = pattern.read(text);
        found.map_or_else(|| "none".to_owned(), |at| at.to_string())
    }

    #[test]
    fn a_time_is_in_its_own_zone_else_in_the_given_one() {
        let plain = "%Y-%m-%d %H:%M:%S";
        for (pattern, zone, text, expected) in [
            (
                plain,
                "UTC",
                "2026-11-01 09:00:05",
                "2026-11-01T09:00:05.000000Z",
            ),
            (
                plain,
                "Europe/Berlin",
                "2026-11-01 09:00:05",
                "2026-11-01T08:00:05.000000Z",
            ),
            (
                plain,
                "Europe/Berlin",
                "2026-07-01 09:00:05",
                "2026-07-01T07:00:05.000000Z",
            ),
            // The hour that comes twice: its first time.
            (
                plain,
                "Europe/Berlin",
                "2026-10-25 02:30:00",
                "2026-10-25T00:30:00.000000Z",
            ),
            (
                "%Y-%m-%d %H:%M:%S %Q",
                "UTC",
                "2026-11-01 09:00:05 Europe/Berlin",
                "2026-11-01T08:00:05.000000Z",
            ),
            (
                "%Y-%m-%d %H:%M:%S %z",
                "Asia/Tokyo",
                "2026-11-01 09:00:05 +0100",
                "2026-11-01T08:00:05.000000Z",
            ),
            (plain, "UTC", "yesterday", "none"),
        ] {
            assert_eq!(
                read(pattern, zone, text),
                expected,
                "{pattern} {zone} {text}"
            );
        }
    }

    #[test]
    fn a_pattern_that_reads_nothing_is_refused() {
        for pattern in [
            "%Y-%m-%d %H:%M:%S%.f",
            "%b %d, %Y %I:%M:%S %p",
            "%d/%b/%Y:%H:%M:%S %z",
            "%A, %d. %B %Y %H:%M",
            "%s",
        ] {
            assert_eq!(TimePattern::check(pattern), Ok(()), "{pattern}");
        }
        for pattern in ["%Y-%m-%d %H:%M:%S %Z", "%q", "%d.%m. %H:%M", "%I:%M", "%"] {
            assert!(TimePattern::check(pattern).is_err(), "{pattern}");
        }
    }
}
