//! Sessions, what joins them, and blind sessions.

mod packed;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params, params_from_iter};

use deedtrail_core::id::{SessionUid, TenantId};
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{Progress, SessionFilter};
use deedtrail_core::session::{
    BLIND_SESSIONS_MAX, BlindSession, JoinBy, SESSIONS_STORED_MAX, Session, SessionJoin,
};

use self::packed::{Packer, unpack};
use crate::columns::{from_json, id, integer, json, named, row_limit, text, time};
use crate::findings::{FAMILY, rank};

/// Positions of the log after which what is too much is looked for.
const PRUNE_EVERY: Sequence = 8_192;
/// Positions of the log after which all joins are looked through.
const SWEEP_EVERY: Sequence = 64 * PRUNE_EVERY;
/// Sessions one look-up of joins names.
const ASKED_MAX: usize = 256;

pub(crate) fn save(tx: &Transaction<'_>, progress: &Progress) -> rusqlite::Result<()> {
    if !progress.sessions.is_empty() {
        let mut packer = Packer::new()?;
        for session in &progress.sessions {
            put(tx, session, &mut packer)?;
        }
    }
    for join in &progress.session_joins {
        put_join(tx, join)?;
    }
    for blind in &progress.blind_sessions {
        put_blind(tx, blind)?;
    }
    let before: i64 = tx.query_row("SELECT processed FROM position", (), |row| row.get(0))?;
    let passes = |every| before.unsigned_abs() / every != progress.through / every;
    if passes(PRUNE_EVERY) {
        prune(tx, SESSIONS_STORED_MAX, BLIND_SESSIONS_MAX)?;
    }
    if passes(SWEEP_EVERY) {
        sweep(tx)?;
    }
    Ok(())
}

fn put(tx: &Transaction<'_>, session: &Session, packer: &mut Packer) -> rusqlite::Result<()> {
    let sql = "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '', ?8, ?9) \
        ON CONFLICT (uid, part) DO UPDATE SET identity = ?4, verdict = ?5, trust = ?6, last = ?7, \
        body = '', departing = ?8, packed = ?9";
    tx.prepare_cached(sql)?.execute(params![
        session.uid.to_bytes(),
        integer(session.part),
        session.tenant.as_str(),
        session.identity.to_bytes(),
        session.verdict.name(),
        session.trust.score,
        session.last.as_micros(),
        departing(session),
        packer.pack(session)?,
    ])?;
    Ok(())
}

/// The body of a session for [`unpack`]: that of an earlier version is text.
const BODY: &str = "ifnull(packed, body)";

/// What the column `departing` holds: 0 without a departure, else one more than
/// [`Session::departs_one_in`]. Of sessions that an earlier version stored it is 1.
fn departing(session: &Session) -> f64 {
    if session.departures.is_empty() {
        return 0.0;
    }
    session.departs_one_in() + 1.0
}

/// The same, also of sessions that an earlier version stored.
const DEPARTING: &str = "CASE WHEN departing = 1 AND packed IS NULL \
    THEN 1 + round(1.0 / max(0.0001, min(1.0, \
    (SELECT min(json_extract(value, '$.share')) FROM json_each(body, '$.departures'))))) \
    ELSE departing END";

fn put_join(tx: &Transaction<'_>, join: &SessionJoin) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO session_joins VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    tx.prepare_cached(sql)?.execute(params![
        join.from.to_bytes(),
        join.to.to_bytes(),
        join.by.name(),
        join.tenant.as_str(),
        join.reason.as_str(),
        join.confidence,
        join.at.as_micros(),
    ])?;
    Ok(())
}

fn put_blind(tx: &Transaction<'_>, blind: &BlindSession) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO blind_sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    tx.prepare_cached(sql)?.execute(params![
        blind.tenant.as_str(),
        blind.identity.to_bytes(),
        blind.system.as_str(),
        rank(blind.severity),
        blind.last.as_micros(),
        json(blind)?,
    ])?;
    Ok(())
}

/// Forgets what is too much, the longest idle first, and the joins of the sessions that go.
fn prune(tx: &Transaction<'_>, sessions: usize, blind: usize) -> rusqlite::Result<()> {
    let sql = "DELETE FROM session_joins WHERE (origin = ?1 OR target = ?1) \
        AND NOT EXISTS (SELECT 1 FROM sessions WHERE uid = ?1)";
    let mut joins = tx.prepare_cached(sql)?;
    for uid in forget_oldest(tx, sessions)? {
        joins.execute([uid])?;
    }
    let sql = "DELETE FROM blind_sessions WHERE last <= \
        (SELECT last FROM blind_sessions ORDER BY last DESC LIMIT 1 OFFSET ?1)";
    tx.prepare_cached(sql)?.execute([row_limit(blind)])?;
    Ok(())
}

