//! Use cases at their limits: whose events, how many, in which order things are written.

use std::sync::Arc;

use deedtrail_app::access::{Principal, scope_name};
use deedtrail_app::evidence::BUNDLE_EVENTS_MAX;
use deedtrail_app::findings::Conclusion;
use deedtrail_app::intake::{Delivery, KeyMaker};
use deedtrail_app::timeline::{IdentityFile, ReadingError};
use deedtrail_app::{App, Ports};
use deedtrail_core::event::Event;
use deedtrail_core::finding::FindingStatus;
use deedtrail_core::id::{EventUid, SourceName, TenantId};
use deedtrail_core::limits::NOTE_CHARACTERS_MAX;
use deedtrail_core::port::archive::{Archive as _, EventFilter};
use deedtrail_core::port::log::{EntryKind, EvidenceLog, NewEntry, Part, PartClass, Secrets};
use deedtrail_core::port::mapper::Encoding;
use deedtrail_core::port::store::{FindingFilter, Progress, Quarantined, Scope, Store as _};
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::Refusal;
use deedtrail_testkit::sample::Sample;

use crate::installation::ports;
use crate::odd_log::OddLog;

fn app(sample: &Sample, log: Arc<dyn EvidenceLog>) -> App {
    App::new(Ports {
        log,
        mapper: Arc::clone(&sample.mapper) as _,
        ..ports(sample)
    })
}

/// An event of somebody, and who that is.
fn somebody(sample: &Sample, app: &App) -> (Event, IdentityFile) {
    let events = sample.archive.events(&EventFilter::default(), None, 99);
    let events = events.unwrap().into_iter();
    let found = events.filter_map(|event| {
        let alias = event.mapped.actor_aliases.first()?.value.clone();
        let file = app.find_identity(&Principal::local(), &alias).ok()?;
        Some((event, file))
    });
    found.into_iter().next().unwrap()
}

/// Copies of an event, a second apart, the first one at `from`.
fn add_copies(sample: &Sample, event: &Event, from: Timestamp, count: i64) {
    let first = sample.log.end().max(sample.archive.covered());
    let copy = |number: i64| Event {
        event_uid: EventUid::derive(&[b"copy", &number.to_be_bytes()]),
        log_seq: first + number.unsigned_abs(),
        time_effective: from.plus_micros(number * Timestamp::SECOND_US),
        ..event.clone()
    };
    let through = first + count.unsigned_abs();
    let copies = (0..count).map(copy).collect();
    sample.archive.add(copies, through).unwrap();
}

#[test]
fn an_export_is_whole_or_says_how_to_narrow_it() {
    let sample = Sample::story();
    let app = app(&sample, Arc::clone(&sample.log) as _);
    let local = Principal::local();
    let (event, file) = somebody(&sample, &app);
    let id = file.identity.id.to_string();
    let from = event.time_effective.plus_micros(Timestamp::DAY_US * 999);
    let count = i64::try_from(BUNDLE_EVENTS_MAX).unwrap() + 1;
    add_copies(&sample, &event, from, count);
    let export = |from| app.select_evidence(&local, &id, (from, None), Secrets::Included);

    let error = export(Some(from)).unwrap_err();
    let narrow = from.plus_micros(1);
    assert!(
        matches!(error, ReadingError::TooMany { from, .. } if from == narrow),
        "{error}"
    );
    assert!(error.to_string().contains(&format!("--from {narrow}")));
    assert_eq!(
        export(Some(narrow)).unwrap().events.len(),
        BUNDLE_EVENTS_MAX
    );
}

#[test]
fn nobody_sees_another_tenants_events() {
    let sample = Sample::story();
    let app = app(&sample, Arc::clone(&sample.log) as _);
    let local = Principal::local();
    let other = Principal {
        tenant: TenantId::new("other").unwrap(),
        ..Principal::local()
    };
    let (event, file) = somebody(&sample, &app);
    let seen = |who: &Principal| {
        let all = app.events(who, &EventFilter::default(), None, 9).unwrap();
        let timeline = app.timeline(who, &file, (None, None), None, 9).unwrap();
        let one = app.event_file(who, event.event_uid).is_ok();
        (!all.is_empty(), !timeline.is_empty(), one)
    };
    assert_eq!(seen(&local), (true, true, true));
    assert_eq!(seen(&other), (false, false, false));
    let id = file.identity.id.to_string();
    // Of an identity of somebody else it is said what is said of one that is not there.
    let unknown = "00000000000000000000000000000001";
    let refused = |who: &str| {
        let export = app.select_evidence(&other, who, (None, None), Secrets::Withheld);
        let found = app.find_identity(&other, who).unwrap_err().to_string();
        let export = export.unwrap_err().to_string();
        assert_eq!(export, found, "{who}");
        export.replace(who, "WHO")
    };
    let said = refused(unknown);
    assert!(said.contains("nobody is called `WHO`"), "{said}");
    let alias = file.aliases.first().unwrap();
    let named = format!("{}:{}", alias.namespace, alias.value);
    for who in [
        &id,
        id.get(..12).unwrap(),
        &file.identity.name,
        &alias.value,
        &named,
    ] {
        assert_eq!(refused(who), said, "{who}");
    }
}

