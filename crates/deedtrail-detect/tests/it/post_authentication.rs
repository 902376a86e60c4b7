//! After the sign-in: secrets, patterns, manifests, escalation, sessions (P5, P9, P11, P12, P16, P19).

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, Change, EventKind, Plane};
use deedtrail_core::finding::Severity;
use deedtrail_core::identity::Identity;

use crate::builder::{Step, at, findings, identity, kinds, routine, run};

fn read_secret(who: &Identity, day: i64, minute: i64) -> Step {
    Step::new(who, at(day, minute), Action::SecretRead, "read").on("secret/data/payments")
}

fn rotate(who: &Identity, day: i64, minute: i64, ticket: Option<&str>) -> Step {
    let step =
        Step::new(who, at(day, minute), Action::CredentialRotate, "rotate").on("payments-db");
    step.with(|mapped| mapped.change_ticket = ticket.map(Into::into))
}

#[test]
fn secret_read_and_rotation_under_a_ticket_are_legitimate() {
    let key = identity("rotator", ActorKind::ServiceAccount);
    let steps = vec![read_secret(&key, 1, 0), rotate(&key, 1, 5, Some("CHG-1"))];
    assert_eq!(kinds(&run(steps)), [""; 0]);
}

#[test]
fn a_tool_with_the_name_of_a_secret_read_is_no_read_of_a_store() {
    let agent = identity("billing-agent", ActorKind::AiAgent);
    let read = |store: bool| {
        let step = read_secret(&agent, 20, 0);
        let mut steps = routine(&agent, 0..20);
        steps.push(step.with(|mapped| {
            mapped.operation = "vault_read".into();
            if !store {
                mapped.kind = EventKind::ToolCall;
                mapped.plane = Plane::Agent;
            }
        }));
        steps.extend(routine(&agent, 21..22));
        kinds(&run(steps)).contains(&"unpaired_secret_read")
    };
    assert!(read(true));
    assert!(!read(false));
}

#[test]
fn secret_read_and_rotation_without_a_ticket_are_one_finding_with_both() {
    let key = identity("rotator", ActorKind::ServiceAccount);
    let findings = findings(run(vec![read_secret(&key, 1, 0), rotate(&key, 1, 5, None)]));
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].draft.kind, "unpaired_secret_read");
    assert_eq!(findings[0].draft.events.len(), 2);
    insta::assert_json_snapshot!(
        "secret",
        (&findings[0].draft.title, &findings[0].draft.reasons)
    );
}

#[test]
fn first_read_without_rotation_is_said_when_its_time_is_over() {
    let key = identity("fetcher", ActorKind::ServiceAccount);
    let mut steps = routine(&key, 0..20);
    steps.push(read_secret(&key, 20, 0));
    assert!(kinds(&run(steps)).contains(&"unpaired_secret_read"));

    let mut habit = routine(&key, 0..2);
    habit.extend((0..60).map(|day| read_secret(&key, day, 30)));
    let drafts = run(habit);
    let later = drafts.iter().filter(|draft| draft.at > at(1, 0)).count();
    assert_eq!(later, 0, "a daily read of the same secret is routine");
}

#[test]
fn settled_machine_that_reaches_for_something_new_is_said_once_a_day() {
    let bot = identity("payments-sync", ActorKind::Workload);
    let mut steps = routine(&bot, 0..20);
    let new = |minute| {
        Step::new(&bot, at(20, minute), Action::Read, "Query")
            .kind_of_target("table")
            .on(&format!("customers_{minute}/pii"))
    };
    steps.extend([new(600), new(601), new(602)]);
    let findings = findings(run(steps));
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].draft.kind, "new_resource_class");
    insta::assert_json_snapshot!(
        "pattern",
        (&findings[0].draft.title, &findings[0].draft.reasons)
    );

    let mut young = routine(&bot, 0..5);
    young.push(new(600));
    assert_eq!(kinds(&run(young)), [""; 0], "five days are no pattern");
    let human = identity("alice@example.com", ActorKind::Human);
    let mut person = routine(&human, 0..20);
    person.push(Step::new(&human, at(20, 0), Action::Read, "Query").on("customers/pii"));
    assert_eq!(kinds(&run(person)), [""; 0], "people look at new things");
}

fn push(who: &Identity, day: i64, path: &str) -> Step {
    let change = Change {
        path: path.into(),
        before: Some("aa11".into()),
        after: Some("bb22".into()),
    };
    Step::new(who, at(day, 60), Action::CodeChange, "git.push")
        .on("acme/payments")
        .with(|mapped| mapped.changes = vec![change])
}

#[test]
fn first_manifest_change_by_a_machine_lists_files_hashes_and_environment() {
    let bot = identity("build-bot", ActorKind::ServiceAccount);
    let steps = (0..20).map(|day| push(&bot, day, "src/main.rs"));
    let mut steps = steps.collect::<Vec<_>>();
    assert_eq!(kinds(&run(steps.clone())), [""; 0]);
    steps.push(push(&bot, 20, "deploy/prod/app.yaml"));
    steps.push(push(&bot, 21, "deploy/prod/app.yaml"));
    let findings = findings(run(steps));
    assert_eq!(findings.len(), 1, "only the first time");
    let draft = &findings[0].draft;
    assert_eq!(
        (draft.kind.as_str(), draft.severity),
        ("deployment_manifest_change", Severity::High)
    );
    insta::assert_json_snapshot!("manifest", (&draft.title, &draft.reasons));
    let human = identity("alice@example.com", ActorKind::Human);
    assert_eq!(
        kinds(&run(vec![push(&human, 1, "deploy/prod/app.yaml")])),
        [""; 0]
    );
}

