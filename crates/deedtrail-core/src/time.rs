//! Time as the product stores it: microseconds since the Unix epoch, UTC.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in microseconds since 1970-01-01T00:00:00Z.
///
/// Prints and serialises as RFC 3339 with microseconds; binary formats get the integer (µs).
/// Instants before the year -9999 or after 9999 print as the first or last that RFC 3339 can be
/// read back for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// One second in microseconds.
    pub const SECOND_US: i64 = 1_000_000;
    /// One minute in microseconds.
    pub const MINUTE_US: i64 = 60 * Self::SECOND_US;
    /// One hour in microseconds.
    pub const HOUR_US: i64 = 60 * Self::MINUTE_US;
    /// One day in microseconds.
    pub const DAY_US: i64 = 24 * Self::HOUR_US;

    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Parses RFC 3339 (`2026-11-18T14:02:11.5Z`, any offset). `None` when it is anything else.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let micros = text.parse::<jiff::Timestamp>().ok()?.as_microsecond();
        // The last second of all can be parsed but not be made from its microseconds.
        jiff::Timestamp::from_microsecond(micros).ok()?;
        Some(Self(micros))
    }

    /// RFC 3339 cut to milliseconds: what most peers keep, for comparison with them.
    pub fn to_rfc3339_millis(self) -> String {
        format!("{:.3}", self.printable())
    }

    /// The instant nearest to this one that can be printed and read back.
    fn printable(self) -> jiff::Timestamp {
        use jiff::Timestamp as Printable;
        Printable::from_microsecond(self.0).unwrap_or_else(|_| {
            let seconds = self.0.div_euclid(Self::SECOND_US);
            let first = Printable::MIN.as_second();
            let last = Printable::MAX.as_second();
            Printable::from_second(seconds.clamp(first, last)).unwrap_or_default()
        })
    }

    /// This instant moved by `micros` (negative moves back); saturates at the ends of `i64`.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to `self`; negative when `self` comes first.
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Days since 1970-01-01 (UTC), rounded down.
    pub const fn utc_day(self) -> i64 {
        self.0.div_euclid(Self::DAY_US)
    }

    /// Midnight (UTC) of the day this instant lies in.
    #[must_use]
    pub const fn start_of_day(self) -> Self {
        Self(self.utc_day() * Self::DAY_US)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.printable())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            Self::parse_rfc3339(&text).ok_or_else(|| {
                serde::de::Error::custom(format_args!("`{text}` is not an RFC 3339 time"))
            })
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses_rfc3339() {
        let at = Timestamp::parse_rfc3339("2026-11-18T15:02:11.5+01:00").unwrap();
        assert_eq!(at.to_string(), "2026-11-18T14:02:11.500000Z");
        assert_eq!(Timestamp::parse_rfc3339(&at.to_string()), Some(at));
        assert_eq!(Timestamp::parse_rfc3339("yesterday"), None);
    }

    #[test]
    fn json_is_rfc3339() {
        let at = Timestamp::from_micros(1_500_000);
        let json = serde_json::to_string(&at).unwrap();
        assert_eq!(json, "\"1970-01-01T00:00:01.500000Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), at);
        assert!(serde_json::from_str::<Timestamp>("\"noon\"").is_err());
    }

    #[test]
    fn what_is_parsed_can_be_printed_and_what_is_printed_can_be_parsed() {
        let last = "9999-12-30T22:00:00.000000Z";
        let at = Timestamp::parse_rfc3339(last).unwrap();
        assert_eq!(at.to_string(), last);
        assert_eq!(Timestamp::parse_rfc3339("9999-12-30T22:00:00.5Z"), None);
        assert_eq!(at.plus_micros(500_000).to_string(), last);
        assert_eq!(
            at.plus_micros(500_000).to_rfc3339_millis(),
            "9999-12-30T22:00:00.000Z"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_instant_survives_json(micros: i64, far in 0_u32..64) {
            let at = Timestamp::from_micros(micros >> far);
            let json = serde_json::to_string(&at).unwrap();
            let read: Timestamp = serde_json::from_str(&json).unwrap();
            proptest::prop_assert_eq!(serde_json::to_string(&read).unwrap(), json);
            if jiff::Timestamp::from_microsecond(at.as_micros()).is_ok() {
                proptest::prop_assert_eq!(read, at);
            } else {
                proptest::prop_assert!(read.as_micros().abs() <= at.as_micros().saturating_abs());
            }
        }
    }

    #[test]
    fn milliseconds_are_cut_not_rounded() {
        let at = Timestamp::parse_rfc3339("2020-12-01T20:29:04.356999Z").unwrap();
        assert_eq!(at.to_rfc3339_millis(), "2020-12-01T20:29:04.356Z");
    }

    #[test]
    fn days_before_the_epoch_round_down() {
        assert_eq!(Timestamp::from_micros(-1).utc_day(), -1);
        assert_eq!(
            Timestamp::from_micros(-1).start_of_day().as_micros(),
            -Timestamp::DAY_US
        );
    }
}