#[test]
fn an_identity_without_names_has_no_events() {
    let sample = Sample::story();
    let app = app(&sample, Arc::clone(&sample.log) as _);
    let local = Principal::local();
    let file = IdentityFile {
        aliases: Vec::new(),
        ..somebody(&sample, &app).1
    };
    let events = app.timeline(&local, &file, (None, None), None, 9).unwrap();
    assert!(events.is_empty(), "{events:#?}");
}

#[test]
fn what_cannot_be_recorded_is_not_done() {
    let sample = Sample::story();
    let app = app(&sample, Arc::clone(&sample.log) as _);
    let local = Principal::local();
    let read = || vec![Scope::Read];
    let token = app.create_token(&local, "first", read(), None).unwrap();
    let link = app.create_sign_in_link(&local, "ana", read()).unwrap();
    let findings = sample.store.findings(&FindingFilter::default(), 1).unwrap();
    let (id, (_, file)) = (findings[0].id, somebody(&sample, &app));

    sample.log.refuse_with(Some(Refusal::DiskFull));
    app.create_token(&local, "second", read(), None)
        .unwrap_err();
    app.revoke_token(&local, &token.record.prefix).unwrap_err();
    app.create_sign_in_link(&local, "bo", read()).unwrap_err();
    app.redeem_sign_in_link(&link).unwrap_err();
    let note = format!(" {}\r\n", "é".repeat(NOTE_CHARACTERS_MAX));
    let closed = Conclusion {
        status: FindingStatus::Closed,
        disposition: Some("benign"),
        note: Some(&note),
    };
    app.decide_finding(&local, id, closed).unwrap_err();
    let who = file.identity.id.to_string();
    app.select_evidence(&local, &who, (None, None), Secrets::Withheld)
        .unwrap_err();

    let tokens = sample.store.tokens().unwrap();
    let kept: Vec<_> = tokens.iter().filter(|t| t.revoked.is_none()).collect();
    assert!(kept.iter().any(|t| t.prefix == token.record.prefix));
    assert!(kept.iter().all(|t| t.name != "second"), "{kept:#?}");
    assert_eq!(sample.store.finding(id).unwrap().unwrap(), findings[0]);

    sample.log.refuse_with(None);
    assert!(app.revoke_token(&local, &token.record.prefix).unwrap());
    assert!(!app.revoke_token(&local, &token.record.prefix).unwrap());
    let decided = app.decide_finding(&local, id, closed).unwrap();
    assert_eq!(decided.note.as_deref(), Some(note.trim()));
    let entries = sample.log.read(0, 1_000_000).unwrap();
    let text = &entries.last().unwrap().entry.parts[0].bytes;
    assert!(text.ends_with(note.trim().as_bytes()));
    let long = Conclusion {
        note: Some(&"é".repeat(NOTE_CHARACTERS_MAX + 1)),
        ..closed
    };
    let refused = app.decide_finding(&local, id, long).unwrap_err();
    assert!(refused.to_string().contains("2000 characters"), "{refused}");
    let silent = Conclusion {
        note: Some(" \n"),
        ..closed
    };
    assert_eq!(app.decide_finding(&local, id, silent).unwrap().note, None);
    let unsaid = Conclusion {
        disposition: None,
        ..silent
    };
    let refused = app.decide_finding(&local, id, unsaid).unwrap_err();
    assert!(refused.to_string().contains("say what it was"), "{refused}");
    let opened = Conclusion {
        status: FindingStatus::Open,
        ..unsaid
    };
    assert!(app.decide_finding(&local, id, opened).is_ok());
    assert_eq!(scope_name(token.record.scopes[0]), "read");
}

#[test]
fn a_configurations_place_is_its_own_whoever_appends_meanwhile() {
    let sample = Sample::empty();
    let app = app(&sample, OddLog::watched(&sample.log));
    for place in [1, 3] {
        let through = app.append_configuration(&Principal::local(), "rules", b"x".to_vec());
        assert_eq!(through.unwrap(), place);
    }
}

/// One file is sent in several parts.
#[test]
fn records_that_are_alike_are_two_in_one_file_and_one_in_two() {
    let sample = Sample::empty();
    let app = app(&sample, Arc::clone(&sample.log) as _);
    let source = SourceName::new("okta.system").unwrap();
    let take = |keys: &mut KeyMaker| {
        let delivery = Delivery {
            source: Some(&source),
            encoding: Encoding::Identity,
            body: br#"{"operation":"twin"}"#,
        };
        let answer = app.ingest_part(&Principal::local(), delivery, keys);
        let answer = answer.unwrap();
        (answer.accepted, answer.duplicates)
    };
    let mut keys = KeyMaker::default();
    assert_eq!([take(&mut keys), take(&mut keys)], [(1, 0), (1, 0)]);
    let mut again = KeyMaker::default();
    assert_eq!([take(&mut again), take(&mut again)], [(0, 1), (0, 1)]);
}

