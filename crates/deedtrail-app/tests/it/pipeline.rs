//! What comes out of the log does not depend on when processing stopped and went on.

use std::collections::BTreeSet;
use std::sync::Arc;

use deedtrail_app::access::Principal;
use deedtrail_app::identity::{ImportMode, MergeDecision};
use deedtrail_app::intake::{Delivery, Shipped};
use deedtrail_app::pipeline::{
    BACKTEST_FINDINGS_MAX, Backtest, BacktestPlan, DamagedRange, Pipeline, backtest, field_coverage,
};
use deedtrail_app::{App, Ports};
use deedtrail_core::event::Event;
use deedtrail_core::finding::Finding;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::identity::Identity;
use deedtrail_core::port::archive::{Archive as _, EventFilter};
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _, NewEntry};
use deedtrail_core::port::mapper::Encoding;
use deedtrail_core::port::store::{
    BehaviourOrder, FindingFilter, IdentityFilter, QuarantineFilter, Quarantined, SessionFilter,
    Store as _,
};
use deedtrail_core::session::Session;
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::FakeMapper;
use deedtrail_testkit::sample::Sample;

use crate::installation::{delete_object, detection_with, pipeline as open, ports};
use crate::odd_log::OddLog;
use crate::rules::built_in;

fn catch_up(pipeline: &mut Pipeline) {
    while pipeline.step().unwrap() {}
}

fn ingest(sample: &Sample, source: &str, body: &str) {
    let delivery = Delivery {
        source: Some(&SourceName::new(source).unwrap()),
        encoding: Encoding::Identity,
        body: body.as_bytes(),
    };
    App::new(ports(sample))
        .ingest(&Principal::local(), delivery)
        .unwrap();
}

/// A change by the user `reader`, as `aws.cloudtrail` logs it.
fn change(hour: u32) -> String {
    serde_json::json!({
        "eventVersion": "1.10",
        "eventID": format!("e-{hour}"),
        "eventTime": format!("2026-11-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24),
        "eventSource": "s3.amazonaws.com",
        "eventName": "PutObject",
        "awsRegion": "eu-central-1",
        "recipientAccountId": "123456789012",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-sdk",
        "readOnly": false,
        "requestParameters": { "bucketName": "orders", "key": "a" },
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAREADER",
            "arn": "arn:aws:iam::123456789012:user/reader",
            "accountId": "123456789012",
            "accessKeyId": "AKIAREADER",
            "userName": "reader"
        }
    })
    .to_string()
}

fn declare_read_only(sample: &Sample) {
    let app = App::new(ports(sample));
    let file = "alias,read_only\naws.arn:arn:aws:iam::123456789012:user/reader,true\n";
    let applied = app
        .import_identities(&Principal::local(), file.as_bytes(), ImportMode::default())
        .unwrap();
    assert!(applied.applied.is_some());
}

/// Everything derived: rows, findings, identities, quarantine, sessions.
type Derived = (
    Vec<Event>,
    Vec<Finding>,
    Vec<Identity>,
    Vec<Quarantined>,
    Vec<Session>,
);

fn derived(sample: &Sample) -> Derived {
    let (store, archive) = (&sample.store, &sample.archive);
    (
        archive
            .events(&EventFilter::default(), None, 9_999)
            .unwrap(),
        store.findings(&FindingFilter::default(), 99).unwrap(),
        store.identities(&IdentityFilter::default()).unwrap(),
        store.quarantined(&QuarantineFilter::default(), 99).unwrap(),
        store.sessions(&SessionFilter::default(), 99).unwrap(),
    )
}

