//! Charters are entries of the log: proposed, approved, replaced and retired where they stand
//! there, whatever is restarted or rebuilt in between.

use std::sync::Arc;

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::behaviour::OpenFindings;
use deedtrail_app::charter::{CharterError, OfFindings};
use deedtrail_app::pipeline::Pipeline;
use deedtrail_core::charter::CharterStatus;
use deedtrail_core::finding::Finding;
use deedtrail_core::id::{FindingId, TenantId};
use deedtrail_core::port::store::{FindingFilter, Progress, Scope, Store as _};
use deedtrail_testkit::sample::Sample;

use crate::installation::{delete_object, pipeline_with, ports};

const CHARTER: &str = "charter: ana
identities: \"aws.arn:arn:aws:iam::111122223333:user/ana\"
purpose: Reads.
owner: lead@example.com
never:
  - action: delete
";

struct Server {
    sample: Sample,
    app: App,
    pipeline: Pipeline,
}

impl Server {
    fn new() -> Self {
        let sample = Sample::empty();
        Self {
            app: App::new(ports(&sample)),
            pipeline: pipeline_with(&sample, Arc::default()),
            sample,
        }
    }

    fn go_on(&mut self) {
        while self.pipeline.step().unwrap() {}
    }

    fn propose(&mut self, text: &str) {
        self.app
            .propose_charter(&Principal::local(), "x.yaml", text)
            .unwrap();
        self.go_on();
    }

    fn approve(&mut self) {
        self.app
            .approve_charter(&Principal::local(), "ana", None)
            .unwrap();
        self.go_on();
    }

    /// Ana deletes something at that minute of 2026-03-02.
    fn delete(&mut self, minute: u32) {
        delete_object(&self.app, "ana", "reports", minute);
        self.go_on();
    }

    fn departures(&self) -> Vec<Finding> {
        let all = self.sample.store.findings(&FindingFilter::default(), 99);
        let mut all = all.unwrap();
        all.retain(|finding| finding.draft.rule == "charter/ana");
        all
    }
}

#[test]
fn a_charter_binds_from_its_approval_to_its_retirement() {
    let mut server = Server::new();
    server.propose(CHARTER);
    server.delete(0);
    assert_eq!(server.departures().len(), 0, "a draft binds nobody");
    server.approve();
    server.delete(1);
    let departures = server.departures();
    assert_eq!(departures.len(), 1);
    assert_eq!(departures[0].repeats, 1);
    server.pipeline = pipeline_with(&server.sample, Arc::default());
    server.delete(2);
    assert_eq!(server.departures()[0].repeats, 2, "it survives a restart");
    assert!(server.pipeline.rebuild(&mut |_| true).unwrap());
    assert_eq!(server.departures()[0].repeats, 2, "and a rebuild");
    server.pipeline.close().unwrap();
    server.pipeline = pipeline_with(&server.sample, Arc::default());
    let local = Principal::local();
    server.app.retire_charter(&local, "ana", None).unwrap();
    server.go_on();
    server.delete(3);
    assert_eq!(server.departures()[0].repeats, 2, "retired");
}

#[test]
fn an_explanation_says_each_reason_of_a_departure_once() {
    let mut server = Server::new();
    server.propose(CHARTER);
    server.approve();
    server.delete(1);
    let departure = &server.departures()[0];
    let told = server
        .app
        .explain_finding(&Principal::local(), departure.id)
        .unwrap();
    let mut all: Vec<&String> = told.observed().chain(&told.judged_against).collect();
    assert!(told.judged_against[0].starts_with("expected: "), "{all:?}");
    let mut reasons: Vec<&String> = departure.draft.reasons.iter().collect();
    all.sort();
    reasons.sort();
    assert_eq!(all, reasons);
}

#[test]
fn versions_are_kept_with_who_did_what() {
    let mut server = Server::new();
    let local = Principal::local();
    server.propose(CHARTER);
    server.propose(CHARTER);
    server.approve();
    server.propose(&CHARTER.replace("delete", "write"));
    let versions = server.app.charter(&local, "ana").unwrap();
    let status = |place: usize| (versions[place].version, versions[place].status);
    assert_eq!(versions.len(), 2, "the same text is no new version");
    assert_eq!(status(0), (2, CharterStatus::Draft));
    assert_eq!(status(1), (1, CharterStatus::InForce));
    assert!(versions[1].approved_for_owner());
    assert_eq!(versions[1].approved.as_ref().unwrap().by, local.name);
    assert_eq!(server.app.charters(&local).unwrap().len(), 2);
    let differences = server.app.charter_diff(&local, "ana", (1, 2)).unwrap();
    assert_eq!(differences.len(), 2);
    server.approve();
    let versions = server.app.charter(&local, "ana").unwrap();
    assert_eq!(versions[1].status, CharterStatus::Replaced);
    let again = server.app.approve_charter(&local, "ana", Some(1));
    assert!(
        matches!(again, Err(CharterError::NoDraft { .. })),
        "{again:?}"
    );
    let unknown = server.app.charter(&local, "bob");
    assert!(
        matches!(unknown, Err(CharterError::Unknown(_))),
        "{unknown:?}"
    );
    let none = server
        .app
        .charter_version(&local, "ana", Some(9))
        .unwrap_err();
    assert!(none.to_string().contains("the newest is 2"), "{none}");
}

