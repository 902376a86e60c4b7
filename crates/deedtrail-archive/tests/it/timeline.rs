//! Timelines, histograms and counts, over hot and stored rows alike.

use deedtrail_archive::DeltaArchive;
use deedtrail_core::action::Action;
use deedtrail_core::event::Event;
use deedtrail_core::port::archive::{ActionCount, Archive as _, Bucket, Cursor, EventFilter};
use deedtrail_core::time::Timestamp;

use crate::fixture::{START_US, alias, alias_uid, archive, event, event_by, events, other_tenant};

/// Twelve events, half stored and half hot; number 3 acts for jo, number 8 acts on jo.
fn mixed() -> (tempfile::TempDir, DeltaArchive, Vec<Event>) {
    let (folder, archive) = archive();
    let mut all = events(0..12);
    all[3].on_behalf_of_uid = Some(alias_uid("jo@example.com"));
    all[8].mapped.target_aliases = vec![alias("jo@example.com")];
    all[9] = event_by(9, "jo@example.com");
    all[9].mapped.target_aliases = vec![alias("jo@example.com")];
    all[5].mapped.action = Action::Delete;
    all[6].mapped.src_ip = Some("192.0.2.7".into());
    archive.add(all[..6].to_vec(), 6).unwrap();
    archive.commit().unwrap();
    archive.add(all[6..].to_vec(), 12).unwrap();
    (folder, archive, all)
}

fn sequences(archive: &DeltaArchive, filter: &EventFilter) -> Vec<u64> {
    let events = archive.events(filter, None, 100).unwrap();
    events.iter().map(|event| event.log_seq).collect()
}

fn second(number: i64) -> Timestamp {
    Timestamp::from_micros(START_US + number * 1_000_000)
}

fn check(filter: &EventFilter, expected: &[u64]) {
    let (_folder, archive, _) = mixed();
    assert_eq!(sequences(&archive, filter), expected, "{filter:?}");
}

#[test]
fn an_identity_sees_what_it_did_what_was_done_for_it_and_to_it() {
    let none = EventFilter::default;
    let jo = vec![alias_uid("jo@example.com")];
    check(
        &EventFilter {
            aliases: jo.clone(),
            ..none()
        },
        &[9, 8, 3],
    );
    check(
        &EventFilter {
            aliases: jo.clone(),
            to: Some(second(9)),
            ..none()
        },
        &[8, 3],
    );
    check(
        &EventFilter {
            aliases: jo.clone(),
            acting: true,
            ..none()
        },
        &[9, 3],
    );
    let both = vec![jo[0], alias_uid("user1@example.com")];
    check(
        &EventFilter {
            aliases: both,
            ..none()
        },
        &[9, 8, 3, 1],
    );
}

#[test]
fn filters_narrow() {
    let none = EventFilter::default;
    let uids = vec![event_by(2, "").event_uid, event_by(10, "").event_uid];
    check(&EventFilter { uids, ..none() }, &[10, 2]);
    check(
        &EventFilter {
            action: Some("delete".into()),
            ..none()
        },
        &[5],
    );
    check(
        &EventFilter {
            source: Some("other.log".into()),
            ..none()
        },
        &[],
    );
    check(
        &EventFilter {
            from: Some(second(10)),
            ..none()
        },
        &[11, 10],
    );
    check(
        &EventFilter {
            text: Some("USER1@".into()),
            ..none()
        },
        &[8, 1],
    );
    check(
        &EventFilter {
            text: Some("2.0.2".into()),
            ..none()
        },
        &[6],
    );
    check(
        &EventFilter {
            text: Some("%' OR 1=1 --".into()),
            ..none()
        },
        &[],
    );
}

#[test]
fn pages_join_without_gap_or_overlap() {
    let (_folder, archive) = archive();
    let mut all = events(0..30);
    for event in &mut all {
        // Many events share an instant, so the uid decides.
        event.time_effective = second(i64::try_from(event.log_seq / 10).unwrap());
    }
    archive.add(all[..15].to_vec(), 15).unwrap();
    archive.commit().unwrap();
    archive.add(all[15..].to_vec(), 30).unwrap();
    for filter in [
        EventFilter::default(),
        EventFilter {
            aliases: (0..7)
                .map(|n| alias_uid(&format!("user{n}@example.com")))
                .collect(),
            ..EventFilter::default()
        },
    ] {
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let page = archive.events(&filter, cursor, 7).unwrap();
            let Some(last) = page.last() else { break };
            cursor = Some(Cursor {
                time_effective: last.time_effective,
                event_uid: last.event_uid,
            });
            seen.extend(page);
        }
        all.sort_by_key(|event| std::cmp::Reverse((event.time_effective, event.event_uid)));
        assert_eq!(seen, all);
    }
}

#[test]
fn histogram_counts_every_event_in_its_bucket() {
    let (_folder, archive, _) = mixed();
    let bucket = |number: i64, count| Bucket {
        start: second(number),
        count,
    };
    let all = archive
        .histogram(&EventFilter::default(), 5_000_000)
        .unwrap();
    assert_eq!(all, [bucket(0, 5), bucket(5, 5), bucket(10, 2)]);
    let jo = EventFilter {
        aliases: vec![alias_uid("jo@example.com")],
        ..EventFilter::default()
    };
    assert_eq!(
        archive.histogram(&jo, 5_000_000).unwrap(),
        [bucket(0, 1), bucket(5, 2)]
    );
}

#[test]
fn histogram_buckets_before_1970_start_before_their_events() {
    let (_folder, archive) = archive();
    let mut old = event_by(0, "jo@example.com");
    old.time_effective = Timestamp::from_micros(-1);
    archive.add(vec![old], 1).unwrap();
    let buckets = archive.histogram(&EventFilter::default(), 1_000).unwrap();
    assert_eq!(
        buckets,
        [Bucket {
            start: Timestamp::from_micros(-1_000),
            count: 1
        }]
    );
}

#[test]
fn actions_come_most_first_with_their_last_use() {
    let (_folder, archive, _) = mixed();
    let count = |action: &str, count, last| ActionCount {
        action: action.into(),
        count,
        last,
    };
    assert_eq!(
        archive.actions(&EventFilter::default()).unwrap(),
        [count("read", 11, second(11)), count("delete", 1, second(5))]
    );
    let nobody = EventFilter {
        aliases: vec![alias_uid("no@example.com")],
        ..EventFilter::default()
    };
    assert_eq!(archive.actions(&nobody).unwrap(), []);
}

#[test]
fn a_filter_lets_one_tenant_through() {
    let (_folder, archive) = archive();
    let jo = |sequence| event_by(sequence, "jo@example.com");
    let theirs = |sequence| Event {
        tenant: other_tenant(),
        ..jo(sequence)
    };
    archive.add(vec![jo(0), theirs(1)], 2).unwrap();
    archive.commit().unwrap();
    archive.add(vec![theirs(2), event(3)], 4).unwrap();
    for aliases in [Vec::new(), vec![alias_uid("jo@example.com")]] {
        let filter = EventFilter {
            tenant: other_tenant(),
            aliases,
            ..EventFilter::default()
        };
        assert_eq!(sequences(&archive, &filter), [2, 1]);
        let buckets = archive.histogram(&filter, 60_000_000).unwrap();
        assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 2);
        let actions = archive.actions(&filter).unwrap();
        assert_eq!(actions.iter().map(|action| action.count).sum::<u64>(), 2);
    }
    let theirs = EventFilter {
        uids: vec![event(1).event_uid],
        ..EventFilter::default()
    };
    assert_eq!(sequences(&archive, &theirs), [0; 0]);
}
