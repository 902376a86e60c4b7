//! Connections: one writer, a small pool of readers, and the schema's version.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use deedtrail_core::port::store::StoreError;

use crate::seal;

/// Schema changes in order; a file's `user_version` is how many of them it has seen.
const MIGRATIONS: [&str; 19] = [
    include_str!("migrations/0001_control_plane.sql"),
    include_str!("migrations/0002_decision_coverage.sql"),
    include_str!("migrations/0003_people_sign_in.sql"),
    include_str!("migrations/0004_decision_note.sql"),
    include_str!("migrations/0005_tenants_of_sources.sql"),
    include_str!("migrations/0006_quarantine_in_order.sql"),
    include_str!("migrations/0007_sessions.sql"),
    include_str!("migrations/0008_entitlements.sql"),
    include_str!("migrations/0009_charters.sql"),
    include_str!("migrations/0010_behaviour.sql"),
    include_str!("migrations/0011_tenants_of_findings.sql"),
    include_str!("migrations/0012_departing_sessions.sql"),
    include_str!("migrations/0013_custody.sql"),
    include_str!("migrations/0014_rule_exceptions.sql"),
    include_str!("migrations/0015_custody_subjects.sql"),
    include_str!("migrations/0016_sessions_in_order.sql"),
    include_str!("migrations/0017_sealed.sql"),
    include_str!("migrations/0018_snapshots_in_parts.sql"),
    include_str!("migrations/0019_sessions_packed.sql"),
];
/// Readers kept open; more are opened when more read at once, and closed afterwards.
const IDLE_READERS_MAX: usize = 8;
/// Prepared statements kept per connection.
const STATEMENTS_MAX: usize = 64;
/// Applied to the writer: a commit is on disk when it returns. It keeps 64 MiB of pages, so that the
/// indexes of what changes with every step are not read again and again, and moves the write-ahead
/// log into the file at 64 MiB of it.
const WRITER_PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
    PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000; PRAGMA cache_size = -65536; \
    PRAGMA wal_autocheckpoint = 16384;";
/// Applied to the connection for notes: a commit waits for no other writer, and for the disk only where
/// the write-ahead log begins anew.
const NOTES_PRAGMAS: &str = "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; \
    PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 0;";

#[derive(Debug)]
pub(crate) struct Connections {
    path: PathBuf,
    writer: Mutex<Connection>,
    notes: Mutex<Connection>,
    idle_readers: Mutex<Vec<Connection>>,
    /// The file was found damaged: it gets no seal, which would make what it holds the truth.
    is_damaged: AtomicBool,
}

impl Connections {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError::Failed {
            path: shown(path),
            reason: error.to_string(),
        };
        let is_sealed = seal::open(path).map_err(failed)?;
        create_private(path).map_err(failed)?;
        let failed = |error: rusqlite::Error| StoreError::Failed {
            path: shown(path),
            reason: reason(path, &error),
        };
        let mut writer = open_writer(path, WRITER_PRAGMAS).map_err(failed)?;
        let found = migrate(&mut writer).map_err(failed)?;
        if found > schema_version() {
            let known = schema_version();
            // Nothing was written: it stays as closed as it was.
            drop(writer);
            if is_sealed {
                seal::close(path).map_err(|error| StoreError::Failed {
                    path: shown(path),
                    reason: error.to_string(),
                })?;
            }
            return Err(StoreError::TooNew {
                path: shown(path),
                found,
                known,
            });
        }
        let notes = open_writer(path, NOTES_PRAGMAS).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            notes: Mutex::new(notes),
            idle_readers: Mutex::new(Vec::new()),
            is_damaged: AtomicBool::new(false),
        })
    }

    /// Runs `work` in one transaction: all of it is stored, or nothing.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|tx| {
                let value = work(&tx)?;
                tx.commit()?;
                Ok(value)
            });
        outcome.map_err(|error| self.failed(&error))
    }

    /// Runs `work` in a transaction that nobody who reads has to wait for: while somebody else
    /// writes nothing is noted, and a power cut may forget what was.
    pub(crate) fn note(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let mut notes = match self.notes.try_lock() {
            Ok(notes) => notes,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        let outcome = notes
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|tx| {
                work(&tx)?;
                tx.commit()
            });
        match outcome {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
            outcome => outcome.map_err(|error| self.failed(&error)),
        }
    }

    /// Runs `work` on one snapshot of the file, beside any write.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut reader = self.reader().map_err(|error| self.failed(&error))?;
        let outcome = reader.transaction().and_then(|snapshot| work(&snapshot));
        let value = outcome.map_err(|error| self.failed(&error))?;
        self.give_back(reader);
        Ok(value)
    }

    /// Writes what one snapshot of the file holds to a new file, beside any write.
    pub(crate) fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let failed = |reason: String| StoreError::Failed {
            path: shown(path),
            reason,
        };
        create_private(path).map_err(|error| failed(error.to_string()))?;
        let reader = self.reader().map_err(|error| self.failed(&error))?;
        let copied = reader.execute("VACUUM INTO ?1", [shown(path)]);
        copied.map_err(|error| failed(error.to_string()))?;
        self.give_back(reader);
        let synced = std::fs::File::open(path).and_then(|file| file.sync_all());
        synced.map_err(|error| failed(error.to_string()))
    }

    /// Moves everything into the file and seals it; false when somebody still reads an older
    /// state, the file is in use elsewhere, or was found damaged, and it stays without a seal. What
    /// is written afterwards is refused.
    pub(crate) fn seal(&self) -> Result<bool, StoreError> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let moved = || -> rusqlite::Result<bool> {
            let busy = |row: &rusqlite::Row<'_>| row.get::<_, bool>(0);
            let is_busy = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), busy)?;
            for connection in [&*writer, &*notes] {
                connection.execute_batch("PRAGMA query_only = ON;")?;
            }
            Ok(!is_busy && !self.is_damaged.load(Ordering::Acquire))
        };
        let is_moved = moved().map_err(|error| self.failed(&error))?;
        if is_moved {
            seal::close(&self.path).map_err(|error| StoreError::Failed {
                path: shown(&self.path),
                reason: error.to_string(),
            })?;
        }
        Ok(is_moved)
    }

    /// What SQLite finds wrong with the file's structure, beside any write.
    pub(crate) fn check(&self) -> Result<Vec<String>, StoreError> {
        let found = self.read(|db| {
            let mut check = db.prepare("PRAGMA quick_check(5)")?;
            let lines = check.query_map((), |row| row.get::<_, String>(0))?;
            lines.collect::<rusqlite::Result<Vec<String>>>()
        })?;
        let found: Vec<String> = found.into_iter().filter(|line| line != "ok").collect();
        if !found.is_empty() {
            self.is_damaged.store(true, Ordering::Release);
        }
        Ok(found)
    }

    fn reader(&self) -> rusqlite::Result<Connection> {
        let idle = self
            .idle_readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        idle.map_or_else(|| open_reader(&self.path), Ok)
    }

    fn give_back(&self, reader: Connection) {
        let mut idle = self
            .idle_readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS_MAX {
            idle.push(reader);
        }
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            return StoreError::DiskFull {
                path: shown(&self.path),
            };
        }
        if is_damage(error) {
            self.is_damaged.store(true, Ordering::Release);
        }
        StoreError::Failed {
            path: shown(&self.path),
            reason: reason(&self.path, error),
        }
    }
}

