//! A delivery that nobody labelled: records, lists of records in an envelope, tables.

use std::borrow::Cow;

use deedtrail_core::id::SourceName;
use deedtrail_core::limits::RECORD_BYTES_MAX;
use deedtrail_core::port::mapper::{FrameError, Framed, Sorted};

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
        let sorted = |record: Framed<'a>| {
            let own = registry.identify(&record.bytes).unwrap_or(name);
            let source = Some(own.clone());
            Sorted { source, record }
        };
        let rows = framing::pieces_of(framing, body)?;
        return Ok(rows.into_iter().map(sorted).collect());
    }
    let pieces: Vec<Framed<'a>> = framing::values(body).collect();
    let alone = pieces.len() == 1;
    let mut sorted = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let is_record = piece.bytes.len() <= RECORD_BYTES_MAX;
        let source = is_record.then(|| registry.identify(&piece.bytes)).flatten();
        let opened = match source {
            Some(_) => None,
            None => envelope(registry, &piece),
        };
        match opened {
            Some(opened) => sorted.extend(opened),
            None if is_record => sorted.push(Sorted {
                source: source.cloned(),
                record: piece,
            }),
            None => return Err(framing::too_large_at(piece.line)),
        }
    }
    if alone {
        for (number, one) in (1..).zip(&mut sorted) {
            one.record.line = number;
        }
    }
    let large = sorted.iter().map(|one| &one.record);
    match large
        .into_iter()
        .find(|one| one.bytes.len() > RECORD_BYTES_MAX)
    {
        Some(record) => Err(framing::too_large_at(record.line)),
        None => Ok(sorted),
    }
}

/// The source whose table a body is, by its header line or one of its first rows.
pub(crate) fn table<'r>(registry: &'r Registry, body: &[u8]) -> Option<(&'r SourceName, &'r Csv)> {
    if is_json(body) || body.trim_ascii_start().starts_with(b"[") {
        return None;
    }
    registry.tables().find(|(name, csv)| {
        let mut rows = framing::first_rows(csv, body);
        rows.any(|row| registry.identify(&row) == Some(*name))
    })
}

/// The records in an object that is none itself, if the source of one can be told, or if it is
/// nothing but an empty list. Sources that look alike are told apart by the key of their envelope.
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
        let is_empty = || records.is_empty() && framing::keys(&object.bytes).count() == 1;
        (any || is_empty()).then_some(records)
    })
}
