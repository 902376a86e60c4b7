//! The position in the log, and everything stored together with it.

use rusqlite::{Connection, Transaction, params};

use deedtrail_core::identity::Declared;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::Progress;

use crate::columns::{count, integer};
use crate::{
    behaviours, charters, custody, entitlements, exceptions, findings, identities, merges,
    sessions, sources,
};

/// Bytes of one part of a snapshot; SQLite takes no value of a gigabyte, and copies what it takes.
const SNAPSHOT_PART_BYTES: usize = 16 << 20;

pub(crate) fn processed(db: &Connection) -> rusqlite::Result<Sequence> {
    db.query_row("SELECT processed FROM position", (), |row| count(row, 0))
}

pub(crate) fn save(tx: &Transaction<'_>, progress: &Progress) -> rusqlite::Result<()> {
    for identity in &progress.identities {
        identities::put_identity(tx, identity)?;
        let replace = progress.declared.contains(&identity.id);
        if replace || identity.declared != Declared::default() {
            identities::put_declared(tx, identity.id, &identity.declared, replace)?;
        }
    }
    for alias in &progress.aliases {
        identities::put_alias(tx, alias)?;
    }
    for credential in &progress.credentials {
        identities::put_credential(tx, credential)?;
    }
    for merge in &progress.merges {
        merges::put(tx, merge)?;
    }
    for finding in &progress.findings {
        findings::put(tx, finding)?;
    }
    for said in &progress.entitlements {
        entitlements::replace(tx, said)?;
    }
    for health in &progress.sources {
        sources::put_health(tx, health)?;
    }
    for record in &progress.quarantined {
        sources::put_quarantined(tx, record)?;
    }
    for sequence in &progress.released {
        sources::release(tx, *sequence)?;
    }
    for (sequence, dismissal) in &progress.dismissed {
        sources::dismiss(tx, *sequence, dismissal)?;
    }
    for sequence in &progress.restored {
        sources::restore(tx, *sequence)?;
    }
    for entry in &progress.custody {
        custody::put(tx, entry)?;
    }
    for sequence in &progress.custody_derived {
        custody::derived(tx, *sequence)?;
    }
    sessions::save(tx, progress)?;
    behaviours::save(tx, progress)?;
    for charter in &progress.charters {
        charters::put(tx, charter)?;
    }
    for exception in &progress.exceptions {
        exceptions::put(tx, exception)?;
    }
    if let Some(before) = progress.exceptions_over_before {
        exceptions::remove_over(tx, before)?;
    }
    tx.execute(
        "UPDATE position SET processed = ?1",
        [integer(progress.through)],
    )?;
    Ok(())
}

pub(crate) fn forget_derived(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute_batch(
        "DELETE FROM aliases; DELETE FROM credentials; DELETE FROM merges; \
         DELETE FROM identities; DELETE FROM findings; DELETE FROM sources; \
         DELETE FROM entitlements; DELETE FROM entitlement_imports; DELETE FROM quarantine; \
         DELETE FROM snapshots; DELETE FROM sessions; DELETE FROM session_joins; \
         DELETE FROM blind_sessions; DELETE FROM charters; DELETE FROM behaviours; \
         DELETE FROM forecasts; DELETE FROM baselines; DELETE FROM custody; \
         DELETE FROM custody_due; DELETE FROM rule_exceptions; UPDATE position SET processed = 0;",
    )
}

pub(crate) fn put_snapshot(
    tx: &Transaction<'_>,
    name: &str,
    position: Sequence,
    bytes: &[u8],
) -> rusqlite::Result<()> {
    put_in_parts(tx, name, position, bytes.chunks(SNAPSHOT_PART_BYTES))
}

fn put_in_parts<'b>(
    tx: &Transaction<'_>,
    name: &str,
    position: Sequence,
    mut parts: impl Iterator<Item = &'b [u8]>,
) -> rusqlite::Result<()> {
    tx.execute("DELETE FROM snapshots WHERE name = ?1", [name])?;
    let sql = "INSERT INTO snapshots VALUES (?1, ?2, ?3, ?4)";
    let mut put = tx.prepare_cached(sql)?;
    // One that is empty has a part too.
    let first = parts.next().unwrap_or_default();
    for (part, bytes) in (0_i64..).zip(std::iter::once(first).chain(parts)) {
        put.execute(params![name, part, integer(position), bytes])?;
    }
    Ok(())
}

/// Pages in use, as they stand in the file.
pub(crate) fn stored_bytes(db: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT (page_count - freelist_count) * page_size \
        FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
    db.query_row(sql, [], |row| count(row, 0))
}

pub(crate) fn snapshot(
    db: &Connection,
    name: &str,
) -> rusqlite::Result<Option<(Sequence, Vec<u8>)>> {
    let sql = "SELECT position, bytes FROM snapshots WHERE name = ?1 ORDER BY part";
    let mut statement = db.prepare_cached(sql)?;
    let mut parts = statement.query([name])?;
    let mut whole: Option<(Sequence, Vec<u8>)> = None;
    while let Some(row) = parts.next()? {
        let position = count(row, 0)?;
        let (_, bytes) = whole.get_or_insert((position, Vec::new()));
        bytes.extend_from_slice(row.get_ref(1)?.as_blob()?);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Connections;

    #[test]
    fn a_snapshot_in_parts_is_read_as_it_was_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let connections = Connections::open(&folder.path().join("control.db")).unwrap();
        let kept = |bytes: &[u8], position| {
            connections
                .write(|tx| put_in_parts(tx, "state", position, bytes.chunks(3)))
                .unwrap();
            connections.read(|db| snapshot(db, "state")).unwrap()
        };
        assert_eq!(kept(b"0123456789", 7), Some((7, b"0123456789".to_vec())));
        assert_eq!(kept(b"01", 8), Some((8, b"01".to_vec())));
        assert_eq!(kept(b"", 9), Some((9, Vec::new())));
        let other = connections.read(|db| snapshot(db, "other"));
        assert_eq!(other.unwrap(), None);
    }
}
