//! How fast records are mapped, beside hand-written structs that fill the same event.
//!
//! `cargo run --release -p deedtrail-sources --example map_speed -- aws.cloudtrail < records.ndjson`

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use deedtrail_core::event::MappedEvent;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Encoding, Mapper as _};
use deedtrail_sources::Registry;

mod by_hand;

/// Each side is measured this often; the best run counts.
const RUNS: usize = 7;
/// Records mapped in one run.
const RECORDS: usize = 200_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args()
        .nth(1)
        .ok_or("usage: map_speed SOURCE < records.ndjson")?;
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body)?;
    let registry = Registry::built_in()?;
    let source = SourceName::new(&name)?;
    let framed = registry.frame(&source, Encoding::Identity, &body)?;
    let mapped = |record: &&[u8]| registry.map(&source, record).is_ok();
    let mut records: Vec<&[u8]> = framed.iter().map(|one| one.bytes.as_ref()).collect();
    records.retain(mapped);
    let by_hand: fn(&[u8]) -> Option<MappedEvent> = match name.as_str() {
        "aws.cloudtrail" => by_hand::cloudtrail,
        "okta.system" => by_hand::okta,
        _ => |_| None,
    };
    let engine = best(&records, |record| registry.map(&source, record).is_ok());
    let hand = best(&records, |record| by_hand(record).is_some());
    let framing = {
        let started = Instant::now();
        let count = registry.frame(&source, Encoding::Identity, &body)?.len();
        rate(count, started.elapsed())
    };
    let bytes: usize = records.iter().map(|record| record.len()).sum();
    writeln!(
        std::io::stdout(),
        "{name}: {} records of {} bytes; engine {engine:.0}/s, by hand {hand:.0}/s, ratio {:.2}; framing {framing:.0}/s",
        records.len(),
        bytes / records.len().max(1),
        engine / hand,
    )?;
    Ok(())
}

fn best(records: &[&[u8]], map: impl Fn(&[u8]) -> bool) -> f64 {
    let run = |_| {
        let started = Instant::now();
        let done = records
            .iter()
            .cycle()
            .take(RECORDS)
            .filter(|record| map(record))
            .count();
        rate(done, started.elapsed())
    };
    (0..RUNS).map(run).fold(0.0, f64::max)
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
