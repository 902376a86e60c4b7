//! Bits flip and tails tear: all of it is noticed, no wrong byte is served, the rest is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deedtrail_core::port::log::{AppendError, EvidenceLog as _, ReadError, StoredEntry};
use deedtrail_evidence::disk::Disk;
use deedtrail_evidence::disk::simulated::{SimulatedDisk, Syncing};
use deedtrail_evidence::segment;
use deedtrail_evidence::{Log, LogConfig};

use crate::support::{config, entry, open_on, read_all};

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A closed log of several small segments and what it holds.
fn sample(batches: u32) -> (Files, Vec<StoredEntry>) {
    let disk = SimulatedDisk::new(Syncing::Honest);
    let mut config = config(Path::new("/sim"));
    config.segment_bytes = 2 << 10;
    let log = open_on(&config, Arc::new(disk.clone())).unwrap();
    for batch in 0..batches {
        let entries =
            (0..2).map(|at| entry(&format!("k{batch}.{at}"), &format!("content {batch}")));
        log.append(entries.collect()).unwrap();
        log.upkeep().unwrap();
    }
    log.close().unwrap();
    let entries = read_all(&log, usize::MAX);
    (disk.snapshot(), entries)
}

fn open_copy(files: &Files) -> (SimulatedDisk, Log) {
    let disk = SimulatedDisk::with_files(files);
    let log = open_on(&config(Path::new("/sim")), Arc::new(disk.clone())).unwrap();
    (disk, log)
}

fn segments(files: &Files) -> Vec<PathBuf> {
    files
        .keys()
        .filter(|path| path.extension().is_some_and(|e| e == "segment"))
        .cloned()
        .collect()
}

