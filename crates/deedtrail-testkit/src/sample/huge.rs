//! More of everything than a page shows.

use deedtrail_core::action::ACTIONS;
use deedtrail_core::entitlement::Grant;
use deedtrail_core::event::{ActorKind, OutcomeClass};
use deedtrail_core::finding::Severity;
use deedtrail_core::identity::Declared;
use deedtrail_core::session::JoinBy;
use deedtrail_core::time::Timestamp;

use super::builder::{Builder, Deed, Person, Target, draft};
use super::{NOW, Sample, session};

const IDENTITIES: i64 = 250;
const FINDINGS: usize = 150;
const EVENTS: i64 = 600;
const QUARANTINED: usize = 250;
const ENTITLEMENTS: usize = 300;

pub(super) fn tell() -> Sample {
    let mut builder = Builder::new();
    let people: Vec<Person> = (0..IDENTITIES).map(person).collect();
    for person in &people {
        builder.person(person, Declared::default());
    }
    let busy = &people[0];
    for number in 0..300 {
        builder.alias(
            busy,
            "k8s.serviceaccount",
            &format!("job-{number}"),
            "same workload",
        );
        builder.credential(busy, &format!("AKIAEXAMPLE{number:08}"), number);
    }
    let grants = (0..ENTITLEMENTS).map(|number| (busy, grant(number)));
    builder.entitle("list", grants.collect());
    let mut events = Vec::new();
    for number in 0..EVENTS {
        events.push(deed(&mut builder, &people, number));
    }
    for (number, person) in people.iter().take(FINDINGS).enumerate() {
        let severity = Severity::ALL[number % 5];
        let title = format!("Finding number {number} of very many");
        let events = events.clone();
        builder.finding(draft("burst", person, severity, &title, events));
    }
    for _ in 0..QUARANTINED {
        builder.quarantined(
            "okta.system",
            "not_json",
            "not JSON at byte 0: expected value",
        );
    }
    if let Some(health) = builder.health("github.audit", NOW) {
        health.watched.numbered = true;
        health.watched.skipped_forgotten = 1_234_567;
    }
    sessions(&mut builder, &people);
    builder.finish()
}

/// Sessions of one identity, each joined to the next; and a blind session of each identity.
fn sessions(builder: &mut Builder, people: &[Person]) {
    for (number, person) in (0..).zip(people) {
        let name = format!("session {number}");
        let at = NOW.plus_micros(-number * Timestamp::HOUR_US);
        let busy = &people[0];
        let large = session::session(&name, busy, &format!("system-{number}"), at, "very much");
        let next = format!("session {}", number + 1);
        let join = session::join(&next, &name, JoinBy::Trace, "one trace", at);
        let blind = session::blind(person, "Salesforce", at);
        builder.progress.sessions.push(large);
        builder.progress.session_joins.push(join);
        builder.progress.blind_sessions.push(blind);
    }
}

fn grant(number: usize) -> Grant {
    Grant {
        key: format!("{number:04}").into(),
        system: "aws".into(),
        permissions: (0..50)
            .map(|part| format!("s3:Get{number}x{part}").into())
            .collect(),
        scope: vec!["arn:aws:s3:::a".into(); 50],
        via: Some("policy ".repeat(100).into()),
        ..Grant::default()
    }
}

fn person(number: i64) -> Person {
    Person {
        namespace: "email",
        value: format!("person-{number:04}@example.com").into(),
        kind: ActorKind::ALL[usize::try_from(number).unwrap_or(0) % ActorKind::ALL.len()],
        name: format!("person-{number:04}@example.com").into(),
    }
}

fn deed(
    builder: &mut Builder,
    people: &[Person],
    number: i64,
) -> deedtrail_core::finding::FindingEvent {
    let place = usize::try_from(number).unwrap_or(0);
    builder.deed(&Deed {
        at: NOW.plus_micros(-number * 11 * Timestamp::MINUTE_US),
        source: ["okta.system", "aws.cloudtrail", "github.audit"][place % 3],
        actor: &people[0],
        operation: "DoSomething",
        action: ACTIONS[place % ACTIONS.len()].action,
        target: Some(Target::Person(&people[place % people.len()])),
        outcome: OutcomeClass::Success,
        from: Some(("198.51.100.1", 64_500)),
    })
}
