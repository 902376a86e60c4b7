//! A zip file of which there is exactly one for any set of files: stored, sorted by name, every
//! field fixed. So a flipped bit anywhere, also in the zip's own structures, is found by writing
//! the archive again and comparing. General zip libraries promise no such bytes across versions.

use super::Files;

/// Most files of an archive: the zip format without its 64-bit extension.
pub const FILE_COUNT_MAX: usize = 65_000;
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
/// Version 2.0 to extract; UTF-8 names; stored; 1980-01-01 00:00.
const COMMON: [u8; 10] = [20, 0, 0, 8, 0, 0, 0, 0, 0x21, 0];
const LOCAL_BYTES: usize = 30;

/// Why bytes are not one of our archives, or files cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    #[error("not a bundle: {0}")]
    Malformed(&'static str),
    #[error("the bundle would be too large")]
    TooLarge,
}

/// The archive of `files`.
pub(super) fn write(files: &Files) -> Result<Vec<u8>, ArchiveError> {
    let bytes: usize = files
        .iter()
        .map(|(name, bytes)| name.len() + bytes.len() + 128)
        .sum();
    if files.len() > FILE_COUNT_MAX || bytes as u64 > super::BUNDLE_BYTES_MAX {
        return Err(ArchiveError::TooLarge);
    }
    let mut out = Vec::with_capacity(bytes);
    let mut central = Vec::new();
    for (name, bytes) in files {
        let offset = number_u32(out.len())?;
        let entry = entry_fields(name, bytes)?;
        out.extend_from_slice(&LOCAL);
        out.extend_from_slice(&entry);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(bytes);
        central.extend_from_slice(&CENTRAL);
        central.extend_from_slice(&[20, 3]);
        central.extend_from_slice(&entry);
        // No comment, disk 0, no attributes inside, a plain file of mode 0644 outside.
        central.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0xA4, 0x81]);
        central.extend_from_slice(&offset);
        central.extend_from_slice(name.as_bytes());
    }
    let (central_at, central_bytes) = (number_u32(out.len())?, number_u32(central.len())?);
    let count = u16::try_from(files.len())
        .map_err(|_| ArchiveError::TooLarge)?
        .to_le_bytes();
    out.append(&mut central);
    out.extend_from_slice(&END);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&count);
    out.extend_from_slice(&count);
    out.extend_from_slice(&central_bytes);
    out.extend_from_slice(&central_at);
    out.extend_from_slice(&[0; 2]);
    Ok(out)
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
    fields.extend_from_slice(&crc32(bytes).to_le_bytes());
    fields.extend_from_slice(&size);
    fields.extend_from_slice(&size);
    fields.extend_from_slice(&name_bytes.to_le_bytes());
    fields.extend_from_slice(&[0; 2]);
    Ok(fields)
}

/// CRC-32 (IEEE 802.3), as zip wants it.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let at = (crc ^ u32::from(*byte)) & 255;
        TABLE[at as usize] ^ (crc >> 8)
    };
    !bytes.iter().fold(!0, step)
}

const TABLE: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0_u32;
    while at < 256 {
        let (mut crc, mut bit) = (at, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 {
                0xEDB8_8320 ^ (crc >> 1)
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[at as usize] = crc;
        at += 1;
    }
    table
}

/// The files of an archive that [`write`] made, and of no other.
pub(super) fn read(archive: &[u8]) -> Result<Files, ArchiveError> {
    let mut files = Files::new();
    let mut rest = archive;
    while rest.starts_with(&LOCAL) {
        let early = ArchiveError::Malformed("it ends early");
        let (header, after) = rest
            .split_first_chunk::<LOCAL_BYTES>()
            .ok_or(early.clone())?;
        let size = u32::from_le_bytes([header[18], header[19], header[20], header[21]]) as usize;
        let name_bytes = usize::from(u16::from_le_bytes([header[26], header[27]]));
        let (name, after) = after.split_at_checked(name_bytes).ok_or(early.clone())?;
        let (bytes, after) = after.split_at_checked(size).ok_or(early)?;
        let name = std::str::from_utf8(name)
            .map_err(|_| ArchiveError::Malformed("a name is not UTF-8"))?;
        if files.insert(name.to_owned(), bytes.to_vec()).is_some() {
            return Err(ArchiveError::Malformed("a name is there twice"));
        }
        rest = after;
    }
    if write(&files)? == archive {
        Ok(files)
    } else {
        Err(ArchiveError::Malformed("its structure was changed"))
    }
}
