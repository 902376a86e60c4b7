//! Who did what with a finding or an identity, as a bundle tells it.

use std::sync::Arc;

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::custody::{CUSTODY_MAX, VIEW_AGAIN_US, VIEWS_PER_HOUR_MAX};
use deedtrail_app::evidence::Selection;
use deedtrail_app::findings::Conclusion;
use deedtrail_app::intake::Delivery;
use deedtrail_app::pipeline::{Detection, Pipeline};
use deedtrail_app::timeline::ReadingError;
use deedtrail_core::finding::{Finding, FindingStatus};
use deedtrail_core::id::{EventUid, FindingId, SessionUid, SourceName};
use deedtrail_core::identity::Identity;
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _, NewEntry, Part, PartClass, Secrets};
use deedtrail_core::port::mapper::Encoding;
use deedtrail_core::port::store::{
    FindingFilter, IdentityFilter, Scope, SessionFilter, Store as _,
};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::Settings;
use deedtrail_testkit::Refusal;
use deedtrail_testkit::sample::Sample;

use crate::installation::ports;
use crate::rules::built_in;

/// An installation whose log holds what one person did, and a finding about it.
struct Trail {
    sample: Sample,
    app: App,
    pipeline: Pipeline,
}

fn open(sample: &Sample) -> Pipeline {
    let detection = Detection {
        rules: built_in(),
        settings: Settings::default(),
        targets: Arc::default(),
        book: Arc::default(),
        sequences: deedtrail_charter::Library::shipped(),
    };
    Pipeline::open(ports(sample), detection, [7; 32]).unwrap()
}

/// A user of that name makes an access key for somebody else, as `aws.cloudtrail` logs it.
fn access_key(name: &str, id: &str) -> String {
    serde_json::json!({
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": format!("AIDA{name}"),
            "arn": format!("arn:aws:iam::111122223333:user/{name}"),
            "accountId": "111122223333",
            "userName": name,
            "accessKeyId": format!("AKIA{name}")
        },
        "eventTime": "2026-11-01T10:00:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateAccessKey",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.10",
        "userAgent": "aws-cli/2.0",
        "requestParameters": { "userName": "ben" },
        "eventID": id,
        "readOnly": false,
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333"
    })
    .to_string()
}

impl Trail {
    fn of(name: &str) -> Self {
        let sample = Sample::empty();
        let pipeline = open(&sample);
        let app = App::new(ports(&sample));
        let mut trail = Self {
            sample,
            app,
            pipeline,
        };
        trail.ingest(&access_key(name, "e-1"));
        trail
    }

    fn ingest(&mut self, record: &str) {
        let delivery = Delivery {
            source: Some(&SourceName::new("aws.cloudtrail").unwrap()),
            encoding: Encoding::Identity,
            body: record.as_bytes(),
        };
        self.app.ingest(&Principal::local(), delivery).unwrap();
        self.settle();
    }

    fn settle(&mut self) {
        while self.pipeline.step().unwrap() {}
    }

    /// The finding that rests on an event, and whose it is.
    fn finding(&self) -> (Finding, Identity) {
        let findings = self.sample.store.findings(&FindingFilter::default(), 9);
        let mut findings = findings.unwrap();
        findings.retain(|finding| !finding.draft.events.is_empty());
        let finding = findings.swap_remove(0);
        let identity = self.sample.store.identity(finding.draft.identity);
        (finding, identity.unwrap().unwrap())
    }

    fn decide(&self, id: FindingId, note: &str) {
        let closed = Conclusion {
            status: FindingStatus::Closed,
            disposition: Some("benign"),
            note: Some(note),
        };
        self.app
            .decide_finding(&Principal::local(), id, closed)
            .unwrap();
    }

    fn reveal(&self, uid: EventUid) {
        let local = Principal::local();
        let file = self.app.event_file(&local, uid).unwrap();
        self.app.reveal(&local, &file).unwrap();
    }

    fn export(&mut self, of: &str) -> Selection {
        self.app.write_views().unwrap();
        self.settle();
        let local = Principal::local();
        let chosen = self
            .app
            .select_evidence(&local, of, (None, None), Secrets::Withheld);
        let chosen = chosen.unwrap();
        self.settle();
        chosen
    }

