//! Findings, and what analysts decided about them.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params, params_from_iter};

use deedtrail_core::finding::{Decision, Finding, FindingStatus, Severity};
use deedtrail_core::id::{FindingId, TenantId};
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{DepartureDay, DepartureFilter, FindingFilter, RuleFigures};
use deedtrail_core::time::Timestamp;

use crate::columns::{
    count, finding_status, finding_status_name, from_json, id, json, micros, named, row_limit,
    text as column_text, text_option, time, time_option,
};

const FINDING: &str = "SELECT f.body, d.status, d.disposition, d.analyst, d.at, d.covered, d.note \
    FROM findings f LEFT JOIN decisions d ON d.finding = f.id";

/// As [`Finding::status_now`].
const STATUS_IS: &str = "CASE WHEN d.status IS NULL OR f.position > d.covered \
    THEN 'open' ELSE d.status END = ?";

/// An identity and all that were merged into it.
pub(crate) const FAMILY: &str = "WITH RECURSIVE family (id) AS (SELECT ?1 UNION \
    SELECT m.merged FROM merges m JOIN family f ON m.kept = f.id WHERE m.undone IS NULL) ";

/// The conditions of a filter with their values. What it does not ask for is not mentioned, so
/// that counting reads an index and no finding.
fn conditions(filter: &FindingFilter) -> (String, Vec<Value>) {
    let text = |text: &str| Value::from(text.to_owned());
    // One identity's findings are found by its index, not by going through everybody's in order.
    let tenant = if filter.identity.is_some() {
        "+f.tenant = ?"
    } else {
        "f.tenant = ?"
    };
    let given = [
        (
            "f.identity IN (SELECT id FROM family)",
            filter.identity.map(|id| id.to_bytes().to_vec().into()),
        ),
        (tenant, Some(text(filter.tenant.as_str()))),
        ("f.kind = ?", filter.kind.as_deref().map(text)),
        (
            "f.severity >= ?",
            filter.severity_min.map(|s| rank(s).into()),
        ),
        (
            STATUS_IS,
            filter
                .status
                .map(|status| text(finding_status_name(status))),
        ),
        (
            "instr(f.folded, ?) > 0",
            filter.text.as_ref().map(|t| t.to_lowercase().into()),
        ),
        (
            "f.updated >= ?",
            micros(filter.updated_since).map(Into::into),
        ),
    ];
    let (mut sql, mut values) = (String::from(" WHERE true"), Vec::new());
    for (condition, value) in given {
        if let Some(value) = value {
            sql.push_str(" AND ");
            sql.push_str(condition);
            values.push(value);
        }
    }
    (sql, values)
}

/// What a query about a filter starts with; binds the filter's first value.
fn family(filter: &FindingFilter) -> &'static str {
    if filter.identity.is_some() {
        FAMILY
    } else {
        ""
    }
}

pub(crate) fn list(
    db: &Connection,
    filter: &FindingFilter,
    limit: usize,
) -> rusqlite::Result<Vec<Finding>> {
    let (sql, values) = select(filter, limit);
    db.prepare_cached(&sql)?
        .query_map(params_from_iter(values), finding_row)?
        .collect()
}

/// The query of a list with its values.
fn select(filter: &FindingFilter, limit: usize) -> (String, Vec<Value>) {
    let (conditions, mut values) = conditions(filter);
    let (family, order) = match filter.identity {
        Some(_) => (FAMILY, "+f.last_time DESC"),
        None => ("", "f.last_time DESC"),
    };
    let sql =
        format!("{family}{FINDING}{conditions} ORDER BY {order}, f.severity DESC, f.id LIMIT ?");
    values.push(row_limit(limit).into());
    (sql, values)
}

/// Sums findings up by identity, kind and day, from an index alone.
pub(crate) fn departures(
    db: &Connection,
    filter: &DepartureFilter<'_>,
) -> rusqlite::Result<Vec<DepartureDay>> {
    let (sql, values) = sums(filter);
    let day = |row: &Row<'_>| {
        let severity = usize::try_from(row.get::<_, i64>(3)?).ok();
        let severity = severity.and_then(|place| Severity::ALL.get(place).copied());
        Ok(DepartureDay {
            identity: id(row, 0)?,
            kind: column_text(row, 1)?,
            day: row.get(2)?,
            severity: severity.ok_or(rusqlite::Error::IntegralValueOutOfRange(3, -1))?,
            findings: count(row, 4)?,
            last: time(row, 5)?,
        })
    };
    db.prepare_cached(&sql)?
        .query_map(params_from_iter(values), day)?
        .collect()
}