#[test]
fn a_crash_between_snapshot_and_store_gives_what_a_calm_run_gives() {
    let told = |crashes: bool| {
        let sample = Sample::empty();
        let mut pipeline = open(&sample);
        let pause = |pipeline: &mut Pipeline| {
            catch_up(pipeline);
            if crashes {
                // Dropped without `close`: no snapshot covers what was just stored.
                *pipeline = open(&sample);
            }
        };
        ingest(&sample, "aws.cloudtrail", &change(0));
        ingest(&sample, "aws.cloudtrail", "not json");
        pause(&mut pipeline);
        declare_read_only(&sample);
        pause(&mut pipeline);
        ingest(&sample, "aws.cloudtrail", &change(300));
        pause(&mut pipeline);
        pipeline.close().unwrap();
        derived(&sample)
    };
    let calm = told(false);
    let kinds: Vec<_> = calm.1.iter().map(|f| f.draft.kind.as_str()).collect();
    assert!(kinds.contains(&"control_gap"), "{kinds:?}");
    assert_eq!(
        calm.0
            .iter()
            .filter(|event| event.risk_decision.is_some())
            .count(),
        1
    );
    assert_eq!(told(true), calm);
}

/// Bytes of quarantined records, of which five are more than a step takes.
const LONG: usize = 900_000;

/// A stop before the place that had been stored leaves nothing of what was known there: here of somebody
/// who has been merged since.
#[test]
fn a_stop_while_it_is_done_again_tells_nothing_of_before() {
    let sample = Sample::empty();
    let app = App::new(ports(&sample));
    for who in ["left", "right"] {
        delete_object(&app, who, "orders", 1);
    }
    for number in 0..8 {
        let long = format!("{number}{}", "x".repeat(LONG));
        ingest(&sample, "aws.cloudtrail", &long);
    }
    let mut pipeline = open(&sample);
    catch_up(&mut pipeline);
    let people = sample.store.identities(&IdentityFilter::default()).unwrap();
    let [one, other] = ["left", "right"].map(|name| {
        let person = people.iter().find(|person| person.name.contains(name));
        person.unwrap().id
    });
    let decision = MergeDecision::Merge {
        left: one,
        right: other,
        reason: "one person".into(),
    };
    app.decide_merge(&Principal::local(), &decision).unwrap();
    catch_up(&mut pipeline);
    pipeline.rest().unwrap();
    let known = || {
        let all = sample
            .store
            .behaviours(&TenantId::default(), BehaviourOrder::Newest, 9);
        all.unwrap()
    };
    let before = known();
    assert_eq!(before.len(), 1);
    // Dropped without `close`: all of it is done again.
    let mut pipeline = open(&sample);
    assert!(pipeline.step().unwrap());
    assert!(
        pipeline.position() < sample.log.end() - 1,
        "before the merge"
    );
    pipeline.close().unwrap();
    assert_eq!(known(), before);
    let mut pipeline = open(&sample);
    catch_up(&mut pipeline);
    pipeline.close().unwrap();
    assert_eq!(known(), before);
}

#[test]
fn a_record_released_twice_has_its_events_once() {
    let sample = Sample::empty();
    ingest(&sample, "github.audit", &change(0));
    let mut pipeline = open(&sample);
    catch_up(&mut pipeline);
    let waiting = sample
        .store
        .quarantined(&QuarantineFilter::default(), 9)
        .unwrap();
    assert_eq!(waiting.len(), 1);
    let original = sample.log.read(waiting[0].sequence, 1).unwrap().remove(0);
    // As after its mapping was fixed: here the right source of the same record.
    let remap = NewEntry {
        kind: EntryKind::Remap,
        idempotency_key: None,
        note: original.sequence.to_string().into(),
        ..original.entry
    };
    let right = Sample::empty();
    for kind in [EntryKind::Quarantined, EntryKind::Remap, EntryKind::Remap] {
        let note = if kind == EntryKind::Remap {
            "0"
        } else {
            "wrong_source: …"
        };
        let source = SourceName::new("aws.cloudtrail").ok();
        let entry = NewEntry {
            kind,
            source,
            note: note.into(),
            ..remap.clone()
        };
        right.log.append(vec![entry]).unwrap();
    }
    let mut pipeline = open(&right);
    catch_up(&mut pipeline);
    let (rows, _, _, waiting, _) = derived(&right);
    assert_eq!((rows.len(), waiting.len()), (1, 0));
}