    /// Notes of the audit entries of a bundle, in the order of the log.
    fn told(&mut self, of: &str) -> Vec<String> {
        let mut custody = self.export(of).custody;
        custody.sort_unstable();
        let note = |at: &u64| {
            let entry = self.sample.log.read(*at, 1).unwrap().swap_remove(0);
            assert_eq!(entry.entry.kind, EntryKind::Audit);
            entry.entry.note.to_string()
        };
        custody.iter().map(note).collect()
    }

    /// Appends an audit entry as a version before wrote it.
    fn append_worded(&self, note: &str, text: &str) {
        let entry = NewEntry {
            kind: EntryKind::Audit,
            tenant: Principal::local().tenant,
            source: None,
            received: Timestamp::from_micros(5),
            idempotency_key: None,
            note: note.into(),
            parts: vec![Part {
                class: PartClass::Plain,
                key_id: 0,
                bytes: text.as_bytes().to_vec(),
            }],
        };
        self.sample.log.append(vec![entry]).unwrap();
    }

    /// How many entries of that note there are, and the text of the last.
    fn entries(&self, note: &str) -> (usize, String) {
        let all = self.sample.log.read(0, usize::MAX).unwrap();
        let of = all.iter().filter(|entry| entry.entry.note == note);
        let texts = of.map(|entry| String::from_utf8_lossy(&entry.bytes()).into_owned());
        let texts: Vec<String> = texts.collect();
        (texts.len(), texts.last().cloned().unwrap_or_default())
    }
}

#[test]
fn a_findings_bundle_tells_of_its_events_and_of_exports_of_its_identity() {
    let mut trail = Trail::of("ana");
    let (finding, identity) = trail.finding();
    let of = finding.id.to_string();
    trail.decide(finding.id, "a drill");
    trail.reveal(finding.draft.events[0].event_uid);
    trail.export(&identity.id.to_string());
    trail.app.open_identity(&Principal::local(), "ana").unwrap();
    // Without the last: who opens an identity does not look at this finding.
    let expected = [
        "finding decided",
        "secrets revealed",
        "viewed",
        "evidence exported",
        "evidence exported",
    ];
    let mut told = trail.told(&of);
    told.sort();
    let mut expected = expected.map(str::to_owned);
    expected.sort();
    assert_eq!(told, expected);
}

#[test]
fn an_identitys_bundle_tells_what_was_done_with_all_of_it() {
    let mut trail = Trail::of("ana");
    let local = Principal::local();
    let (finding, identity) = trail.finding();
    let of = identity.id.to_string();
    trail.decide(finding.id, "a drill");
    trail.reveal(finding.draft.events[0].event_uid);
    trail.app.finding_file(&local, finding.id).unwrap();
    let sessions = trail.sample.store.sessions(&SessionFilter::default(), 9);
    for session in sessions.unwrap() {
        trail.app.session_file(&local, session.uid).unwrap();
    }
    trail.ingest(&access_key("zoe", "e-2"));
    let findings = trail.app.findings(&local, &FindingFilter::default(), 9);
    let others = findings.unwrap().into_iter();
    let mut others = others.filter(|one| one.draft.identity != identity.id);
    let other = others.next().expect("a finding about somebody else");
    trail.decide(other.id, &format!("as {} and {of}", finding.id));
    let told = trail.told(&of);
    let count = |note: &str| told.iter().filter(|one| *one == note).count();
    assert_eq!(count("finding decided"), 1, "{told:?}");
    assert_eq!(count("secrets revealed"), 1, "{told:?}");
    // The event, the finding and the session.
    assert_eq!(count("viewed"), 3, "{told:?}");
    assert_eq!(count("evidence exported"), 1, "{told:?}");
    assert_eq!(told.len(), 6, "{told:?}");
}

#[test]
fn an_identitys_bundle_does_not_tell_that_a_person_was_revealed() {
    let mut trail = Trail::of("ana");
    let (_, identity) = trail.finding();
    let of = identity.id.to_string();
    let text = format!("local person revealed: person-0 is {of}: case 17");
    trail.append_worded("person revealed", &text);
    assert_eq!(trail.told(&of), ["evidence exported"]);

    let sample = Sample::hostile();
    let app = App::new(ports(&sample));
    let local = Principal::local();
    let list = app.insider_risk(&local).unwrap();
    let who = app.reveal_person(&local, &list.people[0].person, "case 17");
    let who = who.unwrap().id.to_string();
    let mut pipeline = open(&sample);
    while pipeline.step().unwrap() {}
    let told = app.select_evidence(&local, &who, (None, None), Secrets::Withheld);
    let told = told.unwrap().custody;
    assert_eq!(told.len(), 1, "the export alone");
}

