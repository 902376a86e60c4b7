//! A log is copied while it is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use deedtrail_core::port::log::EvidenceLog as _;
use deedtrail_evidence::Log;
use deedtrail_evidence::disk::RealDisk;

use crate::support::{adopt_on, config, entry, open_on, read_all};

/// Opens a copy as what it is.
fn adopt(root: &std::path::Path) -> Log {
    let disk = Arc::new(RealDisk);
    adopt_on((&config(root), disk), "test.example/copy", None).unwrap()
}

#[test]
fn a_copy_made_between_appends_holds_everything_acknowledged_before_it() {
    copied_beside_appends(16 << 10, 200);
}

#[test]
fn a_copy_of_a_segment_of_several_pieces_has_no_holes() {
    copied_beside_appends(64 << 20, 20_000);
}

/// Copies a log four times while records of `bytes` come in.
fn copied_beside_appends(segment_bytes: u64, bytes: usize) {
    let root = tempfile::tempdir().unwrap();
    let mut settings = config(root.path());
    settings.segment_bytes = segment_bytes;
    let log = open_on(&settings, Arc::new(RealDisk)).unwrap();
    let (over, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0_u64.. {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let content = format!("content {number} {}", "x".repeat(bytes));
                log.append(vec![entry(&format!("key {number}"), &content)])
                    .unwrap();
                acknowledged.store(number + 1, Ordering::SeqCst);
            }
        });
        for number in 0..4 {
            // Several segments of 16 KiB, and different places in the newest.
            while acknowledged.load(Ordering::SeqCst) < 200 * (number + 1) {
                std::thread::yield_now();
            }
            let before = acknowledged.load(Ordering::SeqCst);
            let other = tempfile::tempdir().unwrap();
            let copied = log.copy_to(&other.path().join("data").join("log")).unwrap();
            assert!(copied.entries >= before && copied.bytes > 0);
            let keys = other.path().join("data").join("keys");
            std::fs::create_dir_all(&keys).unwrap();
            let key = "log-signing.key";
            std::fs::copy(root.path().join("data/keys").join(key), keys.join(key)).unwrap();
            let copy = adopt(other.path());
            assert!(copy.damage().is_none(), "{:?}", copy.damage());
            let entries = read_all(&copy, 1 << 20);
            assert!(entries.len() as u64 > copied.entries);
            let own = read_all(&log, 1 << 20);
            // The last one tells of the adoption.
            for (at, (copied, own)) in entries.iter().zip(&own).take(entries.len() - 1).enumerate()
            {
                assert_eq!(copied, own, "entry {at}");
            }
            assert_eq!(copy.check_everything().unwrap().damage, None);
        }
        over.store(true, Ordering::SeqCst);
    });
}
