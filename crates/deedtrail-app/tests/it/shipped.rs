//! Deliveries that mix the records of several sources.

use std::borrow::Cow;
use std::sync::Arc;

use deedtrail_app::access::Principal;
use deedtrail_app::intake::{Fate, Shipped};
use deedtrail_app::{App, Ports};
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::log::{EntryKind, Sequence, StoredEntry};
use deedtrail_core::port::store::{Progress, Quarantined, Store as _};
use deedtrail_testkit::FakeMapper;
use deedtrail_testkit::sample::Sample;

use crate::installation::ports;

const RECORD: &str = r#"{"eventID":"1","eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventTime":"2026-11-18T14:02:11Z","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/a","userName":"a"}}"#;

fn shipped(label: &str, record: &str) -> Shipped<'static> {
    Shipped {
        line: 1,
        labels: vec![label.to_owned()],
        id: None,
        bytes: Cow::Owned(record.as_bytes().to_vec()),
        around: None,
    }
}

fn protocol() -> SourceName {
    SourceName::new("test.protocol").unwrap()
}

/// A shipper's document with `line` as its text.
fn document(line: &str) -> String {
    serde_json::json!({ "@timestamp": "now", "message": format!("{line}\n") }).to_string()
}

fn stored(app: &App) -> Vec<StoredEntry> {
    app.ports.log.read(0, usize::MAX).unwrap()
}

