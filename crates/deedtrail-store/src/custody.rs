//! Audit entries by what they speak of.

use rusqlite::{Connection, Transaction, params};

use deedtrail_core::id::TenantId;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::CustodyEntry;

use crate::columns::{count, integer, row_limit};

pub(crate) fn put(tx: &Transaction<'_>, entry: &CustodyEntry) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO custody VALUES (?1, ?2, ?3)";
    tx.prepare_cached(sql)?.execute(params![
        entry.tenant.as_str(),
        entry.subject.as_str(),
        integer(entry.sequence)
    ])?;
    Ok(())
}

pub(crate) fn of(
    db: &Connection,
    tenant: &TenantId,
    subject: &str,
    limit: usize,
) -> rusqlite::Result<Vec<Sequence>> {
    let sql = "SELECT sequence FROM custody WHERE tenant = ?1 AND subject = ?2 \
        ORDER BY sequence DESC LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    let values = params![tenant.as_str(), subject, row_limit(limit)];
    statement.query_map(values, |row| count(row, 0))?.collect()
}
