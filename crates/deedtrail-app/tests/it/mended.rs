//! A mapping is mended while records of its log wait: whatever is sent again, and in which order
//! that and a replay happen, each record has its events once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use deedtrail_app::access::Principal;
use deedtrail_app::intake::{Around, Delivery, KeyMaker, Shipped};
use deedtrail_app::pipeline::Pipeline;
use deedtrail_app::quarantine::{ReplayAnswer, Wanted};
use deedtrail_app::{App, Ports};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Encoding, Mapper};
use deedtrail_core::port::store::Store as _;
use deedtrail_detect::RuleSet;
use deedtrail_sources::Registry;
use deedtrail_testkit::sample::Sample;

use crate::installation::{detection_with, ports};

/// A log of which `id` is the vendor's id where it is given. Made once for each.
fn mapper(identify: &'static str) -> Arc<dyn Mapper> {
    static MADE: Mutex<BTreeMap<&str, Arc<dyn Mapper>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap();
    Arc::clone(made.entry(identify).or_insert_with(|| made_of(identify)))
}

fn made_of(identify: &str) -> Arc<dyn Mapper> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("acme.log")).unwrap();
    let mapping = format!(
        "title = \"T\"\n[identify]\n{identify}\n[event]\nid = \"id\"\ntime = \"at\"\nsystem = \"'x'\"\noperation = \"verb\"\n"
    );
    std::fs::write(folder.path().join("acme.log/mapping.toml"), mapping).unwrap();
    Arc::new(Registry::load(folder.path()).unwrap())
}

const TOO_STRICT: &str = "verb = \"*\"\nkind = \"*\"";
const MENDED: &str = "verb = \"*\"";

struct Server {
    sample: Sample,
    identify: &'static str,
}

impl Server {
    fn new() -> Self {
        Self {
            sample: Sample::empty(),
            identify: TOO_STRICT,
        }
    }

    fn ports(&self) -> Ports {
        Ports {
            mapper: mapper(self.identify),
            ..ports(&self.sample)
        }
    }

    fn app(&self) -> App {
        App::new(self.ports())
    }

    fn pipeline(&self) -> Pipeline {
        let detection = detection_with(Arc::new(RuleSet::default()));
        let mut pipeline = Pipeline::open(self.ports(), detection, [7; 32]).unwrap();
        while pipeline.step().unwrap() {}
        pipeline
    }

    fn file(&self, body: &str) {
        let delivery = Delivery {
            source: Some(&source()),
            encoding: Encoding::Identity,
            body: body.as_bytes(),
        };
        let mut keys = KeyMaker::of_file(b"beginning");
        let app = self.app();
        app.ingest_part(&Principal::local(), delivery, &mut keys)
            .unwrap();
        self.pipeline();
    }

    /// One record in an envelope, as a collector takes it.
    fn collector(&self, record: &str) {
        let envelope = format!("{{\"event\":{record},\"host\":\"h\"}}");
        let shipped = Shipped {
            line: 1,
            labels: vec![source().to_string()],
            id: None,
            bytes: record.as_bytes().into(),
            around: Some(Around::new(move |_| envelope.clone().into_bytes())),
        };
        let app = self.app();
        app.ingest_shipped(&Principal::local(), &source(), vec![shipped])
            .unwrap();
        self.pipeline();
    }

    fn replay(&self) -> ReplayAnswer {
        let wanted = Wanted::default();
        let answer = self.app().replay_wanted(&Principal::local(), &wanted);
        self.pipeline();
        answer.unwrap()
    }

    /// Events, and records that wait.
    fn found(&self) -> (u64, u64) {
        let healths = self.sample.store.source_health().unwrap();
        let sum =
            |one: fn(&deedtrail_core::health::SourceHealth) -> u64| healths.iter().map(one).sum();
        (
            sum(|health| health.events),
            sum(|health| health.quarantined),
        )
    }
}

fn source() -> SourceName {
    SourceName::new("acme.log").unwrap()
}

const TIMED: &str = r#"{"verb":"read","at":"2026-11-01T10:00:00Z"}"#;
const UNTIMED: &str = r#"{"verb":"write"}"#;
const NAMED: &str = r#"{"verb":"delete","id":"7","at":"2026-11-01T10:00:00Z"}"#;

#[test]
fn a_file_that_is_sent_again_around_a_replay_doubles_nothing() {
    for body in [
        TIMED.to_owned(),
        UNTIMED.to_owned(),
        NAMED.to_owned(),
        format!("{TIMED}\n{TIMED}\n{UNTIMED}\n{UNTIMED}\n{NAMED}"),
    ] {
        let records = body.lines().count() as u64;
        for replay_first in [true, false] {
            let mut server = Server::new();
            server.file(&body);
            assert_eq!(server.found(), (0, records));
            server.identify = MENDED;
            if replay_first {
                server.replay();
            }
            server.file(&body);
            server.replay();
            assert_eq!(server.found(), (records, 0), "{body} {replay_first}");
            server.file(&body);
            assert_eq!(server.found(), (records, 0), "{body} {replay_first}");
        }
    }
}

#[test]
fn an_event_in_an_envelope_that_is_sent_again_around_a_replay_doubles_nothing() {
    for record in [TIMED, UNTIMED, NAMED] {
        for replay_first in [true, false] {
            let mut server = Server::new();
            server.collector(record);
            assert_eq!(server.found(), (0, 1));
            server.identify = MENDED;
            if replay_first {
                server.replay();
            }
            server.collector(record);
            server.replay();
            assert_eq!(server.found(), (1, 0), "{record} {replay_first}");
        }
    }
}

#[test]
fn a_record_that_waits_again_after_a_rebuild_gets_its_events_by_a_replay() {
    for record in [TIMED, UNTIMED, NAMED] {
        let mut server = Server::new();
        server.file(record);
        server.identify = MENDED;
        assert_eq!(server.replay().released, 1);
        assert_eq!(server.found(), (1, 0));
        server.identify = TOO_STRICT;
        assert!(server.pipeline().rebuild(&mut |_| true).unwrap());
        assert_eq!(server.found(), (0, 1), "{record}");
        server.identify = MENDED;
        assert_eq!(server.replay().released, 1);
        assert_eq!(server.found(), (1, 0), "{record}");
    }
}

#[test]
fn a_record_that_gains_an_id_changes_no_key_of_those_behind_it() {
    let mut server = Server::new();
    server.identify = "verb = \"*\"\nat = \"*\"";
    let body = format!("{{\"verb\":\"x\",\"id\":\"1\"}}\n{UNTIMED}\n{UNTIMED}");
    server.file(&body);
    server.identify = MENDED;
    server.file(&body);
    server.replay();
    assert_eq!(server.found(), (3, 0));
}

#[test]
fn a_replay_of_one_entry_leaves_the_others() {
    let mut server = Server::new();
    server.file(&format!("{TIMED}\n{NAMED}"));
    server.identify = MENDED;
    let waiting = server
        .app()
        .quarantine(&Principal::local(), &Wanted::default(), 9);
    let wanted = Wanted {
        sequence: Some(waiting.unwrap()[0].sequence),
        ..Wanted::default()
    };
    let app = server.app();
    let answer = app.replay_wanted(&Principal::local(), &wanted).unwrap();
    server.pipeline();
    assert_eq!((answer.tried, answer.released), (1, 1));
    assert_eq!(server.found(), (1, 1));
    let nothing = Wanted {
        sequence: Some(99_999),
        ..Wanted::default()
    };
    let answer = app.replay_wanted(&Principal::local(), &nothing).unwrap();
    assert_eq!(answer.tried, 0);
}
