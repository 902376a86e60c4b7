//! A copy of a log that goes on being written: what a power cut at this moment would leave of it.

use std::io;
use std::path::Path;

use deedtrail_core::port::log::{EvidenceLog as _, Sequence};

use crate::disk::{Access, Disk};
use crate::identity::Identity;
use crate::log::Log;

/// Bytes read and written at once.
const PIECE_BYTES: usize = 1 << 20;
/// What says how much there must be.
const MARKS: [&str; 2] = ["watermark", "checkpoint"];

/// What a copy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Every entry below this sequence is in the copy; what came while it was made may be.
    pub entries: Sequence,
    /// Bytes of its files.
    pub bytes: u64,
}

impl Log {
    /// Copies the log's folder, beside appends and reads, durably. Tiles and index are left out:
    /// opening makes them anew. The signing key lies elsewhere and is not part of it.
    ///
    /// The copy is opened as what it is, by `Log::adopt`. Errors are those of the disk; then the
    /// copy is not whole.
    pub fn copy_to(&self, folder: &Path) -> io::Result<Copied> {
        let shared = &self.shared;
        let disk = &*shared.disk;
        let entries = self.end();
        disk.create_folder(folder)?;
        let mut bytes = 0;
        // What is about entries goes before the entries: they only become more.
        for name in MARKS {
            let (from, to) = (shared.folder.join(name), folder.join(name));
            match copy_file(disk, (&from, None), &to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                copied => bytes += copied?,
            }
        }
        let (from, to) = (Identity::path(&shared.folder), Identity::path(folder));
        bytes += copy_file(disk, (&from, None), &to)?;
        let segments = folder.join("segments");
        disk.create_folder(&segments)?;
        for (path, end) in shared.segments.extents() {
            let name = path.file_name().unwrap_or_default();
            bytes += copy_file(disk, (&path, end), &segments.join(name))?;
        }
        disk.sync_folder(&segments)?;
        disk.sync_folder(folder)?;
        Ok(Copied { entries, bytes })
    }
}

/// Copies a file, of one that is written to what lies before `end`: beyond it, a later frame could
/// be there without an earlier one. Returns the bytes copied. What is reserved and not written takes
/// no room in the copy.
fn copy_file(disk: &dyn Disk, (from, end): (&Path, Option<u64>), to: &Path) -> io::Result<u64> {
    let source = disk.open(from, Access::Read)?;
    let target = disk.open(to, Access::CreateSecret)?;
    let length = source.length()?;
    target.set_len(length)?;
    let end = end.map_or(length, |end| end.min(length));
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = 0;
    while at < end {
        let wanted = usize::try_from(end - at).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        let read = source.read_at(&mut piece[..wanted], at)?;
        if read == 0 {
            break;
        }
        if piece[..read].iter().any(|byte| *byte != 0) {
            target.write_at(&piece[..read], at)?;
        }
        at += read as u64;
    }
    target.sync()?;
    Ok(at)
}
