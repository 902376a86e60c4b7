//! What is added is seen once, stored once, and still there after a restart.

use std::sync::atomic::{AtomicBool, Ordering};

use deedtrail_core::port::archive::Archive as _;
use deedtrail_core::time::Timestamp;

use crate::fixture::{all, archive, counts, csv, event, events, full_event, open};

#[test]
fn every_field_comes_back_hot_stored_and_reopened() {
    let (folder, archive) = archive();
    let expected = vec![full_event(), event(7)];
    archive.add(expected.clone(), 100).unwrap();
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
    archive.add(events(0..10), 10).unwrap();
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

    archive.add(events(10..12), 15).unwrap();
    drop(archive);
    let archive = open(&folder);
    assert_eq!(archive.covered(), 10);
    assert_eq!(
        counts(&archive),
        (10, 10),
        "what was not committed is replayed from the log"
    );
    archive.add(events(5..12), 15).unwrap();
    assert_eq!(
        counts(&archive),
        (12, 12),
        "rows below `covered` are ignored"
    );
    archive.commit().unwrap();
    assert_eq!(archive.covered(), 15);
    assert_eq!(counts(&archive), (12, 12));
    archive.add(Vec::new(), 20).unwrap();
    archive.commit().unwrap();
    assert_eq!(
        archive.covered(),
        20,
        "entries without events move the position too"
    );
}

/// Writers, a compactor and readers at once. Event `n` is added in order, so a query that sees
/// `k` rows must see exactly `k` different ones, and never fewer than an earlier query saw.
#[test]
fn no_row_is_seen_twice_or_missed_while_commits_and_compaction_run() {
    const EVENTS: u64 = 600;
    let (folder, archive) = archive();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for first in (0..EVENTS).step_by(20) {
                archive.add(events(first..first + 20), first + 20).unwrap();
                if first % 40 == 0 {
                    archive.commit().unwrap();
                }
            }
            done.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                archive.compact().unwrap();
            }
        });
        let mut before = 0;
        while !done.load(Ordering::Acquire) {
            let (rows, uids) = counts(&archive);
            assert_eq!(rows, uids, "a row is seen twice");
            assert!(rows >= before, "{rows} rows after {before}");
            before = rows;
            let newest = archive.events(&all(), None, 3).unwrap();
            let sequences: Vec<u64> = newest.iter().map(|event| event.log_seq).collect();
            let last = sequences.first().copied().unwrap_or(0);
            assert!(
                sequences
                    .iter()
                    .enumerate()
                    .all(|(n, s)| *s + n as u64 == last),
                "{sequences:?}"
            );
        }
    });
    archive.commit().unwrap();
    archive.compact().unwrap();
    assert_eq!(counts(&archive), (EVENTS, EVENTS));
    assert!(
        archive.figures().files < EVENTS / 40,
        "{:?}",
        archive.figures()
    );
    drop(archive);
    let archive = open(&folder);
    assert_eq!(
        (archive.covered(), counts(&archive)),
        (EVENTS, (EVENTS, EVENTS))
    );
}

#[test]
fn compaction_keeps_every_field_and_the_order_of_files() {
    let (_folder, archive) = archive();
    let mut expected = vec![full_event()];
    archive.add(expected.clone(), 100).unwrap();
    archive.commit().unwrap();
    for first in [100, 110, 120] {
        let more = events(first..first + 10);
        expected.extend(more.clone());
        archive.add(more, first + 10).unwrap();
        archive.commit().unwrap();
    }
    assert_eq!(archive.figures().files, 4);
    archive.compact().unwrap();
    let figures = archive.figures();
    assert_eq!((figures.files, figures.rows), (1, 31));
    expected.sort_by_key(|event| std::cmp::Reverse((event.time_effective, event.event_uid)));
    assert_eq!(archive.events(&all(), None, 100).unwrap(), expected);
    let version = figures.version;
    archive.compact().unwrap();
    assert_eq!(
        archive.figures().version,
        version,
        "nothing is left to compact"
    );
}

/// The contract for rows of remapped records: they keep the record's sequence and count where
/// they were derived.
#[test]
fn a_row_derived_anew_is_not_taken_for_a_replayed_one() {
    let (_folder, archive) = archive();
    archive.add(events(0..5), 5).unwrap();
    archive.commit().unwrap();
    let mut remapped = event(2);
    remapped.derived_at = 6;
    remapped.ordinal = 1;
    remapped.event_uid = event(1000).event_uid;
    archive.add(vec![remapped], 7).unwrap();
    assert_eq!(counts(&archive), (6, 6));
}

/// What a pipeline does that was opened again after an error: it starts before the hot rows.
#[test]
fn rows_that_are_hot_are_not_added_again() {
    let (_folder, archive) = archive();
    archive.add(events(0..5), 5).unwrap();
    archive.commit().unwrap();
    archive.add(events(5..9), 10).unwrap();
    archive.add(events(3..12), 12).unwrap();
    assert_eq!(counts(&archive), (11, 11), "9 was said to have no rows");
    archive.add(events(0..8), 8).unwrap();
    archive.commit().unwrap();
    assert_eq!((archive.covered(), counts(&archive)), (12, (11, 11)));
}

#[test]
fn a_month_is_a_partition_and_absurd_times_have_one() {
    let (_folder, archive) = archive();
    let mut early = event(0);
    early.time_effective = Timestamp::from_micros(i64::MIN);
    let mut late = event(1);
    late.time_effective = Timestamp::from_micros(i64::MAX);
    archive.add(vec![early, late, event(2)], 3).unwrap();
    archive.commit().unwrap();
    assert_eq!(archive.figures().files, 3);
    let text = csv(
        &archive,
        "SELECT min(event_month), max(event_month) FROM events",
    );
    assert_eq!(text.lines().nth(1), Some("0001-01-01,9999-12-01"));
    assert_eq!(archive.events(&all(), None, 10).unwrap().len(), 3);
}

/// Neither a plain thread nor a blocking task of another runtime deadlocks or panics.
#[test]
fn callable_from_a_blocking_task_of_another_runtime() {
    let (folder, archive) = archive();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let covered = runtime.block_on(async move {
        let work = move || {
            archive.add(events(0..3), 3).unwrap();
            archive.commit().unwrap();
            archive.covered()
        };
        tokio::task::spawn_blocking(work).await.unwrap()
    });
    assert_eq!(covered, 3);
    assert_eq!(open(&folder).covered(), 3);
}

/// Also what happens when a commit is stored but reported as failed: its rows are neither stored
/// again nor lost.
#[test]
fn a_commit_that_is_stored_already_is_recognised() {
    let (folder, first) = archive();
    let second = open(&folder);
    first.add(events(0..10), 10).unwrap();
    first.commit().unwrap();

    second.add(events(0..10), 10).unwrap();
    let error = second.commit().unwrap_err().to_string();
    assert!(error.contains("another writer stored up to 10"), "{error}");
    assert_eq!(counts(&second), (10, 10), "hot rows are still there");
    second.add(events(10..12), 12).unwrap();
    second.commit().unwrap();
    assert_eq!((second.covered(), counts(&second)), (12, (12, 12)));

    first.add(events(10..11), 11).unwrap();
    first.commit().unwrap_err();
    first.commit().unwrap_err();
    assert_eq!(counts(&first), (11, 11));
    assert_eq!(
        counts(&open(&folder)),
        (12, 12),
        "a writer that fell behind stores nothing"
    );
}
