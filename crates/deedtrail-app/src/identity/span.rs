//! Spans that do not name who acted: what was done below an agent's span was done by that agent.
//!
//! Exports of traces list spans by their start, so an agent comes before what it does. A span that
//! comes before the one above it stays without an actor, as it was told.

use std::collections::{BTreeMap, VecDeque};

use deedtrail_core::Text;
use deedtrail_core::event::{ActorKind, Alias, Event, MappedEvent};
use deedtrail_core::id::{AliasUid, Id, IdKind, TenantId};
use serde::{Deserialize, Serialize};

use super::Resolver;
use super::seal::stable_alias;

/// Spans remembered; beyond it the oldest is forgotten.
pub(super) const SPANS_MAX: usize = 20_000;
/// Label that says where the actor of an event comes from.
const ACTOR_FROM: &str = "actor_from";

/// Kind of id: hash of tenant, trace and span.
#[derive(Clone, Copy, Debug)]
pub(super) enum SpanKey {}

impl IdKind for SpanKey {
    const DOMAIN: &'static str = "deedtrail span";
}

type Key = Id<SpanKey>;

/// Which agent each of the newest spans is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spans {
    agents: BTreeMap<Key, AliasUid>,
    /// The oldest first.
    order: VecDeque<Key>,
}

impl Spans {
    fn note(&mut self, key: Key, agent: AliasUid) {
        if self.agents.insert(key, agent).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > SPANS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.agents.remove(&oldest);
        }
    }
}

impl Resolver {
    /// Gives an event that names nobody the agent of the span above it.
    pub(super) fn file_under_agent(&self, event: &mut Event) {
        let mapped = &event.mapped;
        if event.actor_alias_uid.is_some() || !mapped.actor_aliases.is_empty() {
            return;
        }
        let above = mapped.parent_uid.as_ref();
        let above = above.and_then(|span| key(&event.tenant, mapped, span));
        let agent = above.and_then(|above| self.spans.agents.get(&above));
        let Some(alias) = agent.and_then(|uid| self.aliases.get(uid)) else {
            return;
        };
        event.actor_alias_uid = Some(alias.uid);
        event.mapped.actor_kind = ActorKind::AiAgent;
        event.mapped.actor_aliases = vec![Alias {
            namespace: alias.namespace.clone(),
            value: alias.value.clone(),
        }];
        let from = Text::new_static("the span above");
        event.mapped.labels.insert(ACTOR_FROM.into(), from);
    }

    /// Remembers which agent a span is of.
    pub(super) fn note_span(&mut self, event: &Event) {
        let mapped = &event.mapped;
        if mapped.actor_kind != ActorKind::AiAgent || stable_alias(&mapped.actor_aliases).is_none()
        {
            return;
        }
        let span = mapped.span_uid.as_ref();
        if let Some(key) = span.and_then(|span| key(&event.tenant, mapped, span))
            && let Some(agent) = event.actor_alias_uid
        {
            self.spans.note(key, agent);
        }
    }
}

/// `None` outside a trace.
fn key(tenant: &TenantId, mapped: &MappedEvent, span: &Text) -> Option<Key> {
    let trace = mapped.trace_uid.as_ref()?;
    let parts = [
        tenant.as_str().as_bytes(),
        trace.as_bytes(),
        span.as_bytes(),
    ];
    Some(Id::derive(&parts))
}
