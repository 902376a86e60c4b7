//! Events per second of processor time on one core, with the rules of this repository:
//! `cargo run --release -p deedtrail-detect --example throughput`.
#![expect(clippy::print_stdout, reason = "the figures are this program's output")]
#![expect(
    clippy::unwrap_used,
    reason = "a measurement stops at the first surprise"
)]

use std::path::Path;
use std::sync::Arc;

use deedtrail_charter::Library;
use deedtrail_core::action::Action;
use deedtrail_core::event::{
    ActorKind, Alias, Event, EvidenceGrade, MappedEvent, OutcomeClass, TimeQuality,
};
use deedtrail_core::id::{AliasUid, CredentialUid, EventUid, IdentityId, SourceName, TenantId};
use deedtrail_core::identity::{Declared, Identity, IdentityStatus};
use deedtrail_core::port::mapper::{SigmaLogsource, SourceFacts};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::{Detector, Observation, RuleFile, RuleSet, Settings};

const EVENTS: u64 = 400_000;
const IDENTITIES: u64 = 2_000;

/// Binds every identity, and is departed from by few events.
const CHARTER: &str = "\
charter: everybody
identities: \"*:*\"
purpose: Works.
owner: owner@example.com
allow:
  - operation: [\"s3:*\", \"Get*\", \"List*\", \"Put*\", \"*\"]
    target: [\"*\"]
never:
  - action: [destroy, logging_change]
when: { hours: \"00:00-24:00\", zone: Europe/Berlin }
limits: { distinct_targets_per_minute: 1000, events_per_hour: 1000000 }
";

fn main() {
    let mut files = Vec::new();
    read_rules(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules")),
        &mut files,
    );
    let (rules, problems) = RuleSet::load(&files);
    println!("{} rules, {} problems", rules.rules().len(), problems.len());
    let rules = Arc::new(rules);
    let source = SourceFacts {
        name: SourceName::new("aws.cloudtrail").unwrap(),
        title: "CloudTrail".to_owned(),
        sigma: vec![SigmaLogsource {
            product: Some("aws".to_owned()),
            service: Some("cloudtrail".to_owned()),
            category: None,
        }],
        mapping_version: "1".to_owned(),
        planes: Vec::new(),
        system: None,
        field_aliases: Vec::new(),
    };
    let identities = (0..IDENTITIES).map(identity).collect::<Vec<_>>();
    let events = (0..EVENTS)
        .map(|n| event(n, &identities))
        .collect::<Vec<_>>();
    let none = Arc::new(RuleSet::default());
    for (label, set, library, charter) in [
        ("no unsafe sequences", &none, Arc::default(), None),
        ("code detectors only", &none, Library::shipped(), None),
        (
            "a charter for all",
            &none,
            Library::shipped(),
            Some(CHARTER),
        ),
        ("with rules", &rules, Library::shipped(), None),
    ] {
        let mut detector = Detector::new(Arc::clone(set), Settings::default());
        detector.replace_library(library);
        if let Some(text) = charter {
            detector
                .approve_charter(&TenantId::default(), text, 1)
                .unwrap();
        }
        let begun = processor_seconds();
        let mut said = 0;
        for (n, (event, record)) in events.iter().enumerate() {
            said += detector
                .observe(&Observation {
                    event,
                    identity: Some(&identities[n % identities.len()]),
                    credential: None,
                    record,
                    source: &source,
                })
                .len();
        }
        let seconds = processor_seconds() - begun;
        let begun = processor_seconds();
        let snapshot = detector.snapshot();
        println!(
            "{label}: {:.0} events/s ({said} drafts), snapshot {} KiB in {:.0} ms",
            f64::from(u32::try_from(EVENTS).unwrap()) / seconds,
            snapshot.len() >> 10,
            (processor_seconds() - begun) * 1000.0,
        );
    }
}

/// Time this thread has run on a processor so far, so that a busy machine does not distort.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = text.split(' ').next().unwrap();
    nanoseconds.parse::<f64>().unwrap() / 1e9
}

fn read_rules(folder: &Path, files: &mut Vec<RuleFile>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_rules(&path, files);
        } else if path.file_name().is_some_and(|name| name == "rule.yml") {
            let text = std::fs::read_to_string(&path).unwrap();
            files.push(RuleFile {
                path: path.display().to_string(),
                text,
            });
        }
    }
}

fn identity(n: u64) -> Identity {
    let alias = AliasUid::of(
        &TenantId::default(),
        "aws.arn",
        &format!("arn:aws:iam::1:user/u{n}"),
    );
    Identity {
        id: IdentityId::discovered(alias),
        tenant: TenantId::default(),
        kind: [
            ActorKind::Human,
            ActorKind::ServiceAccount,
            ActorKind::Workload,
        ][usize::try_from(n % 3).unwrap()],
        name: format!("u{n}").into(),
        status: IdentityStatus::Active,
        discovered: false,
        first_alias: alias,
        created: None,
        first_seen: None,
        last_seen: None,
        declared: Declared::default(),
    }
}