/// Leaves at most `kept` sessions; which went. From the oldest on, so that what stays is counted,
/// not looked at.
fn forget_oldest(tx: &Transaction<'_>, kept: usize) -> rusqlite::Result<Vec<Vec<u8>>> {
    let stored: i64 = tx
        .prepare_cached("SELECT count(*) FROM sessions")?
        .query_row((), |row| row.get(0))?;
    let last_to_go = stored - row_limit(kept) - 1;
    if last_to_go < 0 {
        return Ok(Vec::new());
    }
    let sql = "DELETE FROM sessions WHERE last <= \
        (SELECT last FROM sessions ORDER BY last LIMIT 1 OFFSET ?1) RETURNING uid";
    let mut statement = tx.prepare_cached(sql)?;
    let gone = statement.query_map([last_to_go], |row| row.get(0))?;
    gone.collect()
}

/// Forgets joins of sessions that were gone when the join came.
fn sweep(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute(
        "DELETE FROM session_joins WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE uid = origin) \
         OR NOT EXISTS (SELECT 1 FROM sessions WHERE uid = target)",
        (),
    )?;
    Ok(())
}

pub(crate) fn list(
    db: &Connection,
    filter: &SessionFilter,
    limit: usize,
) -> rusqlite::Result<Vec<Session>> {
    let (sql, values) = select(filter, limit);
    db.prepare_cached(&sql)?
        .query_map(params_from_iter(values), |row| unpack(row, 0))?
        .collect()
}

/// The query of a list with its values.
fn select(filter: &SessionFilter, limit: usize) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = Vec::new();
    let mut conditions = String::new();
    // One identity's sessions are found by its index, not by going through everybody's in order.
    let (mut order, mut tenant) = ("last DESC", " AND tenant = ?");
    let family = match filter.identity {
        Some(identity) => {
            values.push(identity.to_bytes().to_vec().into());
            conditions.push_str(" AND identity IN (SELECT id FROM family)");
            (order, tenant) = ("+last DESC", " AND +tenant = ?");
            FAMILY
        }
        None => "",
    };
    conditions.push_str(tenant);
    values.push(filter.tenant.as_str().to_owned().into());
    if let Some(verdict) = filter.verdict {
        conditions.push_str(" AND verdict = ?");
        values.push(verdict.name().to_owned().into());
    }
    if let Some(below) = filter.trust_below {
        conditions.push_str(" AND trust < ?");
        values.push(i64::from(below).into());
    }
    let mut first = String::new();
    if filter.departing {
        conditions.push_str(" AND departing");
        first = format!("{DEPARTING} DESC, ");
    }
    let sql = format!(
        "{family}SELECT {BODY} FROM sessions WHERE true{conditions} \
         ORDER BY {first}{order}, uid, part LIMIT ? OFFSET ?"
    );
    values.push(row_limit(limit).into());
    values.push(row_limit(filter.offset).into());
    (sql, values)
}

pub(crate) fn one(
    db: &Connection,
    tenant: &TenantId,
    uid: SessionUid,
) -> rusqlite::Result<Option<Session>> {
    let sql = format!(
        "SELECT {BODY} FROM sessions WHERE uid = ?1 AND tenant = ?2 ORDER BY part DESC LIMIT 1"
    );
    db.prepare_cached(&sql)?
        .query_row(params![uid.to_bytes(), tenant.as_str()], |row| {
            unpack(row, 0)
        })
        .optional()
}

pub(crate) fn joins(
    db: &Connection,
    tenant: &TenantId,
    uids: &[SessionUid],
) -> rusqlite::Result<Vec<SessionJoin>> {
    let sql = "SELECT origin, target, kind, tenant, reason, confidence, at FROM session_joins \
        WHERE tenant = ?2 AND (origin = ?1 OR target = ?1)";
    let mut statement = db.prepare_cached(sql)?;
    let mut found: Vec<SessionJoin> = Vec::new();
    for uid in uids.iter().take(ASKED_MAX) {
        let rows = statement.query_map(params![uid.to_bytes(), tenant.as_str()], join_row)?;
        for join in rows {
            let join = join?;
            if !found.contains(&join) {
                found.push(join);
            }
        }
    }
    found.sort_by_key(|join| {
        (
            std::cmp::Reverse(join.confidence),
            join.at,
            join.from,
            join.to,
            join.by,
        )
    });
    Ok(found)
}

fn join_row(row: &Row<'_>) -> rusqlite::Result<SessionJoin> {
    Ok(SessionJoin {
        from: id(row, 0)?,
        to: id(row, 1)?,
        by: named(row, 2, JoinBy::from_name)?,
        tenant: named(row, 3, |name| TenantId::new(name).ok())?,
        reason: text(row, 4)?,
        confidence: row.get(5)?,
        at: time(row, 6)?,
    })
}

