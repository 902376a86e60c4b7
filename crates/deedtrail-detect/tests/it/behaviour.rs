//! What identities do against what they are for (B10, B11, B12, B17, U9).

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, Environment, EventKind, OutcomeClass};
use deedtrail_core::finding::Severity;
use deedtrail_core::identity::Identity;
use deedtrail_core::time::Timestamp;

use crate::builder::{Step, at, findings, identity, kinds, routine, run};

fn agent() -> Identity {
    let mut agent = identity("coding-agent", ActorKind::AiAgent);
    agent.declared.declared_tools = vec!["tickets".into(), "pr".into()];
    agent
}

fn call(tool: &str, minute: i64) -> Step {
    Step::new(&agent(), at(1, minute), Action::Execute, tool)
        .with(|mapped| mapped.kind = EventKind::ToolCall)
}

#[test]
fn agent_at_production_secrets_is_outside_its_scope() {
    let read = call("vault.read", 5).on("prod/payments-db").with(|mapped| {
        mapped.action = Action::SecretRead;
        mapped.target_environment = Environment::Production;
    });
    let findings = findings(run(vec![call("tickets", 0), call("pr", 1), read]));
    let scope = findings
        .iter()
        .find(|f| f.draft.kind == "scope_departure")
        .unwrap();
    assert_eq!(scope.draft.severity, Severity::Critical);
    insta::assert_json_snapshot!("scope", (&scope.draft.title, &scope.draft.reasons));
    assert_eq!(
        kinds(&run(vec![call("tickets", 0), call("pr", 1)])),
        [""; 0]
    );
}

#[test]
fn refused_and_half_told_reads_of_a_secret_are_no_reads() {
    let read = |minute| {
        call("vault.read", minute).on("prod/payments-db").with(|m| {
            m.action = Action::SecretRead;
            m.target_environment = Environment::Production;
        })
    };
    let refused = run(vec![read(5).ended(OutcomeClass::Denied)]);
    let scope = refused.iter().find(|d| d.kind == "scope_departure");
    let scope = scope.unwrap();
    assert_eq!(scope.severity, Severity::High);
    assert!(scope.title.contains("tried to read"), "{}", scope.title);
    let asked = read(5).ended(OutcomeClass::Unknown);
    let half_told = asked.with(|mapped| mapped.meaningful = false);
    assert_eq!(kinds(&run(vec![half_told.clone()])), [""; 0]);
    // The request does not make the secret known to what its answer is compared with.
    let both = run(vec![half_told, read(6)]);
    let reasons = &both.iter().find(|d| d.kind == "scope_departure");
    let reasons = reasons.unwrap().reasons.join("; ");
    assert!(reasons.contains("never asked for"), "{reasons}");
    let twice = run(vec![read(5), read(6)]);
    assert!(twice[1].reasons.join("; ").contains("asked for before"));
}

fn list_roles(who: &Identity, day: i64, count: i64) -> impl Iterator<Item = Step> {
    (0..count).map(move |n| Step::new(who, at(day, 600 + n), Action::Enumerate, "iam:ListRoles"))
}

#[test]
fn machine_that_enumerates_roles_gets_count_times_and_two_explanations() {
    let ci = identity("ci-deployer", ActorKind::AutomationRunner);
    let mut steps = routine(&ci, 0..20);
    steps.extend(list_roles(&ci, 20, 14));
    let findings = findings(run(steps));
    let found = findings
        .iter()
        .find(|f| f.draft.kind == "enumeration")
        .unwrap();
    assert!(
        found.draft.title.contains("14 times"),
        "{}",
        found.draft.title
    );
    let names = found
        .draft
        .hypotheses
        .iter()
        .map(|h| h.name.as_str())
        .collect::<Vec<_>>();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&"misuse") && names.contains(&"drift"));
    assert_eq!(found.draft.events.len(), 14);
}

#[test]
fn asking_who_one_is_lists_nobody() {
    let ci = identity("ci-deployer", ActorKind::AutomationRunner);
    let mut steps = routine(&ci, 0..20);
    steps.extend((0..12).map(|n| {
        Step::new(
            &ci,
            at(20, 600 + n),
            Action::Enumerate,
            "sts:GetCallerIdentity",
        )
    }));
    assert!(!kinds(&run(steps)).contains(&"enumeration"));
}

#[test]
fn inventory_scanner_is_quiet_after_its_first_day() {
    let scanner = identity("inventory", ActorKind::ServiceAccount);
    let drafts = run((0..30)
        .flat_map(|day| list_roles(&scanner, day, 20))
        .collect());
    assert!(drafts.iter().all(|draft| draft.at < at(1, 0)));
    let human = identity("alice@example.com", ActorKind::Human);
    assert_eq!(kinds(&run(list_roles(&human, 1, 14).collect())), [""; 0]);
}

fn integration(declared: bool) -> Identity {
    let mut who = identity("bi-reader", ActorKind::OauthApp);
    who.declared.read_only = declared;
    who
}

fn failed_then_write(who: &Identity, write: OutcomeClass) -> Vec<Step> {
    vec![
        Step::new(who, at(30, 0), Action::ConfigChange, "config.update")
            .on("warehouse")
            .ended(OutcomeClass::Failure),
        Step::new(who, at(30, 30), Action::Write, "rows.insert")
            .on("orders")
            .ended(write),
    ]
}

