//! Health of the sources and the quarantine.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{Dismissal, QuarantineFilter, QuarantineReason, Quarantined};

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
    db.prepare_cached("SELECT body, source FROM sources ORDER BY source, tenant")?
        .query_map((), readable)?
        .filter_map(Result::transpose)
        .collect()
}

pub(crate) fn put_health(tx: &Transaction<'_>, health: &SourceHealth) -> rusqlite::Result<()> {
    let sql = "INSERT INTO sources VALUES (?1, ?2, ?3) \
        ON CONFLICT (tenant, source) DO UPDATE SET body = ?3";
    let names = [health.tenant.as_str(), health.source.as_str()];
    tx.prepare_cached(sql)?
        .execute(params![names[0], names[1], json(health)?])?;
    Ok(())
}

const COLUMNS: &str = "sequence, tenant, source, code, reason, received, bytes, dismissed_by, \
    dismissed_at, dismissed_reason";

type Values<'a> = (&'a str, bool, Option<&'a str>, Option<&'a str>);

/// What a filter asks for; `?1` to `?4` are its [`values`]. What it leaves open is no condition, so
/// that an index which does not begin with it is used.
fn asked(filter: &QuarantineFilter) -> String {
    let source = filter
        .source
        .as_ref()
        .map_or("?3 IS NULL", |_| "source = ?3");
    let code = filter.code.as_ref().map_or("?4 IS NULL", |_| "code = ?4");
    format!("tenant = ?1 AND (dismissed_at IS NOT NULL) = ?2 AND {source} AND {code}")
}

fn values(filter: &QuarantineFilter) -> Values<'_> {
    let source = filter.source.as_ref().map(SourceName::as_str);
    let tenant = filter.tenant.as_str();
    (tenant, filter.dismissed, source, filter.code.as_deref())
}

fn newest_first(filter: &QuarantineFilter) -> String {
    let asked = asked(filter);
    format!("SELECT {COLUMNS} FROM quarantine WHERE {asked} ORDER BY sequence DESC LIMIT ?5")
}

fn oldest_first(filter: &QuarantineFilter) -> String {
    let asked = asked(filter);
    format!(
        "SELECT {COLUMNS} FROM quarantine WHERE {asked} AND sequence >= ?5 \
         ORDER BY sequence LIMIT ?6"
    )
}

/// Counts in the index alone; of the table it reads one row for each reason.
fn reasons(filter: &QuarantineFilter) -> String {
    format!(
        "SELECT counted.source, counted.code, records, newest, received FROM \
         (SELECT source, code, count(*) AS records, max(sequence) AS newest \
         FROM quarantine INDEXED BY quarantine_by_reason WHERE {} GROUP BY source, code) \
         AS counted JOIN quarantine ON sequence = newest ORDER BY newest DESC",
        asked(filter)
    )
}

pub(crate) fn quarantined(
    db: &Connection,
    filter: &QuarantineFilter,
    limit: usize,
) -> rusqlite::Result<Vec<Quarantined>> {
    let (tenant, dismissed, source, code) = values(filter);
    let values = params![tenant, dismissed, source, code, row_limit(limit)];
    let mut statement = db.prepare_cached(&newest_first(filter))?;
    statement.query_map(values, one)?.collect()
}

pub(crate) fn quarantine_reasons(
    db: &Connection,
    filter: &QuarantineFilter,
) -> rusqlite::Result<Vec<QuarantineReason>> {
    let reason = |row: &Row<'_>| {
        Ok(QuarantineReason {
            source: source_of(row, 0)?,
            code: text(row, 1)?,
            records: count(row, 2)?,
            newest: count(row, 3)?,
            received: time(row, 4)?,
        })
    };
    let mut statement = db.prepare_cached(&reasons(filter))?;
    statement.query_map(values(filter), reason)?.collect()
}

pub(crate) fn quarantined_from(
    db: &Connection,
    filter: &QuarantineFilter,
    from: Sequence,
    limit: usize,
) -> rusqlite::Result<Vec<Quarantined>> {
    let (tenant, dismissed, source, code) = values(filter);
    let (from, limit) = (integer(from), row_limit(limit));
    let values = params![tenant, dismissed, source, code, from, limit];
    let mut statement = db.prepare_cached(&oldest_first(filter))?;
    statement.query_map(values, one)?.collect()
}

