//! Sources that fall silent or say less: what is told, when, and what is not.

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, OutcomeClass};
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::health::Gap;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::{Detector, Settings};

use crate::builder::{Step, at, identity, observe, rules};

fn detector() -> Detector {
    Detector::new(rules(&[]), Settings::default())
}

fn name() -> SourceName {
    SourceName::new("aws.cloudtrail").unwrap()
}

/// A log with a tick every ten minutes and, in the hours that `delivers` names, a record.
fn run(
    detector: &mut Detector,
    hours: std::ops::Range<i64>,
    delivers: impl Fn(i64) -> bool,
) -> Vec<FindingDraft> {
    let mut drafts = Vec::new();
    for hour in hours {
        for minute in (0..60).step_by(10) {
            let now = at(0, hour * 60 + minute);
            drafts.extend(detector.advance(now));
            if minute == 30 && delivers(hour) {
                drafts.extend(detector.record(&TenantId::default(), &name(), now, true));
            }
        }
    }
    drafts
}

fn hour(number: i64, minute: i64) -> Timestamp {
    at(0, number * 60 + minute)
}

const WEEK: i64 = 168;

#[test]
fn a_source_that_stops_is_told_once_and_its_return_is_a_gap() {
    let mut detector = detector();
    assert_eq!(run(&mut detector, 0..3 * WEEK, |_| true), []);
    let watched = detector.watched(&TenantId::default(), &name());
    let overdue = watched.overdue_at.unwrap();
    let stopped = 3 * WEEK;
    let told = run(&mut detector, stopped..stopped + 48, |_| false);
    let [finding] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(finding.kind, "source_silent");
    assert!(
        finding
            .title
            .starts_with("aws.cloudtrail has been silent for ")
    );
    assert_eq!(finding.at, overdue, "as was foretold");
    assert!(finding.at <= hour(stopped + 5, 0), "{}", finding.at);
    assert_eq!(detector.watched(&TenantId::default(), &name()).gaps, []);
    run(&mut detector, stopped + 48..stopped + 50, |_| true);
    let gap = Gap {
        from: hour(stopped - 1, 30),
        to: hour(stopped + 48, 30),
    };
    assert_eq!(detector.watched(&TenantId::default(), &name()).gaps, [gap]);
}

#[test]
fn nights_weekends_and_rare_deliveries_are_no_silence() {
    // The builder's first day is a Monday.
    let office = |hour: i64| (8..18).contains(&(hour % 24)) && hour / 24 % 7 < 5;
    assert_eq!(run(&mut detector(), 0..8 * WEEK, office), []);
    let daily = |hour: i64| hour % 24 == 3;
    assert_eq!(run(&mut detector(), 0..8 * WEEK, daily), []);
    let once = |hour: i64| hour == 2;
    assert_eq!(run(&mut detector(), 0..8 * WEEK, once), []);
    // Negative control: the office that stays shut on Monday and Tuesday.
    let holiday = |hour: i64| office(hour) && hour < 6 * WEEK;
    let told = run(&mut detector(), 0..6 * WEEK + 48, holiday);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].at.utc_day(), at(6 * 7, 0).utc_day());
}

#[test]
fn nothing_is_concluded_while_the_server_was_off_or_the_source_is_new() {
    let mut off = detector();
    run(&mut off, 0..3 * WEEK, |_| true);
    // No tick for two days, then the server starts again and the source with it.
    let back = 3 * WEEK + 48;
    assert_eq!(run(&mut off, back..back + 2, |hour| hour > back), []);
    let mut new = detector();
    run(&mut new, 0..48, |_| true);
    assert_eq!(run(&mut new, 48..120, |_| false), []);
}

#[test]
fn state_goes_on_after_a_restart() {
    let mut whole = detector();
    run(&mut whole, 0..3 * WEEK, |_| true);
    let snapshot = whole.snapshot();
    let mut restored = Detector::restore(rules(&[]), Settings::default(), &snapshot).unwrap();
    let after = 3 * WEEK..3 * WEEK + 24;
    let told = run(&mut whole, after.clone(), |_| false);
    assert_eq!(told.len(), 1);
    assert_eq!(run(&mut restored, after, |_| false), told);
}

