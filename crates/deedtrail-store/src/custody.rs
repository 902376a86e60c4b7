//! Audit entries by what they are about.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use deedtrail_core::custody::{Act, CustodyEntry, CustodyQuery, Subject};
use deedtrail_core::id::TenantId;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::time::Timestamp;

use crate::columns::{count, integer, row_limit};

/// Newest views of one thing that are looked through for those of one principal.
const VIEWS_LOOKED_AT_MAX: usize = 1_000;

pub(crate) fn put(tx: &Transaction<'_>, entry: &CustodyEntry) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO custody VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    tx.prepare_cached(sql)?.execute(params![
        entry.tenant.as_str(),
        entry.subject.kind.name(),
        entry.subject.id.as_str(),
        entry.act.name(),
        integer(entry.sequence),
        entry.who.as_str(),
        entry.at.as_micros(),
    ])?;
    Ok(())
}

pub(crate) fn of(db: &Connection, query: &CustodyQuery<'_>) -> rusqlite::Result<Vec<Sequence>> {
    let sql = "SELECT sequence FROM custody WHERE tenant = ?1 AND kind = ?2 AND id = ?3 \
        AND act = ?4 ORDER BY sequence DESC LIMIT ?5";
    let mut statement = db.prepare_cached(sql)?;
    let mut newest = BTreeSet::new();
    for subject in query.subjects {
        for act in query.acts {
            let values = params![
                query.tenant.as_str(),
                subject.kind.name(),
                subject.id.as_str(),
                act.name(),
                row_limit(query.limit)
            ];
            for sequence in statement.query_map(values, |row| count(row, 0))? {
                newest.insert(sequence?);
                if newest.len() > query.limit {
                    newest.pop_first();
                }
            }
        }
    }
    Ok(newest.into_iter().rev().collect())
}

pub(crate) fn last_view(
    db: &Connection,
    tenant: &TenantId,
    subject: &Subject,
    who: &str,
) -> rusqlite::Result<Option<Timestamp>> {
    let sql = "SELECT at FROM (SELECT who, at, sequence FROM custody WHERE tenant = ?1 \
        AND kind = ?2 AND id = ?3 AND act = ?4 ORDER BY sequence DESC LIMIT ?5) \
        WHERE who = ?6 ORDER BY sequence DESC LIMIT 1";
    let values = params![
        tenant.as_str(),
        subject.kind.name(),
        subject.id.as_str(),
        Act::View.name(),
        row_limit(VIEWS_LOOKED_AT_MAX),
        who
    ];
    db.prepare_cached(sql)?
        .query_row(values, |row| row.get(0).map(Timestamp::from_micros))
        .optional()
}

pub(crate) fn due(
    db: &Connection,
    from: Sequence,
    limit: usize,
) -> rusqlite::Result<Vec<Sequence>> {
    let sql = "SELECT sequence FROM custody_due WHERE sequence >= ?1 ORDER BY sequence LIMIT ?2";
    db.prepare_cached(sql)?
        .query_map(params![integer(from), row_limit(limit)], |row| {
            count(row, 0)
        })?
        .collect()
}

pub(crate) fn derived(tx: &Transaction<'_>, sequence: Sequence) -> rusqlite::Result<()> {
    let sql = "DELETE FROM custody_due WHERE sequence = ?1";
    tx.prepare_cached(sql)?.execute([integer(sequence)])?;
    Ok(())
}
