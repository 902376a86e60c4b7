//! Flipped bits in the archive's files: told, or harmless; never another answer without a word.
//!
//! `DEEDTRAIL_DAMAGE_STARTS` and `DEEDTRAIL_DAMAGE_FLIPS` set how many are tried.

use std::path::{Path, PathBuf};
use std::time::Duration;

use deedtrail_archive::DeltaArchive;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::archive::{Archive as _, EventFilter, OutputFormat, QueryBudget};
use tempfile::TempDir;

use crate::fixture::{ORIGIN, alias_uid, archive, csv, events, open};

/// Flips after each of which the archive is opened and asked.
const STARTS: u64 = 60;
/// Flips after each of which the files are read back.
const FLIPS: u64 = 2_000;
const PATIENCE: Duration = Duration::from_mins(1);

/// How many of something are tried.
#[expect(
    clippy::disallowed_methods,
    reason = "the campaign says how long it is"
)]
fn amount(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap())
}

/// An archive of some files and commits, closed.
fn closed() -> TempDir {
    let (folder, archive) = archive();
    for part in 0..3 {
        let (from, to) = (part * 40, part * 40 + 40);
        archive.add(events(from..to), to).unwrap();
        archive.commit().unwrap();
    }
    folder
}

/// Every file below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn generation(folder: &TempDir) -> PathBuf {
    folder.path().join("events-000001")
}

/// What the archive answers to questions of several kinds; an error of any of them.
fn asked(archive: &DeltaArchive) -> Result<Vec<String>, String> {
    let mut answers = Vec::new();
    for sql in [
        "SELECT * FROM events ORDER BY log_seq",
        "SELECT count(*), min(time_effective), max(log_seq) FROM events",
        "SELECT log_seq FROM events WHERE event_day = '2026-11-18' AND actor_ref = 'user3@example.com' ORDER BY 1",
    ] {
        let mut out = Vec::new();
        let budget = QueryBudget::default();
        archive
            .query(
                &TenantId::default(),
                sql,
                OutputFormat::Csv,
                budget,
                &mut out,
            )
            .map_err(|error| error.to_string())?;
        answers.push(String::from_utf8_lossy(&out).into_owned());
    }
    answers.extend(timeline(archive)?);
    Ok(answers)
}

/// The events of somebody.
fn timeline(archive: &DeltaArchive) -> Result<Vec<String>, String> {
    let filter = EventFilter {
        aliases: vec![alias_uid("user2@example.com")],
        ..EventFilter::default()
    };
    let timeline = archive.events(&filter, None, 1_000);
    let timeline = timeline.map_err(|error| error.to_string())?;
    Ok(vec![format!("{timeline:?}")])
}

/// Opens the archive and asks; damage may be told by either.
fn opened_and_asked(folder: &TempDir) -> Result<Vec<String>, String> {
    let opened = DeltaArchive::open(folder.path(), ORIGIN);
    asked(&opened.map_err(|error| error.to_string())?)
}

/// Flips one bit of a file, does something, and takes the flip back.
fn with_flip<T>(file: &Path, dice: &mut fastrand::Rng, work: impl FnOnce() -> T) -> T {
    let whole = std::fs::read(file).unwrap();
    let mut flipped = whole.clone();
    let at = dice.usize(0..flipped.len());
    flipped[at] ^= 1 << dice.u8(0..8);
    std::fs::write(file, &flipped).unwrap();
    let outcome = work();
    std::fs::write(file, &whole).unwrap();
    outcome
}

#[test]
fn no_flipped_bit_changes_an_answer_without_a_word() {
    let folder = closed();
    let right = opened_and_asked(&folder).unwrap();
    let mut dice = fastrand::Rng::with_seed(1);
    let (mut told, mut harmless) = (0, 0);
    for _ in 0..amount("DEEDTRAIL_DAMAGE_STARTS", STARTS) {
        let files = files(&generation(&folder));
        let file = &files[dice.usize(0..files.len())];
        match with_flip(file, &mut dice, || opened_and_asked(&folder)) {
            Err(_) => told += 1,
            Ok(answers) => {
                assert_eq!(answers, right, "{}", file.display());
                harmless += 1;
            }
        }
    }
    assert!(told > 0, "{harmless} harmless");
}

#[test]
fn without_check_sums_a_flipped_bit_changes_an_answer() {
    let folder = closed();
    let right = opened_and_asked(&folder).unwrap();
    std::fs::remove_dir_all(generation(&folder).join("_sums")).unwrap();
    assert_eq!(
        opened_and_asked(&folder).unwrap(),
        right,
        "it is read as it is"
    );
    // Whose the rows of a file are stands in the commit that added it.
    let commits = files(&generation(&folder).join("_delta_log"));
    let is_changed = |commit: &PathBuf| {
        let mut bytes = std::fs::read(commit).unwrap();
        let told = b"\"tenant\":\"default";
        let at = bytes.windows(told.len()).position(|part| part == told);
        let Some(at) = at.map(|at| at + told.len() - 1) else {
            return false;
        };
        bytes[at] ^= 1;
        std::fs::write(commit, &bytes).unwrap();
        opened_and_asked(&folder).is_ok_and(|answers| answers != right)
    };
    assert!(commits.iter().any(is_changed));
}