#[test]
fn write_attempts_of_a_read_only_identity_after_a_failed_change_are_a_control_gap() {
    for outcome in [OutcomeClass::Success, OutcomeClass::Denied] {
        let findings = findings(run(failed_then_write(&integration(true), outcome)));
        assert_eq!(findings.len(), 1, "{outcome:?}");
        assert_eq!(findings[0].draft.kind, "control_gap");
        assert_eq!(findings[0].draft.events.len(), 2);
    }
    let mut late = failed_then_write(&integration(true), OutcomeClass::Success);
    late.reverse();
    assert_eq!(
        kinds(&run(late)),
        ["control_gap"],
        "the failure arrived late"
    );
}

#[test]
fn any_refused_change_but_of_data_is_the_first_half_of_a_control_gap() {
    let who = integration(true);
    let after = |action| {
        let first = Step::new(&who, at(30, 0), action, "change").on("it");
        let write = Step::new(&who, at(30, 30), Action::Write, "rows.insert").on("orders");
        run(vec![first.ended(OutcomeClass::Denied), write])
    };
    for action in [Action::PrivilegeGrant, Action::Delete, Action::Share] {
        assert_eq!(kinds(&after(action)), ["control_gap"], "{action:?}");
    }
    assert_eq!(kinds(&after(Action::Read)), [""; 0]);
    assert_eq!(kinds(&after(Action::Write)), [""; 0]);
}

#[test]
fn history_of_reads_counts_as_read_only_and_a_writer_is_quiet() {
    let reader = integration(false);
    let mut steps = (0..60)
        .flat_map(|n| routine(&reader, n / 3..n / 3 + 1))
        .collect::<Vec<_>>();
    steps.extend(failed_then_write(&reader, OutcomeClass::Denied));
    assert!(kinds(&run(steps)).contains(&"control_gap"));
    assert_eq!(
        kinds(&run(failed_then_write(&reader, OutcomeClass::Denied))),
        [""; 0]
    );
}

fn touch(who: &Identity, day: i64, count: i64, apart_us: i64) -> impl Iterator<Item = Step> {
    (0..count).map(move |n| {
        let time = at(day, 60).plus_micros(n * apart_us);
        Step::new(who, time, Action::Read, "GetObject")
            .on(&format!("bucket/{n}"))
            .using("token-1", at(0, 0))
    })
}

#[test]
fn many_targets_within_seconds_are_a_burst() {
    let bot = identity("exporter", ActorKind::ServiceAccount);
    let fast = touch(&bot, 1, 300, 26_000).collect::<Vec<_>>();
    let found = findings(run(fast));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].draft.kind, "burst");
    assert!(
        found[0].draft.title.contains("300 distinct targets in 7 s"),
        "{}",
        found[0].draft.title
    );
    assert_eq!(kinds(&run(touch(&bot, 1, 299, 26_000).collect())), [""; 0]);
    assert_eq!(
        kinds(&run(touch(&bot, 1, 600, Timestamp::SECOND_US).collect())),
        [""; 0]
    );
    let nightly = run((0..20)
        .flat_map(|day| touch(&bot, day, 400, 26_000))
        .collect());
    assert!(
        nightly.iter().all(|draft| draft.at < at(1, 0)),
        "nightly batch is routine"
    );
}

fn sign_in(who: &Identity, day: i64) -> Step {
    Step::new(
        who,
        at(day, 480),
        Action::Authenticate,
        "user.session.start",
    )
}

#[test]
fn sign_ins_without_work_are_login_only() {
    let alice = identity("alice@example.com", ActorKind::Human);
    let findings = findings(run((0..80).map(|day| sign_in(&alice, day)).collect()));
    assert_eq!(findings.len(), 2, "said once in 30 days");
    assert_eq!(findings[0].draft.kind, "login_only");
    let mut works = Vec::new();
    for day in 0..80 {
        works.push(sign_in(&alice, day));
        if day % 20 == 0 {
            works.push(Step::new(&alice, at(day, 500), Action::Write, "edit").on("page"));
        }
    }
    assert_eq!(kinds(&run(works)), [""; 0]);
    let short = (0..29).map(|day| sign_in(&alice, day)).collect();
    assert_eq!(kinds(&run(short)), [""; 0]);
}

/// Twenty days, six reads each, between nine and eleven.
fn busy_routine(who: &Identity) -> Vec<Step> {
    let read = |n: i64| {
        Step::new(
            who,
            at(n / 6, 540 + 20 * (n % 6)),
            Action::Read,
            "GetObject",
        )
        .on("bucket/report")
        .with(|mapped| mapped.bytes_out = Some(1 << 20))
    };
    (0..120).map(read).collect()
}

#[test]
fn each_departure_has_its_own_detector() {
    let bot = identity("reporter", ActorKind::ServiceAccount);
    let read = |minute, bytes: i64| {
        Step::new(&bot, at(20, minute), Action::Read, "GetObject")
            .on("bucket/report")
            .with(|mapped| mapped.bytes_out = Some(bytes))
    };
    let after = |step: Step| {
        let mut steps = busy_routine(&bot);
        steps.push(step);
        run(steps)
    };
    assert_eq!(kinds(&after(read(180, 1 << 20))), ["off_hours"]);
    assert_eq!(kinds(&after(read(560, 5 << 30))), ["exfiltration"]);
    assert_eq!(kinds(&after(read(560, 5 << 20))), [""; 0]);
}
