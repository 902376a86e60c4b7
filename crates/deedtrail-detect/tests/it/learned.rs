//! Learned behaviour as findings: a departure, what an analyst says of it, a drift.

use deedtrail_core::action::Action;
use deedtrail_core::event::ActorKind;
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::identity::Identity;
use deedtrail_core::session::{SessionDeparture, ToldBy};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::behaviour::Disposition;
use deedtrail_detect::{Detector, Settings};

use crate::builder::{Step, at, identity, logged, observe, rules};

const JOB: [(Action, &str); 5] = [
    (Action::Read, "checkout"),
    (Action::Execute, "build"),
    (Action::Execute, "test"),
    (Action::Deploy, "deploy"),
    (Action::Read, "verify"),
];

/// One run of the job, one step a minute.
fn run_of(who: &Identity, day: i64, steps: &[(Action, &str)]) -> Vec<Step> {
    let minute = |place: usize| 540 + i64::try_from(place).unwrap();
    let steps = steps.iter().enumerate();
    let steps = steps.map(|(place, (action, operation))| {
        Step::new(who, at(day, minute(place)), *action, operation)
            .on("acme/payments")
            .in_session(&format!("{} {day}", who.name))
    });
    steps.collect()
}

fn deployers() -> Vec<Identity> {
    let names = ["deployer-a", "deployer-b", "deployer-c"];
    let named = names.map(|name| identity(name, ActorKind::ServiceAccount));
    named.to_vec()
}

/// Runs days one after the other, with a tick after each.
fn days(detector: &mut Detector, log: Vec<Vec<Step>>) -> Vec<FindingDraft> {
    let lengths: Vec<usize> = log.iter().map(Vec::len).collect();
    let mut all = logged(log.into_iter().flatten().collect()).into_iter();
    let mut drafts = Vec::new();
    let mut last = at(0, 0);
    for length in lengths {
        for step in all.by_ref().take(length) {
            last = last.max(step.event.time_effective);
            drafts.extend(observe(detector, &step));
        }
        drafts.extend(detector.advance(last.plus_micros(2 * Timestamp::HOUR_US)));
    }
    drafts.retain(|draft| draft.rule == "code/behaviour");
    drafts
}

fn routine(through: i64) -> Vec<Vec<Step>> {
    let all = deployers();
    let day = |day| all.iter().flat_map(|who| run_of(who, day, &JOB)).collect();
    (0..through).map(day).collect()
}

fn detector() -> Detector {
    Detector::new(rules(&[]), Settings::default())
}

const ODD: [(Action, &str); 5] = [
    (Action::Deploy, "deploy"),
    (Action::Execute, "test"),
    (Action::Deploy, "deploy"),
    (Action::Read, "checkout"),
    (Action::Deploy, "deploy"),
];
/// A finding of another kind says what is odd here.
const TOLD: [(Action, &str); 5] = [
    (Action::Read, "checkout"),
    (Action::SecretRead, "GetSecretValue"),
    (Action::Export, "PutObject"),
    (Action::Deploy, "deploy"),
    (Action::LoggingChange, "StopLogging"),
];
/// Unlike the job, and nothing in it changes or takes anything.
const IDLE: [(Action, &str); 4] = [
    (Action::Read, "verify"),
    (Action::Read, "list_branches"),
    (Action::Read, "read_wiki"),
    (Action::Read, "checkout"),
];

#[test]
fn a_session_unlike_all_others_is_told_with_its_reasons() {
    let mut detector = detector();
    let mut log = routine(80);
    log.push(run_of(&deployers()[0], 80, &ODD));
    let drafts = days(&mut detector, log);
    let departure = drafts
        .iter()
        .find(|draft| draft.kind == "behaviour_departure");
    let departure = departure.unwrap();
    assert_eq!(departure.identity, deployers()[0].id);
    assert!(departure.session.is_some());
    assert!(
        departure.title.starts_with("deployer-a: "),
        "{}",
        departure.title
    );
    let reasons = departure.reasons.join("\n");
    assert!(reasons.contains("`deploy`"), "{reasons}");
    assert!(reasons.contains("usually next: "), "{reasons}");
    assert!(reasons.contains("rarer than one in"), "{reasons}");
    assert!(!departure.events.is_empty());
    let others = drafts
        .iter()
        .filter(|draft| draft.identity != deployers()[0].id);
    assert_eq!(others.count(), 0, "{drafts:?}");
}

