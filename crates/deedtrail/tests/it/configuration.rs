//! Mistakes in the configuration and in what it names.

use std::io::{Read as _, Write as _};

use serde_json::{Value, json};

use crate::command::{Folder, cloudtrail};

pub(crate) const RULE: &str = "title: T\nid: 5c2b2ba4-5a1c-4b4e-9d0a-0d7c1c1f0a11\nlogsource:\n  \
                    product: deedtrail\ndetection:\n  selection:\n    action: read\n  \
                    condition: selection\nlevel: low\n";

/// Exit code of `config check`, and what it printed.
fn check(folder: &Folder) -> (Option<i32>, String) {
    let output = folder.run(&["config", "check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), text)
}

/// A folder whose configuration names sources and rules of its own, all well.
pub(crate) fn with_own_sources_and_rules() -> Folder {
    let folder = Folder::new();
    folder.ok(&["init"]);
    for name in ["sources", "rules", "rules/own"] {
        std::fs::create_dir(folder.path(name)).unwrap();
    }
    folder.write("rules/own/rule.yml", RULE);
    let (sources, rules) = (folder.path("sources"), folder.path("rules"));
    folder.write(
        "data/deedtrail.toml",
        format!(
            "sources = '{}'\nrules = '{}'\n",
            sources.display(),
            rules.display()
        ),
    );
    folder
}

#[test]
fn relative_folders_start_at_the_folder_of_the_file() {
    let folder = with_own_sources_and_rules();
    std::fs::create_dir(folder.path("sequences")).unwrap();
    folder.write("sequences/own.yaml", OWN_SEQUENCE);
    folder.write(
        "data/deedtrail.toml",
        "sources = '../sources'\nrules = '../rules'\nsequences = '../sequences'\n",
    );
    let (code, text) = check(&folder);
    assert_eq!((code, text.lines().count()), (Some(0), 1), "{text}");
    let rules = folder.json(&["rule", "list"]);
    assert!(rules.iter().any(|rule| rule["id"] == "own"));
    folder.write("data/deedtrail.toml", "rules = ''\n");
    let (code, text) = check(&folder);
    assert!(
        code == Some(1) && text.contains("`rules` is empty"),
        "{text}"
    );
    folder.write("data/deedtrail.toml", "sequences = '../sequences'\n");
    folder.write("sequences/own.yaml", "id: [\n");
    let (code, text) = check(&folder);
    assert!(
        code == Some(1) && text.contains("sequences/own.yaml:1"),
        "{text}"
    );
}

/// A command without a server is a start, and takes up drafts that lie in the folder.
#[test]
fn a_command_says_that_it_put_changed_rules_in_force() {
    let folder = with_own_sources_and_rules();
    let said = |arguments: &[&str]| {
        let output = folder.run(arguments);
        let says = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{says}");
        says.contains("your own rules changed since they were last read")
    };
    assert!(!said(&["finding", "list"]), "there were none before");
    folder.write("rules/own/rule.yml", RULE.replace("low", "high"));
    assert!(said(&["rule", "backtest"]));
    assert!(!said(&["finding", "list"]), "it says so once");
}

#[test]
fn every_mistake_of_what_the_file_names_is_told_with_its_place() {
    let folder = with_own_sources_and_rules();
    let (code, text) = check(&folder);
    assert_eq!((code, text.lines().count()), (Some(0), 1), "{text}");

    for name in ["acme.one", "acme.two"] {
        std::fs::create_dir(folder.path(&format!("sources/{name}"))).unwrap();
        folder.write(&format!("sources/{name}/mapping.toml"), "\ntitel = 'x'\n");
    }
    folder.write("rules/misspelt.yml", RULE.replace("action:", "actoin:"));
    folder.write("rules/open.yaml", "title: [T\n");
    folder.write("rules/large.yml", "#".repeat((1 << 20) + 1));
    let nobody = RULE.replace("product: deedtrail", "product: nobody");
    folder.write("rules/own/nobody.yml", nobody.replace("-0d7c", "-0d7d"));
    let (code, text) = check(&folder);
    assert_eq!(code, Some(1), "{text}");
    for says in [
        "acme.one/mapping.toml:2: unknown key `titel`; did you mean `title`?",
        "acme.two/mapping.toml:2: unknown key `titel`; did you mean `title`?",
        "rules/misspelt.yml:7: no field is called `actoin`; did you mean `action`?",
        "rules/open.yaml:1: ",
        "rules/large.yml:1: the file is over 1048576 bytes",
        "rules/own/nobody.yml:3: no source serves the log source product nobody; `deedtrail source list`",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    let errors = text.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 5, "{text}");
    let found = folder.run(&["--json", "config", "check"]);
    let lines = String::from_utf8(found.stdout).unwrap();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["id"].is_string() && line["severity"].is_string());
    }
    folder.write(
        "data/deedtrail.toml",
        "sources = '/nowhere'\nrules = '/nowhere'\n",
    );
    let (code, text) = check(&folder);
    assert_eq!(
        (code, text.matches("/nowhere").count()),
        (Some(1), 2),
        "{text}"
    );
}

