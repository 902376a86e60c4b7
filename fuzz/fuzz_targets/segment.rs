//! Any bytes as what the evidence log reads back from its disk. With an odd first byte the bytes
//! become a sound segment first, which is found whole, and then a damaged one, which is noticed.
#![no_main]

use deedtrail_core::port::log::StoredEntry;
use deedtrail_evidence::segment::{FrameHeader, HEADER_BYTES, SegmentHeader, encode_frame, scan};
use deedtrail_evidence::{BatchHeader, record};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    if mode % 2 == 1 {
        return damaged(data);
    }
    walk(data);
    if let Ok(header) = BatchHeader::parse(data) {
        assert_eq!(header.to_bytes(), data);
    }
    if let Ok(decoded) = record::decode(data) {
        let stored = StoredEntry {
            sequence: 0,
            entry: decoded.entry,
            id_conflict: decoded.id_conflict,
            revision: decoded.revision,
        };
        let leaf = record::stored_leaf(&stored);
        assert_eq!(leaf, record::stored_leaf(&stored));
    }
});

/// Frames lie in order, apart from each other, and those called intact lie within the file.
fn walk(data: &[u8]) -> usize {
    let found = scan(data);
    let mut end = HEADER_BYTES as u64;
    for frame in &found.frames {
        assert!(frame.offset >= end);
        end = frame.offset + frame.header.frame_bytes();
        assert!(!frame.intact || end <= data.len() as u64);
    }
    found.frames.iter().filter(|frame| frame.intact).count()
}

fn damaged(data: &[u8]) {
    let [at_high, at_low, change, rest @ ..] = data else {
        return;
    };
    let header = SegmentHeader {
        log_id: 7,
        first_batch: 0,
        first_sequence: 0,
    };
    let mut file = header.to_bytes().to_vec();
    let mut frames = 0;
    for body in rest.chunks(1 + usize::from(*change)).take(64) {
        let frame = FrameHeader {
            log_id: 7,
            batch: frames,
            first_sequence: frames,
            count: 1,
            body_bytes: 0,
            body_crc: 0,
            watermark: frames,
        };
        file.extend(encode_frame(frame, body));
        frames += 1;
    }
    assert_eq!(walk(&file) as u64, frames);
    let at = usize::from(u16::from_be_bytes([*at_high, *at_low])) % file.len();
    file[at] ^= (*change).max(1);
    let intact = walk(&file) as u64;
    let in_header = at < HEADER_BYTES;
    assert!(
        in_header || intact < frames,
        "a changed byte at {at} was not noticed"
    );
}
