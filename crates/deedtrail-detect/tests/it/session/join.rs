//! What joins sessions.

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, Alias};
use deedtrail_core::identity::Identity;
use deedtrail_core::session::JoinBy;

use super::{Watch, ana, pushes, reads, robot, signs_in};
use crate::builder::{Step, at, identity};

#[test]
fn okta_github_and_aws_of_one_person_are_one_timeline() {
    let role = identity("arn:aws:iam::1:role/deploy", ActorKind::ServiceAccount);
    let behind = |mapped: &mut deedtrail_core::event::MappedEvent| {
        mapped.actor_aliases.clear();
        mapped.delegation = vec![deedtrail_core::event::Delegation {
            relation: "assumed_role".into(),
            alias: Alias {
                namespace: "email".into(),
                value: "Ana@example.com".into(),
            },
        }];
    };
    let watch = Watch::over(vec![
        signs_in(&ana(), at(0, 0)).named_session("okta-session-1"),
        pushes(&ana(), at(0, 4)).with(|mapped| mapped.user_agent = Some("git/2.45".into())),
        reads(&role, at(0, 9)).with(behind).named_session("ASIA1"),
        reads(&robot(), at(0, 9)).from("198.51.100.9", 64999),
    ]);
    let [okta, github, aws, other] = watch.all()[..] else {
        panic!("{} sessions", watch.sessions.len());
    };
    let links: Vec<_> = watch.joins.iter().map(|j| (j.from, j.to, j.by)).collect();
    assert_eq!(
        links,
        [
            (okta.uid, github.uid, JoinBy::IdentityNetwork),
            (github.uid, aws.uid, JoinBy::Delegation),
        ],
        "{other:?}"
    );
    assert!(watch.joins[1].reason.contains("ana@example.com"));
}

#[test]
fn a_role_session_is_joined_to_the_one_that_assumed_it_even_when_it_comes_first() {
    let assume = |time| {
        Step::new(&robot(), time, Action::Authenticate, "sts:AssumeRole")
            .on("arn:aws:iam::1:role/admin")
            .with(|mapped| {
                mapped
                    .labels
                    .insert("issued_credential".into(), "ASIAX".into());
            })
    };
    let role = identity("role/admin", ActorKind::ServiceAccount);
    let used = |time| {
        reads(&role, time)
            .using("ASIAX", at(0, 0))
            .named_session("ASIAX")
    };
    let forth = Watch::over(vec![assume(at(0, 0)), used(at(0, 5))]);
    let back = Watch::over(vec![used(at(0, 5)), assume(at(0, 0))]);
    for watch in [forth, back] {
        let [first, second] = watch.all()[..] else {
            panic!("{} sessions", watch.sessions.len());
        };
        assert_eq!(watch.joined_by(), [(JoinBy::IssuedCredential, 98)]);
        let join = &watch.joins[0];
        assert_eq!((join.from, join.to), (first.uid, second.uid));
        let gained = &first.blast.rights_gained.things;
        assert!(gained[0].name.contains("role/admin"), "{gained:?}");
    }
}

#[test]
fn what_one_publishes_and_another_consumes_is_an_edge() {
    let queue = |who: &Identity, minute, action, operation: &str| {
        Step::new(who, at(0, minute), action, operation)
            .on("orders")
            .with(|mapped| {
                mapped.system = "kafka".into();
                mapped.src_asn = None;
                mapped.src_ip = None;
            })
    };
    let watch = Watch::over(vec![
        queue(&ana(), 0, Action::MessagePublish, "Produce"),
        queue(&robot(), 3, Action::MessageConsume, "Fetch"),
        queue(&robot(), 4, Action::MessageConsume, "Fetch"),
    ]);
    assert_eq!(watch.joined_by(), [(JoinBy::Queue, 60)]);
    for session in watch.all() {
        let [edge] = &session.blast.queues[..] else {
            panic!("{:?}", session.blast.queues);
        };
        let words = (&*edge.from_actor, &*edge.topic, &*edge.to_actor);
        assert_eq!(words, ("ana@example.com", "orders", "robot@example.com"));
    }
    let apart = Watch::over(vec![
        queue(&ana(), 0, Action::MessagePublish, "Produce"),
        queue(&robot(), 200, Action::MessageConsume, "Fetch"),
    ]);
    assert_eq!(apart.joins, []);
}

#[test]
fn a_trace_joins_and_unrelated_sessions_are_not_joined() {
    let traced = |who: &Identity, minute, trace: &str| {
        reads(who, at(0, minute)).with(|mapped| mapped.trace_uid = Some(trace.into()))
    };
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let watch = Watch::over(vec![traced(&ana(), 0, trace), traced(&robot(), 1, trace)]);
    assert_eq!(watch.joined_by(), [(JoinBy::Trace, 95)]);
    let watch = Watch::over(vec![traced(&ana(), 0, "1"), traced(&robot(), 1, "1")]);
    assert_eq!(watch.joins, [], "not an id of a trace");
}

#[test]
fn nothing_leads_to_what_was_there_before() {
    let role = identity("role/deploy", ActorKind::ServiceAccount);
    let named = |minute| {
        reads(&role, at(0, minute)).with(|mapped| {
            mapped.actor_aliases.clear();
            let name = "ana@example.com".into();
            mapped.labels.insert("role_session".into(), name);
        })
    };
    let later = Watch::over(vec![named(0), signs_in(&ana(), at(0, 30))]);
    assert_eq!(later.joins, []);
    let clocks = Watch::over(vec![named(0), signs_in(&ana(), at(0, 4))]);
    assert_eq!(clocks.joined_by(), [(JoinBy::Delegation, 80)]);
}

#[test]
fn a_role_session_named_with_an_address_is_joined_to_that_person() {
    let role = identity("role/deploy", ActorKind::ServiceAccount);
    let named = reads(&role, at(0, 9)).with(|mapped| {
        mapped.actor_aliases.clear();
        let name = "ana@example.com".into();
        mapped.labels.insert("role_session".into(), name);
    });
    let watch = Watch::over(vec![signs_in(&ana(), at(0, 0)), named]);
    assert_eq!(watch.joined_by(), [(JoinBy::Delegation, 80)]);
}