#[test]
fn every_mistake_of_the_file_is_told_with_its_line() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let file = "ruels = 5\nlisten = 'x'\n\n[detection]\ndormant_day = 1\nzombie_days = 'a'\n";
    folder.write("data/deedtrail.toml", file);
    let (code, text) = check(&folder);
    assert_eq!(code, Some(1));
    for says in [
        "deedtrail.toml:1: `ruels`: unknown field `ruels`; did you mean `rules`?",
        "deedtrail.toml:2: `listen`: ",
        "deedtrail.toml:5: `detection.dormant_day`: unknown field `dormant_day`; did you mean `dormant_days`",
        "deedtrail.toml:6: `detection.zombie_days`: ",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    folder.write("data/deedtrail.toml", "listen = 'x'\nrules = [\n");
    let (code, text) = check(&folder);
    assert_eq!(code, Some(1));
    assert!(text.contains("deedtrail.toml:2: "), "{text}");
    folder.write("data/deedtrail.toml", "public_url = 'deedtrail.example'\n");
    let (code, text) = check(&folder);
    assert_eq!(code, Some(1));
    assert!(text.contains("`public_url`"), "{text}");
}

#[test]
fn mistakes_within_tables_are_told_with_their_own_line() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    folder.write(
        "data/deedtrail.toml",
        "[webhooks.github]\nsource = 'github.audit'\nscheme = 'github'\nsecrt_file = 'x'\n\n\
         [webhooks.okta]\nsource = 'okta.system'\nscheme = 'octa'\nsecret_file = 'x'\n\n\
         [[targets.rules]]\nnames = ['a']\n\n[[targets.rules]]\nnamez = ['a']\n\n\
         [nats.one]\nservers = ['nats://n']\n",
    );
    let (code, text) = check(&folder);
    assert_eq!(code, Some(1));
    for says in [
        "deedtrail.toml:4: `webhooks.github`: unknown field `secrt_file`; did you mean `secret_file`?",
        "deedtrail.toml:8: `webhooks.okta`: unknown variant `octa`, expected one of",
        "deedtrail.toml:15: `targets.rules`: unknown field `namez`; did you mean `names`?",
        "deedtrail.toml:17: `nats.one`: missing field `stream`",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    assert_eq!(text.lines().count(), 4, "{text}");
    let started = folder.run(&["doctor"]);
    let said = String::from_utf8(started.stderr).unwrap();
    assert!(
        said.contains("deedtrail.toml:4: `webhooks.github`"),
        "{said}"
    );
}

