//! How fast records are mapped, beside hand-written structs that fill the same event.
//!
//! `cargo run --release -p deedtrail-sources --example map_speed -- aws.cloudtrail < records.ndjson`

use std::io::{Read as _, Write as _};
use std::time::Duration;

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
    let engine = best(&records, |record| registry.map(&source, record).is_ok())?;
    let hand = best(&records, |record| by_hand(record).is_some())?;
    let bytes: usize = records.iter().map(|record| record.len()).sum();
    writeln!(
        std::io::stdout(),
        "{name}: {} records of {} bytes; engine {engine:.0}/s, by hand {hand:.0}/s, ratio {:.2}",
        records.len(),
        bytes / records.len().max(1),
        engine / hand,
    )?;
    Ok(())
}

fn best(records: &[&[u8]], map: impl Fn(&[u8]) -> bool) -> Result<f64, std::io::Error> {
    let mut best = 0.0_f64;
    for _ in 0..RUNS {
        let started = processor_time()?;
        let all = records.iter().cycle().take(RECORDS);
        let done = all.filter(|record| map(record)).count();
        let took = processor_time()?.saturating_sub(started);
        best = best.max(rate(done, took));
    }
    Ok(best)
}

/// Time this thread has spent on a processor (Linux): other work on the machine does not count.
fn processor_time() -> Result<Duration, std::io::Error> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text.split_whitespace().next().unwrap_or_default();
    let nanos = first.parse().map_err(std::io::Error::other)?;
    Ok(Duration::from_nanos(nanos))
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
