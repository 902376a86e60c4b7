//! Bad input: nothing is lost, nothing crashes, and every refusal says what to do.

use crate::command::{Folder, cloudtrail};

/// Counts of `ingest --json` of one file.
fn ingest(folder: &Folder, file: &str, bytes: &[u8]) -> serde_json::Value {
    let path = folder.write(file, bytes);
    let path = path.to_str().unwrap();
    folder
        .json(&["ingest", "--source", "aws.cloudtrail", path])
        .remove(0)
}

#[test]
fn malformed_records_wait_in_quarantine() {
    let folder = Folder::new();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep = format!("{{\"eventName\":\"x\",\"eventSource\":\"y\",\"a\":{deep}}}");
    let good = cloudtrail("good-1", "ListUsers");
    let future = cloudtrail("future-1", "ListUsers").replace("2026-11-01", "2999-01-01");
    let twice = r#"{"eventName":"a","eventName":"b","eventSource":"c"}"#;
    let range = cloudtrail("r-1", "ListUsers").replace("\"1.08\"", "1e999999");
    let mut body = Vec::new();
    for record in [
        &good[..60],
        r#"{"hello":"world"}"#,
        &deep,
        twice,
        &good,
        &future,
        &range,
    ] {
        body.extend_from_slice(record.as_bytes());
        body.push(b'\n');
    }
    body.extend_from_slice(b"\xff\xfe\x00\x01 binary\n");
    body.extend_from_slice(b"{\"eventName\":\"\xc3\x28\",\"eventSource\":\"x\"}\n");
    let answer = ingest(&folder, "mixed.ndjson", &body);
    let count = |name: &str| answer[name].as_u64().unwrap();
    assert_eq!(count("records"), 9, "{answer}");
    assert_eq!(
        count("accepted") + count("quarantined") + count("duplicates"),
        9,
        "{answer}"
    );
    assert!(count("accepted") >= 2, "{answer}");
    assert!(count("quarantined") >= 6, "{answer}");
    for note in answer["quarantine"].as_array().unwrap() {
        assert!(!note["reason"].as_str().unwrap().is_empty());
    }
    let stored = folder.json(&["query", "SELECT count(*) AS n FROM events"]);
    assert_eq!(stored[0]["n"], count("accepted"));
    let future = folder.json(&[
        "query",
        "SELECT time_quality FROM events WHERE source_uid = 'future-1'",
    ]);
    assert_eq!(future[0]["time_quality"], "suspicious");
}

#[test]
fn a_line_over_the_limit_is_refused_and_says_the_limit() {
    let folder = Folder::new();
    let line = vec![b'x'; deedtrail_core::limits::RECORD_BYTES_MAX + 1];
    let path = folder.write("huge.ndjson", line);
    let output = folder.run(&[
        "ingest",
        "--source",
        "aws.cloudtrail",
        path.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains("16777216"), "{talk}");
}

#[test]
fn an_unknown_source_is_named_and_the_list_is_pointed_to() {
    let folder = Folder::new();
    let path = folder.write("a.ndjson", "{}\n");
    let output = folder.run(&[
        "ingest",
        "--source",
        "aws.cloudtrial",
        path.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains("source list"), "{talk}");
}

#[test]
fn the_same_file_twice_is_duplicates_and_another_content_is_a_conflict() {
    let folder = Folder::new();
    let body = cloudtrail("e-1", "CreateUser");
    assert_eq!(ingest(&folder, "a.ndjson", body.as_bytes())["accepted"], 1);
    assert_eq!(
        ingest(&folder, "a.ndjson", body.as_bytes())["duplicates"],
        1
    );
    let other = cloudtrail("e-1", "DeleteUser");
    assert_eq!(
        ingest(&folder, "b.ndjson", other.as_bytes())["conflicts"],
        1
    );
    let events = folder.json(&["query", "SELECT operation FROM events ORDER BY log_seq"]);
    assert_eq!(events.len(), 2);
}
