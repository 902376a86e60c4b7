//! Health of the sources and the quarantine.

use rusqlite::{Connection, Row, Transaction, params};

use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{QuarantineReason, Quarantined};

use crate::columns::{count, from_json, integer, json, named, row_limit, text, time};

/// Counters of every source. A row that cannot be read counts as absent: counters are worth less
/// than a start.
pub(crate) fn health(db: &Connection) -> rusqlite::Result<Vec<SourceHealth>> {
    let readable = |row: &Row<'_>| match from_json(row, 0) {
        Ok(health) => Ok(Some(health)),
        Err(error) => {
            let source: String = row.get(1)?;
            tracing::warn!(source, %error, "the counters of a source cannot be read; they start anew");
            Ok(None)
        }
    };
    db.prepare_cached("SELECT body, source FROM sources ORDER BY source")?
        .query_map((), readable)?
        .filter_map(Result::transpose)
        .collect()
}

pub(crate) fn put_health(tx: &Transaction<'_>, health: &SourceHealth) -> rusqlite::Result<()> {
    let sql = "INSERT INTO sources VALUES (?1, ?2) ON CONFLICT (source) DO UPDATE SET body = ?2";
    tx.prepare_cached(sql)?
        .execute(params![health.source.as_str(), json(health)?])?;
    Ok(())
}

pub(crate) fn quarantined(
    db: &Connection,
    source: Option<&SourceName>,
    limit: usize,
) -> rusqlite::Result<Vec<Quarantined>> {
    let sql = "SELECT sequence, source, code, reason, received, bytes FROM quarantine \
        WHERE ?1 IS NULL OR source = ?1 ORDER BY sequence DESC LIMIT ?2";
    let values = params![source.map(SourceName::as_str), row_limit(limit)];
    db.prepare_cached(sql)?
        .query_map(values, waiting)?
        .collect()
}

pub(crate) fn quarantine_reasons(
    db: &Connection,
    source: &SourceName,
) -> rusqlite::Result<Vec<QuarantineReason>> {
    let sql = "SELECT code, count(*), max(sequence), max(received) FROM quarantine \
        WHERE source = ?1 GROUP BY code ORDER BY 2 DESC, code";
    let reason = |row: &Row<'_>| {
        Ok(QuarantineReason {
            code: text(row, 0)?,
            records: count(row, 1)?,
            newest: count(row, 2)?,
            received: time(row, 3)?,
        })
    };
    db.prepare_cached(sql)?
        .query_map([source.as_str()], reason)?
        .collect()
}

pub(crate) fn quarantined_from(
    db: &Connection,
    source: Option<&SourceName>,
    from: Sequence,
    limit: usize,
) -> rusqlite::Result<Vec<Quarantined>> {
    let sql = "SELECT sequence, source, code, reason, received, bytes FROM quarantine \
        WHERE (?1 IS NULL OR source = ?1) AND sequence >= ?2 ORDER BY sequence LIMIT ?3";
    let source = source.map(SourceName::as_str);
    let values = params![source, integer(from), row_limit(limit)];
    db.prepare_cached(sql)?
        .query_map(values, waiting)?
        .collect()
}

fn waiting(row: &Row<'_>) -> rusqlite::Result<Quarantined> {
    Ok(Quarantined {
        sequence: count(row, 0)?,
        source: named(row, 1, |name| SourceName::new(name).ok())?,
        code: text(row, 2)?,
        reason: text(row, 3)?,
        received: time(row, 4)?,
        bytes: count(row, 5)?,
    })
}

pub(crate) fn put_quarantined(tx: &Transaction<'_>, record: &Quarantined) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO quarantine VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    tx.prepare_cached(sql)?.execute(params![
        integer(record.sequence),
        record.source.as_str(),
        record.code.as_str(),
        record.reason.as_str(),
        record.received.as_micros(),
        integer(record.bytes),
    ])?;
    Ok(())
}

pub(crate) fn release(tx: &Transaction<'_>, sequence: Sequence) -> rusqlite::Result<()> {
    let sql = "DELETE FROM quarantine WHERE sequence = ?1";
    tx.prepare_cached(sql)?.execute([integer(sequence)])?;
    Ok(())
}
