//! What is said of sources and of their quarantine comes from the log alone: it is the same however
//! often the server starts, and one tenant's is not another's.

use std::sync::Arc;

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::intake::Delivery;
use deedtrail_app::pipeline::Pipeline;
use deedtrail_app::quarantine::{QuarantineError, Wanted};
use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::mapper::Encoding;
use deedtrail_core::port::store::{FindingFilter, Quarantined, Scope, Store as _};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::RuleSet;
use deedtrail_testkit::sample::Sample;

use crate::installation::{detection_with, ports};

/// A server whose pipeline is opened anew before each step, or never.
struct Server {
    sample: Sample,
    app: App,
    pipeline: Pipeline,
    restarts: bool,
}

fn open(sample: &Sample) -> Pipeline {
    let detection = detection_with(Arc::new(RuleSet::default()));
    Pipeline::open(ports(sample), detection, [7; 32]).unwrap()
}

impl Server {
    fn new(restarts: bool) -> Self {
        let sample = Sample::empty();
        Self {
            app: App::new(ports(&sample)),
            pipeline: open(&sample),
            sample,
            restarts,
        }
    }

    fn ingest(&mut self, principal: &Principal, source: &str, body: &str) {
        let delivery = Delivery {
            source: Some(&SourceName::new(source).unwrap()),
            encoding: Encoding::Identity,
            body: body.as_bytes(),
        };
        self.app.ingest(principal, delivery).unwrap();
        self.go_on();
    }

    fn hours(&mut self, hours: i64) {
        for _ in 0..hours {
            self.sample.clock.advance(Timestamp::HOUR_US);
            self.app.tick().unwrap();
            self.go_on();
        }
    }

    fn go_on(&mut self) {
        if self.restarts {
            self.pipeline = open(&self.sample);
        }
        while self.pipeline.step().unwrap() {}
    }

    /// The same after everything was derived anew.
    fn rebuilt(&mut self, tenant: &str, source: &str) -> SourceHealth {
        let before = self.health(tenant, source);
        assert!(self.pipeline.rebuild(&mut |_| true).unwrap());
        let after = self.health(tenant, source);
        assert_eq!(after, before);
        after
    }

    fn health(&self, tenant: &str, source: &str) -> SourceHealth {
        let healths = self.sample.store.source_health().unwrap();
        let is_it =
            |it: &SourceHealth| it.tenant.as_str() == tenant && it.source.as_str() == source;
        healths.into_iter().find(is_it).unwrap()
    }

    /// Numbers of the entries that wait, and of those that were dismissed.
    fn quarantine(&self, principal: &Principal) -> (Vec<u64>, Vec<u64>) {
        let list = |dismissed| {
            let wanted = Wanted {
                dismissed,
                ..Wanted::default()
            };
            let list = self.app.quarantine(principal, &wanted, 99).unwrap();
            list.iter().map(|it: &Quarantined| it.sequence).collect()
        };
        (list(false), list(true))
    }
}

fn of_tenant(tenant: &str) -> Principal {
    Principal {
        tenant: TenantId::new(tenant).unwrap(),
        ..Principal::local()
    }
}

const BROKEN: &str = "not json\nnot json either";

#[test]
fn dismissed_records_leave_the_waiting_ones_and_can_come_back() {
    let told = |restarts| {
        let mut server = Server::new(restarts);
        let ana = Principal {
            name: "ana".into(),
            ..Principal::local()
        };
        server.ingest(&ana, "vault.audit", BROKEN);
        server.ingest(&ana, "okta.system", "[1]");
        let wanted = Wanted::of(Some(&SourceName::new("vault.audit").unwrap()));
        let dismiss = |server: &Server, reason| {
            let app = &server.app;
            app.dismiss_quarantine(&ana, &wanted, reason)
        };
        assert!(matches!(
            dismiss(&server, " "),
            Err(QuarantineError::NoReason)
        ));
        assert_eq!(dismiss(&server, "a load test").unwrap(), 2);
        server.go_on();
        let (waiting, dismissed) = server.quarantine(&ana);
        assert_eq!((waiting.len(), dismissed.len()), (1, 2));
        let record = server.app.quarantined(&ana, dismissed[0]).unwrap().unwrap();
        let dismissal = record.dismissal.unwrap();
        assert_eq!((&*dismissal.by, &*dismissal.reason), ("ana", "a load test"));
        let replayed = server.app.replay_quarantine(&ana, None).unwrap();
        assert_eq!(replayed.tried, 1, "dismissed ones are left alone");
        let health = server.health("default", "vault.audit");
        assert_eq!((health.quarantined, health.dismissed), (0, 2));
        assert_eq!(dismiss(&server, "again").unwrap(), 0);

        let one = Wanted {
            sequence: Some(dismissed[0]),
            ..Wanted::default()
        };
        assert_eq!(server.app.restore_quarantine(&ana, &one).unwrap(), 1);
        server.go_on();
        let health = server.rebuilt("default", "vault.audit");
        assert_eq!((health.quarantined, health.dismissed), (1, 1));
        (server.quarantine(&ana), health)
    };
    assert_eq!(told(true), told(false));
}

