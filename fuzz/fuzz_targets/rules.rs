//! Any text as a rule file, and any bytes as the record it sees: no panic, the same answer twice.
//! Up to the first zero byte it is the rule, after it the record.
#![no_main]

use std::sync::{Arc, LazyLock};

use deedtrail_core::event::{Event, EvidenceGrade, MappedEvent, TimeQuality};
use deedtrail_core::id::{EventUid, SourceName, TenantId};
use deedtrail_core::port::mapper::{Mapper as _, SourceFacts};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::{Detector, Observation, RuleFile, RuleSet, Settings};
use deedtrail_sources::Registry;
use libfuzzer_sys::fuzz_target;

const RECORD: &[u8] = include_bytes!("../seeds/rules.record.json");

static EVENT: LazyLock<(Event, SourceFacts)> = LazyLock::new(|| {
    let registry = Registry::built_in().expect("the mappings of this build compile");
    let name = SourceName::new("aws.cloudtrail").expect("a name");
    let mut mapped = registry.map(&name, RECORD).expect("the record is sound");
    let source = registry
        .sources()
        .into_iter()
        .find(|source| source.name == name);
    (
        event(name, mapped.events.remove(0)),
        source.expect("the source is there"),
    )
});

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let text = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let record = parts.next().unwrap_or(RECORD);
    let found = run(&text, record);
    assert_eq!(
        found,
        run(&text, record),
        "detection is not a function of its input"
    );
});

/// What loading says and what two observations of the same event bring, as text.
fn run(text: &str, record: &[u8]) -> String {
    let file = RuleFile {
        path: "area/name/rule.yml".to_owned(),
        text: text.to_owned(),
    };
    let (rules, problems) = RuleSet::load(&[file]);
    let rules = Arc::new(rules);
    let mut detector = Detector::new(Arc::clone(&rules), Settings::default());
    let (event, source) = &*EVENT;
    let observation = Observation {
        event,
        identity: None,
        credential: None,
        record,
        source,
    };
    let first = detector.observe(&observation);
    let later = detector.advance(event.time_effective.plus_micros(Timestamp::HOUR_US));
    let snapshot = detector.snapshot();
    let restored = Detector::restore(rules, Settings::default(), &snapshot);
    let mut restored = restored.expect("our own snapshot");
    let second = detector.observe(&observation);
    assert_eq!(
        second,
        restored.observe(&observation),
        "a restart changes what is found"
    );
    format!("{problems:?}{first:?}{later:?}{second:?}")
}

fn event(source: SourceName, mapped: MappedEvent) -> Event {
    let time = mapped.time.unwrap_or(Timestamp::from_micros(0));
    Event {
        event_uid: EventUid::derive(&[b"event"]),
        log_origin: "log".into(),
        log_seq: 1,
        ordinal: 0,
        mapping_version: "1".into(),
        derived_at: 1,
        tenant: TenantId::default(),
        source,
        source_uid: None,
        time_received: time,
        time_effective: time,
        time_quality: TimeQuality::Vendor,
        actor_alias_uid: None,
        on_behalf_of_uid: None,
        credential_uid: None,
        session_uid: None,
        target_uid: None,
        device_uid: None,
        message_uid: None,
        link_uid: None,
        risk_decision: None,
        id_conflict: false,
        evidence_grade: EvidenceGrade::A,
        mapped,
    }
}
