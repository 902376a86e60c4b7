//! What docs/operating.md says about damage.

use std::path::PathBuf;

use crate::command::{Folder, cloudtrail, there};

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

/// Flips a bit in place, beside whoever else writes to the file.
fn flip(path: &PathBuf, at: usize) {
    use std::os::unix::fs::FileExt as _;
    let mut options = std::fs::File::options();
    let file = options.read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at as u64).unwrap();
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

/// The only segment of the log, and where its last frame ends.
fn segment(folder: &Folder) -> (PathBuf, usize) {
    let all = std::fs::read_dir(folder.path("data/log/segments")).unwrap();
    let mut all = all.map(|entry| entry.unwrap().path());
    let segment = all.find(|path| path.extension().is_some_and(|it| it == "segment"));
    let segment = segment.unwrap();
    let bytes = std::fs::read(&segment).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    (segment, used.next_multiple_of(64))
}

/// A folder with one record, the segment that holds it, and a place within its batch.
fn with_one_record() -> (Folder, PathBuf, usize) {
    let folder = Folder::new();
    folder.ok(&["finding", "list"]);
    let (segment, before) = segment(&folder);
    let record = folder.write("a.ndjson", cloudtrail("e-1", "CreateAccessKey"));
    folder.ok(&["ingest", "-s", "aws.cloudtrail", record.to_str().unwrap()]);
    (folder, segment, before + 200)
}

/// What `doctor` prints, whatever it finds.
fn doctor(folder: &Folder) -> String {
    String::from_utf8(folder.run(&["doctor"]).stdout).unwrap()
}

#[test]
fn a_segment_that_is_whole_again_asks_for_a_rebuild_where_it_was_left_out() {
    let (folder, segment, in_record) = with_one_record();
    let (events, findings) = (folder.ok(&COUNT), folder.ok(&["finding", "list"]));
    let whole = std::fs::read(&segment).unwrap();
    flip(&segment, in_record);
    let says = refused(&folder, &["rebuild"]);
    assert!(says.contains("no rebuild was begun"), "{says}");
    assert_eq!(folder.ok(&COUNT), events, "what was derived is still there");
    folder.ok(&["rebuild", "--without-damaged"]);
    assert_ne!(folder.ok(&COUNT), events);
    let says = doctor(&folder);
    assert!(
        says.contains("Still so: entries") && says.contains("restore this segment"),
        "{says}"
    );
    let newest = format!("(the newest is {}); then run", segment.display());
    assert!(says.contains(&newest), "{says}");
    std::fs::write(&segment, &whole).unwrap();
    assert_ne!(folder.ok(&COUNT), events, "nothing of it is derived yet");
    let says = doctor(&folder);
    assert!(
        says.contains("Whole now: run `deedtrail rebuild`"),
        "{says}"
    );
    folder.ok(&["rebuild"]);
    assert_eq!(folder.ok(&COUNT), events);
    assert_eq!(folder.ok(&["finding", "list"]), findings);
    let says = doctor(&folder);
    assert!(!says.contains("passed over"), "{says}");
}

#[test]
fn a_damaged_log_is_served_and_nobody_is_asked_to_sign_in() {
    let (folder, segment, in_record) = with_one_record();
    let token = folder.ok(&["token", "create", "soc", "--scope", "read"]);
    let findings = folder.ok(&["finding", "list"]);
    flip(&segment, in_record);
    refused(&folder, &["evidence", "check"]);
    // Nobody has signed in yet: a link would be an entry of the log.
    let server = folder.serve();
    assert!(
        server.line.starts_with("nobody can sign in now"),
        "{}",
        server.line
    );
    let page = server.get(token.trim(), "/v1/findings");
    let id = findings.lines().nth(1).unwrap().split(' ').next().unwrap();
    assert!(page.contains(id), "{page}");
}

#[test]
fn who_reads_is_told_that_some_of_it_may_be_missing() {
    let (folder, segment, in_record) = with_one_record();
    let missing = |arguments: &[&str]| {
        let says = String::from_utf8(folder.run(arguments).stderr).unwrap();
        says.contains("What rests on them may be missing")
    };
    assert!(!missing(&["finding", "list"]), "nothing is damaged");
    let token = folder.ok(&["token", "create", "soc", "--scope", "read"]);
    flip(&segment, in_record);
    folder.ok(&["rebuild", "--without-damaged"]);
    assert!(missing(&["finding", "list"]) && missing(&COUNT));
    flip(&segment, in_record);
    folder.ok(&["evidence", "check"]);
    assert!(missing(&["timeline", "ana"]), "whole, and not derived yet");
    let server = folder.serve();
    let is_told = |path: &str| {
        let page = server.get(token.trim(), path);
        page.contains("What rests on them may be missing on these pages")
    };
    assert!(is_told("/") && is_told("/findings") && is_told("/identities"));
    folder.ok(&["rebuild"]);
    assert!(!missing(&["finding", "list"]) && !missing(&COUNT));
    assert!(!is_told("/") && !is_told("/findings"));
}