#[test]
fn every_mistake_of_a_table_is_told_at_once_with_those_of_what_is_named() {
    let folder = with_own_sources_and_rules();
    folder.write("rules/misspelt.yml", RULE.replace("action:", "actoin:"));
    let rules = folder.path("rules");
    folder.write(
        "data/deedtrail.toml",
        format!(
            "rules = '{}'\nsegment_mib = 0\n\n\
             [webhooks.github]\nsuorce = 'github.audit'\nscheme = 'gitub'\nsecrt_file = 'x'\n\n\
             [nats.one]\nin_flight = 0\nconsumr = 'c'\n\n\
             [[targets.rules]]\nnamez = ['a']\nacount = '1'\n\n[[targets.rules]]\nkinde = 'a'\n\n\
             [webhooks.okta]\nsource = 'okta.sistem'\nscheme = 'okta'\nsecret_file = 'okta.secret'\n\n\
             [timestamps.a]\nurl = 'x'\n\n[timestamps.b]\nurl = 'y'\n",
            rules.display()
        ),
    );
    let (code, text) = check(&folder);
    assert_eq!(code, Some(1));
    let says = [
        "deedtrail.toml:2: `segment_mib` is 0; write",
        "deedtrail.toml:5: `webhooks.github`: unknown field `suorce`; did you mean `source`?",
        "deedtrail.toml:6: `webhooks.github`: unknown variant `gitub`",
        "deedtrail.toml:7: `webhooks.github`: unknown field `secrt_file`; did you mean `secret_file`?",
        "deedtrail.toml:10: `nats.one.in_flight` is 0",
        "deedtrail.toml:11: `nats.one`: unknown field `consumr`; did you mean `consumer`?",
        "deedtrail.toml:9: `nats.one`: missing field `servers`",
        "deedtrail.toml:9: `nats.one`: missing field `stream`",
        "deedtrail.toml:14: `targets.rules`: unknown field `namez`",
        "deedtrail.toml:15: `targets.rules`: unknown field `acount`",
        "deedtrail.toml:18: `targets.rules`: unknown field `kinde`",
        "deedtrail.toml:20: `webhooks.okta`: ",
        "deedtrail.toml:25: `timestamps.a`: `url`: ",
        "deedtrail.toml:28: `timestamps.b`: `url`: ",
        "rules/misspelt.yml:7: no field is called `actoin`",
    ];
    for says in says {
        assert!(text.contains(says), "{says}: {text}");
    }
    let errors = text.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), says.len(), "{text}");
}

#[test]
fn what_stands_before_a_line_that_is_no_setting_is_checked_too() {
    let folder = Folder::new();
    let file =
        "listen = 'x'\nruels = '/nowhere'\n[nats.one]\nstream = 's'\nsegment_mib =\nservers\n";
    folder.write("data/deedtrail.toml", file);
    let (code, text) = check(&folder);
    assert_eq!(code, Some(1));
    for says in [
        "deedtrail.toml:1: `listen`: ",
        "deedtrail.toml:2: `ruels`: unknown field",
        "deedtrail.toml:5: ",
        "deedtrail.toml:6: ",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    assert!(!text.contains("missing field"), "{text}");
}

#[test]
fn a_number_outside_its_range_is_told_with_the_range() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    folder.write(
        "data/deedtrail.toml",
        "ingest_concurrency = -1\nsegment_mib = 0\n\n[detection]\nzombie_days = 99999999\n\n\
         [nats.one]\nservers = ['nats://n']\nstream = 's'\nin_flight = 0\n",
    );
    let (code, text) = check(&folder);
    assert_eq!(code, Some(1));
    for says in [
        "deedtrail.toml:1: `ingest_concurrency` is -1; write a whole number from 1 to 65536",
        "deedtrail.toml:2: `segment_mib` is 0; write a whole number from 1 to 4096",
        "deedtrail.toml:5: `detection.zombie_days` is 99999999; write a whole number from 1 to 36500",
        "deedtrail.toml:10: `nats.one.in_flight` is 0; write a whole number from 1 to 100000",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    assert_eq!(text.lines().count(), 4, "{text}");
    folder.write("data/deedtrail.toml", "");
    let mut command = folder.command();
    command.env("DEEDTRAIL_QUERY_TIMEOUT_S", "0");
    let output = command.arg("doctor").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("`query_timeout_s` is 0; write"), "{said}");
}

#[test]
fn a_folder_of_sources_that_is_not_there_is_the_one_mistake_told() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    folder.write(
        "data/deedtrail.toml",
        "sources = '/nowhere'\n[folders.door]\nfiles = ['/var/log/door/*']\nsource = 'acme.door'\n",
    );
    let (code, text) = check(&folder);
    let errors = text.lines().filter(|line| line.starts_with("error: "));
    assert_eq!((code, errors.count()), (Some(1), 1), "{text}");
    assert!(
        text.contains("deedtrail.toml:1: `sources`: cannot read /nowhere"),
        "{text}"
    );
    let started = folder.run(&["source", "list"]);
    let said = String::from_utf8(started.stderr).unwrap();
    assert!(said.contains("`sources`: cannot read /nowhere"), "{said}");
}

