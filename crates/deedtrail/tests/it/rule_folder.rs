//! Folders of rules, as who writes rules names them.

use std::path::Path;

use crate::command::Folder;
use crate::configuration::{RULE, with_own_sources_and_rules};

#[test]
fn a_rule_that_is_left_out_is_explained_by_its_mistake() {
    let folder = with_own_sources_and_rules();
    std::fs::create_dir(folder.path("rules/own/made")).unwrap();
    let broken = RULE.replace("action:", "actoin:");
    folder.write("rules/own/made/rule.yml", broken);
    for name in ["own/made", "own/made/rule.yml", "made"] {
        let output = folder.run(&["rule", "explain", name]);
        let says = String::from_utf8(output.stderr).unwrap();
        assert!(
            says.contains("left out until") && says.contains("made/rule.yml:7: no field"),
            "{name}: {says}"
        );
    }
}

/// A rule of this build with its fixtures, under another name.
fn copied(folder: &Folder, name: &str) {
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules");
    let rule = Path::new(rules).join("behavioural/listing_then_rights");
    std::fs::create_dir_all(folder.path(name)).unwrap();
    for file in ["rule.yml", "fires.ndjson", "quiet.ndjson"] {
        let text = std::fs::read(rule.join(file)).unwrap();
        folder.write(&format!("{name}/{file}"), text);
    }
}

#[test]
fn each_rule_of_a_folder_of_folders_is_tested() {
    let folder = Folder::bare();
    copied(&folder, "rules/own/one");
    copied(&folder, "rules/own/two");
    let test = || {
        let output = folder.run(&["rule", "test", folder.path("rules").to_str().unwrap()]);
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(test(), "2 rules tested, 0 failed\n");
    std::fs::write(folder.path("rules/own/two/fires.ndjson"), "").unwrap();
    folder.write("rules/own/flat.yml", RULE);
    let says = test();
    assert!(
        says.starts_with("not tested, as they are no rule.yml in a folder of their own: 1 file\n")
            && says.ends_with("2 rules tested, 1 failed\n"),
        "{says}"
    );
    std::fs::remove_dir_all(folder.path("rules/own/one")).unwrap();
    std::fs::remove_dir_all(folder.path("rules/own/two")).unwrap();
    let says = test();
    assert!(
        says.contains("no rule.yml in") && says.contains("or below it"),
        "{says}"
    );
}

#[test]
fn a_file_of_another_name_is_said_to_be_none_that_is_tested() {
    let folder = Folder::bare();
    let file = folder.write("bad.yml", RULE);
    let output = folder.run(&["rule", "test", file.to_str().unwrap()]);
    let says = String::from_utf8(output.stderr).unwrap();
    assert!(
        says.contains("bad.yml is not called rule.yml: a rule is tested in a folder of its own"),
        "{says}"
    );
}

#[test]
fn what_a_rule_says_is_one_object_for_programs() {
    let folder = Folder::bare();
    let explained = folder.json(&["rule", "explain", "click/non_human_click"]);
    let [explained] = &explained[..] else {
        panic!("{explained:?}");
    };
    assert_eq!(explained["id"], "click/non_human_click");
    assert!(
        explained["text"]
            .as_str()
            .unwrap()
            .contains("machine identity")
    );
}
