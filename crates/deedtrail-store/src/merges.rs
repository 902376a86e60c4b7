//! Merges of identities.

use rusqlite::{Connection, Transaction, params};

use deedtrail_core::identity::Merge;

use crate::columns::{from_json, id, json, micros, text, time, time_option};

pub(crate) fn list(db: &Connection) -> rusqlite::Result<Vec<Merge>> {
    let sql = "SELECT kept, merged, reason, at, aliases, credentials, undone FROM merges \
        ORDER BY at, merged, kept";
    let rows = |row: &rusqlite::Row<'_>| {
        Ok(Merge {
            kept: id(row, 0)?,
            merged: id(row, 1)?,
            reason: text(row, 2)?,
            at: time(row, 3)?,
            aliases: from_json(row, 4)?,
            credentials: from_json(row, 5)?,
            undone: time_option(row, 6)?,
        })
    };
    db.prepare_cached(sql)?.query_map((), rows)?.collect()
}

pub(crate) fn put(tx: &Transaction<'_>, merge: &Merge) -> rusqlite::Result<()> {
    let sql = "INSERT INTO merges VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (merged, kept) \
        DO UPDATE SET reason = ?3, at = ?4, aliases = ?5, credentials = ?6, undone = ?7";
    tx.prepare_cached(sql)?.execute(params![
        merge.merged.to_bytes(),
        merge.kept.to_bytes(),
        merge.reason.as_str(),
        merge.at.as_micros(),
        json(&merge.aliases)?,
        json(&merge.credentials)?,
        micros(merge.undone),
    ])?;
    Ok(())
}
