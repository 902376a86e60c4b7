//! Damage to what is derived from the log: the control store and the archive.

use crate::process::{Tally, prints};

/// The tests that do it, and their controls.
const TESTS: [&str; 5] = [
    "damage::no_flipped_bit_changes_a_row_without_a_word",
    "damage::without_the_seal_a_flipped_bit_changes_a_row",
    "damage::no_flipped_bit_changes_an_answer_without_a_word",
    "damage::without_check_sums_a_flipped_bit_changes_an_answer",
    "damage::reading_back_tells_every_flipped_bit_of_table_and_log",
];

/// Flips so many random bits of a closed control store and its seal, and of an archive's files, which
/// are opened or read back after each; `starts` times the archive is opened and asked as well. Done by
/// the tests of their crates, so that this one needs neither `SQLite` nor `DataFusion`.
pub(crate) fn run(flips: u64, starts: u64) -> anyhow::Result<Tally> {
    let flips = format!("DEEDTRAIL_DAMAGE_FLIPS={flips}");
    let starts = format!("DEEDTRAIL_DAMAGE_STARTS={starts}");
    let test = "cargo test --workspace --test it -- --exact";
    let words = [flips.as_str(), starts.as_str()];
    let words = words.into_iter().chain(test.split(' ')).chain(TESTS);
    let (is_ok, text) = prints("env", &words.collect::<Vec<_>>())?;
    let is_done = |name: &&str| text.contains(&format!("test {name} ... ok"));
    Ok(Tally::one(is_ok && TESTS.iter().all(is_done)))
}
