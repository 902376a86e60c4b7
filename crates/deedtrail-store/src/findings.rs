//! Findings, and what analysts decided about them.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params, params_from_iter};

use deedtrail_core::finding::{Decision, Finding, FindingStatus, Severity};
use deedtrail_core::id::FindingId;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::FindingFilter;

use crate::columns::{
    finding_status, finding_status_name, from_json, json, micros, named, row_limit, text_option,
    time_option,
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
    let given = [
        (
            "f.identity IN (SELECT id FROM family)",
            filter.identity.map(|id| id.to_bytes().to_vec().into()),
        ),
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
    let (conditions, mut values) = conditions(filter);
    let family = family(filter);
    let sql = format!(
        "{family}{FINDING}{conditions} ORDER BY f.last_time DESC, f.severity DESC, f.id LIMIT ?"
    );
    values.push(row_limit(limit).into());
    db.prepare_cached(&sql)?
        .query_map(params_from_iter(values), finding_row)?
        .collect()
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

/// Stores a finding. `updated` never falls behind the decision, so a change feed shows both.
pub(crate) fn put(tx: &Transaction<'_>, finding: &Finding) -> rusqlite::Result<()> {
    let sql = "INSERT INTO findings VALUES (?1, ?2, ?3, ?4, ?5, ?6, \
        max(?7, coalesce((SELECT at FROM decisions WHERE finding = ?1), ?7)), ?8, ?9) \
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
