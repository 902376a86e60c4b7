//! The acknowledged watermark in two slots that are written in turn, so that one is always whole.

use std::io;
use std::path::Path;

use deedtrail_core::port::log::Sequence;

use crate::disk::{Access, Disk, DiskFile};
use crate::sync::Arc;

const MAGIC: [u8; 4] = *b"DTW\x01";
const SLOT_BYTES: usize = 32;
/// The slots lie in different pages.
const SLOT_OFFSETS: [u64; 2] = [0, 4096];

/// One past the newest acknowledged sequence, on disk.
#[derive(Debug)]
pub(crate) struct Watermark {
    file: Arc<dyn DiskFile>,
    turn: u64,
}

impl Watermark {
    /// Opens or creates the file and returns the newest value that is whole (0 when none is).
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> io::Result<(Self, Sequence)> {
        let file = match disk.open(path, Access::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                disk.open(path, Access::Create)?
            }
            opened => opened?,
        };
        let mut newest = (0, 0);
        for offset in SLOT_OFFSETS {
            let mut slot = [0; SLOT_BYTES];
            file.read_at(&mut slot, offset)?;
            newest = newest.max(parse(&slot).unwrap_or((0, 0)));
        }
        Ok((
            Self {
                file,
                turn: newest.0,
            },
            newest.1,
        ))
    }

    /// Writes the next slot. Not synced for every batch but with each checkpoint: after a power cut
    /// it may be a second old. Then a damaged newest frame cannot be told from a torn one, and is
    /// set aside instead of being reported.
    pub(crate) fn set(&mut self, end: Sequence) -> io::Result<()> {
        self.turn += 1;
        let mut slot = [0; SLOT_BYTES];
        slot[..4].copy_from_slice(&MAGIC);
        slot[8..16].copy_from_slice(&self.turn.to_be_bytes());
        slot[16..24].copy_from_slice(&end.to_be_bytes());
        let crc = crc32c::crc32c(&slot[..SLOT_BYTES - 4]);
        slot[SLOT_BYTES - 4..].copy_from_slice(&crc.to_be_bytes());
        self.file
            .write_at(&slot, SLOT_OFFSETS[usize::from(self.turn % 2 == 1)])
    }

    pub(crate) fn file(&self) -> Arc<dyn DiskFile> {
        Arc::clone(&self.file)
    }
}

fn parse(slot: &[u8; SLOT_BYTES]) -> Option<(u64, Sequence)> {
    let (fields, crc) = slot.split_last_chunk::<4>()?;
    let intact = slot[..4] == MAGIC && u32::from_be_bytes(*crc) == crc32c::crc32c(fields);
    let number = |at: usize| {
        let mut eight = [0; 8];
        eight.copy_from_slice(&slot[at..at + 8]);
        u64::from_be_bytes(eight)
    };
    intact.then(|| (number(8), number(16)))
}
