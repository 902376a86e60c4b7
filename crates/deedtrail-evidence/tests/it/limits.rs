//! Counters near and beyond the sizes at which narrower ones would wrap, with the real constants.

use std::path::Path;
use std::sync::Arc;

use deedtrail_core::limits::RECORD_BYTES_MAX;
use deedtrail_core::port::Entropy as _;
use deedtrail_core::port::log::{EvidenceLog as _, Outcome};
use deedtrail_evidence::disk::simulated::{SimulatedDisk, Syncing};
use deedtrail_evidence::limits::{BLOCK_BYTES, COMMIT_BYTES};
use deedtrail_evidence::proof::verify_entry;
use deedtrail_evidence::segment::{FrameHeader, SegmentHeader};
use deedtrail_evidence::stepped::SteppedLog;
use deedtrail_evidence::{LogConfig, Upkeep, tile_path};

use crate::support::{TestEntropy, clock, entry};

/// More batches than 16 bits count, than the index keeps in memory, and than 256 full tiles hold.
const BATCHES: u64 = (1 << 16) + 300;

fn config() -> LogConfig {
    let mut config = LogConfig::new(Path::new("/sim/data"), Path::new("/sim/store"));
    config.upkeep = Upkeep::Manual;
    config
}

fn open(disk: &SimulatedDisk) -> SteppedLog {
    let entropy = Arc::new(TestEntropy::new(7));
    SteppedLog::open(&config(), Arc::new(disk.clone()), clock(), entropy).unwrap()
}

fn commit(log: &mut SteppedLog, key: u64) -> Outcome {
    let waiting = log.submit(&[entry(&key.to_string(), "1")]).unwrap();
    log.commit();
    log.answer(waiting).unwrap().unwrap().outcomes[0]
}

#[test]
fn a_log_goes_on_beyond_sixteen_bits_of_batches() {
    let disk = SimulatedDisk::new(Syncing::Honest);
    let mut log = open(&disk);
    for key in 0..BATCHES {
        assert_eq!(commit(&mut log, key), Outcome::Accepted(key));
        // Checkpoints where tiles end, and around.
        if matches!(key % 256, 0 | 254 | 255) && !(1000..65_000).contains(&key) {
            log.log().upkeep().unwrap();
        }
    }
    log.log().upkeep().unwrap();
    drop(log);
    disk.restart(1);
    let mut log = open(&disk);
    assert_eq!(log.log().end(), BATCHES);
    assert_eq!(log.log().check_everything().unwrap().damage, None);
    let key = log.log().verifier_key();
    for at in [0, 255, 256, 65_534, 65_535, 65_536, BATCHES - 1] {
        let stored = &log.log().read(at, 1).unwrap()[0];
        let proof = log.log().prove(at).unwrap();
        assert_eq!(
            verify_entry(stored, &proof, &key).unwrap().head.size,
            BATCHES
        );
        assert_eq!(commit(&mut log, at), Outcome::Duplicate(at));
    }
}

/// Lengths around the boundaries of sectors, pages, words of sixteen bits and blocks of the log.
fn lengths() -> impl Iterator<Item = usize> {
    let pages = [64, 512, 4096, 8192, 1 << 16];
    let pages = pages
        .into_iter()
        .flat_map(|at: usize| at.saturating_sub(66)..=at + 2);
    let blocks = [BLOCK_BYTES, COMMIT_BYTES, RECORD_BYTES_MAX];
    let blocks = blocks.into_iter().flat_map(|at| [at - 1, at, at + 1]);
    let all = pages.chain(blocks).filter(|length| *length > 0);
    all.filter(|length| *length <= RECORD_BYTES_MAX)
}

#[test]
fn records_of_every_length_around_a_boundary_are_read_as_they_were_sent() {
    let disk = SimulatedDisk::new(Syncing::Honest);
    let mut log = open(&disk);
    // Bytes that do not compress: a frame is as long as what is in it.
    let dice = TestEntropy::new(1);
    let mut sent = Vec::new();
    for length in lengths() {
        let mut one = entry(&length.to_string(), "");
        let mut bytes = vec![0; length];
        dice.fill(&mut bytes);
        one.parts[0].bytes = bytes;
        let waiting = log.submit(std::slice::from_ref(&one)).unwrap();
        log.commit();
        log.answer(waiting).unwrap().unwrap();
        sent.push(one);
    }
    drop(log);
    disk.restart(1);
    let log = open(&disk);
    assert_eq!(log.log().check_everything().unwrap().damage, None);
    for (at, one) in sent.iter().enumerate() {
        let stored = &log.log().read(at as u64, 1).unwrap()[0];
        assert!(stored.entry.parts == one.parts, "entry {at}");
    }
}

#[test]
fn headers_hold_the_largest_numbers_and_nothing_wraps() {
    for limit in [
        u64::from(u16::MAX),
        u64::from(i32::MAX as u32),
        u64::from(u32::MAX),
        u64::MAX - 3,
    ] {
        for first in limit - 2..=limit + 2 {
            let header = FrameHeader {
                log_id: u64::MAX,
                batch: first,
                first_sequence: first,
                count: 1,
                body_bytes: 1,
                body_crc: u32::MAX,
                watermark: first,
            };
            assert_eq!(FrameHeader::parse(&header.to_bytes()), Some(header));
            assert_eq!(header.end_sequence(), first + 1);
            let segment = SegmentHeader {
                log_id: 0,
                first_batch: first,
                first_sequence: first,
            };
            assert_eq!(SegmentHeader::parse(&segment.to_bytes()), Some(segment));
        }
    }
    let beyond = FrameHeader {
        log_id: 1,
        batch: 1,
        first_sequence: u64::MAX - 1,
        count: 2,
        body_bytes: 1,
        body_crc: 0,
        watermark: 0,
    };
    assert_eq!(FrameHeader::parse(&beyond.to_bytes()), None);
    assert_eq!(
        tile_path(0, u64::MAX >> 8, 256),
        "tile/0/x072/x057/x594/x037/x927/935"
    );
}
