//! Append, read, prove, reopen.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deedtrail_core::port::log::{EvidenceLog as _, Outcome, PartClass, ReadError};
use deedtrail_evidence::merkle;
use deedtrail_evidence::note::VerifierKey;
use deedtrail_evidence::proof::{TlogProof, verify_entry};
use deedtrail_evidence::{BatchHeader, verify_receipt};

use crate::support::{entry, open, read_all};

fn hash(text: &str) -> merkle::Hash {
    hex::decode(text).unwrap().try_into().unwrap()
}

#[test]
fn what_was_appended_is_read_back_in_order_also_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path());
    let mut written = Vec::new();
    for batch in 0..40_u32 {
        let entries: Vec<_> = (0..=batch % 7)
            .map(|at| {
                let mut entry = entry(&format!("k{batch}-{at}"), &"x".repeat(batch as usize * 40));
                let note = if at == 0 { "a note" } else { "" };
                entry.note = note.into();
                let mut second = entry.parts[0].clone();
                second.class = PartClass::Secret;
                entry.parts.push(second);
                entry
            })
            .collect();
        let appended = log.append(entries.clone()).unwrap();
        let receipt = appended.receipt.unwrap();
        assert_eq!(receipt.first_sequence, written.len() as u64);
        assert_eq!(receipt.count, entries.len() as u64);
        verify_receipt(&receipt, &log.verifier_key().parse().unwrap()).unwrap();
        written.extend(entries);
    }
    for step in [1, 1000, usize::MAX] {
        let read = read_all(&log, step);
        assert!(read.iter().map(|stored| &stored.entry).eq(&written));
        assert!(
            read.iter()
                .enumerate()
                .all(|(at, stored)| stored.sequence == at as u64)
        );
    }
    drop(log);
    let log = open(root.path());
    assert!(
        read_all(&log, 5000)
            .iter()
            .map(|stored| &stored.entry)
            .eq(&written)
    );
    assert_eq!(log.damage(), None);
    assert!(matches!(log.read(written.len() as u64, 10), Ok(none) if none.is_empty()));
}

#[test]
fn a_closed_log_keeps_no_room_that_the_next_start_reads_through() {
    let root = tempfile::tempdir().unwrap();
    let length = || {
        let segments = std::fs::read_dir(root.path().join("data/log/segments")).unwrap();
        let lengths = segments.map(|file| file.unwrap().metadata().unwrap().len());
        lengths.collect::<Vec<_>>()
    };
    for round in 1..4_u64 {
        let log = open(root.path());
        log.append(vec![entry(&round.to_string(), "content")])
            .unwrap();
        let open = length();
        drop(log);
        let closed = length();
        assert_eq!((open.len(), closed.len()), (1, 1), "{open:?}, {closed:?}");
        assert!(closed[0] < open[0], "{open:?}, {closed:?}");
        let log = self::open(root.path());
        assert_eq!((log.end(), log.damage()), (round, None));
    }
}

#[test]
fn every_entry_is_proved_by_its_receipt_and_the_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path());
    let mut receipts = Vec::new();
    for batch in 0..20_u32 {
        let entries = (0..=batch % 5).map(|at| entry(&format!("{batch}.{at}"), "content"));
        receipts.extend(log.append(entries.collect()).unwrap().receipt);
    }
    let key: VerifierKey = log.verifier_key().parse().unwrap();
    for sequence in 0..log.end() {
        let proof = log.prove(sequence).unwrap();
        let header = BatchHeader::parse(&STANDARD.decode(&proof.batch_header).unwrap()).unwrap();
        let path: Vec<_> = proof.inner_path.iter().map(|text| hash(text)).collect();
        let root = merkle::root_from_path(
            hash(&proof.leaf_hash),
            proof.index_in_batch,
            u64::from(header.count),
            &path,
        );
        assert_eq!(root, Some(header.root));
        assert_eq!(
            hex::encode(header.root),
            receipts[usize::try_from(proof.batch).unwrap()].batch_root
        );
        let outer = TlogProof::parse(&proof.tlog_proof).unwrap();
        let checkpoint = outer.verify(header.leaf(), &key).unwrap();
        assert_eq!(checkpoint.head.size, 20);
    }
    assert!(matches!(log.prove(log.end()), Err(ReadError::Missing(_))));
}

#[test]
fn a_proof_holds_for_its_entry_only() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path());
    log.append(vec![entry("a", "1"), entry("a", "2"), entry("b", "3")])
        .unwrap();
    let key = log.verifier_key();
    let stored = read_all(&log, usize::MAX);
    for (at, entry) in stored.iter().enumerate() {
        let proof = log.prove(at as u64).unwrap();
        assert_eq!(verify_entry(entry, &proof, &key).unwrap().head.size, 1);
        let mut changed = entry.clone();
        changed.entry.parts[0].bytes[0] ^= 1;
        assert!(verify_entry(&changed, &proof, &key).is_err());
        let mut flagged = entry.clone();
        flagged.revision += 1;
        flagged.id_conflict = true;
        assert!(verify_entry(&flagged, &proof, &key).is_err());
        let mut moved = entry.clone();
        moved.sequence += 1;
        assert!(verify_entry(&moved, &proof, &key).is_err());
        let other = log.prove((at as u64 + 1) % 3).unwrap();
        assert!(verify_entry(entry, &other, &key).is_err());
    }
}

#[test]
fn a_retry_is_answered_with_the_first_sequence_and_a_changed_record_is_flagged() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path());
    let batch = vec![
        entry("a", "1"),
        entry("b", "1"),
        entry("a", "1"),
        entry("a", "2"),
    ];
    let appended = log.append(batch.clone()).unwrap();
    let expected = [
        Outcome::Accepted(0),
        Outcome::Accepted(1),
        Outcome::Duplicate(0),
        Outcome::IdConflict(2),
    ];
    assert_eq!(appended.outcomes, expected);
    drop(log);
    let log = open(root.path());
    let retried = log.append(batch).unwrap();
    let expected = [0, 1, 0, 2].map(Outcome::Duplicate);
    assert_eq!(retried.outcomes, expected);
    assert_eq!(retried.receipt, None);
    assert_eq!(
        log.append(vec![entry("a", "3")]).unwrap().outcomes,
        [Outcome::IdConflict(3)]
    );
    let flags: Vec<_> = read_all(&log, usize::MAX)
        .iter()
        .map(|s| (s.id_conflict, s.revision))
        .collect();
    assert_eq!(flags, [(false, 0), (false, 0), (true, 1), (true, 2)]);
    log.prove(3).unwrap();
}

#[test]
fn waiting_ends_when_an_entry_arrives_and_when_the_log_closes() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| log.wait_past(0, Duration::from_mins(1)));
        log.append(vec![entry("a", "1")]).unwrap();
        assert_eq!(waiting.join().unwrap(), 1);
        let waiting = scope.spawn(|| log.wait_past(1, Duration::from_mins(1)));
        log.close().unwrap();
        assert_eq!(waiting.join().unwrap(), 1);
    });
    assert!(log.append(vec![entry("b", "1")]).is_err());
}

#[test]
fn the_signing_key_is_private_to_its_owner() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path());
    let key = root.path().join("data/keys/log-signing.key");
    assert_eq!(
        std::fs::metadata(key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(log.origin(), "test.example/log");
    assert!(log.checkpoint().starts_with("test.example/log\n0\n"));
}
