//! Events that are too old do not come in, leave once a day, and the log says so.

use deedtrail_app::access::Principal;
use deedtrail_app::intake::Delivery;
use deedtrail_app::pipeline::Pipeline;
use deedtrail_app::retention::{self, Left, Retention};
use deedtrail_app::{App, Ports};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::Clock as _;
use deedtrail_core::port::archive::{Archive as _, EventFilter};
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _};
use deedtrail_core::port::mapper::Encoding;
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::sample::Sample;

use crate::installation::{detection_with, ports};
use crate::rules::built_in;

fn pipeline(ports: &Ports, days: Option<u32>) -> Pipeline {
    let detection = detection_with(built_in());
    let retention = Retention {
        days,
        ..Retention::default()
    };
    let pipeline = Pipeline::open(ports.clone(), detection, [7; 32]).unwrap();
    pipeline.keeping(retention)
}

/// Takes in a record that is so many days old.
fn send(app: &App, days: i64) {
    let at = app.ports.clock.now().plus_micros(-days * Timestamp::DAY_US);
    let body = format!(
        "{{\"kind\":\"admin#reports#activity\",\"id\":{{\"time\":\"{at}\",\
         \"uniqueQualifier\":\"{days}\",\"applicationName\":\"admin\",\"customerId\":\"C0\"}},\
         \"events\":[{{}}]}}\n"
    );
    let delivery = Delivery {
        source: Some(&SourceName::new("google_workspace.admin").unwrap()),
        encoding: Encoding::Identity,
        body: body.as_bytes(),
    };
    assert_eq!(
        app.ingest(&Principal::local(), delivery).unwrap().accepted,
        1
    );
}

fn ages(sample: &Sample) -> Vec<i64> {
    let events = sample
        .archive
        .events(&EventFilter::default(), None, 10)
        .unwrap();
    let today = sample.clock.now().utc_day();
    events
        .iter()
        .map(|event| today - event.time_effective.utc_day())
        .collect()
}

/// Texts of the audit entries of events that left.
fn noted(sample: &Sample) -> Vec<String> {
    let entries = sample.log.read(0, usize::MAX).unwrap();
    let audits = entries
        .iter()
        .filter(|one| one.entry.kind == EntryKind::Audit);
    let left = audits.filter(|one| one.entry.note == retention::LEFT);
    left.map(|one| String::from_utf8(one.entry.parts[0].bytes.clone()).unwrap())
        .collect()
}

#[test]
fn events_leave_once_a_day_with_a_note_and_a_rebuild_brings_none_back() {
    let sample = Sample::empty();
    let ports = ports(&sample);
    let app = App::new(ports.clone());
    let mut running = pipeline(&ports, Some(30));
    for days in [0, 10, 29, 31, 400] {
        send(&app, days);
    }
    while running.step().unwrap() {}
    running.close().unwrap();
    drop(running);
    assert_eq!(ages(&sample), [0, 10, 29], "older ones do not come in");
    assert_eq!(noted(&sample), [""; 0]);

    sample.clock.advance(5 * Timestamp::DAY_US);
    let mut later = pipeline(&ports, Some(30));
    later.rest().unwrap();
    drop(later);
    assert_eq!(ages(&sample), [5, 15]);
    let today = sample.clock.now().utc_day();
    let first = Timestamp::from_micros((today - 30) * Timestamp::DAY_US).to_string();
    let of = format!(
        "1 of google_workspace.admin before {} (retention.days = 30)",
        first.get(..10).unwrap()
    );
    let text = format!("retention removed events from the archive: {of}");
    assert_eq!(noted(&sample), [text.as_str()]);
    let at = sample.clock.now();
    let left = Left { at, events: 1, of };
    assert_eq!(retention::last(&ports).unwrap(), Some(left));

    let mut again = pipeline(&ports, Some(30));
    assert!(again.rebuild(&mut |_| true).unwrap());
    again.rest().unwrap();
    drop(again);
    assert_eq!(ages(&sample), [5, 15]);
    assert_eq!(noted(&sample).len(), 1, "the same day is not seen to again");

    let mut longer = pipeline(&ports, None);
    assert!(longer.rebuild(&mut |_| true).unwrap());
    assert_eq!(ages(&sample), [5, 15, 34, 36, 405], "the log kept them");
}
