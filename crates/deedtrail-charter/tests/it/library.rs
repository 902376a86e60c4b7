//! Every shipped sequence fires in its own history and stays quiet in the other.

use deedtrail_charter::Watch;
use deedtrail_charter::library::{Library, events_of, shipped_fixture};
use deedtrail_charter::library::{Memo, Planted};

fn history(id: &str, name: &str) -> Vec<deedtrail_charter::library::Fixture> {
    let file = format!("{id}.{name}.ndjson");
    let text = shipped_fixture(&file).unwrap_or_else(|| panic!("{file} is missing"));
    events_of(&file, text).unwrap()
}

#[test]
fn every_sequence_fires_and_stays_quiet_in_its_histories() {
    assert_eq!(Library::with([]).1, []);
    let library = Library::shipped();
    let ids: Vec<&str> = library.forms().map(|form| form.id.as_str()).collect();
    assert!(ids.len() >= 25, "{}", ids.len());
    for id in ids {
        let found = library.run(&history(id, "fires"));
        let own: Vec<_> = found.iter().filter(|found| found.id == id).collect();
        assert_eq!(own.len(), 1, "{id} fires once in its history");
        let events = history(id, "fires").len();
        assert_eq!(own[0].steps.len(), events, "{id} rests on every event");
        let quiet = library.run(&history(id, "quiet"));
        assert!(quiet.iter().all(|found| found.id != id), "{id} is quiet");
    }
}

#[test]
fn a_match_says_of_each_step_what_permitted_it() {
    let found = Library::shipped().run(&history("secret-encoded-sent", "fires"));
    let own = found
        .iter()
        .find(|found| found.id == "secret-encoded-sent")
        .unwrap();
    insta::assert_json_snapshot!("match", own);
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    let library = Library::shipped();
    for form in library.forms() {
        if form.follows == deedtrail_charter::library::Follows::Target {
            continue;
        }
        let mut events = history(&form.id, "fires");
        events.reverse();
        let found = library.run(&events);
        assert!(
            found.iter().any(|found| found.id == form.id),
            "{} arrives backwards",
            form.id
        );
    }
}

#[test]
fn an_operators_sequence_joins_and_replaces() {
    let own = "id: lethal-trifecta\ntitle: ours\nmeaning: x\nwithin: 1m\nsteps:\n  - { name: a, is: { action: read } }\n  - { name: b, is: { action: write } }\n";
    let (library, problems) = Library::with([("own/x.yaml", own)]);
    assert_eq!(problems, []);
    assert_eq!(library.forms().count(), Library::shipped().forms().count());
    assert!(library.forms().any(|form| form.title == "ours"));
}

#[test]
fn mistakes_are_told_with_their_place() {
    let check = |text: &str| {
        let (_, problems) = Library::load([("x.yaml", text)]);
        problems[0].to_string()
    };
    insta::assert_snapshot!(
        "sequence_unknown",
        check(
            "id: x\ntitle: t\nmeaning: m\nwithin: 1h\nsteps:\n  - name: a\n    is: { acton: read }\n"
        )
    );
    insta::assert_snapshot!(
        "sequence_reference",
        check(
            "id: x\ntitle: t\nmeaning: m\nwithin: 1h\nsteps:\n  - { name: a, is: { action: read } }\n  - { name: b, is: { action: write } }\nreferences: [T9999]\n"
        )
    );
    insta::assert_snapshot!(
        "sequence_within",
        check("id: x\ntitle: t\nmeaning: m\nwithin: soon\nsteps: []\n")
    );
}

#[test]
fn what_is_kept_is_bounded() {
    let library = Library::shipped();
    let one = history("secret-read-then-sent", "fires").remove(0);
    let (mut watch, mut planted) = (Watch::default(), Planted::default());
    let mut memo = Memo::default();
    for number in 0..5_000_u64 {
        let mut event = one.clone();
        event.event.log_seq = number;
        event.event.event_uid = deedtrail_core::id::EventUid::derive(&[&number.to_le_bytes()]);
        library.observe(&event.subject(), &mut watch, &mut planted, &mut memo);
    }
    let bytes = postcard::to_allocvec(&watch).unwrap().len();
    assert!(bytes < 32 << 10, "{bytes}");
}
