//! What docs/operating.md says about damage.

use std::path::PathBuf;

use crate::command::{Folder, cloudtrail};

const COUNT: [&str; 4] = [
    "query",
    "--format",
    "csv",
    "SELECT count(*) AS n, min(event_uid) AS first FROM events",
];

/// A folder with some events and a finding, nothing running.
fn filled() -> Folder {
    let folder = Folder::new();
    let records = ["e-1", "e-2", "e-3"].map(|id| cloudtrail(id, "CreateAccessKey"));
    let records = folder.write("a.ndjson", records.concat());
    folder.ok(&["ingest", "-s", "aws.cloudtrail", records.to_str().unwrap()]);
    folder
}

fn refused(folder: &Folder, arguments: &[&str]) -> String {
    let output = folder.run(arguments);
    let says = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{says}");
    says
}

fn flip(path: &PathBuf, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn an_archive_that_nothing_opens_is_put_aside_by_a_rebuild() {
    let folder = filled();
    let before = folder.ok(&COUNT);
    let commit = folder.path("data/archive/events/_delta_log/00000000000000000000.json");
    flip(&commit, 50);
    let says = refused(&folder, &COUNT);
    assert!(
        says.contains("is damaged") && says.contains("`deedtrail rebuild`"),
        "{says}"
    );
    folder.ok(&["rebuild"]);
    assert_eq!(folder.ok(&COUNT), before);
    let aside = folder.path("data/archive.unreadable-1/events-000001");
    assert!(aside.try_exists().unwrap());
}

#[test]
fn a_control_plane_that_changed_while_closed_is_refused_and_that_of_a_backup_taken() {
    let folder = filled();
    let backup = folder.path("backup");
    folder.ok(&["backup", backup.to_str().unwrap()]);
    let later = folder.write("b.ndjson", cloudtrail("e-4", "CreateAccessKey"));
    folder.ok(&["ingest", "-s", "aws.cloudtrail", later.to_str().unwrap()]);
    let (findings, events) = (folder.ok(&["finding", "list"]), folder.ok(&COUNT));
    let control = folder.path("data/control.db");
    flip(&control, 90_000);
    let says = refused(&folder, &["finding", "list"]);
    assert!(says.contains("control.db.seal"), "{says}");
    std::fs::copy(backup.join("control.db"), &control).unwrap();
    for beside in ["control.db.seal", "control.db-wal", "control.db-shm"] {
        match std::fs::remove_file(folder.path("data").join(beside)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        }
    }
    assert_eq!(folder.ok(&["finding", "list"]), findings);
    assert_eq!(folder.ok(&COUNT), events);
}

#[test]
fn no_other_key_of_event_ids_is_made_for_a_log_with_entries() {
    let folder = filled();
    let key = folder.path("data/keys/event-id.key");
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let says = refused(&folder, &["finding", "list"]);
    assert!(
        says.contains("event-id.key") && says.contains("backup"),
        "{says}"
    );
    std::fs::write(&key, kept).unwrap();
    folder.ok(&["finding", "list"]);
}
