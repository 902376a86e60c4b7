//! How each type of an event's field becomes a cell and comes back.

use std::borrow::Cow;
use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{
    ActorKind, Alias, Change, CredentialKind, Delegation, DeviceTrust, Environment, EventKind,
    EvidenceGrade, OutcomeClass, Plane, Provenance, Sensitivity, TimeQuality, ToolArgument,
    Verdict,
};
use deedtrail_core::id::{Id, SourceName, TenantId};
use deedtrail_core::time::Timestamp;

use super::Cell;

/// Earliest and latest instant a column holds: years 1 to 9999, microseconds. Others are stored
/// as the nearer of the two, because engines that read the table refuse them.
const TIME_RANGE_US: (i64, i64) = (-62_135_596_800_000_000, 253_402_300_799_999_999);

/// A field of an event as a cell. `take` leaves the field as it is when the cell is of another
/// type or null, so that columns added later read as the type's default.
pub(crate) trait Field {
    fn cell(&self) -> Cell<'_>;
    fn take(&mut self, cell: Cell<'_>);
}

impl Field for Text {
    fn cell(&self) -> Cell<'_> {
        if self.is_empty() {
            Cell::Null
        } else {
            Cell::Text(Cow::Borrowed(self))
        }
    }
    fn take(&mut self, cell: Cell<'_>) {
        if let Cell::Text(text) = cell {
            *self = Text::new(text);
        }
    }
}

impl<K> Field for Id<K> {
    fn cell(&self) -> Cell<'_> {
        Cell::Id(self.to_bytes())
    }
    fn take(&mut self, cell: Cell<'_>) {
        if let Cell::Text(text) = cell
            && let Ok(id) = text.parse()
        {
            *self = id;
        }
    }
}

impl Field for Timestamp {
    fn cell(&self) -> Cell<'_> {
        Cell::Integer(self.as_micros().clamp(TIME_RANGE_US.0, TIME_RANGE_US.1))
    }
    fn take(&mut self, cell: Cell<'_>) {
        if let Cell::Integer(micros) = cell {
            *self = Self::from_micros(micros);
        }
    }
}

impl Field for bool {
    fn cell(&self) -> Cell<'_> {
        Cell::Boolean(*self)
    }
    fn take(&mut self, cell: Cell<'_>) {
        if let Cell::Boolean(value) = cell {
            *self = value;
        }
    }
}

/// Integers: stored as `i64`; a value beyond the range is stored as its end.
macro_rules! integer_field {
    ($($type:ty),+) => {$(
        impl Field for $type {
            fn cell(&self) -> Cell<'_> {
                Cell::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }
            fn take(&mut self, cell: Cell<'_>) {
                if let Cell::Integer(value) = cell {
                    *self = Self::try_from(value).unwrap_or_default();
                }
            }
        }
    )+};
}
integer_field!(i64, u32, u64);

/// Closed lists: stored by name; an unknown name reads as the default (`unknown`, `other` …).
macro_rules! listed_field {
    ($($type:ty),+) => {$(
        impl Field for $type {
            fn cell(&self) -> Cell<'_> {
                Cell::Text(Cow::Borrowed(self.name()))
            }
            fn take(&mut self, cell: Cell<'_>) {
                if let Cell::Text(name) = cell {
                    *self = Self::from_name(&name).unwrap_or_default();
                }
            }
        }
    )+};
}
listed_field!(
    Action,
    ActorKind,
    CredentialKind,
    DeviceTrust,
    Environment,
    EventKind,
    EvidenceGrade,
    OutcomeClass,
    Plane,
    Sensitivity,
    TimeQuality,
    Verdict
);

/// Checked names: stored as text; a name that no longer passes its check is left as it was.
macro_rules! name_field {
    ($($type:ty),+) => {$(
        impl Field for $type {
            fn cell(&self) -> Cell<'_> {
                Cell::Text(Cow::Borrowed(self.as_str()))
            }
            fn take(&mut self, cell: Cell<'_>) {
                if let Cell::Text(name) = cell
                    && let Ok(name) = Self::new(&name)
                {
                    *self = name;
                }
            }
        }
    )+};
}
name_field!(SourceName, TenantId);

/// A value to fill an absent field from.
pub(crate) trait Blank {
    fn blank() -> Self;
}
impl<K> Blank for Id<K> {
    fn blank() -> Self {
        Self::from_bytes([0; 16])
    }
}
macro_rules! blank_default {
    ($($type:ty),+) => {$(impl Blank for $type { fn blank() -> Self { Self::default() } })+};
}
blank_default!(Text, Timestamp, i64, CredentialKind, Verdict);

