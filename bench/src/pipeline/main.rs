//! S3: the whole pipeline, as the binary runs it. Records of the story go through `ingest`: frame,
//! map, append and make durable, resolve identities, detect, and commit to the archive.
//!
//! `cargo run --release --bin pipeline -- DEEDTRAIL FOLDER [RECORDS]`, where `DEEDTRAIL` is the
//! binary to measure and `FOLDER` does not exist yet.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Encoding, Mapper as _};
use deedtrail_sources::Registry;
use deedtrail_story::{Delivery, Story};

type Done<T = ()> = Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: pipeline DEEDTRAIL FOLDER [RECORDS]";
const RECORDS: u64 = 300_000;
/// UTC day number of the story's today.
const STORY_DAY: i64 = 20_600;

fn main() -> Done {
    let mut arguments = std::env::args().skip(1);
    let binary = PathBuf::from(arguments.next().ok_or(USAGE)?);
    let folder = PathBuf::from(arguments.next().ok_or(USAGE)?);
    let wanted = arguments
        .next()
        .map_or(Ok(RECORDS), |count| count.parse())?;
    fs::create_dir(&folder)?;
    let counts = generate(&folder, wanted)?;
    let data = folder.join("data");
    succeed(Command::new(&binary).arg("--data").arg(&data).arg("init"))?;
    let (mut total, mut took, mut bytes) = (0, Took::default(), 0);
    for (source, count) in counts {
        let file = folder.join(format!("{source}.ndjson"));
        let length = fs::metadata(&file)?.len();
        let mut command = Command::new(&binary);
        command
            .arg("--data")
            .arg(&data)
            .args(["ingest", "--source", source])
            .arg(&file);
        let (started, processor) = (Instant::now(), processor_of_children()?);
        let said = succeed(&mut command)?;
        let one = Took {
            clock: started.elapsed(),
            processor: processor_of_children()?.saturating_sub(processor),
        };
        println!(
            "{source}: {count} records, {length} bytes: {}",
            rate(count, one)
        );
        println!("  {}", said.trim().lines().last().unwrap_or_default());
        total += count;
        took.clock += one.clock;
        took.processor += one.processor;
        bytes += length;
    }
    println!("all: {total} records, {bytes} bytes: {}", rate(total, took));
    Ok(())
}

/// Writes one NDJSON file for each source; a story after the other, each with a seed of its own,
/// until there are enough records.
fn generate(folder: &Path, wanted: u64) -> Done<BTreeMap<&'static str, u64>> {
    let registry = Registry::built_in()?;
    let mut files: BTreeMap<&'static str, (u64, BufWriter<File>)> = BTreeMap::new();
    let mut written = 0;
    let mut seed = 0;
    let mut deliveries = Vec::new().into_iter();
    while written < wanted {
        let Some(delivery): Option<Delivery> = deliveries.next() else {
            seed += 1;
            let story: Vec<_> = Story::new(STORY_DAY, seed).deliveries().collect();
            deliveries = story.into_iter();
            continue;
        };
        if !files.contains_key(delivery.source) {
            let file = File::create_new(folder.join(format!("{}.ndjson", delivery.source)))?;
            files.insert(delivery.source, (0, BufWriter::new(file)));
        }
        let (count, file) = files.get_mut(delivery.source).ok_or("just put there")?;
        let source = SourceName::new(delivery.source)?;
        for one in registry.frame(&source, Encoding::Identity, &delivery.body)? {
            file.write_all(&one.bytes)?;
            file.write_all(b"\n")?;
            *count += 1;
            written += 1;
        }
    }
    let counts = files.into_iter().map(|(source, (count, mut file))| {
        file.flush()?;
        Ok((source, count))
    });
    counts.collect()
}

/// Runs the command and returns what it printed.
fn succeed(command: &mut Command) -> Done<String> {
    let output = command.output()?;
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if output.status.success() {
        Ok(said)
    } else {
        Err(format!("{command:?} failed: {said}").into())
    }
}

/// Time by the clock and on processors.
#[derive(Clone, Copy, Default)]
struct Took {
    clock: Duration,
    processor: Duration,
}

/// What ended child processes have used (proc(5), `stat`, in hundredths of a second).
fn processor_of_children() -> Done<Duration> {
    let line = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = line.rsplit_once(") ").ok_or("stat names the program")?;
    let ticks: Vec<&str> = fields.split(' ').skip(13).take(2).collect();
    let ticks = ticks.iter().map(|ticks| ticks.parse::<u64>());
    Ok(Duration::from_millis(10 * ticks.sum::<Result<u64, _>>()?))
}

fn rate(records: u64, took: Took) -> String {
    let records = u32::try_from(records).map_or(f64::MAX, f64::from);
    let (clock, processor) = (took.clock.as_secs_f64(), took.processor.as_secs_f64());
    format!(
        "{clock:.1} s, {:.0} records/s; {processor:.1} s of processor time, {:.0} records/s of it",
        records / clock,
        records / processor
    )
}