fn event(n: u64, identities: &[Identity]) -> (Event, Vec<u8>) {
    let who = &identities[usize::try_from(n % IDENTITIES).unwrap()];
    let (operation, action) = deed(n);
    let time = Timestamp::from_micros(1_780_000_000_000_000)
        .plus_micros(i64::try_from(n).unwrap() * 5 * Timestamp::SECOND_US);
    let target = format!("bucket-{}/part-{}", n % 40, n % 900);
    let mapped = MappedEvent {
        time: Some(time),
        system: "aws".into(),
        account: Some("111122223333".into()),
        actor_kind: who.kind,
        actor_name: Some(who.name.clone()),
        actor_aliases: vec![Alias {
            namespace: "aws.arn".into(),
            value: who.name.clone(),
        }],
        credential_ref: Some(format!("AKIA{}", n % IDENTITIES).into()),
        operation: operation.into(),
        action,
        meaningful: true,
        target_kind: Some("bucket".into()),
        target_name: Some(target.as_str().into()),
        outcome: if n.is_multiple_of(50) {
            OutcomeClass::Denied
        } else {
            OutcomeClass::Success
        },
        src_ip: Some(format!("192.0.2.{}", n % 7).into()),
        src_asn: Some(64500),
        src_country: Some("DE".into()),
        user_agent: Some("aws-sdk-rust/1.0 os/linux".into()),
        ..MappedEvent::default()
    };
    let event = Event {
        event_uid: EventUid::derive(&[&n.to_le_bytes()]),
        log_origin: "log".into(),
        log_seq: n,
        ordinal: 0,
        mapping_version: "1".into(),
        derived_at: n,
        tenant: TenantId::default(),
        source: SourceName::new("aws.cloudtrail").unwrap(),
        source_uid: Some(format!("e{n}").into()),
        time_received: time,
        time_effective: time,
        time_quality: TimeQuality::Vendor,
        actor_alias_uid: Some(who.first_alias),
        on_behalf_of_uid: None,
        credential_uid: Some(CredentialUid::derive(&[&(n % IDENTITIES).to_le_bytes()])),
        session_uid: None,
        target_uid: None,
        device_uid: None,
        message_uid: None,
        link_uid: None,
        risk_decision: None,
        id_conflict: false,
        evidence_grade: EvidenceGrade::A,
        mapped,
    };
    (event, record(n, &who.name, operation, &target))
}

/// A `CloudTrail` record of usual size (1.1 kB).
fn record(n: u64, name: &str, operation: &str, target: &str) -> Vec<u8> {
    format!(
        r#"{{"eventVersion":"1.09","userIdentity":{{"type":"IAMUser","principalId":"AIDA{n}","arn":"arn:aws:iam::111122223333:user/{name}","accountId":"111122223333","accessKeyId":"AKIA{n}","userName":"{name}","sessionContext":{{"attributes":{{"creationDate":"2026-03-02T00:00:00Z","mfaAuthenticated":"false"}}}}}},"eventTime":"2026-03-02T00:00:00Z","eventSource":"s3.amazonaws.com","eventName":"{operation}","awsRegion":"eu-central-1","sourceIPAddress":"192.0.2.{ip}","userAgent":"aws-sdk-rust/1.0 os/linux","requestParameters":{{"bucketName":"{target}","key":"x","Host":"s3.amazonaws.com"}},"responseElements":null,"additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredOut":1024}},"requestID":"r{n}","eventID":"e{n}","readOnly":true,"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333","eventCategory":"Data"}}"#,

        ip = n % 7,
    )
    .into_bytes()
}

/// What the n-th event does.
fn deed(n: u64) -> (&'static str, Action) {
    let operations = [
        ("GetObject", Action::Read),
        ("ListBuckets", Action::Enumerate),
        ("PutObject", Action::Write),
        ("ConsoleLogin", Action::Authenticate),
        ("DescribeInstances", Action::Enumerate),
        ("GetSecretValue", Action::SecretRead),
        ("AssumeRole", Action::SessionChange),
        ("UpdateService", Action::Deploy),
    ];
    // Mostly reading and listing, as in a feed of a working day; secrets and sign-ins are rare.
    let weighted = [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 4, 4, 4, 6, 6, 6, 7, 3];
    let place = if (n / IDENTITIES).is_multiple_of(50) {
        5
    } else {
        weighted[usize::try_from((n / 7) % 20).unwrap()]
    };
    operations[place]
}
