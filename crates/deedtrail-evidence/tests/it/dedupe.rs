//! Idempotency against a model: exact, across batches, callers, restarts and index runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use deedtrail_core::Text;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::log::{EvidenceLog as _, NewEntry, Outcome};
use deedtrail_evidence::Log;
use deedtrail_evidence::disk::simulated::{SimulatedDisk, Syncing};
use proptest::prelude::*;

use crate::support::{TestEntropy, clock, config, entry, open, open_on, read_all};

/// Tenant, source, key, content.
type Sent = (u8, Option<u8>, Option<u8>, u8);

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<Sent>),
    Upkeep,
    Restart,
}

fn a_step() -> impl Strategy<Value = Step> {
    let sent = (
        0..2_u8,
        prop::option::of(0..2_u8),
        prop::option::weighted(0.9, 0..12_u8),
        0..3_u8,
    );
    prop_oneof![
        8 => prop::collection::vec(sent, 1..12).prop_map(Step::Append),
        1 => Just(Step::Upkeep),
        1 => Just(Step::Restart),
    ]
}

fn to_entry((tenant, source, key, content): Sent) -> NewEntry {
    let mut entry = entry("", &format!("content {content}"));
    entry.tenant = TenantId::new(&format!("tenant{tenant}")).unwrap();
    entry.source = source.map(|source| SourceName::new(&format!("source{source}")).unwrap());
    entry.idempotency_key = key.map(|key| Text::new(format!("key{key}")));
    entry
}

/// Content and sequence of what is stored under a key.
type Known = Vec<(u8, u64)>;

/// What the log should say, by the plainest means.
#[derive(Default)]
struct Model {
    known: BTreeMap<(u8, Option<u8>, u8), Known>,
    entries: Vec<(Sent, u32)>,
}

impl Model {
    fn append(&mut self, sent: Sent) -> Outcome {
        let (tenant, source, key, content) = sent;
        let sequence = self.entries.len() as u64;
        let mut revision = 0;
        if let Some(key) = key {
            let known = self.known.entry((tenant, source, key)).or_default();
            if let Some((_, first)) = known.iter().find(|(is, _)| *is == content) {
                return Outcome::Duplicate(*first);
            }
            revision = u32::try_from(known.len()).unwrap();
            known.push((content, sequence));
        }
        self.entries.push((sent, revision));
        if revision == 0 {
            Outcome::Accepted(sequence)
        } else {
            Outcome::IdConflict(sequence)
        }
    }

    fn compare(&self, log: &Log) {
        let stored = read_all(log, 700);
        assert_eq!(stored.len(), self.entries.len());
        for (stored, (sent, revision)) in stored.iter().zip(&self.entries) {
            assert_eq!(stored.entry, to_entry(*sent));
            assert_eq!(
                (stored.revision, stored.id_conflict),
                (*revision, *revision > 0)
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn outcomes_agree_with_the_model(steps in prop::collection::vec(a_step(), 1..60)) {
        let disk = SimulatedDisk::new(Syncing::Honest);
        let start = || {
            let mut config = config(Path::new("/sim"));
            config.index_rows_in_memory = 5;
            open_on(&config, Arc::new(disk.clone())).unwrap()
        };
        let mut log = start();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Append(sent) => {
                    let expected: Vec<_> = sent.iter().map(|sent| model.append(*sent)).collect();
                    let entries = sent.into_iter().map(to_entry).collect();
                    let appended = log.append(entries).unwrap();
                    let wrote = expected.iter().any(|o| !matches!(o, Outcome::Duplicate(_)));
                    prop_assert_eq!(appended.receipt.is_some(), wrote);
                    prop_assert_eq!(appended.outcomes, expected);
                }
                Step::Upkeep => log.upkeep().unwrap(),
                Step::Restart => {
                    drop(log);
                    log = start();
                }
            }
        }
        model.compare(&log);
    }
}

#[test]
fn concurrent_senders_of_the_same_records_store_each_once() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path());
    let outcomes: Vec<Vec<Outcome>> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..8)
            .map(|sender| {
                let log = &log;
                scope.spawn(move || {
                    let dice = TestEntropy::new(sender);
                    let batches = (0..40).map(|_| {
                        let first = dice.below(60);
                        let keys = first..first + 1 + dice.below(5);
                        let entries = keys.map(|key| entry(&format!("k{key}"), "same"));
                        log.append(entries.collect()).unwrap().outcomes
                    });
                    batches.flatten().collect()
                })
            })
            .collect();
        senders
            .into_iter()
            .map(|sender| sender.join().unwrap())
            .collect()
    });
    let accepted = outcomes
        .iter()
        .flatten()
        .filter(|o| matches!(o, Outcome::Accepted(_)))
        .count();
    assert_eq!(accepted as u64, log.end());
    let keys: std::collections::BTreeSet<_> = read_all(&log, 1 << 20)
        .into_iter()
        .map(|stored| stored.entry.idempotency_key.unwrap())
        .collect();
    assert_eq!(keys.len(), accepted);
}

#[test]
fn a_clock_that_jumps_changes_nothing() {
    let disk = SimulatedDisk::new(Syncing::Honest);
    let clock = clock();
    let log = Log::open(
        &config(Path::new("/sim")),
        Arc::new(disk),
        Arc::clone(&clock) as _,
        Arc::new(TestEntropy::new(1)),
    )
    .unwrap();
    let ten_years = 315_360_000_000_000;
    for (at, jump) in [0, ten_years, -2 * ten_years, 1, 0].into_iter().enumerate() {
        clock.0.fetch_add(jump, Ordering::SeqCst);
        let appended = log
            .append(vec![entry(&format!("k{at}"), "x"), entry("k0", "x")])
            .unwrap();
        let expected = if at == 0 {
            Outcome::Duplicate(0)
        } else {
            Outcome::Accepted(at as u64)
        };
        assert_eq!(
            appended.outcomes[0],
            if at == 0 {
                Outcome::Accepted(0)
            } else {
                expected
            }
        );
        assert_eq!(appended.outcomes[1], Outcome::Duplicate(0));
        log.seal().unwrap();
    }
    (0..5).for_each(|sequence| drop(log.prove(sequence).unwrap()));
}

#[test]
fn runs_are_merged_and_still_answer() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path());
    for batch in 0..100_u32 {
        let entries = (0..20).map(|at| entry(&format!("k{batch}.{at}"), "x"));
        log.append(entries.collect()).unwrap();
        log.upkeep().unwrap();
    }
    let runs = std::fs::read_dir(root.path().join("data/log/index"))
        .unwrap()
        .count();
    assert!(runs < 10, "{runs} runs were not merged");
    for sequence in (0..2000).step_by(37) {
        let key = format!("k{}.{}", sequence / 20, sequence % 20);
        let outcomes = log.append(vec![entry(&key, "x")]).unwrap().outcomes;
        assert_eq!(outcomes, [Outcome::Duplicate(sequence)]);
    }
}
