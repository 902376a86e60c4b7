//! Why an argument's value is unusual, in words.

use std::fmt::Write as _;

use deedtrail_core::event::ActorKind;

use super::Found;
use super::origin::Origin;
use super::session::Session;
use crate::step::Step;

/// `call 3 send_money: recipient was not in the request, never used by this agent or its 14 peers,
/// first seen 2 s earlier in the output of read_file`.
pub(super) fn of(found: &Found<'_>, session: &Session, step: &Step<'_>, peers: usize) -> String {
    let tool = &step.event.mapped.operation;
    let argument = match found.argument {
        "" => "its argument",
        name => name,
    };
    let noun = found.value.noun();
    let mut text = format!("call {} `{tool}`: {argument}", session.calls);
    if found.origin < Origin::Known {
        let from = if found.origin == Origin::Request {
            "from the request"
        } else {
            "used in earlier sessions"
        };
        let percent = found.share * 100.0;
        let _ = write!(text, " is {noun} {from}, as {percent:.1} % of its values are");
        return text;
    }
    let _ = write!(text, " ({noun})");
    if session.asked() {
        text.push_str(" was not in the request,");
    } else {
        text.push_str(" was");
    }
    let _ = write!(text, " never used by {}", who(step.subject.kind, peers));
    text.push_str(&match &found.origin {
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
            format!(", first seen {ago} in the output of {tool}")
        }
        Origin::Known => ", only heard of in earlier sessions".to_owned(),
        _ => ", and named by nothing this session has read".to_owned(),
    });
    text
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
