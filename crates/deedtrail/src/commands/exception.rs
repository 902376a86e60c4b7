//! `rule except`, `rule exceptions`, `rule end-exception`.

use anyhow::Context as _;
use deedtrail_app::exception::ExceptionDraft;
use deedtrail_core::exception::{ExceptionStatus, HELD_BACK_MAX, RuleException};
use deedtrail_core::time::Timestamp;
use serde_json::json;

use super::{Context, Ended};
use crate::args::Except;
use crate::output::counted;

pub(super) fn except(context: &mut Context<'_>, wanted: &Except) -> anyhow::Result<Ended> {
    let draft = ExceptionDraft {
        rule: &wanted.rule,
        conditions: wanted.conditions.clone(),
        owner: &wanted.owner,
        reason: &wanted.reason,
        expires: wanted.expires,
    };
    context.app().except_rule(&context.principal, &draft)?;
    context.instance.settle()?;
    let known = context
        .app()
        .rule_exceptions(&context.principal, Some(&wanted.rule))?;
    // The newest is first; one that is over was there before.
    let now = context.app().ports.clock.now();
    let made = known
        .into_iter()
        .next()
        .filter(|it| it.status(now) == ExceptionStatus::InForce);
    let made = made.context(
        "the exception is in the log, and was not taken: too many are in force, or one says the same",
    )?;
    told(context, &made)?;
    if made.conditions.is_empty() && !context.console.json {
        context.console.say(format_args!(
            "it covers every match: {} tells nothing until then",
            made.rule
        ))?;
    }
    Ok(Ended::Done)
}

pub(super) fn end(context: &mut Context<'_>, number: u32) -> anyhow::Result<Ended> {
    context.app().end_exception(&context.principal, number)?;
    context.instance.settle()?;
    let known = context.app().rule_exceptions(&context.principal, None)?;
    let ended = known.iter().find(|it| it.number == number);
    told(context, ended.context("the exception is forgotten")?)?;
    Ok(Ended::Done)
}

fn told(context: &mut Context<'_>, exception: &RuleException) -> anyhow::Result<()> {
    let now = context.app().ports.clock.now();
    if context.console.json {
        return Ok(context.console.object(&shown(exception, now)?)?);
    }
    context.console.line(format_args!(
        "exception {} to {}: {}, {} (owner {}, until {})",
        exception.number,
        exception.rule,
        exception.status(now).words(),
        exception.covers(),
        exception.owner,
        exception.expires,
    ))?;
    Ok(())
}

/// An exception with its status, for programs.
fn shown(exception: &RuleException, now: Timestamp) -> anyhow::Result<serde_json::Value> {
    let mut value = serde_json::to_value(exception)?;
    value["status"] = exception.status(now).name().into();
    Ok(value)
}

/// What one exception held back.
pub(super) fn held(context: &mut Context<'_>, number: u32) -> anyhow::Result<Ended> {
    let held = context.app().held_back(&context.principal, number)?;
    if context.console.json {
        for one in &held.matches {
            context.console.object(&json!({
                "rule": held.exception.rule,
                "identity": one.held.identity,
                "identity_name": one.identity,
                "at": one.held.at,
                "event": one.held.event,
                "title": one.held.title,
            }))?;
        }
        return Ok(Ended::Done);
    }
    let rows: Vec<Vec<String>> = held
        .matches
        .iter()
        .map(|one| {
            vec![
                one.held.at.to_string(),
                one.identity.clone(),
                one.held.title.clone(),
                one.held.event.to_string(),
            ]
        })
        .collect();
    let exception = &held.exception;
    context.console.say(format_args!(
        "exception {} to {}: {} held back",
        exception.number, exception.rule, exception.effect.held_back,
    ))?;
    if rows.is_empty() {
        return Ok(Ended::Done);
    }
    context
        .console
        .table(&["TIME", "IDENTITY", "WOULD HAVE SAID", "EVENT"], &rows)?;
    if exception.effect.held_back > rows.len() as u64 {
        context.console.say(format_args!(
            "the newest {HELD_BACK_MAX} are kept; older ones are only counted"
        ))?;
    }
    Ok(Ended::Done)
}

pub(super) fn list(context: &mut Context<'_>, rule: Option<&str>) -> anyhow::Result<Ended> {
    let exceptions = context.app().rule_exceptions(&context.principal, rule)?;
    let now = context.app().ports.clock.now();
    if context.console.json {
        for exception in &exceptions {
            context.console.object(&shown(exception, now)?)?;
        }
        return Ok(Ended::Done);
    }
    if exceptions.is_empty() {
        context
            .console
            .say("no exception; `deedtrail rule except --help` says how to make one")?;
        return Ok(Ended::Done);
    }
    let rows: Vec<Vec<String>> = exceptions.iter().map(|it| row(it, now)).collect();
    let headings = [
        "NUMBER",
        "STATUS",
        "RULE",
        "COVERS",
        "HELD BACK",
        "LAST",
        "UNTIL",
        "OWNER",
        "REASON",
    ];
    context.console.table(&headings, &rows)?;
    let idle = exceptions
        .iter()
        .filter(|it| it.status(now) == ExceptionStatus::InForce && it.effect.held_back == 0);
    match idle.count() {
        0 => {}
        idle => context.console.say(format_args!(
            "{} in force held nothing back so far",
            counted(idle, "exception")
        ))?,
    }
    Ok(Ended::Done)
}

fn row(exception: &RuleException, now: Timestamp) -> Vec<String> {
    let effect = &exception.effect;
    vec![
        exception.number.to_string(),
        exception.status(now).words().to_owned(),
        exception.rule.to_string(),
        exception.covers(),
        effect.held_back.to_string(),
        effect.last.map_or("-".to_owned(), |last| last.to_string()),
        exception.expires.to_string(),
        exception.owner.to_string(),
        exception.reason.to_string(),
    ]
}
