//! `session`: what somebody did in one go, over all systems that tell of it.

use anyhow::Context as _;
use deedtrail_app::agent_call::AgentCall;
use deedtrail_app::entitlement::Reach;
use deedtrail_app::session::{NextStep, SessionFile};
use deedtrail_core::id::SessionUid;
use deedtrail_core::port::store::SessionFilter;
use deedtrail_core::session::{BlindSession, Session, SessionJoin, SessionVerdict};
use serde::Serialize;

use super::{Context, Ended};
use crate::args::SessionCommand;
use crate::output::counted;

/// A session as printed: what is kept of it, and how far it could have gone.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    session: &'a Session,
    reach: Reach,
}

pub(super) fn run(context: &mut Context<'_>, command: &SessionCommand) -> anyhow::Result<Ended> {
    match command {
        SessionCommand::List {
            who,
            verdict,
            trust_below,
            departing,
            limit,
        } => {
            let filter = SessionFilter {
                trust_below: *trust_below,
                departing: *departing,
                ..SessionFilter::default()
            };
            list(
                context,
                (who.as_deref(), verdict.as_deref()),
                filter,
                *limit,
            )
        }
        SessionCommand::Show { id } => show(context, id),
        SessionCommand::Blind { limit } => blind(context, *limit),
    }
}

fn list(
    context: &mut Context<'_>,
    (who, verdict): (Option<&str>, Option<&str>),
    filter: SessionFilter,
    limit: usize,
) -> anyhow::Result<Ended> {
    let identity = match who {
        Some(who) => {
            let file = context.app().find_identity(&context.principal, who)?;
            context.say_who(who, &file)?;
            Some(file.identity.id)
        }
        None => None,
    };
    let verdict = verdict.map(|name| {
        let known = SessionVerdict::ALL.iter().map(|one| one.name());
        let known = known.collect::<Vec<_>>().join(", ");
        SessionVerdict::from_name(name)
            .with_context(|| format!("`{name}` is no verdict; they are {known}"))
    });
    let filter = SessionFilter {
        identity,
        verdict: verdict.transpose()?,
        ..filter
    };
    let sessions = context.app().sessions(&context.principal, &filter, limit)?;
    if context.console.json {
        for session in &sessions {
            context.console.object(session)?;
        }
        return Ok(Ended::Done);
    }
    let mut rows: Vec<Vec<String>> = sessions.iter().map(row).collect();
    let mut headings = vec![
        "ID",
        "STARTED (UTC)",
        "LAST (UTC)",
        "WHO",
        "SYSTEMS",
        "EVENTS",
        "VERDICT",
        "TRUST",
    ];
    let mut order = "latest active";
    if filter.departing {
        order = "most unusual";
        headings.push("RARER THAN");
        for (row, session) in rows.iter_mut().zip(&sessions) {
            row.push(format!("1 in {:.0}", session.departs_one_in()));
        }
    }
    context.console.table(&headings, &rows)?;
    if sessions.len() == limit {
        context
            .console
            .say(format_args!("the {limit} {order}; --limit shows more"))?;
    }
    Ok(Ended::Done)
}

fn row(session: &Session) -> Vec<String> {
    vec![
        session.uid.to_string(),
        session.started.to_string(),
        session.last.to_string(),
        session.actor.to_string(),
        session.systems.join(", "),
        session.events.to_string(),
        session.verdict.name().to_owned(),
        session.trust.score.to_string(),
    ]
}

fn show(context: &mut Context<'_>, id: &str) -> anyhow::Result<Ended> {
    let uid = context.app().session_named(&context.principal, id)?;
    let file = context.app().session_file(&context.principal, uid)?;
    let reach = context.app().session_reach(&context.principal, &file)?;
    let agents = context.app().agent_calls(&context.principal, &file)?;
    if context.console.json {
        let session = &file.session;
        context.console.object(&Shown { session, reach })?;
        for step in file.next_steps() {
            context.console.object(&step)?;
        }
        for call in &agents {
            context.console.object(call)?;
        }
        return Ok(Ended::Done);
    }
    summary(context, &file)?;
    say_reach(context, &reach)?;
    say_agents(context, &agents)?;
    let rows: Vec<Vec<String>> = file.next_steps().iter().map(step_row).collect();
    let headings = [
        "TIME (UTC)",
        "PAUSE",
        "WHO",
        "SYSTEM",
        "OPERATION",
        "TIMES",
        "OUTCOME",
        "TARGET",
    ];
    context.console.table(&headings, &rows)?;
    Ok(Ended::Done)
}

fn say_reach(context: &mut Context<'_>, reach: &Reach) -> anyhow::Result<()> {
    for kind in &reach.kinds {
        let more = match kind.resources_total - kind.resources.len() as u64 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let further = match kind.permissions_total - kind.permissions.len() as u64 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        context.console.say(format_args!(
            "  can {} in {}: {}{more}, by {}{further}",
            kind.access.name(),
            kind.system,
            kind.resources.join(", "),
            kind.permissions.join(", ")
        ))?;
    }
    let affected = reach.users_affected;
    if affected > 0 {
        let said = format_args!("  users affected: {affected}");
        context.console.say(said)?;
    }
    Ok(())
}

