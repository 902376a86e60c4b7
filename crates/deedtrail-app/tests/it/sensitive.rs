//! Secrets lie apart in the log, count in duplicate control as before, and are shown to nobody
//! who did not ask for them.

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::intake::Delivery;
use deedtrail_app::timeline::EventFile;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::archive::{Archive as _, EventFilter};
use deedtrail_core::port::log::{EvidenceLog as _, PartClass, Secrets, StoredEntry};
use deedtrail_core::port::mapper::Encoding;
use deedtrail_core::port::store::Scope;
use deedtrail_testkit::sample::Sample;

use crate::installation::ports;

const RECORD: &str = r#"{"eventID":"7","eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventTime":"2026-11-18T14:02:11Z","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/a","userName":"a"},"requestParameters":{"userName":"b","password":"correct horse"}}"#;

fn app(sample: &Sample) -> App {
    App::new(ports(sample))
}

fn reader() -> Principal {
    Principal {
        scopes: vec![Scope::Read],
        ..Principal::local()
    }
}

fn newest(sample: &Sample) -> StoredEntry {
    sample.log.read(sample.log.end() - 1, 1).unwrap().remove(0)
}

/// A file about that record, whatever the event.
fn file(sample: &Sample) -> EventFile {
    let events = sample.archive.events(&EventFilter::default(), None, 1);
    EventFile {
        event: events.unwrap().remove(0),
        record: RECORD.as_bytes().to_vec(),
        proof: None,
    }
}

#[test]
fn secrets_are_parts_of_their_own_and_a_retry_is_a_duplicate() {
    let sample = Sample::story();
    let app = app(&sample);
    let source = SourceName::new("aws.cloudtrail").unwrap();
    for (body, quarantined) in [(RECORD, 0), ("{\"password\":\"correct horse\"}", 1)] {
        let delivery = Delivery {
            source: Some(&source),
            encoding: Encoding::Identity,
            body: body.as_bytes(),
        };
        let answer = app.ingest(&Principal::local(), delivery).unwrap();
        assert_eq!((answer.records, answer.quarantined), (1, quarantined));
        let stored = newest(&sample);
        let classes: Vec<PartClass> = stored.entry.parts.iter().map(|part| part.class).collect();
        assert_eq!(
            classes,
            [PartClass::Plain, PartClass::Secret, PartClass::Plain]
        );
        assert_eq!(stored.entry.parts[1].bytes, b"correct horse");
        assert_eq!(stored.bytes(), body.as_bytes());
        let again = app.ingest(&Principal::local(), delivery).unwrap();
        assert_eq!((again.duplicates, again.conflicts), (1, 0));
    }
}

#[test]
fn only_an_administrator_sees_secrets_and_it_is_recorded() {
    let sample = Sample::story();
    let app = app(&sample);
    let file = file(&sample);
    let shown = String::from_utf8(app.masked(&file.record)).unwrap();
    assert!(
        shown.ends_with("\"password\":\"•••• (secret, 13 bytes)\"}}"),
        "{shown}"
    );
    let before = sample.log.end();
    app.reveal(&reader(), &file).unwrap_err();
    assert_eq!(sample.log.end(), before);
    assert_eq!(app.reveal(&Principal::local(), &file).unwrap(), file.record);
    assert_eq!(sample.log.end(), before + 1);
    assert_eq!(newest(&sample).entry.note, "secrets revealed");
}

#[test]
fn an_export_with_secrets_is_for_administrators() {
    let sample = Sample::story();
    let app = app(&sample);
    let export = |principal: &Principal, secrets| {
        app.select_evidence(principal, "nightly-export", (None, None), secrets)
    };
    export(&reader(), Secrets::Included).unwrap_err();
    export(&reader(), Secrets::Withheld).unwrap();
    assert_eq!(newest(&sample).entry.note, "evidence exported");
    export(&Principal::local(), Secrets::Included).unwrap();
    assert_eq!(newest(&sample).entry.note, "evidence exported with secrets");
}
