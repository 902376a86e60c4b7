//! Who may write and sign: one process, one history.

use std::path::Path;
use std::sync::Arc;

use deedtrail_core::port::log::{AppendError, EntryKind, EvidenceLog as _};
use deedtrail_evidence::disk::RealDisk;
use deedtrail_evidence::disk::simulated::{SimulatedDisk, Syncing};
use deedtrail_evidence::{Log, OpenError, SealError};

use crate::support::{TestEntropy, clock, config, entry, open, open_on, read_all};

#[test]
fn a_second_handle_on_the_folder_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path());
    let second = open_on(&config(root.path()), Arc::new(RealDisk));
    assert!(matches!(second, Err(OpenError::InUse { .. })));
    log.close().unwrap();
    open_on(&config(root.path()), Arc::new(RealDisk)).unwrap();
}

fn a_log_of(batches: u32, key: &str) -> SimulatedDisk {
    let disk = SimulatedDisk::new(Syncing::Honest);
    let log = open_on(&config(Path::new("/sim")), Arc::new(disk.clone())).unwrap();
    for batch in 0..batches {
        log.append(vec![entry(&format!("{key}{batch}"), key)])
            .unwrap();
    }
    disk
}

/// `disk` with the checkpoint store of `other`.
fn with_store_of(disk: &SimulatedDisk, other: &SimulatedDisk) -> SimulatedDisk {
    let mut files = disk.snapshot();
    let store = other
        .snapshot()
        .into_iter()
        .filter(|(path, _)| path.starts_with("/sim/checkpoints"));
    files.extend(store);
    SimulatedDisk::with_files(&files)
}

#[test]
fn a_rolled_back_or_forked_log_is_refused_and_can_be_adopted() {
    let rolled_back = with_store_of(&a_log_of(3, "a"), &a_log_of(5, "a"));
    let refused = open_on(&config(Path::new("/sim")), Arc::new(rolled_back.clone()));
    assert!(matches!(
        refused,
        Err(OpenError::RolledBack {
            batches: 3,
            signed: 5
        })
    ));
    let forked = with_store_of(&a_log_of(5, "a"), &a_log_of(4, "b"));
    let refused = open_on(&config(Path::new("/sim")), Arc::new(forked));
    assert!(matches!(refused, Err(OpenError::Forked { signed: 4 })));

    let disk = Arc::new(rolled_back);
    let around = (
        Arc::clone(&disk) as _,
        clock() as _,
        Arc::new(TestEntropy::new(1)) as _,
    );
    let log = Log::adopt(
        &config(Path::new("/sim")),
        around,
        "test.example/second",
        "restored",
    )
    .unwrap();
    assert_eq!(log.origin(), "test.example/second");
    log.seal().unwrap();
    assert!(log.checkpoint().starts_with("test.example/second\n4\n"));
    let newest = read_all(&log, usize::MAX).pop().unwrap();
    assert_eq!(
        (newest.entry.kind, newest.entry.note.as_str()),
        (EntryKind::Configuration, "evidence.adopt")
    );
    drop(log);
    let log = open_on(&config(Path::new("/sim")), disk).unwrap();
    assert_eq!(log.origin(), "test.example/second");
}

#[test]
fn two_copies_of_a_log_cannot_both_sign() {
    let disk = a_log_of(2, "a");
    let log = open_on(&config(Path::new("/sim")), Arc::new(disk.clone())).unwrap();
    log.append(vec![entry("mine", "1")]).unwrap();
    // A copy elsewhere has signed meanwhile.
    let other = a_log_of(3, "a").snapshot();
    let (store, note) = other
        .iter()
        .find(|(path, _)| path.starts_with("/sim/checkpoints"))
        .unwrap();
    disk.tamper(store, |bytes| bytes.clone_from(note));
    assert!(matches!(log.seal(), Err(SealError::Forked { .. })));
    let refused = log.append(vec![entry("more", "1")]);
    assert!(matches!(refused, Err(AppendError::ReadOnly { .. })));
}

#[test]
fn another_origin_in_the_configuration_is_refused() {
    let disk = Arc::new(a_log_of(1, "a"));
    let mut config = config(Path::new("/sim"));
    config.origin = Some("test.example/other".to_owned());
    assert!(matches!(
        open_on(&config, disk),
        Err(OpenError::OtherOrigin { .. })
    ));
}
