//! The power is cut at every step; what was acknowledged is there afterwards, exactly once.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deedtrail_core::port::Clock;
use deedtrail_core::port::log::{AppendError, EvidenceLog as _, Outcome};
use deedtrail_core::time::Timestamp;
use deedtrail_evidence::Log;
use deedtrail_evidence::disk::simulated::{SimulatedDisk, Syncing};
use deedtrail_evidence::stepped::SteppedLog;

use crate::support::{TestEntropy, clock, config, entry, open_on, read_all};

/// What a client knows: key -> sequence of every acknowledged entry, and every key it ever sent.
#[derive(Default)]
struct Client {
    acknowledged: BTreeMap<String, u64>,
    sent: Vec<String>,
}

impl Client {
    /// Sends an append of `keys`; false when it was not acknowledged.
    fn send(&mut self, log: &Log, keys: &[String]) -> bool {
        self.sent.extend_from_slice(keys);
        let entries = keys.iter().map(|key| entry(key, &content(key))).collect();
        let Ok(appended) = log.append(entries) else {
            return false;
        };
        for (key, outcome) in keys.iter().zip(appended.outcomes) {
            let (Outcome::Accepted(at) | Outcome::Duplicate(at)) = outcome else {
                panic!("no entry was sent with two contents");
            };
            let known = *self.acknowledged.entry(key.clone()).or_insert(at);
            assert_eq!(known, at, "{key} was acknowledged at two places");
        }
        true
    }

    /// What is wrong after a restart, if anything.
    fn complaint(&self, log: &Log) -> Option<String> {
        if let Some(damage) = log.damage() {
            return Some(format!("damage: {damage}"));
        }
        let mut seen = BTreeMap::new();
        for stored in read_all(log, 1 << 20) {
            let key = stored.entry.idempotency_key.clone().unwrap().to_string();
            if stored.bytes() != content(&key).as_bytes() {
                return Some(format!("{key} has other bytes"));
            }
            if seen.insert(key.clone(), stored.sequence).is_some() {
                return Some(format!("{key} is there twice"));
            }
        }
        let lost = self
            .acknowledged
            .iter()
            .find(|(key, at)| seen.get(*key) != Some(at));
        let invented = seen.keys().find(|key| !self.sent.contains(key));
        match (lost, invented) {
            (Some((key, at)), _) => Some(format!("{key} at {at} is lost")),
            (_, Some(key)) => Some(format!("{key} was never sent")),
            _ => None,
        }
    }
}

fn content(key: &str) -> String {
    format!("{key}:{}", "content ".repeat(key.len() * 20))
}

/// Appends, checkpoints and restarts until done or until the power goes.
fn work(disk: &SimulatedDisk, client: &mut Client, seed: u64) {
    let dice = TestEntropy::new(seed);
    for _ in 0..2 {
        let Ok(log) = open_on(&config(Path::new("/sim")), Arc::new(disk.clone())) else {
            return;
        };
        for round in 0..6 {
            let from = dice.below(20);
            let keys: Vec<String> = (from..=from + dice.below(6))
                .map(|at| format!("key-{seed}-{at}"))
                .collect();
            if !client.send(&log, &keys) {
                return;
            }
            if round % 2 == 1 && log.upkeep().is_err() {
                return;
            }
        }
        if log.close().is_err() {
            return;
        }
    }
}

/// Opens the log after a crash; `Err` says what a client would complain about.
fn check(disk: &SimulatedDisk, client: &mut Client) -> Result<(), String> {
    let log = open_on(&config(Path::new("/sim")), Arc::new(disk.clone()))
        .map_err(|error| error.to_string())?;
    if let Some(complaint) = client.complaint(&log) {
        return Err(complaint);
    }
    // Everything is retried, as a client would that got no answer.
    let sent = client.sent.clone();
    for keys in sent.chunks(7) {
        if !client.send(&log, keys) {
            return Err("a retry was refused".to_owned());
        }
    }
    if let Some(newest) = log.end().checked_sub(1) {
        log.prove(newest).map_err(|error| error.to_string())?;
        log.prove(newest / 2).map_err(|error| error.to_string())?;
    }
    client.complaint(&log).map_or(Ok(()), Err)
}

fn steps_of_a_whole_run(seed: u64) -> u64 {
    let disk = SimulatedDisk::new(Syncing::Honest);
    let mut client = Client::default();
    work(&disk, &mut client, seed);
    assert_eq!(check(&disk, &mut client), Ok(()));
    disk.steps()
}

#[test]
fn a_power_cut_at_any_step_loses_nothing_acknowledged() {
    for seed in 0..3 {
        for step in 1..=steps_of_a_whole_run(seed) {
            let disk = SimulatedDisk::new(Syncing::Honest);
            let mut client = Client::default();
            disk.crash_at(step);
            work(&disk, &mut client, seed);
            disk.restart(seed * 10_000 + step);
            assert_eq!(
                check(&disk, &mut client),
                Ok(()),
                "seed {seed}, step {step}"
            );
        }
    }
}

