//! The store on disk: its contract, durability, concurrent readers, speed at size.

mod damage;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use deedtrail_core::event::ActorKind;
use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::identity::Identity;
use deedtrail_core::port::store::{IdentityFilter, Progress, Store as _, StoreError};
use deedtrail_core::time::Timestamp;
use deedtrail_store::SqliteStore;
use deedtrail_testkit::store_contract::{self, batch, identity};
use rusqlite::Connection;
use std::os::unix::fs::PermissionsExt as _;

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(&folder.join("control.db")).expect("the store opens")
}

#[test]
fn keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let made = std::cell::Cell::new(0);
    store_contract::check(&|| {
        made.set(made.get() + 1);
        Box::new(SqliteStore::open(&folder.path().join(format!("{}.db", made.get()))).unwrap())
    });
}

#[test]
fn what_was_saved_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let ana = identity("ana", 1);
    let store = open(folder.path());
    store
        .save(Progress {
            through: 7,
            ..batch([ana.clone()])
        })
        .unwrap();
    drop(store);
    let reopened = open(folder.path());
    assert_eq!(reopened.processed().unwrap(), 7);
    assert_eq!(reopened.identity(ana.0.id).unwrap(), Some(ana.0));
}

#[test]
fn counters_that_cannot_be_read_count_as_absent() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let health = |name: &str| SourceHealth {
        records: 3,
        events: 3,
        bytes: 9,
        last_received: Some(Timestamp::from_micros(7)),
        last_event: Some(Timestamp::from_micros(i64::MAX)),
        grades: [0, 0, 0, 3],
        ..SourceHealth::new(TenantId::default(), SourceName::new(name).unwrap())
    };
    let progress = Progress {
        sources: vec![health("a.log"), health("b.log")],
        ..Progress::default()
    };
    store.save(progress).unwrap();
    let file = Connection::open(folder.path().join("control.db")).unwrap();
    let body = r#"{"source":"a.log","last_event":"253402207200500000 µs"}"#;
    file.execute(
        "UPDATE sources SET body = ?1 WHERE source = 'a.log'",
        [body],
    )
    .unwrap();
    let known = store.source_health().unwrap();
    let names: Vec<&str> = known.iter().map(|health| health.source.as_str()).collect();
    assert_eq!(names, ["b.log"]);
}

/// A copy of the files while the store is open is what a killed process leaves behind.
#[test]
fn what_was_saved_survives_a_process_that_never_closes() {
    let folder = tempfile::tempdir().unwrap();
    let crashed = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store
        .save(Progress {
            through: 7,
            ..batch([identity("ana", 1)])
        })
        .unwrap();
    let copy = |name: &str| {
        std::fs::copy(folder.path().join(name), crashed.path().join(name)).unwrap();
    };
    copy("control.db");
    assert_eq!(
        open(crashed.path()).processed().unwrap(),
        0,
        "the log was not needed"
    );
    copy("control.db");
    copy("control.db-wal");
    assert_eq!(open(crashed.path()).processed().unwrap(), 7);
}

#[test]
fn a_copy_holds_what_was_there_and_only_its_owner_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.save(many(20)).unwrap();
    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    store.copy_to(&copy.join("control.db")).unwrap();
    store.save(many(40)).unwrap();
    let mode = std::fs::metadata(copy.join("control.db"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let count = |store: &SqliteStore| store.identity_count(&IdentityFilter::default()).unwrap();
    assert_eq!((count(&open(&copy)), count(&store)), (20, 40));
    assert!(
        store.copy_to(&copy.join("control.db")).is_err(),
        "nothing is overwritten"
    );
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let path = folder.path().join("control.db");
    let version = |db: &Connection| -> u32 {
        db.query_row("PRAGMA user_version", (), |row| row.get(0))
            .unwrap()
    };
    let db = Connection::open(&path).unwrap();
    let known = version(&db);
    db.pragma_update(None, "user_version", known + 1).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(
        matches!(error, StoreError::TooNew { found, known: k, .. } if found == k + 1),
        "{error}"
    );
    assert_eq!(version(&db), known + 1);
}

#[test]
fn only_its_owner_reads_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.save(batch([identity("ana", 1)])).unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
}

#[test]
fn a_file_that_is_no_database_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.db");
    std::fs::write(
        &path,
        "not a database, but long enough to look at".repeat(99),
    )
    .unwrap();
    let error = SqliteStore::open(&path).unwrap_err().to_string();
    assert!(error.contains("control.db"), "{error}");
}

#[test]
fn readers_see_whole_batches_and_never_wait_for_a_write() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let path = folder.path().join("control.db");
    // Another process holds the write lock all the time: reads go on.
    store.save(batch([identity("a", 1)])).unwrap();
    let blocker = Connection::open(&path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(
        store.identities(&IdentityFilter::default()).unwrap().len(),
        1
    );
    blocker.execute_batch("ROLLBACK").unwrap();
    drop(blocker);

    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        for _ in 0..12 {
            threads.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let count = store.identity_count(&IdentityFilter::default()).unwrap();
                    assert_eq!(count % 2, 1, "half a batch was seen");
                }
            });
        }
        for round in 0..50 {
            let pair = [format!("b{round}"), format!("c{round}")].map(|name| identity(&name, 2));
            store.save(batch(pair)).unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
}

fn many(count: u32) -> Progress {
    let people = (0..count).map(|number| {
        let (person, alias) = identity(&format!("user{number}@example.com"), i64::from(number));
        let kind = if number % 1000 == 0 {
            ActorKind::AiAgent
        } else {
            ActorKind::Human
        };
        (Identity { kind, ..person }, alias)
    });
    let (identities, aliases) = people.unzip();
    Progress {
        through: 1,
        identities,
        aliases,
        ..Progress::default()
    }
}

#[test]
fn a_page_of_a_large_estate_is_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.save(many(20_000)).unwrap();
    let page = IdentityFilter {
        limit: Some(50),
        ..IdentityFilter::default()
    };
    assert_eq!(
        store.identities(&page).unwrap()[0].name,
        "user19999@example.com"
    );
    let agents = IdentityFilter {
        kind: Some("ai_agent".to_owned()),
        ..page.clone()
    };
    assert_eq!(store.identities(&agents).unwrap().len(), 20);
    let text = Some("USER4242@".to_owned());
    assert_eq!(
        store
            .identities(&IdentityFilter { text, ..page })
            .unwrap()
            .len(),
        1
    );
    assert_eq!(store.find_alias("user4242@example.com").unwrap().len(), 1);
    assert_eq!(
        store.identity_count(&IdentityFilter::default()).unwrap(),
        20_000
    );
}