/// Reads everything that can be read, skipping what is reported as damaged.
fn readable(log: &Log) -> Vec<StoredEntry> {
    let (mut all, mut at) = (Vec::new(), 0);
    while at < log.end() {
        match log.read(at, usize::MAX) {
            Ok(entries) => {
                at += entries.len() as u64;
                all.extend(entries);
            }
            Err(ReadError::Damaged { first, last, .. }) => {
                assert!(
                    first <= at && at <= last,
                    "{first}..={last} does not hold {at}"
                );
                at = last + 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    all
}

#[test]
fn every_flipped_bit_of_a_closed_segment_fails_its_scan() {
    let (files, _) = sample(20);
    let bytes = &files[&segments(&files)[1]];
    let good = segment::scan(bytes);
    assert!(good.frames.len() > 2 && good.frames.iter().all(|frame| frame.intact) && !good.debris);
    let mut flipped = bytes.clone();
    for bit in 0..bytes.len() * 8 {
        flipped[bit / 8] ^= 1 << (bit % 8);
        let scan = segment::scan(&flipped);
        let whole = scan.header == good.header
            && scan.frames.len() == good.frames.len()
            && scan.frames.iter().all(|frame| frame.intact);
        assert!(!whole, "bit {bit} was not noticed");
        flipped[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_flipped_bit_of_a_closed_segment_makes_the_log_read_only_and_the_rest_is_served() {
    let (files, entries) = sample(20);
    let victim = segments(&files)[1].clone();
    for at in 0..files[&victim].len() {
        let mut files = files.clone();
        files.get_mut(&victim).unwrap()[at] ^= 1 << (at % 8);
        let (_, log) = open_copy(&files);
        assert!(log.damage().is_some(), "byte {at} was not noticed");
        let refused = log.append(vec![entry("new", "x")]);
        assert!(
            matches!(refused, Err(AppendError::ReadOnly { .. })),
            "byte {at}"
        );
        let read = readable(&log);
        assert!(
            read.iter().all(|stored| entries.contains(stored)),
            "byte {at}: wrong bytes"
        );
        let lost = entries.len() - read.len();
        assert!(lost <= 2, "byte {at}: {lost} entries lost for one batch");
    }
}

#[test]
fn a_flipped_bit_in_the_newest_acknowledged_batch_is_damage_not_a_torn_tail() {
    let (files, entries) = sample(3);
    let victim = segments(&files).pop().unwrap();
    let used = usize::try_from(segment::scan(&files[&victim]).end).unwrap();
    let last = segment::scan(&files[&victim]).frames.last().unwrap().offset;
    for bit in usize::try_from(last).unwrap() * 8..used * 8 {
        let mut files = files.clone();
        files.get_mut(&victim).unwrap()[bit / 8] ^= 1 << (bit % 8);
        let (_, log) = open_copy(&files);
        assert!(log.damage().is_some(), "bit {bit} was not noticed");
        assert_eq!(
            log.end(),
            entries.len() as u64,
            "bit {bit}: acknowledged entries forgotten"
        );
        assert_eq!(readable(&log), entries[..entries.len() - 2], "bit {bit}");
    }
}

#[test]
fn damage_in_an_old_segment_is_found_when_it_is_read_and_by_a_full_check() {
    let (mut files, entries) = sample(20);
    assert!(segments(&files).len() > 3);
    let victim = segments(&files)[0].clone();
    let middle = usize::try_from(segment::scan(&files[&victim]).frames[0].offset).unwrap() + 100;
    files.get_mut(&victim).unwrap()[middle] ^= 1;
    let disk = SimulatedDisk::with_files(&files);
    let mut config = config(Path::new("/sim"));
    config.check_on_open_bytes = 1;
    let log = open_on(&config, Arc::new(disk)).unwrap();
    assert_eq!(log.damage(), None);
    log.append(vec![entry("new", "x")]).unwrap();
    assert_eq!(log.check_everything().unwrap().damaged, 2);
    let damage = log.damage().unwrap();
    assert!(damage.starts_with("entries 0..=1: "), "{damage}");
    assert_eq!(log.newest_segment(), segments(&files).pop());
    assert_eq!(readable(&log)[..entries.len() - 2], entries[2..]);
}

/// A copy of which the oldest segment is damaged, which only reading it all tells; the segment and what
/// it was.
fn damaged_at_the_beginning(files: &Files) -> (LogConfig, SimulatedDisk, (PathBuf, Vec<u8>)) {
    let victim = segments(files)[0].clone();
    let whole = files[&victim].clone();
    let disk = SimulatedDisk::with_files(files);
    let middle = usize::try_from(segment::scan(&whole).frames[0].offset).unwrap() + 100;
    disk.tamper(&victim, |bytes| bytes[middle] ^= 1);
    let mut config = config(Path::new("/sim"));
    config.check_on_open_bytes = 1;
    (config, disk, (victim, whole))
}

fn refused(log: &Log) -> String {
    let refused = log.append(vec![entry("refused", "x")]).unwrap_err();
    assert!(
        matches!(refused, AppendError::ReadOnly { .. }),
        "{refused:?}"
    );
    assert_eq!(log.refusal().unwrap().to_string(), refused.to_string());
    refused.to_string()
}

#[test]
fn a_log_known_to_be_damaged_takes_nothing_in_until_a_check_finds_it_whole() {
    let (files, entries) = sample(20);
    let (config, disk, (victim, whole)) = damaged_at_the_beginning(&files);
    let log = open_on(&config, Arc::new(disk.clone())).unwrap();
    assert!(log.check_everything().unwrap().damage.is_some());
    let as_at_start = open_copy(&disk.snapshot()).1;
    for log in [&log, &as_at_start] {
        let says = refused(log);
        assert!(says.starts_with("the log is read-only: entries 0..=1: "));
    }
    let signed = log.checkpoint();
    log.upkeep().unwrap_err();
    assert_eq!(log.checkpoint(), signed);

    disk.tamper(&victim, |bytes| *bytes = whole);
    assert_eq!(readable(&log).len(), entries.len() - 2, "not checked yet");
    assert_eq!(log.check_everything().unwrap().damage, None);
    assert_eq!(
        (log.damage(), log.last_check().unwrap().damage),
        (None, None)
    );
    assert_eq!(readable(&log), entries);
    log.append(vec![entry("new", "x")]).unwrap();
    log.upkeep().unwrap();
    assert_eq!(log.check_everything().unwrap().damage, None);
    log.prove(entries.len() as u64).unwrap();
}

#[test]
fn a_log_opened_while_damaged_takes_something_in_from_the_next_start_on() {
    let (files, entries) = sample(20);
    let (_, disk, (victim, whole)) = damaged_at_the_beginning(&files);
    let log = open_on(&config(Path::new("/sim")), Arc::new(disk.clone())).unwrap();
    assert!(refused(&log).contains("entries 0..=1"));
    disk.tamper(&victim, |bytes| *bytes = whole);
    assert_eq!(log.check_everything().unwrap().damage, None);
    assert_eq!(readable(&log), entries);
    let says = refused(&log);
    assert!(says.contains("whole now; start again"), "{says}");
    log.close().unwrap();
    let log = open_on(&config(Path::new("/sim")), Arc::new(disk)).unwrap();
    log.append(vec![entry("new", "x")]).unwrap();
}

#[test]
fn entries_missing_at_the_end_are_told_by_a_check_too() {
    let (files, _) = sample(20);
    let newest = segments(&files).pop().unwrap();
    let last = segment::scan(&files[&newest]).frames.last().unwrap().header;
    let disk = SimulatedDisk::with_files(&files);
    disk.tamper(&newest, |bytes| {
        let start = segment::scan(bytes).frames.last().unwrap().offset;
        bytes.truncate(usize::try_from(start).unwrap());
    });
    let log = open_on(&config(Path::new("/sim")), Arc::new(disk)).unwrap();
    let named = format!(
        "entries {}..={}: acknowledged entries are missing",
        last.first_sequence,
        last.end_sequence() - 1
    );
    assert!(
        log.damage().unwrap().starts_with(&named),
        "{:?}",
        log.damage()
    );
    let checked = log.check_everything().unwrap();
    assert!(checked.damage.unwrap().starts_with(&named));
    assert!(refused(&log).contains(&named));
}

#[test]
fn what_a_check_found_is_found_by_the_next_start() {
    let (files, _) = sample(20);
    let (config, disk, (victim, whole)) = damaged_at_the_beginning(&files);
    let log = open_on(&config, Arc::new(disk.clone())).unwrap();
    log.check_everything().unwrap();
    log.close().unwrap();
    let log = open_on(&config, Arc::new(disk.clone())).unwrap();
    assert!(refused(&log).contains("entries 0..=1"));
    log.close().unwrap();
    disk.tamper(&victim, |bytes| *bytes = whole);
    let log = open_on(&config, Arc::new(disk)).unwrap();
    assert_eq!(log.damage(), None);
    log.append(vec![entry("new", "x")]).unwrap();
}

/// Changes the body of a frame and makes every check sum fit again.
fn forge(bytes: &mut [u8], frame: usize, change: impl FnOnce(&mut [u8])) {
    let frame = segment::scan(bytes).frames[frame];
    let start = usize::try_from(frame.offset).unwrap();
    let body = start + segment::HEADER_BYTES
        ..start + segment::HEADER_BYTES + frame.header.body_bytes as usize;
    let mut body = bytes[body].to_vec();
    change(&mut body);
    let forged = segment::encode_frame(frame.header, &body);
    bytes[start..start + forged.len()].copy_from_slice(&forged);
}

#[test]
fn a_forged_entry_with_fitting_check_sums_is_never_served() {
    let (files, entries) = sample(20);
    for victim in segments(&files) {
        let frames = segment::scan(&files[&victim]).frames;
        for (at, frame) in frames.iter().enumerate() {
            let mut files = files.clone();
            // The last byte of a body is content.
            forge(files.get_mut(&victim).unwrap(), at, |body| {
                *body.last_mut().unwrap() ^= 1;
            });
            let (_, log) = open_copy(&files);
            assert!(log.damage().is_some(), "{} frame {at}", victim.display());
            let first = usize::try_from(frame.header.first_sequence).unwrap();
            let others = [&entries[..first], &entries[first + 2..]].concat();
            assert_eq!(readable(&log), others);
        }
    }
    // Beyond what is checked at start it is found when it is read.
    let mut files = files.clone();
    forge(files.get_mut(&segments(&files)[0]).unwrap(), 0, |body| {
        *body.last_mut().unwrap() ^= 1;
    });
    let mut config = config(Path::new("/sim"));
    config.check_on_open_bytes = 1;
    let log = open_on(&config, Arc::new(SimulatedDisk::with_files(&files))).unwrap();
    assert_eq!(log.damage(), None);
    assert_eq!(readable(&log), entries[2..]);
    assert!(log.damage().is_some());
}

#[test]
fn a_forged_batch_that_is_consistent_in_itself_is_found_by_a_full_check() {
    let (files, entries) = sample(20);
    let (_, log) = open_copy(&files);
    let checked = log.check_everything().unwrap();
    assert_eq!(
        (checked.entries, checked.batches, checked.signed),
        (40, 20, 20)
    );
    assert_eq!(checked.damage, None);
    assert_eq!(log.last_check(), Some(checked));
    for victim in segments(&files) {
        for frame in 0..segment::scan(&files[&victim]).frames.len() {
            let mut files = files.clone();
            // The time of commit, which only the tree commits to.
            forge(files.get_mut(&victim).unwrap(), frame, |body| body[39] ^= 1);
            let (disk, log) = open_copy(&files);
            assert_eq!(log.last_check(), None);
            let checked = log.check_everything().unwrap();
            let first = segment::scan(&files[&victim]).frames[frame]
                .header
                .first_sequence;
            let named = format!("entries {first}..={}: ", first + 1);
            assert!(checked.damage.unwrap().contains(&named));
            assert_eq!(readable(&log).len(), entries.len() - 2);
            drop(log);
            // No start finds it by itself.
            let log = open_on(&config(Path::new("/sim")), Arc::new(disk)).unwrap();
            assert!(log.last_check().unwrap().damage.is_some());
            assert!(refused(&log).contains("not what was signed"));
        }
    }
}

#[test]
fn a_forged_batch_keeps_the_log_shut_until_a_check_finds_it_whole() {
    let (mut files, entries) = sample(20);
    let victim = segments(&files)[0].clone();
    let whole = files[&victim].clone();
    forge(files.get_mut(&victim).unwrap(), 0, |body| body[39] ^= 1);
    let config = config(Path::new("/sim"));
    let (disk, log) = open_copy(&files);
    assert!(log.check_everything().unwrap().not_as_signed);
    log.close().unwrap();
    disk.tamper(&victim, |bytes| *bytes = whole);
    let log = open_on(&config, Arc::new(disk.clone())).unwrap();
    assert!(refused(&log).contains("`deedtrail evidence check` says so"));
    assert_eq!(log.check_everything().unwrap().damage, None);
    log.close().unwrap();
    let log = open_on(&config, Arc::new(disk)).unwrap();
    assert_eq!(readable(&log), entries);
    log.append(vec![entry("new", "x")]).unwrap();
}

#[test]
fn a_check_goes_on_over_a_segment_that_is_gone_and_keeps_what_it_found() {
    let (files, _) = sample(20);
    let (config, disk, _) = damaged_at_the_beginning(&files);
    let log = open_on(&config, Arc::new(disk.clone())).unwrap();
    let gone = segments(&files)[1].clone();
    Disk::remove(&disk, &gone).unwrap();
    let damage = log.check_everything().unwrap().damage.unwrap();
    assert!(damage.contains("entries 0..=1: "), "{damage}");
    assert!(
        damage.contains("acknowledged entries are missing"),
        "{damage}"
    );
    assert!(refused(&log).contains("acknowledged entries are missing"));
}

#[test]
fn damaged_tiles_alone_are_told_and_nothing_is_refused() {
    let (mut files, _) = sample(300);
    let full = Path::new("/sim/data/log/tile/0/000");
    files.get_mut(full).unwrap()[40] ^= 1;
    let (_, log) = open_copy(&files);
    let checked = log.check_everything().unwrap();
    let damage = checked.damage.unwrap();
    assert!(damage.starts_with("the tiles do not hold"), "{damage}");
    assert!(!checked.entries_damaged);
    assert_eq!(log.damage(), None);
    assert!(log.refusal().is_none());
}

#[test]
fn bytes_beside_the_entries_keep_the_log_shut_and_no_entry_is_damaged() {
    let (mut files, entries) = sample(20);
    let victim = segments(&files)[1].clone();
    files.get_mut(&victim).unwrap().extend([7; 64]);
    let (_, log) = open_copy(&files);
    let checked = log.check_everything().unwrap();
    assert!(checked.entries_damaged && checked.damaged == 0);
    let damage = checked.damage.unwrap();
    assert!(!damage.contains("entries"), "{damage}");
    assert_eq!(readable(&log), entries);
    assert!(refused(&log).contains("bytes outside of frames"));
}

#[test]
fn checks_and_readers_of_damaged_segments_do_not_wait_for_each_other() {
    let (files, _) = sample(300);
    let disk = SimulatedDisk::with_files(&files);
    let mut firsts = Vec::new();
    let (_, closed) = segments(&files)
        .split_last()
        .map(|(a, b)| (a.clone(), b.to_vec()))
        .unwrap();
    for victim in &closed {
        // Whoever opens the segment finds it.
        let frame = segment::scan(&files[victim]).frames[0];
        let at = usize::try_from(frame.offset).unwrap();
        disk.tamper(victim, |bytes| bytes[at] ^= 1);
        firsts.push(frame.header.first_sequence);
    }
    // More than are kept open: each read opens one.
    assert!(firsts.len() > 40, "{}", firsts.len());
    let log = open_on(&config(Path::new("/sim")), Arc::new(disk)).unwrap();
    let log = Arc::new(log);
    let (done, all_done) = std::sync::mpsc::channel();
    for reader in [false, true, true] {
        let (log, done, firsts) = (Arc::clone(&log), done.clone(), firsts.clone());
        std::thread::spawn(move || {
            for _ in 0..100 {
                if reader {
                    for first in &firsts {
                        log.read(*first, 1).unwrap_err();
                    }
                } else {
                    log.check_everything().unwrap();
                }
            }
            done.send(()).unwrap();
        });
    }
    for _ in 0..3 {
        let ended = all_done.recv_timeout(Duration::from_mins(1));
        ended.expect("nobody waits for ever");
    }
}

#[test]
fn a_full_check_tells_damaged_tiles_from_damaged_entries() {
    let (files, entries) = sample(300);
    let full = Path::new("/sim/data/log/tile/0/000");
    let mut files = files.clone();
    files.get_mut(full).unwrap()[40] ^= 1;
    let (disk, log) = open_copy(&files);
    let damage = log.check_everything().unwrap().damage.unwrap();
    assert!(
        damage.contains("the tiles do not hold batch 1,"),
        "{damage}"
    );
    assert_eq!(readable(&log), entries);
    log.append(vec![entry("new", "x")]).unwrap();
    drop(log);
    let mut files = disk.snapshot();
    files.retain(|path, _| !path.starts_with("/sim/data/log/tile"));
    let (_, log) = open_copy(&files);
    assert_eq!(log.check_everything().unwrap().damage, None);
}

#[test]
fn what_recovery_cuts_is_set_aside() {
    let (files, _, path, frame) = with_unacknowledged_frame();
    let torn = |disk: &SimulatedDisk| {
        let kept = disk.snapshot().into_iter();
        let mut kept = kept.filter(|(path, _)| path.extension().is_some_and(|e| e == "torn"));
        (kept.next().map(|(_, bytes)| bytes), kept.count())
    };
    let mut cut = files.clone();
    cut.get_mut(&path).unwrap()[frame.end - 100] ^= 1;
    let (disk, log) = open_copy(&cut);
    assert_eq!((log.end(), log.damage()), (2, None));
    let (kept, others) = torn(&disk);
    let expected = cut[&path][frame].trim_zeroes().to_vec();
    assert_eq!((kept, others), (Some(expected), 0));
    drop(log);
    let (disk, log) = open_copy(&disk.snapshot());
    log.append(vec![entry("d", "4")]).unwrap();
    assert_eq!(torn(&disk).1, 0, "the second start cut something too");

    // A newest segment without any whole frame is removed, but not what it held.
    let (files, _) = sample(20);
    let mut files: Files = files;
    let newest = segments(&files).pop().unwrap();
    let stale = SimulatedDisk::with_files(&files);
    stale.tamper(Path::new("/sim/data/log/watermark"), Vec::clear);
    files = stale.snapshot();
    let bytes = files.get_mut(&newest).unwrap();
    for frame in segment::scan(bytes).frames {
        bytes[usize::try_from(frame.offset).unwrap() + 100] ^= 1;
    }
    let held = bytes.clone();
    let disk = SimulatedDisk::with_files(&files);
    let opened = open_on(&config(Path::new("/sim")), Arc::new(disk.clone()));
    assert!(opened.is_err(), "the checkpoint knows better");
    assert_eq!(torn(&disk), (Some(held.trim_zeroes().to_vec()), 0));
}

trait TrimZeroes {
    fn trim_zeroes(&self) -> &[u8];
}

impl TrimZeroes for [u8] {
    fn trim_zeroes(&self) -> &[u8] {
        let used = self.iter().rposition(|byte| *byte != 0);
        &self[..used.map_or(0, |last| last + 1)]
    }
}

#[test]
fn a_damaged_index_run_stops_appends_until_the_next_start_says_so_and_rebuilds_it() {
    let (files, entries) = sample(20);
    let run = files
        .keys()
        .find(|path| path.extension().is_some_and(|e| e == "run"));
    let run = run.unwrap().clone();
    let (disk, log) = open_copy(&files);
    // The rows of the first page.
    disk.tamper(&run, |bytes| bytes[4096 + 20] ^= 1);
    let refused = log
        .append(vec![entry("k1.1", "content 1")])
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("built again from the log at the next start"),
        "{refused}"
    );
    assert!(refused.contains("restart the server"), "{refused}");
    assert_eq!(log.refusal().unwrap().to_string(), refused);
    drop(log);
    let log = open_on(&config(Path::new("/sim")), Arc::new(disk)).unwrap();
    assert!(log.refusal().is_none());
    let retried = log.append(vec![entry("k1.1", "content 1")]).unwrap();
    assert_eq!(
        retried.outcomes,
        [deedtrail_core::port::log::Outcome::Duplicate(3)]
    );
    assert_eq!(read_all(&log, 1000), entries);
}

/// The files as they were before the newest batch was acknowledged, with its frame written.
fn with_unacknowledged_frame() -> (Files, Vec<StoredEntry>, PathBuf, std::ops::Range<usize>) {
    let disk = SimulatedDisk::new(Syncing::Honest);
    let log = open_on(&config(Path::new("/sim")), Arc::new(disk.clone())).unwrap();
    log.append(vec![entry("a", "1"), entry("b", "2")]).unwrap();
    let before = disk.snapshot();
    log.append(vec![entry("c", &"3".repeat(300))]).unwrap();
    let after = disk.snapshot();
    let path = segments(&after)[0].clone();
    let frame = *segment::scan(&after[&path]).frames.last().unwrap();
    let start = usize::try_from(frame.offset).unwrap();
    let end = start + usize::try_from(frame.header.frame_bytes()).unwrap();
    let mut files = before;
    files.insert(path.clone(), after[&path].clone());
    (files, read_all(&log, usize::MAX), path, start..end)
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_the_log_goes_on() {
    let (files, entries, path, frame) = with_unacknowledged_frame();
    for cut in frame.clone() {
        let mut files = files.clone();
        files.get_mut(&path).unwrap()[cut..].fill(0);
        let (_, log) = open_copy(&files);
        assert_eq!(log.damage(), None, "cut at {cut}");
        let read = read_all(&log, usize::MAX);
        // A frame may end in padding: then nothing of it is missing.
        assert!(
            read == entries[..2] || (read == entries && cut > frame.end - 64),
            "cut at {cut}"
        );
        log.append(vec![entry("d", "4")]).unwrap();
        drop(log);
    }
}

#[test]
fn the_same_torn_tail_below_the_watermark_is_refused() {
    let (files, _, path, frame) = with_unacknowledged_frame();
    let (disk, log) = open_copy(&files);
    log.close().unwrap();
    let mut acknowledged = disk.snapshot();
    acknowledged.get_mut(&path).unwrap()[frame.start + 70..].fill(0);
    let (_, log) = open_copy(&acknowledged);
    assert!(
        log.damage().unwrap().contains("entries 2..=2"),
        "{:?}",
        log.damage()
    );
}

#[test]
fn a_record_that_looks_like_a_frame_is_not_taken_for_one() {
    let disk = SimulatedDisk::new(Syncing::Honest);
    let log = open_on(&config(Path::new("/sim")), Arc::new(disk.clone())).unwrap();
    let header = segment::FrameHeader {
        log_id: 1,
        batch: 1,
        first_sequence: 1,
        count: 1,
        body_bytes: 0,
        body_crc: 0,
        watermark: 1,
    };
    let forged = segment::encode_frame(header, b"forged");
    let mut disguised = entry("a", "");
    // Alignment is a matter of luck for an attacker: repeat the frame at every offset.
    disguised.parts[0].bytes = (0..64)
        .flat_map(|shift| [vec![0xA5; shift], forged.clone()].concat())
        .collect();
    log.append(vec![disguised]).unwrap();
    log.close().unwrap();
    let mut files = disk.snapshot();
    let path = segments(&files)[0].clone();
    files.get_mut(&path).unwrap()[64] ^= 1;
    let (_, log) = open_copy(&files);
    assert!(log.damage().is_some());
    assert!(matches!(log.read(0, 100), Err(ReadError::Damaged { .. })));
}

#[test]
fn damaged_tiles_and_index_runs_are_rebuilt() {
    let (files, entries) = sample(20);
    let derived: Vec<PathBuf> = files
        .keys()
        .filter(|path| {
            path.to_str()
                .is_some_and(|p| p.contains("/tile/") || p.contains("/index/"))
        })
        .cloned()
        .collect();
    assert!(!derived.is_empty());
    for victim in derived {
        let mut files = files.clone();
        files.get_mut(&victim).unwrap()[20] ^= 1;
        let (_, log) = open_copy(&files);
        assert_eq!(log.damage(), None);
        let retried = log.append(vec![entry("k3.1", "content 3")]).unwrap();
        assert_eq!(
            retried.outcomes,
            [deedtrail_core::port::log::Outcome::Duplicate(7)]
        );
        assert_eq!(read_all(&log, 1000), entries);
        log.prove(5).unwrap();
    }
}
