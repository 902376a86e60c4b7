//! S1: records to canonical events on one core, our declarative mappings against structs written
//! by hand and, with the feature `vrl`, against VRL programs that fill the same fields.
//!
//! `cargo run --release --features vrl --bin mapping`. Linux only: it counts the thread's time on a processor, so
//! that what else runs on the machine matters less.

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;

use deedtrail_core::event::MappedEvent;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Encoding, Mapper as _};
use deedtrail_sources::Registry;
use deedtrail_story::Story;

#[path = "../../../crates/deedtrail-sources/examples/map_speed/by_hand.rs"]
mod by_hand;
mod by_hand_too;
#[cfg(feature = "vrl")]
mod program;

/// A round measures every side once; the median round counts.
const ROUNDS: usize = 7;
/// Records mapped in one round by one side.
const RECORDS: usize = 40_000;
/// Distinct records they are taken from.
const DISTINCT: usize = 4_000;
/// UTC day number of the story's today, and its seed.
const STORY: (i64, u64) = (20_600, 1);

type Done<T = ()> = Result<T, Box<dyn Error>>;
type ByHand = fn(&[u8]) -> Option<MappedEvent>;

const SIDES: [(&str, ByHand); 4] = [
    ("aws.cloudtrail", by_hand::cloudtrail),
    ("okta.system", by_hand::okta),
    ("kubernetes.audit", by_hand_too::kubernetes),
    ("github.audit", by_hand_too::github),
];

fn main() -> Done {
    let registry = Registry::built_in()?;
    let records = records(&registry)?;
    println!(
        "{ROUNDS} rounds of {RECORDS} records, events per second of processor time, median [least, most]"
    );
    for (name, hand) in SIDES {
        let source = SourceName::new(name)?;
        let of_source = records.get(name).ok_or("the story has every source")?;
        compare(&registry, &source, hand, of_source)?;
    }
    recognition(&registry, &records)
}

/// How fast the source of a record without a label is found among all there are.
fn recognition(registry: &Registry, records: &BTreeMap<&'static str, Vec<Vec<u8>>>) -> Done {
    println!("\nrecognition among {} sources", registry.sources().len());
    for (name, of_source) in records {
        let source = SourceName::new(name)?;
        let found = of_source
            .iter()
            .map(|record| registry.recognize(&[], record));
        let own = found.filter(|found| found.as_ref() == Some(&source));
        let own = own.count();
        let asked = |record: &[u8]| {
            black_box(registry.recognize(&[], record));
            true
        };
        let rates = (0..ROUNDS).map(|_| rate(of_source, asked));
        let mut rates = rates.collect::<Result<Vec<f64>, _>>()?;
        println!(
            "  {name}: {own} of {} found: {}",
            of_source.len(),
            spread(&mut rates)
        );
    }
    Ok(())
}

/// The first records of each source in the story, by source.
fn records(registry: &Registry) -> Done<BTreeMap<&'static str, Vec<Vec<u8>>>> {
    let mut records: BTreeMap<_, Vec<Vec<u8>>> = BTreeMap::new();
    for delivery in Story::new(STORY.0, STORY.1).deliveries() {
        let source = SourceName::new(delivery.source)?;
        let framed = registry.frame(&source, Encoding::Identity, &delivery.body)?;
        let of_source = records.entry(delivery.source).or_default();
        let room = DISTINCT.saturating_sub(of_source.len());
        of_source.extend(
            framed
                .into_iter()
                .take(room)
                .map(|one| one.bytes.into_owned()),
        );
    }
    Ok(records)
}

fn compare(registry: &Registry, source: &SourceName, hand: ByHand, records: &[Vec<u8>]) -> Done {
    let engine = |record: &[u8]| registry.map(source, record).is_ok();
    let by_hand = |record: &[u8]| hand(record).is_some();
    #[cfg(feature = "vrl")]
    let program = program::Program::new(source.as_str())?;
    let (mut engine_rates, mut hand_rates) = (vec![], vec![]);
    #[cfg(feature = "vrl")]
    let mut program_rates = vec![];
    for _ in 0..ROUNDS {
        // Ours before and after the other sides: A B A, A B A C.
        engine_rates.push(rate(records, engine)?);
        hand_rates.push(rate(records, by_hand)?);
        engine_rates.push(rate(records, engine)?);
        #[cfg(feature = "vrl")]
        program_rates.push(rate(records, |record| program.run(record).is_some())?);
    }
    let engine_rate = median(&mut engine_rates);
    let bytes: usize = records.iter().map(Vec::len).sum();
    println!(
        "\n{source}: {} records of {} bytes",
        records.len(),
        bytes / records.len()
    );
    println!("  mapping  {}", spread(&mut engine_rates));
    println!(
        "  by hand  {}  mapping is {:.2} of it",
        spread(&mut hand_rates),
        engine_rate / median(&mut hand_rates)
    );
    #[cfg(feature = "vrl")]
    {
        println!(
            "  VRL      {}  mapping is {:.1} times it",
            spread(&mut program_rates),
            engine_rate / median(&mut program_rates)
        );
        program.agree(hand, records)?;
    }
    agree(registry, source, hand, records)
}

/// How often the sides say the same, as a check that they do the same work.
fn agree(registry: &Registry, source: &SourceName, hand: ByHand, records: &[Vec<u8>]) -> Done {
    let mut same = [0_usize; 5];
    for record in records {
        let ours = registry.map(source, record)?;
        let ours = ours.events.first().ok_or("a record has an event")?;
        let hand = hand(record).ok_or("the struct reads every record")?;
        let fields = [
            ours.time == hand.time,
            ours.operation == hand.operation,
            ours.outcome == hand.outcome,
            ours.src_ip == hand.src_ip,
            ours.actor_aliases.first() == hand.actor_aliases.first(),
        ];
        fields
            .iter()
            .zip(&mut same)
            .for_each(|(field, count)| *count += usize::from(*field));
    }
    println!(
        "  mapping is the same as by hand: {}",
        shares(same, records.len())
    );
    Ok(())
}

/// In how many of all records time, operation, outcome, address and actor are the same.
fn shares(same: [usize; 5], all: usize) -> String {
    let names = ["time", "operation", "outcome", "address", "actor"];
    let pairs = names.iter().zip(same);
    let shares = pairs.map(|(name, count)| {
        let share = 100.0 * as_f64(count) / as_f64(all);
        format!("{name} {share:.0} %")
    });
    shares.collect::<Vec<_>>().join(", ")
}

fn rate(records: &[Vec<u8>], map: impl Fn(&[u8]) -> bool) -> Done<f64> {
    let started = processor_nanoseconds()?;
    let mapped = records
        .iter()
        .cycle()
        .take(RECORDS)
        .filter(|record| map(black_box(record)))
        .count();
    let nanoseconds = processor_nanoseconds()? - started;
    if mapped != RECORDS {
        return Err(format!("only {mapped} of {RECORDS} records were mapped").into());
    }
    Ok(as_f64(RECORDS) * 1e9 / nanoseconds)
}

/// Time this thread has spent on a processor (proc(5), `schedstat`).
fn processor_nanoseconds() -> Done<f64> {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = line
        .split(' ')
        .next()
        .ok_or("schedstat has three numbers")?;
    Ok(first.parse()?)
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn spread(rates: &mut [f64]) -> String {
    let middle = median(rates);
    format!(
        "{middle:>9.0} [{:.0}, {:.0}]",
        rates[0],
        rates[rates.len() - 1]
    )
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
