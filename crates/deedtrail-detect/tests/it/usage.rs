//! Dormant, zombie and login-only (acceptance U9, U12, U18).

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, OutcomeClass};

use crate::builder::{Step, at, findings, identity, kinds, routine, run};

#[test]
fn use_after_silence_from_a_new_network_weighs_three_explanations() {
    let mut service = identity("reporting-bot", ActorKind::ServiceAccount);
    service.declared.owner = None;
    let mut steps = routine(&service, 0..30);
    steps.push(
        Step::new(&service, at(170, 130), Action::SecretRead, "GetSecretValue")
            .on("prod/db")
            .from("203.0.113.5", 64999),
    );
    let findings = findings(run(steps));
    let draft = &findings[0].draft;
    assert_eq!(draft.kind, "dormant_reactivation");
    assert!(
        draft.title.contains("140 days") || draft.title.contains("141 days"),
        "{}",
        draft.title
    );
    let names = draft
        .hypotheses
        .iter()
        .map(|h| h.name.as_str())
        .collect::<Vec<_>>();
    assert_eq!(names.len(), 3);
    assert_eq!(names[0], "compromise");
    let total: f64 = draft.hypotheses.iter().map(|h| h.score).sum();
    assert!((total - 1.0).abs() < 0.02, "{total}");
    insta::assert_json_snapshot!("dormant", draft.hypotheses);
}

#[test]
fn what_says_no_time_is_neither_long_ago_nor_shortly_before() {
    let service = identity("reporting-bot", ActorKind::ServiceAccount);
    let undated = |day: i64| {
        routine(&service, day..day + 1)
            .into_iter()
            .map(Step::undated)
    };
    // An old log is read: its records without a time come today.
    let mut steps = routine(&service, 0..30);
    steps.extend(undated(170));
    assert_eq!(kinds(&run(steps)), [""; 0]);
    // And they do not make a later use a return from a short silence either.
    let mut steps = routine(&service, 0..30);
    steps.extend(undated(169));
    steps.extend(routine(&service, 170..171));
    assert!(kinds(&run(steps)).contains(&"dormant_reactivation"));
}

#[test]
fn return_shows_the_last_use_before_it_and_what_was_done_next() {
    let service = identity("profile-sync", ActorKind::ServiceAccount);
    let mut steps = routine(&service, 0..30);
    let last_use = steps.len() - 1;
    let act = |minute: i64, action, target: &str| {
        Step::new(&service, at(170, minute), action, "act").on(target)
    };
    let returned = act(194, Action::IdentityChange, "ines");
    steps.push(returned.from("203.0.113.5", 64999));
    steps.extend([
        act(196, Action::PrivilegeGrant, "group/admins"),
        act(200, Action::Read, "report/1"),
        act(201, Action::Read, "report/2"),
        act(205, Action::PrivilegeGrant, "group/finance"),
    ]);
    steps.extend(routine(&service, 171..172));
    let findings = findings(run(steps));
    let dormant = findings
        .iter()
        .filter(|f| f.draft.kind == "dormant_reactivation");
    let dormant = dormant.collect::<Vec<_>>();
    assert_eq!(dormant.len(), 1);
    let draft = &dormant[0].draft;
    let listed = draft.events.iter().map(|event| event.log_seq);
    let at_once = last_use as u64;
    let expected = [0, 1, 2, 3, 5].map(|after| at_once + after);
    assert_eq!(
        listed.collect::<Vec<_>>(),
        expected,
        "two reads of reports are one act"
    );
    insta::assert_json_snapshot!("return", (&draft.title, &draft.reasons));
}

#[test]
fn session_call_does_not_wake_a_credential() {
    let who = identity("exporter", ActorKind::ServiceAccount);
    let with = |step: Step, key: &str| step.using(key, at(-10, 0));
    let read = |day, minute| Step::new(&who, at(day, minute), Action::Read, "GetObject").on("b");
    let mut steps = vec![with(read(0, 0), "idle"), with(read(1, 0), "idle")];
    steps.extend((2..142).map(|day| with(read(day, 0), "busy")));
    let session = Step::new(&who, at(142, 0), Action::SessionChange, "GetSessionToken");
    steps.push(with(session, "idle"));
    assert_eq!(kinds(&run(steps.clone())), [""; 0], "no work yet");
    steps.push(with(read(142, 1), "idle"));
    let drafts = run(steps);
    assert_eq!(kinds(&drafts), ["dormant_reactivation"]);
    assert!(drafts[0].title.contains("141 days"), "{}", drafts[0].title);
}

#[test]
fn known_owner_network_and_work_point_to_automation() {
    let service = identity("quarter-close", ActorKind::ServiceAccount);
    let mut steps = routine(&service, 0..5);
    steps.extend(routine(&service, 120..121));
    let findings = findings(run(steps));
    assert_eq!(
        findings[0].draft.hypotheses[0].name,
        "reactivated_automation"
    );
}

#[test]
fn quarterly_job_is_not_dormant() {
    let service = identity("quarter-close", ActorKind::ServiceAccount);
    let steps = (0..8).flat_map(|quarter| routine(&service, quarter * 92..quarter * 92 + 1));
    let drafts = run(steps.collect());
    // Until the third gap nothing tells a quarterly job from a forgotten one.
    let late = at(4 * 92, 0);
    assert!(
        drafts.iter().all(|draft| draft.at < late),
        "{:?}",
        kinds(&drafts)
    );
}

#[test]
fn short_silence_says_nothing() {
    let service = identity("reporting-bot", ActorKind::ServiceAccount);
    let mut steps = routine(&service, 0..30);
    steps.extend(routine(&service, 100..101));
    assert_eq!(kinds(&run(steps)), [""; 0]);
}

#[test]
fn token_that_outlives_its_workload_is_a_zombie() {
    let mut service = identity("old-exporter", ActorKind::Workload);
    service.declared.workload = Some("deployment/exporter".into());
    let mut steps = routine(&service, 0..10);
    service.declared.workload_gone_since = Some(at(10, 0));
    let login = |day| {
        Step::new(
            &service,
            at(day, 60),
            Action::Authenticate,
            "auth/kubernetes/login",
        )
        .using("token-1", at(0, 0))
        .with(|mapped| mapped.meaningful = false)
    };
    let mut gone = steps.clone();
    gone.push(login(30));
    assert_eq!(kinds(&run(gone)), [""; 0], "gone for 20 days only");
    let mut refused = steps.clone();
    refused.push(login(50).ended(OutcomeClass::Denied));
    assert_eq!(kinds(&run(refused)), [""; 0], "it opens nothing any more");
    steps.extend((30..75).map(login));
    let findings = findings(run(steps));
    let zombies = findings
        .iter()
        .filter(|f| f.draft.kind == "zombie_credential")
        .count();
    assert_eq!(zombies, 5, "once a week");
    insta::assert_json_snapshot!(
        "zombie",
        (&findings[0].draft.title, &findings[0].draft.reasons)
    );
}
