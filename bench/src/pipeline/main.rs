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
    let (mut total, mut took, mut bytes) = (0, Duration::ZERO, 0);
    for (source, count) in counts {
        let file = folder.join(format!("{source}.ndjson"));
        let length = fs::metadata(&file)?.len();
        let mut command = Command::new(&binary);
        command
            .arg("--data")
            .arg(&data)
            .args(["ingest", "--source", source])
            .arg(&file);
        let started = Instant::now();
        let said = succeed(&mut command)?;
        let one = started.elapsed();
        println!(
            "{source}: {count} records, {length} bytes: {}",
            rate(count, one)
        );
        println!("  {}", said.trim().lines().last().unwrap_or_default());
        total += count;
        took += one;
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

fn rate(records: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let records = u32::try_from(records).map_or(f64::MAX, f64::from);
    format!("{seconds:.1} s, {:.0} records/s", records / seconds)
}
