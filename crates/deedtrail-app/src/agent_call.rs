//! Which agent called which, over a session and those joined to it.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::agent::{AgentChain, chain};
use deedtrail_core::event::{ActorKind, Event, MappedEvent};
use deedtrail_core::id::{AliasUid, EventUid, SessionUid};
use deedtrail_core::port::archive::EventFilter;
use deedtrail_core::port::store::Scope;
use deedtrail_core::session::Session;
use deedtrail_core::time::Timestamp;
use serde::Serialize;

use crate::App;
use crate::access::Principal;
use crate::session::SessionFile;
use crate::timeline::ReadingError;

/// Spans that are looked at, the newest.
const SPANS_MAX: usize = 2_000;
/// Agents above one that are told; farther ones are left out, which the first of them says.
pub const CALLERS_MAX: usize = 8;
/// Rows of the tree; further agents are left out.
const ROWS_MAX: usize = 100;

/// An agent at its place in the tree of calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentCall {
    /// Agents above it, at most [`CALLERS_MAX`].
    pub depth: usize,
    pub agent: Text,
    /// `None` where no agent above is known.
    pub called_by: Option<Text>,
    /// The caller's tool or operation below which it worked.
    pub by: Option<Text>,
    pub on_behalf_of: Option<Text>,
    pub first: Timestamp,
    pub last: Timestamp,
    /// Its spans at this place.
    pub events: u64,
    /// The first of them.
    pub event_uid: EventUid,
    /// False where a span above is not known: there may be more callers.
    pub complete: bool,
}

/// An agent with the call that led to it.
type Step = (Text, Option<Text>);
/// From the outermost agent to one.
type Path = Vec<Step>;

impl App {
    /// Agents of a session and those joined to it, each below the one that called it. Empty where
    /// none called another.
    pub fn agent_calls(
        &self,
        principal: &Principal,
        file: &SessionFile,
    ) -> Result<Vec<AgentCall>, ReadingError> {
        principal.require(Scope::Read)?;
        let all = file.all();
        let agents: Vec<&Session> = all
            .into_iter()
            .filter(|session| session.actor_kind == ActorKind::AiAgent)
            .collect();
        let from = agents.iter().map(|session| session.started).min();
        let last = agents.iter().map(|session| session.last).max();
        let aliases = self.aliases_of(&agents)?;
        if aliases.is_empty() {
            return Ok(Vec::new());
        }
        let filter = EventFilter {
            tenant: principal.tenant.clone(),
            aliases,
            acting: true,
            from,
            to: last.map(|last| last.plus_micros(1)),
            ..EventFilter::default()
        };
        let events = self.ports.archive.events(&filter, None, SPANS_MAX)?;
        let sessions: Vec<SessionUid> = agents.iter().map(|session| session.uid).collect();
        Ok(tree(&events, &sessions))
    }

    fn aliases_of(&self, sessions: &[&Session]) -> Result<Vec<AliasUid>, ReadingError> {
        let mut identities: Vec<_> = sessions.iter().map(|session| session.identity).collect();
        identities.sort_unstable();
        identities.dedup();
        let mut aliases = Vec::new();
        for identity in identities {
            let known = self.ports.store.aliases_of(identity)?;
            aliases.extend(known.iter().map(|alias| alias.uid));
        }
        Ok(aliases)
    }
}

/// The calls that the spans of some sessions tell of, each below its caller, the first first.
fn tree(events: &[Event], sessions: &[SessionUid]) -> Vec<AgentCall> {
    let mut spans: BTreeMap<(&str, &str), &MappedEvent> = BTreeMap::new();
    for event in events {
        let mapped = &event.mapped;
        if let Some(span) = mapped.span_uid.as_deref() {
            spans.insert(
                (mapped.trace_uid.as_deref().unwrap_or_default(), span),
                mapped,
            );
        }
    }
    let mut calls: BTreeMap<Path, AgentCall> = BTreeMap::new();
    let of_sessions = |event: &&Event| event.session_uid.is_some_and(|it| sessions.contains(&it));
    for event in events.iter().filter(of_sessions) {
        let trace = event.mapped.trace_uid.as_deref().unwrap_or_default();
        let chain = chain(&event.mapped, |span| spans.get(&(trace, span)).copied());
        if let Some(path) = path(&chain) {
            note(&mut calls, path, &chain, event);
        }
    }
    if calls.keys().all(|path| path.len() < 2) {
        return Vec::new();
    }
    in_order(&calls)
}

/// `None` where no agent made the event.
fn path(chain: &AgentChain<'_>) -> Option<Path> {
    let agent = chain.agent?;
    let above = chain.called_by.get(..CALLERS_MAX);
    let above = above.unwrap_or(&chain.called_by);
    let mut path = Path::with_capacity(above.len() + 1);
    let mut below = agent;
    for caller in above {
        path.push((below.value.clone(), Some(caller.call.operation.clone())));
        below = caller.agent;
    }
    path.push((below.value.clone(), None));
    path.reverse();
    Some(path)
}

fn note(calls: &mut BTreeMap<Path, AgentCall>, path: Path, chain: &AgentChain<'_>, event: &Event) {
    let at = event.time_effective;
    let told = chain.called_by.len() <= CALLERS_MAX;
    let Some((agent, by)) = path.last() else {
        return;
    };
    let caller = path.iter().rev().nth(1).map(|(caller, _)| caller);
    let fresh = AgentCall {
        depth: path.len() - 1,
        agent: agent.clone(),
        called_by: caller.cloned(),
        by: by.clone(),
        on_behalf_of: chain.on_behalf_of.map(|alias| alias.value.clone()),
        first: at,
        last: at,
        events: 0,
        event_uid: event.event_uid,
        complete: true,
    };
    let call = calls.entry(path).or_insert(fresh);
    call.events += 1;
    call.complete &= chain.complete && told;
    call.last = call.last.max(at);
    if at < call.first {
        call.first = at;
        call.event_uid = event.event_uid;
    }
}

