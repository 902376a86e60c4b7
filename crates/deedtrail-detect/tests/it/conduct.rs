//! Charters and unsafe sequences in the detector (B2, B10, B11, B20, B21).

use std::sync::Arc;

use deedtrail_charter::Library;
use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, EventKind, PolicyDecision};
use deedtrail_core::finding::{FindingDraft, Severity};
use deedtrail_core::id::TenantId;
use deedtrail_core::identity::Identity;
use deedtrail_detect::{Detector, Settings};

use crate::builder::{Step, at, identity, kinds, logged, observe, rules, run};

const CHARTER: &str = "\
charter: deployer
identities: \"email:deployer@*\"
purpose: Deploys payments.
owner: platform@example.com
allow:
  - action: [read, deploy]
never:
  - action: secret_read
sequence:
  steps: [build, test, ship]
  must_end_with: ship
";

const AGENT: &str = "\
charter: coding-agent
identities: \"email:agent@*\"
purpose: Works on tickets and pull requests.
owner: dev@example.com
tools: [tickets, pr]
";

fn deployer() -> Identity {
    identity("deployer@example.com", ActorKind::ServiceAccount)
}

fn watched(charters: &[&str]) -> Detector {
    let mut detector = Detector::new(rules(&[]), Settings::default());
    for charter in charters {
        detector
            .approve_charter(&TenantId::default(), charter, 3)
            .unwrap();
    }
    detector
}

fn seen(detector: &mut Detector, steps: Vec<Step>) -> Vec<FindingDraft> {
    let steps = logged(steps);
    let drafts = steps.iter().flat_map(|step| observe(detector, step));
    drafts.collect()
}

#[test]
fn a_departure_names_the_rule_and_goes_to_the_owner() {
    let mut detector = watched(&[CHARTER]);
    let steps = vec![
        Step::new(&deployer(), at(0, 0), Action::Read, "GetObject").on("x"),
        Step::new(&deployer(), at(0, 1), Action::Delete, "DeleteObject").on("x"),
        Step::new(&deployer(), at(0, 2), Action::SecretRead, "GetSecretValue").on("prod/db"),
    ];
    let drafts = seen(&mut detector, steps);
    let departures: Vec<_> = drafts
        .iter()
        .filter(|draft| draft.kind == "scope_departure")
        .collect();
    assert_eq!(departures.len(), 2);
    assert!(
        departures
            .iter()
            .all(|draft| draft.rule == "charter/deployer")
    );
    assert_eq!(departures[1].severity, Severity::Critical);
    let said = departures
        .iter()
        .map(|draft| (&draft.title, &draft.reasons));
    insta::assert_json_snapshot!("charter", said.collect::<Vec<_>>());
}

#[test]
fn others_are_not_bound_and_a_retired_charter_binds_nobody() {
    let other = identity("other@example.com", ActorKind::ServiceAccount);
    let delete =
        |who: &Identity| vec![Step::new(who, at(0, 1), Action::Delete, "DeleteObject").on("x")];
    let mut detector = watched(&[CHARTER]);
    assert_eq!(seen(&mut detector, delete(&other)), []);
    assert!(!detector.retire_charter(&TenantId::default(), "unknown"));
    assert!(detector.retire_charter(&TenantId::default(), "deployer"));
    assert_eq!(seen(&mut detector, delete(&deployer())), []);
    let elsewhere = TenantId::new("elsewhere").unwrap();
    detector.approve_charter(&elsewhere, CHARTER, 1).unwrap();
    assert_eq!(
        seen(&mut detector, delete(&deployer())),
        [],
        "another tenant"
    );
}

#[test]
fn a_run_without_its_last_step_is_told_at_a_tick() {
    let mut detector = watched(&[CHARTER]);
    let step = |minute, name: &str| {
        Step::new(&deployer(), at(0, minute), Action::Read, name)
            .on("x")
            .in_session("run")
    };
    let drafts = seen(&mut detector, vec![step(0, "build"), step(5, "test")]);
    assert_eq!(drafts, []);
    assert_eq!(detector.advance(at(0, 60)), [], "not idle for long enough");
    let drafts = detector.advance(at(0, 70));
    assert_eq!(kinds(&drafts), ["sequence_departure"]);
    insta::assert_json_snapshot!("run", (&drafts[0].title, &drafts[0].reasons));
    assert_eq!(detector.advance(at(0, 200)), [], "told once");
}