#[test]
fn a_broken_rule_stops_no_record_and_is_seen_everywhere() {
    let folder = with_own_sources_and_rules();
    let well = folder.ok(&["rule", "list"]);
    assert!(!well.contains("LEFT OUT"), "{well}");
    // Also under the path of a rule of this build.
    let path = "rules/behavioural/listing_then_rights";
    std::fs::create_dir_all(folder.path(path)).unwrap();
    folder.write(
        &format!("{path}/rule.yml"),
        RULE.replace("action:", "actoin:"),
    );
    let record = folder.write("a.ndjson", cloudtrail("e-1", "CreateAccessKey"));
    folder.ok(&["ingest", "-s", "aws.cloudtrail", record.to_str().unwrap()]);
    assert!(folder.ok(&["finding", "list"]).lines().count() > 1);

    let says = "listing_then_rights/rule.yml:7: no field is called";
    let listed = folder.ok(&["rule", "list"]);
    assert!(
        listed.contains("LEFT OUT") && listed.contains(says),
        "{listed}"
    );
    let listed = folder.json(&["rule", "list"]);
    assert_eq!(
        listed
            .iter()
            .filter(|rule| rule["left_out"] == true)
            .count(),
        1
    );
    let doctor = folder.run(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    assert!(doctor.contains(says), "{doctor}");

    let server = folder.serve();
    let host = server.address.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"rules_left_out\":1"), "{answer}");
}

/// The code blocks of a page of docs/dev below a heading, without their fences.
fn blocks(page: &str, heading: &str) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/dev");
    let text = std::fs::read_to_string(std::path::Path::new(path).join(page)).unwrap();
    let (_, below) = text.split_once(heading).unwrap();
    let inside = below.split("```").skip(1).step_by(2);
    inside
        .map(|block| block.split_once('\n').unwrap().1.to_owned())
        .collect()
}

#[test]
fn the_source_and_the_rule_of_the_guides_work_as_written() {
    let folder = with_own_sources_and_rules();
    let (source, rule) = ("sources/acme.door", "rules/own/door_unlocked");
    std::fs::create_dir_all(folder.path(source).join("fixtures")).unwrap();
    std::fs::create_dir(folder.path(rule)).unwrap();
    let written = blocks("adding-a-source.md", "\n## At run time");
    folder.write(&format!("{source}/mapping.toml"), &written[0]);
    let records = format!("{source}/fixtures/doors.ndjson");
    let records = folder.write(&records, &written[1]);
    let written = blocks("adding-a-rule.md", "\n## A rule of your own");
    folder.write(&format!("{rule}/rule.yml"), &written[0]);
    folder.write(&format!("{rule}/fires.ndjson"), &written[1]);
    let quiet = written[1].replace("door.unlock_forever", "door.open");
    folder.write(&format!("{rule}/quiet.ndjson"), quiet);
    assert_eq!(check(&folder).0, Some(0));
    folder.ok(&["source", "test", folder.path(source).to_str().unwrap()]);
    folder.ok(&["rule", "test", folder.path(rule).to_str().unwrap()]);
    folder.ok(&["rule", "explain", "own/door_unlocked"]);
    folder.ok(&["ingest", "-s", "acme.door", records.to_str().unwrap()]);
    let found = folder.json(&["finding", "list"]);
    let title = "ana@example.com unlocked server-room for good";
    assert!(
        found.iter().any(|finding| finding["title"] == title),
        "{found:?}"
    );
    for who in ["ana@example.com", "acme.badge_id:7731"] {
        assert_eq!(folder.json(&["timeline", who]).len(), 2, "{who}");
    }
}

#[test]
fn what_is_said_of_targets_is_in_their_events() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let settings = |inventory: &str, rule: &str| {
        folder.write("data/tags.csv", inventory);
        let text = format!("[targets]\ninventory = \"tags.csv\"\n[[targets.rules]]\n{rule}\n");
        folder.write("data/deedtrail.toml", text);
        let checked = folder.run(&["config", "check"]);
        (
            checked.status.success(),
            String::from_utf8(checked.stdout).unwrap(),
        )
    };
    let (ok, told) = settings(
        "target,environment\nben,prod\n",
        "environment = \"production\"",
    );
    assert!(
        !ok && told.contains("line 2: `prod` is no environment"),
        "{told}"
    );
    let (ok, told) = settings("target,environment\nben,staging\n", "system = \"aws\"");
    assert!(!ok && told.contains("number 1: it says nothing"), "{told}");
    let rule = "system = \"aws\"\nnames = [\"b*\"]\nenvironment = \"production\"\nsensitivity = \"confidential\"";
    let (ok, told) = settings("target,environment\nben,staging\n", rule);
    assert!(ok, "{told}");
    let records = format!(
        "{}\n{}\n",
        cloudtrail("e-1", "DeleteUser"),
        cloudtrail("e-2", "DeleteUser").replace("\"ben\"", "\"bea\"")
    );
    let done = folder.with_input(
        &["ingest", "--source", "aws.cloudtrail", "-"],
        records.as_bytes(),
    );
    assert!(done.status.success());
    let sql = "SELECT target, target_environment, target_sensitivity FROM events ORDER BY 1";
    let row = |target: &str, environment: &str| json!({ "target": target, "target_environment": environment, "target_sensitivity": "confidential" });
    let rows = folder.json(&["query", sql]);
    assert_eq!(rows, [row("bea", "production"), row("ben", "staging")]);
}