/// Every call after its caller, siblings by their first span.
fn in_order(calls: &BTreeMap<Path, AgentCall>) -> Vec<AgentCall> {
    let along = |path: &Path, own: Timestamp| -> Vec<(Timestamp, Option<Step>)> {
        let prefixes = (1..=path.len()).filter_map(|length| path.get(..length));
        prefixes
            .map(|prefix| {
                let first = calls.get(prefix).map_or(own, |call| call.first);
                (first, prefix.last().cloned())
            })
            .collect()
    };
    let mut rows: Vec<_> = calls
        .iter()
        .map(|(path, call)| (along(path, call.first), call))
        .collect();
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    let rows = rows.into_iter().take(ROWS_MAX);
    rows.map(|(_, call)| call.clone()).collect()
}

#[cfg(test)]
mod tests {
    use deedtrail_core::event::{Alias, Delegation, TimeQuality};
    use deedtrail_core::id::{SourceName, TenantId};

    use super::*;

    fn session() -> SessionUid {
        SessionUid::derive(&[b"session"])
    }

    /// A span of `agent` with an operation, `second` seconds in.
    fn span(second: i64, (uid, parent): (&str, &str), agent: &str, operation: &str) -> Event {
        let at = Timestamp::from_micros(second * Timestamp::SECOND_US);
        let mapped = MappedEvent {
            actor_kind: ActorKind::AiAgent,
            actor_aliases: vec![Alias {
                namespace: "agent.id".into(),
                value: agent.into(),
            }],
            operation: operation.into(),
            trace_uid: Some("trace".into()),
            span_uid: Some(uid.into()),
            parent_uid: Some(parent.into()),
            ..MappedEvent::default()
        };
        Event {
            event_uid: EventUid::derive(&[uid.as_bytes()]),
            log_origin: "deedtrail.example/log".into(),
            log_seq: 0,
            ordinal: 0,
            mapping_version: Text::default(),
            derived_at: 0,
            tenant: TenantId::default(),
            source: SourceName::new("otel.genai").unwrap(),
            source_uid: None,
            time_received: at,
            time_effective: at,
            time_quality: TimeQuality::Vendor,
            actor_alias_uid: None,
            on_behalf_of_uid: None,
            credential_uid: None,
            session_uid: Some(session()),
            target_uid: None,
            device_uid: None,
            message_uid: None,
            link_uid: None,
            risk_decision: None,
            id_conflict: false,
            evidence_grade: mapped.grade(None),
            mapped,
        }
    }

    fn said(calls: &[AgentCall]) -> Vec<String> {
        let line = |call: &AgentCall| {
            format!(
                "{}{} {} by {} x{}",
                "-".repeat(call.depth),
                call.agent,
                call.called_by.as_deref().unwrap_or("nobody"),
                call.by.as_deref().unwrap_or("nothing"),
                call.events
            )
        };
        calls.iter().map(line).collect()
    }

    #[test]
    fn every_agent_stands_below_its_caller() {
        let mut root = span(0, ("a", ""), "planner", "invoke_agent");
        root.mapped.delegation = vec![Delegation {
            relation: "on_behalf_of".into(),
            alias: Alias {
                namespace: "email".into(),
                value: "ana@example.com".into(),
            },
        }];
        let mut events = vec![
            span(9, ("f", "e"), "mailer", "send_mail"),
            root,
            span(1, ("b", "a"), "planner", "ask_payer"),
            span(2, ("c", "b"), "payer", "invoke_agent"),
            span(3, ("d", "c"), "payer", "send_money"),
            span(8, ("e", "a"), "planner", "ask_mailer"),
        ];
        let calls = tree(&events, &[session()]);
        assert_eq!(
            said(&calls),
            [
                "planner nobody by nothing x3",
                "-payer planner by ask_payer x2",
                "-mailer planner by ask_mailer x1",
            ]
        );
        let behind = Some("ana@example.com");
        assert!(calls.iter().all(|it| it.on_behalf_of.as_deref() == behind));
        assert!(calls.iter().all(|it| it.complete));
        assert_eq!(calls[1].event_uid, EventUid::derive(&[b"c"]));

        events.remove(2);
        let calls = tree(&events, &[session()]);
        let payer = calls.iter().find(|call| call.agent == "payer").unwrap();
        assert!(!payer.complete && payer.called_by.is_none(), "{payer:?}");
    }

    #[test]
    fn agents_that_call_nobody_are_no_tree() {
        let events = [
            span(0, ("a", ""), "planner", "invoke_agent"),
            span(1, ("b", ""), "payer", "invoke_agent"),
        ];
        assert!(tree(&events, &[session()]).is_empty());
        let other = [SessionUid::derive(&[b"other"])];
        assert!(tree(&events, &other).is_empty());
    }

    #[test]
    fn a_circle_ends() {
        let events = [
            span(0, ("a", "b"), "one", "call"),
            span(1, ("b", "a"), "two", "call"),
        ];
        let calls = tree(&events, &[session()]);
        assert!(calls.iter().all(|call| call.depth == CALLERS_MAX));
        assert!(calls.iter().all(|call| !call.complete));
    }
}
