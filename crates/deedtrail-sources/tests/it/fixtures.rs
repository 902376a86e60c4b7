//! Every source folder: its fixtures map to the snapshots beside them.

use std::fs;
use std::path::{Path, PathBuf};

use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Encoding, Mapper as _};
use serde_json::Value;

use crate::registries::{registry, registry_with, source};

pub(crate) fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sources");
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("mapping.toml").is_file())
        .collect();
    folders.sort();
    folders
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Fixture files of a folder. Those called `refused*` hold records the mapping must not take.
fn fixtures(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder.join("fixtures"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "ndjson")
        })
        .collect();
    files.sort();
    files
}

#[test]
fn fixtures_map_to_their_snapshots() {
    let registry = registry();
    for folder in folders() {
        let name = name_of(&folder);
        assert!(!fixtures(&folder).is_empty(), "{name} has no fixtures");
        for file in fixtures(&folder) {
            let body = fs::read(&file).unwrap();
            let rows = registry.rows(&source(&name), &body).unwrap();
            let mut rows = serde_json::to_value(rows).unwrap();
            forget_versions(&mut rows);
            let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
            insta::with_settings!({
                snapshot_path => folder.join("expected"),
                prepend_module_to_snapshot => false,
                omit_expression => true,
            }, { insta::assert_json_snapshot!(stem, rows) });
        }
    }
}

/// A snapshot shows what a mapping does, not which edit of it did so.
fn forget_versions(rows: &mut Value) {
    let events = rows.as_array_mut().unwrap().iter_mut();
    for event in events.flat_map(|row| row["events"].as_array_mut().unwrap()) {
        event.as_object_mut().unwrap().remove("mapping_version");
    }
}

#[test]
fn fixtures_are_understood() {
    let registry = registry();
    for folder in folders() {
        let name = name_of(&folder);
        for file in fixtures(&folder) {
            let body = fs::read(&file).unwrap();
            let coverage = registry.coverage(&source(&name), &body).unwrap();
            let mapped = registry.mapped_fields(&source(&name)).unwrap();
            let is_refused = name_of(&file).starts_with("refused");
            let faults = coverage.faults(&mapped, is_refused);
            assert!(
                faults.is_empty(),
                "{}: {faults:?} {:?}",
                file.display(),
                coverage.other
            );
        }
    }
}

#[test]
fn what_a_file_of_fixtures_lacks_is_told() {
    let mapping = "title = \"T\"\n[identify]\na = \"*\"\n[event]\nsystem = \"'x'\"\noperation = \"a\"\n\
                   time = \"at\"\n[[action]]\nis = { read = \"r\" }\n";
    let registry = registry_with("test.log", mapping);
    let name = source("test.log");
    let mapped = registry.mapped_fields(&name).unwrap();
    let faults = |records: &str, is_refused| {
        let coverage = registry.coverage(&name, records.as_bytes()).unwrap();
        coverage.faults(&mapped, is_refused)
    };
    let good = r#"{"a":"r","at":"2026-11-01T00:00:00Z"}"#;
    assert_eq!(faults(good, false), [""; 0]);
    assert_eq!(
        faults(good, true),
        ["1 of its records map, and none should"]
    );
    assert_eq!(faults(r#"{"b":1}"#, true), [""; 0]);
    let told = faults("{\"b\":1}\n{\"a\":\"new\"}", false);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("1 records do not map (wrong_source)"));
    assert!(told[1].starts_with("100.0 % of the events have no action"));
    assert!(told[2].starts_with("no event has a value for time"));
}

#[test]
fn unlabelled_fixtures_find_their_source() {
    let registry = registry();
    let mut others = Vec::new();
    for folder in folders() {
        let name = source(&name_of(&folder));
        for file in fixtures(&folder) {
            if name_of(&file).starts_with("refused") || is_never_unlabelled(&folder) {
                continue;
            }
            let body = fs::read(&file).unwrap();
            for framed in registry.frame(&name, Encoding::default(), &body).unwrap() {
                let found = registry.candidates(&framed.bytes);
                if !is_recognized(&found, &name) {
                    others.push(format!("{}:{}: {found:?}", file.display(), framed.line));
                }
            }
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}

/// Whether a source is only taken where it is named.
fn is_never_unlabelled(folder: &Path) -> bool {
    let mapping = fs::read_to_string(folder.join("mapping.toml")).unwrap();
    mapping.contains("unlabelled = \"never\"")
}

/// Logs of one vendor in whose records nothing tells which of them they are from.
const OF_ONE_SHAPE: [[&str; 2]; 2] = [
    ["proofpoint.clicks_blocked", "proofpoint.clicks_permitted"],
    ["proofpoint.message_blocked", "proofpoint.message_delivered"],
];

/// Whether a record without a label is taken for its source, or for any of its shape.
fn is_recognized(found: &[&SourceName], own: &SourceName) -> bool {
    let shape = OF_ONE_SHAPE
        .iter()
        .find(|names| names.contains(&own.as_str()));
    let names: Vec<&str> = found.iter().map(|name| name.as_str()).collect();
    found == [own] || shape.is_some_and(|shape| names == shape)
}

#[test]
fn filled_fields_name_their_raw_path() {
    let registry = registry();
    let record = br#"{"eventID":"7","eventSource":"iam.amazonaws.com","eventName":"CreateUser","sourceIPAddress":"192.0.2.1","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/a","userName":"a"},"requestParameters":{"userName":"b"}}"#;
    let provenance = registry
        .provenance(&source("aws.cloudtrail"), record)
        .unwrap();
    let from = |field: &str| -> Vec<&str> {
        let rows = provenance[0].iter().filter(|(name, _)| name == field);
        rows.map(|(_, path)| path.as_str()).collect()
    };
    assert_eq!(from("operation"), ["eventSource", "eventName"]);
    assert_eq!(from("src_ip"), ["sourceIPAddress"]);
    assert_eq!(from("actor_name"), ["userIdentity.userName"]);
    assert_eq!(from("target_name"), ["requestParameters.userName"]);
    assert_eq!(from("session_ref"), [""; 0]);
    assert_eq!(from("source_uid"), ["eventID"]);
}