#[test]
fn an_agents_tools_are_those_of_its_charter() {
    let mut agent = identity("agent@example.com", ActorKind::AiAgent);
    agent.declared.declared_tools = vec!["tickets".into()];
    let call = |tool: &str| {
        Step::new(&agent, at(0, 1), Action::Execute, tool)
            .with(|mapped| mapped.kind = EventKind::ToolCall)
    };
    let mut detector = watched(&[AGENT]);
    assert_eq!(seen(&mut detector, vec![call("pr")]), []);
    let drafts = seen(&mut detector, vec![call("vault.read")]);
    assert_eq!(drafts.len(), 1, "said once, by the charter");
    assert!(
        drafts[0]
            .reasons
            .iter()
            .any(|reason| reason.contains("dev@example.com"))
    );
}

#[test]
fn allowed_steps_are_unsafe_together() {
    let who = deployer();
    let allowed = |step: Step| {
        step.with(|mapped| {
            mapped.policy_decision = Some(PolicyDecision {
                allowed: true,
                policy_id: Some("ci".into()),
            });
        })
    };
    let steps = vec![
        allowed(Step::new(&who, at(0, 0), Action::SecretRead, "GetSecretValue").on("prod/db")),
        allowed(Step::new(&who, at(0, 1), Action::Execute, "run").on("host"))
            .with(|mapped| mapped.command = Some("base64 secret.txt".into())),
        allowed(Step::new(&who, at(0, 2), Action::Export, "upload").on("paste.example.net")),
    ];
    let drafts = run(steps.clone());
    let unsafe_drafts: Vec<_> = drafts
        .iter()
        .filter(|draft| draft.rule == "sequence/secret-encoded-sent")
        .collect();
    assert_eq!(unsafe_drafts.len(), 1);
    assert_eq!(unsafe_drafts[0].kind, "allowed_but_unsafe");
    assert_eq!(unsafe_drafts[0].allowed.len(), 3);
    assert_eq!(unsafe_drafts[0].refused, [""; 0]);
    insta::assert_json_snapshot!(
        "unsafe",
        (&unsafe_drafts[0].title, &unsafe_drafts[0].reasons)
    );
    let apart: Vec<Step> = steps.into_iter().take(2).collect();
    assert!(
        run(apart)
            .iter()
            .all(|draft| draft.kind != "allowed_but_unsafe")
    );
}

#[test]
fn an_operators_sequences_join_ours() {
    let own = "id: own\ntitle: own\nmeaning: m\nwithin: 1h\nsteps:\n  - { name: a, is: { operation: one } }\n  - { name: b, is: { operation: two } }\n";
    let (library, problems) = Library::with([("own.yaml", own)]);
    assert_eq!(problems, []);
    let mut detector = watched(&[]);
    detector.replace_library(Arc::new(library));
    let step = |minute, name: &str| Step::new(&deployer(), at(0, minute), Action::Read, name);
    let drafts = seen(&mut detector, vec![step(0, "one"), step(1, "two")]);
    assert_eq!(drafts[0].rule, "sequence/own");
}

#[test]
fn a_charter_that_is_none_is_refused_and_changes_nothing() {
    let mut detector = watched(&[CHARTER]);
    let problem = detector
        .approve_charter(&TenantId::default(), "charter: x", 1)
        .unwrap_err();
    assert!(problem.to_string().contains("missing field"), "{problem}");
    assert_eq!(detector.charters(&TenantId::default()).len(), 1);
    let bytes = detector.snapshot();
    let restored = Detector::restore(rules(&[]), Settings::default(), &bytes).unwrap();
    assert_eq!(restored.charters(&TenantId::default())[0].version(), 3);
}
