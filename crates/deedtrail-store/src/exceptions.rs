//! Exceptions to rules.

use rusqlite::{Connection, Transaction, params};

use deedtrail_core::exception::RuleException;
use deedtrail_core::id::TenantId;
use deedtrail_core::time::Timestamp;

use crate::columns::{from_json, json};

/// The newest first.
pub(crate) fn list(db: &Connection, tenant: &TenantId) -> rusqlite::Result<Vec<RuleException>> {
    let sql = "SELECT record FROM rule_exceptions WHERE tenant = ?1 ORDER BY number DESC";
    let rows = |row: &rusqlite::Row<'_>| from_json(row, 0);
    let mut statement = db.prepare_cached(sql)?;
    statement.query_map([tenant.as_str()], rows)?.collect()
}

pub(crate) fn put(tx: &Transaction<'_>, exception: &RuleException) -> rusqlite::Result<()> {
    let sql = "INSERT INTO rule_exceptions VALUES (?1, ?2, ?3) \
        ON CONFLICT (tenant, number) DO UPDATE SET record = ?3";
    tx.prepare_cached(sql)?.execute(params![
        exception.tenant.as_str(),
        exception.number,
        json(exception)?,
    ])?;
    Ok(())
}

/// Removes those that were over before then. Once a day, so each is looked at.
pub(crate) fn remove_over(tx: &Transaction<'_>, before: Timestamp) -> rusqlite::Result<()> {
    let mut over: Vec<(TenantId, u32)> = Vec::new();
    let mut every = tx.prepare("SELECT record FROM rule_exceptions")?;
    let mut rows = every.query(())?;
    while let Some(row) = rows.next()? {
        let exception: RuleException = from_json(row, 0)?;
        if exception.over() < before {
            over.push((exception.tenant, exception.number));
        }
    }
    let sql = "DELETE FROM rule_exceptions WHERE tenant = ?1 AND number = ?2";
    let mut one = tx.prepare_cached(sql)?;
    for (tenant, number) in over {
        one.execute(params![tenant.as_str(), number])?;
    }
    Ok(())
}
