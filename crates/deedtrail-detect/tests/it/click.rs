//! What follows a click (acceptance C12, C13).

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, OutcomeClass};
use deedtrail_core::finding::Severity;

use crate::builder::{Step, at, findings, identity, kinds, routine, run};

fn failures(who: &deedtrail_core::identity::Identity, count: i64, asn: i64) -> Vec<Step> {
    let failed = |n| {
        Step::new(
            who,
            at(20, 610 + 3 * n),
            Action::Authenticate,
            "user.session.start",
        )
        .from("203.0.113.7", asn)
        .ended(OutcomeClass::Failure)
    };
    (0..count).map(failed).collect()
}

#[test]
fn failures_from_elsewhere_after_a_click_are_harvesting() {
    let alice = identity("alice@example.com", ActorKind::Human);
    let mut steps = routine(&alice, 0..20);
    steps.push(
        Step::new(&alice, at(20, 600), Action::Click, "ClickAllowed").labelled("token_bearing"),
    );
    steps.extend(failures(&alice, 6, 64999));
    let findings = findings(run(steps));
    assert_eq!(findings.len(), 1);
    let draft = &findings[0].draft;
    assert_eq!(draft.kind, "credential_harvest");
    assert_eq!(draft.severity, Severity::Critical);
    assert_eq!(draft.events.len(), 7, "the click and six failures");
    insta::assert_json_snapshot!("harvest", (&draft.title, &draft.reasons));
}

#[test]
fn late_click_completes_the_pattern() {
    let alice = identity("alice@example.com", ActorKind::Human);
    let mut steps = routine(&alice, 0..20);
    steps.extend(failures(&alice, 4, 64999));
    steps.push(Step::new(
        &alice,
        at(20, 600),
        Action::Click,
        "ClickAllowed",
    ));
    assert_eq!(kinds(&run(steps)), ["credential_harvest"]);
}

#[test]
fn clicks_that_end_well_say_nothing() {
    let alice = identity("alice@example.com", ActorKind::Human);
    let click =
        Step::new(&alice, at(20, 600), Action::Click, "ClickAllowed").labelled("token_bearing");
    let mut normal = routine(&alice, 0..20);
    normal.push(click.clone());
    normal.push(Step::new(
        &alice,
        at(20, 605),
        Action::Authenticate,
        "user.session.start",
    ));
    assert_eq!(kinds(&run(normal)), [""; 0]);

    let mut forgot_password = routine(&alice, 0..20);
    forgot_password.push(click.clone());
    forgot_password.extend(
        failures(&alice, 6, 64500)
            .into_iter()
            .map(|s| s.from("192.0.2.10", 64500)),
    );
    assert_eq!(kinds(&run(forgot_password)), [""; 0], "same network");

    let mut two = routine(&alice, 0..20);
    two.push(click.clone());
    two.extend(failures(&alice, 2, 64999));
    assert_eq!(kinds(&run(two)), [""; 0], "below the limit");

    let scanner = identity("scanner", ActorKind::Scanner);
    let mut scan = vec![Step::new(
        &scanner,
        at(20, 600),
        Action::Click,
        "ClickAllowed",
    )];
    scan.extend(failures(&scanner, 6, 64999));
    assert_eq!(kinds(&run(scan)), [""; 0], "a scanner's click");
}

fn contractor_steps(asn: i64, ip: &str) -> Vec<Step> {
    let mut contractor = identity("carol@contractor.example", ActorKind::Human);
    contractor.declared.employment = Some("contractor".into());
    let mut steps = routine(&contractor, 0..20);
    steps.push(
        Step::new(&contractor, at(20, 600), Action::Click, "ClickAllowed")
            .labelled("token_bearing"),
    );
    steps.push(
        Step::new(&contractor, at(20, 607), Action::Read, "GET /portal")
            .on("payroll portal")
            .from(ip, asn)
            .ended(OutcomeClass::Denied),
    );
    steps
}

#[test]
fn token_link_then_refusal_from_a_new_network_is_a_proven_sequence() {
    let findings = findings(run(contractor_steps(64999, "198.51.100.9")));
    assert_eq!(findings.len(), 1);
    let draft = &findings[0].draft;
    assert_eq!(draft.kind, "token_link_use");
    assert!(
        draft.title.starts_with("Proven sequence"),
        "{}",
        draft.title
    );
    assert!(
        draft
            .reasons
            .iter()
            .any(|reason| reason.contains("contractor"))
    );
    assert_eq!(draft.events.len(), 2);
    insta::assert_json_snapshot!("token_link", (&draft.title, &draft.reasons));
}

#[test]
fn refusal_from_the_usual_network_is_no_sequence() {
    assert_eq!(kinds(&run(contractor_steps(64500, "192.0.2.10"))), [""; 0]);
}

#[test]
fn click_followed_by_an_inbox_rule_is_said() {
    let alice = identity("alice@example.com", ActorKind::Human);
    let mut steps = routine(&alice, 0..20);
    let click = Step::new(&alice, at(20, 600), Action::Click, "ClickAllowed");
    steps.push(click.with(|mapped| mapped.threat = Some("payroll lure".into())));
    steps.push(
        Step::new(&alice, at(20, 604), Action::ConfigChange, "New-InboxRule").on("inbox of alice"),
    );
    let findings = findings(run(steps));
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].draft.kind, "click_followed_by");
    assert!(
        findings[0].draft.title.contains("4 min"),
        "{}",
        findings[0].draft.title
    );
}