#[test]
fn a_charter_is_learned_from_the_archive_and_checked_over_it() {
    let mut server = Server::new();
    let local = Principal::local();
    for minute in 0..40 {
        server.delete(minute);
    }
    let learned = server
        .app
        .learn_charter(&local, "ana", None, OfFindings::LeaveOut)
        .unwrap()
        .proposal;
    assert_eq!(learned.events, 40);
    assert!(learned.text.contains("s3:DeleteObject"), "{}", learned.text);
    let checked = server.app.check_charter(&local, "x", &learned.text, None);
    let checked = checked.unwrap();
    assert_eq!((checked.identities, checked.cut), (1, false));
    assert_eq!((checked.report.events, checked.report.covered), (40, 40));
    let checked = server
        .app
        .check_charter(&local, "x", CHARTER, None)
        .unwrap();
    assert_eq!((checked.report.events, checked.report.covered), (40, 0));
}

#[test]
fn what_open_findings_rest_on_is_learned_only_when_asked_for() {
    let mut server = Server::new();
    let local = Principal::local();
    for minute in 0..40 {
        server.delete(minute);
    }
    server.propose(CHARTER);
    server.approve();
    for minute in 40..44 {
        server.delete(minute);
    }
    let learn = |of| server.app.learn_charter(&local, "ana", None, of).unwrap();
    let learned = learn(OfFindings::LeaveOut);
    let kinds: Vec<&str> = learned.findings.iter().map(|f| f.kind.as_str()).collect();
    assert_eq!(kinds, ["scope_departure"]);
    assert_eq!((learned.proposal.events, learned.left_out), (40, 4));
    let head: Vec<&str> = learned.proposal.text.lines().take(2).collect();
    assert_eq!(head[0], "# 4 events that findings rest on were left out:");
    assert!(head[1].starts_with("#   scope_departure "), "{head:?}");
    let parsed = deedtrail_app::charter::parse("x", &learned.proposal.text);
    assert!(parsed.is_ok(), "{parsed:?}");
    let all = learn(OfFindings::Include);
    assert_eq!((all.proposal.events, all.left_out), (44, 0));
    assert_eq!(all.findings, learned.findings);
}

#[test]
fn findings_that_were_not_looked_at_are_counted() {
    let mut server = Server::new();
    let local = Principal::local();
    server.propose(CHARTER);
    server.approve();
    for minute in 0..40 {
        server.delete(minute);
    }
    let finding = server.departures().remove(0);
    let named = |number: u16| {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        Finding {
            id: FindingId::from_bytes(id),
            ..finding.clone()
        }
    };
    let store = &server.sample.store;
    let known = store.findings(&FindingFilter::default(), 9).unwrap().len();
    let save = |numbers: std::ops::Range<u16>| {
        let progress = Progress {
            through: store.processed().unwrap(),
            findings: numbers.map(named).collect(),
            ..Progress::default()
        };
        store.save(progress).unwrap();
    };
    let learn = || {
        let app = &server.app;
        app.learn_charter(&local, "ana", None, OfFindings::Include)
            .unwrap()
    };
    let fits = u16::try_from(1_000 - known).unwrap();
    save(0..fits);
    let learned = learn();
    assert_eq!(learned.findings.len(), 1_000);
    assert_eq!(learned.findings_not_looked_at, 0);
    save(fits..fits + 7);
    let learned = learn();
    assert_eq!(
        (learned.findings.len(), learned.findings_not_looked_at),
        (1_000, 7)
    );
    let says = "the newest 1000 findings of it were looked at, 7 older ones were not";
    assert!(
        learned.proposal.text.contains(says),
        "{}",
        learned.proposal.text
    );
    let parsed = deedtrail_app::charter::parse("x", &learned.proposal.text);
    assert!(parsed.is_ok(), "{parsed:?}");
    let file = server.app.find_identity(&local, "ana").unwrap();
    let window = (None, None);
    let refused = server
        .app
        .approve_baseline(&local, &file, window, OpenFindings::Refuse)
        .unwrap_err();
    assert!(refused.to_string().contains(says), "{refused}");
}

#[test]
fn a_charter_that_binds_nobody_covers_nothing_and_names_who_may_be_meant() {
    let mut server = Server::new();
    server.delete(0);
    let slip = CHARTER.replace("user/ana", "user/anna");
    let local = Principal::local();
    let checked = server.app.check_charter(&local, "x", &slip, None).unwrap();
    assert_eq!((checked.identities, checked.report.share()), (0, None));
    assert_eq!(
        checked.unknown[0].near,
        ["aws.arn:arn:aws:iam::111122223333:user/ana"]
    );
    let bound = server.app.check_charter(&local, "x", CHARTER, None);
    assert_eq!(bound.unwrap().unknown, []);
}

#[test]
fn whoever_may_only_read_changes_nothing_and_tenants_are_apart() {
    let mut server = Server::new();
    let reader = Principal {
        scopes: vec![Scope::Read],
        ..Principal::local()
    };
    let refused = server.app.propose_charter(&reader, "x", CHARTER);
    assert!(
        matches!(refused, Err(CharterError::Denied(_))),
        "{refused:?}"
    );
    server.propose(CHARTER);
    let refused = server.app.approve_charter(&reader, "ana", None);
    assert!(
        matches!(refused, Err(CharterError::Denied(_))),
        "{refused:?}"
    );
    let other = Principal {
        tenant: TenantId::new("other").unwrap(),
        ..Principal::local()
    };
    assert_eq!(server.app.charters(&other).unwrap(), []);
    let wrong = server.app.propose_charter(&reader, "x.yaml", "charter: [");
    assert!(wrong.is_err());
}
