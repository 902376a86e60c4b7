//! What an enemy may send.

use deedtrail_core::limits::RECORD_DEPTH_MAX;
use deedtrail_core::mapping::MapError;
use deedtrail_core::port::mapper::{Encoding, Mapper as _};

use crate::registries::{registry, source};

fn refused(record: &[u8]) -> MapError {
    registry()
        .map(&source("aws.cloudtrail"), record)
        .unwrap_err()
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!(
        r#"{{"eventSource":"s","eventName":"e","x":{}1{}}}"#,
        open.repeat(depth),
        close.repeat(depth)
    )
}

#[test]
fn depth_is_limited_without_recursion_running_away() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let fits = nested(open, close, RECORD_DEPTH_MAX - 1);
        assert!(
            registry()
                .map(&source("aws.cloudtrail"), fits.as_bytes())
                .is_ok()
        );
        for depth in [RECORD_DEPTH_MAX, 10_000, 1_000_000] {
            let deep = nested(open, close, depth);
            let limit = RECORD_DEPTH_MAX;
            assert_eq!(refused(deep.as_bytes()), MapError::TooDeep { limit });
        }
    }
    let text = "[".repeat(100_000);
    assert_eq!(refused(text.as_bytes()).code(), "too_deep");
    let framed = registry().frame(
        &source("aws.cloudtrail"),
        Encoding::Identity,
        text.as_bytes(),
    );
    assert_eq!(framed.unwrap().len(), 1);
}

#[test]
fn duplicate_keys_are_named() {
    for (record, name) in [
        (
            r#"{"eventSource":"a","eventSource":"b","eventName":"c"}"#,
            "eventSource",
        ),
        (
            r#"{"eventSource":"a","eventName":"c","zzz":1,"zzz":2}"#,
            "zzz",
        ),
        (
            r#"{"eventSource":"a","eventName":"c","q":{"r":[{"s":1,"s":1}]}}"#,
            "s",
        ),
        (
            r#"{"eventSource":"a","eventName":"c","userIdentity":{"arn":null,"arn":"x"}}"#,
            "userIdentity.arn",
        ),
        (
            r#"{"eventSource":"a","eventName":"c","\u007azz":1,"zzz":2}"#,
            "zzz",
        ),
    ] {
        assert_eq!(
            refused(record.as_bytes()),
            MapError::DuplicateKey { key: name.into() }
        );
    }
    let many: Vec<String> = (0..2_000).map(|n| format!(r#""k{n}":1"#)).collect();
    let record = format!(r#"{{{},"k7":2}}"#, many.join(","));
    assert_eq!(refused(record.as_bytes()).code(), "duplicate_key");
}

#[test]
fn garbage_is_quarantined_with_a_reason() {
    for (record, code) in [
        (&b"\x00\xFF\xFE garbage"[..], "not_utf8"),
        (b"{\"eventSource\":\"a\xC3\"}", "not_utf8"),
        (b"", "not_json"),
        (b"not json", "not_json"),
        (b"{\"eventSource\":\"a\"", "not_json"),
        (b"{\"eventSource\":\"a\",}", "not_json"),
        (b"{\"eventSource\":\"a\"} x", "not_json"),
        (b"{\"x\":{\"y\":tru}}", "not_json"),
        (b"{\"x\":\"\\q\"}", "not_json"),
        (b"{\"x\":\"\\ud800\"}", "not_json"),
        (
            b"{\"eventSource\":\"a\",\"eventName\":\"b\",\"x\":1e999}",
            "out_of_range",
        ),
        (b"[]", "wrong_source"),
        (b"1", "wrong_source"),
        (b"{}", "wrong_source"),
        (
            b"{\"actor\":\"a\",\"action\":\"repo.create\"}",
            "wrong_source",
        ),
    ] {
        assert_eq!(
            refused(record).code(),
            code,
            "{}",
            String::from_utf8_lossy(record)
        );
    }
    let absurd = br#"{"action":"repo.create","actor":"a","created_at":99999999999999999999}"#;
    let error = registry().map(&source("github.audit"), absurd).unwrap_err();
    assert_eq!(error.code(), "out_of_range");
    let unknown = registry().map(&source("no.such"), b"{}").unwrap_err();
    assert_eq!(unknown.code(), "unknown_source");
}

#[test]
fn odd_values_are_absent_not_guessed() {
    let record = br#"{"eventSource":"iam.amazonaws.com","eventName":"GetUser","eventTime":"yesterday","sourceIPAddress":"ec2.amazonaws.com","userAgent":"-","eventID":"  ","userIdentity":{"type":"IAMUser","arn":["arn:1"],"userName":7}}"#;
    let mapped = registry().map(&source("aws.cloudtrail"), record).unwrap();
    let event = &mapped.events[0];
    assert_eq!(
        (event.time, &event.src_ip, &event.user_agent),
        (None, &None, &None)
    );
    assert_eq!(mapped.source_uid, None);
    assert_eq!(event.actor_ref.as_deref(), Some("arn:1"));
    assert_eq!(event.actor_name.as_deref(), Some("7"));
    assert_eq!(event.labels["source_service"], "ec2.amazonaws.com");
}

#[test]
fn secrets_are_not_copied() {
    let record = br#"{"eventSource":"sts.amazonaws.com","eventName":"AssumeRole","userIdentity":{"type":"AWSService","invokedBy":"x"},"responseElements":{"credentials":{"accessKeyId":"ASIAEXAMPLE","secretAccessKey":"S3CR3T","sessionToken":"T0K3N"}},"requestParameters":{"roleArn":"arn:aws:iam::1:role/r","masterUserPassword":"S3CR3T"}}"#;
    let mapped = registry().map(&source("aws.cloudtrail"), record).unwrap();
    let text = serde_json::to_string(&mapped.events).unwrap();
    assert!(
        !text.contains("S3CR3T") && !text.contains("T0K3N"),
        "{text}"
    );
    assert!(text.contains("ASIAEXAMPLE"));
}

#[test]
fn many_events_of_one_record_share_a_limit_of_text() {
    let record = |events: usize| {
        let long = "x".repeat(8 << 10);
        let events = vec![serde_json::json!({ "name": "CHANGE" }); events];
        serde_json::json!({
            "kind": "admin#reports#activity",
            "id": {
                "time": "2026-11-18T12:00:00Z",
                "uniqueQualifier": "1",
                "applicationName": "admin",
                "customerId": long,
            },
            "actor": { "email": long, "profileId": "1" },
            "ownerDomain": long,
            "events": events,
        })
        .to_string()
    };
    let map = |record: String| {
        let mapped = registry().map(&source("google_workspace.admin"), record.as_bytes());
        mapped.map(|record| record.events.len())
    };
    assert_eq!(map(record(500)), Ok(500));
    let refused = map(record(9_000)).unwrap_err();
    assert_eq!(refused.code(), "too_much_text");
}
