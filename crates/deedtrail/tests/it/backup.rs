//! What docs/operating.md says about backup and restore.

use crate::command::{Folder, cloudtrail, there};
use crate::configuration::RULE;

/// The output of `evidence adopt`, and whether it went through.
fn adopt(folder: &Folder, checkpoints: &str) -> (bool, String) {
    let mut command = folder.command();
    command.env("DEEDTRAIL_CHECKPOINTS", folder.path(checkpoints));
    let output = command.args(["evidence", "adopt"]).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn a_healthy_folder_is_not_taken_over_and_a_restored_one_is() {
    let folder = Folder::new();
    let record = folder.write("a.ndjson", cloudtrail("e-1", "CreateAccessKey"));
    let ingest = ["ingest", "-s", "aws.cloudtrail", record.to_str().unwrap()];
    folder.ok(&ingest);
    let finding = folder.json(&["finding", "list"]).remove(0);
    let decide = [
        "finding",
        "decide",
        finding["id"].as_str().unwrap(),
        "--disposition",
        "benign",
        "--note",
    ];
    folder.ok(&[&decide[..], &["a drill"]].concat());
    let origin = folder.json(&["evidence", "checkpoint"]).remove(0);
    let store = "state/deedtrail/checkpoints";
    for _ in 0..2 {
        let (adopted, says) = adopt(&folder, store);
        assert!(!adopted && says.contains("nothing to take over"), "{says}");
    }
    let unchanged = folder.json(&["evidence", "checkpoint"]).remove(0);
    assert_eq!(unchanged["id"], origin["id"]);

    // A copy on another machine: the folder comes back, the checkpoint store does not.
    let data = folder.path("data");
    let archive = folder.path("backup.tar");
    let tar = |arguments: &[&str]| {
        let status = std::process::Command::new("tar").args(arguments).status();
        assert!(status.unwrap().success(), "{arguments:?}");
    };
    let (archive, parent) = (archive.to_str().unwrap(), data.parent().unwrap());
    let parent = parent.to_str().unwrap();
    tar(&["--create", "--file", archive, "--directory", parent, "data"]);
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::remove_dir_all(folder.path("state")).unwrap();
    assert!(!there(&data));
    tar(&["--extract", "--file", archive, "--directory", parent]);
    let refused = folder.run(&["finding", "list"]);
    let says = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && says.contains("evidence adopt"),
        "{says}"
    );
    let (adopted, says) = adopt(&folder, store);
    assert!(adopted, "{says}");
    folder.ok(&["evidence", "check"]);
    let restored = folder.json(&["finding", "list"]).remove(0);
    assert_eq!(restored["note"], "a drill");
    let again = folder.json(&ingest);
    assert_eq!(
        again[0]["duplicates"], 1,
        "sending again stores nothing twice"
    );
}

#[test]
fn a_backup_beside_a_running_server_is_whole_and_restores_what_it_held() {
    let folder = Folder::new();
    let mut server = folder.serve();
    let first = folder.write("a.ndjson", cloudtrail("e-1", "CreateAccessKey"));
    let ingest = |path: &std::path::Path| {
        ["ingest", "-s", "aws.cloudtrail"]
            .map(str::to_owned)
            .into_iter()
            .chain([path.to_str().unwrap().to_owned()])
            .collect::<Vec<_>>()
    };
    let run = |arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        folder.ok(&arguments)
    };
    run(ingest(&first));
    let before = folder.ok(&["finding", "list"]);
    let target = folder.path("backup");
    let target = target.to_str().unwrap();
    let said = folder.json(&["backup", target]).remove(0);
    assert_eq!(said["id"], target);
    assert!(said["entries"].as_u64().unwrap() > 1, "{said}");
    let again = folder.run(&["backup", target]);
    let says = String::from_utf8(again.stderr).unwrap();
    assert!(
        !again.status.success() && says.contains("is there already"),
        "{says}"
    );
    let inside = folder.path("data/backup");
    let inside = folder.run(&["backup", inside.to_str().unwrap()]);
    let says = String::from_utf8(inside.stderr).unwrap();
    assert!(
        !inside.status.success() && says.contains("inside the data folder"),
        "{says}"
    );

    // What comes later is not in it, and is taken once when it is sent again.
    let later = folder.write("b.ndjson", cloudtrail("e-2", "DeleteTrail"));
    run(ingest(&later));
    server.stop();
    std::fs::remove_dir_all(folder.path("data")).unwrap();
    std::fs::rename(target, folder.path("data")).unwrap();
    let refused = folder.run(&["finding", "list"]);
    let says = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && says.contains("rolled back"),
        "{says}"
    );
    let (adopted, says) = adopt(&folder, "state/deedtrail/checkpoints");
    assert!(adopted, "{says}");
    folder.ok(&["evidence", "check"]);
    assert_eq!(folder.ok(&["finding", "list"]), before);
    let sent = ["--json".to_owned()].into_iter();
    let both = [&first, &later].map(|path| run(sent.clone().chain(ingest(path)).collect()));
    assert!(both[0].contains("\"duplicates\":1"), "{both:?}");
    assert!(both[1].contains("\"duplicates\":0"), "{both:?}");
}

