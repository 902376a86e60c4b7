//! Exceptions, coverage, fields, scorecard and backtests from the command line.

use std::time::UNIX_EPOCH;

use deedtrail_core::time::Timestamp;
use serde_json::Value;

use crate::command::{Folder, cloudtrail};

const RULE: &str = "title: Key made
logsource:
  product: deedtrail
detection:
  selection:
    action: credential_create
  condition: selection
level: high
tags:
  - attack.t1098.001
deedtrail:
  finding: credential_planted
  title: 'Key by {actor_name}'
  reasons:
    - '{operation}'
";
const NEVER: &str = "title: Approved key
logsource:
  product: deedtrail
detection:
  selection:
    action: credential_create
    approver: somebody
  condition: selection
level: low
deedtrail:
  finding: credential_planted
  title: 'Approved key by {actor_name}'
  reasons:
    - '{operation}'
";

/// A folder whose configuration names two rules of its own.
fn folder() -> Folder {
    let folder = Folder::new();
    for (name, text) in [("made", RULE), ("approved", NEVER)] {
        let rule = folder.path("rules").join("own").join(name);
        std::fs::create_dir_all(&rule).unwrap();
        std::fs::write(rule.join("rule.yml"), text).unwrap();
    }
    folder.ok(&["init"]);
    let rules = folder.path("rules");
    let setting = format!("rules = {:?}\n", rules.to_str().unwrap());
    let config = folder.path("data").join("deedtrail.toml");
    std::fs::write(config, setting).unwrap();
    folder
}

fn make_key(folder: &Folder, id: &str) {
    let file = folder.write("key.ndjson", cloudtrail(id, "CreateAccessKey"));
    folder.ok(&["ingest", "-s", "aws.cloudtrail", file.to_str().unwrap()]);
}

fn of_rule(folder: &Folder) -> Vec<Value> {
    let mut findings = folder.json(&["finding", "list"]);
    findings.retain(|finding| finding["rule"] == "own/made");
    findings
}

/// The day 30 days after the data folder was made.
fn next_month(folder: &Folder) -> String {
    let made = std::fs::metadata(folder.path("data").join("deedtrail.toml")).unwrap();
    let made = made.modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
    let made = Timestamp::from_micros(i64::try_from(made.as_micros()).unwrap());
    let day = made.plus_micros(30 * Timestamp::DAY_US).to_string();
    day.chars().take(10).collect()
}

fn except<'a>(day: &'a str, rule: &'a str, condition: &'a str) -> Vec<&'a str> {
    vec![
        "rule",
        "except",
        rule,
        "--owner",
        "lead@example.com",
        "--reason",
        "rollout",
        "--expires",
        day,
        "--where",
        condition,
    ]
}

#[test]
fn an_exception_is_made_counted_survives_a_rebuild_and_is_ended() {
    let folder = folder();
    let day = next_month(&folder);
    make_key(&folder, "e-1");
    assert_eq!(of_rule(&folder).len(), 1);
    assert_eq!(of_rule(&folder)[0]["repeats"], 1);
    let made = folder.ok(&except(&day, "own/made", "actor=AN*"));
    assert!(
        made.contains("exception 1 to own/made: in force, actor=AN*"),
        "{made}"
    );
    make_key(&folder, "e-2");
    assert_eq!(of_rule(&folder)[0]["repeats"], 1, "held back");
    let listed = folder.json(&["rule", "exceptions", "own/made"]);
    assert_eq!(listed[0]["effect"]["held_back"], 1);
    assert_eq!(listed[0]["status"], "in_force");
    let (before, findings) = (listed, of_rule(&folder));
    folder.ok(&["rebuild"]);
    assert_eq!(folder.json(&["rule", "exceptions"]), before);
    assert_eq!(of_rule(&folder), findings);
    let table = folder.ok(&["rule", "exceptions"]);
    for words in [
        "HELD BACK",
        "in force",
        "actor=AN*",
        "lead@example.com",
        "rollout",
    ] {
        assert!(table.contains(words), "{table}");
    }
    folder.ok(&["rule", "end-exception", "1"]);
    make_key(&folder, "e-3");
    assert_eq!(of_rule(&folder)[0]["repeats"], 2);
    assert_eq!(folder.json(&["rule", "exceptions"])[0]["status"], "ended");
    let score = folder.json(&["rule", "scorecard"]);
    let one = score.iter().find(|one| one["rule"] == "own/made").unwrap();
    assert_eq!((&one["matches"], &one["held_back"]), (&3.into(), &1.into()));
    assert_eq!(
        (&one["findings"], &one["exceptions"]),
        (&1.into(), &0.into())
    );
}