#[test]
fn a_name_made_of_ids_hides_nothing() {
    let ids: Vec<String> = (0..4).map(|n| format!("{n:032x}")).collect();
    let mut trail = Trail::of(&ids.join(" "));
    let identities = trail.sample.store.identities(&IdentityFilter::default());
    let identity = identities.unwrap().swap_remove(0);
    assert!(identity.name.contains(&ids[3]), "{}", identity.name);
    let of = identity.id.to_string();
    trail.export(&of);
    assert_eq!(trail.told(&of), ["evidence exported"; 2]);
}

#[test]
fn entries_of_a_version_before_are_found_after_the_upgrade_and_by_a_rebuild() {
    let mut trail = Trail::of("ana");
    let (finding, identity) = trail.finding();
    let (of, event) = (finding.id.to_string(), finding.draft.events[0].event_uid);
    let texts = [
        (
            "finding decided",
            format!("ana finding decided: {of} Closed, benign: x"),
        ),
        ("secrets revealed", format!("ana secrets revealed: {event}")),
        (
            "evidence exported",
            format!("ana evidence exported: Identity {of} ({})", identity.id),
        ),
    ];
    let first = trail.sample.log.end();
    for (note, text) in &texts {
        trail.append_worded(note, text);
    }
    trail.settle();
    let expected = ["finding decided", "secrets revealed", "evidence exported"];
    let exports = |count: usize| [&expected[..], &vec!["evidence exported"; count]].concat();
    assert_eq!(trail.told(&of), exports(1));
    // As a store says after the upgrade: which entries, and nothing of what they are about.
    trail
        .sample
        .store
        .make_custody_due(first..trail.sample.log.end());
    trail.pipeline = open(&trail.sample);
    assert_eq!(trail.sample.store.custody_due(0, 9).unwrap(), [0_u64; 0]);
    assert_eq!(trail.told(&of), exports(2));
    assert!(trail.pipeline.rebuild(&mut |_| true).unwrap());
    assert_eq!(trail.told(&of), exports(3));
}

#[test]
fn a_cut_is_told() {
    let mut trail = Trail::of("ana");
    let (finding, _) = trail.finding();
    let of = finding.id.to_string();
    let text = format!("ana finding decided: {of} Closed, benign");
    for _ in 0..CUSTODY_MAX {
        trail.append_worded("finding decided", &text);
    }
    let whole = trail.export(&of);
    assert_eq!(whole.custody.len(), CUSTODY_MAX + 1);
    assert_eq!(whole.completeness.custody_left_out, [""; 0]);
    let cut = trail.export(&of);
    assert_eq!(cut.custody.len(), CUSTODY_MAX + 1);
    assert_eq!(
        cut.completeness.custody_left_out,
        ["exports, decisions and reveals before the newest 1000"]
    );
}

#[test]
fn opening_something_again_is_one_view_an_hour() {
    let mut trail = Trail::of("ana");
    let (finding, identity) = trail.finding();
    let local = Principal::local();
    let open = |trail: &Trail, who: &Principal| {
        trail.app.finding_file(who, finding.id).unwrap();
        trail.app.write_views().unwrap();
    };
    let views = |trail: &Trail| trail.entries("viewed").0;
    open(&trail, &local);
    open(&trail, &local);
    assert_eq!(views(&trail), 1);
    let (_, text) = trail.entries("viewed");
    let about = format!(
        r#"[["finding","{}"]],"act":"view","by":"local""#,
        finding.id
    );
    assert!(text.contains(&about), "{text}");
    // Somebody else, another thing, and the next hour are views of their own.
    let ana = Principal {
        name: "ana".into(),
        scopes: vec![Scope::Read],
        ..local.clone()
    };
    open(&trail, &ana);
    assert_eq!(views(&trail), 2);
    trail
        .app
        .open_identity(&ana, &identity.id.to_string())
        .unwrap();
    trail
        .app
        .find_identity(&local, &identity.id.to_string())
        .unwrap();
    trail.app.write_views().unwrap();
    assert_eq!(views(&trail), 3);
    trail.sample.clock.advance(VIEW_AGAIN_US - 1);
    open(&trail, &local);
    assert_eq!(views(&trail), 3);
    trail.settle();
    // Another process knows from the store.
    trail.app = App::new(ports(&trail.sample));
    open(&trail, &local);
    assert_eq!(views(&trail), 3);
    trail.sample.clock.advance(1);
    open(&trail, &local);
    open(&trail, &local);
    assert_eq!(views(&trail), 4);
    // What is not there was not seen.
    let nothing = trail
        .app
        .session_file(&local, SessionUid::from_bytes([1; 16]));
    assert!(matches!(nothing, Err(ReadingError::NoSession { .. })));
    let stranger = Principal {
        scopes: vec![Scope::Ingest],
        ..ana
    };
    assert!(trail.app.finding_file(&stranger, finding.id).is_err());
    assert!(trail.app.open_identity(&stranger, "ana").is_err());
    trail.app.close_views().unwrap();
    assert_eq!(views(&trail), 4);
}