/// The query of sums with its values.
fn sums(filter: &DepartureFilter<'_>) -> (String, Vec<Value>) {
    let kinds = vec!["?"; filter.kinds.len()].join(", ");
    let sql = format!(
        "SELECT identity, kind, last_time / {day} AS day, max(severity), count(*), max(last_time) \
         FROM (SELECT f.identity, f.kind, f.severity, f.last_time FROM findings f \
         LEFT JOIN decisions d ON d.finding = f.id \
         WHERE f.tenant = ? AND f.last_time >= ? AND f.kind IN ({kinds}) \
         AND (d.status IS NULL OR d.status <> '{closed}' OR f.position > d.covered) \
         ORDER BY f.last_time DESC, f.severity DESC, f.id LIMIT ?) \
         GROUP BY identity, kind, day",
        day = Timestamp::DAY_US,
        closed = finding_status_name(FindingStatus::Closed),
    );
    let mut values: Vec<Value> = vec![
        filter.tenant.as_str().to_owned().into(),
        filter.since.as_micros().into(),
    ];
    let kinds = filter.kinds.iter();
    values.extend(kinds.map(|kind| Value::from((*kind).to_owned())));
    values.push(row_limit(filter.findings_max).into());
    (sql, values)
}

/// How many match, by severity in the order of [`Severity::ALL`].
pub(crate) fn counts(db: &Connection, filter: &FindingFilter) -> rusqlite::Result<[u64; 5]> {
    let (conditions, values) = conditions(filter);
    let family = family(filter);
    let sql = format!(
        "{family}SELECT f.severity, count(*) FROM findings f \
         LEFT JOIN decisions d ON d.finding = f.id{conditions} GROUP BY f.severity"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut counts = [0; 5];
    while let Some(row) = rows.next()? {
        let place = usize::try_from(row.get::<_, i64>(0)?).ok();
        if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
            *count = row.get::<_, i64>(1)?.unsigned_abs();
        }
    }
    Ok(counts)
}

pub(crate) fn one(db: &Connection, id: FindingId) -> rusqlite::Result<Option<Finding>> {
    let sql = format!("{FINDING} WHERE f.id = ?1");
    db.prepare_cached(&sql)?
        .query_row([id.to_bytes()], finding_row)
        .optional()
}

/// Findings summed up by rule.
pub(crate) fn rule_figures(
    db: &Connection,
    tenant: &TenantId,
) -> rusqlite::Result<Vec<RuleFigures>> {
    let sql = "SELECT json_extract(f.body, '$.rule') AS rule, d.disposition, count(*), \
        sum(json_extract(f.body, '$.repeats')), max(f.last_time), \
        sum(d.status IS NULL OR f.position > d.covered OR d.status <> 'closed') \
        FROM findings f LEFT JOIN decisions d ON d.finding = f.id \
        WHERE f.tenant = ?1 GROUP BY rule, d.disposition ORDER BY rule";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([tenant.as_str()])?;
    let mut figures: Vec<RuleFigures> = Vec::new();
    while let Some(row) = rows.next()? {
        let rule = column_text(row, 0)?;
        if figures.last().is_none_or(|last| last.rule != rule) {
            figures.push(RuleFigures {
                rule,
                last: time(row, 4)?,
                ..RuleFigures::default()
            });
        }
        let Some(sum) = figures.last_mut() else {
            continue;
        };
        let findings = count(row, 2)?;
        sum.findings += findings;
        sum.matches += count(row, 3)?;
        sum.open += count(row, 5)?;
        sum.last = sum.last.max(time(row, 4)?);
        if let Some(disposition) = text_option(row, 1)? {
            sum.dispositions.insert(disposition, findings);
        }
    }
    Ok(figures)
}

/// Stores a finding. `updated` never falls behind the decision, so a change feed shows both.
pub(crate) fn put(tx: &Transaction<'_>, finding: &Finding) -> rusqlite::Result<()> {
    let sql = "INSERT INTO findings VALUES (?1, ?2, ?3, ?4, ?5, ?6, \
        max(?7, coalesce((SELECT at FROM decisions WHERE finding = ?1), ?7)), ?8, ?9, ?10) \
        ON CONFLICT (id) DO UPDATE SET identity = excluded.identity, \
        severity = excluded.severity, folded = excluded.folded, \
        last_time = excluded.last_time, updated = excluded.updated, body = excluded.body, \
        position = excluded.position";
    let draft = &finding.draft;
    let folded = format!("{}\n{}\n{}", draft.title, draft.kind, draft.rule).to_lowercase();
    tx.prepare_cached(sql)?.execute(params![
        finding.id.to_bytes(),
        draft.identity.to_bytes(),
        draft.kind.as_str(),
        rank(draft.severity),
        folded,
        finding.last_time.as_micros(),
        finding.updated.as_micros(),
        json(finding)?,
        position(finding.newest_position()),
        draft.tenant.as_str(),
    ])?;
    Ok(())
}

