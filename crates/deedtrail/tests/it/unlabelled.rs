//! Records whose source nobody names: by a command, in a folder.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use crate::command::{Folder, cloudtrail};
use crate::pullers::{count, stored, wait_for, without_id};

const VAULT: &str = r#"{"time":"2026-11-18T10:00:00Z","type":"response","auth":{"client_token":"hmac-sha256:a","display_name":"token"},"request":{"id":"5d5eb3a4","operation":"read","path":"secret/data/app"},"response":{}}"#;

fn envelope(records: &[String]) -> String {
    format!("{{\"Records\":[{}]}}", records.join(","))
}

#[test]
fn a_file_of_several_sources_is_told_record_by_record() {
    let folder = Folder::new();
    let trail = cloudtrail("e-1", "ListUsers");
    let shipped = format!(r#"{{"host":"a","message":{}}}"#, serde_json::json!(trail));
    let lines = [VAULT, &shipped, &trail, "no record of anything", "{}"].join("\n");
    let path = folder.write("mixed.ndjson", lines);
    let path = path.to_str().unwrap();
    let answer = folder.json(&["ingest", path]).remove(0);
    // The second and the third are the same record.
    for (name, expected) in [
        ("records", 5),
        ("accepted", 2),
        ("duplicates", 1),
        ("quarantined", 2),
    ] {
        assert_eq!(answer[name], expected, "{name}: {answer}");
    }
    let sources = serde_json::json!({
        "aws.cloudtrail": 2, "unlabelled.record": 2, "vault.audit": 1
    });
    assert_eq!(answer["sources"], sources);
    let waiting = folder.json(&["quarantine", "list"]);
    assert_eq!(waiting.len(), 2, "{waiting:?}");
    let talk = String::from_utf8(folder.run(&["ingest", path]).stderr).unwrap();
    assert!(talk.contains("2 as unlabelled.record"), "{talk}");
    assert!(talk.contains("`deedtrail quarantine list` says"), "{talk}");
}

#[test]
fn what_nothing_tells_waits_and_the_command_says_what_to_do() {
    let folder = Folder::new();
    let path = folder.write("unknown.ndjson", "{\"hello\":\"world\"}\n");
    let output = folder.run(&["ingest", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains("take them again with `--source`"), "{talk}");
}

#[test]
fn the_same_records_are_the_same_with_and_without_a_label() {
    let folder = Folder::new();
    // Some without an id, of which two are alike.
    let records: Vec<String> = (0..40)
        .map(|number| match number % 2 {
            0 => cloudtrail(&format!("e-{number}"), "ListUsers"),
            _ => without_id(&format!("A{}", number % 20)),
        })
        .collect();
    for (name, text) in [
        ("lines.ndjson", records.join("\n")),
        ("document.json", envelope(&records)),
    ] {
        let path = folder.write(name, text);
        let path = path.to_str().unwrap();
        let before = folder.json(&["ingest", path]).remove(0);
        assert_eq!(before["sources"]["aws.cloudtrail"], 40, "{before}");
        let named = ["ingest", "--source", "aws.cloudtrail", path];
        let after = folder.json(&named).remove(0);
        assert_eq!(after["duplicates"], 40, "{after}");
    }
    assert!(folder.json(&["quarantine", "list"]).is_empty());
}

#[test]
fn a_folder_without_a_source_is_read_on_over_a_restart() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    fs::create_dir(folder.path("logs")).unwrap();
    let settings = "[folders.all]\nfiles = [\"../logs/*\"]\n";
    folder.write("data/deedtrail.toml", settings);
    let add = |text: &str| {
        let path = folder.path("logs/all.log");
        let file = OpenOptions::new().append(true).create(true).open(path);
        writeln!(file.unwrap(), "{text}").unwrap();
    };
    let server = folder.serve();
    add(VAULT);
    add(&without_id("A1"));
    wait_for(&folder, 2);
    drop(server);
    add(&without_id("A1"));
    folder.write("logs/object.json", envelope(&[cloudtrail("e-1", "B1")]));
    let _server = folder.serve();
    wait_for(&folder, 4);
    assert_eq!(count(&folder), 4);
    let known = [("iam:A1", 2), ("iam:B1", 1), ("read", 1)];
    let known = known.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(stored(&folder), known);
}

#[test]
fn what_a_shipper_wrapped_is_the_same_record_by_every_way() {
    let folder = Folder::new();
    let trail = cloudtrail("e-1", "ListUsers");
    let wrapped = serde_json::json!({
        "@timestamp": "2026-11-18T10:00:00Z", "ecs": { "version": "8.11.0" },
        "event": { "action": "ListUsers", "category": "iam", "type": "info", "kind": "event",
                   "outcome": "success", "code": "x", "original": trail },
        "user": { "name": "ana" }, "message": trail,
    });
    let path = folder.write("ecs.ndjson", format!("{wrapped}\n{trail}\n"));
    let answer = folder.json(&["ingest", path.to_str().unwrap()]).remove(0);
    assert_eq!(answer["sources"]["aws.cloudtrail"], 2, "{answer}");
    assert_eq!(answer["duplicates"], 1, "{answer}");
}

#[test]
fn an_envelope_may_be_longer_than_a_record() {
    let folder = Folder::new();
    let records: Vec<String> = (0..34_000)
        .map(|number| cloudtrail(&format!("e-{number}"), "ListUsers"))
        .collect();
    // On one line it would be a line, which no record may be longer than.
    let text = format!("{{\"Records\":[\n{}\n]}}", records.join(",\n"));
    assert!(text.len() > deedtrail_core::limits::RECORD_BYTES_MAX);
    let path = folder.write("large.json", text);
    let answer = folder.json(&["ingest", path.to_str().unwrap()]).remove(0);
    assert_eq!(answer["sources"]["aws.cloudtrail"], 34_000, "{answer}");
}

#[test]
fn an_empty_page_is_no_record_and_elements_are_numbered() {
    let folder = Folder::new();
    let empty = folder.write("empty.json", "{\"Records\":[]}");
    let answer = folder.json(&["ingest", empty.to_str().unwrap()]).remove(0);
    assert_eq!(answer["records"], 0, "{answer}");
    let trail = cloudtrail("e-1", "ListUsers");
    let mixed = envelope(&[trail.clone(), "{}".to_owned(), trail]);
    let path = folder.write("mixed.json", mixed);
    let answer = folder.json(&["ingest", path.to_str().unwrap()]).remove(0);
    assert_eq!(answer["quarantine"][0]["line"], 2, "{answer}");
}

#[test]
fn records_that_somebody_put_into_lists_are_told_of() {
    let folder = Folder::new();
    let bodies = [
        (
            "{\"kept\":[{\"x\":1}],\"left\":[{\"y\":2}]}",
            Some("(`kept`, `left`)"),
        ),
        (
            "{\"a\":[{}],\"b\":[],\"c\":[],\"d\":[]}",
            Some("(`a`, `b`, `c`, and 1 more)"),
        ),
        ("{\"a\":[],\"b\":[]}", None),
        ("{\"a\":[{}],\"b\":1}", None),
    ];
    for (body, lists) in bodies {
        let path = folder.write("one.json", body);
        let taken = folder.run(&["ingest", path.to_str().unwrap()]);
        let talk = String::from_utf8(taken.stderr).unwrap();
        assert_eq!(taken.status.code(), Some(3), "{talk}");
        let says = "one object that holds lists of objects ";
        assert_eq!(talk.contains(says), lists.is_some(), "{body}: {talk}");
        if let Some(lists) = lists {
            assert!(talk.contains(&format!("{says}{lists}")), "{talk}");
        }
    }
}
