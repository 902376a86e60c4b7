//! A delivery whose source nobody names.

use std::borrow::Cow;

use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Encoding, FrameError, Framed, Mapper, Sorted};

use super::{Arrival, Origin};

/// As what records wait in quarantine whose source nobody names and nothing tells.
pub const UNLABELLED: &str = "unlabelled.record";

/// The records of a delivery, each with the source that it tells.
pub(super) fn arrivals<'a>(
    mapper: &dyn Mapper,
    encoding: Encoding,
    body: &'a [u8],
) -> Result<Vec<Arrival<'a>>, FrameError> {
    let body = mapper.unpack(encoding, body)?;
    match body {
        Cow::Borrowed(body) => {
            let sorted = mapper.frame_unlabelled(body)?.into_iter();
            sorted.map(|one| arrival(mapper, one)).collect()
        }
        Cow::Owned(body) => {
            let sorted = mapper.frame_unlabelled(&body)?.into_iter();
            let owned = sorted.map(|Sorted { source, record }| Sorted {
                source,
                record: Framed {
                    line: record.line,
                    bytes: Cow::Owned(record.bytes.into_owned()),
                },
            });
            owned.map(|one| arrival(mapper, one)).collect()
        }
    }
}

fn arrival<'a>(mapper: &dyn Mapper, sorted: Sorted<'a>) -> Result<Arrival<'a>, FrameError> {
    let protocol = SourceName::new(UNLABELLED);
    let protocol = protocol.map_err(|error| FrameError::UnknownSource(error.to_string()))?;
    // A form in which many logs are written is no label: a record may be within.
    let told = sorted.source.filter(|source| !mapper.comes_last(source));
    let labels = told.iter().map(ToString::to_string).collect();
    Ok(Arrival::of(
        sorted.record,
        Origin::Shipped { protocol, labels },
    ))
}