/// Records a decision; false when there is no such finding.
pub(crate) fn decide(
    tx: &Transaction<'_>,
    id: FindingId,
    decision: &Decision,
) -> rusqlite::Result<bool> {
    let known = tx.execute(
        "UPDATE findings SET updated = max(updated, ?2) WHERE id = ?1",
        params![id.to_bytes(), decision.at.as_micros()],
    )?;
    if known == 0 {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO decisions SELECT id, ?2, ?3, ?4, ?5, position, ?6 FROM findings WHERE id = ?1 \
         ON CONFLICT (finding) DO UPDATE SET status = excluded.status, \
         disposition = excluded.disposition, analyst = excluded.analyst, at = excluded.at, \
         covered = excluded.covered, note = excluded.note",
        params![
            id.to_bytes(),
            finding_status_name(decision.status),
            decision.disposition.as_deref(),
            decision.analyst.as_str(),
            decision.at.as_micros(),
            decision.note.as_deref(),
        ],
    )?;
    Ok(true)
}

fn finding_row(row: &Row<'_>) -> rusqlite::Result<Finding> {
    let stored: Finding = from_json(row, 0)?;
    let decided = time_option(row, 4)?;
    let status = match decided {
        Some(_) => {
            let covered = row.get::<_, i64>(5)?.unsigned_abs();
            stored.status_now(named(row, 1, finding_status)?, covered)
        }
        None => FindingStatus::Open,
    };
    Ok(Finding {
        status,
        disposition: text_option(row, 2)?,
        analyst: text_option(row, 3)?,
        note: text_option(row, 6)?,
        updated: decided.map_or(stored.updated, |at| at.max(stored.updated)),
        ..stored
    })
}

/// A position as `SQLite` keeps numbers.
fn position(sequence: Sequence) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

/// Severity as a number that sorts as the severities do.
pub(crate) fn rank(severity: Severity) -> i64 {
    match severity {
        Severity::Info => 0,
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 3,
        Severity::Critical => 4,
    }
}

#[cfg(test)]
mod tests {
    use deedtrail_core::id::{IdentityId, TenantId};

    use super::*;
    use crate::connection::Connections;

    #[test]
    fn lists_counts_and_sums_read_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let connections = Connections::open(&folder.path().join("control.db")).unwrap();
        let plan = |(sql, values): (String, Vec<Value>)| {
            let explained = format!("EXPLAIN QUERY PLAN {sql}");
            connections
                .read(|db| {
                    let mut statement = db.prepare(&explained)?;
                    let values = params_from_iter(&values);
                    let rows = statement.query_map(values, |row| row.get::<_, String>(3))?;
                    rows.collect::<rusqlite::Result<Vec<_>>>()
                })
                .unwrap()
                .join("\n")
        };
        let all = plan(select(&FindingFilter::default(), 9));
        assert!(all.contains("findings_by_activity (tenant=?)"), "{all}");
        assert!(!all.contains("TEMP B-TREE"), "{all}");
        let of_one = FindingFilter {
            identity: Some(IdentityId::from_bytes([1; 16])),
            ..FindingFilter::default()
        };
        let of_one = plan(select(&of_one, 9));
        assert!(
            of_one.contains("findings_by_identity (identity=?)"),
            "{of_one}"
        );
        let changed = FindingFilter {
            updated_since: Some(Timestamp::from_micros(1)),
            ..FindingFilter::default()
        };
        let changed = plan(select(&changed, 9));
        assert!(
            changed.contains("findings_by_update (tenant=? AND updated>?)"),
            "{changed}"
        );
        let summed = plan(sums(&DepartureFilter {
            tenant: TenantId::default(),
            kinds: &["burst", "off_hours"],
            since: Timestamp::from_micros(1),
            findings_max: 9,
        }));
        let index = "COVERING INDEX findings_by_activity (tenant=? AND last_time>?)";
        assert!(summed.contains(index), "{summed}");
        assert!(!summed.contains("FOR ORDER BY"), "{summed}");
    }
}
