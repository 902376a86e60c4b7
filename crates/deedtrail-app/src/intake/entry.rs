//! What the log keeps of a record.

use std::ops::Range;

use deedtrail_core::Text;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::mapping::MapError;
use deedtrail_core::port::log::{EntryKind, NewEntry, Part, PartClass};
use deedtrail_core::time::Timestamp;

/// The parts of a record: what is sensitive, and what lies between. `sensitive` is in order.
pub(crate) fn parts(record: &[u8], sensitive: Vec<(Range<usize>, PartClass)>) -> Vec<Part> {
    let part = |class, range: Range<usize>| Part {
        class,
        key_id: 0,
        bytes: record[range].to_vec(),
    };
    let mut parts = Vec::with_capacity(2 * sensitive.len() + 1);
    let mut plain_from = 0;
    for (range, class) in sensitive {
        if plain_from < range.start {
            parts.push(part(PartClass::Plain, plain_from..range.start));
        }
        plain_from = range.end;
        parts.push(part(class, range));
    }
    if plain_from < record.len() || parts.is_empty() {
        parts.push(part(PartClass::Plain, plain_from..record.len()));
    }
    parts
}

pub(super) fn entry(
    (tenant, source, received): (&TenantId, &SourceName, Timestamp),
    error: Option<&MapError>,
    key: Text,
    parts: Vec<Part>,
) -> NewEntry {
    NewEntry {
        kind: if error.is_some() {
            EntryKind::Quarantined
        } else {
            EntryKind::Record
        },
        tenant: tenant.clone(),
        source: Some(source.clone()),
        received,
        idempotency_key: Some(key),
        note: error.map_or_else(Text::default, quarantine_note),
        parts,
    }
}

/// `code: reason`, cut to what a note may hold.
fn quarantine_note(error: &MapError) -> Text {
    let text = format!("{}: {error}", error.code());
    text.chars().take(1000).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_joined_are_the_record() {
        use PartClass::{Plain, Secret, ToolArguments};
        let split = |record: &[u8], sensitive| -> Vec<(PartClass, String)> {
            let text = |part: Part| String::from_utf8(part.bytes).unwrap();
            let parts = parts(record, sensitive).into_iter();
            parts.map(|part| (part.class, text(part))).collect()
        };
        let expected = |rows: &[(PartClass, &str)]| -> Vec<(PartClass, String)> {
            rows.iter()
                .map(|(class, text)| (*class, (*text).to_owned()))
                .collect()
        };
        assert_eq!(split(b"", vec![]), expected(&[(Plain, "")]));
        assert_eq!(split(b"ab", vec![]), expected(&[(Plain, "ab")]));
        assert_eq!(
            split(b"ab", vec![(0..2, Secret)]),
            expected(&[(Secret, "ab")])
        );
        assert_eq!(
            split(b"abcdef", vec![(1..2, Secret), (2..4, ToolArguments)]),
            expected(&[
                (Plain, "a"),
                (Secret, "b"),
                (ToolArguments, "cd"),
                (Plain, "ef")
            ])
        );
    }
}