impl<T: Field + Blank> Field for Option<T> {
    fn cell(&self) -> Cell<'_> {
        self.as_ref().map_or(Cell::Null, Field::cell)
    }
    fn take(&mut self, cell: Cell<'_>) {
        if cell != Cell::Null {
            let mut value = T::blank();
            value.take(cell);
            *self = Some(value);
        }
    }
}

/// Something that is one element of a list column.
pub(crate) trait Element: Sized {
    fn texts(&self) -> Vec<Option<Cow<'_, str>>>;
    /// `texts` has as many entries as [`Element::texts`] gives.
    fn from_texts(texts: &mut dyn Iterator<Item = Option<Text>>) -> Self;
}

impl<T: Element> Field for Vec<T> {
    fn cell(&self) -> Cell<'_> {
        if self.is_empty() {
            return Cell::Null;
        }
        Cell::List(self.iter().map(Element::texts).collect())
    }
    fn take(&mut self, cell: Cell<'_>) {
        if let Cell::List(elements) = cell {
            let element = |texts: Vec<Option<Cow<'_, str>>>| {
                T::from_texts(&mut texts.into_iter().map(|text| text.map(Text::new)))
            };
            *self = elements.into_iter().map(element).collect();
        }
    }
}

/// The next text, or the empty one.
fn next(texts: &mut dyn Iterator<Item = Option<Text>>) -> Text {
    texts.next().flatten().unwrap_or_default()
}

impl Element for Text {
    fn texts(&self) -> Vec<Option<Cow<'_, str>>> {
        vec![Some(Cow::Borrowed(self))]
    }
    fn from_texts(texts: &mut dyn Iterator<Item = Option<Text>>) -> Self {
        next(texts)
    }
}

impl Element for Alias {
    fn texts(&self) -> Vec<Option<Cow<'_, str>>> {
        vec![
            Some(Cow::Borrowed(&self.namespace)),
            Some(Cow::Borrowed(&self.value)),
        ]
    }
    fn from_texts(texts: &mut dyn Iterator<Item = Option<Text>>) -> Self {
        Self {
            namespace: next(texts),
            value: next(texts),
        }
    }
}

impl Element for Delegation {
    fn texts(&self) -> Vec<Option<Cow<'_, str>>> {
        vec![
            Some(Cow::Borrowed(&self.relation)),
            Some(Cow::Borrowed(&self.alias.namespace)),
            Some(Cow::Borrowed(&self.alias.value)),
        ]
    }
    fn from_texts(texts: &mut dyn Iterator<Item = Option<Text>>) -> Self {
        Self {
            relation: next(texts),
            alias: Alias::from_texts(texts),
        }
    }
}

impl Element for Change {
    fn texts(&self) -> Vec<Option<Cow<'_, str>>> {
        vec![
            Some(Cow::Borrowed(&self.path)),
            self.before.as_deref().map(Cow::Borrowed),
            self.after.as_deref().map(Cow::Borrowed),
        ]
    }
    fn from_texts(texts: &mut dyn Iterator<Item = Option<Text>>) -> Self {
        Self {
            path: next(texts),
            before: texts.next().flatten(),
            after: texts.next().flatten(),
        }
    }
}

impl Element for ToolArgument {
    fn texts(&self) -> Vec<Option<Cow<'_, str>>> {
        let entities = (!self.entities.is_empty()).then(|| Cow::Owned(self.entities.join(",")));
        vec![
            Some(Cow::Borrowed(&self.name)),
            Some(Cow::Borrowed(self.provenance.name())),
            Some(Cow::Borrowed(&self.value_hash)),
            entities,
        ]
    }
    fn from_texts(texts: &mut dyn Iterator<Item = Option<Text>>) -> Self {
        Self {
            name: next(texts),
            provenance: Provenance::from_name(&next(texts)).unwrap_or_default(),
            value_hash: next(texts),
            entities: texts.next().flatten().map_or_else(Vec::new, |joined| {
                joined.split(',').map(Text::new).collect()
            }),
        }
    }
}

impl Field for BTreeMap<Text, Text> {
    fn cell(&self) -> Cell<'_> {
        if self.is_empty() {
            return Cell::Null;
        }
        let pairs = self
            .iter()
            .map(|(key, value)| [key.as_str(), value.as_str()]);
        Cell::List(
            pairs
                .map(|pair| pair.map(|text| Some(Cow::Borrowed(text))).to_vec())
                .collect(),
        )
    }
    fn take(&mut self, cell: Cell<'_>) {
        if let Cell::List(elements) = cell {
            for texts in elements {
                let mut texts = texts.into_iter().map(|text| text.map(Text::new));
                self.insert(next(&mut texts), next(&mut texts));
            }
        }
    }
}