fn summary(context: &mut Context<'_>, file: &SessionFile) -> anyhow::Result<()> {
    let session = &file.session;
    let console = &mut *context.console;
    console.say(format_args!(
        "{} in {}: {}, {} to {}, verdict {}, trust {} (lowest {})",
        session.actor,
        session.systems.join(", "),
        counted(usize::try_from(session.events)?, "event"),
        session.started,
        session.last,
        session.verdict.name(),
        session.trust.score,
        session.trust.lowest
    ))?;
    if let Some(legitimate) = session.legitimate_by() {
        console.say(format_args!("  {legitimate}"))?;
    }
    for reason in &session.reasons {
        console.say(format_args!(
            "  {}: {}",
            reason.class.name(),
            reason.sentence
        ))?;
    }
    for step in &session.trust.steps {
        console.say(format_args!(
            "  trust {:+} to {}: {}",
            step.points, step.score, step.reason
        ))?;
    }
    for (what, reached) in session.blast.reached() {
        if reached.is_empty() {
            continue;
        }
        let names: Vec<&str> = reached
            .things
            .iter()
            .map(|thing| thing.name.as_str())
            .collect();
        let more = match reached.left_out {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        console.say(format_args!("  {what}: {}{more}", names.join(", ")))?;
    }
    if session.blast.people_notified > 0 {
        console.say(format_args!(
            "  people notified: {}",
            session.blast.people_notified
        ))?;
    }
    for departure in &session.departures {
        console.say(format_args!(
            "  unlike what is learned since {}: rarer than one in {:.0}; {}",
            departure.since,
            departure.one_in(),
            departure.told_by.sentence()
        ))?;
        for reason in &departure.reasons {
            console.say(format_args!("    {reason}"))?;
        }
    }
    for join in &file.joins {
        console.say(format_args!("  {}", joined(file, join)))?;
    }
    Ok(())
}

/// Which two sessions a join is of, seen from the one that is shown, and why.
fn joined(file: &SessionFile, join: &SessionJoin) -> String {
    let all = file.all();
    let named = |uid: SessionUid| {
        let session = all.iter().find(|session| session.uid == uid);
        let told = session.map(|it| format!(" ({} in {})", it.actor, it.systems.join(", ")));
        format!("{uid}{}", told.unwrap_or_default())
    };
    let own = file.session.uid;
    let what = if join.from == own {
        format!("led to {}", named(join.to))
    } else if join.to == own {
        format!("came from {}", named(join.from))
    } else {
        format!("{} led to {}", named(join.from), named(join.to))
    };
    format!("{what}, {} of 100 sure: {}", join.confidence, join.reason)
}

/// Each agent below the one that called it.
fn say_agents(context: &mut Context<'_>, agents: &[AgentCall]) -> anyhow::Result<()> {
    for call in agents {
        let caller = match (&call.called_by, &call.by) {
            (Some(caller), Some(by)) => format!(", called by {caller} by {by}"),
            _ => String::new(),
        };
        let behind = call.on_behalf_of.as_ref();
        let behind = behind.map_or_else(String::new, |who| format!(", on behalf of {who}"));
        context.console.say(format_args!(
            "  {:indent$}agent {}{caller}{behind}: {}",
            "",
            call.agent,
            counted(usize::try_from(call.events)?, "span"),
            indent = call.depth * 2
        ))?;
    }
    Ok(())
}

fn step_row(step: &NextStep) -> Vec<String> {
    vec![
        step.act.at.to_string(),
        step.gap_s
            .map_or_else(String::new, |gap| format!("{} min", gap / 60)),
        step.actor.to_string(),
        step.act.system.to_string(),
        step.act.operation.to_string(),
        step.act.times.to_string(),
        step.act.outcome.name().to_owned(),
        step.act.target.as_deref().unwrap_or("-").to_owned(),
    ]
}

fn blind(context: &mut Context<'_>, limit: usize) -> anyhow::Result<Ended> {
    let asked = limit.saturating_add(1);
    let mut map = context.app().blind_map(&context.principal, asked)?;
    let are_more = map.rows.len() > limit;
    map.rows.truncate(limit);
    if context.console.json {
        for row in &map.rows {
            context.console.object(row)?;
        }
        return Ok(Ended::Done);
    }
    if map.rows.is_empty() {
        let why = context.app().nothing_blind(&context.principal)?;
        context.console.say(format_args!(
            "no sign-in leads to where nothing is seen. {}",
            why.words()
        ))?;
        return Ok(Ended::Done);
    }
    let rows: Vec<Vec<String>> = map.rows.iter().map(blind_row).collect();
    let headings = [
        "WHO",
        "SYSTEM",
        "SIGN-INS",
        "LAST (UTC)",
        "SEVERITY",
        "PRIVILEGE",
    ];
    context.console.table(&headings, &rows)?;
    context.console.say(
        "each row is an identity and a system; a finding is made of the first row of a system in 30 \
         days, and of each row of high severity",
    )?;
    if are_more {
        context
            .console
            .say(format_args!("the gravest {limit}; --limit shows more"))?;
    }
    Ok(Ended::Done)
}

fn blind_row(row: &BlindSession) -> Vec<String> {
    vec![
        row.actor.to_string(),
        row.system.to_string(),
        row.sign_ins.to_string(),
        row.last.to_string(),
        row.severity.name().to_owned(),
        row.privilege.to_string(),
    ]
}
