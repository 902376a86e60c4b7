//! Taking something whole: a file that no longer grows, an object.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Read};

use deedtrail_app::intake::KeyMaker;
use deedtrail_core::id::SourceName;
use deedtrail_core::limits::{REQUEST_BYTES_MAX, TABLE_BYTES_MAX};
use deedtrail_core::port::table::{TableError, Tables, is_table};

use super::limits::{HEAD_BYTES, TABLE_RATIO_MAX, UNPACKED_RATIO_MAX};
use super::part::{End, first_line, is_document, read_part, skip_line};
use super::way::{Form, Records, Refused, Untaken, Way};

/// First bytes of gzip (RFC 1952), Zstandard (RFC 8878) and zip archives.
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const ZIP: &[u8] = b"PK\x03\x04";
/// Largest window of Zstandard that is taken, as a power of two: 128 MiB, what `zstd --long` makes.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Whether something is compressed or a table, by its first bytes.
pub(crate) fn is_packed(beginning: &[u8]) -> bool {
    [GZIP, ZSTD, ZIP]
        .iter()
        .any(|magic| beginning.starts_with(magic))
        || is_table(beginning)
}

/// What is in `input`, unpacked where it is compressed, as lines where it is a table. An error where
/// it unpacks to more than its `bytes` may.
pub(crate) fn unpacked<'a>(
    tables: &dyn Tables,
    mut input: impl BufRead + Send + 'a,
    bytes: u64,
) -> io::Result<Box<dyn BufRead + Send + 'a>> {
    let beginning = input.fill_buf()?;
    if beginning.starts_with(ZIP) {
        let reason = "it is a zip archive, which is not taken; put the files in it there";
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    if beginning.starts_with(GZIP) {
        let input = flate2::bufread::MultiGzDecoder::new(input);
        return Ok(bounded(input, bytes, UNPACKED_RATIO_MAX));
    }
    if beginning.starts_with(ZSTD) {
        let mut input = zstd::stream::read::Decoder::with_buffer(input)?;
        input.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
        return Ok(bounded(input, bytes, UNPACKED_RATIO_MAX));
    }
    if is_table(beginning) {
        let limit = TABLE_BYTES_MAX as u64;
        let mut file = Vec::new();
        input.take(limit + 1).read_to_end(&mut file)?;
        if file.len() as u64 > limit {
            let what = "bytes";
            return Err(TableError::OverLimit { what, limit }.into());
        }
        let bytes = file.len() as u64;
        return Ok(bounded(tables.lines(file)?, bytes, TABLE_RATIO_MAX));
    }
    Ok(Box::new(input))
}

/// What `bytes` unpack to, up to `ratio` times as many.
fn bounded<'a>(
    input: impl Read + Send + 'a,
    bytes: u64,
    ratio: u64,
) -> Box<dyn BufRead + Send + 'a> {
    let left = ratio.saturating_mul(bytes).max(REQUEST_BYTES_MAX as u64);
    let input = Bounded { input, left, ratio };
    Box::new(BufReader::with_capacity(64 << 10, input))
}

/// Ends with an error after so many bytes.
struct Bounded<R> {
    input: R,
    left: u64,
    ratio: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        let bomb = || {
            let ratio = self.ratio;
            let reason = format!(
                "it unpacks to more than {ratio} times its size, and is taken up to there; put it \
                 there unpacked, as lines, if it is sound"
            );
            io::Error::new(io::ErrorKind::InvalidData, reason)
        };
        self.left = self.left.checked_sub(read as u64).ok_or_else(bomb)?;
        Ok(read)
    }
}

/// Takes all of `input`, part by part. Records without id and time are told from those of other
/// inputs by `beginning`, else by the first line.
pub(crate) fn take_whole(
    way: &Way,
    source: Option<&SourceName>,
    input: &mut dyn BufRead,
    beginning: Option<&[u8]>,
    place: &dyn Display,
) -> Result<(), Untaken> {
    let mut head = Vec::new();
    (&mut *input)
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)?;
    let mut keys = KeyMaker::of_file(beginning.unwrap_or(first_line(&head)));
    let input: &mut dyn BufRead = &mut head.chain(input);
    if is_document(&head) {
        return take_document(way, source, input, &mut keys, place);
    }
    let header = way.app.ports.mapper.header(source, &head);
    let mut first = true;
    let mut body = Vec::new();
    loop {
        body.clear();
        let cut = read_part(input, &mut body, header.is_some())?;
        // What the end of the input cuts off is a line as well.
        let is_last = cut.end == End::Ended;
        let taken = if is_last { body.len() } else { cut.whole };
        if taken > 0 {
            let records = Records {
                source,
                // The first part has it.
                header: header.filter(|_| !first).unwrap_or_default(),
                body: &body[..taken],
                form: Form::Lines,
            };
            way.take(records, &mut keys, place)?;
            first = false;
        }
        match cut.end {
            End::Ended => return Ok(()),
            End::Full => {}
            End::TooLong => {
                let skipped = skip_line(&mut body[cut.whole..].chain(&mut *input))?;
                way.refuse_line(place, &skipped);
            }
        }
    }
}

/// A document is one delivery.
fn take_document(
    way: &Way,
    source: Option<&SourceName>,
    input: &mut dyn BufRead,
    keys: &mut KeyMaker,
    place: &dyn Display,
) -> Result<(), Untaken> {
    let mut body = Vec::new();
    let limit = REQUEST_BYTES_MAX as u64;
    (&mut *input).take(limit + 1).read_to_end(&mut body)?;
    if body.len() as u64 <= limit {
        let records = Records {
            source,
            header: &[],
            body: &body,
            form: Form::Document,
        };
        way.take(records, keys, place)?;
        return Ok(());
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&body).update_reader(&mut *input)?;
    let bytes = hasher.count();
    let reason =
        format!("it is one document of over {limit} bytes; write its records one per line");
    way.refuse(
        place,
        &Refused {
            bytes,
            hash: hasher.finalize(),
            reason: &reason,
        },
    );
    Ok(())
}
