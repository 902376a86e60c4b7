//! Tables of earlier versions are opened and go on; one of a later version is refused.
//!
//! They lie in `tests/golden`, written once by the example `golden_tables`.

use std::path::Path;

use deedtrail_archive::{DeltaArchive, columns};
use deedtrail_core::port::archive::{Archive as _, EventFilter};
use tempfile::TempDir;

use crate::fixture::{ORIGIN, alias_uid, all, counts, csv, event_by, events, full_event};

/// An archive whose live generation is a copy of that golden table.
fn copied(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    copy(&golden.join(name), &folder.path().join("events-000001"));
    std::os::unix::fs::symlink("events-000001", folder.path().join("events")).unwrap();
    folder
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn open(folder: &TempDir) -> DeltaArchive {
    DeltaArchive::open(folder.path(), ORIGIN).unwrap()
}

/// Whatever a version wrote: it is read, grows, is compacted, and is read after a restart.
fn goes_on(folder: &TempDir) {
    let archive = open(folder);
    assert_eq!((archive.covered(), counts(&archive)), (12, (12, 12)));
    let of_user = EventFilter {
        aliases: vec![alias_uid("user1@example.com")],
        ..EventFilter::default()
    };
    let theirs = archive.events(&of_user, None, 10).unwrap();
    let sequences: Vec<u64> = theirs.iter().map(|event| event.log_seq).collect();
    assert_eq!(sequences, [10, 7, 4, 1]);
    assert_eq!(theirs[0].mapped.operation, "GetObject");
    assert_eq!(theirs[0].mapped.src_ip.as_deref(), Some("192.0.2.7"));

    for first in [100, 110, 120] {
        archive.add(events(first..first + 10), first + 10).unwrap();
        archive.commit().unwrap();
    }
    archive.add(vec![full_event()], 131).unwrap();
    assert_eq!(
        counts(&archive),
        (42, 42),
        "the full event is of before 130"
    );
    let mut fresh = full_event();
    fresh.derived_at = 140;
    archive.add(vec![fresh.clone()], 141).unwrap();
    archive.commit().unwrap();
    assert_eq!(archive.figures().files, 5);
    archive.compact().unwrap();
    assert_eq!((archive.figures().files, counts(&archive)), (1, (43, 43)));
    drop(archive);

    let archive = open(folder);
    assert_eq!((archive.covered(), counts(&archive)), (141, (43, 43)));
    let uids = vec![fresh.event_uid];
    let by_id = EventFilter { uids, ..all() };
    assert_eq!(archive.events(&by_id, None, 2).unwrap(), [fresh]);
    archive
        .add(vec![event_by(141, "user1@example.com")], 142)
        .unwrap();
    archive.commit().unwrap();
    assert_eq!(
        archive.events(&of_user, None, 100).unwrap().len(),
        4 + 4 + 1
    );
}

#[test]
fn a_table_of_the_first_version_goes_on() {
    let folder = copied("first");
    goes_on(&folder);
    let text = csv(&open(&folder), "SELECT count(src_country) AS n FROM events");
    assert_eq!(text, "n\n13\n");
}

#[test]
fn columns_that_a_table_lacks_are_null_in_its_rows() {
    let folder = copied("narrow");
    let archive = open(&folder);
    let text = csv(
        &archive,
        "SELECT src_country, source_uid, labels, count(*) AS n FROM events GROUP BY 1, 2, 3",
    );
    assert_eq!(text, "src_country,source_uid,labels,n\n,,,12\n");
    let found = csv(
        &archive,
        "SELECT log_seq FROM events WHERE source_uid = 'vendor-3'",
    );
    assert_eq!(found, "log_seq\n");
    drop(archive);
    goes_on(&folder);
    let text = csv(&open(&folder), "SELECT count(src_country) AS n FROM events");
    assert_eq!(text, "n\n1\n", "of the full event, which came later");
}

/// Columns are appended and never change: what the first version wrote is a part of this one.
#[test]
fn the_first_columns_are_those_of_the_first_version() {
    let log = "tests/golden/first/_delta_log/00000000000000000000.json";
    let log = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(log)).unwrap();
    let metadata = log.lines().find_map(|line| {
        let action: serde_json::Value = serde_json::from_str(line).unwrap();
        Some(action.get("metaData")?["schemaString"].as_str()?.to_owned())
    });
    let schema: serde_json::Value = serde_json::from_str(&metadata.unwrap()).unwrap();
    let then = schema["fields"].as_array().unwrap();
    let then: Vec<&str> = then
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .collect();
    let now: Vec<&str> = columns().iter().map(|column| column.name).collect();
    assert!(now.starts_with(&then), "{then:?}\n{now:?}");
}

/// A later version's commit, as far as its schema is concerned.
fn of_the_future(folder: &TempDir, change: impl FnOnce(&mut serde_json::Value)) {
    let log = folder.path().join("events-000001/_delta_log");
    let first = std::fs::read_to_string(log.join("00000000000000000000.json")).unwrap();
    let mut metadata = first.lines().find_map(|line| {
        let action: serde_json::Value = serde_json::from_str(line).unwrap();
        action.get("metaData").cloned()
    });
    let metadata = metadata.as_mut().unwrap();
    let text = metadata["schemaString"].as_str().unwrap();
    let mut schema: serde_json::Value = serde_json::from_str(text).unwrap();
    change(&mut schema);
    metadata["schemaString"] = schema.to_string().into();
    let next = serde_json::json!({ "metaData": metadata }).to_string();
    std::fs::write(log.join("00000000000000000002.json"), next).unwrap();
}

/// Changes the schema that a table says it has.
type Change = fn(&mut serde_json::Value);

#[test]
fn a_table_of_a_later_version_is_refused_and_left_alone() {
    let added = |schema: &mut serde_json::Value| {
        let field = serde_json::json!(
            {"name": "quantum_state", "type": "string", "nullable": true, "metadata": {}}
        );
        schema["fields"].as_array_mut().unwrap().push(field);
    };
    let changed = |schema: &mut serde_json::Value| {
        let fields = schema["fields"].as_array_mut().unwrap();
        let ordinal = fields.iter_mut().find(|field| field["name"] == "ordinal");
        ordinal.unwrap()["type"] = "string".into();
    };
    let changes: [(&str, Change); 2] = [("quantum_state", added), ("ordinal", changed)];
    for (column, change) in changes {
        let folder = copied("first");
        of_the_future(&folder, change);
        let error = DeltaArchive::open(folder.path(), ORIGIN).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("a later version wrote the table"), "{error}");
        assert!(error.contains(&format!("`{column}`")), "{error}");
        let log = folder.path().join("events-000001/_delta_log");
        assert_eq!(
            std::fs::read_dir(log).unwrap().count(),
            3,
            "nothing was written"
        );
    }
}
