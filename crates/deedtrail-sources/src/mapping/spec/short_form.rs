//! What may be written short, a text or a list in place of a table: told apart by its shape.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{
    ChoicesSpec, ConditionSpec, FormattedTime, PatternSpec, TextSpec, TextTable, TimeSpec,
    ValueSpec, ValueTable,
};

impl<'de> Deserialize<'de> for ValueSpec {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = ValueSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, a 'constant', a {template}, a list of these, or a table")
            }
            fn visit_str<E>(self, text: &str) -> Result<ValueSpec, E> {
                Ok(ValueSpec::Text(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ValueSpec, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(ValueSpec::First(values))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ValueSpec, A::Error> {
                let table = ValueTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ValueSpec::Table(Box::new(table)))
            }
        }
        source.deserialize_any(Shape)
    }
}

impl<'de> Deserialize<'de> for TextSpec {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = TextSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`cef`, or a table with `pattern`, `pairs` or `csv`")
            }
            fn visit_str<E>(self, text: &str) -> Result<TextSpec, E> {
                Ok(TextSpec::Named(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TextSpec, A::Error> {
                TextTable::deserialize(MapAccessDeserializer::new(map)).map(TextSpec::Table)
            }
        }
        source.deserialize_any(Shape)
    }
}

impl<'de> Deserialize<'de> for TimeSpec {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = TimeSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, a list of paths, or { from = …, format = … }")
            }
            fn visit_str<E>(self, text: &str) -> Result<TimeSpec, E> {
                Ok(TimeSpec::Plain(ValueSpec::Text(text.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<TimeSpec, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(TimeSpec::Plain(ValueSpec::First(values)))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TimeSpec, A::Error> {
                FormattedTime::deserialize(MapAccessDeserializer::new(map)).map(TimeSpec::Formatted)
            }
        }
        source.deserialize_any(Shape)
    }
}

impl<'de> Deserialize<'de> for ChoicesSpec {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = ChoicesSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an answer, or a list of choices such as { when = …, set = … }")
            }
            fn visit_str<E>(self, text: &str) -> Result<ChoicesSpec, E> {
                Ok(ChoicesSpec::Always(text.to_owned()))
            }
            fn visit_bool<E>(self, answer: bool) -> Result<ChoicesSpec, E> {
                Ok(ChoicesSpec::Always(answer.to_string()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ChoicesSpec, A::Error> {
                let mut choices = Vec::new();
                while let Some(choice) = list.next_element()? {
                    choices.push(choice);
                }
                Ok(ChoicesSpec::Choices(choices))
            }
        }
        source.deserialize_any(Shape)
    }
}

impl<'de> Deserialize<'de> for PatternSpec {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = PatternSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, number or boolean to match, or a list of them")
            }
            fn visit_str<E>(self, text: &str) -> Result<PatternSpec, E> {
                Ok(PatternSpec(vec![text.to_owned()]))
            }
            fn visit_bool<E>(self, answer: bool) -> Result<PatternSpec, E> {
                Ok(PatternSpec(vec![answer.to_string()]))
            }
            fn visit_i64<E>(self, number: i64) -> Result<PatternSpec, E> {
                Ok(PatternSpec(vec![number.to_string()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PatternSpec, A::Error> {
                let mut all = Vec::new();
                while let Some(PatternSpec(some)) = list.next_element()? {
                    all.extend(some);
                }
                Ok(PatternSpec(all))
            }
        }
        source.deserialize_any(Shape)
    }
}

impl<'de> Deserialize<'de> for ConditionSpec {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = ConditionSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of path = pattern")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ConditionSpec, A::Error> {
                let mut condition = ConditionSpec::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "any_of" => condition.any_of = map.next_value()?,
                        "all_of" => condition.all_of = map.next_value()?,
                        "none_of" => condition.none_of = map.next_value()?,
                        _ => condition.fields.push((key, map.next_value()?)),
                    }
                }
                Ok(condition)
            }
        }
        source.deserialize_map(Shape)
    }
}
