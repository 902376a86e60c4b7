//! Entitlements, who holds them, and the imports they come from.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params, params_from_iter};

use deedtrail_core::entitlement::{Entitlement, EntitlementImport, Grant, ImportName};
use deedtrail_core::event::Alias;
use deedtrail_core::id::{AliasUid, EntitlementId, TenantId};
use deedtrail_core::port::store::ImportedEntitlements;
use deedtrail_core::time::Timestamp;

use crate::columns::{count, from_json, id, integer, json, named, text, time};

const ENTITLEMENT: &str = "SELECT id, tenant, kind, account, first_imported, imported, body, key \
    FROM entitlements";

/// Aliases asked for in one statement.
const ALIASES_AT_ONCE: usize = 500;

pub(crate) fn of_import(
    db: &Connection,
    tenant: &TenantId,
    import: &ImportName,
) -> rusqlite::Result<Vec<Entitlement>> {
    let sql =
        format!("{ENTITLEMENT} WHERE tenant = ?1 AND kind = ?2 AND account = ?3 ORDER BY key");
    let values = params![
        tenant.as_str(),
        import.kind.as_str(),
        import.account.as_str()
    ];
    let mut statement = db.prepare_cached(&sql)?;
    let found = statement.query_map(values, one)?;
    let mut found: Vec<Entitlement> = found.collect::<rusqlite::Result<_>>()?;
    let holders = "SELECT namespace, value FROM entitlement_holders WHERE entitlement = ?1 \
        ORDER BY place";
    let mut holders = db.prepare_cached(holders)?;
    for entitlement in &mut found {
        let held = holders.query_map([entitlement.id.to_bytes()], |row| alias(row, 0))?;
        entitlement.grant.holders = held.collect::<rusqlite::Result<_>>()?;
    }
    Ok(found)
}

pub(crate) fn of_holders(
    db: &Connection,
    tenant: &TenantId,
    holders: &[AliasUid],
) -> rusqlite::Result<Vec<Entitlement>> {
    let mut held: BTreeMap<EntitlementId, BTreeMap<u64, Alias>> = BTreeMap::new();
    for some in holders.chunks(ALIASES_AT_ONCE) {
        let marks = vec!["?"; some.len()].join(", ");
        let sql = format!(
            "SELECT namespace, value, place, entitlement FROM entitlement_holders \
             WHERE alias IN ({marks})"
        );
        let values = some.iter().map(|uid| Value::Blob(uid.to_bytes().to_vec()));
        let mut statement = db.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let of_one = held.entry(id(row, 3)?).or_default();
            of_one.insert(count(row, 2)?, alias(row, 0)?);
        }
    }
    let sql = format!("{ENTITLEMENT} WHERE id = ?1 AND tenant = ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = Vec::with_capacity(held.len());
    for (id, holders) in held {
        let values = params![id.to_bytes(), tenant.as_str()];
        let Some(mut entitlement) = statement.query_row(values, one).optional()? else {
            continue;
        };
        entitlement.grant.holders = holders.into_values().collect();
        found.push(entitlement);
    }
    found.sort_by(|left, right| {
        (&left.import, &left.grant.key).cmp(&(&right.import, &right.grant.key))
    });
    Ok(found)
}

pub(crate) fn imports(
    db: &Connection,
    tenant: &TenantId,
) -> rusqlite::Result<Vec<EntitlementImport>> {
    let sql = "SELECT tenant, kind, account, imported, grants, systems \
        FROM entitlement_imports WHERE tenant = ?1 ORDER BY kind, account";
    let row = |row: &Row<'_>| {
        Ok(EntitlementImport {
            tenant: tenant_of(row, 0)?,
            import: import_name(row, 1)?,
            imported: time(row, 3)?,
            grants: count(row, 4)?,
            systems: from_json(row, 5)?,
        })
    };
    let mut statement = db.prepare_cached(sql)?;
    statement.query_map([tenant.as_str()], row)?.collect()
}

/// Replaces what an earlier import of that name said.
pub(crate) fn replace(tx: &Transaction<'_>, said: &ImportedEntitlements) -> rusqlite::Result<()> {
    let (tenant, import) = (said.tenant.as_str(), &said.import);
    let of = params![tenant, import.kind.as_str(), import.account.as_str()];
    let sql = "SELECT id, first_imported FROM entitlements \
        WHERE tenant = ?1 AND kind = ?2 AND account = ?3";
    let mut statement = tx.prepare_cached(sql)?;
    let known = statement.query_map(of, |row| Ok((id(row, 0)?, time(row, 1)?)))?;
    let known: BTreeMap<EntitlementId, Timestamp> = known.collect::<rusqlite::Result<_>>()?;
    let sql = "DELETE FROM entitlements WHERE tenant = ?1 AND kind = ?2 AND account = ?3";
    tx.prepare_cached(sql)?.execute(of)?;
    let sql = "INSERT OR REPLACE INTO entitlement_imports VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    tx.prepare_cached(sql)?.execute(params![
        tenant,
        import.kind.as_str(),
        import.account.as_str(),
        said.at.as_micros(),
        integer(said.entitlements.len() as u64),
        json(&said.systems())?,
    ])?;
    for entitlement in &said.entitlements {
        let first = known.get(&entitlement.id).copied();
        put(tx, entitlement, first.unwrap_or(entitlement.first_imported))?;
    }
    Ok(())
}

fn put(
    tx: &Transaction<'_>,
    entitlement: &Entitlement,
    first_imported: Timestamp,
) -> rusqlite::Result<()> {
    let Entitlement {
        tenant,
        import,
        grant,
        ..
    } = entitlement;
    let body = Grant {
        holders: Vec::new(),
        ..grant.clone()
    };
    let sql = "INSERT OR REPLACE INTO entitlements VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let key = entitlement.id.to_bytes();
    tx.prepare_cached(sql)?.execute(params![
        key,
        tenant.as_str(),
        import.kind.as_str(),
        import.account.as_str(),
        grant.key.as_str(),
        first_imported.as_micros(),
        entitlement.imported.as_micros(),
        json(&body)?,
    ])?;
    let sql = "INSERT OR IGNORE INTO entitlement_holders VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut statement = tx.prepare_cached(sql)?;
    for (place, holder) in (0_i64..).zip(&grant.holders) {
        let (namespace, value) = (holder.namespace.as_str(), holder.value.as_str());
        let uid = AliasUid::of(tenant, namespace, value).to_bytes();
        statement.execute(params![key, uid, place, namespace, value])?;
    }
    Ok(())
}

fn one(row: &Row<'_>) -> rusqlite::Result<Entitlement> {
    Ok(Entitlement {
        id: id(row, 0)?,
        tenant: tenant_of(row, 1)?,
        import: import_name(row, 2)?,
        first_imported: time(row, 4)?,
        imported: time(row, 5)?,
        grant: from_json(row, 6)?,
    })
}

fn tenant_of(row: &Row<'_>, column: usize) -> rusqlite::Result<TenantId> {
    named(row, column, |name| TenantId::new(name).ok())
}

fn import_name(row: &Row<'_>, first: usize) -> rusqlite::Result<ImportName> {
    Ok(ImportName {
        kind: text(row, first)?,
        account: text(row, first + 1)?,
    })
}

fn alias(row: &Row<'_>, first: usize) -> rusqlite::Result<Alias> {
    Ok(Alias {
        namespace: text(row, first)?,
        value: text(row, first + 1)?,
    })
}