#[test]
fn reading_back_tells_every_flipped_bit_of_table_and_log() {
    let folder = closed();
    let archive = open(&folder);
    let whole = archive.read_back(PATIENCE);
    assert_eq!((whole.compared, whole.damaged.len()), (whole.files, 0));
    assert!(whole.files >= 3 + 4, "{whole:?}");
    let mut dice = fastrand::Rng::with_seed(1);
    let is_of_table = |path: &PathBuf| {
        let name = path.strip_prefix(generation(&folder)).unwrap();
        !["_sums", "_summed", "_needles"]
            .iter()
            .any(|it| name.starts_with(it))
    };
    let files: Vec<PathBuf> = files(&generation(&folder))
        .into_iter()
        .filter(is_of_table)
        .collect();
    for _ in 0..amount("DEEDTRAIL_DAMAGE_FLIPS", FLIPS) {
        let file = &files[dice.usize(0..files.len())];
        let found = with_flip(file, &mut dice, || archive.read_back(PATIENCE));
        let [told] = found.damaged.as_slice() else {
            panic!("{}: {found:?}", file.display());
        };
        assert!(told.contains(" is damaged: "), "{told}");
    }
}

#[test]
fn reading_back_tells_check_sums_that_are_damaged_or_gone() {
    let folder = closed();
    let archive = open(&folder);
    archive.read_back(PATIENCE);
    let sums = files(&generation(&folder).join("_sums"));
    let mut dice = fastrand::Rng::with_seed(1);
    for file in &sums {
        let of_table = !file.starts_with(generation(&folder).join("_sums/_needles"));
        let found = with_flip(file, &mut dice, || archive.read_back(PATIENCE));
        assert_eq!(found.damaged.len(), usize::from(of_table), "{found:?}");
        let whole = std::fs::read(file).unwrap();
        std::fs::remove_file(file).unwrap();
        let found = archive.read_back(PATIENCE);
        std::fs::write(file, whole).unwrap();
        assert_eq!(found.damaged.len(), usize::from(of_table), "{found:?}");
        let told = found.damaged.first();
        let told = told.is_none_or(|it| it.contains(".sums is damaged: it is gone"));
        assert!(told, "{found:?}");
    }
    assert_eq!(archive.read_back(PATIENCE).damaged, Vec::<String>::new());

    // As an earlier version left it, all of it can be read, and nothing be compared.
    std::fs::remove_file(generation(&folder).join("_summed")).unwrap();
    std::fs::remove_dir_all(generation(&folder).join("_sums")).unwrap();
    let found = open(&folder).read_back(PATIENCE);
    assert_eq!((found.without_sums, found.damaged.len()), (found.files, 0));
}

#[test]
fn damage_names_the_file_and_says_it_once() {
    let folder = closed();
    let is_data = |path: &&PathBuf| path.extension().is_some_and(|it| it == "parquet");
    let data = files(&generation(&folder));
    let mut told = 0;
    for file in data.iter().filter(is_data) {
        let whole = std::fs::read(file).unwrap();
        let broken: Vec<u8> = whole.iter().map(|byte| byte ^ 0xaa).collect();
        std::fs::write(file, &broken).unwrap();
        let archive = open(&folder);
        for asked in [asked(&archive), timeline(&archive)] {
            let says = asked.unwrap_err();
            assert_eq!(says.matches("Parquet error").count(), 0, "{says}");
            let begins = format!("{} is damaged: ", file.canonicalize().unwrap().display());
            assert!(says.starts_with(&begins), "{says}");
            assert!(says.contains("`deedtrail rebuild`"), "{says}");
            told += 1;
        }
        std::fs::write(file, &whole).unwrap();
    }
    assert!(told >= 6, "{told}");
}

#[test]
fn what_cannot_be_compared_is_named_too() {
    let folder = closed();
    std::fs::remove_dir_all(generation(&folder).join("_sums")).unwrap();
    let is_data = |path: &&PathBuf| path.extension().is_some_and(|it| it == "parquet");
    let data = files(&generation(&folder));
    let file = data.iter().find(is_data).unwrap();
    let whole = std::fs::read(file).unwrap();
    let broken: Vec<u8> = whole.iter().map(|byte| byte ^ 0xaa).collect();
    std::fs::write(file, &broken).unwrap();
    let archive = open(&folder);
    let name = file.file_name().unwrap().to_str().unwrap();
    for asked in [asked(&archive), timeline(&archive)] {
        let says = asked.unwrap_err();
        assert!(says.contains(name), "{says}");
        assert!(!says.contains("Parquet error: Parquet error"), "{says}");
    }
}

#[test]
fn a_rebuild_replaces_damaged_files() {
    let folder = closed();
    let right = opened_and_asked(&folder).unwrap();
    let archive = open(&folder);
    let is_data = |path: &&PathBuf| path.extension().is_some_and(|it| it == "parquet");
    let all = files(&generation(&folder));
    let file = all.iter().find(is_data).unwrap();
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0xaa);
    std::fs::write(file, &bytes).unwrap();
    let told = archive.read_back(PATIENCE).damaged;
    assert_eq!(told.len(), 1, "{told:?}");

    archive.start_rebuild().unwrap();
    archive.add(events(0..120), 120).unwrap();
    archive.finish_rebuild().unwrap();
    assert_eq!(archive.read_back(PATIENCE).damaged, Vec::<String>::new());
    assert_eq!(asked(&archive).unwrap(), right);
    assert_eq!(
        csv(&archive, "SELECT count(*) AS n FROM events"),
        "n\n120\n"
    );
}