#[test]
fn only_who_may_write_dismisses() {
    let mut server = Server::new(false);
    server.ingest(&Principal::local(), "vault.audit", BROKEN);
    let reader = Principal {
        scopes: vec![Scope::Read],
        ..Principal::local()
    };
    let denied = server
        .app
        .dismiss_quarantine(&reader, &Wanted::default(), "x");
    assert!(matches!(denied, Err(QuarantineError::Denied(_))));
    let denied = server.app.restore_quarantine(&reader, &Wanted::default());
    assert!(matches!(denied, Err(QuarantineError::Denied(_))));
}

#[test]
fn a_tenant_sees_and_decides_about_its_own() {
    let mut server = Server::new(false);
    let (ours, theirs) = (of_tenant("default"), of_tenant("other"));
    server.ingest(&ours, "vault.audit", BROKEN);
    server.ingest(&theirs, "vault.audit", "broken too");
    assert_eq!(server.quarantine(&ours).0.len(), 2);
    assert_eq!(server.quarantine(&theirs).0.len(), 1);
    let their_record = server.quarantine(&theirs).0[0];
    assert!(
        server
            .app
            .quarantined(&ours, their_record)
            .unwrap()
            .is_none()
    );
    let all = Wanted::default();
    assert_eq!(server.app.dismiss_quarantine(&ours, &all, "x").unwrap(), 2);
    server.go_on();
    assert_eq!(server.quarantine(&theirs).0, [their_record]);
    let records = |tenant| server.health(tenant, "vault.audit").records;
    assert_eq!((records("default"), records("other")), (2, 1));
    let reports = server.app.sources(&theirs).unwrap();
    let delivered = reports.iter().filter_map(|report| report.health.as_ref());
    let counted: Vec<u64> = delivered.map(|health| health.records).collect();
    assert_eq!(counted, [1]);
}

#[test]
fn records_that_came_again_are_counted_by_source() {
    let told = |restarts| {
        let mut server = Server::new(restarts);
        let record = r#"{"time":"2026-11-01T00:00:00Z","type":"request","auth":{"entity_id":"e"},"request":{"id":"1","operation":"read","path":"secret/data/a"}}"#;
        for _ in 0..3 {
            server.ingest(&Principal::local(), "vault.audit", record);
        }
        server.ingest(&of_tenant("other"), "vault.audit", BROKEN);
        server.hours(1);
        server.ingest(&Principal::local(), "vault.audit", record);
        server.hours(1);
        server.hours(1);
        assert_eq!(server.health("other", "vault.audit").duplicates, 0);
        server.rebuilt("default", "vault.audit")
    };
    let health = told(false);
    assert_eq!((health.records, health.duplicates), (1, 3));
    assert_eq!(told(true), health);
}

#[test]
fn numbers_that_are_skipped_are_missing_however_often_the_server_starts() {
    let told = |restarts| {
        let mut server = Server::new(restarts);
        for index in [0, 1, 5, 3] {
            let record = format!(
                r#"{{"insertId":"{index}","timestamp":"2026-11-01T00:00:0{index}Z","logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","split":{{"uid":"s","index":{index},"totalSplits":6}},"resource":{{}},"protoPayload":{{"methodName":"m","serviceName":"s"}}}}"#
            );
            server.ingest(&Principal::local(), "gcp.audit", &record);
        }
        server.hours(3);
        let health = server.rebuilt("default", "gcp.audit");
        let reports = server.app.sources(&Principal::local()).unwrap();
        let report = reports
            .into_iter()
            .find(|it| it.name.as_str() == "gcp.audit");
        let findings = server
            .sample
            .store
            .findings(&FindingFilter::default(), 9)
            .unwrap();
        (report.unwrap().state, findings, health)
    };
    let (state, findings, health) = told(false);
    let missing = health.watched.missing.iter();
    let missing: Vec<_> = missing
        .map(|gap| (&*gap.within, gap.first, gap.last))
        .collect();
    assert_eq!(missing, [("s", 2, 2), ("s", 4, 4)]);
    assert_eq!(health.watched.missing_total, 2);
    assert_eq!(state, deedtrail_app::feed_health::SourceState::Degraded);
    let [finding] = findings.as_slice() else {
        panic!("{findings:#?}");
    };
    assert_eq!(finding.draft.kind, "evidence_degraded");
    assert_eq!(
        finding.draft.title,
        "2 records of gcp.audit never came: their numbers are skipped"
    );
    assert_eq!(told(true), (state, findings, health));
}