#[test]
fn label_and_content_tell_the_source() {
    let app = App::new(ports(&Sample::empty()));
    let okta = r#"{"uuid":"u","eventType":"user.session.start","published":"2026-11-18T14:02:11Z","actor":{"id":"1","type":"User"}}"#;
    let records = vec![
        shipped("aws:cloudtrail", RECORD),
        shipped("whatever", okta),
        shipped("main", &document(RECORD)),
        shipped("main", r#"{"nobody":"knows"}"#),
    ];
    let (answer, taken) = app
        .ingest_shipped(&Principal::local(), &protocol(), records)
        .unwrap();
    let fates: Vec<Fate> = taken.into_iter().map(|taken| taken.fate).collect();
    // The third is the first once more, out of a shipper's document.
    let expected = [
        Fate::Accepted,
        Fate::Accepted,
        Fate::Duplicate,
        Fate::Quarantined,
    ];
    assert_eq!(fates, expected);
    assert_eq!(answer.quarantine[0].code, "unrecognized");
    let sources: Vec<String> = stored(&app)
        .iter()
        .filter_map(|stored| Some(stored.entry.source.as_ref()?.to_string()))
        .collect();
    assert_eq!(sources, ["aws.cloudtrail", "okta.system", "test.protocol"]);
}

#[test]
fn a_vendors_record_that_holds_json_as_text_is_left_as_it_is() {
    let app = App::new(ports(&Sample::empty()));
    let vendors = RECORD.replace("{\"eventID\"", "{\"message\":\"{\\\"x\\\":1}\",\"eventID\"");
    let records = vec![shipped("main", &vendors)];
    let taken = app.ingest_shipped(&Principal::local(), &protocol(), records);
    assert_eq!(taken.unwrap().1[0].fate, Fate::Accepted);
    assert_eq!(stored(&app)[0].bytes().as_ref(), vendors.as_bytes());
}

#[test]
fn what_nothing_understands_is_kept_with_all_that_was_around_it() {
    let app = App::new(ports(&Sample::empty()));
    let documents = [
        (
            "main",
            r#"{"user":"bob","ip":"192.0.2.9","message":"{oops}"}"#,
        ),
        (
            "main",
            r#"{"user":"carol","log":"{\"b\":1}","_raw":"{\"c\":2}"}"#,
        ),
        (
            "aws.cloudtrail",
            r#"{"user":"dave","message":"{\"inner\":1}"}"#,
        ),
        (
            "main",
            r#"{"event":{"msg":"login failed"},"time":1,"host":"a"}"#,
        ),
        (
            "main",
            r#"{"event":{"msg":"login failed"},"time":2,"host":"b"}"#,
        ),
    ];
    let records = documents.map(|(label, document)| shipped(label, document));
    let (answer, _) = app
        .ingest_shipped(&Principal::local(), &protocol(), records.into())
        .unwrap();
    assert_eq!(answer.quarantined, 5);
    for (stored, (_, document)) in stored(&app).iter().zip(documents) {
        assert_eq!(stored.bytes().as_ref(), document.as_bytes());
    }
}

#[test]
fn alike_records_without_a_time_of_their_own_are_told_apart_by_what_is_around_them() {
    let app = App::new(ports(&Sample::empty()));
    let span = |extra: &str| {
        format!(r#"{{"event":{{"scopeSpans":[{{"spans":[{{"name":"x"}}]}}]}},"host":"{extra}"}}"#)
    };
    let take = |document: String| {
        let records = vec![shipped("otel.span", &document)];
        let taken = app.ingest_shipped(&Principal::local(), &protocol(), records);
        taken.unwrap().1.remove(0).fate
    };
    assert_eq!(take(span("a")), Fate::Accepted);
    assert_eq!(take(span("b")), Fate::Accepted);
    assert_eq!(take(span("a")), Fate::Duplicate);
}

#[test]
fn a_document_that_waits_is_opened_when_it_is_replayed() {
    let sample = Sample::empty();
    let before: Ports = Ports {
        mapper: Arc::new(FakeMapper),
        ..ports(&sample)
    };
    let records = vec![shipped("main", &document(RECORD))];
    let (_, taken) = App::new(before)
        .ingest_shipped(&Principal::local(), &protocol(), records)
        .unwrap();
    assert_eq!(taken[0].fate, Fate::Quarantined);
    let newest = replayed(&sample, taken[0].sequence);
    assert_eq!(newest.bytes().as_ref(), RECORD.as_bytes());
}

#[test]
fn what_no_source_was_told_of_is_replayed_once_its_content_tells() {
    let sample = Sample::empty();
    let before: Ports = Ports {
        mapper: Arc::new(FakeMapper),
        ..ports(&sample)
    };
    let records = vec![shipped("main", RECORD)];
    let (_, taken) = App::new(before)
        .ingest_shipped(&Principal::local(), &protocol(), records)
        .unwrap();
    assert_eq!(taken[0].fate, Fate::Quarantined);
    let newest = replayed(&sample, taken[0].sequence).entry;
    assert_eq!(newest.kind, EntryKind::Remap);
    assert_eq!(newest.source.unwrap().as_str(), "aws.cloudtrail");
}

#[test]
fn a_record_under_a_wrong_label_is_replayed_as_what_its_content_tells() {
    let sample = Sample::empty();
    let records = vec![shipped("okta.system", RECORD)];
    let (_, taken) = App::new(ports(&sample))
        .ingest_shipped(&Principal::local(), &protocol(), records)
        .unwrap();
    assert_eq!(taken[0].fate, Fate::Quarantined);
    let okta = SourceName::new("okta.system").unwrap();
    let newest = replayed_of(&sample, taken[0].sequence, okta).entry;
    assert_eq!(newest.source.unwrap().as_str(), "aws.cloudtrail");
}

/// The entry that a replay of the one at `sequence` appends.
fn replayed(sample: &Sample, sequence: Sequence) -> StoredEntry {
    replayed_of(sample, sequence, protocol())
}

/// As [`replayed`], of a record that waits as of `source`.
fn replayed_of(sample: &Sample, sequence: Sequence, source: SourceName) -> StoredEntry {
    let waiting = Quarantined {
        tenant: TenantId::default(),
        dismissal: None,
        sequence,
        source,
        code: "unrecognized".into(),
        reason: "none".into(),
        received: deedtrail_core::time::Timestamp::default(),
        bytes: RECORD.len() as u64,
    };
    let progress = Progress {
        quarantined: vec![waiting],
        ..Progress::default()
    };
    sample.store.save(progress).unwrap();
    let app = App::new(ports(sample));
    let answer = app.replay_quarantine(&Principal::local(), None).unwrap();
    assert_eq!((answer.tried, answer.released), (1, 1));
    stored(&app).pop().unwrap()
}
