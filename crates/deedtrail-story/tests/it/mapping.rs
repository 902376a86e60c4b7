//! Every record is understood by the product's own mappings.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::action::Action;
use deedtrail_core::event::OutcomeClass;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Encoding, Mapper as _};
use deedtrail_sources::Registry;
use deedtrail_story::Story;

const ANCHOR: i64 = 20_778;

#[derive(Debug, Default)]
struct Tally {
    events: usize,
    other: BTreeMap<String, usize>,
    without_actor: BTreeMap<String, usize>,
    without_outcome: BTreeMap<String, usize>,
}

impl Tally {
    /// Events in `table` per thousand of this source's.
    fn per_mille(&self, table: &BTreeMap<String, usize>) -> usize {
        table.values().sum::<usize>() * 1000 / self.events.max(1)
    }
}

/// Maps the last two weeks and some of the time before; gives figures per source and the aliases
/// of all actors.
fn mapped() -> (BTreeMap<&'static str, Tally>, BTreeSet<String>) {
    let registry = Registry::built_in().expect("mappings load");
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut actors = BTreeSet::new();
    for (place, delivery) in Story::new(ANCHOR, 7).deliveries().enumerate() {
        if delivery.at.utc_day() < ANCHOR - 15 && place % 6 > 0 {
            continue;
        }
        let source = SourceName::new(delivery.source).expect("a name");
        let records = registry
            .frame(&source, Encoding::Identity, &delivery.body)
            .expect("framed");
        assert_eq!(records.len(), delivery.records, "{source}");
        let tally = tallies.entry(delivery.source).or_default();
        for record in records {
            let text = String::from_utf8_lossy(&record.bytes);
            let mapped = registry
                .map(&source, &record.bytes)
                .map_err(|error| format!("{source}: {error}: {text}"))
                .expect("every record maps");
            for event in mapped.events {
                tally.events += 1;
                let operation = event.operation.to_string();
                assert!(
                    event.time.is_some(),
                    "{source} {operation}: no time: {text}"
                );
                if event.action == Action::Other {
                    *tally.other.entry(operation.clone()).or_default() += 1;
                }
                if event.outcome == OutcomeClass::Unknown {
                    *tally.without_outcome.entry(operation.clone()).or_default() += 1;
                }
                if event.actor_aliases.is_empty() {
                    *tally.without_actor.entry(operation).or_default() += 1;
                }
                for alias in event.actor_aliases {
                    actors.insert(format!("{}:{}", alias.namespace, alias.value));
                }
            }
        }
    }
    (tallies, actors)
}

#[test]
fn records_map_and_their_actors_are_declared() {
    let (tallies, actors) = mapped();
    assert_eq!(tallies.len(), 10);
    for (source, tally) in &tallies {
        assert!(
            tally.per_mille(&tally.other) < 20,
            "{source}: other {tally:#?}"
        );
        assert!(
            tally.per_mille(&tally.without_actor) < 10,
            "{source}: {tally:#?}"
        );
        assert!(
            tally.per_mille(&tally.without_outcome) < 20,
            "{source}: {tally:#?}"
        );
    }
    let table = String::from_utf8(Story::new(ANCHOR, 7).identities()).unwrap();
    let silent: Vec<&str> = table
        .lines()
        .skip(1)
        .filter(|row| {
            let aliases = row.split(',').next().unwrap_or_default();
            !aliases.split(';').any(|alias| actors.contains(alias))
        })
        .collect();
    assert_eq!(
        silent,
        Vec::<&str>::new(),
        "declared, but no record names them: {actors:#?}"
    );
}
