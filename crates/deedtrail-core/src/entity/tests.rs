use proptest::prelude::*;

use super::*;
use crate::limits::{ENTITIES_PER_TEXT_MAX, ENTITY_TEXT_BYTES_MAX};

fn entities(text: &str) -> Vec<Entity> {
    let mut extractor = Extractor::default();
    extractor.add(text);
    extractor.finish()
}

/// References in a text: kind and canonical form.
fn check(text: &str, expected: &[(EntityKind, &str)]) {
    let mut expected: Vec<Entity> = expected
        .iter()
        .map(|(kind, canonical)| Entity::new(*kind, canonical))
        .collect();
    expected.sort_unstable();
    let found = entities(text).into_iter();
    let found: Vec<Entity> = found.filter(|one| one.kind().is_reference()).collect();
    assert_eq!(
        found.iter().map(|one| one.key()).collect::<Vec<_>>(),
        expected.iter().map(|one| one.key()).collect::<Vec<_>>(),
        "{text}: found {found:?}, expected {expected:?}"
    );
}

#[test]
fn references_are_found_in_text() {
    use EntityKind::{Arn, Email, Host, Iban, Identifier, Path, Url};
    check("mail Ops@Example.com, now.", &[(Email, "ops@example.com")]);
    check("<mailto:ops@example.com>", &[(Email, "ops@example.com")]);
    check(
        "see https://u:p@X.example:8443/a/b/?q=1#top!",
        &[(Host, "x.example"), (Url, "x.example/a/b/?q=1")],
    );
    check(
        "http://www.example.com/ and more",
        &[(Host, "www.example.com")],
    );
    check(
        "go to www.example.com/random.",
        &[(Host, "www.example.com"), (Url, "www.example.com/random")],
    );
    check(
        "arn:aws:s3:::bucket/key",
        &[(Arn, "arn:aws:s3:::bucket/key")],
    );
    check(
        "cat /etc/passwd ~/.ssh/id_ed25519",
        &[(Path, "/etc/passwd"), (Path, "~/.ssh/id_ed25519")],
    );
    check(
        "'bill-december-2023.txt'",
        &[(Path, "bill-december-2023.txt")],
    );
    check(r"C:\Users\ana.txt", &[(Path, r"C:\Users\ana.txt")]);
    check(
        "IBAN=DE89370400440532013000",
        &[(Iban, "DE89370400440532013000")],
    );
    check(
        "to DE89370400440532013001",
        &[(Identifier, "de89370400440532013001")],
    );
    check(
        "order A-1007 of db.example.com:5432",
        &[(Identifier, "a-1007"), (Host, "db.example.com")],
    );
    check("and/or e.g. 3.5 at 10:30, 2026-11-18T10:30:00Z", &[]);
}

#[test]
fn escapes_of_logs_and_json_part_words() {
    use EntityKind::{Email, Host};
    check(
        r"External_\n\nVisit www.example.org\n now",
        &[(Host, "www.example.org")],
    );
    check(r#"{\"to\":\"a@example.com\"}"#, &[(Email, "a@example.com")]);
}

#[test]
fn numbers_are_the_same_however_they_are_written() {
    assert_eq!(entities("100"), entities("100.00"));
    assert_eq!(entities("98.7"), entities("98.70"));
    assert_ne!(entities("98.7"), entities("98.07"));
    assert_ne!(entities("100"), entities("10"));
    assert_eq!(entities("2026-11-18"), entities("(2026-11-18)"));
}

#[test]
fn words_ignore_case_and_punctuation() {
    assert_eq!(
        entities("Riverside View, Hotel!"),
        entities("hotel riverside VIEW")
    );
    assert_ne!(entities("riverside"), entities("riverside view"));
    assert_eq!(entities("Äpfel"), entities("äpfel"));
}

#[test]
fn references_are_kept_where_there_is_no_room_for_all() {
    use std::fmt::Write as _;
    let mut flood = String::new();
    for number in 0..3 * ENTITIES_PER_TEXT_MAX {
        write!(flood, "{} ", 1_000_000 + number).unwrap();
    }
    flood.truncate(ENTITY_TEXT_BYTES_MAX - 100);
    flood.push_str(" evil@example.com");
    let found = entities(&flood);
    assert_eq!(found.len(), ENTITIES_PER_TEXT_MAX);
    assert!(found.contains(&Entity::new(EntityKind::Email, "evil@example.com")));
}

#[test]
fn nothing_is_looked_at_beyond_the_limit() {
    let mut text = "x ".repeat(ENTITY_TEXT_BYTES_MAX / 2);
    text.push_str("late@example.com");
    assert_eq!(entities(&text), []);
}

#[test]
fn the_hash_is_not_printed() {
    let entity = Entity::new(EntityKind::Iban, "DE89370400440532013000");
    assert_eq!(format!("{entity:?}"), "iban");
}

proptest! {
    #[test]
    fn any_text_gives_sorted_distinct_entities(text in "\\PC{0,400}") {
        let found = entities(&text);
        prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn hostile_punctuation_is_no_trouble(text in "[-./:@=\\\\?#%~+a-z0-9A-Z \"'\\[\\]{}<>]{0,300}") {
        let found = entities(&text);
        prop_assert!(found.len() <= text.len());
    }

    #[test]
    fn a_reference_is_the_same_wherever_it_stands(
        user in "[a-z]{1,8}", host in "[a-z]{2,8}", before in "[a-z ]{0,20}", after in "[a-z ]{0,20}",
    ) {
        let address = format!("{user}@{host}.example");
        let wanted = Entity::new(EntityKind::Email, &address);
        for text in [
            format!("{before} {address} {after}"),
            format!("{before}\"{}\",{after}", address.to_uppercase()),
            format!("{{'to': '{address}'}}"),
        ] {
            prop_assert!(entities(&text).contains(&wanted), "{}", text);
        }
    }
}
