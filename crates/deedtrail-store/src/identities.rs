//! Identities, their aliases and credentials.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use deedtrail_core::event::{ActorKind, CredentialKind};
use deedtrail_core::id::{AliasUid, IdentityId, TenantId};
use deedtrail_core::identity::{AliasRecord, CredentialRecord, Declared, Identity};
use deedtrail_core::port::store::IdentityFilter;

use crate::columns::{
    count as counter, from_json, id, identity_status, identity_status_name, integer, json, micros,
    named, row_limit, text, time_option,
};

const IDENTITY: &str = "SELECT i.id, i.tenant, i.kind, i.name, i.status, i.discovered, \
    i.first_alias, i.created, i.first_seen, i.last_seen, d.body \
    FROM identities i LEFT JOIN declared d ON d.identity = i.id";

/// Parameters: kind, folded text, only unowned, also merged. `instr` has no wildcards to escape
/// and, unlike `LIKE`, reads past a NUL.
const MATCHES: &str = " WHERE (?1 IS NULL OR i.kind = ?1) \
    AND (?2 IS NULL OR instr(i.folded, ?2) > 0 OR instr(d.folded, ?2) > 0 \
        OR i.id IN (SELECT identity FROM aliases WHERE instr(folded, ?2) > 0)) \
    AND (NOT ?3 OR d.owner IS NULL) \
    AND (?4 OR NOT EXISTS (SELECT 1 FROM merges WHERE merged = i.id AND undone IS NULL))";

const ALIAS: &str =
    "SELECT uid, identity, namespace, value, evidence, first_seen, last_seen FROM aliases";

const CREDENTIAL: &str = "SELECT uid, identity, kind, reference, system, created, last_rotated, \
    expires, revoked, first_used, last_used, uses, used_from FROM credentials";

/// Follows merges from ?1 to the identity it stands for today.
const STANDS_FOR: &str = "WITH RECURSIVE chain (id, depth) AS (SELECT ?1, 0 UNION \
    SELECT m.kept, c.depth + 1 FROM merges m JOIN chain c ON m.merged = c.id \
    WHERE m.undone IS NULL AND c.depth < 64) SELECT id FROM chain ORDER BY depth DESC LIMIT 1";

pub(crate) fn list(db: &Connection, filter: &IdentityFilter) -> rusqlite::Result<Vec<Identity>> {
    let sql = list_sql();
    let limit = filter.limit.map_or(-1, row_limit);
    let values = params![
        filter.kind,
        folded(filter),
        filter.unowned,
        filter.merged,
        limit,
        row_limit(filter.offset)
    ];
    db.prepare_cached(&sql)?
        .query_map(values, identity_row)?
        .collect()
}

fn list_sql() -> String {
    format!("{IDENTITY}{MATCHES} ORDER BY i.last_seen DESC, i.id LIMIT ?5 OFFSET ?6")
}

pub(crate) fn count(db: &Connection, filter: &IdentityFilter) -> rusqlite::Result<u64> {
    let sql = format!(
        "SELECT count(*) FROM identities i LEFT JOIN declared d ON d.identity = i.id{MATCHES}"
    );
    let values = params![filter.kind, folded(filter), filter.unowned, filter.merged];
    db.prepare_cached(&sql)?
        .query_row(values, |row| counter(row, 0))
}

fn folded(filter: &IdentityFilter) -> Option<String> {
    filter.text.as_ref().map(|text| text.to_lowercase())
}

pub(crate) fn one(db: &Connection, wanted: IdentityId) -> rusqlite::Result<Option<Identity>> {
    let sql = format!("{IDENTITY} WHERE i.id = ({STANDS_FOR})");
    db.prepare_cached(&sql)?
        .query_row([wanted.to_bytes()], identity_row)
        .optional()
}

pub(crate) fn aliases(db: &Connection) -> rusqlite::Result<Vec<AliasRecord>> {
    db.prepare_cached(&format!("{ALIAS} ORDER BY uid"))?
        .query_map((), alias_row)?
        .collect()
}

pub(crate) fn aliases_of(db: &Connection, of: IdentityId) -> rusqlite::Result<Vec<AliasRecord>> {
    let sql = format!("{ALIAS} WHERE identity = ?1 ORDER BY first_seen, namespace, value");
    db.prepare_cached(&sql)?
        .query_map([of.to_bytes()], alias_row)?
        .collect()
}

pub(crate) fn alias(db: &Connection, uid: AliasUid) -> rusqlite::Result<Option<AliasRecord>> {
    let sql = format!("{ALIAS} WHERE uid = ?1");
    db.prepare_cached(&sql)?
        .query_row([uid.to_bytes()], alias_row)
        .optional()
}

pub(crate) fn find_alias(db: &Connection, value: &str) -> rusqlite::Result<Vec<AliasRecord>> {
    let sql = format!("{ALIAS} WHERE folded = ?1 ORDER BY namespace, value, uid");
    db.prepare_cached(&sql)?
        .query_map([value.to_lowercase()], alias_row)?
        .collect()
}

pub(crate) fn credentials(db: &Connection) -> rusqlite::Result<Vec<CredentialRecord>> {
    let sql = format!("{CREDENTIAL} ORDER BY uid");
    db.prepare_cached(&sql)?
        .query_map((), credential_row)?
        .collect()
}

pub(crate) fn credentials_of(
    db: &Connection,
    of: IdentityId,
) -> rusqlite::Result<Vec<CredentialRecord>> {
    let sql = format!("{CREDENTIAL} WHERE identity = ?1 ORDER BY created, reference");
    db.prepare_cached(&sql)?
        .query_map([of.to_bytes()], credential_row)?
        .collect()
}

