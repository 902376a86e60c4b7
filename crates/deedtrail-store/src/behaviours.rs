//! Learned behaviour, forecasts of budgets, and approved baselines.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use deedtrail_core::behaviour::{BaselineRecord, Forecast, IdentityBehaviour};
use deedtrail_core::id::{IdentityId, TenantId};
use deedtrail_core::port::store::{BehaviourOrder, Progress};

use crate::columns::{from_json, id, json, row_limit};

pub(crate) fn save(tx: &Transaction<'_>, progress: &Progress) -> rusqlite::Result<()> {
    for known in &progress.behaviours {
        let sql = "INSERT INTO behaviours VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
            ON CONFLICT (tenant, identity) \
            DO UPDATE SET at = ?3, ready = ?4, drift = ?5, record = ?6";
        let drift = known.drift.as_ref().filter(|drift| drift.departs());
        tx.prepare_cached(sql)?.execute(params![
            known.tenant.as_str(),
            known.identity.to_bytes(),
            known.at.as_micros(),
            known.readiness.ready(),
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
    for approved in &progress.baselines {
        let sql = "INSERT INTO baselines VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        tx.prepare_cached(sql)?.execute(params![
            approved.tenant.as_str(),
            approved.identity.to_bytes(),
            approved.version,
            json(approved)?,
        ])?;
    }
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

pub(crate) fn ready(db: &Connection, tenant: &TenantId) -> rusqlite::Result<BTreeSet<IdentityId>> {
    let sql = "SELECT identity FROM behaviours WHERE tenant = ?1 AND ready";
    let mut statement = db.prepare_cached(sql)?;
    statement
        .query_map([tenant.as_str()], |row| id(row, 0))?
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
    let sql = "SELECT record FROM baselines WHERE tenant = ?1 AND identity = ?2 \
        ORDER BY version DESC";
    let mut statement = db.prepare_cached(sql)?;
    let values = params![tenant.as_str(), identity.to_bytes()];
    statement
        .query_map(values, |row| from_json(row, 0))?
        .collect()
}