#[test]
fn a_replay_gives_events_to_records_that_came_by_a_protocol() {
    let sample = Sample::empty();
    let knows_nothing = Ports {
        mapper: Arc::new(FakeMapper),
        ..ports(&sample)
    };
    let line = serde_json::json!({ "message": change(1), "host": "h" }).to_string();
    let records = [change(0), line].map(|record| Shipped {
        line: 1,
        labels: vec!["main".to_owned()],
        id: None,
        bytes: record.into_bytes().into(),
        around: None,
    });
    let protocol = SourceName::new("test.protocol").unwrap();
    let app = App::new(knows_nothing);
    app.ingest_shipped(&Principal::local(), &protocol, records.into())
        .unwrap();
    let mut pipeline = open(&sample);
    catch_up(&mut pipeline);
    assert_eq!(
        sample
            .store
            .quarantined(&QuarantineFilter::default(), 9)
            .unwrap()
            .len(),
        2
    );
    let app = App::new(ports(&sample));
    let answer = app.replay_quarantine(&Principal::local(), None).unwrap();
    assert_eq!((answer.tried, answer.released), (2, 2));
    catch_up(&mut pipeline);
    let (rows, _, _, waiting, _) = derived(&sample);
    let sources: Vec<&str> = rows.iter().map(|event| event.source.as_str()).collect();
    assert_eq!((sources, waiting.len()), (vec!["aws.cloudtrail"; 2], 0));
    let healths = sample.store.source_health().unwrap();
    let quarantined: u64 = healths.iter().map(|health| health.quarantined).sum();
    assert_eq!(quarantined, 0);
    let again = app.replay_quarantine(&Principal::local(), None).unwrap();
    assert_eq!(again.tried, 0);
}

#[test]
fn a_rebuild_gives_what_was_there_and_stops_when_told() {
    let sample = Sample::empty();
    for hour in [0, 300] {
        ingest(&sample, "aws.cloudtrail", &change(hour));
    }
    declare_read_only(&sample);
    ingest(&sample, "aws.cloudtrail", &change(301));
    let mut pipeline = open(&sample);
    catch_up(&mut pipeline);
    pipeline.close().unwrap();
    let before = derived(&sample);
    assert!(!pipeline.rebuild(&mut |_| false).unwrap());
    drop(pipeline);
    let mut pipeline = open(&sample);
    assert!(pipeline.rebuild(&mut |_| true).unwrap());
    assert_eq!(derived(&sample), before);
}

/// Rules, settings and key as [`open`] has them.
fn backtested(sample: &Sample, plan: BacktestPlan) -> Backtest {
    let detection = detection_with(built_in());
    backtest(ports(sample), detection, [7; 32], plan, &mut || true).unwrap()
}

#[test]
fn a_backtest_finds_what_was_found_live_and_changes_nothing() {
    let sample = Sample::empty();
    declare_read_only(&sample);
    for hour in [0, 1, 300] {
        ingest(&sample, "aws.cloudtrail", &change(hour));
    }
    let mut pipeline = open(&sample);
    catch_up(&mut pipeline);
    let live = derived(&sample);
    let all = BacktestPlan {
        rules: BTreeSet::new(),
        within: Timestamp::from_micros(i64::MIN)..Timestamp::from_micros(i64::MAX),
        findings_max: BACKTEST_FINDINGS_MAX,
        exceptions: Vec::new(),
    };
    let report = backtested(&sample, all.clone());
    assert_eq!(report.findings, live.1.len() as u64);
    assert_eq!((report.events, report.identities), (3, 1));
    let ids: BTreeSet<_> = live.1.iter().map(|finding| finding.draft.id()).collect();
    assert!(!report.examples.is_empty());
    assert!(report.examples.iter().all(|one| ids.contains(&one.id)));
    let uids: BTreeSet<_> = live.0.iter().map(|e| e.event_uid.to_string()).collect();
    let examples = report.examples.iter();
    assert!(
        examples
            .flat_map(|one| &one.events)
            .all(|uid| uids.contains(uid))
    );
    assert_eq!(derived(&sample), live);
    // The first of the three is before the range, and is still what the others compare with.
    let since = Timestamp::parse_rfc3339("2026-11-10T00:00:00Z").unwrap();
    let rule = BacktestPlan {
        rules: BTreeSet::from(["behavioural/read_only_identity_writes".into()]),
        within: since..all.within.end,
        ..all
    };
    let report = backtested(&sample, rule);
    assert_eq!((report.events, report.findings, report.days), (1, 1, 1));
    assert_eq!(
        report.by_rule[0].name,
        "behavioural/read_only_identity_writes"
    );
    assert!((report.share_touched - 1.0).abs() < f64::EPSILON);
}

