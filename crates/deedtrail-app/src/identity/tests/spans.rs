//! Whose spans are whose.

use deedtrail_core::event::{ActorKind, Event, MappedEvent};
use deedtrail_core::id::{AliasUid, TenantId};

use super::events::{by, kind_of, sealed};
use crate::identity::Resolver;
use crate::identity::span::SPANS_MAX;

/// A span of trace `t`.
fn span(uid: &str, parent: Option<&str>, mapped: MappedEvent) -> MappedEvent {
    MappedEvent {
        trace_uid: Some("t".into()),
        span_uid: Some(uid.into()),
        parent_uid: parent.map(Into::into),
        ..mapped
    }
}

fn agent(uid: &str, parent: Option<&str>, name: &str) -> MappedEvent {
    let agent = by(&[&format!("agent.name:{name}")]);
    span(uid, parent, kind_of(ActorKind::AiAgent, agent))
}

fn told(resolver: &mut Resolver, mapped: MappedEvent) -> Event {
    let mut event = sealed(1, mapped);
    resolver.resolve(&mut event);
    event
}

fn alias_of(name: &str) -> AliasUid {
    AliasUid::of(&TenantId::default(), "agent.name", name)
}

#[test]
fn what_names_nobody_is_the_nearest_agents_above_at_any_depth() {
    let mut resolver = Resolver::default();
    told(&mut resolver, agent("s1", None, "outer"));
    let call = told(&mut resolver, span("s2", Some("s1"), by(&[])));
    told(&mut resolver, agent("s3", Some("s2"), "inner"));
    let tool = told(&mut resolver, span("s4", Some("s3"), by(&[])));
    let below = told(&mut resolver, span("s5", Some("s4"), by(&[])));
    assert_eq!(call.actor_alias_uid, Some(alias_of("outer")));
    assert_eq!(tool.actor_alias_uid, Some(alias_of("inner")));
    assert_eq!(below.actor_alias_uid, Some(alias_of("inner")));
    assert_eq!(below.mapped.actor_kind, ActorKind::AiAgent);
    assert_eq!(
        below.mapped.labels.get("actor_from").map(AsRef::as_ref),
        Some("the span above")
    );
}

#[test]
fn another_trace_tenant_or_order_gives_no_agent() {
    let mut resolver = Resolver::default();
    let early = told(&mut resolver, span("s2", Some("s1"), by(&[])));
    told(&mut resolver, agent("s1", None, "outer"));
    let mut elsewhere = span("s2", Some("s1"), by(&[]));
    elsewhere.trace_uid = Some("u".into());
    let elsewhere = told(&mut resolver, elsewhere);
    let mut foreign = sealed(1, span("s2", Some("s1"), by(&[])));
    foreign.tenant = TenantId::new("other").unwrap();
    resolver.resolve(&mut foreign);
    for event in [early, elsewhere, foreign] {
        assert_eq!(event.actor_alias_uid, None);
        assert!(event.mapped.labels.is_empty());
    }
}

#[test]
fn a_named_actor_is_kept_and_a_person_above_lends_nothing() {
    let mut resolver = Resolver::default();
    let ana = kind_of(ActorKind::Human, by(&["email:ana@example.com"]));
    told(&mut resolver, span("s1", None, ana));
    let nobody = told(&mut resolver, span("s2", Some("s1"), by(&[])));
    assert_eq!(nobody.actor_alias_uid, None);
    told(&mut resolver, agent("s3", None, "outer"));
    let bob = told(&mut resolver, span("s4", Some("s3"), by(&["okta.id:bob"])));
    let uid = AliasUid::of(&TenantId::default(), "okta.id", "bob");
    assert_eq!(bob.actor_alias_uid, Some(uid));
}

#[test]
fn a_restart_forgets_no_span_and_the_oldest_go_first() {
    let mut resolver = Resolver::default();
    told(&mut resolver, agent("first", None, "outer"));
    for number in 1..SPANS_MAX {
        told(&mut resolver, agent(&format!("s{number}"), None, "outer"));
    }
    let mut resolver = Resolver::from_bytes(&resolver.to_bytes().unwrap()).unwrap();
    let known = told(&mut resolver, span("c1", Some("first"), by(&[])));
    assert_eq!(known.actor_alias_uid, Some(alias_of("outer")));
    let late = told(&mut resolver, span("c2", Some("first"), by(&[])));
    assert_eq!(late.actor_alias_uid, None);
}
