//! `token`: API tokens.

use deedtrail_app::access::{scope_from_name, scope_name};
use deedtrail_core::port::store::{Scope, TokenRecord};
use deedtrail_core::time::Timestamp;
use serde_json::json;

use super::{Context, Ended};
use crate::args::TokenCommand;

pub(super) fn run(context: &mut Context<'_>, command: &TokenCommand) -> anyhow::Result<Ended> {
    match command {
        TokenCommand::Create { name, scope, days } => create(context, name, scope, *days),
        TokenCommand::List => list(context),
        TokenCommand::Revoke { prefix } => {
            let done = context.app().revoke_token(&context.principal, prefix)?;
            anyhow::ensure!(
                done,
                "no token has the prefix {prefix}; see `deedtrail token list`"
            );
            context
                .console
                .say(format_args!("{prefix} no longer works"))?;
            Ok(Ended::Done)
        }
    }
}

fn create(
    context: &mut Context<'_>,
    name: &str,
    scopes: &[String],
    days: u32,
) -> anyhow::Result<Ended> {
    let scopes = scopes
        .iter()
        .map(|name| parse_scope(name))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let lifetime = i64::from(days) * Timestamp::DAY_US;
    let made = context
        .app()
        .create_token(&context.principal, name, scopes, Some(lifetime))?;
    context
        .console
        .say("the token is shown this once; keep it like a password")?;
    if context.console.json {
        context.console.object(&json!({
            "token": made.token,
            "prefix": made.record.prefix,
            "name": made.record.name,
            "scopes": made.record.scopes,
            "expires": made.record.expires,
        }))?;
    } else {
        context.console.line(&made.token)?;
    }
    Ok(Ended::Done)
}

fn parse_scope(name: &str) -> anyhow::Result<Scope> {
    scope_from_name(name)
        .ok_or_else(|| anyhow::anyhow!("`{name}` is no scope; use ingest, read, write or admin"))
}

fn list(context: &mut Context<'_>) -> anyhow::Result<Ended> {
    let tokens = context.app().ports.store.tokens()?;
    let now = context.app().ports.clock.now();
    if context.console.json {
        for token in &tokens {
            context.console.object(&TokenRecord {
                hash: "-".into(),
                ..token.clone()
            })?;
        }
        return Ok(Ended::Done);
    }
    let at = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |t| t.to_string());
    let rows: Vec<Vec<String>> = tokens
        .iter()
        .map(|token| {
            let scopes: Vec<&str> = token
                .scopes
                .iter()
                .map(|scope| scope_name(*scope))
                .collect();
            vec![
                token.prefix.to_string(),
                token.name.to_string(),
                scopes.join(","),
                at(token.expires),
                at(token.last_used),
                state(token, now).to_owned(),
            ]
        })
        .collect();
    context.console.table(
        &["PREFIX", "NAME", "SCOPES", "EXPIRES", "LAST USED", "STATE"],
        &rows,
    )?;
    Ok(Ended::Done)
}

fn state(token: &TokenRecord, now: Timestamp) -> &'static str {
    if token.revoked.is_some() {
        "revoked"
    } else if token.expires.is_some_and(|end| end <= now) {
        "expired"
    } else {
        "active"
    }
}
