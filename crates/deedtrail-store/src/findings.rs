//! Findings, and what analysts decided about them.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use deedtrail_core::Text;
use deedtrail_core::finding::{Finding, FindingStatus, Severity};
use deedtrail_core::id::FindingId;
use deedtrail_core::port::store::FindingFilter;
use deedtrail_core::time::Timestamp;

use crate::columns::{
    finding_status, finding_status_name, from_json, json, micros, named, row_limit, text_option,
    time_option,
};

/// What an analyst decided.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) status: FindingStatus,
    pub(crate) disposition: Option<Text>,
    pub(crate) analyst: Text,
    pub(crate) at: Timestamp,
}

const FINDING: &str = "SELECT f.body, d.status, d.disposition, d.analyst, d.at \
    FROM findings f LEFT JOIN decisions d ON d.finding = f.id";

/// An identity and all that were merged into it.
const FAMILY: &str = "WITH RECURSIVE family (id) AS (SELECT ?1 UNION \
    SELECT m.merged FROM merges m JOIN family f ON m.kept = f.id WHERE m.undone IS NULL) ";

pub(crate) fn list(
    db: &Connection,
    filter: &FindingFilter,
    limit: usize,
) -> rusqlite::Result<Vec<Finding>> {
    let family = "f.identity IN (SELECT id FROM family)";
    let whose = if filter.identity.is_some() {
        family
    } else {
        "?1 IS NULL"
    };
    let sql = format!(
        "{FAMILY}{FINDING} WHERE {whose} AND (?2 IS NULL OR f.kind = ?2) AND f.severity >= ?3 \
         AND (?4 IS NULL OR coalesce(d.status, 'open') = ?4) \
         AND (?5 IS NULL OR instr(f.folded, ?5) > 0) \
         AND (?6 IS NULL OR f.updated >= ?6) \
         ORDER BY f.last_time DESC, f.severity DESC, f.id LIMIT ?7"
    );
    let values = params![
        filter.identity.map(deedtrail_core::id::Id::to_bytes),
        filter.kind,
        filter.severity_min.map_or(0, rank),
        filter.status.map(finding_status_name),
        filter.text.as_ref().map(|text| text.to_lowercase()),
        micros(filter.updated_since),
        row_limit(limit),
    ];
    db.prepare_cached(&sql)?
        .query_map(values, finding_row)?
        .collect()
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
        max(?7, coalesce((SELECT at FROM decisions WHERE finding = ?1), ?7)), ?8) \
        ON CONFLICT (id) DO UPDATE SET identity = excluded.identity, \
        severity = excluded.severity, folded = excluded.folded, \
        last_time = excluded.last_time, updated = excluded.updated, body = excluded.body";
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
        "INSERT INTO decisions VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (finding) \
         DO UPDATE SET status = ?2, disposition = ?3, analyst = ?4, at = ?5",
        params![
            id.to_bytes(),
            finding_status_name(decision.status),
            decision.disposition.as_deref(),
            decision.analyst.as_str(),
            decision.at.as_micros(),
        ],
    )?;
    Ok(true)
}

fn finding_row(row: &Row<'_>) -> rusqlite::Result<Finding> {
    let stored: Finding = from_json(row, 0)?;
    let decided = time_option(row, 4)?;
    let status = match decided {
        Some(_) => named(row, 1, finding_status)?,
        None => FindingStatus::Open,
    };
    Ok(Finding {
        status,
        disposition: text_option(row, 2)?,
        analyst: text_option(row, 3)?,
        updated: decided.map_or(stored.updated, |at| at.max(stored.updated)),
        ..stored
    })
}

/// Severity as a number that sorts as the severities do.
fn rank(severity: Severity) -> i64 {
    match severity {
        Severity::Info => 0,
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 3,
        Severity::Critical => 4,
    }
}