#[test]
fn bad_exceptions_and_backtests_say_what_to_do() {
    let folder = folder();
    make_key(&folder, "e-1");
    let day = next_month(&folder);
    let says = |arguments: &[&str], words: &str| {
        let output = folder.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    };
    says(
        &except(&day, "own/mad", "actor=a"),
        "did you mean `own/made`?",
    );
    says(&except(&day, "own/made", "actor=*"), "matches everything");
    says(
        &except(&day, "own/made", "actor_nam=a"),
        "did you mean `actor_name`?",
    );
    says(&except(&day, "own/made", "actor"), "write NAME=VALUE");
    says(&except("2001-01-01", "own/made", "actor=a"), "has passed");
    says(&except("soon", "own/made", "actor=a"), "no time");
    says(
        &[
            "rule",
            "except",
            "own/made",
            "--reason",
            "x",
            "--expires",
            &day,
        ],
        "--owner",
    );
    says(&["rule", "end-exception", "7"], "no exception 7");
    says(
        &["rule", "exceptions", "own/mad"],
        "did you mean `own/made`?",
    );
    let backtest = ["rule", "backtest", "--rule"];
    let with = |more: &[&'static str]| [&backtest[..], more].concat();
    says(&with(&["code/dormnat"]), "did you mean `code/dormant`?");
    says(&with(&["code/charter"]), "filed under each charter");
    says(
        &with(&["own/made", "--from", "2026-02-02", "--to", "2026-02-01"]),
        "is later than",
    );
    says(
        &with(&["own/made", "--from", "2026-02-01", "--to", "2026-02-01"]),
        "nothing is between",
    );
    says(
        &["rule", "coverage", "--fields", "--rule", "code/dormant"],
        "is no rule",
    );
    assert_eq!(folder.json(&["rule", "exceptions"]), Vec::<Value>::new());
}

#[test]
fn a_rule_is_tested_under_the_name_it_has_in_force() {
    let folder = folder();
    make_key(&folder, "e-1");
    let draft = folder.write("draft.yml", RULE);
    let own = folder.path("rules").join("own");
    for (path, name) in [
        (own.join("made/rule.yml"), "own/made"),
        (own.join("made"), "own/made"),
        (own, "own/made"),
        (draft, "draft"),
    ] {
        let report = folder.json(&["rule", "backtest", path.to_str().unwrap()]);
        let by_rule = &report[0]["by_rule"];
        assert_eq!(by_rule[0]["name"], name, "{path:?}: {by_rule}");
        assert_eq!(report[0]["findings"], 1, "{path:?}");
    }
    for name in ["own/made", "own/made/rule.yml", "own/made.yml"] {
        let report = folder.json(&["rule", "backtest", "--rule", name]);
        assert_eq!(report[0]["by_rule"][0]["name"], "own/made", "{name}");
        let text = folder.ok(&["rule", "explain", name]);
        assert!(text.starts_with("own/made: Key made"), "{text}");
    }
    // An exception to the name holds in the trial of the file.
    let day = next_month(&folder);
    folder.ok(&except(&day, "own/made/rule.yml", "actor=an*"));
    let file = folder.path("rules").join("own/made/rule.yml");
    let report = folder.json(&["rule", "backtest", file.to_str().unwrap()]);
    assert_eq!(
        report[0]["exceptions"][0]["would_hold_back"], 1,
        "{report:?}"
    );

    let notes = folder.write("notes.txt", "title: no rule");
    let nowhere = folder.path("nowhere.yml");
    for (arguments, words) in [
        (
            vec!["backtest", notes.to_str().unwrap()],
            "the name of one ends in .yml",
        ),
        (
            vec!["backtest", nowhere.to_str().unwrap()],
            "nowhere.yml: No such file",
        ),
        (
            vec!["backtest", "--rule", "made"],
            "did you mean `own/made`",
        ),
        (
            vec!["explain", "/etc/rules/own/made/rule.yml"],
            "did you mean `own/made`",
        ),
    ] {
        let output = folder.run(&[&["rule"][..], &arguments[..]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(words), "{said}");
    }
}

#[test]
fn coverage_names_techniques_and_writes_layers_for_both_navigators() {
    let folder = folder();
    let of = |all: &[Value], id: &str| {
        let one = all.iter().find(|one| one["id"] == id);
        one.cloned().unwrap_or_default()
    };
    let before = of(&folder.json(&["rule", "coverage"]), "T1098.001");
    assert_eq!(before["delivery"], "never");
    make_key(&folder, "e-1");
    let after = folder.json(&["rule", "coverage"]);
    let key = of(&after, "T1098.001");
    assert_eq!(key["delivery"], "delivering");
    let rules = key["rules"].as_array().unwrap();
    assert!(rules.iter().any(|one| one["rule"] == "own/made"), "{key}");
    let table = folder.ok(&["rule", "coverage"]);
    assert!(
        table.contains("T1098.001") && table.contains("AML.T0053"),
        "{table}"
    );

    let (attack, atlas) = (folder.path("attack.json"), folder.path("atlas.json"));
    folder.ok(&[
        "rule",
        "coverage",
        "--navigator",
        attack.to_str().unwrap(),
        "--atlas-navigator",
        atlas.to_str().unwrap(),
    ]);
    let read = |path| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let (attack, atlas) = (read(attack), read(atlas));
    assert_eq!(attack["domain"], "enterprise-attack");
    assert_eq!(attack["versions"]["layer"], "4.5");
    assert_eq!(
        (&atlas["domain"], &atlas["versions"]["layer"]),
        (&"atlas-atlas".into(), &"4.3".into())
    );
    for (layer, is_atlas) in [(&attack, false), (&atlas, true)] {
        let techniques = layer["techniques"].as_array().unwrap();
        assert!(!techniques.is_empty());
        for one in techniques {
            let id = one["techniqueID"].as_str().unwrap();
            assert_eq!(id.starts_with("AML.T"), is_atlas, "{id}");
            assert!((0..=100).contains(&one["score"].as_i64().unwrap()), "{one}");
        }
    }
    let scored = attack["techniques"].as_array().unwrap().iter();
    let mut scored = scored.filter(|one| one["techniqueID"] == "T1098.001");
    assert_eq!(scored.next().unwrap()["score"], 100);
}

#[test]
fn fields_that_nothing_fills_are_told_first() {
    let folder = folder();
    make_key(&folder, "e-1");
    let report = folder.json(&["rule", "coverage", "--fields"]).remove(0);
    assert_eq!(report["events"], 1);
    let rules = report["rules"].as_array().unwrap();
    let of = |name: &str| rules.iter().find(|one| one["rule"] == name).unwrap();
    assert_eq!(
        of("own/approved")["never_filled"],
        serde_json::json!(["approver"])
    );
    assert_eq!(
        (
            &of("own/approved")["matches"],
            &of("own/approved")["events"]
        ),
        (&0.into(), &1.into())
    );
    assert_eq!(of("own/made")["matches"], 1);
    assert_eq!(of("own/made")["never_filled"], serde_json::json!([]));
    let table = folder.ok(&["rule", "coverage", "--fields", "--rule", "own/approved"]);
    assert!(table.contains("action 100 %, approver!"), "{table}");
}

#[test]
fn a_server_takes_rules_up_at_once_and_a_restart_judges_as_it_did() {
    let folder = folder();
    let rule = "rules/own/made/rule.yml";
    let server = folder.serve();
    make_key(&folder, "e-1");
    assert_eq!(of_rule(&folder)[0]["title"], "Key by ana");
    let changed = RULE.replace("Key by", "A new key by");
    let changed = changed.replace("level: high", "level: critical");
    let compared = || String::from_utf8(folder.run(&["rule", "list"]).stderr).unwrap();
    assert_eq!(compared(), "");
    folder.write(rule, &changed);
    assert!(
        compared().contains("which have changed since"),
        "{}",
        compared()
    );
    let doctor = String::from_utf8(folder.run(&["doctor"]).stdout).unwrap();
    assert!(doctor.contains("changed since they were read"), "{doctor}");
    let said = folder.ok(&["rule", "reload"]);
    assert_eq!(compared(), "");
    assert!(said.contains("other rules are in force"), "{said}");
    make_key(&folder, "e-2");
    let known = of_rule(&folder);
    assert_eq!(known[0]["severity"], "critical");
    assert_eq!(known[0]["repeats"], 2);
    // SIGKILL.
    drop(server);
    let mut server = folder.serve();
    assert_eq!(of_rule(&folder), known, "after kill -9");
    folder.ok(&["rebuild"]);
    assert_eq!(of_rule(&folder), known, "after a rebuild");
    let same = folder.json(&["rule", "reload"]).remove(0);
    assert_eq!(same["changed"], false);
    assert_eq!(same["since"]["by"], "local");

    folder.write("rules/own/bad.yml", "title: [\n");
    let said = folder.run(&["rule", "reload"]);
    assert_eq!(said.status.code(), Some(1));
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(
        said.contains("LEFT OUT") && said.contains("bad.yml"),
        "{said}"
    );
    server.stop_by("-TERM");
}

#[test]
fn mistakes_of_a_rule_are_told_before_its_fixtures_are_asked_for() {
    let folder = folder();
    let path = folder.path("rules/own/made");
    let test = |of: &Folder| {
        let output = of.run(&["rule", "test", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stdout).unwrap();
        (said, String::from_utf8(output.stderr).unwrap())
    };
    let rule = "rules/own/made/rule.yml";
    folder.write(
        rule,
        RULE.replace("action: credential", "actoin: credential"),
    );
    let (said, _) = test(&folder);
    assert!(
        said.contains("own/made/rule.yml:6: no field is called `actoin`; did you mean `action`?"),
        "{said}"
    );
    assert!(!said.contains("ndjson"), "{said}");
    let doubtful = RULE.replace("action: credential_create", "action: credential_craete");
    folder.write(
        rule,
        doubtful.replace("deedtrail\ndet", "deedtrail\n  service: okat\ndet"),
    );
    let (said, told) = test(&folder);
    assert!(
        told.contains(
            "rule.yml:7: `action` is never `credential_craete`; did you mean `credential_create`?"
        ),
        "{told}"
    );
    assert!(
        told.contains("rule.yml:2: no source is of a system `okat`"),
        "{told}"
    );
    for says in [
        "fires.ndjson is missing: write it with records on which the rule must fire",
        "quiet.ndjson is missing: write it with records that look alike and on which it must not",
    ] {
        assert!(said.contains(says), "{said}");
    }
    folder.write(rule, RULE);
    let record = |event: &str| {
        let record = cloudtrail("e-1", event);
        format!("{{\"source\":\"aws.cloudtrail\",\"record\":{record}}}\n")
    };
    folder.write("rules/own/made/fires.ndjson", record("CreateAccessKey"));
    folder.write("rules/own/made/quiet.ndjson", "{\n");
    let (said, _) = test(&folder);
    assert!(said.contains("quiet.ndjson, line 1: "), "{said}");
    folder.write("rules/own/made/quiet.ndjson", record("ListUsers"));
    let said = folder.ok(&["rule", "test", path.to_str().unwrap()]);
    assert_eq!(said, "ok      own/made\n");
}

#[test]
fn only_who_works_on_rules_is_told_every_mistake_in_them() {
    let folder = folder();
    folder.write(
        "rules/own/made/rule.yml",
        RULE.replace("action:", "actoin:"),
    );
    folder.write("rules/own/open.yml", "title: [\n");
    let doubtful = NEVER.replace("credential_create", "creat");
    folder.write("rules/own/approved/rule.yml", doubtful);
    let told = |arguments: &[&str]| {
        let output = folder.run(arguments);
        String::from_utf8(output.stderr).unwrap()
    };
    let line = "2 mistakes in rules and unsafe sequences of your own, which are left out; \
                `deedtrail config check` lists them\n";
    for arguments in [&["finding", "list"][..], &["--json", "identity", "list"]] {
        let told = told(arguments);
        assert!(told.starts_with(line), "{arguments:?}: {told}");
        assert!(!told.contains(".yml"), "{arguments:?}: {told}");
    }
    for arguments in [&["rule", "scorecard"][..], &["rule", "coverage"]] {
        let told = told(arguments);
        for says in [
            "made/rule.yml:6: ",
            "open.yml:",
            "`action` is never `creat`",
        ] {
            assert_eq!(told.matches(says).count(), 1, "{arguments:?}: {told}");
        }
        assert!(!told.contains("2 mistakes"), "{told}");
    }
    let is_silent = |arguments: &[&str]| {
        let told = told(arguments);
        !told.contains("mistake") && !told.contains(".yml")
    };
    assert!(is_silent(&["rule", "reload"]) && is_silent(&["doctor"]));
    let server = folder.serve();
    assert!(
        is_silent(&["finding", "list"]),
        "the server has told of them"
    );
    drop(server);
    folder.write("rules/own/made/rule.yml", RULE);
    std::fs::remove_file(folder.path("rules/own/open.yml")).unwrap();
    assert!(
        is_silent(&["finding", "list"]),
        "doubts are told to who asks"
    );
}

#[test]
fn a_doubtful_rule_is_backtested_all_the_same() {
    let folder = folder();
    make_key(&folder, "e-1");
    let doubtful = RULE.replace(
        "action: credential_create",
        "action: [credential_create, creat]",
    );
    let draft = folder.write("draft.yml", doubtful);
    let output = folder.run(&["--json", "rule", "backtest", draft.to_str().unwrap()]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    assert!(
        told.contains("draft.yml:6: `action` is never `creat`"),
        "{told}"
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["findings"], 1);
}
