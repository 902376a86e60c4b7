//! Time stamps by the real binary; the authority is `openssl ts` behind HTTP.

use std::process::Command;
use std::sync::Arc;

use deedtrail_testkit::timestamp::{TimestampAuthority, serve};

use crate::command::{Folder, cloudtrail};

fn configure(folder: &Folder, lines: &str) {
    std::fs::create_dir_all(folder.path("data")).unwrap();
    folder.write("data/deedtrail.toml", lines);
}

fn ingest(folder: &Folder, id: &str) {
    let record = folder.write("a.ndjson", cloudtrail(id, "CreateAccessKey"));
    folder.ok(&["ingest", "-s", "aws.cloudtrail", record.to_str().unwrap()]);
}

/// Exit code and output of a command.
fn said(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String) {
    let output = folder.run(arguments);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn authority(folder: &Folder, name: &str) -> Arc<TimestampAuthority> {
    std::fs::create_dir(folder.path(name)).unwrap();
    Arc::new(TimestampAuthority::new(&folder.path(name)))
}

#[test]
fn an_export_holds_what_an_authority_stamped() {
    let folder = Folder::new();
    let (tsa, other) = (authority(&folder, "tsa"), authority(&folder, "other"));
    ingest(&folder, "e-1");
    let (code, text) = said(&folder, &["evidence", "timestamp", "--ask"]);
    assert!(
        code == Some(0) && text.contains("no `[timestamps]`"),
        "{text}"
    );
    let ca = tsa.ca_file();
    let ca = ca.to_str().unwrap();
    let url = Arc::clone(&tsa).serve();
    let settings = format!("[timestamps.near]\nurl = \"{url}\"\nsigner_ca_file = \"{ca}\"\n");
    configure(&folder, &settings);
    folder.ok(&["config", "check"]);
    let standing = folder.json(&["evidence", "timestamp"]).remove(0);
    assert_eq!(
        (&standing["id"], &standing["kept"]),
        (&"near".into(), &0.into())
    );
    let (code, text) = said(&folder, &["evidence", "timestamp", "--ask"]);
    assert_eq!(code, Some(0), "{text}");
    let standing = folder.json(&["evidence", "timestamp"]).remove(0);
    assert_eq!(standing["kept"], 1);

    // What was stamped before the export is in it, though the log went on.
    ingest(&folder, "e-2");
    let bundle = folder.path("proof.zip");
    let bundle = bundle.to_str().unwrap();
    folder.ok(&["evidence", "export", "ana", "-o", bundle]);
    let (code, text) = said(&folder, &["evidence", "verify", bundle]);
    assert!(
        code == Some(0) && text.contains("signature was not checked"),
        "{text}"
    );
    let (code, text) = said(
        &folder,
        &["evidence", "verify", bundle, "--timestamp-ca", ca],
    );
    assert!(
        code == Some(0) && text.contains("signed by CN=Stamper"),
        "{text}"
    );
    let verified = ["evidence", "verify", bundle, "--timestamp-ca", ca];
    let verified = folder.json(&verified).remove(0);
    assert_eq!(verified["timestamps"][0]["signer"], "CN=Stamper");
    assert_eq!(verified["timestamps"][0]["authority"], "near");
    let stranger = other.ca_file();
    let by_other = [
        "evidence",
        "verify",
        bundle,
        "--timestamp-ca",
        stranger.to_str().unwrap(),
    ];
    let (code, text) = said(&folder, &by_other);
    assert!(
        code == Some(1) && text.contains("NOT VALID: no time stamp by"),
        "{text}"
    );
    it_holds_without_anything_of_ours(&folder, &tsa, bundle);
}

/// By the command that the documentation and the report give, and by the verifier in Python.
fn it_holds_without_anything_of_ours(folder: &Folder, tsa: &TimestampAuthority, bundle: &str) {
    let program = folder.write("verify.py", folder.ok(&["evidence", "verifier"]));
    let output = Command::new("python3")
        .arg(program)
        .arg(bundle)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.contains("time stamp near"),
        "{text}"
    );
    let mut unpack = Command::new("python3");
    unpack
        .args(["-m", "zipfile", "-e", bundle])
        .arg(folder.path("unpacked"));
    assert!(unpack.status().unwrap().success());
    let file = |name: &str| folder.path("unpacked/timestamps").join(name);
    assert!(tsa.verifies(&file("near.tsr"), &file("near.checkpoint")));
    let report = std::fs::read_to_string(folder.path("unpacked/report.html")).unwrap();
    assert!(
        report.contains("openssl ts -verify -in timestamps/near.tsr"),
        "{report}"
    );
    assert!(report.contains("<td>evidence exported</td>"), "{report}");
    let (code, text) = said(folder, &["doctor"]);
    assert!(text.contains("time stamps") && code.is_some(), "{text}");
}

#[test]
fn a_server_asks_by_itself_and_says_what_is_wrong() {
    let folder = Folder::new();
    let tsa = authority(&folder, "tsa");
    let url = Arc::clone(&tsa).serve();
    let garbage = serve(|_| b"garbage".to_vec());
    let large = serve(|_| vec![0; 70_000]);
    configure(
        &folder,
        &format!(
            "[timestamps.a]\nurl = \"{url}\"\n[timestamps.b]\nurl = \"{garbage}\"\n\
             [timestamps.c]\nurl = \"{large}\"\n"
        ),
    );
    let server = folder.serve();
    server.says("no time stamp");
    server.says("no time stamp");
    let standing = |at: usize| folder.json(&["evidence", "timestamp"]).remove(at);
    // Two were told of; the first answered before or does so now.
    let (code, _) = said(&folder, &["evidence", "timestamp", "--ask"]);
    assert_eq!(code, Some(1));
    drop(server);
    let fault = |at: usize| standing(at)["trouble"].clone();
    assert!(standing(0)["kept"].as_u64() >= Some(1));
    assert_eq!(
        fault(1),
        serde_json::Value::Null,
        "it is not known after a restart"
    );
    let (code, text) = said(&folder, &["evidence", "timestamp", "--ask"]);
    assert_eq!(code, Some(1));
    assert!(
        text.contains("no answer of a time stamp authority"),
        "{text}"
    );
    assert!(text.contains("has more than 65536 bytes"), "{text}");
    for (settings, expected) in [
        ("url = \"http://tsa.example/\"", "only https"),
        (
            "url = \"https://tsa.example/\"\npolicy = \"one\"",
            "`policy`",
        ),
        (
            "url = \"https://tsa.example/\"\nsigner_ca_file = \"none.pem\"",
            "signer_ca_file",
        ),
        ("url = \"https://tsa.example/\"\nevery_s = 1", "every_s"),
    ] {
        configure(&folder, &format!("[timestamps.a]\n{settings}\n"));
        let (code, text) = said(&folder, &["config", "check"]);
        assert!(code == Some(1) && text.contains(expected), "{text}");
    }
}
