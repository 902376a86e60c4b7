//! Two installations, one of which witnesses the other.

use std::path::Path;
use std::process::Command;

use crate::command::{Folder, cloudtrail};

/// Appends lines to the configuration of an installation.
fn configure(folder: &Folder, lines: &str) {
    let path = folder.path("data/deedtrail.toml");
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("{before}\n{lines}")).unwrap();
}

fn ingest(folder: &Folder, id: &str) {
    let name = format!("{id}.ndjson");
    let record = folder.write(&name, cloudtrail(id, "CreateAccessKey"));
    folder.ok(&["ingest", "-s", "aws.cloudtrail", record.to_str().unwrap()]);
}

fn tar(arguments: &[&str]) {
    let status = Command::new("tar").args(arguments).status().unwrap();
    assert!(status.success(), "{arguments:?}");
}

/// Exit code and output of a command.
fn said(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String) {
    let output = folder.run(arguments);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// The same, by the verifier in Python that the binary prints.
fn python(folder: &Folder, file: &Path, more: &[&str]) -> (Option<i32>, String) {
    let program = folder.write("verify_bundle.py", folder.ok(&["evidence", "verifier"]));
    let output = Command::new("python3")
        .arg(program)
        .arg(file)
        .args(more)
        .output();
    let output = output.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn export(folder: &Folder, name: &str) -> std::path::PathBuf {
    let file = folder.path(name);
    let export = ["evidence", "export", "ana", "--force", "-o"];
    folder.ok(&[&export[..], &[file.to_str().unwrap()]].concat());
    file
}

#[test]
fn another_installation_vouches_and_notices_another_history() {
    let (log, witness) = (Folder::new(), Folder::new());
    ingest(&log, "e-1");
    let bare = export(&log, "bare.zip");
    let bare = bare.to_str().unwrap();
    let (code, text) = said(&log, &["evidence", "verify", bare]);
    assert!(
        code == Some(0) && text.contains("Nobody but the operator vouches"),
        "{text}"
    );

    // They exchange keys.
    let key = log.json(&["evidence", "checkpoint"]).remove(0);
    let key = key["verifier_key"].as_str().unwrap();
    configure(&witness, &format!("[witness.logs]\nours = \"{key}\"\n"));
    let server = witness.serve();
    let vouches = witness.json(&["evidence", "witness"]).remove(0);
    let witness_key = vouches["id"].as_str().unwrap().to_owned();
    let url = format!("{}/v1/witness", server.address);
    assert_eq!(vouches["url"], url);
    configure(
        &log,
        &format!("[witnesses.theirs]\nurl = \"{url}\"\nkey = \"{witness_key}\"\n"),
    );
    log.ok(&["config", "check"]);

    let bundle = export(&log, "witnessed.zip");
    let trusted = ["--key", key, "--witness", &witness_key];
    let verify = ["evidence", "verify", bundle.to_str().unwrap()];
    let (code, text) = said(&log, &[&verify[..], &trusted].concat());
    assert!(code == Some(0) && text.contains("witnessed by"), "{text}");
    assert!(
        text.contains("say who looked"),
        "the export itself is an entry: {text}"
    );
    let (code, text) = python(&log, &bundle, &trusted);
    assert!(code == Some(0) && text.contains("witnessed by"), "{text}");
    let (code, text) = said(
        &log,
        &["evidence", "verify", bare, "--witness", &witness_key],
    );
    assert!(
        code == Some(1) && text.contains("0 of 1 witnesses"),
        "{text}"
    );

    another_history_is_noticed(&log, &trusted);
}

/// Puts a witnessed log back to an older state, with everything that knows better, and lets it go on.
fn another_history_is_noticed(log: &Folder, trusted: &[&str]) {
    let saved = log.path("saved.tar");
    let (saved, root) = (saved.to_str().unwrap(), log.path(""));
    let root = root.to_str().unwrap();
    tar(&[
        "--create",
        "--file",
        saved,
        "--directory",
        root,
        "data",
        "state",
    ]);
    ingest(log, "e-2");
    log.ok(&["evidence", "witness", "--ask"]);
    for folder in ["data", "state"] {
        std::fs::remove_dir_all(log.path(folder)).unwrap();
    }
    tar(&["--extract", "--file", saved, "--directory", root]);
    let (code, text) = said(log, &["evidence", "witness", "--ask"]);
    assert!(code == Some(1) && text.contains("rolled back"), "{text}");
    for id in ["f-2", "f-3", "f-4"] {
        ingest(log, id);
    }
    let (code, text) = said(log, &["evidence", "witness", "--ask"]);
    assert!(
        code == Some(1) && text.contains("another history"),
        "{text}"
    );
    let forked = export(log, "forked.zip");
    let verify = ["evidence", "verify", forked.to_str().unwrap()];
    let (code, text) = said(log, &[&verify[..], trusted].concat());
    assert!(
        code == Some(1) && text.contains("0 of 1 witnesses"),
        "{text}"
    );
    another_origin_is_the_way_out(log);
}

/// Folder and checkpoint store agree: only the witness tells, and so does the operator.
fn another_origin_is_the_way_out(log: &Folder) {
    let (code, text) = said(log, &["evidence", "witness"]);
    assert!(code == Some(1) && text.contains("--because"), "{text}");
    let (code, text) = said(log, &["evidence", "adopt"]);
    assert!(code == Some(1) && text.contains("--because"), "{text}");
    let (code, _) = said(log, &["evidence", "adopt", "--because", ""]);
    assert_eq!(code, Some(2));
    let adopt = ["evidence", "adopt", "--because", "put back on Monday"];
    let (code, text) = said(log, &adopt);
    assert!(
        code == Some(0) && text.contains("give the operators"),
        "{text}"
    );
    // The witness does not know the new name yet, and says so instead of another history.
    let (code, text) = said(log, &["evidence", "witness", "--ask"]);
    assert!(
        code == Some(1) && text.contains("does not know this log"),
        "{text}"
    );
}

#[test]
fn who_witnesses_after_a_restore_does_so_by_another_key() {
    let (log, witness) = (Folder::new(), Folder::new());
    ingest(&log, "e-1");
    let key = log.json(&["evidence", "checkpoint"]).remove(0);
    let key = key["verifier_key"].as_str().unwrap();
    configure(&witness, &format!("[witness.logs]\nours = \"{key}\"\n"));
    ingest(&witness, "e-1");
    let key_of = || witness.json(&["evidence", "witness"]).remove(0)["id"].clone();
    let before = key_of();
    assert_eq!(key_of(), before);
    let (code, text) = said(&witness, &["evidence", "adopt"]);
    assert_eq!(code, Some(1), "a healthy folder keeps its key: {text}");
    assert_eq!(key_of(), before);
    std::fs::remove_dir_all(witness.path("state")).unwrap();
    let (code, text) = said(&witness, &["evidence", "adopt"]);
    assert!(code == Some(0) && text.contains("put aside"), "{text}");
    assert_ne!(key_of(), before);
}

#[test]
fn nobody_witnesses_himself() {
    let (folder, log) = (Folder::new(), Folder::new());
    ingest(&folder, "e-1");
    ingest(&log, "e-1");
    let key = |of: &Folder| {
        let said = of.json(&["evidence", "checkpoint"]).remove(0);
        said["verifier_key"].as_str().unwrap().to_owned()
    };
    configure(
        &folder,
        &format!("[witness.logs]\nours = \"{}\"\n", key(&log)),
    );
    folder.ok(&["config", "check"]);
    let own = folder.json(&["evidence", "witness"]).remove(0);
    let own = own["id"].as_str().unwrap().to_owned();
    let ours = key(&folder);
    configure(&folder, &format!("mine = \"{ours}\"\n"));
    let (code, text) = said(&folder, &["config", "check"]);
    assert!(
        code == Some(1) && text.contains("witness.logs.mine") && text.contains("own key"),
        "{text}"
    );
    let path = folder.path("data/deedtrail.toml");
    let witnesses = format!(
        "[witness.logs]\nours = \"{}\"\n[witnesses.me]\nurl = \"http://127.0.0.1:1/v1/witness\"\nkey = \"{own}\"\n",
        key(&log)
    );
    std::fs::write(path, witnesses).unwrap();
    for command in [["config", "check"], ["evidence", "checkpoint"]] {
        let (code, text) = said(&folder, &command);
        assert!(
            code == Some(1) && text.contains("witnesses.me") && text.contains("own key"),
            "{text}"
        );
    }
}

#[test]
fn what_witnesses_said_and_cannot_be_read_keeps_nobody_from_starting() {
    let folder = Folder::new();
    ingest(&folder, "e-1");
    let other = Folder::new();
    ingest(&other, "e-1");
    let ours = folder.json(&["evidence", "checkpoint"]).remove(0);
    let ours = ours["verifier_key"].as_str().unwrap().to_owned();
    configure(&other, &format!("[witness.logs]\nours = \"{ours}\"\n"));
    let witness = other.json(&["evidence", "witness"]).remove(0);
    let witness = witness["id"].as_str().unwrap().to_owned();
    configure(
        &folder,
        &format!("[witnesses.a]\nurl = \"http://127.0.0.1:1/v1/witness\"\nkey = \"{witness}\"\n"),
    );
    let (code, _) = said(&folder, &["evidence", "witness"]);
    assert_eq!(code, Some(0));
    let file = folder.path("data/state/witnesses.json");
    std::fs::write(&file, "{").unwrap();
    let (code, text) = said(&folder, &["evidence", "checkpoint"]);
    assert!(code == Some(0) && text.contains("put aside"), "{text}");
    let aside = folder.path("data/state/witnesses.unreadable");
    assert_eq!(std::fs::read_to_string(aside).unwrap(), "{");
}

#[test]
fn who_is_asked_is_checked_before_the_start() {
    let folder = Folder::new();
    configure(
        &folder,
        "[witness]\nquorum = 2\n[witness.logs]\na = \"nonsense\"\n\
         [witnesses.b]\nurl = \"http://example.com\"\nkey = \"x\"\n",
    );
    let (code, text) = said(&folder, &["config", "check"]);
    assert_eq!(code, Some(1));
    assert!(
        text.contains("witness.logs.a") && text.contains("only https"),
        "{text}"
    );
}

#[test]
fn a_bundle_tells_who_decided_and_what_is_missing() {
    let folder = Folder::new();
    ingest(&folder, "e-1");
    let finding = folder.json(&["finding", "list"]).remove(0);
    let id = finding["id"].as_str().unwrap();
    let decide = ["finding", "decide", id, "--note", "a drill"];
    folder.ok(&[&decide[..], &["--disposition", "benign"]].concat());
    let file = folder.path("finding.zip");
    let file = file.to_str().unwrap();
    // A decision, an export, and this export.
    for exports in [1, 2] {
        folder.ok(&["evidence", "export", id, "--force", "-o", file]);
        let verified = folder.json(&["evidence", "verify", file]).remove(0);
        assert_eq!(verified["custody"], 1 + exports, "{verified}");
        assert!(verified["completeness"]["sources"].is_array(), "{verified}");
    }
    let (code, text) = python(&folder, Path::new(file), &[]);
    assert!(
        code == Some(0) && text.contains("3 of the records say who looked"),
        "{text}"
    );
    let bytes = std::fs::read(file).unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains("a drill"));
    // What was there is there after a rebuild.
    folder.ok(&["rebuild"]);
    folder.ok(&["evidence", "export", id, "--force", "-o", file]);
    let verified = folder.json(&["evidence", "verify", file]).remove(0);
    assert_eq!(verified["custody"], 4);
    // Looking at it again, and explaining it, are the same view.
    for look in [
        ["finding", "show"],
        ["finding", "show"],
        ["finding", "explain"],
    ] {
        folder.ok(&[&look[..], &[id]].concat());
    }
    let exported = folder.json(&["evidence", "export", id, "--force", "-o", file]);
    assert_eq!(exported[0]["custody"], 6, "{exported:?}");
    assert_eq!(exported[0]["custody_left_out"], serde_json::json!([]));
    let verified = folder.json(&["evidence", "verify", file]).remove(0);
    assert_eq!(verified["custody"], 6);
    let bytes = std::fs::read(file).unwrap();
    let viewed = format!("<td>local</td><td>viewed</td><td>finding {id}</td>");
    assert!(String::from_utf8_lossy(&bytes).contains(&viewed));

    let said = folder.ok(&["evidence", "completeness", "aws.cloudtrail"]);
    assert!(said.contains("what it never sent cannot be seen"), "{said}");
    assert!(said.contains("every record was understood"), "{said}");
}