pub(crate) fn quarantined_at(
    db: &Connection,
    tenant: &TenantId,
    sequence: Sequence,
) -> rusqlite::Result<Option<Quarantined>> {
    let sql = format!("SELECT {COLUMNS} FROM quarantine WHERE tenant = ?1 AND sequence = ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let values = params![tenant.as_str(), integer(sequence)];
    statement.query_row(values, one).optional()
}

fn source_of(row: &Row<'_>, column: usize) -> rusqlite::Result<SourceName> {
    named(row, column, |name| SourceName::new(name).ok())
}

fn one(row: &Row<'_>) -> rusqlite::Result<Quarantined> {
    let by: Option<String> = row.get(7)?;
    let dismissal = by.map(|by| {
        Ok::<_, rusqlite::Error>(Dismissal {
            by: by.into(),
            at: time(row, 8)?,
            reason: text(row, 9)?,
        })
    });
    Ok(Quarantined {
        sequence: count(row, 0)?,
        tenant: named(row, 1, |name| TenantId::new(name).ok())?,
        source: source_of(row, 2)?,
        code: text(row, 3)?,
        reason: text(row, 4)?,
        received: time(row, 5)?,
        bytes: count(row, 6)?,
        dismissal: dismissal.transpose()?,
    })
}

pub(crate) fn put_quarantined(tx: &Transaction<'_>, record: &Quarantined) -> rusqlite::Result<()> {
    let sql =
        "INSERT OR REPLACE INTO quarantine VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, NULL, NULL)";
    tx.prepare_cached(sql)?.execute(params![
        integer(record.sequence),
        record.tenant.as_str(),
        record.source.as_str(),
        record.code.as_str(),
        record.reason.as_str(),
        record.received.as_micros(),
        integer(record.bytes),
    ])?;
    match &record.dismissal {
        Some(dismissal) => dismiss(tx, record.sequence, dismissal),
        None => Ok(()),
    }
}

pub(crate) fn release(tx: &Transaction<'_>, sequence: Sequence) -> rusqlite::Result<()> {
    let sql = "DELETE FROM quarantine WHERE sequence = ?1";
    tx.prepare_cached(sql)?.execute([integer(sequence)])?;
    Ok(())
}

pub(crate) fn dismiss(
    tx: &Transaction<'_>,
    sequence: Sequence,
    dismissal: &Dismissal,
) -> rusqlite::Result<()> {
    let sql = "UPDATE quarantine SET dismissed_by = ?2, dismissed_at = ?3, dismissed_reason = ?4 \
        WHERE sequence = ?1";
    let Dismissal { by, at, reason } = dismissal;
    let values = params![integer(sequence), &**by, at.as_micros(), &**reason];
    tx.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

pub(crate) fn restore(tx: &Transaction<'_>, sequence: Sequence) -> rusqlite::Result<()> {
    let sql = "UPDATE quarantine SET dismissed_by = NULL, dismissed_at = NULL, \
        dismissed_reason = NULL WHERE sequence = ?1";
    tx.prepare_cached(sql)?.execute([integer(sequence)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use deedtrail_core::Text;

    use super::*;
    use crate::connection::Connections;

    /// How `sql` is carried out; its parameters are not bound.
    fn plan(db: &Connection, sql: &str) -> String {
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.raw_query();
        let steps = steps.mapped(|row| row.get::<_, String>(3));
        let steps: Vec<_> = steps.map(Result::unwrap).collect();
        steps.join("; ")
    }

    #[test]
    fn lists_of_quarantine_are_read_in_the_order_of_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = Connections::open(&folder.path().join("control.db")).unwrap();
        let source = SourceName::new("a.x").unwrap();
        let (sources, codes) = ([None, Some(source)], [None, Some(Text::from("not_json"))]);
        let filters = sources.iter().flat_map(|source| {
            codes.iter().map(|code| QuarantineFilter {
                tenant: TenantId::default(),
                source: source.clone(),
                code: code.clone(),
                dismissed: false,
            })
        });
        let plans = filters.map(|filter| {
            let listed = [newest_first(&filter), oldest_first(&filter)];
            let counted = reasons(&filter);
            let plans = |db: &Connection| {
                let listed = listed.map(|sql| plan(db, &sql));
                Ok((listed, plan(db, &counted)))
            };
            store.read(plans).unwrap()
        });
        for (listed, counted) in plans {
            for plan in listed {
                assert!(plan.contains("USING INDEX quarantine_"), "{plan}");
                assert!(!plan.contains("USE TEMP B-TREE"), "{plan}");
            }
            assert!(counted.contains("COVERING INDEX"), "{counted}");
            assert!(!counted.contains("FOR GROUP BY"), "{counted}");
        }
    }
}
