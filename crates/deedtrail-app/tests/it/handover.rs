//! What intake mapped is not mapped again, and nothing comes out differently for it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deedtrail_app::access::Principal;
use deedtrail_app::intake::Delivery;
use deedtrail_app::pipeline::Pipeline;
use deedtrail_app::{App, Ports};
use deedtrail_core::event::Event;
use deedtrail_core::id::SourceName;
use deedtrail_core::mapping::{FieldPaths, MapError, MappedRecord};
use deedtrail_core::port::archive::{Archive as _, EventFilter};
use deedtrail_core::port::log::PartClass;
use deedtrail_core::port::mapper::{Encoding, FrameError, Framed, Mapper, SourceFacts};
use deedtrail_testkit::sample::Sample;

use crate::installation::{detection_with, ports};
use crate::rules::built_in;

/// Counts how many records are mapped.
#[derive(Debug)]
struct Counting {
    inner: Arc<dyn Mapper>,
    mapped: AtomicUsize,
}

impl Mapper for Counting {
    fn sources(&self) -> Vec<SourceFacts> {
        self.inner.sources()
    }

    fn frame<'a>(
        &self,
        source: &SourceName,
        encoding: Encoding,
        body: &'a [u8],
    ) -> Result<Vec<Framed<'a>>, FrameError> {
        self.inner.frame(source, encoding, body)
    }

    fn unpack<'a>(&self, encoding: Encoding, body: &'a [u8]) -> Result<Cow<'a, [u8]>, FrameError> {
        self.inner.unpack(encoding, body)
    }

    fn pieces<'a>(&self, body: &'a [u8]) -> Result<Vec<Framed<'a>>, FrameError> {
        self.inner.pieces(body)
    }

    fn recognize(&self, labels: &[&str], record: &[u8]) -> Option<SourceName> {
        self.inner.recognize(labels, record)
    }

    fn map(&self, source: &SourceName, record: &[u8]) -> Result<MappedRecord, MapError> {
        self.mapped.fetch_add(1, Ordering::Relaxed);
        self.inner.map(source, record)
    }

    fn provenance(&self, source: &SourceName, record: &[u8]) -> Result<Vec<FieldPaths>, MapError> {
        self.inner.provenance(source, record)
    }

    fn sensitive(&self, record: &[u8]) -> Vec<(Range<usize>, PartClass)> {
        self.inner.sensitive(record)
    }
}

const RECORDS: &str = r#"
{"eventID":"1","eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventTime":"2026-11-18T14:02:11Z","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/a","userName":"a"}}
{"eventID":"2","eventSource":"iam.amazonaws.com","eventName":"DeleteUser","eventTime":"2026-11-18T14:03:11Z","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/a","userName":"a"}}
{"eventID":"1","eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventTime":"2026-11-18T14:02:11Z","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/a","userName":"a"}}
not a record
"#;

/// How many records were mapped, and the events, when the same delivery comes in twice.
fn take_in(fed: bool) -> (usize, Vec<Event>) {
    let sample = Sample::empty();
    let mut ports: Ports = ports(&sample);
    let counting = Arc::new(Counting {
        inner: Arc::clone(&ports.mapper),
        mapped: AtomicUsize::new(0),
    });
    ports.mapper = Arc::clone(&counting) as _;
    let app = App::new(ports.clone());
    let detection = detection_with(built_in());
    let mut pipeline = Pipeline::open(ports, detection, [7; 32]).unwrap();
    if fed {
        pipeline = pipeline.fed_by(&app.handover);
    }
    for _ in 0..2 {
        let delivery = Delivery {
            source: Some(&SourceName::new("aws.cloudtrail").unwrap()),
            encoding: Encoding::Identity,
            body: RECORDS.as_bytes(),
        };
        app.ingest(&Principal::local(), delivery).unwrap();
        while pipeline.step().unwrap() {}
    }
    let rows = sample.archive.events(&EventFilter::default(), None, 99);
    (counting.mapped.load(Ordering::Relaxed), rows.unwrap())
}

#[test]
fn a_record_is_mapped_once_and_its_event_is_the_same() {
    let (alone, events) = take_in(false);
    let (fed, same) = take_in(true);
    assert_eq!(events.len(), 2);
    assert_eq!(same, events);
    assert_eq!(fed, 2 * 4, "once for each record that came in");
    assert_eq!(alone, fed + 2, "and once more from the log");
}