pub(crate) fn blind(
    db: &Connection,
    tenant: &TenantId,
    limit: usize,
) -> rusqlite::Result<Vec<BlindSession>> {
    let sql = "SELECT body FROM blind_sessions WHERE tenant = ?1 \
        ORDER BY severity DESC, last DESC, identity, system LIMIT ?2";
    db.prepare_cached(sql)?
        .query_map(params![tenant.as_str(), row_limit(limit)], |row| {
            from_json(row, 0)
        })?
        .collect()
}

#[cfg(test)]
mod tests {
    use deedtrail_core::id::IdentityId;
    use deedtrail_core::session::SessionVerdict;

    use super::*;
    use crate::connection::Connections;

    fn put_bare(tx: &Transaction<'_>, name: u8, last: i64) -> rusqlite::Result<()> {
        let sql =
            "INSERT INTO sessions VALUES (?1, 1, 't', x'00', 'in_scope', 80, ?2, '{}', 0, NULL)";
        tx.execute(sql, params![[name; 16], last]).map(drop)
    }

    #[test]
    fn what_is_too_much_goes_with_its_joins() {
        let folder = tempfile::tempdir().unwrap();
        let connections = Connections::open(&folder.path().join("control.db")).unwrap();
        let left = connections.write(|tx| {
            for name in 0..5 {
                put_bare(tx, name, i64::from(name))?;
                let sql = "INSERT INTO session_joins VALUES (?1, ?2, 'trace', 't', '', 90, 0)";
                tx.execute(sql, params![[name; 16], [name + 1; 16]])?;
                let sql = "INSERT INTO blind_sessions VALUES ('t', ?1, 's', 1, ?2, '{}')";
                tx.execute(sql, params![[name; 16], name])?;
            }
            prune(tx, 9, 2)?;
            let count = |table: &str| {
                tx.query_row(&format!("SELECT count(*) FROM {table}"), (), |row| {
                    row.get::<_, i64>(0)
                })
            };
            assert_eq!(count("sessions")?, 5, "none is too much");
            prune(tx, 3, 2)?;
            let pruned = [
                count("sessions")?,
                count("session_joins")?,
                count("blind_sessions")?,
            ];
            sweep(tx)?;
            Ok((pruned, count("session_joins")?))
        });
        // The last join leads to a session that was never there.
        assert_eq!(left.unwrap(), ([3, 3, 2], 2));
    }

    #[test]
    fn what_an_earlier_version_stored_is_as_unusual_as_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let connections = Connections::open(&folder.path().join("control.db")).unwrap();
        let ranks = connections.write(|tx| {
            for (name, departing, shares) in [
                (1_u8, 1.0, "[{\"share\":0.5},{\"share\":0.01}]"),
                (2, 51.0, "[]"),
                (3, 1.0, "[{\"share\":0.0}]"),
            ] {
                put_bare(tx, name, i64::from(name))?;
                let sql = "UPDATE sessions SET departing = ?2, body = ?3 WHERE last = ?1";
                let body = format!("{{\"departures\":{shares}}}");
                tx.execute(sql, params![name, departing, body])?;
            }
            let sql = format!("SELECT {DEPARTING} FROM sessions ORDER BY last");
            let mut statement = tx.prepare(&sql)?;
            let rows = statement.query_map((), |row| row.get::<_, f64>(0))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        });
        assert_eq!(ranks.unwrap(), [101.0, 51.0, 10_001.0]);
    }

    #[test]
    fn lists_read_an_index() {
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
        let all = plan(select(&SessionFilter::default(), 9));
        assert!(all.contains("sessions_by_activity"), "{all}");
        assert!(!all.contains("TEMP B-TREE"), "{all}");
        let of_one = SessionFilter {
            identity: Some(IdentityId::from_bytes([1; 16])),
            ..SessionFilter::default()
        };
        let departing = SessionFilter {
            departing: true,
            ..SessionFilter::default()
        };
        let departing = plan(select(&departing, 9));
        assert!(departing.contains("sessions_departing"), "{departing}");
        let persisting = SessionFilter {
            verdict: Some(SessionVerdict::Persistence),
            ..of_one.clone()
        };
        for (filter, index) in [
            (of_one, "sessions_by_verdict (identity=?)"),
            (persisting, "sessions_by_verdict (identity=? AND verdict=?)"),
        ] {
            let plan = plan(select(&filter, 1));
            assert!(plan.contains(index), "{plan}");
        }
        let oldest = "SELECT last FROM sessions ORDER BY last LIMIT 1 OFFSET 5";
        let oldest = plan((oldest.to_owned(), Vec::new()));
        assert!(oldest.contains("sessions_by_age"), "{oldest}");
        assert!(!oldest.contains("TEMP B-TREE"), "{oldest}");
        let joins = "SELECT 1 FROM session_joins WHERE origin = x'00' OR target = x'00'";
        let joins = plan((joins.to_owned(), Vec::new()));
        assert!(joins.contains("session_joins_by_target"), "{joins}");
    }
}