#[test]
fn manifests_are_known_by_name_and_by_folder() {
    let bot = identity("build-bot", ActorKind::ServiceAccount);
    let said = |path: &str| !run(vec![push(&bot, 1, path)]).is_empty();
    for path in [
        "Dockerfile",
        "infra/prod/app.yaml",
        "overlays/prod/kustomization.yaml",
        ".github/workflows/deploy.yml",
        "docker-compose.prod.yml",
        "prod/main.tf",
        "values-prod.yaml",
        "charts/web/Chart.yaml",
        "environments/production/deployment.yaml",
    ] {
        assert!(said(path), "{path}");
    }
    for path in [
        "src/environments/environment.ts",
        "docs/production.md",
        "src/valuestore.yaml",
        ".github/CODEOWNERS",
        "config/app.yaml",
    ] {
        assert!(!said(path), "{path}");
    }
}

fn escalation(who: &Identity, day: i64) -> Vec<Step> {
    vec![
        Step::new(who, at(day, 0), Action::Authenticate, "ConsoleLogin"),
        Step::new(
            who,
            at(day, 10),
            Action::CredentialCreate,
            "CreateAccessKey",
        )
        .on("backdoor"),
        Step::new(who, at(day, 20), Action::PrivilegeGrant, "AttachUserPolicy").on("backdoor"),
    ]
}

#[test]
fn new_credential_and_grant_after_a_sign_in_are_an_escalation() {
    let alice = identity("alice@example.com", ActorKind::Human);
    let mut steps = routine(&alice, 0..10);
    steps.extend(escalation(&alice, 10));
    let found = findings(run(steps));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].draft.kind, "escalation_after_login");
    assert_eq!(found[0].draft.events.len(), 3);

    let admin = identity("admin@example.com", ActorKind::Human);
    let drafts = run((0..30).flat_map(|day| escalation(&admin, day)).collect());
    assert!(
        drafts.iter().all(|draft| draft.at < at(3, 0)),
        "routine after three days"
    );

    let mut slow = escalation(&alice, 10);
    slow[2] = Step::new(
        &alice,
        at(10, 90),
        Action::PrivilegeGrant,
        "AttachUserPolicy",
    );
    assert_eq!(kinds(&run(slow)), [""; 0], "outside the window");
}

#[test]
fn credential_used_after_its_rotation_is_said() {
    let bot = identity("exporter", ActorKind::ServiceAccount);
    let admin = identity("admin@example.com", ActorKind::Human);
    let used =
        |day| Step::new(&bot, at(day, 0), Action::Read, "GetObject").using("AKIAOLD", at(-1, 0));
    let mut steps = vec![used(0), used(1)];
    steps.push(Step::new(&admin, at(1, 60), Action::CredentialRotate, "RotateKey").on("AKIAOLD"));
    assert_eq!(kinds(&run(steps.clone())), [""; 0]);
    steps.push(used(2));
    let findings = findings(run(steps));
    assert_eq!(findings[0].draft.kind, "old_key_used");
    assert_eq!(findings[0].draft.severity, Severity::High);
    assert_eq!(
        findings[0].draft.events.len(),
        2,
        "the rotation and the use"
    );
}

#[test]
fn old_credential_is_said_once_a_month() {
    let bot = identity("exporter", ActorKind::ServiceAccount);
    let used = |day, created| {
        Step::new(&bot, at(day, 0), Action::Read, "GetObject")
            .on("bucket/x")
            .using("AKIA1", created)
    };
    let findings = findings(run((0..60).map(|day| used(day, at(-200, 0))).collect()));
    assert_eq!(findings.len(), 2);
    assert_eq!(
        kinds(&run((0..60).map(|day| used(day, at(-10, 0))).collect())),
        [""; 0]
    );
}

#[test]
fn session_in_two_places_is_said_and_a_roaming_one_is_not() {
    let alice = identity("alice@example.com", ActorKind::Human);
    let act = |minute, asn, agent: &str| {
        Step::new(&alice, at(1, minute), Action::Read, "view")
            .from("192.0.2.10", asn)
            .in_session("s1")
            .with(|mapped| mapped.user_agent = Some(agent.into()))
    };
    let found = findings(run(vec![act(0, 64500, "Firefox"), act(9, 64999, "curl/8")]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].draft.kind, "session_change");
    assert_eq!(
        kinds(&run(vec![
            act(0, 64500, "Firefox"),
            act(9, 64999, "Firefox")
        ])),
        [""; 0]
    );
    assert_eq!(
        kinds(&run(vec![
            act(0, 64500, "Firefox"),
            act(90, 64999, "curl/8")
        ])),
        [""; 0]
    );
}
