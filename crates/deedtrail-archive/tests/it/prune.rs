//! Events that are due leave in whole rows, once somebody has heard of them.

use deedtrail_archive::DeltaArchive;
use deedtrail_core::event::Event;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::archive::{Archive as _, Cutoffs, Leaving};
use deedtrail_core::time::Timestamp;

use crate::fixture::{START_US, all, archive, counts, csv, event, open, other_tenant};

/// 2026-11-18, the day of [`START_US`].
const DAY: i64 = START_US / Timestamp::DAY_US;

fn of(source: &str) -> SourceName {
    SourceName::new(source).unwrap()
}

/// An event of a source, so many days before [`DAY`].
fn old(sequence: u64, source: &str, days: i64) -> Event {
    let at = Timestamp::from_micros(START_US - days * Timestamp::DAY_US);
    Event {
        source: of(source),
        time_effective: at,
        ..event(sequence)
    }
}

fn before(day: i64) -> Cutoffs {
    Cutoffs {
        others: Some(day),
        ..Cutoffs::default()
    }
}

/// Three commits: 0 to 9 days old, 10 to 19, 400 to 404; two sources in turns.
fn filled() -> (tempfile::TempDir, DeltaArchive) {
    let (folder, archive) = archive();
    for (first, ages) in [(0_u64, 0..10), (10, 10..20), (20, 400..405)] {
        let rows: Vec<Event> = ages
            .zip(first..)
            .map(|(age, n)| old(n, ["a.log", "b.log"][usize::from(n % 2 == 1)], age))
            .collect();
        let through = first + rows.len() as u64;
        archive.add(rows, through).unwrap();
        archive.commit().unwrap();
    }
    (folder, archive)
}

fn pruned(archive: &DeltaArchive, cutoffs: &Cutoffs) -> (u64, Vec<Leaving>) {
    let mut told = Vec::new();
    let removed = archive.prune(cutoffs, &mut |leaving| {
        told.extend_from_slice(leaving);
        true
    });
    (removed.unwrap(), told)
}

fn ages(archive: &DeltaArchive) -> Vec<i64> {
    let events = archive.events(&all(), None, 100).unwrap();
    let days = events
        .iter()
        .map(|event| DAY - event.time_effective.utc_day());
    days.collect()
}

#[test]
fn what_is_due_leaves_and_the_rest_stays_where_it_was() {
    let (folder, archive) = filled();
    let (removed, told) = pruned(&archive, &before(DAY - 14));
    assert_eq!(removed, 10, "ages 15 to 19 and 400 to 404");
    let leaving = |source, events| Leaving {
        tenant: TenantId::default(),
        source: of(source),
        before_day: DAY - 14,
        events,
    };
    assert_eq!(told, [leaving("a.log", 5), leaving("b.log", 5)]);
    assert_eq!(ages(&archive), (0..15).collect::<Vec<i64>>());
    assert_eq!((archive.covered(), counts(&archive)), (25, (15, 15)));
    assert_eq!(pruned(&archive, &before(DAY - 14)), (0, Vec::new()));
    archive.compact().unwrap();
    drop(archive);
    let archive = open(&folder);
    assert_eq!(ages(&archive), (0..15).collect::<Vec<i64>>());
    archive.add(vec![old(25, "a.log", 1)], 26).unwrap();
    archive.commit().unwrap();
    assert_eq!(counts(&archive), (16, 16));
}

#[test]
fn a_source_has_a_time_of_its_own_or_stays_for_ever() {
    let (_folder, archive) = filled();
    let cutoffs = Cutoffs {
        sources: [(of("a.log"), Some(DAY - 2)), (of("b.log"), None)].into(),
        others: Some(DAY - 30),
    };
    let (removed, told) = pruned(&archive, &cutoffs);
    assert_eq!((removed, told.len()), (11, 1));
    let text = csv(
        &archive,
        "SELECT source, count(*) AS n FROM events GROUP BY 1 ORDER BY 1",
    );
    assert_eq!(text, "source,n\na.log,2\nb.log,12\n");
}

#[test]
fn nothing_leaves_unheard_or_without_a_setting() {
    let (_folder, archive) = filled();
    let version = archive.figures().version;
    let refused = archive.prune(&before(DAY), &mut |leaving| leaving.is_empty());
    assert_eq!(refused.unwrap(), 0);
    let unset = archive.prune(&Cutoffs::default(), &mut |_| panic!("nothing is due"));
    assert_eq!(unset.unwrap(), 0);
    assert_eq!(
        (archive.figures().version, counts(&archive)),
        (version, (25, 25))
    );
}

#[test]
fn files_whose_rows_are_all_due_go_unread() {
    let (folder, archive) = filled();
    let generation = folder.path().join("events-000001");
    let before_prune = crate::layout::files(&generation).len();
    let figures = archive.figures();
    pruned(&archive, &before(DAY - 399));
    assert_eq!(archive.figures().version, figures.version + 1, "one commit");
    assert_eq!(archive.figures().rows, 20);
    assert_eq!(
        crate::layout::files(&generation).len(),
        before_prune,
        "none was written"
    );
    pruned(&archive, &before(DAY + 1));
    assert_eq!((archive.figures().files, counts(&archive)), (0, (0, 0)));
    assert_eq!(archive.events(&all(), None, 10).unwrap(), []);
}

#[test]
fn tenants_are_told_apart_and_hot_rows_wait_for_the_next_time() {
    let (_folder, archive) = archive();
    let theirs = |sequence| Event {
        tenant: other_tenant(),
        ..old(sequence, "a.log", 50)
    };
    archive
        .add(vec![old(0, "a.log", 50), theirs(1), theirs(2)], 3)
        .unwrap();
    archive.commit().unwrap();
    archive.add(vec![old(3, "a.log", 50)], 4).unwrap();
    let (removed, told) = pruned(&archive, &before(DAY));
    let told: Vec<_> = told
        .iter()
        .map(|one| (one.tenant.as_str(), one.events))
        .collect();
    assert_eq!((removed, told), (3, vec![("default", 1), ("other", 2)]));
    assert_eq!(counts(&archive), (1, 1));
    archive.commit().unwrap();
    assert_eq!(pruned(&archive, &before(DAY)).0, 1);
    assert_eq!(counts(&archive), (0, 0));
}