#[test]
fn a_second_power_cut_during_recovery_loses_nothing_either() {
    let steps = steps_of_a_whole_run(0);
    for round in 0..150 {
        let dice = TestEntropy::new(round);
        let disk = SimulatedDisk::new(Syncing::Honest);
        let mut client = Client::default();
        for _ in 0..3 {
            disk.crash_at(disk.steps() + 1 + dice.below(steps));
            work(&disk, &mut client, 0);
            disk.restart(dice.next());
        }
        assert_eq!(check(&disk, &mut client), Ok(()), "round {round}");
    }
}

#[test]
fn negative_control_a_disk_that_ignores_syncs_is_found_out() {
    let mut found = 0;
    for step in 1..=50 {
        let disk = SimulatedDisk::new(Syncing::Ignored);
        let mut client = Client::default();
        disk.crash_at(40 + step);
        work(&disk, &mut client, 0);
        disk.restart(step);
        found += u32::from(check(&disk, &mut client).is_err());
    }
    assert!(
        found > 10,
        "only {found} of 50 crashes without sync were noticed"
    );
}

#[test]
fn an_error_at_any_step_is_never_acknowledged_and_never_corrupts() {
    for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
        for step in 1..=steps_of_a_whole_run(1) {
            let disk = SimulatedDisk::new(Syncing::Honest);
            let mut client = Client::default();
            disk.fail_at(step, kind);
            work(&disk, &mut client, 1);
            disk.restart(step);
            assert_eq!(check(&disk, &mut client), Ok(()), "{kind} at step {step}");
        }
    }
}