fn everything() -> BacktestPlan {
    BacktestPlan {
        rules: BTreeSet::new(),
        within: Timestamp::from_micros(i64::MIN)..Timestamp::from_micros(i64::MAX),
        findings_max: BACKTEST_FINDINGS_MAX,
        exceptions: Vec::new(),
    }
}

#[test]
fn a_backtest_counts_calendar_days_and_says_when_its_memory_is_full() {
    let sample = Sample::empty();
    declare_read_only(&sample);
    // From 23:00 on one day to 01:00 on the next but one: 26 hours, three dates.
    for hour in [23, 24, 49] {
        ingest(&sample, "aws.cloudtrail", &change(hour));
    }
    let whole = backtested(&sample, everything());
    assert_eq!((whole.events, whole.days), (3, 3));
    assert!(whole.findings > 1, "{whole:?}");
    assert_eq!((whole.matches_beyond, whole.damaged_entries), (0, 0));
    let days: u64 = whole.by_day.values().sum();
    assert_eq!(days, whole.findings);
    assert!(whole.examples.is_sorted_by_key(|one| one.at));
    let bounded = BacktestPlan {
        findings_max: 1,
        exceptions: Vec::new(),
        ..everything()
    };
    let bounded = backtested(&sample, bounded);
    assert_eq!(bounded.findings, 1);
    assert!(bounded.matches_beyond >= whole.findings - 1, "{bounded:?}");
    assert!(bounded.share_touched <= 1.0);
}

#[test]
fn fields_are_counted_over_the_events_a_rule_looks_at() {
    let sample = Sample::empty();
    declare_read_only(&sample);
    for hour in [0, 1] {
        ingest(&sample, "aws.cloudtrail", &change(hour));
    }
    let detection = detection_with(built_in());
    let report = field_coverage(ports(&sample), detection, [7; 32], everything()).unwrap();
    assert_eq!((report.events, report.damaged_entries), (2, 0));
    let of = |name: &str| {
        let mut all = report.rules.iter();
        all.find(|one| one.rule == name).unwrap()
    };
    let writes = of("behavioural/read_only_identity_writes");
    assert_eq!(writes.fill.events, 2);
    assert!(
        writes.matches > Some(0) && !writes.is_suspect(),
        "{writes:?}"
    );
    let filled = writes
        .fill
        .fields
        .iter()
        .find(|field| field.name == "read_only");
    assert_eq!(filled.unwrap().filled, 2);
    let suspect: Vec<_> = report.rules.iter().filter(|one| one.is_suspect()).collect();
    assert!(!suspect.is_empty());
    for one in suspect {
        assert!(
            one.fill.events > 0 && one.matches.unwrap_or(0) == 0,
            "{one:?}"
        );
    }
}

#[test]
fn a_backtest_tells_what_it_could_not_read() {
    let sample = Sample::empty();
    for hour in 0..4 {
        ingest(&sample, "aws.cloudtrail", &change(hour));
    }
    assert_eq!(sample.log.end(), 4);
    let ports = Ports {
        log: OddLog::damaged(&sample.log, 1..=2),
        ..ports(&sample)
    };
    let detection = detection_with(built_in());
    let report = backtest(ports, detection, [7; 32], everything(), &mut || true).unwrap();
    assert_eq!((report.events, report.damaged_entries), (2, 2));
    assert_eq!(report.damaged, [DamagedRange { first: 1, last: 2 }]);
}
