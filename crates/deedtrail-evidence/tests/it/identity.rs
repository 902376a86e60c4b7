//! Who may write and sign: one process, one history.

use std::path::Path;
use std::sync::Arc;

use deedtrail_core::port::log::{AppendError, EntryKind, EvidenceLog as _};
use deedtrail_evidence::disk::RealDisk;
use deedtrail_evidence::disk::simulated::{SimulatedDisk, Syncing};
use deedtrail_evidence::{Adoption, Grounds, Log, LogConfig, OpenError, SealError};

use crate::support::{TestEntropy, adopt_on, clock, config, entry, open, open_on, read_all};

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
    let log = adopt(&disk, "test.example/second").unwrap();
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

/// `disk` without its checkpoint store, as a copied or moved data folder has it.
fn without_store(disk: &SimulatedDisk) -> SimulatedDisk {
    let mut files = disk.snapshot();
    files.retain(|path, _| !path.starts_with("/sim/checkpoints"));
    SimulatedDisk::with_files(&files)
}

fn adopt(disk: &Arc<SimulatedDisk>, origin: &str) -> Result<Log, OpenError> {
    let config = config(Path::new("/sim"));
    adopt_on((&config, Arc::clone(disk) as _), origin, None)
}

#[test]
fn a_copied_folder_signs_nothing_before_it_is_adopted() {
    let disk = Arc::new(without_store(&a_log_of(3, "a")));
    for _ in 0..2 {
        let refused = open_on(&config(Path::new("/sim")), Arc::clone(&disk) as _);
        assert!(matches!(refused, Err(OpenError::Moved { .. })));
    }
    assert!(
        !disk
            .snapshot()
            .keys()
            .any(|path| path.starts_with("/sim/checkpoints"))
    );
    let log = adopt(&disk, "test.example/copy").unwrap();
    assert_eq!(log.end(), 4);
    drop(log);
    let log = open_on(&config(Path::new("/sim")), Arc::clone(&disk) as _).unwrap();
    assert_eq!((log.origin(), log.end()), ("test.example/copy", 4));
    drop(log);
    // The copy of the copy, as well.
    let again = open_on(&config(Path::new("/sim")), Arc::new(without_store(&disk)));
    assert!(matches!(again, Err(OpenError::Moved { .. })));
}

/// `disk` with its data folder at `/sim/data`, and a copy of it at `/sim/copy`.
fn with_copy(disk: &SimulatedDisk) -> SimulatedDisk {
    let mut files = disk.snapshot();
    for (path, bytes) in disk.snapshot() {
        if let Ok(below) = path.strip_prefix("/sim/data") {
            files.insert(Path::new("/sim/copy").join(below), bytes);
        }
    }
    SimulatedDisk::with_files(&files)
}

/// The data folder at `data`, with the checkpoint store of [`config`].
fn config_of(data: &str) -> LogConfig {
    let usual = config(Path::new("/sim"));
    LogConfig {
        folder: Path::new(data).join("log"),
        lock: Path::new(data).join("LOCK"),
        signing_key: Path::new(data).join("keys").join("log-signing.key"),
        ..usual
    }
}

#[test]
fn a_copy_beside_its_original_is_refused_and_the_original_goes_on() {
    let disk = Arc::new(with_copy(&a_log_of(3, "a")));
    let refused = open_on(&config_of("/sim/copy"), Arc::clone(&disk) as _);
    let Err(OpenError::Copied { original, .. }) = refused else {
        panic!("the copy was opened: {refused:?}");
    };
    assert_eq!(original, "/sim/data/log");
    let places = (&config_of("/sim/copy"), Arc::clone(&disk) as _);
    let copy = adopt_on(places, "test.example/copy", None);
    copy.unwrap()
        .append(vec![entry("in the copy", "1")])
        .unwrap();
    for data in ["/sim/data", "/sim/copy", "/sim/data"] {
        let log = open_on(&config_of(data), Arc::clone(&disk) as _).unwrap();
        log.append(vec![entry(data, "1")]).unwrap();
        log.close().unwrap();
    }
}

