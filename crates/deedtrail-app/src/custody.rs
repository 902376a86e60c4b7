//! What an audit entry speaks of.

use deedtrail_core::Text;
use deedtrail_core::port::log::StoredEntry;
use deedtrail_core::port::store::CustodyEntry;

/// Most things one audit entry speaks of; further ids in it are not looked at.
const SUBJECTS_MAX: usize = 4;
/// Digits of an id.
const ID_DIGITS: usize = 32;

/// The ids that an audit entry names, each once.
pub(crate) fn of_entry(entry: &StoredEntry) -> Vec<CustodyEntry> {
    let bytes = entry.bytes();
    let text = String::from_utf8_lossy(&bytes);
    // `WHO WHAT: ON`, and neither of the first two has a colon with a space.
    let Some((_, on)) = text.split_once(": ") else {
        return Vec::new();
    };
    let is_id = |word: &&str| {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        word.len() == ID_DIGITS && word.bytes().all(is_digit)
    };
    let mut named: Vec<&str> = Vec::new();
    let words = on.split(|c: char| !c.is_ascii_alphanumeric());
    for word in words.filter(is_id) {
        if named.len() < SUBJECTS_MAX && !named.contains(&word) {
            named.push(word);
        }
    }
    let entries = named.into_iter().map(|subject| CustodyEntry {
        tenant: entry.entry.tenant.clone(),
        subject: Text::new(subject),
        sequence: entry.sequence,
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use deedtrail_core::id::TenantId;
    use deedtrail_core::port::log::{EntryKind, NewEntry, Part, PartClass};
    use deedtrail_core::time::Timestamp;

    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let entry = StoredEntry {
            sequence: 7,
            entry: NewEntry {
                kind: EntryKind::Audit,
                tenant: TenantId::default(),
                source: None,
                received: Timestamp::from_micros(1),
                idempotency_key: None,
                note: Text::default(),
                parts: vec![Part {
                    class: PartClass::Plain,
                    key_id: 0,
                    bytes: text.as_bytes().to_vec(),
                }],
            },
            id_conflict: false,
            revision: 0,
        };
        let found = of_entry(&entry);
        assert!(found.iter().all(|one| one.sequence == 7));
        let found: Vec<&str> = found.iter().map(|one| one.subject.as_str()).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn an_entry_speaks_of_the_ids_it_names() {
        let [a, b] = ["0123456789abcdef".repeat(2), "fedcba9876543210".repeat(2)];
        check(&format!("ana finding decided: {a} Closed, benign"), &[&a]);
        check(
            &format!("token:dt_1 evidence exported: Finding {a}: New"),
            &[&a],
        );
        check(&format!("local evidence exported: Identity b ({b})"), &[&b]);
        check(
            &format!("ana finding decided: {a} Open: as {b}, {a}"),
            &[&a, &b],
        );
        check(
            &format!("ana finding decided: {a}0 {}", a.to_uppercase()),
            &[],
        );
        check(&a, &[]);
        check("", &[]);
        let many: Vec<String> = (0..9).map(|n| format!("{n:032x}")).collect();
        let four: Vec<&str> = many.iter().take(4).map(String::as_str).collect();
        check(&format!("x: {}", many.join(" ")), &four);
    }
}
