//! Runs the log with all its threads in orders that seeds draw: `cargo xtask schedules`.
//!
//! Without `--cfg deedtrail_schedules` the threads are the machine's, and each program runs once in
//! whatever order comes.

#![expect(
    clippy::panic,
    reason = "a panic is how the scheduler hears that an order failed"
)]

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(deedtrail_schedules)]
use shuttle::thread;
#[cfg(not(deedtrail_schedules))]
use std::thread;

use deedtrail_core::Text;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::log::{
    AppendError, Appended, EntryKind, EvidenceLog as _, NewEntry, Outcome, Part, PartClass,
};
use deedtrail_core::port::{Clock, Entropy};
use deedtrail_core::time::Timestamp;
use deedtrail_evidence::disk::simulated::SimulatedDisk;
use deedtrail_evidence::{Log, LogConfig, Upkeep};

/// Failing seeds after which it stops.
const FAILED_MAX: u64 = 3;

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}

/// A clock that stands still.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_793_491_200_000_000)
    }
}

impl Entropy for Still {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

fn open(disk: &SimulatedDisk) -> Log {
    let mut config = LogConfig::new(Path::new("/data"), Path::new("/store"));
    config.segment_bytes = 8 << 10;
    config.index_rows_in_memory = 2;
    // The threads for checkpoints and index run, and wait until they are told to end.
    config.upkeep = Upkeep::Every(Duration::from_hours(1));
    let opened = Log::open(
        &config,
        Arc::new(disk.clone()),
        Arc::new(Still),
        Arc::new(Still),
    );
    opened.unwrap_or_else(|error| panic!("cannot open: {error}"))
}

fn record(key: &str) -> NewEntry {
    NewEntry {
        kind: EntryKind::Record,
        tenant: TenantId::default(),
        source: SourceName::new("sim.records").ok(),
        received: Timestamp::default(),
        idempotency_key: Some(Text::new(key)),
        note: Text::default(),
        parts: vec![Part {
            class: PartClass::Plain,
            key_id: 0,
            bytes: format!("content of {key}").into_bytes(),
        }],
    }
}

/// What one client sent, and what it was told.
struct Told {
    keys: Vec<String>,
    answer: Result<Appended, AppendError>,
}

/// Sends records of its own and some that others send too; what is acknowledged is there at once.
fn client(log: &Log, number: u64) -> Vec<Told> {
    let appends = [
        vec!["shared".to_owned(), format!("own {number}")],
        vec![format!("more {number}"), "shared later".to_owned()],
    ];
    let send = |keys: Vec<String>| {
        let answer = log.append(keys.iter().map(|key| record(key)).collect());
        if let Ok(appended) = &answer {
            let last = appended.outcomes.iter().map(Outcome::sequence).max();
            assert!(
                last < Some(log.end()),
                "acknowledged before the end of the log was moved"
            );
            check_answer(log, &keys, appended);
        }
        Told { keys, answer }
    };
    appends.map(send).into()
}

/// Every outcome leads to the record that was sent.
fn check_answer(log: &Log, keys: &[String], appended: &Appended) {
    assert_eq!(keys.len(), appended.outcomes.len(), "an outcome per record");
    for (key, outcome) in keys.iter().zip(&appended.outcomes) {
        let stored = log.read(outcome.sequence(), 1);
        let stored = stored.unwrap_or_else(|error| panic!("{key} cannot be read: {error}"));
        assert_eq!(
            stored[0].entry,
            record(key),
            "another record at {outcome:?}"
        );
    }
}

/// A life of a log: clients, and perhaps a disk that fails, a stop while they wait, checkpoints.
fn program(seed: u64) {
    let mut dice = Dice(seed);
    let disk = SimulatedDisk::default();
    let log = Arc::new(open(&disk));
    let (fails, closes, keeps) = (dice.below(3) == 0, dice.below(3) == 0, dice.below(2) == 0);
    if fails {
        let kinds = [std::io::ErrorKind::Other, std::io::ErrorKind::StorageFull];
        let kind = kinds[usize::from(dice.below(2) == 0)];
        disk.fail_at(disk.steps() + 1 + dice.below(8), kind);
    }
    let clients = (0..2 + dice.below(2)).map(|number| {
        let log = Arc::clone(&log);
        thread::spawn(move || client(&log, number))
    });
    let clients: Vec<_> = clients.collect();
    let keeper = keeps.then(|| {
        let log = Arc::clone(&log);
        thread::spawn(move || {
            let kept = log.upkeep();
            assert!(kept.is_ok() || fails, "upkeep: {kept:?}");
            if log.end() > 0 {
                let proved = log.prove(0).map(drop);
                assert!(proved.is_ok() || fails, "a proof: {proved:?}");
            }
        })
    });
    if closes {
        let closed = log.close();
        assert!(closed.is_ok() || fails, "a stop: {closed:?}");
    }
    let mut told = Vec::new();
    for one in clients {
        told.extend(one.join().unwrap_or_else(|_| panic!("a client panicked")));
    }
    if let Some(keeper) = keeper {
        assert!(keeper.join().is_ok(), "the keeper panicked");
    }
    let refused = told.iter().filter(|told| told.answer.is_err()).count();
    assert!(refused == 0 || fails || closes, "refused without a reason");
    drop(log);
    disk.calm();
    after_a_restart(&open(&disk), &told);
}

/// What was acknowledged is there, each record once; what was refused is there once or not at all.
fn after_a_restart(log: &Log, told: &[Told]) {
    let entries = log
        .read(0, usize::MAX)
        .unwrap_or_else(|error| panic!("cannot read: {error}"));
    let count = |key: &str| entries.iter().filter(|it| it.entry == record(key)).count();
    for told in told {
        if let Ok(appended) = &told.answer {
            check_answer(log, &told.keys, appended);
        }
        let least = usize::from(told.answer.is_ok());
        for key in &told.keys {
            let found = count(key);
            assert!(
                (least..=1).contains(&found),
                "`{key}` is there {found} times"
            );
        }
    }
    let accepted = told.iter().filter_map(|told| told.answer.as_ref().ok());
    let outcomes = accepted.flat_map(|appended| &appended.outcomes);
    let mut new: Vec<_> = outcomes
        .filter_map(|outcome| match outcome {
            Outcome::Accepted(at) => Some(*at),
            _ => None,
        })
        .collect();
    let all = new.len();
    new.sort_unstable();
    new.dedup();
    assert_eq!(
        new.len(),
        all,
        "two clients were told that they sent the same record first"
    );
}

#[cfg(deedtrail_schedules)]
fn run(seed: u64) {
    let mut config = shuttle::Config::new();
    config.stack_size = 1 << 20;
    config.failure_persistence = shuttle::FailurePersistence::None;
    let scheduler = shuttle::scheduler::RandomScheduler::new_from_seed(seed, 1);
    shuttle::Runner::new(scheduler, config).run(move || program(seed));
}

#[cfg(not(deedtrail_schedules))]
fn run(seed: u64) {
    program(seed);
}

fn main() -> ExitCode {
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse::<u64>().ok());
    let (count, first) = (numbers.next().unwrap_or(1_000), numbers.next().unwrap_or(1));
    let (begun, mut failed, mut lived) = (Instant::now(), 0, 0);
    let mut out = std::io::stdout();
    for seed in first..first + count {
        lived += 1;
        if catch_unwind(AssertUnwindSafe(|| run(seed))).is_err() {
            failed += 1;
            writeln!(out, "schedule {seed} failed").unwrap_or_default();
            if failed >= FAILED_MAX {
                break;
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let told = writeln!(
        out,
        "schedules: {lived} from {first}, {failed} failed, {seconds:.0} s"
    );
    ExitCode::from(u8::from(failed > 0 || told.is_err()))
}