#[test]
fn an_archive_that_is_gone_is_told_and_made_anew() {
    let folder = filled();
    let before = folder.ok(&COUNT);
    std::fs::remove_dir_all(folder.path("data/archive")).unwrap();
    let says = doctor(&folder);
    assert!(says.contains("it was gone or lacked events"), "{says}");
    assert_eq!(folder.ok(&COUNT), before);
    let says = doctor(&folder);
    assert!(!says.contains("it was gone"), "{says}");
}

#[test]
fn check_sums_that_are_gone_are_told() {
    let folder = filled();
    let sums = folder.path("data/archive/events-000001/_sums");
    std::fs::remove_dir_all(&sums).unwrap();
    let says = doctor(&folder);
    assert!(
        says.contains("_sums") && says.contains("it is gone"),
        "{says}"
    );
    folder.ok(&["rebuild"]);
    let says = doctor(&folder);
    assert!(!says.contains("_sums"), "{says}");
}

#[test]
fn a_control_plane_that_is_malformed_says_what_to_do() {
    let folder = filled();
    let control = folder.path("data/control.db");
    std::fs::remove_file(folder.path("data/control.db.seal")).unwrap();
    std::fs::write(&control, vec![0x5a; 9_000]).unwrap();
    let says = refused(&folder, &["finding", "list"]);
    assert!(
        says.contains("it is damaged") && says.contains("newest backup"),
        "{says}"
    );
}

#[test]
fn a_running_server_takes_nothing_in_while_its_log_is_known_to_be_damaged() {
    let folder = Folder::new();
    folder.ok(&["finding", "list"]);
    let (segment, before) = segment(&folder);
    let record = |id: &str| folder.write("a.ndjson", cloudtrail(id, "CreateAccessKey"));
    let ingest = |id: &str| {
        let record = record(id);
        folder.run(&["ingest", "-s", "aws.cloudtrail", record.to_str().unwrap()])
    };
    assert!(ingest("e-1").status.success());
    let _server = folder.serve();
    flip(&segment, before + 200);
    assert!(!folder.run(&["evidence", "check"]).status.success());
    let says = String::from_utf8(ingest("e-2").stderr).unwrap();
    assert!(says.contains("the log is read-only: entries"), "{says}");
    flip(&segment, before + 200);
    assert!(!ingest("e-2").status.success(), "nobody looked yet");
    folder.ok(&["evidence", "check"]);
    assert!(ingest("e-2").status.success());
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
    let seal = folder.path("data/control.db.seal");
    assert!(there(&seal), "a refused start leaves it closed");
    std::fs::write(&key, kept).unwrap();
    folder.ok(&["finding", "list"]);
}

#[test]
fn another_key_of_event_ids_is_told_and_taken_by_a_rebuild_only() {
    let folder = filled();
    let before = folder.ok(&COUNT);
    let key = folder.path("data/keys/event-id.key");
    let kept = std::fs::read(&key).unwrap();
    flip(&key, 5);
    let says = refused(&folder, &["finding", "list"]);
    assert!(
        says.contains("event-id.key") && says.contains("backup") && says.contains("rebuild"),
        "{says}"
    );
    std::fs::write(&key, kept).unwrap();
    assert_eq!(folder.ok(&COUNT), before);
    folder.ok(&["rebuild"]);
    assert_eq!(folder.ok(&COUNT), before, "the key is the same");

    flip(&key, 5);
    folder.ok(&["rebuild"]);
    let after = folder.ok(&COUNT);
    assert!(after != before && after.contains("3,"), "{after}");
}

#[test]
fn another_key_gives_up_nothing_of_a_damaged_log_unasked() {
    let (folder, segment, in_record) = with_one_record();
    let (events, findings) = (folder.ok(&COUNT), folder.ok(&["finding", "list"]));
    let key = folder.path("data/keys/event-id.key");
    flip(&key, 5);
    flip(&segment, in_record);
    let says = refused(&folder, &["rebuild"]);
    assert!(
        says.contains("no rebuild was begun") && says.contains("--without-damaged"),
        "{says}"
    );
    flip(&key, 5);
    assert_eq!(folder.ok(&COUNT), events);
    assert_eq!(folder.ok(&["finding", "list"]), findings);
}
