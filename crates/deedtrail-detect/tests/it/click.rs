//! What follows a click (acceptance C12, C13).

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, OutcomeClass};
use deedtrail_core::finding::Severity;
use deedtrail_core::identity::Identity;

use crate::builder::{Step, at, findings, identity, kinds, routine, run};

fn failures(who: &Identity, count: i64, asn: i64) -> Vec<Step> {
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

fn alternating(who: &Identity) -> Vec<Step> {
    let place = |day: i64, step: Step| {
        if day % 2 == 0 {
            step
        } else {
            step.from("198.51.100.20", 64501)
        }
    };
    let steps = routine(who, 0..20).into_iter();
    (0..)
        .zip(steps)
        .map(|(day, step)| place(day, step))
        .collect()
}

#[test]
fn failures_from_a_network_of_ones_own_are_no_harvesting() {
    let bob = identity("bob@example.com", ActorKind::Human);
    let mut steps = alternating(&bob);
    steps.push(Step::new(&bob, at(20, 600), Action::Click, "ClickAllowed"));
    let mut harvested = steps.clone();
    harvested.extend(failures(&bob, 3, 64999));
    assert_eq!(kinds(&run(harvested)), ["credential_harvest"]);
    let own = failures(&bob, 3, 64501).into_iter();
    steps.extend(own.map(|step| step.from("198.51.100.20", 64501)));
    assert_eq!(kinds(&run(steps)), [""; 0], "office and VPN");
}

#[test]
fn records_of_one_attempt_count_once() {
    let alice = identity("alice@example.com", ActorKind::Human);
    let attempt = |minute: i64, transaction: Option<&str>| {
        ["user.session.start", "user.authentication.auth_via_mfa"].map(|operation| {
            Step::new(&alice, at(20, minute), Action::Authenticate, operation)
                .from("203.0.113.7", 64999)
                .ended(OutcomeClass::Failure)
                .with(|mapped| {
                    let id = transaction.map(|id| ("transaction".into(), id.into()));
                    mapped.labels.extend(id);
                })
        })
    };
    let run_of = |tries: Vec<Step>| {
        let mut steps = routine(&alice, 0..20);
        steps.push(Step::new(
            &alice,
            at(20, 600),
            Action::Click,
            "ClickAllowed",
        ));
        steps.extend(tries);
        kinds(&run(steps)).contains(&"credential_harvest")
    };
    let two = [605, 607].into_iter().flat_map(|m| attempt(m, None));
    assert!(!run_of(two.collect()), "four records, two attempts");
    let three = [605, 607, 609].into_iter().flat_map(|m| attempt(m, None));
    assert!(run_of(three.collect()));
    let fast = ["a", "b", "c"].into_iter();
    let fast = fast.flat_map(|id| attempt(605, Some(id)));
    assert!(run_of(fast.collect()), "three transactions within a minute");
}

#[test]
fn half_told_sign_ins_are_no_failures() {
    let alice = identity("alice@example.com", ActorKind::Human);
    let mut steps = routine(&alice, 0..20);
    steps.push(Step::new(
        &alice,
        at(20, 600),
        Action::Click,
        "ClickAllowed",
    ));
    let evaluated = failures(&alice, 6, 64999).into_iter();
    steps.extend(evaluated.map(|step| step.with(|mapped| mapped.meaningful = false)));
    assert_eq!(kinds(&run(steps)), [""; 0]);
}

fn blocked_sign_in(application: &str, click: Step, refused: OutcomeClass) -> Vec<Step> {
    let carol = identity("carol@contractor.example", ActorKind::Human);
    let mut steps = routine(&carol, 0..20);
    steps.push(click);
    steps.push(
        Step::new(
            &carol,
            at(20, 607),
            Action::Authenticate,
            "Sign-in activity",
        )
        .kind_of_target("application")
        .on(application)
        .with(|mapped| mapped.system = "entra".into())
        .from("198.51.100.9", 64999)
        .ended(refused),
    );
    steps
}

#[test]
fn refusal_at_an_applications_door_completes_a_token_link() {
    let carol = identity("carol@contractor.example", ActorKind::Human);
    let plain = Step::new(&carol, at(20, 600), Action::Click, "ClickAllowed");
    let token = plain.clone().labelled("token_bearing");
    let kinds_of = |steps| kinds(&run(steps)).concat();
    let denied = OutcomeClass::Denied;
    for application in ["Treasury Portal", "Workday"] {
        let steps = blocked_sign_in(application, token.clone(), denied);
        assert_eq!(kinds_of(steps), "token_link_use", "{application}");
    }
    let failed = blocked_sign_in("Workday", token.clone(), OutcomeClass::Failure);
    assert_eq!(kinds_of(failed), "", "a mistyped password");
    let provider = blocked_sign_in("Entra admin", token, denied);
    assert_eq!(kinds_of(provider), "", "the identity provider's own door");
    let harmless = blocked_sign_in("Workday", plain, denied);
    assert_eq!(kinds_of(harmless), "", "neither token nor sensitive");
}

/// The kinds of finding, whether the click arrives first or last.
fn in_both_orders(who: &Identity, click: Step, after: Step) -> [String; 2] {
    let said = |steps: [Step; 2]| {
        let mut all = routine(who, 0..20);
        all.extend(steps);
        let found = findings(run(all));
        let found = found
            .iter()
            .map(|f| format!("{} {:?}", f.draft.kind, f.draft.severity));
        found.collect::<Vec<_>>().join(", ")
    };
    [said([click.clone(), after.clone()]), said([after, click])]
}

#[test]
fn what_opens_or_keeps_access_after_a_click_is_said_in_either_order() {
    let alice = identity("alice@example.com", ActorKind::Human);
    let click = Step::new(&alice, at(20, 600), Action::Click, "ClickAllowed");
    let act = |action, operation| Step::new(&alice, at(20, 605), action, operation).on("it");
    let strange = |step: Step| step.from("203.0.113.7", 64999);
    let sign_in = || act(Action::Authenticate, "user.session.start");
    let medium = "click_followed_by Medium";
    assert_eq!(
        in_both_orders(&alice, click.clone(), strange(sign_in())),
        [medium; 2]
    );
    let high = "click_followed_by High";
    for action in [Action::PrivilegeGrant, Action::IdentityCreate] {
        let first_time = act(action, "grant");
        assert_eq!(
            in_both_orders(&alice, click.clone(), first_time),
            [high; 2],
            "{action:?}"
        );
    }
    assert_eq!(
        in_both_orders(&alice, click.clone(), sign_in()),
        [""; 2],
        "usual network"
    );
    let interrupted = strange(sign_in()).ended(OutcomeClass::Unknown);
    assert_eq!(in_both_orders(&alice, click.clone(), interrupted), [""; 2]);
    let away = strange(click);
    assert_eq!(
        in_both_orders(&alice, away, strange(sign_in())),
        [""; 2],
        "on the way"
    );
}