/// What the session of day 80 departs by, with everything found, after 80 days of the job.
fn departures(steps: &[(Action, &str)]) -> (Vec<SessionDeparture>, Vec<FindingDraft>, u32) {
    let mut detector = detector();
    let mut log = routine(80);
    log.push(run_of(&deployers()[0], 80, steps));
    let mut drafts = Vec::new();
    let mut last = at(0, 0);
    for step in logged(log.into_iter().flatten().collect()) {
        let time = step.event.time_effective;
        if time.micros_since(last) > Timestamp::HOUR_US {
            drafts.extend(detector.advance(time));
        }
        last = time;
        drafts.extend(observe(&mut detector, &step));
    }
    drafts.extend(detector.advance(last.plus_micros(2 * Timestamp::HOUR_US)));
    let uid = run_of(&deployers()[0], 80, steps)[0].event.session_uid;
    let sessions = detector.take_sessions().sessions;
    let session = sessions.into_iter().find(|it| Some(it.uid) == uid).unwrap();
    let known = detector.take_behaviour().identities;
    let known = known
        .iter()
        .find(|it| it.identity == deployers()[0].id)
        .unwrap();
    let unusual = known.unusual.iter().map(|it| it.sessions).sum();
    (session.departures, drafts, unusual)
}

fn told(drafts: &[FindingDraft]) -> usize {
    let departures = drafts.iter();
    let departures = departures.filter(|draft| draft.kind == "behaviour_departure");
    let mut ids: Vec<_> = departures.map(FindingDraft::id).collect();
    ids.dedup();
    ids.len()
}

#[test]
fn what_has_no_weight_is_told_with_its_session_and_is_no_finding() {
    let (departures, drafts, unusual) = departures(&IDLE);
    let [departure] = &departures[..] else {
        panic!("{departures:?}");
    };
    assert_eq!(departure.told_by, ToldBy::Session);
    assert_eq!(departure.finding, None);
    assert!(departure.reasons[0].contains('`'), "{departure:?}");
    assert_eq!((told(&drafts), unusual), (0, 1), "{drafts:?}");
}

#[test]
fn a_departure_is_a_finding_as_soon_as_its_session_has_weight() {
    let mut steps = IDLE.to_vec();
    steps.push((Action::PrivilegeGrant, "AttachRolePolicy"));
    let (departures, drafts, unusual) = departures(&steps);
    let [departure] = &departures[..] else {
        panic!("{departures:?}");
    };
    assert_eq!(departure.told_by, ToldBy::Finding);
    let first = drafts
        .iter()
        .find(|draft| draft.kind == "behaviour_departure")
        .unwrap();
    assert_eq!(departure.finding, Some(first.id()));
    assert_eq!((told(&drafts), unusual), (1, 0));
}

/// Findings about departures of day 80, when the first deployer does one after the other, an hour
/// and a half apart.
fn departures_of_a_day(sessions: &[&[(Action, &str)]]) -> Vec<FindingDraft> {
    let who = &deployers()[0];
    let mut detector = detector();
    days(&mut detector, routine(80));
    let mut log = Vec::new();
    for (number, steps) in sessions.iter().enumerate() {
        let minute = |place: usize| 540 + i64::try_from(90 * number + place).unwrap();
        let steps = steps.iter().enumerate();
        let steps = steps.map(|(place, (action, operation))| {
            Step::new(who, at(80, minute(place)), *action, operation)
                .on("acme/payments")
                .in_session(&format!("{} 80 {number}", who.name))
        });
        log.push(steps.collect());
    }
    let mut drafts = days(&mut detector, log);
    drafts.retain(|draft| draft.kind == "behaviour_departure");
    drafts.sort_by_key(FindingDraft::id);
    drafts.dedup_by_key(|draft| draft.id());
    drafts
}

#[test]
fn the_same_again_that_day_is_a_finding_once_it_has_weight() {
    let odd = (Action::Read, "list_branches");
    let idle = [JOB[0], odd, JOB[4]];
    // The same odd thing, and then the usual deployment, which changes something.
    let grave = [JOB[0], odd, JOB[1], JOB[2], JOB[3], JOB[4]];
    assert_eq!(departures_of_a_day(&[&idle, &idle]), []);
    let found = departures_of_a_day(&[&idle, &grave]);
    assert_eq!(found.len(), 1, "{found:?}");
    let again = departures_of_a_day(&[&grave, &grave]);
    assert_eq!(again.len(), 1, "one more case of a finding says nothing");
}