pub(crate) fn put_identity(tx: &Transaction<'_>, identity: &Identity) -> rusqlite::Result<()> {
    let sql = "INSERT INTO identities VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
        ON CONFLICT (id) DO UPDATE SET kind = ?3, name = ?4, folded = ?5, status = ?6, \
        discovered = ?7, first_alias = ?8, created = ?9, first_seen = ?10, last_seen = ?11";
    tx.prepare_cached(sql)?.execute(params![
        identity.id.to_bytes(),
        identity.tenant.as_str(),
        identity.kind.name(),
        identity.name.as_str(),
        identity.name.to_lowercase(),
        identity_status_name(identity.status),
        identity.discovered,
        identity.first_alias.to_bytes(),
        micros(identity.created),
        micros(identity.first_seen),
        micros(identity.last_seen),
    ])?;
    Ok(())
}

/// Stores what people declared. Without `replace`, what is stored already stays.
pub(crate) fn put_declared(
    tx: &Transaction<'_>,
    of: IdentityId,
    declared: &Declared,
    replace: bool,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO declared VALUES (?1, ?2, ?3, ?4) ON CONFLICT (identity) \
        DO UPDATE SET owner = ?2, folded = ?3, body = ?4 WHERE ?5";
    let owner = declared.owner.as_deref();
    let folded = owner.unwrap_or_default().to_lowercase();
    let values = params![of.to_bytes(), owner, folded, json(declared)?, replace];
    tx.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

pub(crate) fn put_alias(tx: &Transaction<'_>, alias: &AliasRecord) -> rusqlite::Result<()> {
    let sql = "INSERT INTO aliases VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (uid) \
        DO UPDATE SET identity = ?2, evidence = ?6, first_seen = ?7, last_seen = ?8";
    tx.prepare_cached(sql)?.execute(params![
        alias.uid.to_bytes(),
        alias.identity.to_bytes(),
        alias.namespace.as_str(),
        alias.value.as_str(),
        alias.value.to_lowercase(),
        alias.evidence.as_str(),
        micros(alias.first_seen),
        micros(alias.last_seen),
    ])?;
    Ok(())
}

pub(crate) fn put_credential(
    tx: &Transaction<'_>,
    credential: &CredentialRecord,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO credentials VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
        ?13) ON CONFLICT (uid) DO UPDATE SET identity = ?2, kind = ?3, created = ?6, \
        last_rotated = ?7, expires = ?8, revoked = ?9, first_used = ?10, last_used = ?11, \
        uses = ?12, used_from = ?13";
    tx.prepare_cached(sql)?.execute(params![
        credential.uid.to_bytes(),
        credential.identity.to_bytes(),
        credential.kind.name(),
        credential.reference.as_str(),
        credential.system.as_str(),
        micros(credential.created),
        micros(credential.last_rotated),
        micros(credential.expires),
        micros(credential.revoked),
        micros(credential.first_used),
        micros(credential.last_used),
        integer(credential.uses),
        json(&credential.used_from)?,
    ])?;
    Ok(())
}

fn identity_row(row: &Row<'_>) -> rusqlite::Result<Identity> {
    let undeclared = row
        .get_ref(10)?
        .as_str_or_null()
        .is_ok_and(|body| body.is_none());
    Ok(Identity {
        id: id(row, 0)?,
        tenant: named(row, 1, |name| TenantId::new(name).ok())?,
        kind: named(row, 2, ActorKind::from_name)?,
        name: text(row, 3)?,
        status: named(row, 4, identity_status)?,
        discovered: row.get(5)?,
        first_alias: id(row, 6)?,
        created: time_option(row, 7)?,
        first_seen: time_option(row, 8)?,
        last_seen: time_option(row, 9)?,
        declared: if undeclared {
            Declared::default()
        } else {
            from_json(row, 10)?
        },
    })
}

fn alias_row(row: &Row<'_>) -> rusqlite::Result<AliasRecord> {
    Ok(AliasRecord {
        uid: id(row, 0)?,
        identity: id(row, 1)?,
        namespace: text(row, 2)?,
        value: text(row, 3)?,
        evidence: text(row, 4)?,
        first_seen: time_option(row, 5)?,
        last_seen: time_option(row, 6)?,
    })
}

fn credential_row(row: &Row<'_>) -> rusqlite::Result<CredentialRecord> {
    Ok(CredentialRecord {
        uid: id(row, 0)?,
        identity: id(row, 1)?,
        kind: named(row, 2, CredentialKind::from_name)?,
        reference: text(row, 3)?,
        system: text(row, 4)?,
        created: time_option(row, 5)?,
        last_rotated: time_option(row, 6)?,
        expires: time_option(row, 7)?,
        revoked: time_option(row, 8)?,
        first_used: time_option(row, 9)?,
        last_used: time_option(row, 10)?,
        uses: counter(row, 11)?,
        used_from: from_json(row, 12)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Connections;

    fn plan(sql: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let connections = Connections::open(&folder.path().join("control.db")).unwrap();
        let steps = |db: &Connection| {
            let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let nothing = (0..statement.parameter_count()).map(|_| None::<i64>);
            let rows = statement.query_map(rusqlite::params_from_iter(nothing), |row| {
                row.get::<_, String>(3)
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        connections.read(steps).unwrap().join("\n")
    }

    #[test]
    fn lists_and_look_ups_use_an_index() {
        let listing = plan(&list_sql());
        assert!(listing.contains("identities_by_activity"), "{listing}");
        assert!(!listing.contains("TEMP B-TREE"), "{listing}");
        let by_value = plan(&format!("{ALIAS} WHERE folded = ?1"));
        assert!(by_value.contains("aliases_by_value"), "{by_value}");
        let unsorted = plan(&format!("{IDENTITY} ORDER BY i.created"));
        assert!(unsorted.contains("TEMP B-TREE"), "{unsorted}");
    }
}
