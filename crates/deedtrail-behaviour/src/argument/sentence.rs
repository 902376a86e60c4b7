//! Why an argument's value is unusual, in words.

use deedtrail_core::event::ActorKind;

use super::Found;
use super::origin::Origin;
use super::session::Session;
use crate::step::Step;

/// The least share that is told as a number, in percent.
const PERCENT_MIN: f64 = 0.1;

/// `call 3 send_money: recipient (an account) was not in the request, never used by this agent or
/// its 14 peers, first seen 2 s earlier in the output of read_file`.
pub(super) fn of(found: &Found<'_>, session: &Session, step: &Step<'_>, peers: usize) -> String {
    let tool = &step.event.mapped.operation;
    let argument = match found.argument {
        "" => "its argument",
        name => name,
    };
    let call = format!("call {} `{tool}`: {argument}", session.calls);
    let noun = found.value.noun();
    if found.origin < Origin::Known {
        let from = if found.origin == Origin::Request {
            "from the request"
        } else {
            "used in earlier sessions"
        };
        let share = percent(found.share);
        return format!("{call} is {noun} {from}, as {share} of its values are");
    }
    let asked = if session.asked() {
        "was not in the request,"
    } else {
        "was"
    };
    let who = who(step.subject.kind, peers);
    let origin = of_origin(&found.origin, step);
    format!("{call} ({noun}) {asked} never used by {who}, {origin}")
}

fn of_origin(origin: &Origin, step: &Step<'_>) -> String {
    match origin {
        Origin::Output { tool, at } => {
            let seconds = step.event.time_effective.micros_since(*at).max(0) / 1_000_000;
            let ago = match seconds {
                0 => "just before".to_owned(),
                ..120 => format!("{seconds} s earlier"),
                _ => format!("{} min earlier", seconds / 60),
            };
            let tool = match tool.as_str() {
                "" => "a tool".to_owned(),
                tool => format!("`{tool}`"),
            };
            format!("first seen {ago} in the output of {tool}")
        }
        Origin::Known => "only heard of in earlier sessions".to_owned(),
        _ => "and named by nothing this session has read".to_owned(),
    }
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < PERCENT_MIN {
        format!("less than {PERCENT_MIN} %")
    } else {
        format!("{percent:.1} %")
    }
}

fn who(kind: ActorKind, peers: usize) -> String {
    let kind = if kind == ActorKind::AiAgent {
        "agent"
    } else {
        "identity"
    };
    match peers {
        0 => format!("this {kind}"),
        1 => format!("this {kind} or its 1 peer"),
        peers => format!("this {kind} or its {peers} peers"),
    }
}
