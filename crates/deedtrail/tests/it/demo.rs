//! The demo: every incident of the story is a finding, and nothing else is high or critical.

use std::collections::BTreeSet;

use deedtrail_story::Story;
use serde_json::Value;

use crate::command::{Folder, cloudtrail};

#[test]
fn the_story_is_not_told_among_real_records() {
    let folder = Folder::new();
    let file = folder.write("a.ndjson", cloudtrail("e-1", "CreateUser"));
    let file = file.to_str().unwrap();
    folder.json(&["ingest", "--source", "aws.cloudtrail", file]);
    let refused = folder.run(&["demo", "--no-serve"]);
    let talk = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{talk}");
    assert!(talk.contains("records of yours"), "{talk}");
}

/// Of so many findings a shorter list says how many there are, also for programs.
fn what_is_cut_is_told(folder: &Folder, all: usize) {
    let cut = folder.run(&["--json", "finding", "list", "--limit", "1"]);
    let says = String::from_utf8_lossy(&cut.stderr);
    let expected = format!("the newest 1 of {all}; --limit shows more");
    assert!(says.contains(&expected), "{says}");
}

#[test]
fn the_story_is_told_once_and_its_incidents_are_found() {
    let folder = Folder::new();
    let first = folder.run(&["demo", "--no-serve", "--as-of", "2026-11-21"]);
    let talk = String::from_utf8_lossy(&first.stderr).into_owned();
    assert!(first.status.success(), "{talk}");
    let said = |words: &str| talk.contains(words);
    assert!(said(" 5 quarantined") && !said(" 0 duplicates"), "{talk}");
    let reasons = folder.json(&["quarantine", "list"]);
    let codes: BTreeSet<&str> = reasons
        .iter()
        .map(|record| record["code"].as_str().unwrap())
        .collect();
    let expected = ["duplicate_key", "not_json", "wrong_source"];
    assert_eq!(codes, expected.into());
    let count = || {
        folder
            .json(&["query", "SELECT count(*) AS n FROM events"])
            .remove(0)
    };
    let events = count();
    let nobody = "SELECT count(*) AS n FROM events WHERE actor_alias_uid IS NULL";
    let nobody = folder.json(&["query", nobody]).remove(0);
    let (all, nobody) = (&events["n"], nobody["n"].as_i64().unwrap());
    assert!(
        nobody * 100 < all.as_i64().unwrap(),
        "{nobody} of {all} name nobody"
    );
    assert!(folder.run(&["demo", "--no-serve"]).status.success());
    assert_eq!(count(), events);

    let newest = folder
        .json(&["query", "SELECT max(event_day) AS day FROM events"])
        .remove(0);
    assert_eq!(newest["day"], "2026-11-20");
    let story = Story::new(20_778, 1);
    let findings = folder.json(&["finding", "list", "--limit", "10000"]);
    what_is_cut_is_told(&folder, findings.len());
    let mut of_incidents = BTreeSet::new();
    let mut shown = String::new();
    for incident in story.incidents() {
        let who = folder
            .json(&["identity", "show", &incident.alias])
            .remove(0);
        let identity = who["id"].as_str().unwrap().to_owned();
        let found = findings
            .iter()
            .filter(|finding| finding["identity"] == identity.as_str())
            .filter(|finding| finding["kind"] == incident.finding_type)
            .max_by_key(|finding| {
                // A code detector's finding tells more than a rule's on one event of it.
                let events = finding["events"].as_array().map_or(0, Vec::len);
                (events, finding["last_time"].as_str().map(str::to_owned))
            });
        let found = found.unwrap_or_else(|| panic!("{}: no finding", incident.id));
        shown.push_str(&describe(incident.id, found));
        of_incidents.insert(identity);
    }
    let severe =
        |finding: &&Value| matches!(finding["severity"].as_str(), Some("high" | "critical"));
    for finding in findings.iter().filter(severe) {
        let identity = finding["identity"].as_str().unwrap();
        assert!(
            of_incidents.contains(identity),
            "outside the incidents: {}",
            finding["title"]
        );
    }
    insta::assert_snapshot!(shown);
}

/// Title and ordered facts, without the dates that move with the demo's first day.
fn describe(id: &str, finding: &Value) -> String {
    let mut text = format!(
        "{id} {}: {}\n",
        finding["kind"].as_str().unwrap(),
        finding["title"].as_str().unwrap()
    );
    for event in finding["events"].as_array().unwrap() {
        let time = event["time"].as_str().unwrap();
        let clock = time.split_once('T').unwrap().1;
        text.push_str(&format!(
            "  {} {}\n",
            clock.get(..5).unwrap(),
            event["fact"].as_str().unwrap()
        ));
    }
    text
}
