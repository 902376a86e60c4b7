//! Events compared with charters.

use deedtrail_charter::library::Fixture;
use deedtrail_charter::{Compiled, Departure, State, Written, check, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::history::{at, history};
use crate::parse::EXAMPLE;

fn compiled(text: &str) -> Compiled {
    Compiled::of(&parse("x.yaml", text).unwrap(), 1).unwrap()
}

fn charter(rest: &str) -> Compiled {
    compiled(&format!(
        "charter: bot\nidentities: \"name:ci-*\"\npurpose: Builds.\nowner: owner@example.com\n{rest}"
    ))
}

fn run(charter: &Compiled, events: &[Fixture]) -> Vec<Departure> {
    let mut state = State::default();
    let mut departures = Vec::new();
    for event in events {
        assert!(charter.binds(&event.subject()));
        departures.extend(charter.observe(&event.subject(), &mut state, 0));
    }
    departures.extend(charter.end(&mut state));
    departures
}

fn told(charter: &Compiled, lines: &[Value]) -> Vec<String> {
    let departures = run(charter, &history(lines));
    departures
        .into_iter()
        .map(|d| format!("{}: {}", d.line, d.rule))
        .collect()
}

fn act(minute: i64, action: &str, operation: &str, target: &str) -> Value {
    at(
        minute,
        "ci-1",
        None,
        &json!({ "action": action, "operation": operation, "target_name": target }),
    )
}

#[test]
fn the_example_in_words() {
    let mut push = json!({ "action": "code_change", "operation": "git.push", "target_name": "acme/payments", "target_kind": "repo", "change_ticket": "CHG-1" });
    let mut lines = vec![at(600, "ci-1", None, &push)];
    push["change_ticket"] = Value::Null;
    push["src_asn"] = json!(64666);
    lines.push(at(605, "ci-1", None, &push));
    lines.push(at(
        606,
        "ci-1",
        None,
        &json!({ "action": "read", "operation": "s3:GetObject", "target_name": "other" }),
    ));
    lines.push(at(607, "ci-1", None, &json!({ "action": "privilege_grant", "operation": "iam:AttachRolePolicy", "target_name": "admin" })));
    lines.push(at(1_300, "ci-1", None, &json!({ "action": "read", "operation": "get", "target_name": "payments-x", "bytes_out": 3_u64 << 30, "audience_count": 4 })));
    insta::assert_json_snapshot!("departures", run(&compiled(EXAMPLE), &history(&lines)));
}

#[test]
fn what_is_forbidden_is_forbidden_whatever_is_allowed() {
    let bot = charter(
        "allow:\n  - action: secret_read\nnever:\n  - action: secret_read\n    environment: production\n",
    );
    let read = |environment: &str| {
        at(
            0,
            "ci-1",
            None,
            &json!({ "action": "secret_read", "operation": "read", "target_environment": environment }),
        )
    };
    assert_eq!(
        told(&bot, &[read("production")]),
        ["8: never: action secret_read; environment production"]
    );
    assert_eq!(told(&bot, &[read("staging"), read("unknown")]), [""; 0]);
}

#[test]
fn unknown_environments_are_not_held_against_what_is_allowed() {
    let bot = charter("allow:\n  - action: read\n    environment: staging\n");
    let read = |environment: &str| {
        at(
            0,
            "ci-1",
            None,
            &json!({ "action": "read", "operation": "get", "target_environment": environment }),
        )
    };
    assert_eq!(told(&bot, &[read("unknown"), read("staging")]), [""; 0]);
    assert_eq!(
        told(&bot, &[read("production")]),
        ["5: allow: no entry covers it"]
    );
}

#[test]
fn tools_beyond_those_listed_are_departures() {
    let bot = charter("tools: [tickets.*, pr]\nallow:\n  - action: read\n");
    let call = |tool: &str| {
        let event = json!({ "kind": "tool_call", "action": "write", "operation": tool });
        at(0, "ci-1", None, &event)
    };
    assert_eq!(told(&bot, &[call("tickets.create"), call("pr")]), [""; 0]);
    assert_eq!(
        told(&bot, &[call("vault.read")]),
        ["5: tools: tickets.*, pr"]
    );
}

#[test]
fn hours_over_midnight_belong_to_the_day_they_began_on() {
    // The history begins on Monday 2026-03-02 at 09:00 UTC.
    let bot = charter("when: { days: mon, hours: \"22:00-04:00\" }\n");
    let hour = |hour: i64| act((hour - 9) * 60, "read", "get", "x");
    assert_eq!(told(&bot, &[hour(23), hour(24 + 3)]), [""; 0]);
    assert_eq!(
        told(&bot, &[hour(10), hour(24 + 23), hour(24 + 5)]).len(),
        3
    );
}

fn steps(names: &[&str]) -> Vec<Value> {
    let step = |(minute, name): (i64, &&str)| {
        at(
            minute,
            "ci-1",
            Some("s"),
            &json!({ "action": "other", "operation": name }),
        )
    };
    (0..).zip(names).map(step).collect()
}

#[test]
fn steps_are_taken_in_order() {
    let bot = charter(
        "sequence:\n  steps: [checkout, build, test, ship, verify]\n  must_end_with: verify\n",
    );
    let check = |names: &[&str]| {
        let departures = run(&bot, &history(&steps(names)));
        departures
            .into_iter()
            .map(|d| d.observed)
            .collect::<Vec<_>>()
    };
    let whole = ["checkout", "build", "test", "ship", "verify"];
    assert_eq!(check(&whole), [""; 0]);
    assert_eq!(
        check(&[whole, whole].concat()),
        [""; 0],
        "again from the start"
    );
    let retried = [
        "checkout", "build", "test", "build", "lint", "test", "ship", "ship", "verify",
    ];
    assert_eq!(check(&retried), [""; 0], "gaps and going back are allowed");
    assert_eq!(
        check(&["checkout", "build", "ship", "verify"]),
        ["`ship` without `test` before it"]
    );
    assert_eq!(
        check(&["ship", "verify"]),
        ["`ship` without `checkout, build, test` before it"]
    );
    let unfinished = check(&whole[..4]);
    assert_eq!(
        unfinished,
        ["the last step was `ship`, and the run ended (idle after 60 min)"]
    );
    let again = [&whole[..4], &whole[..]].concat();
    assert_eq!(check(&again).len(), 1, "the first run did not end");
}

#[test]
fn strictly_nothing_comes_between() {
    let bot = charter("sequence:\n  steps: [checkout, build, ship]\n  strict: true\n");
    assert_eq!(
        told(&bot, &steps(&["checkout", "build", "build", "ship"])),
        [""; 0]
    );
    assert_eq!(
        told(&bot, &steps(&["checkout", "curl", "build", "ship"])).len(),
        1
    );
    assert_eq!(
        told(&bot, &steps(&["checkout", "build", "ship", "build"])).len(),
        1
    );
}

#[test]
fn late_events_are_no_steps_back_and_optional_ones_may_be_missing() {
    let bot = charter(
        "sequence:\n  steps: [checkout, {name: lint, operation: lint, optional: true}, build, ship]\n",
    );
    assert_eq!(told(&bot, &steps(&["checkout", "build", "ship"])), [""; 0]);
    let mut late = steps(&["checkout", "build", "ship"]);
    late.push(at(
        1,
        "ci-1",
        Some("s"),
        &json!({ "action": "other", "operation": "checkout" }),
    ));
    assert_eq!(told(&bot, &late), [""; 0]);
}

#[test]
fn a_check_counts_by_rule_and_says_what_is_covered() {
    let bot = charter("allow:\n  - action: read\n");
    let mut lines: Vec<Value> = (0..9)
        .map(|minute| act(minute, "read", "get", "x"))
        .collect();
    lines.push(act(10, "delete", "rm", "x"));
    lines.push(at(
        11,
        "somebody",
        None,
        &json!({ "action": "delete", "operation": "rm" }),
    ));
    let events = history(&lines);
    let report = check(
        &bot,
        events.iter().map(Fixture::subject).filter(|s| bot.binds(s)),
    );
    assert_eq!((report.events, report.covered), (10, 9));
    assert!((report.share().unwrap() - 0.9).abs() < 1e-9);
    assert_eq!(report.rules.len(), 1);
    assert_eq!(report.rules[0].count, 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn state_through_bytes_changes_nothing(all in proptest::collection::vec((0..400_i64, 0..6_usize, 0..3_u8), 1..60), cut in 0..60_usize) {
        let names = ["checkout", "build", "test", "deploy", "verify", "rm"];
        let lines: Vec<Value> = all.iter().map(|(minute, name, session)| {
            let event = json!({ "action": "read", "operation": names[*name], "target_name": names[*name], "bytes_out": 1_u64 << 29 });
            at(*minute, "ci-1", Some(&session.to_string()), &event)
        }).collect();
        let (charter, events) = (compiled(EXAMPLE), history(&lines));
        let mut state = State::default();
        let mut departures = Vec::new();
        for (place, event) in events.iter().enumerate() {
            if place == cut {
                let bytes = postcard::to_allocvec(&state).unwrap();
                state = postcard::from_bytes(&bytes).unwrap();
            }
            departures.extend(charter.observe(&event.subject(), &mut state, 0));
        }
        departures.extend(charter.end(&mut state));
        prop_assert_eq!(departures, run(&charter, &events));
    }
}

#[test]
fn a_group_binds_by_what_is_declared() {
    let text = "charter: agents\ngroup: { kind: ai_agent, department: pay* }\npurpose: All agents.\nowner: o@example.com\nnever: [{action: destroy}]\n";
    let written: Written = parse("x", text).unwrap();
    let charter = Compiled::of(&written, 1).unwrap();
    let mut event = history(&[act(0, "read", "get", "x")]).remove(0);
    assert!(!charter.binds(&event.subject()));
    event.identity.kind = deedtrail_core::event::ActorKind::AiAgent;
    event.identity.declared.department = Some("Payments".into());
    assert!(charter.binds(&event.subject()));
}