#[test]
fn a_replay_of_much_appends_little_at_a_time() {
    let sample = Sample::empty();
    let log = OddLog::watched(&sample.log);
    let app = app(&sample, Arc::clone(&log) as _);
    let source = SourceName::new("okta.system").unwrap();
    let entry = |content: String| NewEntry {
        kind: EntryKind::Quarantined,
        tenant: TenantId::default(),
        source: Some(source.clone()),
        received: Timestamp::default(),
        idempotency_key: None,
        note: "x: y".into(),
        parts: vec![Part {
            class: PartClass::Plain,
            key_id: 0,
            bytes: content.into_bytes(),
        }],
    };
    let wide = format!(r#"{{"operation":"{}"}}"#, "x".repeat(8_000));
    let mut entries: Vec<NewEntry> = (0..1_500).map(|_| entry(wide.clone())).collect();
    entries.push(entry("still broken".to_owned()));
    sample.log.append(entries).unwrap();
    let waiting = |sequence| Quarantined {
        tenant: TenantId::default(),
        dismissal: None,
        sequence,
        source: source.clone(),
        code: "x".into(),
        reason: "y".into(),
        received: Timestamp::default(),
        bytes: 8_000,
    };
    let progress = Progress {
        quarantined: (0..sample.log.end()).map(waiting).collect(),
        ..Progress::default()
    };
    sample.store.save(progress).unwrap();

    let answer = app.replay_quarantine(&Principal::local(), None).unwrap();
    assert_eq!(
        (answer.tried, answer.released, answer.waiting),
        (1_501, 1_500, 1)
    );
    let appends = log.appends.as_ref().unwrap().lock().unwrap().clone();
    assert_eq!(
        appends[1..]
            .iter()
            .map(|(records, _)| records)
            .sum::<usize>(),
        1_500
    );
    let largest = appends.iter().map(|(_, bytes)| *bytes).max().unwrap();
    assert!(largest < (4 << 20) + 9_000, "{appends:?}");
}

#[test]
fn nobody_is_revealed_whom_the_log_cannot_record() {
    let sample = Sample::hostile();
    let app = app(&sample, Arc::clone(&sample.log) as _);
    let local = Principal::local();
    let list = app.insider_risk(&local).unwrap();
    let person = &list.people[0].person;
    sample.log.refuse_with(Some(Refusal::DiskFull));
    let refused = app.reveal_person(&local, person, "case 17");
    assert!(matches!(refused, Err(ReadingError::Append(_))));
    sample.log.refuse_with(None);
    let reader = Principal {
        scopes: vec![Scope::Read],
        ..local.clone()
    };
    let denied = app.reveal_person(&reader, person, "case 17");
    assert!(matches!(denied, Err(ReadingError::Denied(_))));
    app.reveal_person(&local, person, "case 17").unwrap();
}

#[test]
fn an_export_tells_who_decided_and_what_is_missing() {
    let sample = Sample::story();
    let app = app(&sample, Arc::clone(&sample.log) as _);
    let local = Principal::local();
    let findings = sample
        .store
        .findings(&FindingFilter::default(), 50)
        .unwrap();
    let rests = findings.iter().find(|one| !one.draft.events.is_empty());
    let id = rests.unwrap().id;
    let closed = Conclusion {
        status: FindingStatus::Closed,
        disposition: Some("benign"),
        note: None,
    };
    app.decide_finding(&local, id, closed).unwrap();
    let who = id.to_string();
    let export = || app.select_evidence(&local, &who, (None, None), Secrets::Withheld);
    let kinds = |custody: &[u64]| -> Vec<String> {
        let text = |at: &u64| sample.log.read(*at, 1).unwrap()[0].entry.note.to_string();
        custody.iter().map(text).collect()
    };
    // The entry of this very export is told though it is not processed yet.
    let first = export().unwrap();
    assert_eq!(kinds(&first.custody), ["evidence exported"]);
    let sources = first.events.iter().map(|event| &event.source);
    let sources: std::collections::BTreeSet<_> = sources.collect();
    let said = first
        .completeness
        .sources
        .iter()
        .map(|source| &source.source);
    let said: Vec<_> = said.collect();
    assert!(!said.is_empty(), "{sources:?}");
    assert!(
        said.iter().all(|source| sources.contains(source)),
        "{said:?} of {sources:?}"
    );
    for source in &first.completeness.sources {
        assert_eq!(source.says.len(), 3, "{source:?}");
    }
}