/// Whether SQLite says that the file is not one it wrote.
fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(
        code,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// What failed; of a damaged file, what to do about it.
fn reason(path: &Path, error: &rusqlite::Error) -> String {
    if is_damage(error) {
        return format!("it is damaged ({error}). {}", seal::remedy(path));
    }
    error.to_string()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The file holds hashes of tokens and sessions: nobody but its owner reads it.
fn create_private(path: &Path) -> std::io::Result<()> {
    let options = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .clone();
    options.open(path).map(drop)
}

fn open_writer(path: &Path, pragmas: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.execute_batch(pragmas)?;
    Ok(connection)
}

fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.execute_batch("PRAGMA busy_timeout = 5000;")?;
    Ok(connection)
}

fn schema_version() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// Applies the migrations the file has not seen, each in its own transaction; returns the version
/// it has then. A file of a newer version is left alone.
fn migrate(connection: &mut Connection) -> rusqlite::Result<u32> {
    let found: u32 = connection.query_row("PRAGMA user_version", (), |row| row.get(0))?;
    for (version, sql) in (1_u32..)
        .zip(MIGRATIONS)
        .skip_while(|(version, _)| *version <= found)
    {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", version)?;
        tx.commit()?;
    }
    Ok(found.max(schema_version()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_in_a_closed_file_is_told_and_may_be_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        let store = Connections::open(&path).unwrap();
        let write = |store: &Connections, value: &str| {
            let sql = "INSERT OR REPLACE INTO settings (name, value) VALUES ('one', ?1)";
            store.write(|tx| tx.execute(sql, [value]).map(drop))
        };
        write(&store, "as it was").unwrap();
        assert!(store.seal().unwrap());
        assert!(write(&store, "too late").is_err());
        drop(store);
        let seal = seal::path_of(&path);
        assert!(seal.try_exists().unwrap());
        let whole = std::fs::read(&path).unwrap();
        let at = whole.windows(9).position(|w| w == b"as it was").unwrap();
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        let told = Connections::open(&path).unwrap_err().to_string();
        assert!(told.contains("is not what was written"), "{told}");
        assert!(told.contains("control.db.seal"), "{told}");
        assert!(seal.try_exists().unwrap());

        // Whoever accepts it removes the seal; SQLite itself notices nothing.
        std::fs::remove_file(&seal).unwrap();
        let store = Connections::open(&path).unwrap();
        assert_eq!(store.check().unwrap(), Vec::<String>::new());
        write(&store, "again").unwrap();
        drop(store);
        let store = Connections::open(&path).unwrap();
        assert!(store.seal().unwrap());
        drop(store);
        Connections::open(&path).unwrap();
        assert!(!seal.try_exists().unwrap());
    }

    #[test]
    fn a_newer_file_keeps_its_seal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        drop(Connections::open(&path).unwrap());
        let db = Connection::open(&path).unwrap();
        let newer = schema_version() + 1;
        db.pragma_update(None, "user_version", newer).unwrap();
        drop(db);
        seal::close(&path).unwrap();
        for _ in 0..2 {
            let error = Connections::open(&path).unwrap_err();
            assert!(matches!(error, StoreError::TooNew { .. }), "{error}");
            assert!(seal::path_of(&path).try_exists().unwrap());
        }
    }

    #[test]
    fn a_damaged_file_says_what_to_do_and_gets_no_seal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        let store = Connections::open(&path).unwrap();
        let fill = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2000) \
            INSERT INTO settings (name, value) SELECT 'name ' || x, 'value ' || x FROM n";
        store.write(|tx| tx.execute(fill, ()).map(drop)).unwrap();
        assert!(store.seal().unwrap());
        drop(store);
        std::fs::remove_file(seal::path_of(&path)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let row = whole.windows(9).position(|w| w == b"name 1999").unwrap();
        let page = row / 4096 * 4096;
        let mut broken = whole.clone();
        broken[page..page + 8].fill(0xff);
        let all = |db: &Connection| {
            let sql = "SELECT count(*) FROM settings WHERE value <> ''";
            db.query_row(sql, (), |row| row.get::<_, i64>(0))
        };
        let says_what_to_do = |error: &StoreError| {
            let says = error.to_string();
            let advice = "put that of the newest backup in its place and remove";
            assert!(
                says.contains("it is damaged (") && says.contains(advice) && says.contains("-wal"),
                "{says}"
            );
        };
        for by_check in [true, false] {
            std::fs::write(&path, &broken).unwrap();
            let store = Connections::open(&path).unwrap();
            if by_check {
                let found = store.check();
                assert!(found.map_or(true, |found| !found.is_empty()));
            } else {
                says_what_to_do(&store.read(all).unwrap_err());
            }
            assert!(!store.seal().unwrap(), "by check: {by_check}");
            drop(store);
            assert!(!seal::path_of(&path).try_exists().unwrap());
        }
        std::fs::write(&path, [0x5a; 9000]).unwrap();
        says_what_to_do(&Connections::open(&path).unwrap_err());
    }

    #[test]
    fn a_note_waits_for_no_writer() {
        let folder = tempfile::tempdir().unwrap();
        let connections = Connections::open(&folder.path().join("control.db")).unwrap();
        let note = |value: &str| {
            connections.note(|tx| {
                let sql = "INSERT OR REPLACE INTO settings (name, value) VALUES ('note', ?1)";
                tx.execute(sql, [value]).map(drop)
            })
        };
        let noted = || {
            let sql = "SELECT value FROM settings WHERE name = 'note'";
            let value = |db: &Connection| db.query_row(sql, (), |row| row.get::<_, String>(0));
            connections.read(value).unwrap()
        };
        note("first").unwrap();
        connections
            .write(|_| {
                note("beside a writer").unwrap();
                Ok(())
            })
            .unwrap();
        assert_eq!(noted(), "first");
        note("second").unwrap();
        assert_eq!(noted(), "second");
    }

    #[test]
    fn entries_known_by_words_are_due() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        let before = MIGRATIONS
            .iter()
            .position(|sql| sql.contains("custody_due"));
        let before = before.unwrap();
        let old = Connection::open(&path).unwrap();
        for sql in &MIGRATIONS[..before] {
            old.execute_batch(sql).unwrap();
        }
        old.pragma_update(None, "user_version", u32::try_from(before).unwrap())
            .unwrap();
        old.execute_batch(
            "INSERT INTO custody VALUES ('default', 'a', 4), ('default', 'b', 4), \
             ('default', 'a', 2);",
        )
        .unwrap();
        drop(old);
        let connections = Connections::open(&path).unwrap();
        let due_from = |from, limit| {
            connections
                .read(|db| crate::custody::due(db, from, limit))
                .unwrap()
        };
        let due = |limit| due_from(0, limit);
        assert_eq!(due(10), [2, 4]);
        assert_eq!(due(1), [2]);
        assert_eq!(due_from(3, 9), [4]);
        connections
            .write(|tx| crate::custody::derived(tx, 2))
            .unwrap();
        assert_eq!(due(10), [4]);
        connections.write(crate::progress::forget_derived).unwrap();
        assert!(due(10).is_empty());
    }

    #[test]
    fn a_full_disk_is_told_as_such_and_the_next_write_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let connections = Connections::open(&folder.path().join("control.db")).unwrap();
        let fill = |pages: u32| {
            connections.write(|tx| {
                tx.pragma_update(None, "max_page_count", pages)?;
                tx.execute_batch(
                    "CREATE TABLE filler AS SELECT zeroblob(1000000) AS x; DROP TABLE filler;",
                )
            })
        };
        let refused = fill(1);
        assert!(
            matches!(refused, Err(StoreError::DiskFull { .. })),
            "{refused:?}"
        );
        fill(1_000_000).unwrap();
    }
}