#[test]
fn who_a_written_log_is_and_its_key_are_not_made_anew() {
    let config = config(Path::new("/sim"));
    let whole = a_log_of(3, "a").snapshot();
    let key = config.signing_key.file_name().unwrap().to_str().unwrap();
    let without = |name: &str| {
        let mut files = whole.clone();
        files.retain(|path, _| !path.ends_with(name));
        assert_eq!(files.len() + 1, whole.len(), "{name}");
        SimulatedDisk::with_files(&files)
    };
    for name in ["identity.json", key] {
        let disk = Arc::new(without(name));
        let refused = open_on(&config, Arc::clone(&disk) as _).unwrap_err();
        let refused = refused.to_string();
        assert!(
            refused.contains(name) && refused.contains("that of a backup"),
            "{refused}"
        );
        let made = disk
            .snapshot()
            .into_keys()
            .find(|path| path.ends_with(name));
        assert_eq!(made, None);
    }
    open_on(&config, Arc::new(SimulatedDisk::with_files(&whole))).unwrap();
    // Under another origin it goes on with another key.
    let disk = Arc::new(without_store(&without(key)));
    let log = adopt(&disk, "test.example/second").unwrap();
    log.append(vec![entry("b", "1")]).unwrap();
}

#[test]
fn a_moved_folder_goes_on_as_before() {
    let mut files = with_copy(&a_log_of(3, "a")).snapshot();
    files.retain(|path, _| !path.starts_with("/sim/data"));
    let disk = Arc::new(SimulatedDisk::with_files(&files));
    let log = open_on(&config_of("/sim/copy"), Arc::clone(&disk) as _).unwrap();
    log.close().unwrap();
    // Now it is the folder that signs.
    let mut files = disk.snapshot();
    for (path, bytes) in disk.snapshot() {
        if let Ok(below) = path.strip_prefix("/sim/copy") {
            files.insert(Path::new("/sim/data").join(below), bytes);
        }
    }
    let disk = Arc::new(SimulatedDisk::with_files(&files));
    let refused = open_on(&config_of("/sim/data"), disk);
    assert!(matches!(refused, Err(OpenError::Copied { .. })));
}

#[test]
fn a_folder_moved_away_behind_a_symbolic_link_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path());
    log.append(vec![entry("a", "1")]).unwrap();
    log.close().unwrap();
    let (data, moved) = (root.path().join("data"), root.path().join("moved"));
    std::fs::rename(&data, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &data).unwrap();
    let through_the_link = open(root.path());
    through_the_link.close().unwrap();
    let usual = config(root.path());
    let directly = LogConfig {
        folder: moved.join("log"),
        lock: moved.join("LOCK"),
        signing_key: moved.join("keys").join("log-signing.key"),
        ..usual
    };
    open_on(&directly, Arc::new(RealDisk)).unwrap();
}

#[test]
fn a_log_put_back_with_its_checkpoint_store_gets_a_new_origin_when_the_operator_says_why() {
    let disk = Arc::new(a_log_of(3, "a"));
    let config = config(Path::new("/sim"));
    let why = "a witness saw more";
    let places = (&config, Arc::clone(&disk) as _);
    let log = adopt_on(places, "test.example/new", Some(why)).unwrap();
    assert_eq!(log.origin(), "test.example/new");
    let recorded = log.read(3, usize::MAX).unwrap().swap_remove(0);
    assert_eq!(recorded.entry.note, "evidence.adopt");
    let said: serde_json::Value = serde_json::from_slice(&recorded.bytes()).unwrap();
    assert_eq!(said["reason"], why);
    log.close().unwrap();
    drop(log);
    let log = open_on(&config, disk).unwrap();
    assert_eq!((log.origin(), adoptions(&log)), ("test.example/new", 1));
}

#[test]
fn what_has_to_be_done_before_an_adoption_lasts_is_done_before_and_its_failure_changes_nothing() {
    let disk = Arc::new(without_store(&a_log_of(3, "a")));
    let config = config(Path::new("/sim"));
    let adoption = Adoption {
        origin: "test.example/second".to_owned(),
        reason: "restored".to_owned(),
        grounds: Grounds::Found,
    };
    let adopt = |before: &mut dyn FnMut() -> std::io::Result<()>| {
        let around = (
            Arc::clone(&disk) as _,
            clock() as _,
            Arc::new(TestEntropy::new(1)) as _,
        );
        Log::adopt(&config, around, &adoption, before)
    };
    let says_so = || {
        let files = disk.snapshot();
        let mut files = files.iter();
        files.any(|(path, bytes)| {
            path.ends_with("identity.json")
                && String::from_utf8_lossy(bytes).contains("test.example/second")
        })
    };
    let refused = adopt(&mut || Err(std::io::Error::other("the key stays")));
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("the key stays"), "{refused}");
    assert!(!says_so());
    let mut was_first = false;
    let adopted = adopt(&mut || {
        was_first = !says_so();
        Ok(())
    });
    assert_eq!(adopted.unwrap().origin(), "test.example/second");
    assert!(was_first && says_so());
}

