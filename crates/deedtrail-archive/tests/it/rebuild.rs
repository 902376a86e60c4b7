//! A rebuild fills a new generation while queries keep seeing the live one.

use deedtrail_core::port::archive::Archive as _;

use crate::fixture::{archive, counts, event, events, open};

fn generations(folder: &tempfile::TempDir) -> Vec<String> {
    let names = std::fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn queries_see_the_live_generation_until_the_swap() {
    let (folder, archive) = archive();
    archive.add(events(0..10), 10).unwrap();
    archive.commit().unwrap();
    archive.add(events(10..12), 12).unwrap();

    archive.start_rebuild().unwrap();
    assert_eq!(
        archive.covered(),
        0,
        "the rebuild starts at the beginning of the log"
    );
    archive.add(events(0..6), 6).unwrap();
    archive.commit().unwrap();
    assert_eq!(archive.covered(), 6);
    assert_eq!(counts(&archive), (12, 12));
    archive.add(events(6..15), 15).unwrap();
    assert_eq!(counts(&archive), (12, 12));

    archive.finish_rebuild().unwrap();
    assert_eq!((archive.covered(), counts(&archive)), (15, (15, 15)));
    assert_eq!(generations(&folder), ["events", "events-000002", "spill"]);
    drop(archive);
    assert_eq!(counts(&open(&folder)), (15, 15));
}

#[test]
fn an_unfinished_rebuild_is_forgotten() {
    let (folder, archive) = archive();
    archive.add(events(0..10), 10).unwrap();
    archive.commit().unwrap();
    archive.start_rebuild().unwrap();
    archive.add(vec![event(0)], 1).unwrap();
    archive.commit().unwrap();
    archive.start_rebuild().unwrap();
    drop(archive);
    let archive = open(&folder);
    assert_eq!((archive.covered(), counts(&archive)), (10, (10, 10)));
    assert_eq!(generations(&folder), ["events", "events-000001", "spill"]);
}

#[test]
fn finishing_what_was_not_started_is_an_error() {
    let (_folder, archive) = archive();
    let error = archive.finish_rebuild().unwrap_err().to_string();
    assert!(error.contains("no rebuild was started"), "{error}");
}