const OWN_SEQUENCE: &str = "id: own-key-then-list\ntitle: a key was made and users were listed\n\
    meaning: Whoever makes a key here has no reason to look for users.\nreferences: [T1098.001]\nwithin: 1h\nsteps:\n\
    \x20 - { name: make, is: { operation: \"iam:CreateAccessKey\" } }\n\
    \x20 - { name: look, is: { operation: \"iam:ListUsers\" } }\n";

/// The finding of the sequence of one's own means what its file says.
fn says_what_its_file_says(folder: &Folder, list: &[&str]) {
    let is_own = |one: &&Value| one["rule"] == "sequence/own-key-then-list";
    let all = folder.json(list);
    let own_one = all.iter().find(is_own).unwrap();
    let meaning = "Whoever makes a key here has no reason to look for users.";
    assert_eq!(own_one["meaning"], meaning);
    assert_eq!(own_one["mapped_ref"], json!(["T1098.001"]));
    let id = own_one["id"].as_str().unwrap();
    for command in ["show", "explain"] {
        let told = folder.ok(&["finding", command, id]);
        assert!(told.contains(&format!("\n{meaning}\n")), "{told}");
        assert!(told.contains("Controls: T1098.001\n"), "{told}");
    }
    let told = folder.ok(&["finding", "explain", id]);
    assert!(
        told.contains("of the folder that `sequences` names: a key"),
        "{told}"
    );
}

#[test]
fn unsafe_sequences_of_ones_own_are_looked_for_and_mistakes_are_told() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    std::fs::create_dir_all(folder.path("own/keys")).unwrap();
    folder.write("own/keys/list.yaml", OWN_SEQUENCE);
    let own = folder.path("own");
    folder.write(
        "data/deedtrail.toml",
        format!("sequences = '{}'\n", own.display()),
    );
    assert!(folder.ok(&["config", "check"]).starts_with("ok: "));
    let records = [
        cloudtrail("e-1", "CreateAccessKey"),
        cloudtrail("e-2", "ListUsers"),
    ];
    let file = folder.write(
        "a.ndjson",
        records.join("\n").replacen("10:00:00", "09:59:00", 1),
    );
    folder.ok(&["ingest", "-s", "aws.cloudtrail", file.to_str().unwrap()]);
    let list = ["finding", "list", "--kind", "allowed_but_unsafe"];
    let rules = |folder: &Folder| -> Vec<String> {
        let found = folder.json(&list);
        let rules = found
            .iter()
            .map(|one| one["rule"].as_str().unwrap().to_owned());
        rules.collect()
    };
    let found = rules(&folder);
    assert!(
        found.contains(&"sequence/own-key-then-list".to_owned()),
        "{found:?}"
    );
    says_what_its_file_says(&folder, &list);
    folder.ok(&["rebuild"]);
    assert_eq!(rules(&folder), found);

    // One with a mistake stands in nobody's way.
    folder.write(
        "own/bad.yaml",
        OWN_SEQUENCE.replace("within: 1h", "within: soon"),
    );
    let checked = folder.run(&["config", "check"]);
    let told = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(1), "{told}");
    assert!(told.contains("own/bad.yaml:5"), "{told}");
    assert!(told.contains("`soon` is not a span of time"), "{told}");
    let looked = String::from_utf8(folder.run(&["doctor"]).stdout).unwrap();
    let line = looked.lines().find(|line| line.contains("sequences"));
    let line = line.unwrap_or_default();
    assert!(
        line.contains("1 mistake") && line.contains("bad.yaml:5"),
        "{looked}"
    );
    assert_eq!(rules(&folder), found);

    // A folder that is not there stops the start, as with rules.
    folder.write("data/deedtrail.toml", "sequences = '/nowhere/at/all'\n");
    let refused = folder.run(&["finding", "list"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("`sequences`: cannot read /nowhere/at/all"),
        "{said}"
    );
}