#[test]
fn a_log_that_continues_what_it_signed_is_not_taken_over() {
    let disk = Arc::new(a_log_of(3, "a"));
    let before = disk.snapshot();
    let refused = adopt(&disk, "test.example/new");
    assert!(
        matches!(refused, Err(OpenError::Healthy { .. })),
        "{refused:?}"
    );
    let identity = Path::new("/sim/data/log/identity.json");
    assert_eq!(disk.snapshot()[identity], before[identity]);
}

/// Entries that say that the log was adopted.
fn adoptions(log: &Log) -> usize {
    let is_adoption = |note: &str| note == "evidence.adopt";
    read_all(log, usize::MAX)
        .iter()
        .filter(|stored| is_adoption(&stored.entry.note))
        .count()
}

#[test]
fn an_adoption_that_fails_at_any_step_is_done_or_not_and_recorded_once() {
    let mut outcomes = [0; 2];
    for step in 1.. {
        let disk = Arc::new(without_store(&a_log_of(3, "a")));
        disk.fail_at(step, std::io::ErrorKind::StorageFull);
        let failed = adopt(&disk, "test.example/new").is_err();
        if disk.steps() < step {
            break;
        }
        let log = match open_on(&config(Path::new("/sim")), Arc::clone(&disk) as _) {
            Err(OpenError::Moved { .. }) => {
                assert!(failed, "step {step}");
                outcomes[0] += 1;
                adopt(&disk, "test.example/new").unwrap()
            }
            opened => {
                outcomes[1] += 1;
                opened.unwrap()
            }
        };
        assert_eq!(
            (log.origin(), adoptions(&log)),
            ("test.example/new", 1),
            "step {step}"
        );
        let first = read_all(&log, usize::MAX).swap_remove(3);
        assert_eq!(first.entry.note, "evidence.adopt", "step {step}");
        log.close().unwrap();
        let log = open_on(&config(Path::new("/sim")), disk).unwrap();
        assert_eq!(adoptions(&log), 1, "step {step}");
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

#[test]
fn a_damaged_log_is_not_taken_over() {
    let disk = without_store(&a_log_of(3, "a"));
    let path = disk
        .snapshot()
        .into_keys()
        .find(|path| path.extension().is_some_and(|e| e == "segment"));
    disk.tamper(&path.unwrap(), |bytes| bytes[200] ^= 1);
    let disk = Arc::new(disk);
    let before = disk.snapshot();
    let refused = adopt(&disk, "test.example/new");
    assert!(matches!(refused, Err(OpenError::Damaged(_))), "{refused:?}");
    let identity = Path::new("/sim/data/log/identity.json");
    assert_eq!(disk.snapshot()[identity], before[identity]);
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

#[test]
fn a_flipped_bit_of_the_identity_never_makes_it_another() {
    let disk = SimulatedDisk::new(Syncing::Honest);
    let mut config = config(Path::new("/sim"));
    config.origin = None;
    let log = open_on(&config, Arc::new(disk.clone())).unwrap();
    log.append(vec![entry("a", "1")]).unwrap();
    log.close().unwrap();
    let key = log.verifier_key();
    drop(log);
    let path = Path::new("/sim/data/log/identity.json");
    let files = disk.snapshot();
    for bit in 0..files[path].len() * 8 {
        let mut files = files.clone();
        files.get_mut(path).unwrap()[bit / 8] ^= 1 << (bit % 8);
        let opened = open_on(&config, Arc::new(SimulatedDisk::with_files(&files)));
        if let Ok(log) = opened {
            assert_eq!(log.verifier_key(), key, "bit {bit}");
        }
    }
}

#[test]
fn an_identity_without_a_check_is_that_of_an_older_version() {
    let disk = a_log_of(1, "a");
    let path = Path::new("/sim/data/log/identity.json");
    disk.tamper(path, |bytes| {
        let mut value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        value.as_object_mut().unwrap().remove("check").unwrap();
        *bytes = serde_json::to_vec(&value).unwrap();
    });
    open_on(&config(Path::new("/sim")), Arc::new(disk)).unwrap();
}
