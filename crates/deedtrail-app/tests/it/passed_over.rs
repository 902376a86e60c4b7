//! What was derived over damaged entries is known to be incomplete until it is derived anew.

use std::ops::RangeInclusive;
use std::sync::Arc;

use deedtrail_app::pipeline::{DamagedRange, PassedOver, Pipeline};
use deedtrail_app::{App, Ports};
use deedtrail_core::port::archive::Archive as _;
use deedtrail_core::port::store::Store as _;
use deedtrail_testkit::sample::Sample;

use crate::installation::{delete_object, detection_with, ports};
use crate::odd_log::OddLog;
use crate::rules::built_in;

/// Six entries, of which some cannot be read at first.
struct Folder(Sample);

impl Folder {
    fn new() -> Self {
        let sample = Sample::empty();
        let app = App::new(ports(&sample));
        for minute in 0..6 {
            delete_object(&app, "ana", "bucket", minute);
        }
        Self(sample)
    }

    fn ports(&self, damaged: Option<RangeInclusive<u64>>) -> Ports {
        let ports = ports(&self.0);
        match damaged {
            Some(damaged) => Ports {
                log: OddLog::damaged(&self.0.log, damaged),
                ..ports
            },
            None => ports,
        }
    }

    /// A start that derives what is there and ends in order.
    fn derive(&self, damaged: Option<RangeInclusive<u64>>) -> Pipeline {
        let mut pipeline = self.killed(damaged);
        pipeline.rest().unwrap();
        pipeline.close().unwrap();
        pipeline
    }

    /// One that is killed at the end of the log.
    fn killed(&self, damaged: Option<RangeInclusive<u64>>) -> Pipeline {
        let detection = detection_with(built_in());
        let mut pipeline = Pipeline::open(self.ports(damaged), detection, [7; 32]).unwrap();
        while pipeline.step().unwrap() {}
        pipeline
    }

    fn told(&self, damaged: Option<RangeInclusive<u64>>) -> Vec<PassedOver> {
        App::new(self.ports(damaged)).passed_over().unwrap()
    }

    fn events(&self) -> u64 {
        let figures = self.0.archive.figures();
        figures.rows + figures.hot_rows
    }
}

#[test]
fn entries_that_were_damaged_are_told_until_a_rebuild() {
    let folder = Folder::new();
    folder.derive(Some(1..=2));
    assert_eq!(folder.events(), 4);
    let still = folder.told(Some(1..=2));
    let range = DamagedRange { first: 1, last: 2 };
    assert_eq!(still.len(), 1);
    assert_eq!(still[0].range, range);
    let says = still[0].damage.as_deref().unwrap();
    assert!(says.contains("entries 1..=2 are damaged"), "{says}");

    // Whole again, and started again: nothing of it comes back by itself.
    let mut pipeline = folder.derive(None);
    assert_eq!(folder.events(), 4);
    let damage = None;
    assert_eq!(folder.told(None), [PassedOver { range, damage }]);
    let figures = || App::new(folder.ports(None)).figures().unwrap();
    assert_eq!(figures().passed_over, 2);
    assert!(pipeline.rebuild(&mut |_| true).unwrap());
    assert_eq!(folder.events(), 6);
    assert_eq!(folder.told(None), []);
    assert_eq!(figures().passed_over, 0);
}

#[test]
fn a_rebuild_over_damage_tells_of_it() {
    let folder = Folder::new();
    folder.derive(None);
    assert_eq!(folder.told(None), []);
    let mut pipeline = folder.derive(Some(3..=3));
    assert_eq!(folder.told(Some(3..=3)), [], "it was derived while whole");
    assert!(pipeline.rebuild(&mut |_| true).unwrap());
    assert_eq!(folder.told(None).len(), 1);
}

#[test]
fn what_the_next_start_derives_all_the_same_is_told_no_more() {
    let folder = Folder::new();
    let range = DamagedRange { first: 4, last: 5 };
    // Killed between the two: the range was noted, and nothing behind it was stored.
    let store = folder.ports(None).store;
    let ranges = serde_json::to_string(&[range]).unwrap();
    store.put_setting("passed_over", &ranges).unwrap();
    assert_eq!(folder.told(None).len(), 1);
    folder.derive(None);
    assert_eq!(folder.events(), 6);
    assert_eq!(folder.told(None), []);
}

#[test]
fn damage_at_the_end_is_passed_over_once() {
    let folder = Folder::new();
    folder.derive(Some(4..=5));
    assert_eq!(folder.events(), 4);
    assert_eq!(folder.0.store.processed().unwrap(), 6);
    assert_eq!(folder.0.archive.covered(), 6);
    let told = folder.told(Some(4..=5));
    let again = Pipeline::open(
        folder.ports(Some(0..=5)),
        detection_with(built_in()),
        [7; 32],
    );
    assert_eq!(again.unwrap().position(), 6, "it goes on from its snapshot");
    assert_eq!(folder.told(Some(4..=5)), told);

    // Killed behind it, the start after that tells of the same range, and of no other.
    let folder = Folder::new();
    drop(folder.killed(Some(4..=5)));
    folder.derive(Some(4..=5));
    assert_eq!(folder.events(), 4);
    assert_eq!(folder.told(Some(4..=5)), told);
}

#[test]
fn damage_is_told_also_where_store_or_archive_are_further() {
    let range = DamagedRange { first: 4, last: 5 };
    let told = |folder: &Folder| {
        let told = folder.told(None).into_iter();
        told.map(|passed| passed.range).collect::<Vec<_>>()
    };
    // Rows of before were hot only.
    let mut folder = Folder::new();
    drop(folder.killed(None));
    assert_eq!(folder.0.store.processed().unwrap(), 6);
    folder.0.archive = Arc::default();
    folder.derive(Some(4..=5));
    assert_eq!(folder.events(), 4);
    assert_eq!(told(&folder), [range]);

    // The control plane was lost, and with it what it knew of the damage.
    let folder = Folder::new();
    folder.derive(Some(4..=5));
    folder.0.store.forget_derived().unwrap();
    folder.0.store.put_setting("passed_over", "").unwrap();
    assert_eq!(folder.0.archive.covered(), 6);
    folder.derive(Some(4..=5));
    assert_eq!(told(&folder), [range]);
}
