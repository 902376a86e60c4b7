//! One person over Okta, GitHub and AWS, from the records to one joined timeline.

use std::sync::Arc;

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::intake::Delivery;
use deedtrail_app::pipeline::Pipeline;
use deedtrail_app::session::NothingBlind;
use deedtrail_core::event::Environment;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::archive::{Archive as _, EventFilter};
use deedtrail_core::port::mapper::Encoding;
use deedtrail_core::port::store::{FindingFilter, SessionFilter, Store as _};
use deedtrail_core::session::{JoinBy, KnownBy, SessionVerdict};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::RuleSet;
use deedtrail_testkit::sample::Sample;
use serde_json::{Value, json};

use crate::installation::{detection_with, ports};

fn signs_in(minute: u32, operation: &str, application: Option<&str>) -> Value {
    let target = application
        .map(|name| json!([{ "id": "0oa1", "type": "AppInstance", "displayName": name }]));
    json!({
        "actor": { "id": "00u1ana", "type": "User", "alternateId": "ana@example.com", "displayName": "Ana" },
        "client": { "ipAddress": "192.0.2.20", "userAgent": { "rawUserAgent": "Mozilla/5.0" } },
        "authenticationContext": { "externalSessionId": "102ana0session" },
        "eventType": operation,
        "outcome": { "result": "SUCCESS" },
        "published": format!("2026-11-18T08:{minute:02}:00.000Z"),
        "uuid": format!("10000000-0000-4000-8000-0000000000{minute:02}"),
        "target": target,
    })
}

fn pushes(minute: u32) -> Value {
    json!({
        "@timestamp": format!("2026-11-18T08:{minute:02}:00.000Z"),
        "_document_id": format!("push-{minute}"),
        "action": "git.push",
        "actor": "ana-dev",
        "actor_ip": "192.0.2.20",
        "external_identity_nameid": "ana@example.com",
        "user_agent": "git/2.45",
        "repo": "acme/payments",
        "org": "acme",
        "request_id": format!("{minute}"),
    })
}

fn call(minute: u32, who: &Value, name: &str, service: &str, more: &Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.10",
        "eventID": format!("e-{minute}"),
        "eventTime": format!("2026-11-18T08:{minute:02}:00Z"),
        "eventSource": service,
        "eventName": name,
        "awsRegion": "eu-central-1",
        "recipientAccountId": "123456789012",
        "sourceIPAddress": "192.0.2.20",
        "userAgent": "aws-cli/2",
        "userIdentity": who,
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        record[key] = value.clone();
    }
    record
}

/// Ana signs in, pushes, assumes a role and deletes a bucket with it; and opens an application
/// without a feed.
fn day() -> Vec<(&'static str, Value)> {
    let ana = json!({
        "type": "IAMUser", "principalId": "AIDAANA", "accountId": "123456789012",
        "arn": "arn:aws:iam::123456789012:user/ana", "accessKeyId": "AKIAANA", "userName": "ana"
    });
    let role = json!({
        "type": "AssumedRole", "principalId": "AROADEPLOY:ana@example.com",
        "arn": "arn:aws:sts::123456789012:assumed-role/deploy/ana@example.com",
        "accountId": "123456789012", "accessKeyId": "ASIAROLE",
        "sessionContext": {
            "sessionIssuer": { "type": "Role", "principalId": "AROADEPLOY", "userName": "deploy",
                "arn": "arn:aws:iam::123456789012:role/deploy", "accountId": "123456789012" },
            "attributes": { "creationDate": "2026-11-18T08:06:00Z", "mfaAuthenticated": "true" }
        }
    });
    let issued = json!({
        "requestParameters": { "roleArn": "arn:aws:iam::123456789012:role/deploy", "roleSessionName": "ana@example.com" },
        "responseElements": { "credentials": { "accessKeyId": "ASIAROLE", "expiration": "x" } }
    });
    let bucket = json!({ "requestParameters": { "bucketName": "orders" }, "readOnly": false });
    vec![
        ("okta.system", signs_in(0, "user.session.start", None)),
        (
            "okta.system",
            signs_in(1, "user.authentication.sso", Some("Salesforce")),
        ),
        ("github.audit", pushes(3)),
        ("github.audit", pushes(4)),
        (
            "aws.cloudtrail",
            call(6, &ana, "AssumeRole", "sts.amazonaws.com", &issued),
        ),
        (
            "aws.cloudtrail",
            call(20, &role, "DeleteBucket", "s3.amazonaws.com", &bucket),
        ),
    ]
}

fn lived(order: &[usize]) -> Sample {
    let day = day();
    processed(order.iter().map(|place| &day[*place]))
}

/// An installation that has processed these records while a server ticked.
pub(crate) fn processed<'a>(records: impl Iterator<Item = &'a (&'a str, Value)>) -> Sample {
    taken(records, |sample, app| {
        for _ in 0..3 {
            sample.clock.advance(Timestamp::MINUTE_US);
            app.tick().unwrap();
        }
    })
}

