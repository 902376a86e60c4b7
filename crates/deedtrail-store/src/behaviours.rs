//! Learned behaviour, forecasts of budgets, and approved baselines.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use deedtrail_core::behaviour::{BaselineRecord, BaselineWithdrawal, Forecast, IdentityBehaviour};
use deedtrail_core::id::{IdentityId, TenantId};
use deedtrail_core::port::store::{BehaviourOrder, Progress};

use crate::columns::{from_json, json, row_limit};
use crate::findings::FAMILY;

pub(crate) fn save(tx: &Transaction<'_>, progress: &Progress) -> rusqlite::Result<()> {
    // What was learned of the one merged is known of the other, and stays there when that is undone.
    for merge in &progress.merges {
        let sql = "DELETE FROM behaviours WHERE identity = ?1";
        tx.prepare_cached(sql)?.execute([merge.merged.to_bytes()])?;
    }
    for known in &progress.behaviours {
        let sql = "INSERT INTO behaviours VALUES (?1, ?2, ?3, ?4, ?5) \
            ON CONFLICT (tenant, identity) DO UPDATE SET at = ?3, drift = ?4, record = ?5";
        let drift = known.drift.as_ref().filter(|drift| drift.departs());
        tx.prepare_cached(sql)?.execute(params![
            known.tenant.as_str(),
            known.identity.to_bytes(),
            known.at.as_micros(),
            drift.map(|drift| drift.score),
            json(known)?,
        ])?;
    }
    for forecast in &progress.forecasts {
        let sql = "INSERT INTO forecasts VALUES (?1, ?2) \
            ON CONFLICT (tenant) DO UPDATE SET record = ?2";
        tx.prepare_cached(sql)?
            .execute(params![forecast.tenant.as_str(), json(forecast)?])?;
    }
    for approval in &progress.baselines {
        number(tx, approval)?;
    }
    for withdrawn in &progress.baselines_withdrawn {
        withdraw(tx, withdrawn)?;
    }
    Ok(())
}

/// Marks a baseline as withdrawn, unless there is none or it is already.
fn withdraw(tx: &Transaction<'_>, said: &BaselineWithdrawal) -> rusqlite::Result<()> {
    let sql = "SELECT record FROM baselines WHERE tenant = ?1 AND identity = ?2 AND version = ?3";
    let key = (said.tenant.as_str(), said.identity.to_bytes(), said.version);
    let found: Option<BaselineRecord> = tx
        .prepare_cached(sql)?
        .query_row(params![key.0, key.1, key.2], |row| from_json(row, 0))
        .optional()?;
    let Some(found) = found.filter(|record| record.withdrawn.is_none()) else {
        return Ok(());
    };
    let record = BaselineRecord {
        withdrawn: Some(said.withdrawal.clone()),
        ..found
    };
    let sql = "UPDATE baselines SET record = ?4 \
        WHERE tenant = ?1 AND identity = ?2 AND version = ?3";
    tx.prepare_cached(sql)?
        .execute(params![key.0, key.1, key.2, json(&record)?])?;
    Ok(())
}

/// Gives an approval the next number of its identity.
fn number(tx: &Transaction<'_>, approval: &BaselineRecord) -> rusqlite::Result<()> {
    let whose = params![approval.tenant.as_str(), approval.identity.to_bytes()];
    let sql = "SELECT COALESCE(MAX(version), 0) + 1 FROM baselines \
        WHERE tenant = ?1 AND identity = ?2";
    let version: u32 = tx.prepare_cached(sql)?.query_row(whose, |row| row.get(0))?;
    let record = BaselineRecord {
        version,
        ..approval.clone()
    };
    let sql = "INSERT INTO baselines VALUES (?1, ?2, ?3, ?4)";
    tx.prepare_cached(sql)?.execute(params![
        record.tenant.as_str(),
        record.identity.to_bytes(),
        version,
        json(&record)?,
    ])?;
    Ok(())
}

pub(crate) fn of(
    db: &Connection,
    tenant: &TenantId,
    identity: IdentityId,
) -> rusqlite::Result<Option<IdentityBehaviour>> {
    let sql = "SELECT record FROM behaviours WHERE tenant = ?1 AND identity = ?2";
    let values = params![tenant.as_str(), identity.to_bytes()];
    db.prepare_cached(sql)?
        .query_row(values, |row| from_json(row, 0))
        .optional()
}

pub(crate) fn list(
    db: &Connection,
    tenant: &TenantId,
    order: BehaviourOrder,
    limit: usize,
) -> rusqlite::Result<Vec<IdentityBehaviour>> {
    let sql = match order {
        BehaviourOrder::Newest => {
            "SELECT record FROM behaviours WHERE tenant = ?1 ORDER BY at DESC, identity LIMIT ?2"
        }
        BehaviourOrder::Drifting => {
            "SELECT record FROM behaviours WHERE tenant = ?1 AND drift IS NOT NULL \
             ORDER BY drift DESC, identity LIMIT ?2"
        }
    };
    let mut statement = db.prepare_cached(sql)?;
    let values = params![tenant.as_str(), row_limit(limit)];
    statement
        .query_map(values, |row| from_json(row, 0))?
        .collect()
}

pub(crate) fn forecast(db: &Connection, tenant: &TenantId) -> rusqlite::Result<Option<Forecast>> {
    let sql = "SELECT record FROM forecasts WHERE tenant = ?1";
    db.prepare_cached(sql)?
        .query_row([tenant.as_str()], |row| from_json(row, 0))
        .optional()
}

pub(crate) fn baselines(
    db: &Connection,
    tenant: &TenantId,
    identity: IdentityId,
) -> rusqlite::Result<Vec<BaselineRecord>> {
    let sql = format!(
        "{FAMILY} SELECT record FROM baselines WHERE tenant = ?2 \
         AND identity IN (SELECT id FROM family) ORDER BY version DESC, identity"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let values = params![identity.to_bytes(), tenant.as_str()];
    statement
        .query_map(values, |row| from_json(row, 0))?
        .collect()
}
