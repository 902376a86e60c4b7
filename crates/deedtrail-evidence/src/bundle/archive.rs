//! A zip file of which there is exactly one for any set of files: stored, sorted by name, every
//! field fixed. So a flipped bit anywhere, also in the zip's own structures, is found by comparing
//! with the bytes that had to be there. General zip libraries promise no such bytes across
//! versions. Archives are read and written piece by piece: memory holds their files once.

use std::io::{self, Read};
use std::ops::Range;

use super::Files;

/// Most files of an archive: the zip format without its 64-bit extension.
pub const FILE_COUNT_MAX: usize = 65_000;
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
/// Version 2.0 to extract; UTF-8 names; stored; 1980-01-01 00:00.
const COMMON: [u8; 10] = [20, 0, 0, 8, 0, 0, 0, 0, 0x21, 0];
const LOCAL_BYTES: usize = 30;
/// Most characters of a file's name that an error repeats.
const NAME_CHARS_SHOWN: usize = 120;
/// Where its content's check sum stands in them.
const CHECK_SUM: Range<usize> = 14..18;

/// Why bytes are not one of our archives, or files cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    #[error("damaged, or not a bundle: {0}")]
    Malformed(&'static str),
    #[error("damaged: its file {0:?} is not as it was packed, by its check sum")]
    Changed(String),
    #[error("the bundle would be too large")]
    TooLarge,
    #[error("its file: {0}")]
    Io(io::ErrorKind),
}

impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Malformed("it ends early"),
            kind => Self::Io(kind),
        }
    }
}

/// The archive of `files`.
pub(super) fn write(files: &Files) -> Result<Vec<u8>, ArchiveError> {
    let mut out = Vec::new();
    write_to(files, &mut |bytes| {
        out.extend_from_slice(bytes);
        Ok(())
    })?;
    Ok(out)
}

/// Hands the archive of `files` over in pieces, in order.
pub(super) fn write_to(
    files: &Files,
    put: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), ArchiveError> {
    let bytes: usize = files
        .iter()
        .map(|(name, bytes)| name.len() + bytes.len() + 128)
        .sum();
    if files.len() > FILE_COUNT_MAX || bytes as u64 > super::BUNDLE_BYTES_MAX {
        return Err(ArchiveError::TooLarge);
    }
    let mut directory = Directory::default();
    for (name, bytes) in files {
        put(&directory.add(name, bytes)?)?;
        put(bytes)?;
    }
    Ok(put(&directory.finish()?)?)
}

/// The central directory, which grows with every file.
#[derive(Default)]
struct Directory {
    bytes: Vec<u8>,
    count: usize,
    /// Bytes of the archive so far.
    offset: usize,
}

impl Directory {
    /// Adds a file; the bytes that come before its content.
    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let fields = entry_fields(name, bytes)?;
        let central = &mut self.bytes;
        central.extend_from_slice(&CENTRAL);
        central.extend_from_slice(&[20, 3]);
        central.extend_from_slice(&fields);
        // No comment, disk 0, no attributes inside, a plain file of mode 0644 outside.
        central.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0xA4, 0x81]);
        central.extend_from_slice(&number_u32(self.offset)?);
        central.extend_from_slice(name.as_bytes());
        let local = [&LOCAL[..], &fields, name.as_bytes()].concat();
        self.count += 1;
        self.offset += local.len() + bytes.len();
        Ok(local)
    }

    /// The bytes after the last file.
    fn finish(mut self) -> Result<Vec<u8>, ArchiveError> {
        let (at, length) = (number_u32(self.offset)?, number_u32(self.bytes.len())?);
        let count = u16::try_from(self.count)
            .map_err(|_| ArchiveError::TooLarge)?
            .to_le_bytes();
        let out = &mut self.bytes;
        out.extend_from_slice(&END);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&count);
        out.extend_from_slice(&count);
        out.extend_from_slice(&length);
        out.extend_from_slice(&at);
        out.extend_from_slice(&[0; 2]);
        Ok(self.bytes)
    }
}

fn number_u32(number: usize) -> Result<[u8; 4], ArchiveError> {
    u32::try_from(number)
        .map(u32::to_le_bytes)
        .map_err(|_| ArchiveError::TooLarge)
}

/// What the local and the central header of a file have in common.
fn entry_fields(name: &str, bytes: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let size = number_u32(bytes.len())?;
    let name_bytes = u16::try_from(name.len()).map_err(|_| ArchiveError::TooLarge)?;
    let mut fields = COMMON.to_vec();
    fields.extend_from_slice(&crc32fast::hash(bytes).to_le_bytes());
    fields.extend_from_slice(&size);
    fields.extend_from_slice(&size);
    fields.extend_from_slice(&name_bytes.to_le_bytes());
    fields.extend_from_slice(&[0; 2]);
    Ok(fields)
}

/// The files of an archive that [`write`] made, and of no other.
pub(super) fn read(mut archive: impl Read) -> Result<Files, ArchiveError> {
    let changed = ArchiveError::Malformed("its structure was changed");
    let (mut files, mut directory) = (Files::new(), Directory::default());
    let mut start = [0; 4];
    loop {
        archive.read_exact(&mut start)?;
        if start != LOCAL {
            break;
        }
        let (local, name, bytes) = read_file(&mut archive)?;
        if directory.count == FILE_COUNT_MAX {
            return Err(ArchiveError::TooLarge);
        }
        let in_order = files.last_key_value().is_none_or(|(last, _)| *last < name);
        let packed = directory.add(&name, &bytes)?;
        if in_order && is_other_content(&packed, &local) {
            let shown = name.chars().take(NAME_CHARS_SHOWN).collect();
            return Err(ArchiveError::Changed(shown));
        }
        if !in_order || packed != local {
            return Err(changed);
        }
        files.insert(name, bytes);
    }
    let expected = directory.finish()?;
    let mut rest = start.to_vec();
    archive.take(expected.len() as u64).read_to_end(&mut rest)?;
    if rest == expected {
        Ok(files)
    } else {
        Err(changed)
    }
}

/// Whether nothing but the check sum of the content differs.
fn is_other_content(packed: &[u8], found: &[u8]) -> bool {
    let around = |bytes: &[u8]| {
        let (before, after) = (bytes.get(..CHECK_SUM.start), bytes.get(CHECK_SUM.end..));
        before
            .zip(after)
            .map(|(before, after)| [before, after].concat())
    };
    packed != found && around(packed) == around(found)
}

/// Bytes before the content, name and content of the next file; its signature is read already.
fn read_file(archive: &mut impl Read) -> Result<(Vec<u8>, String, Vec<u8>), ArchiveError> {
    let mut local = vec![0; LOCAL_BYTES];
    local[..4].copy_from_slice(&LOCAL);
    archive.read_exact(&mut local[4..])?;
    let size = u32::from_le_bytes([local[18], local[19], local[20], local[21]]);
    let name_bytes = u16::from_le_bytes([local[26], local[27]]);
    // What a header claims is not reserved before it is there.
    let mut take = |count: u64| {
        let mut bytes = Vec::new();
        let read = archive.by_ref().take(count).read_to_end(&mut bytes)?;
        if read as u64 == count {
            Ok(bytes)
        } else {
            Err(ArchiveError::Malformed("it ends early"))
        }
    };
    let (name, bytes) = (take(u64::from(name_bytes))?, take(u64::from(size))?);
    local.extend_from_slice(&name);
    let name =
        String::from_utf8(name).map_err(|_| ArchiveError::Malformed("a name is not UTF-8"))?;
    Ok((local, name, bytes))
}