#[test]
fn what_another_finding_tells_is_not_told_twice() {
    let (departures, drafts, unusual) = departures(&TOLD);
    let [departure] = &departures[..] else {
        panic!("{departures:?}");
    };
    assert_eq!(departure.told_by, ToldBy::OtherFinding);
    let other = drafts
        .iter()
        .find(|draft| Some(draft.id()) == departure.finding);
    assert_eq!(other.unwrap().kind, "new_resource_class");
    assert_eq!((told(&drafts), unusual), (0, 0));
}

#[test]
fn the_routine_alone_says_nothing() {
    assert_eq!(days(&mut detector(), routine(90)), []);
}

#[test]
fn what_is_called_benign_becomes_usual_and_what_is_misuse_does_not() {
    let odd = |day| vec![run_of(&deployers()[0], day, &ODD)];
    let told = |disposition: Option<Disposition>| {
        let mut detector = detector();
        let mut log = routine(80);
        log.extend(odd(80));
        let first = days(&mut detector, log);
        let session = first[0].session.unwrap();
        let tenant = &first[0].tenant;
        if disposition.is_some() {
            // Said, taken back, said again.
            assert!(detector.feedback(tenant, session, disposition));
            assert!(detector.feedback(tenant, session, None));
            assert!(detector.feedback(tenant, session, disposition));
        }
        let later: Vec<Vec<Step>> = (81..86).flat_map(odd).collect();
        days(&mut detector, later).len()
    };
    let (benign, misuse) = (
        told(Some(Disposition::Benign)),
        told(Some(Disposition::Misuse)),
    );
    assert!(benign < misuse, "{benign} against {misuse}");
    assert!(misuse >= 3, "{misuse}");
}

#[test]
fn work_that_changes_week_by_week_is_told_before_any_rule_fires() {
    let who = &deployers()[0];
    let mut log: Vec<Vec<Step>> = routine(70);
    // From one new call a day to as many as the job has steps.
    for day in 70..112 {
        let extra = usize::try_from((day - 70) / 7).unwrap() + 1;
        let mut steps = JOB.to_vec();
        steps.extend(std::iter::repeat_n((Action::Read, "search_tickets"), extra));
        log.push(run_of(who, day, &steps));
    }
    let mut detector = detector();
    let drafts = days(&mut detector, log);
    let drift = drafts.iter().find(|draft| draft.kind == "behaviour_drift");
    let known = detector.take_behaviour().identities;
    let known = known.iter().find(|known| known.identity == who.id).unwrap();
    let drift = drift.unwrap_or_else(|| panic!("{:?}", known.drift));
    assert!(
        drift.reasons.join("\n").contains("search_tickets"),
        "{:?}",
        drift.reasons
    );
    assert!(known.readiness.ready() && !known.chartered);
    assert_eq!(known.sources.len(), 1);
    assert_eq!(detector.take_behaviour().identities, [], "taken once");
}

#[test]
fn two_that_are_one_know_what_both_did() {
    let mut detector = detector();
    days(&mut detector, routine(30));
    let [kept, merged, _] = deployers().try_into().unwrap();
    let before = detector.profile(merged.id).unwrap();
    let own = detector.profile(kept.id).unwrap().events_total;
    detector.take_behaviour();
    detector.merge(kept.id, merged.id);
    assert!(detector.profile(merged.id).is_none());
    let profile = detector.profile(kept.id).unwrap();
    assert_eq!(profile.events_total, own + before.events_total);
    assert_eq!(profile.classes.len(), before.classes.len(), "the same job");
    let told = detector.take_behaviour().identities;
    let told: Vec<_> = told
        .iter()
        .map(|it| (it.identity, it.readiness.sessions))
        .collect();
    assert_eq!(told, [(kept.id, 60)], "30 sessions of each");

    // Who was not known before is what the other was.
    let stranger = identity("stranger", ActorKind::ServiceAccount);
    let before = detector.profile(kept.id).unwrap();
    detector.merge(stranger.id, kept.id);
    assert_eq!(detector.profile(stranger.id), Some(before));
}
