//! What joins sessions.

use std::collections::BTreeMap;

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, Alias};
use deedtrail_core::identity::Identity;
use deedtrail_core::session::JoinBy;
use proptest::prelude::*;

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

/// An event of somebody at a minute of the day, from one of two networks or none. No two systems
/// have the same minutes: of sessions that begin at once either may be the first.
fn any_of(system: &'static str) -> impl Strategy<Value = Step> {
    let network = proptest::option::of(0..2_u8);
    (0..2_usize, 0..750_i64, network).prop_map(move |(who, pair, network)| {
        let minute = 2 * pair + i64::from(system == "github");
        let who = [ana(), robot()][who].clone();
        Step::new(&who, at(0, minute), Action::Read, "GetObject")
            .on("bucket/report")
            .with(|mapped| {
                mapped.system = system.into();
                mapped.user_agent = Some(system.into());
                mapped.src_asn = None;
                mapped.src_ip = network.map(|network| format!("192.0.{network}.7").into());
            })
    })
}

/// What one source tells in a day, in order.
fn day_of(system: &'static str) -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(any_of(system), 1..14).prop_map(|mut steps| {
        steps.sort_by_key(|step| step.event.time_effective);
        steps
    })
}

/// Joins by their ends, each with the most that is known of it. Sessions are named by when they
/// began: their ids depend on places in the log.
fn joins_over(steps: Vec<Step>) -> BTreeMap<(String, String), u8> {
    let watch = Watch::over(steps);
    let name = |uid| {
        let mut all = watch.sessions.values();
        let session = all.find(|session| session.uid == uid).unwrap();
        let system = session.systems.join(" ");
        format!("{} {system} {}", session.actor, session.started)
    };
    let mut joins = BTreeMap::new();
    for join in &watch.joins {
        let sure = joins.entry((name(join.from), name(join.to))).or_insert(0);
        *sure = join.confidence.max(*sure);
    }
    joins
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn sessions_are_joined_whichever_source_arrives_first(
        aws in day_of("aws"),
        github in day_of("github"),
    ) {
        let forth: Vec<Step> = aws.iter().chain(&github).cloned().collect();
        let back: Vec<Step> = github.iter().chain(&aws).cloned().collect();
        let mut mixed = forth.clone();
        mixed.sort_by_key(|step| step.event.time_effective);
        let joins = joins_over(forth);
        prop_assert_eq!(&joins, &joins_over(back));
        prop_assert_eq!(&joins, &joins_over(mixed));
    }
}

#[test]
fn a_day_of_one_source_after_a_day_of_another_is_joined() {
    // Twelve sessions of each, an hour and a half apart, the others' ten minutes later.
    let day = |system: &'static str, late: i64| {
        (0..12).map(move |number| {
            reads(&robot(), at(0, number * 90 + late)).with(|mapped| {
                mapped.system = system.into();
                mapped.user_agent = Some(system.into());
            })
        })
    };
    let joins = joins_over(day("agent", 0).chain(day("vault", 10)).collect());
    assert_eq!(joins.len(), 12, "each with the one of its time: {joins:?}");
    assert!(joins.values().all(|sure| *sure == 75));
}

#[test]
fn a_session_that_goes_on_is_joined_to_what_comes_near_it_later() {
    let long = |minute| reads(&ana(), at(0, minute)).named_session("session-1");
    let watch = Watch::over(vec![
        pushes(&ana(), at(0, 400)).with(|mapped| mapped.user_agent = Some("git/2.45".into())),
        long(0),
        long(200),
        long(380),
    ]);
    assert_eq!(watch.joined_by(), [(JoinBy::IdentityNetwork, 75)]);
    let apart = Watch::over(vec![
        pushes(&ana(), at(0, 400)).with(|mapped| mapped.user_agent = Some("git/2.45".into())),
        long(0),
        long(800),
    ]);
    assert_eq!(apart.joins, [], "between two visits, hours from both");
}
