//! What is added is seen once, stored once, and still there after a restart.

use deedtrail_core::port::archive::Archive as _;

use crate::fixture::{all, archive, counts, event, events, full_event, open};

#[test]
fn every_field_comes_back_hot_stored_and_reopened() {
    let (folder, archive) = archive();
    let expected = vec![full_event(), event(7)];
    archive.add(expected.clone(), 100);
    assert_eq!(archive.events(&all(), None, 10).unwrap(), expected, "hot");
    archive.commit().unwrap();
    assert_eq!(archive.figures().hot_rows, 0);
    assert_eq!(
        archive.events(&all(), None, 10).unwrap(),
        expected,
        "stored"
    );
    drop(archive);
    assert_eq!(
        open(&folder).events(&all(), None, 10).unwrap(),
        expected,
        "reopened"
    );
}

#[test]
fn position_and_rows_commit_together() {
    let (folder, archive) = archive();
    assert_eq!(archive.covered(), 0);
    archive.add(events(0..10), 10);
    assert_eq!(archive.covered(), 0);
    archive.commit().unwrap();
    assert_eq!(archive.covered(), 10);
    let version = archive.figures().version;
    archive.commit().unwrap();
    assert_eq!(
        archive.figures().version,
        version,
        "a commit without news writes nothing"
    );

    archive.add(events(10..12), 15);
    drop(archive);
    let archive = open(&folder);
    assert_eq!(archive.covered(), 10);
    assert_eq!(
        counts(&archive),
        (10, 10),
        "what was not committed is replayed from the log"
    );
    archive.add(events(5..12), 15);
    assert_eq!(
        counts(&archive),
        (12, 12),
        "rows below `covered` are ignored"
    );
    archive.commit().unwrap();
    assert_eq!(archive.covered(), 15);
    assert_eq!(counts(&archive), (12, 12));
    archive.add(Vec::new(), 20);
    archive.commit().unwrap();
    assert_eq!(
        archive.covered(),
        20,
        "entries without events move the position too"
    );
}
