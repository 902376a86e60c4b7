//! A delivery that nobody labelled: records, lists of records in an envelope, tables.

use std::borrow::Cow;

use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{FrameError, Framed, Mapper as _, Sorted};

use crate::framing::{self, Framing};
use crate::record::line::{Csv, is_json};
use crate::registry::Registry;

/// Cuts an unpacked body into records and finds the source of each.
pub(crate) fn sorted<'a>(
    registry: &Registry,
    body: &'a [u8],
) -> Result<Vec<Sorted<'a>>, FrameError> {
    if let Some((name, csv)) = table(registry, body) {
        let framing = Framing {
            envelopes: &[],
            csv: Some(csv),
        };
        let sorted = |record| Sorted {
            source: Some(name.clone()),
            record,
        };
        let rows = framing::pieces_of(framing, body)?;
        return Ok(rows.into_iter().map(sorted).collect());
    }
    let mut sorted = Vec::new();
    for piece in registry.pieces(body)? {
        let source = registry.identify(&piece.bytes).cloned();
        if source.is_none()
            && let Some(opened) = envelope(registry, &piece)
        {
            sorted.extend(opened);
            continue;
        }
        let record = piece;
        sorted.push(Sorted { source, record });
    }
    Ok(sorted)
}

/// The source whose table a body is, by its first row.
pub(crate) fn table<'r>(registry: &'r Registry, body: &[u8]) -> Option<(&'r SourceName, &'r Csv)> {
    if is_json(body) || body.trim_ascii_start().starts_with(b"[") {
        return None;
    }
    registry.tables().find(|(name, csv)| {
        let first = framing::first_row(csv, body);
        first.is_some_and(|first| registry.identify(&first.bytes) == Some(*name))
    })
}

/// The records in an object that is none itself, if the source of one can be told. Sources that
/// look alike are told apart by the key of their envelope.
fn envelope<'a>(registry: &Registry, object: &Framed<'a>) -> Option<Vec<Sorted<'a>>> {
    let ways = framing::keys(&object.bytes).flat_map(|key| registry.envelopes(key));
    let mut ways = ways.collect::<Vec<_>>().into_iter();
    ways.find_map(|(envelope, of_key)| {
        let list = envelope.open(&object.bytes)?;
        let source = |bytes: &[u8]| -> Option<SourceName> {
            let candidates = registry.candidates(bytes);
            let expected = candidates.iter().copied();
            let expected: Vec<_> = expected.filter(|name| of_key.contains(name)).collect();
            match (expected.as_slice(), candidates.as_slice()) {
                ([one], _) | (_, [one]) => Some((*one).clone()),
                _ => None,
            }
        };
        let records = list.into_iter().map(|one| {
            let bytes = match &object.bytes {
                Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(one).unwrap_or_default()),
                Cow::Owned(bytes) => Cow::Owned(bytes.get(one).unwrap_or_default().to_vec()),
            };
            let line = object.line;
            Sorted {
                source: source(&bytes),
                record: Framed { line, bytes },
            }
        });
        let records: Vec<Sorted<'a>> = records.collect();
        let any = records.iter().any(|record| record.source.is_some());
        any.then_some(records)
    })
}
