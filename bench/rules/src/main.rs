//! S4: Sigma rules over the story's records on one core, by our detector and by the `rsigma` engine as its
//! daemon uses it.
//!
//! `cargo run --release --bin rules -- FOLDER`, where `FOLDER` holds Sigma rules, such as the cloud,
//! identity and application rules of `SigmaHQ`. Linux only: it counts the thread's time on a processor.

mod ours;
mod rsigma;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Encoding, Mapper as _, SourceFacts};
use deedtrail_detect::RuleFile;
use deedtrail_sources::Registry;
use deedtrail_story::Story;

/// A round measures every side once; the median round counts.
const ROUNDS: usize = 7;
/// Times each side goes over the records in a round: the processor's time is known to some milliseconds only.
const TIMES: usize = 16;
/// Distinct records of each source.
const RECORDS: usize = 4_000;
/// UTC day number of the story's today, and its seed.
const STORY: (i64, u64) = (20_600, 1);
const USAGE: &str = "usage: rules FOLDER, a folder of Sigma rules";

type Done<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Done {
    let folder = std::env::args().nth(1).ok_or(USAGE)?;
    let mut files = Vec::new();
    read_rules(Path::new(&folder), &mut files)?;
    let registry = Registry::built_in()?;
    let theirs = rsigma::Rules::load(&files);
    let (ours, refused) = ours::Rules::load(&files);
    println!(
        "{} files; rsigma takes {} rules, we take {} and refuse {refused}",
        files.len(),
        theirs.count(),
        ours.count()
    );
    println!("{ROUNDS} rounds, records per second of processor time, median [least, most]");
    let facts = registry.sources();
    for (name, records) in records(&registry)? {
        let source = SourceName::new(name)?;
        let facts = facts.iter().find(|facts| facts.name == source);
        let facts = facts.ok_or("the story's sources are built in")?;
        if !facts.sigma.is_empty() {
            compare(&registry, facts, &records, &ours, &theirs)?;
        }
    }
    Ok(())
}

fn compare(
    registry: &Registry,
    facts: &SourceFacts,
    records: &[Vec<u8>],
    ours: &ours::Rules,
    theirs: &rsigma::Rules,
) -> Done {
    let observed = ours::observe(registry, facts, records);
    let mut rates: [Vec<f64>; 4] = Default::default();
    let mut matches = [0; 4];
    for _ in 0..ROUNDS {
        // Without rules as well: what the code detectors take is not the rules'.
        let (with, found) = seconds(|| ours.run(facts, &observed))?;
        let (without, none) = seconds(|| ours::Rules::none().run(facts, &observed))?;
        let (all, found_all) = seconds(|| theirs.run(records, None))?;
        let (routed, found_routed) = seconds(|| theirs.run(records, facts.sigma.first()))?;
        matches = [found - none, found, found_all, found_routed];
        for (rates, took) in rates.iter_mut().zip([with - without, with, all, routed]) {
            rates.push((records.len() * TIMES) as f64 / took);
        }
    }
    let bytes: usize = records.iter().map(Vec::len).sum();
    println!(
        "\n{}: {} records of {} bytes",
        facts.name.as_str(),
        records.len(),
        bytes / records.len()
    );
    let labels = [
        "our rules, record parsed",
        "our rules and code detectors",
        "rsigma, all rules",
        "rsigma, told the log source",
    ];
    for ((label, rates), matches) in labels.iter().zip(&mut rates).zip(matches) {
        println!("  {label}: {} ({matches} matches)", spread(rates));
    }
    let [own, _, all, routed] = rates.each_mut().map(|rates| median(rates));
    println!(
        "  ours is {:.2} times all rules, {:.2} times told the log source",
        own / all,
        own / routed
    );
    Ok(())
}

/// The first records of each source in the story, by source.
fn records(registry: &Registry) -> Done<BTreeMap<&'static str, Vec<Vec<u8>>>> {
    let mut records: BTreeMap<_, Vec<Vec<u8>>> = BTreeMap::new();
    for delivery in Story::new(STORY.0, STORY.1).deliveries() {
        let source = SourceName::new(delivery.source)?;
        let framed = registry.frame(&source, Encoding::Identity, &delivery.body)?;
        let of_source = records.entry(delivery.source).or_default();
        let room = RECORDS.saturating_sub(of_source.len());
        let framed = framed.into_iter().take(room);
        of_source.extend(framed.map(|one| one.bytes.into_owned()));
    }
    Ok(records)
}

fn read_rules(folder: &Path, files: &mut Vec<RuleFile>) -> Done {
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            read_rules(&path, files)?;
        } else if path.extension().is_some_and(|name| name == "yml") {
            files.push(RuleFile {
                path: path.display().to_string(),
                text: fs::read_to_string(&path)?,
            });
        }
    }
    Ok(())
}

/// Processor time of this thread for all [`TIMES`], and what came of the last.
fn seconds(work: impl Fn() -> usize) -> Done<(f64, usize)> {
    let begun = processor_seconds()?;
    let mut result = 0;
    for _ in 0..TIMES {
        result = black_box(work());
    }
    Ok((processor_seconds()? - begun, result))
}

fn processor_seconds() -> Done<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().ok_or("no schedstat")?;
    Ok(nanoseconds.parse::<f64>()? / 1e9)
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn spread(rates: &mut [f64]) -> String {
    let median = median(rates);
    format!(
        "{median:.0} [{:.0}, {:.0}]",
        rates[0],
        rates[rates.len() - 1]
    )
}
