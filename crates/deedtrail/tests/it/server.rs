//! The command line beside a running server, and the server's end.

use std::process::Command;

use crate::command::{Folder, cloudtrail, there};

#[test]
fn commands_work_alike_with_and_without_a_server() {
    let folder = Folder::new();
    let file = folder.write("a.ndjson", cloudtrail("e-1", "CreateAccessKey"));
    let file = file.to_str().unwrap();
    let mut server = folder.serve();
    assert!(server.line.contains("/sign-in/"));
    let answer = folder.json(&["ingest", "--source", "aws.cloudtrail", file]);
    assert_eq!(answer[0]["accepted"], 1);
    let output = folder.with_input(
        &["--json", "ingest", "--source", "aws.cloudtrail", "-"],
        cloudtrail("e-2", "ListUsers").as_bytes(),
    );
    assert!(output.status.success());
    let beside = folder.ok(&["timeline", "ana"]);
    assert!(beside.contains("CreateAccessKey"), "{beside}");
    let ended = Command::new("kill")
        .arg(server.child.id().to_string())
        .status()
        .unwrap();
    assert!(ended.success());
    assert!(server.child.wait().unwrap().success());
    assert!(!there(&folder.path("data/deedtrail.sock")));
    assert_eq!(folder.ok(&["timeline", "ana"]), beside);
}

#[test]
fn a_server_ends_in_order_and_doctor_says_that_it_is_gone() {
    let folder = Folder::new();
    let listener =
        "[listeners.box]\nprotocol = 'syslog-udp'\nlisten = '127.0.0.1:0'\nallow = ['127.0.0.1']\n";
    folder.ok(&["init"]);
    folder.write("data/deedtrail.toml", listener);
    for signal in ["-TERM", "-INT"] {
        let mut server = folder.serve();
        let told = String::from_utf8(folder.run(&["doctor"]).stdout).unwrap();
        assert!(told.contains("it serves at 127.0.0.1:"), "{told}");
        assert!(told.contains("listeners.box"), "{told}");
        server.stop_by(signal);
        server.says("stopping: everything acknowledged is on disk");
    }
    let doctor = folder.run(&["doctor"]);
    let told = String::from_utf8(doctor.stdout).unwrap();
    assert_eq!(doctor.status.code(), Some(1));
    assert!(
        told.contains("none is running, so nothing comes in"),
        "{told}"
    );
    assert!(!told.contains("ok     listeners.box"), "{told}");
}

#[test]
fn a_second_process_is_refused() {
    let folder = Folder::new();
    let _server = folder.serve();
    let output = folder.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains("in use by another process"), "{talk}");
}

#[test]
fn a_bundle_of_a_finding_verifies_with_nothing_else() {
    let folder = Folder::new();
    let file = folder.write("a.ndjson", cloudtrail("e-1", "CreateAccessKey"));
    folder.ok(&[
        "ingest",
        "--source",
        "aws.cloudtrail",
        file.to_str().unwrap(),
    ]);
    let finding = folder.json(&["finding", "list"]).remove(0);
    let bundle = folder.path("proof.zip");
    let bundle = bundle.to_str().unwrap();
    let id = finding["id"].as_str().unwrap();
    folder.ok(&["evidence", "export", id, "--output", bundle]);
    let alone = Folder::new();
    let verified = alone.ok(&["evidence", "verify", bundle]);
    assert!(verified.starts_with("OK"), "{verified}");
    let mut bytes = std::fs::read(bundle).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let forged = alone.write("forged.zip", bytes);
    let output = alone.run(&["evidence", "verify", forged.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_rebuild_finds_the_same_again() {
    let folder = Folder::new();
    let body: String = (0..20)
        .map(|n| cloudtrail(&format!("e-{n}"), "CreateAccessKey") + "\n")
        .collect();
    let file = folder.write("a.ndjson", body);
    folder.ok(&[
        "ingest",
        "--source",
        "aws.cloudtrail",
        file.to_str().unwrap(),
    ]);
    let sql = "SELECT event_uid, actor_alias_uid, operation FROM events ORDER BY event_uid";
    let events = folder.json(&["query", sql]);
    let ids = |folder: &Folder| -> Vec<String> {
        let findings = folder.json(&["finding", "list"]);
        findings
            .iter()
            .map(|f| f["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let findings = ids(&folder);
    assert_eq!(events.len(), 20);
    assert!(!findings.is_empty());
    folder.ok(&["rebuild"]);
    assert_eq!(folder.json(&["query", sql]), events);
    assert_eq!(ids(&folder), findings);
}

#[test]
fn every_secret_stays_out_of_the_data_folder() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let token = folder.ok(&["token", "create", "feeder", "--scope", "ingest"]);
    let token = token.trim();
    let mut folders = vec![folder.path("data")];
    while let Some(current) = folders.pop() {
        for entry in std::fs::read_dir(current).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                let found = bytes
                    .windows(token.len())
                    .any(|part| part == token.as_bytes());
                assert!(!found, "{}", path.display());
            }
        }
    }
}
