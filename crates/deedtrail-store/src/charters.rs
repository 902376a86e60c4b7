//! Versions of charters.

use rusqlite::{Connection, Transaction, params};

use deedtrail_core::charter::CharterRecord;
use deedtrail_core::id::TenantId;

use crate::columns::{from_json, json};

/// By name, the newest version first; those of one name, or all.
pub(crate) fn list(
    db: &Connection,
    tenant: &TenantId,
    name: Option<&str>,
) -> rusqlite::Result<Vec<CharterRecord>> {
    let sql = "SELECT record FROM charters WHERE tenant = ?1 AND (?2 IS NULL OR name = ?2) \
        ORDER BY name, version DESC";
    let rows = |row: &rusqlite::Row<'_>| from_json(row, 0);
    let mut statement = db.prepare_cached(sql)?;
    statement
        .query_map(params![tenant.as_str(), name], rows)?
        .collect()
}

pub(crate) fn put(tx: &Transaction<'_>, charter: &CharterRecord) -> rusqlite::Result<()> {
    let sql = "INSERT INTO charters VALUES (?1, ?2, ?3, ?4) \
        ON CONFLICT (tenant, name, version) DO UPDATE SET record = ?4";
    tx.prepare_cached(sql)?.execute(params![
        charter.tenant.as_str(),
        charter.name.as_str(),
        charter.version,
        json(charter)?,
    ])?;
    Ok(())
}
