//! Damage to what is derived from the log: the control store and the archive.

use crate::process::{Tally, passes};

/// Flips so many random bits of a closed control store and its seal, and of an archive's files, which
/// are opened or read back after each; `starts` times the archive is opened and asked as well. Done by
/// the tests of their crates, so that this one needs neither `SQLite` nor `DataFusion`.
pub(crate) fn run(flips: u64, starts: u64) -> anyhow::Result<Tally> {
    let flips = format!("DEEDTRAIL_DAMAGE_FLIPS={flips}");
    let starts = format!("DEEDTRAIL_DAMAGE_STARTS={starts}");
    let test = "cargo test --workspace --test it -- damage::";
    let words = [flips.as_str(), starts.as_str()];
    let words: Vec<&str> = words.into_iter().chain(test.split(' ')).collect();
    Ok(Tally::one(passes("env", &words)?))
}