#[test]
fn views_beyond_a_limit_are_counted() {
    let mut trail = Trail::of("ana");
    let (_, identity) = trail.finding();
    let token = |name: String| Principal {
        name: name.into(),
        scopes: vec![Scope::Read],
        ..Principal::local()
    };
    let polling = token("token:dt_1".to_owned());
    let who = identity.id.to_string();
    // As many different things as it may see in an hour, and three more.
    let uids: Vec<String> = (0..VIEWS_PER_HOUR_MAX + 2).map(|n| n.to_string()).collect();
    for id in &uids {
        let record = access_key(&format!("user{id}"), id);
        let delivery = Delivery {
            source: Some(&SourceName::new("aws.cloudtrail").unwrap()),
            encoding: Encoding::Identity,
            body: record.as_bytes(),
        };
        trail.app.ingest(&Principal::local(), delivery).unwrap();
    }
    trail.settle();
    trail.app.open_identity(&polling, &who).unwrap();
    for id in &uids {
        trail
            .app
            .open_identity(&polling, &format!("user{id}"))
            .unwrap();
        trail.app.write_views().unwrap();
    }
    let limit = usize::try_from(VIEWS_PER_HOUR_MAX).unwrap();
    assert_eq!(trail.entries("viewed").0, limit);
    assert_eq!(trail.app.views.unwritten(), 3);
    assert_eq!(trail.entries("views counted only").0, 0);
    // Others have their own.
    trail.app.open_identity(&Principal::local(), &who).unwrap();
    trail.sample.clock.advance(VIEW_AGAIN_US);
    trail.app.write_views().unwrap();
    trail.app.write_views().unwrap();
    assert_eq!(trail.entries("viewed").0, limit + 1);
    let (counts, text) = trail.entries("views counted only");
    assert_eq!(counts, 1);
    assert!(
        text.starts_with("token:dt_1 views counted only: 3 since "),
        "{text}"
    );
    // They may have been views of anything.
    let bundle = trail.export(&who);
    let left_out = bundle.completeness.custody_left_out;
    assert!(
        left_out.iter().any(|it| it.contains("counted only")),
        "{left_out:?}"
    );
    // The next hour has turns again.
    trail.app.open_identity(&polling, &who).unwrap();
    trail.app.write_views().unwrap();
    assert_eq!(trail.entries("viewed").0, limit + 2);
}

#[test]
fn a_full_disk_keeps_nobody_from_reading_and_is_counted() {
    let mut trail = Trail::of("ana");
    let (finding, _) = trail.finding();
    let local = Principal::local();
    trail.sample.log.refuse_with(Some(Refusal::DiskFull));
    for _ in 0..3 {
        trail.app.finding_file(&local, finding.id).unwrap();
        assert!(trail.app.write_views().is_err());
    }
    assert_eq!(trail.app.views.unwritten(), 3);
    // A count that cannot be written is not lost, and is not tried again at once.
    trail.sample.clock.advance(VIEW_AGAIN_US);
    assert!(trail.app.write_views().is_err());
    assert!(trail.app.write_views().is_ok());
    trail.sample.log.refuse_with(None);
    trail.app.finding_file(&local, finding.id).unwrap();
    trail.app.close_views().unwrap();
    trail.settle();
    assert_eq!(trail.entries("viewed").0, 1);
    let (counts, text) = trail.entries("views counted only");
    assert_eq!(counts, 1);
    assert!(
        text.starts_with("local views counted only: 3 since "),
        "{text}"
    );
}
