//! Values of a charter that are more than text: actions, days, hours, amounts.

use std::borrow::Cow;
use std::fmt;

use deedtrail_core::action::{ACTIONS, Action};
use deedtrail_core::event::{ActorKind, Environment, Sensitivity};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Declares a value that charters write as one of a list of names.
macro_rules! named {
    ($(#[$meta:meta])* $name:ident($of:ty), $title:literal, $names:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $of);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let names: Vec<&str> = $names;
                json_schema!({ "type": "string", "enum": names })
            }
        }
    };
}

named! {
    /// An action of the taxonomy.
    ActionName(Action), "Action", ACTIONS.iter().map(|facts| facts.name).collect()
}
named! {
    /// An environment.
    EnvironmentName(Environment), "Environment",
    Environment::ALL.iter().map(|value| value.name()).collect()
}
named! {
    /// A sensitivity.
    SensitivityName(Sensitivity), "Sensitivity",
    Sensitivity::ALL.iter().map(|value| value.name()).collect()
}
named! {
    /// A kind of identity.
    KindName(ActorKind), "Kind", ActorKind::ALL.iter().map(|value| value.name()).collect()
}

/// The name of an action as charters write it.
pub(crate) fn action_name(action: Action) -> &'static str {
    let facts = ACTIONS.iter().find(|facts| facts.action == action);
    facts.map_or("other", |facts| facts.name)
}

/// An action by its name.
pub(crate) fn action_of(name: &str) -> Option<Action> {
    let facts = ACTIONS.iter().find(|facts| facts.name == name);
    facts.map(|facts| facts.action)
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A day of the week or a range of them; the first and last day, Monday is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    pub first: u8,
    pub last: u8,
}

impl Days {
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let day = |name: &str| {
            let place = DAYS
                .iter()
                .position(|day| name.trim().eq_ignore_ascii_case(day))?;
            u8::try_from(place).ok()
        };
        Some(Self {
            first: day(first)?,
            last: day(last)?,
        })
    }

    /// Whether a day (Monday is 0) is one of them; `fri-mon` goes over the weekend.
    pub const fn has(self, day: u8) -> bool {
        if self.first <= self.last {
            self.first <= day && day <= self.last
        } else {
            self.first <= day || day <= self.last
        }
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(DAYS[usize::from(self.first % 7)])?;
        if self.first != self.last {
            write!(f, "-{}", DAYS[usize::from(self.last % 7)])?;
        }
        Ok(())
    }
}

/// A span of the day in minutes after midnight, the last one not in it; it may go over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    pub from: u16,
    pub to: u16,
}

impl Hours {
    fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let minute = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
        };
        let hours = Self {
            from: minute(from)?,
            to: minute(to)?,
        };
        (hours.from != hours.to && hours.from < 24 * 60).then_some(hours)
    }

    /// Whether it goes over midnight.
    pub const fn wraps(self) -> bool {
        self.to < self.from
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from, self.to);
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            from / 60,
            from % 60,
            to / 60,
            to % 60
        )
    }
}

/// An amount of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// Units of bytes, the largest of each family first.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Bytes {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let unit = UNITS
            .iter()
            .find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
        let (number, size) = unit.unwrap_or((text, 1));
        number
            .trim()
            .parse::<u64>()
            .ok()?
            .checked_mul(size)
            .map(Self)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS
            .iter()
            .find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        match whole {
            Some((unit, size)) if *size > 1 => write!(f, "{}{unit}", self.0 / size),
            _ => write!(f, "{}", self.0),
        }
    }
}

/// Declares how a value is read from and written as text.
macro_rules! as_text {
    ($name:ident, $expected:literal, $pattern:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Reader;
                impl Visitor<'_> for Reader {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$name, E> {
                        $name::parse(text).ok_or_else(|| {
                            E::custom(format_args!("`{text}` is not {}", $expected))
                        })
                    }

                    fn visit_u64<E: Error>(self, number: u64) -> Result<$name, E> {
                        self.visit_str(&number.to_string())
                    }
                }
                deserializer.deserialize_any(Reader)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": ["string", "integer"], "pattern": $pattern })
            }
        }
    };
}

as_text!(
    Days,
    "a day or range of days (`mon`, `mon-fri`)",
    "^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$"
);
as_text!(
    Hours,
    "a span of the day (`06:00-20:00`)",
    "^[0-2]?[0-9]:[0-5][0-9]-[0-2]?[0-9]:[0-5][0-9]$"
);
as_text!(
    Bytes,
    "an amount of bytes (`500MB`, `2GiB`)",
    "^[0-9]+ *(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)?$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_go_over_the_weekend() {
        let days = Days::parse("fri-mon").unwrap();
        assert_eq!(
            (0..7).filter(|day| days.has(*day)).collect::<Vec<_>>(),
            [0, 4, 5, 6]
        );
        assert_eq!(days.to_string(), "fri-mon");
        assert_eq!(Days::parse("Wed").unwrap().to_string(), "wed");
        assert_eq!(Days::parse("someday"), None);
    }

    #[test]
    fn hours_are_within_a_day() {
        assert_eq!(
            Hours::parse("22:00-6:30").unwrap().to_string(),
            "22:00-06:30"
        );
        assert_eq!(Hours::parse("00:00-24:00").unwrap().to, 1440);
        for wrong in [
            "06:00",
            "06:00-06:00",
            "06:60-07:00",
            "24:00-25:00",
            "24:00-01:00",
            "a-b",
        ] {
            assert_eq!(Hours::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn bytes_keep_their_unit() {
        for text in ["2GiB", "500MB", "17", "3TiB", "1kB"] {
            assert_eq!(Bytes::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Bytes::parse("2 GiB"), Some(Bytes(2 << 30)));
        assert_eq!(Bytes::parse("99999999999TiB"), None);
        assert_eq!(Bytes::parse("many"), None);
    }
}
