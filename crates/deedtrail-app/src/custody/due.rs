//! Entries that a version before knew by the words in them only.

use deedtrail_core::port::log::{EntryKind, ReadError, Sequence, StoredEntry};
use deedtrail_core::port::store::Progress;

use super::of_entry;
use crate::Ports;
use crate::pipeline::PipelineError;

/// Entries read between two transactions.
const PAGE: usize = 1_000;

/// Derives what they are about from the log, as a rebuild does. Those that are damaged stay due.
pub(crate) fn derive_due(ports: &Ports) -> Result<(), PipelineError> {
    let mut from = 0;
    loop {
        let due = ports.store.custody_due(from, PAGE)?;
        let Some(last) = due.last() else {
            return Ok(());
        };
        from = last + 1;
        let mut progress = Progress {
            through: ports.store.processed()?,
            ..Progress::default()
        };
        for sequence in due {
            match audit_entry(ports, sequence) {
                Err(ReadError::Damaged { .. }) => {
                    tracing::error!(sequence, "custody of a damaged entry is not known");
                    continue;
                }
                read => progress.custody.extend(read?.iter().flat_map(of_entry)),
            }
            progress.custody_derived.push(sequence);
        }
        ports.store.save(progress)?;
    }
}

fn audit_entry(ports: &Ports, sequence: Sequence) -> Result<Option<StoredEntry>, ReadError> {
    let entry = ports.log.read(sequence, 1)?.into_iter().next();
    Ok(entry.filter(|entry| entry.entry.kind == EntryKind::Audit))
}