#[test]
fn the_first_read_after_a_restore_says_that_it_derives_first() {
    let folder = Folder::new();
    let records: Vec<String> = (0..1_100)
        .map(|n| cloudtrail(&format!("e-{n}"), "CreateAccessKey"))
        .collect();
    let file = folder.write("a.ndjson", records.join("\n"));
    folder.ok(&["ingest", "-s", "aws.cloudtrail", file.to_str().unwrap()]);
    let talk = |arguments: &[&str]| {
        let output = folder.run(arguments);
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(!talk(&["finding", "list"]).contains("derived"));
    // What a backup leaves out.
    std::fs::remove_dir_all(folder.path("data/archive")).unwrap();
    let said = talk(&["finding", "list"]);
    assert!(said.contains("entries of the log wait"), "{said}");
    assert!(!talk(&["finding", "list"]).contains("derived"));
}

#[test]
fn what_comes_in_after_a_log_lost_its_end_is_seen() {
    let folder = Folder::new();
    let ingest = |name: &str, ids: std::ops::Range<u32>| {
        let records: Vec<String> = ids
            .map(|id| cloudtrail(&format!("e-{id}"), "CreateAccessKey"))
            .collect();
        let file = folder.write(name, records.join("\n"));
        folder.ok(&["ingest", "-s", "aws.cloudtrail", file.to_str().unwrap()]);
    };
    let copy = |from: &str, to: &str| {
        let mut command = std::process::Command::new("cp");
        command.arg("-r").args([folder.path(from), folder.path(to)]);
        assert!(command.status().unwrap().success());
    };
    ingest("a.ndjson", 0..3);
    copy("data/log", "log");
    ingest("b.ndjson", 3..40);
    std::fs::remove_dir_all(folder.path("data/log")).unwrap();
    copy("log", "data/log");
    let (adopted, says) = adopt(&folder, "state/deedtrail/checkpoints");
    assert!(adopted, "{says}");
    ingest("c.ndjson", 40..45);
    let count = folder.ok(&[
        "query",
        "--format",
        "csv",
        "SELECT count(*) AS n FROM events",
    ]);
    assert!(count.lines().any(|line| line == "8"), "{count}");
}

/// The folder of rules is a link, as deployments swap it; a secret may be read by its owner alone and lies
/// where keys do; what is no file, or not there, stands in nobody's way.
#[test]
fn what_the_configuration_names_is_copied_or_said_to_be_left_out() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = Folder::new();
    folder.ok(&["finding", "list"]);
    for name in ["data/releases/3/own", "elsewhere", "data/certs"] {
        std::fs::create_dir_all(folder.path(name)).unwrap();
    }
    folder.write("data/releases/3/own/rule.yml", RULE);
    symlink("releases/3", folder.path("data/current")).unwrap();
    symlink("nowhere", folder.path("data/releases/3/.#rule.yml")).unwrap();
    symlink("..", folder.path("data/releases/3/own/again")).unwrap();
    let secret = folder.write("data/keys/hook", "a secret of thirty-two characters\n");
    let owner_alone = std::fs::Permissions::from_mode(0o400);
    std::fs::set_permissions(&secret, owner_alone).unwrap();
    let inventory = folder.write("data/certs/inventory.csv", "target,environment\n");
    let hook = "secret_file = 'keys/hook'\nsource = 'github.webhook'\nscheme = 'github'\n";
    folder.write(
        "data/deedtrail.toml",
        format!(
            "rules = 'current'\nsources = '../elsewhere'\n[targets]\n\
             inventory = 'certs/inventory.csv'\n[webhooks.one]\n{hook}[webhooks.two]\n{hook}"
        ),
    );
    let own = |folder: &Folder| {
        let rules = folder.json(&["rule", "list"]);
        rules.iter().any(|rule| rule["id"] == "own")
    };
    assert!(own(&folder));
    let backup = folder.path("backup");
    let made = folder.run(&["backup", backup.to_str().unwrap()]);
    let says = String::from_utf8([made.stdout, made.stderr].concat()).unwrap();
    assert!(made.status.success(), "{says}");
    let left_out: Vec<&str> = says
        .lines()
        .filter(|it| it.contains("not in it: "))
        .collect();
    assert_eq!(left_out.len(), 1, "{says}");
    assert!(
        left_out[0].contains("`sources`") && left_out[0].ends_with("outside of the data folder"),
        "{says}"
    );
    assert!(there(&folder.path("backup/current/own/rule.yml")));
    assert!(!there(&folder.path("backup/current/own/again")));
    assert!(there(&inventory) && there(&folder.path("backup/certs/inventory.csv")));
    std::fs::remove_dir_all(folder.path("data")).unwrap();
    std::fs::rename(&backup, folder.path("data")).unwrap();
    assert!(own(&folder));
}

/// The log is copied as one consistent cut, whatever else names its folder.
#[test]
fn folders_of_the_servers_own_are_not_copied_over_what_was_copied_with_care() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    for (rules, because) in [
        (".", "is the data folder itself"),
        ("log", "is a folder of the server's own"),
    ] {
        folder.write("data/deedtrail.toml", format!("rules = '{rules}'\n"));
        let backup = folder.path(&format!("backup-of-{}", rules.len()));
        let made = folder.run(&["backup", backup.to_str().unwrap()]);
        let says = String::from_utf8([made.stdout, made.stderr].concat()).unwrap();
        assert!(made.status.success() && says.contains(because), "{says}");
        assert!(!there(&backup.join("archive")));
    }
}
