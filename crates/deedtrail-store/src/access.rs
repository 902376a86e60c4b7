//! Tokens, sign-in links, browser sessions and settings.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use deedtrail_core::id::TenantId;
use deedtrail_core::port::store::{SignInLink, TokenRecord, WebSession};
use deedtrail_core::time::Timestamp;

use crate::columns::{from_json, json, micros, named, text, time, time_option};

const TOKEN: &str = "SELECT prefix, hash, name, tenant, scopes, created, expires, last_used, \
    revoked FROM tokens";

pub(crate) fn tokens(db: &Connection) -> rusqlite::Result<Vec<TokenRecord>> {
    let sql = format!("{TOKEN} ORDER BY created DESC, prefix");
    db.prepare_cached(&sql)?.query_map((), token_row)?.collect()
}

pub(crate) fn token_by_hash(db: &Connection, hash: &str) -> rusqlite::Result<Option<TokenRecord>> {
    let sql = format!("{TOKEN} WHERE hash = ?1");
    db.prepare_cached(&sql)?
        .query_row([hash], token_row)
        .optional()
}

pub(crate) fn put_token(tx: &Transaction<'_>, token: &TokenRecord) -> rusqlite::Result<()> {
    let sql = "INSERT INTO tokens VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    tx.execute(
        sql,
        params![
            token.prefix.as_str(),
            token.hash.as_str(),
            token.name.as_str(),
            token.tenant.as_str(),
            json(&token.scopes)?,
            token.created.as_micros(),
            micros(token.expires),
            micros(token.last_used),
            micros(token.revoked),
        ],
    )?;
    Ok(())
}

pub(crate) fn touch_token(
    tx: &Transaction<'_>,
    prefix: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let sql = "UPDATE tokens SET last_used = max(coalesce(last_used, ?2), ?2) WHERE prefix = ?1";
    tx.execute(sql, params![prefix, at.as_micros()])?;
    Ok(())
}

/// True when this call ended a token that was good until now.
pub(crate) fn revoke_token(
    tx: &Transaction<'_>,
    prefix: &str,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let sql = "UPDATE tokens SET revoked = ?2 WHERE prefix = ?1 AND revoked IS NULL";
    tx.execute(sql, params![prefix, at.as_micros()])
        .map(|rows| rows > 0)
}

pub(crate) fn put_sign_in_link(tx: &Transaction<'_>, link: &SignInLink) -> rusqlite::Result<()> {
    let principal = link.principal.as_str();
    tx.execute(
        "DELETE FROM sign_in_links WHERE principal = ?1",
        [principal],
    )?;
    tx.execute(
        "INSERT INTO sign_in_links VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            link.hash.as_str(),
            principal,
            link.tenant.as_str(),
            json(&link.scopes)?,
            link.ends.as_micros(),
        ],
    )?;
    Ok(())
}

pub(crate) fn take_sign_in_link(
    tx: &Transaction<'_>,
    hash: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<SignInLink>> {
    tx.execute(
        "DELETE FROM sign_in_links WHERE ends <= ?1",
        [now.as_micros()],
    )?;
    let sql = "DELETE FROM sign_in_links WHERE hash = ?1 \
        RETURNING hash, principal, tenant, scopes, ends";
    let row = |row: &Row<'_>| {
        Ok(SignInLink {
            hash: text(row, 0)?,
            principal: text(row, 1)?,
            tenant: tenant(row, 2)?,
            scopes: from_json(row, 3)?,
            ends: time(row, 4)?,
        })
    };
    tx.query_row(sql, [hash], row).optional()
}

pub(crate) fn put_session(tx: &Transaction<'_>, session: &WebSession) -> rusqlite::Result<()> {
    let sql = "INSERT INTO web_sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    tx.execute(
        sql,
        params![
            session.hash.as_str(),
            session.principal.as_str(),
            session.tenant.as_str(),
            session.created.as_micros(),
            session.last_used.as_micros(),
            session.absolute_end.as_micros(),
            json(&session.scopes)?,
        ],
    )?;
    Ok(())
}

pub(crate) fn session_by_hash(db: &Connection, hash: &str) -> rusqlite::Result<Option<WebSession>> {
    let sql = "SELECT hash, principal, tenant, created, last_used, absolute_end, scopes \
        FROM web_sessions WHERE hash = ?1";
    let rows = |row: &Row<'_>| {
        Ok(WebSession {
            hash: text(row, 0)?,
            principal: text(row, 1)?,
            tenant: tenant(row, 2)?,
            created: time(row, 3)?,
            last_used: time(row, 4)?,
            absolute_end: time(row, 5)?,
            scopes: from_json(row, 6)?,
        })
    };
    db.prepare_cached(sql)?.query_row([hash], rows).optional()
}

pub(crate) fn touch_session(
    tx: &Transaction<'_>,
    hash: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let sql = "UPDATE web_sessions SET last_used = max(last_used, ?2) WHERE hash = ?1";
    tx.execute(sql, params![hash, at.as_micros()])?;
    Ok(())
}

pub(crate) fn end_session(tx: &Transaction<'_>, hash: &str) -> rusqlite::Result<()> {
    tx.execute("DELETE FROM web_sessions WHERE hash = ?1", [hash])?;
    Ok(())
}

pub(crate) fn setting(db: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT value FROM settings WHERE name = ?1";
    db.prepare_cached(sql)?
        .query_row([name], |row| row.get(0))
        .optional()
}

pub(crate) fn put_setting(tx: &Transaction<'_>, name: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO settings VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
    tx.execute(sql, params![name, value])?;
    Ok(())
}

fn tenant(row: &Row<'_>, column: usize) -> rusqlite::Result<TenantId> {
    named(row, column, |name| TenantId::new(name).ok())
}

fn token_row(row: &Row<'_>) -> rusqlite::Result<TokenRecord> {
    Ok(TokenRecord {
        prefix: text(row, 0)?,
        hash: text(row, 1)?,
        name: text(row, 2)?,
        tenant: tenant(row, 3)?,
        scopes: from_json(row, 4)?,
        created: time(row, 5)?,
        expires: time_option(row, 6)?,
        last_used: time_option(row, 7)?,
        revoked: time_option(row, 8)?,
    })
}