fn taken<'a>(
    records: impl Iterator<Item = &'a (&'a str, Value)>,
    then: impl FnOnce(&Sample, &App),
) -> Sample {
    let sample = Sample::empty();
    let detection = detection_with(Arc::new(RuleSet::default()));
    let mut pipeline = Pipeline::open(ports(&sample), detection, [7; 32]).unwrap();
    let app = App::new(ports(&sample));
    for (source, record) in records {
        let record = record.to_string();
        let delivery = Delivery {
            source: Some(&SourceName::new(source).unwrap()),
            encoding: Encoding::Identity,
            body: record.as_bytes(),
        };
        let answer = app.ingest(&Principal::local(), delivery).unwrap();
        assert_eq!(answer.accepted, 1, "{source}");
    }
    then(&sample, &app);
    while pipeline.step().unwrap() {}
    sample
}

#[test]
fn one_person_over_three_systems_is_one_timeline() {
    for order in [[0, 1, 2, 3, 4, 5], [5, 4, 2, 0, 1, 3]] {
        let sample = lived(&order);
        let app = App::new(ports(&sample));
        let principal = Principal::local();
        let sessions = app
            .sessions(&principal, &SessionFilter::default(), 99)
            .unwrap();
        let systems: Vec<_> = sessions.iter().map(|s| s.systems.join(" ")).collect();
        let okta = sessions.iter().find(|s| s.systems.contains(&"okta".into()));
        let okta = okta.unwrap_or_else(|| panic!("{systems:?}"));
        assert_eq!(okta.known_by, KnownBy::VendorId);
        let file = app.session_file(&principal, okta.uid).unwrap();
        let bys: Vec<JoinBy> = file.joins.iter().map(|join| join.by).collect();
        assert!(bys.contains(&JoinBy::IssuedCredential), "{bys:?}");
        assert!(bys.contains(&JoinBy::IdentityNetwork), "{bys:?}");
        let steps = file.next_steps();
        let told: Vec<_> = steps
            .iter()
            .map(|s| (s.act.system.as_str(), s.gap_s))
            .collect();
        assert_eq!(
            told,
            [
                ("okta", None),
                ("okta", None),
                ("github", None),
                ("aws", None),
                ("aws", Some(14 * 60)),
            ],
            "{systems:?} {bys:?}"
        );
        assert_eq!(steps[2].act.times, 2, "two pushes are one entry");
        let role = file
            .joined
            .iter()
            .find(|s| s.verdict == SessionVerdict::Destructive);
        let role = role.unwrap_or_else(|| panic!("{:?}", file.joined));
        assert_eq!(
            role.blast.destroyed.things[0].environment,
            Environment::Unknown
        );
        assert!(role.trust.lowest < 80, "{:?}", role.trust);
    }
}

#[test]
fn every_event_of_an_actor_has_a_session_and_blind_ones_are_told() {
    let sample = lived(&[0, 1, 2, 3, 4, 5]);
    let events = sample
        .archive
        .events(&EventFilter::default(), None, 99)
        .unwrap();
    assert_eq!(events.len(), 6);
    assert!(events.iter().all(|event| event.session_uid.is_some()));
    let findings = sample
        .store
        .findings(&FindingFilter::default(), 99)
        .unwrap();
    let blind = findings.iter().filter(|f| f.draft.kind == "blind_session");
    let titles: Vec<_> = blind.map(|finding| finding.draft.title.as_str()).collect();
    assert_eq!(titles.len(), 1, "{titles:?}");
    assert!(titles[0].contains("Salesforce"), "{titles:?}");
    let map = App::new(ports(&sample))
        .blind_map(&Principal::local(), 9)
        .unwrap();
    assert_eq!(map.systems, [("Salesforce".into(), 1)]);
}

#[test]
fn without_a_server_blind_sessions_are_told_when_the_log_rests() {
    let day = day();
    let told = |sample: &Sample| -> Vec<String> {
        let map = App::new(ports(sample)).blind_map(&Principal::local(), 9);
        let rows = map.unwrap().rows;
        rows.iter().map(|row| row.system.to_string()).collect()
    };
    let rested = taken(day.iter(), |_, app| app.rest().unwrap());
    assert_eq!(told(&rested), ["Salesforce"]);
    let waiting = taken(day.iter(), |_, _| {});
    assert_eq!(told(&waiting), [""; 0]);
}

#[test]
fn an_empty_map_of_blind_sessions_says_why() {
    let day = day();
    let why = |sample: &Sample| {
        let app = App::new(ports(sample));
        app.nothing_blind(&Principal::local()).unwrap()
    };
    assert_eq!(why(&Sample::empty()), NothingBlind::NoRecords);
    assert_eq!(why(&processed(day[2..4].iter())), NothingBlind::NoSignIns);
    assert_eq!(why(&processed(day[..1].iter())), NothingBlind::AllSeen);
}