/// As `work`, but the client goes on after an error, in the same process unless the log says that
/// it failed. `Err` says what an operator would complain about.
fn persist(disk: &SimulatedDisk, client: &mut Client, seed: u64) -> Result<(), String> {
    let start = || {
        let open = || open_on(&config(Path::new("/sim")), Arc::new(disk.clone()));
        // One step fails: a second attempt meets no error.
        open()
            .or_else(|_| open())
            .map_err(|error| error.to_string())
    };
    let dice = TestEntropy::new(seed);
    for _ in 0..2 {
        let mut log = start()?;
        for round in 0..6 {
            let from = dice.below(20);
            let keys: Vec<String> = (from..=from + dice.below(6))
                .map(|at| format!("key-{seed}-{at}"))
                .collect();
            while !client.send(&log, &keys) {
                match log.refusal() {
                    Some(AppendError::Failed { .. }) => {
                        drop(log);
                        log = start()?;
                    }
                    Some(AppendError::ReadOnly { reason }) => return Err(reason),
                    _ => {}
                }
            }
            if round % 2 == 1 {
                let kept = log.upkeep().or_else(|_| log.upkeep());
                kept.map_err(|error| error.to_string())?;
            }
            if let Some(refusal) = log.refusal() {
                return Err(refusal.to_string());
            }
        }
        log.close()
            .or_else(|_| log.seal())
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[test]
fn after_an_error_at_any_step_the_log_goes_on() {
    for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
        for step in 1..=steps_of_a_whole_run(1) {
            let disk = SimulatedDisk::new(Syncing::Honest);
            let mut client = Client::default();
            disk.fail_at(step, kind);
            let persisted = persist(&disk, &mut client, 1);
            assert_eq!(persisted, Ok(()), "{kind} at step {step}");
            disk.restart(step);
            assert_eq!(check(&disk, &mut client), Ok(()), "{kind} at step {step}");
        }
    }
}

#[test]
fn a_checkpoint_whose_store_or_copy_could_not_be_written_is_signed_later() {
    let disk = SimulatedDisk::new(Syncing::Honest);
    let log = open_on(&config(Path::new("/sim")), Arc::new(disk.clone())).unwrap();
    let mut failed = 0;
    for step in 1.. {
        log.append(vec![entry(&format!("key-{step}"), "1")])
            .unwrap();
        let before = disk.steps();
        disk.fail_at(before + step, ErrorKind::StorageFull);
        if log.seal().is_err() {
            failed += 1;
            // Another one on top of it, as early as can be.
            disk.fail_at(disk.steps() + 1, ErrorKind::Other);
            log.seal().unwrap_err();
            log.seal().unwrap();
        } else if disk.steps() < before + step {
            break;
        }
        assert!(log.refusal().is_none(), "step {step}");
        let size = log.checkpoint().lines().nth(1).map(str::to_owned);
        assert_eq!(size, Some(log.end().to_string()), "step {step}");
    }
    assert!(failed > 4, "only {failed} checkpoints failed");
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_any_more() {
    let disk = SimulatedDisk::new(Syncing::Honest);
    let log = open_on(&config(Path::new("/sim")), Arc::new(disk.clone())).unwrap();
    log.append(vec![entry("a", "1")]).unwrap();
    // The next append writes, then syncs.
    disk.fail_at(disk.steps() + 2, ErrorKind::Other);
    assert!(matches!(
        log.append(vec![entry("b", "1")]),
        Err(AppendError::Failed { .. })
    ));
    assert!(matches!(
        log.append(vec![entry("c", "1")]),
        Err(AppendError::Failed { .. })
    ));
    assert_eq!(log.end(), 1);
    assert_eq!(read_all(&log, 100).len(), 1);
    assert!(matches!(log.refusal(), Some(AppendError::Failed { .. })));
}

#[test]
fn a_sync_that_fails_while_the_log_closes_is_told_and_nothing_is_written_after_it() {
    let disk = SimulatedDisk::new(Syncing::Honest);
    let mut config = config(Path::new("/sim"));
    config.segment_bytes = 16 << 20;
    let entropy = Arc::new(TestEntropy::new(7));
    let mut log = SteppedLog::open(&config, Arc::new(disk.clone()), clock(), entropy).unwrap();
    let first = log.submit(&[entry("a", "1")]).unwrap();
    log.commit();
    assert!(matches!(log.answer(first), Some(Ok(_))));
    // Each is a commit of its own: together they are more than one takes.
    let content = "x".repeat(800 << 10);
    let waiting = ["b", "c"].map(|key| {
        let keys = (0..4).map(|number| format!("{key}{number}"));
        let entries: Vec<_> = keys.map(|key| entry(&key, &content)).collect();
        log.submit(&entries).unwrap()
    });
    log.log().close().unwrap();
    disk.fail_at(disk.steps() + 2, ErrorKind::Other);
    log.commit();
    for one in waiting {
        let answer = log.answer(one).unwrap();
        assert!(
            matches!(&answer, Err(AppendError::Failed { reason }) if reason.contains("fdatasync")),
            "{answer:?}"
        );
    }
    assert_eq!(log.log().end(), 1);
}

/// A clock whose failure takes the log's writer down.
#[derive(Debug, Default)]
struct BrokenClock(AtomicBool);

impl Clock for BrokenClock {
    fn now(&self) -> Timestamp {
        assert!(!self.0.load(Ordering::SeqCst), "the clock is broken");
        Timestamp::from_micros(1)
    }
}

#[test]
fn nobody_waits_for_a_writer_that_is_gone() {
    let clock = Arc::new(BrokenClock::default());
    let disk = Arc::new(SimulatedDisk::new(Syncing::Honest));
    let entropy = Arc::new(TestEntropy::new(1));
    let log = Log::open(
        &config(Path::new("/sim")),
        disk,
        Arc::clone(&clock) as _,
        entropy,
    )
    .unwrap();
    log.append(vec![entry("a", "1")]).unwrap();
    clock.0.store(true, Ordering::SeqCst);
    std::thread::scope(|scope| {
        for sender in 0..16 {
            let log = &log;
            scope.spawn(move || {
                let refused = log.append(vec![entry(&format!("b{sender}"), "1")]);
                assert!(matches!(refused, Err(AppendError::Failed { .. })));
            });
        }
    });
    assert!(matches!(log.refusal(), Some(AppendError::Failed { .. })));
    assert_eq!(read_all(&log, 100).len(), 1);
    log.close().unwrap();
}

#[test]
fn a_full_disk_refuses_keeps_serving_and_recovers_by_itself() {
    let disk = SimulatedDisk::new(Syncing::Honest);
    let log = open_on(&config(Path::new("/sim")), Arc::new(disk.clone())).unwrap();
    let mut client = Client::default();
    disk.set_capacity(Some(disk.used() + (40 << 10)));
    let mut cycles = 0;
    for at in 0..400 {
        let key = format!("key-{at}-{}", "x".repeat(20));
        client.sent.push(key.clone());
        match log.append(vec![entry(&key, &content(&key))]) {
            Ok(appended) => {
                let Outcome::Accepted(sequence) = appended.outcomes[0] else {
                    panic!("{at}")
                };
                client.acknowledged.insert(key, sequence);
                assert!(log.refusal().is_none(), "{at}");
            }
            Err(AppendError::DiskFull { .. }) => {
                let refusal = log.refusal();
                assert!(
                    matches!(refusal, Some(AppendError::DiskFull { .. })),
                    "{at}"
                );
                assert_eq!(read_all(&log, 1 << 20).len() as u64, log.end());
                disk.set_capacity(Some(disk.used() + (40 << 10)));
                cycles += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(cycles > 1, "the disk was never full");
    assert_eq!(client.complaint(&log), None);
    drop(log);
    disk.set_capacity(None);
    assert_eq!(check(&disk, &mut client), Ok(()));
}
