//! Bad input: nothing is lost, nothing crashes, and every refusal says what to do.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use deedtrail_core::visible::is_deceptive;

use crate::command::{Folder, cloudtrail, there};

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
fn what_cannot_be_taken_is_refused_and_says_what_to_do() {
    let folder = Folder::new();
    let huge = vec![b'x'; deedtrail_core::limits::RECORD_BYTES_MAX + 1];
    for (source, body, says) in [
        ("aws.cloudtrail", huge.as_slice(), "16777216"),
        ("aws.cloudtrial", b"{}\n", "did you mean `aws.cloudtrail`"),
        ("Nothing/Like it", b"{}\n", "source list"),
    ] {
        let path = folder.write("refused.ndjson", body);
        let arguments = ["ingest", "--source", source, path.to_str().unwrap()];
        let talk = refused(&folder, &arguments, 1);
        assert!(talk.contains(says), "{talk}");
    }
    let path = folder.write("refused.ndjson", "{}\n");
    for arguments in [
        &["source", "map", "aws.cloudtrial", path.to_str().unwrap()][..],
        &["replay", "--source", "aws.cloudtrial"],
    ] {
        let talk = refused(&folder, arguments, 1);
        assert!(talk.contains("did you mean `aws.cloudtrail`"), "{talk}");
    }
    let path = folder.write("many.ndjson", "{}\n".repeat(7));
    let ingest = |path: &std::path::Path| {
        let output = folder.run(&["ingest", "-s", "aws.cloudtrail", path.to_str().unwrap()]);
        String::from_utf8(output.stderr).unwrap()
    };
    let talk = ingest(&path);
    assert!(
        talk.contains("and 2 more: `deedtrail quarantine list --source aws."),
        "{talk}"
    );
    let talk = ingest(&folder.path("data"));
    assert!(talk.contains("a folder; name its files"), "{talk}");
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

#[test]
fn when_nothing_was_understood_the_exit_code_and_the_list_say_so() {
    let folder = Folder::new();
    let bad = folder.write("bad.ndjson", "{\"hello\":\"\u{202e}\"}\nnot json\n");
    let good = folder.write("good.ndjson", cloudtrail("e-1", "ListUsers"));
    let (bad, good) = (bad.to_str().unwrap(), good.to_str().unwrap());
    let arguments = ["ingest", "-s", "aws.cloudtrail", bad];
    let talk = refused(&folder, &arguments, 3);
    assert!(talk.contains("nothing was understood"), "{talk}");
    // Half of it, or something known already, is no failure; a file that fails is one.
    folder.ok(&["ingest", "-s", "aws.cloudtrail", good, bad]);
    refused(&folder, &["ingest", "-s", "aws.cloudtrail", bad, "data"], 1);

    let listed = folder.json(&["quarantine", "list", "--source", "aws.cloudtrail"]);
    assert_eq!(listed.len(), 2, "{listed:?}");
    for record in &listed {
        for field in ["id", "source", "received", "code", "reason"] {
            assert!(!record[field].is_null(), "{field}: {record}");
        }
    }
    assert!(listed[0]["id"].as_u64() > listed[1]["id"].as_u64());
    let shown = |entry: &str| folder.ok(&["quarantine", "show", entry]);
    assert_eq!(shown(&listed[0]["id"].to_string()).trim(), "not json");
    assert!(shown(&format!("#{}", listed[1]["id"])).contains("\"hello\""));
    for (wrong, told) in [("0", "no quarantined record"), ("x", "no number")] {
        let talk = refused(&folder, &["quarantine", "show", wrong], 1);
        assert!(talk.contains(told), "{talk}");
    }
    let output = folder.run(&["quarantine", "list", "--limit", "1"]);
    let (table, talk) = (output.stdout, String::from_utf8(output.stderr).unwrap());
    assert_eq!(String::from_utf8(table).unwrap().lines().count(), 2);
    assert!(talk.contains("--limit shows more"), "{talk}");
    let talk = refused(&folder, &["quarantine", "list", "-s", "aws.cloudtrial"], 1);
    assert!(talk.contains("did you mean `aws.cloudtrail`"), "{talk}");
    let other = folder.json(&["quarantine", "list", "-s", "okta.system"]);
    assert!(other.is_empty(), "{other:?}");
}

/// What a command that must fail says.
fn refused(folder: &Folder, arguments: &[&str], code: i32) -> String {
    let output = folder.run(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn nothing_of_a_vendors_record_steers_the_terminal() {
    let folder = Folder::new();
    let name = "mallory\u{1b}]0;pwned\u{7}\u{9b}31m\r\nroot\u{202e}\u{200b}\u{feff}";
    let quoted = serde_json::to_string(name).unwrap();
    let body = cloudtrail("e-1", "CreateAccessKey").replace("\"ana\"", &quoted);
    ingest(&folder, "a.ndjson", body.as_bytes());
    let identities = folder.json(&["identity", "list"]);
    let named =
        |identity: &&serde_json::Value| identity["name"].as_str().unwrap().starts_with("mallory");
    let id = identities.iter().find(named).unwrap()["id"]
        .as_str()
        .unwrap();
    let finding = folder.json(&["finding", "list"]);
    let finding = finding[0]["id"].as_str().unwrap();
    for arguments in [
        &["timeline", id][..],
        &["query", "SELECT * FROM events"],
        &["identity", "list"],
        &["identity", "show", id],
        &["finding", "list"],
        &["finding", "show", finding],
        &["timeline", name],
    ] {
        let output = folder.run(arguments);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        let acts = |c: char| is_deceptive(c) && c != '\n';
        assert!(!text.contains(acts), "{arguments:?}: {text:?}");
        assert!(!text.contains("\nroot"), "{arguments:?}: {text:?}");
    }
    let exact = folder.json(&["query", "SELECT actor_name AS name FROM events"]);
    assert!(exact[0]["name"].as_str().unwrap().contains('\u{202e}'));
}

#[test]
fn a_filter_that_leaves_nothing_is_no_all_clear() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let nothing = folder.run(&["finding", "list"]);
    let talk = String::from_utf8(nothing.stderr).unwrap();
    assert!(talk.contains("no record has come in"), "{talk}");
    ingest(
        &folder,
        "a.ndjson",
        cloudtrail("e-1", "CreateAccessKey").as_bytes(),
    );
    let none = folder.run(&["finding", "list", "--kind", "off_hours"]);
    let talk = String::from_utf8(none.stderr).unwrap();
    assert!(talk.contains("no finding matches the filter"), "{talk}");
    let talk = refused(&folder, &["finding", "list", "--kind", "of_hours"], 2);
    assert!(talk.contains("off_hours"), "{talk}");
    refused(&folder, &["identity", "list", "--kind", "nonsense"], 2);
    let talk = refused(&folder, &["replay", "--source", "foo"], 1);
    assert!(talk.contains("source list"), "{talk}");
    folder.ok(&["replay", "--source", "aws.cloudtrail"]);
}

#[test]
fn a_name_that_means_nobody_or_many_says_so() {
    let folder = Folder::new();
    let records = (10..30).map(|n| {
        let record = cloudtrail(&format!("e-{n}"), "ListUsers");
        let record = record.replace("ana", &format!("worker{n}"));
        let record = record.replace("AIDAEXAMPLE1", &format!("AIDAEXAMPLE{n}"));
        record.replace("AKIAEXAMPLE1", &format!("AKIAEXAMPLE{n}")) + "\n"
    });
    ingest(&folder, "a.ndjson", records.collect::<String>().as_bytes());
    let talk = refused(&folder, &["timeline", ""], 1);
    assert!(talk.contains("say who"), "{talk}");
    let talk = refused(&folder, &["timeline", "worker"], 1);
    assert!(talk.contains("may be 20 identities"), "{talk}");
    assert!(talk.contains("and 10 more"), "{talk}");
}

#[test]
fn a_mistyped_data_folder_is_not_made() {
    let folder = Folder::bare();
    let records = folder.write("a.ndjson", cloudtrail("e-1", "ListUsers"));
    let records = records.to_str().unwrap();
    for arguments in [
        &["finding", "list"][..],
        &["query", "SELECT 1"],
        &["doctor"],
        &["identity", "list"],
        &["quarantine", "list"],
        &["timeline", "ana"],
        &["token", "list"],
        &["sign-in", "ana"],
        &["rebuild"],
        &["replay"],
        &["evidence", "check"],
        &["evidence", "adopt"],
        &["ingest", records],
        &["ingest", "-s", "aws.cloudtrail", records],
    ] {
        let talk = refused(&folder, arguments, 1);
        assert!(talk.contains("no installation in"), "{arguments:?}: {talk}");
        assert!(talk.contains(" init` makes one"), "{arguments:?}: {talk}");
        assert!(!there(&folder.path("data")), "{arguments:?}");
    }
    for arguments in [
        &["source", "list"][..],
        &["rule", "list"],
        &["config", "show"],
    ] {
        folder.ok(arguments);
        assert!(!there(&folder.path("data")), "{arguments:?}");
    }
    folder.ok(&["init"]);
    folder.ok(&["finding", "list"]);
    folder.ok(&["ingest", "-s", "aws.cloudtrail", records]);
}

#[test]
fn a_misspelt_field_of_a_rule_is_told_once() {
    let folder = Folder::new();
    let rule = "title: T\nid: 5c2b2ba4-5a1c-4b4e-9d0a-0d7c1c1f0a11\nlogsource:\n  product: aws\n\
                detection:\n  selection:\n    actoin: read\n  condition: selection\nlevel: low\n\
                deedtrail:\n  finding: credential_harvest\n  pattern: [actoin]\n";
    std::fs::create_dir(folder.path("r")).unwrap();
    for (name, text) in [
        ("rule.yml", rule),
        ("fires.ndjson", ""),
        ("quiet.ndjson", ""),
    ] {
        folder.write(&format!("r/{name}"), text);
    }
    let path = folder.path("r");
    let output = folder.run(&["rule", "test", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let talk = String::from_utf8(output.stdout).unwrap();
    assert!(
        talk.contains("`actoin`; did you mean `action`?\n"),
        "{talk}"
    );
    assert_eq!(talk.matches("actoin").count(), 1, "{talk}");
    assert!(!talk.contains("fires.ndjson"), "{talk}");
}

#[test]
fn a_timeline_says_when_there_is_more_and_when_its_range_is_turned_round() {
    let folder = Folder::new();
    let records = (0..3).map(|n| cloudtrail(&format!("e-{n}"), "ListUsers") + "\n");
    ingest(&folder, "a.ndjson", records.collect::<String>().as_bytes());
    for (limit, says) in [("2", "the newest 2; --limit shows more"), ("3", "3 events")] {
        let shown = folder.run(&["timeline", "ana", "--limit", limit]);
        let talk = String::from_utf8(shown.stderr).unwrap();
        assert!(talk.contains(says), "{talk}");
        let rows = String::from_utf8(shown.stdout).unwrap().lines().count() - 1;
        assert_eq!(rows.to_string(), limit);
    }
    let nowhere = ["evidence", "export", "ana", "-o", "nowhere/proof.zip"];
    let talk = refused(&folder, &nowhere, 1);
    assert_eq!(talk.matches("(os error 2)").count(), 1, "{talk}");
    let range = ["--from", "2026-11-02", "--to", "2026-11-01"];
    for command in [&["timeline", "ana"][..], &["evidence", "export", "ana"]] {
        let talk = refused(&folder, &[command, &range].concat(), 1);
        assert!(talk.contains("is later than --to"), "{talk}");
    }
}

#[test]
fn a_token_lives_a_day_at_least() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let create = ["token", "create", "x", "--scope", "read", "--days", "0"];
    refused(&folder, &create, 2);
    assert!(folder.json(&["token", "list"]).is_empty());
    let create = [
        "token", "create", "x", "--scope", "read", "--scope", "ingest",
    ];
    let made = folder.json(&create).remove(0);
    let listed = folder.json(&["token", "list"]).remove(0);
    let token = made["token"].as_str().unwrap();
    assert!(
        token.starts_with(made["prefix"].as_str().unwrap()),
        "{made}"
    );
    for field in ["prefix", "name", "scopes", "expires"] {
        assert!(!made[field].is_null(), "{field} is missing");
        assert_eq!(made[field], listed[field]);
    }
}

#[test]
fn a_file_name_need_not_be_text() {
    let folder = Folder::new();
    ingest(
        &folder,
        "a.ndjson",
        cloudtrail("e-1", "CreateAccessKey").as_bytes(),
    );
    let _server = folder.serve();
    let name = OsStr::from_bytes(b"\xff.zip");
    for json in [&["--json"][..], &[]] {
        let mut command = folder.command();
        command
            .args(json)
            .args(["evidence", "export", "ana", "--force", "-o"]);
        let output = command.arg(folder.path("").join(name)).output().unwrap();
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{talk}");
    }
    assert!(there(&folder.path("").join(name)));
}

#[test]
fn a_bundle_overwrites_no_file_unless_told() {
    let folder = Folder::new();
    ingest(
        &folder,
        "a.ndjson",
        cloudtrail("e-1", "CreateAccessKey").as_bytes(),
    );
    let who = "arn:aws:iam::111122223333:user/ana";
    let export = |options: &[&str]| {
        let mut command = folder.command();
        command.current_dir(folder.path(""));
        command.args(["evidence", "export", who]).args(options);
        command.output().unwrap()
    };
    let keep = folder.write("keep.csv", "mine");
    for (options, written) in [
        (&[][..], "evidence-arn-aws-iam--111122223333-user-ana.zip"),
        (&["-o", "proof.zip"], "proof.zip"),
        (&["-o", "keep.csv", "--force"], "keep.csv"),
    ] {
        let refused = &export(&["-o", "keep.csv"]);
        let talk = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{talk}");
        assert!(talk.contains("another name with -o"), "{talk}");
        assert_eq!(std::fs::read(&keep).unwrap(), b"mine");
        assert!(export(options).status.success(), "{options:?}");
        let bundle = folder.path(written);
        folder.ok(&["evidence", "verify", bundle.to_str().unwrap()]);
        let again: Vec<&str> = options
            .iter()
            .copied()
            .filter(|o| *o != "--force")
            .collect();
        assert_eq!(export(&again).status.code(), Some(1), "{options:?}");
    }
}

#[test]
fn what_holds_records_is_readable_by_its_owner_only() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    ingest(
        &folder,
        "a.ndjson",
        cloudtrail("e-1", "CreateAccessKey").as_bytes(),
    );
    let bundle = folder.path("proof.zip");
    folder.ok(&["evidence", "export", "ana", "-o", bundle.to_str().unwrap()]);
    for (path, mode) in [(folder.path("data"), 0o700), (bundle, 0o600)] {
        let found = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{}", path.display());
    }
}

#[test]
fn a_bundle_of_another_log_is_told_by_its_key() {
    let keys = [Folder::new(), Folder::new()].map(|folder| {
        ingest(
            &folder,
            "a.ndjson",
            cloudtrail("e-1", "CreateAccessKey").as_bytes(),
        );
        let bundle = folder.path("proof.zip");
        folder.ok(&["evidence", "export", "ana", "-o", bundle.to_str().unwrap()]);
        let checkpoint = folder.json(&["evidence", "checkpoint"]).remove(0);
        let key = checkpoint["verifier_key"].as_str().unwrap().to_owned();
        (folder, key)
    });
    let (folder, key) = &keys[0];
    let bundle = folder.path("proof.zip");
    let bundle = bundle.to_str().unwrap();
    folder.ok(&["evidence", "verify", bundle, "--key", key]);
    let stranger = folder.run(&["evidence", "verify", bundle, "--key", &keys[1].1]);
    assert_eq!(stranger.status.code(), Some(1));
    let said = String::from_utf8(stranger.stdout).unwrap();
    assert!(said.contains("signed by another key"), "{said}");
    mistyped_is_told_apart_by_both_verifiers(folder, bundle, key);
}

/// What cannot be begun ends with 2, what does not hold with 1.
fn mistyped_is_told_apart_by_both_verifiers(folder: &Folder, bundle: &str, key: &str) {
    let program = folder.write("verify.py", folder.ok(&["evidence", "verifier"]));
    let mangled = key.replace('+', "-");
    for (arguments, ours, expected) in [
        (vec![bundle, "--key", &mangled], "no key", 2),
        (vec![bundle, "--witness", "nonsense"], "--witness", 2),
        (vec![bundle, "--quorum", "1"], "--witness", 2),
        (vec!["nowhere.zip"], "cannot read", 2),
        (vec![program.to_str().unwrap()], "NOT VALID", 1),
    ] {
        let said = folder.run(&[&["evidence", "verify"], &arguments[..]].concat());
        let text = String::from_utf8([said.stdout, said.stderr].concat()).unwrap();
        assert_eq!(said.status.code(), Some(expected), "{arguments:?}: {text}");
        assert!(text.contains(ours), "{arguments:?}: {text}");
        let mut python = std::process::Command::new("python3");
        let said = python.arg(&program).args(&arguments).output().unwrap();
        let text = String::from_utf8([said.stdout, said.stderr].concat()).unwrap();
        assert_eq!(said.status.code(), Some(expected), "{arguments:?}: {text}");
    }
    let refused = folder.run(&["evidence", "verify", bundle, "--timestamp-ca", bundle]);
    assert_eq!(refused.status.code(), Some(2));
    let said = folder.json(&["evidence", "verify", bundle]).remove(0);
    assert!(said["completeness"]["sources"].is_array(), "{said}");
}

#[test]
fn doctor_counts_the_few_that_wait_in_quarantine() {
    let folder = Folder::new();
    let mut records: Vec<String> = (0..150)
        .map(|number| cloudtrail(&format!("e-{number}"), "ListUsers"))
        .collect();
    records.push("no record".to_owned());
    let file = folder.write("a.ndjson", records.join("\n"));
    folder.run(&["ingest", "-s", "aws.cloudtrail", file.to_str().unwrap()]);
    let looked = String::from_utf8(folder.run(&["doctor"]).stdout).unwrap();
    let line = looked.lines().find(|line| line.contains("aws.cloudtrail"));
    let line = line.unwrap_or_default();
    assert!(
        line.starts_with("ok") && line.contains("150 events") && line.contains("1 in quarantine"),
        "{looked}"
    );
}