/// Observes `count` reads; `outcome` of each.
fn reads(detector: &mut Detector, count: i64, outcome: OutcomeClass) -> Vec<FindingDraft> {
    let who = identity("ana@example.com", ActorKind::Human);
    let mut drafts = Vec::new();
    for n in 0..count {
        let now = at(0, 600 + n % 60);
        drafts.extend(detector.record(&TenantId::default(), &name(), now, true));
        let step = Step::new(&who, now, Action::Read, "s3:GetObject").on("report");
        let step = step.ended(outcome);
        drafts.extend(observe(detector, &step));
    }
    drafts.retain(|draft| draft.kind == "evidence_degraded");
    drafts
}

#[test]
fn a_fact_that_stops_being_said_is_told_with_before_and_after() {
    let mut detector = detector();
    assert_eq!(reads(&mut detector, 200, OutcomeClass::Success), []);
    let told = reads(&mut detector, 80, OutcomeClass::Unknown);
    let [finding] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(
        finding.title,
        "aws.cloudtrail no longer says the outcome of `read`: missing in 60 of the last 60"
    );
    assert_eq!(
        finding.reasons,
        [
            "outcome missing: 60 of 60 events of `read`",
            "before: 0 of 200 events lacked it"
        ]
    );
    let watched = detector.watched(&TenantId::default(), &name());
    assert_eq!(watched.degraded, ["outcome of read"]);
    reads(&mut detector, 20, OutcomeClass::Success);
    assert!(
        detector
            .watched(&TenantId::default(), &name())
            .degraded
            .is_empty()
    );
}

#[test]
fn records_that_are_no_longer_understood_are_told() {
    let mut detector = detector();
    let mut send = |count: i64, understood: bool| -> Vec<FindingDraft> {
        let each = (0..count)
            .flat_map(|_| detector.record(&TenantId::default(), &name(), at(1, 0), understood));
        each.collect()
    };
    assert_eq!(send(150, true), []);
    let told = send(80, false);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].title.contains("60 of the last 60 records"),
        "{}",
        told[0].title
    );
}

#[test]
fn a_busy_server_tells_of_silence_although_records_begin_every_hour() {
    let mut detector = detector();
    run(&mut detector, 0..3 * WEEK, |_| true);
    let busy = SourceName::new("okta.system").unwrap();
    let mut told = Vec::new();
    for hour in 3 * WEEK..3 * WEEK + 48 {
        // A record of another source is the first that comes in the hour, and a tick follows.
        let (begins, tick) = (at(0, hour * 60), at(0, hour * 60 + 1));
        told.extend(detector.record(&TenantId::default(), &busy, begins, true));
        told.extend(detector.advance(tick));
    }
    let told: Vec<&str> = told.iter().map(|it| it.kind.as_str()).collect();
    assert_eq!(told, ["source_silent"]);
    let watched = detector.watched(&TenantId::default(), &name());
    assert!(watched.silent && watched.overdue_at.is_none());
}

#[test]
fn time_in_which_nobody_listened_is_not_counted_as_silence() {
    let mut detector = detector();
    run(&mut detector, 0..3 * WEEK, |_| true);
    let foretold = |detector: &Detector| {
        let watched = detector.watched(&TenantId::default(), &name());
        assert!(!watched.silent);
        watched.overdue_at.unwrap()
    };
    let before = foretold(&detector);
    let started = 3 * WEEK + 48;
    assert_eq!(detector.advance(hour(started, 0)), []);
    let after = foretold(&detector);
    assert!(after > hour(started, 0), "{before} became {after}");
    let told = run(&mut detector, started..started + 24, |_| false);
    assert_eq!(told[0].at, after, "as was foretold");
}
