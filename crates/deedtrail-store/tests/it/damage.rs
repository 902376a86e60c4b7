//! Flipped bits in a closed control store and its seal: told, or harmless; never another row without
//! a word.
//!
//! `DEEDTRAIL_DAMAGE_FLIPS` sets how many are tried.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::path::{Path, PathBuf};

use deedtrail_core::port::store::{Progress, Store as _};
use deedtrail_store::SqliteStore;
use deedtrail_testkit::store_contract::{batch, identity};
use rusqlite::types::Value;

/// Flips after each of which the store is opened.
const FLIPS: u64 = 1_000;
/// Flips of which one must go unnoticed without the seal.
const CONTROL_FLIPS: u64 = 400;
const IDENTITIES: u64 = 40;

/// What came of a flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Told,
    Harmless,
    Silent,
}

/// A closed store: its files, and every row it holds.
struct Closed {
    folder: tempfile::TempDir,
    database: Vec<u8>,
    seal: Vec<u8>,
    rows: Vec<String>,
}

impl Closed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        let store = SqliteStore::open(&path).unwrap();
        for at in 0..IDENTITIES {
            let one = identity(&format!("person-{at}"), i64::try_from(at).unwrap());
            let progress = Progress {
                through: at + 1,
                ..batch([one])
            };
            store.save(progress).unwrap();
        }
        store.put_setting("theme", "as it was").unwrap();
        assert!(store.seal().unwrap());
        drop(store);
        let database = std::fs::read(&path).unwrap();
        let seal = std::fs::read(seal_of(&path)).unwrap();
        let rows = rows(&path).unwrap();
        Self {
            folder,
            database,
            seal,
            rows,
        }
    }

    fn bits(&self) -> u64 {
        (self.database.len() + self.seal.len()) as u64 * 8
    }

    /// Flips a bit, counted through database and seal, and opens the store.
    fn flip(&self, bit: u64, is_sealed: bool) -> Outcome {
        let path = self.folder.path().join("control.db");
        let (mut database, mut seal) = (self.database.clone(), self.seal.clone());
        let at = usize::try_from(bit / 8).unwrap();
        match database.get_mut(at) {
            Some(byte) => *byte ^= 1 << (bit % 8),
            None => seal[at - self.database.len()] ^= 1 << (bit % 8),
        }
        for suffix in ["-wal", "-shm", ".seal"] {
            drop(std::fs::remove_file(beside(&path, suffix)));
        }
        std::fs::write(&path, &database).unwrap();
        if is_sealed {
            std::fs::write(seal_of(&path), &seal).unwrap();
        }
        let opened = SqliteStore::open(&path);
        let checked = opened.and_then(|store| store.check());
        if !matches!(checked, Ok(found) if found.is_empty()) {
            return Outcome::Told;
        }
        match rows(&path) {
            Err(_) => Outcome::Told,
            Ok(rows) if rows == self.rows => Outcome::Harmless,
            Ok(_) => Outcome::Silent,
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn seal_of(path: &Path) -> PathBuf {
    beside(path, ".seal")
}

/// Every row of every table.
fn rows(path: &Path) -> rusqlite::Result<Vec<String>> {
    let database = rusqlite::Connection::open(path)?;
    let mut tables =
        database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
    let names = tables.query_map((), |row| row.get::<_, String>(0))?;
    let mut rows = Vec::new();
    for name in names.collect::<rusqlite::Result<Vec<String>>>()? {
        let mut all = database.prepare(&format!("SELECT * FROM \"{name}\""))?;
        let columns = all.column_count();
        let mut found = all.query(())?;
        while let Some(row) = found.next()? {
            let values: rusqlite::Result<Vec<Value>> = (0..columns).map(|at| row.get(at)).collect();
            rows.push(format!("{name} {:?}", values?));
        }
    }
    Ok(rows)
}

/// How many flips are tried.
#[expect(
    clippy::disallowed_methods,
    reason = "the campaign says how long it is"
)]
fn flips() -> u64 {
    let asked = std::env::var("DEEDTRAIL_DAMAGE_FLIPS");
    asked.map_or(FLIPS, |text| text.parse().unwrap())
}

#[test]
fn no_flipped_bit_changes_a_row_without_a_word() {
    let closed = Closed::new();
    let mut dice = fastrand::Rng::with_seed(1);
    let mut told = 0;
    for _ in 0..flips() {
        let bit = dice.u64(0..closed.bits());
        let outcome = closed.flip(bit, true);
        assert_ne!(outcome, Outcome::Silent, "bit {bit}");
        told += u64::from(outcome == Outcome::Told);
    }
    assert!(told > 0);
}

#[test]
fn without_the_seal_a_flipped_bit_changes_a_row() {
    let closed = Closed::new();
    let mut dice = fastrand::Rng::with_seed(1);
    let unnoticed = (0..CONTROL_FLIPS).find(|_| {
        let bit = dice.u64(0..closed.database.len() as u64 * 8);
        closed.flip(bit, false) == Outcome::Silent
    });
    assert!(unnoticed.is_some());
}
