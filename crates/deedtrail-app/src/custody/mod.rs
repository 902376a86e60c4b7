//! Audit entries: what one says, and what it is about.
//!
//! An entry has two parts: the text for people, `WHO WHAT: ON`, and what it is about in JSON. Names
//! and notes stand in the text alone, so that nobody's words decide what an entry is found under.
//! Entries of earlier versions have the text only; what these wrote there is known.

mod due;
mod selection;
mod view;

use std::borrow::Cow;

use deedtrail_core::Text;
use deedtrail_core::custody::{Act, CustodyEntry, Subject, SubjectKind};
use deedtrail_core::id::TenantId;
use deedtrail_core::port::log::{EntryKind, NewEntry, Part, PartClass, StoredEntry};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access::Principal;

pub(crate) use due::derive_due;
pub(crate) use selection::Whose;
pub use selection::{CUSTODY_MAX, VIEWS_MAX};
pub use view::{VIEW_AGAIN_US, VIEWS_PER_HOUR_MAX, VIEWS_WAITING_MAX, Views};

/// Most things one audit entry is about.
pub(crate) const SUBJECTS_MAX: usize = 16;
/// Digits of an id.
const ID_DIGITS: usize = 32;

/// Something that one of our principals does.
#[derive(Clone, Debug)]
pub(crate) struct Deed<'a> {
    pub(crate) act: Act,
    /// Note of the entry.
    pub(crate) what: &'a str,
    /// In words: what it is done to, and why.
    pub(crate) on: &'a str,
    /// At most [`SUBJECTS_MAX`]; further ones are not found by it.
    pub(crate) about: &'a [Subject],
}

/// Second part of an audit entry.
#[derive(Debug, Serialize, Deserialize)]
struct Written<'a> {
    act: Text,
    by: Text,
    /// Kind and id.
    #[serde(borrow)]
    about: Vec<(Cow<'a, str>, Text)>,
}

/// The entry of a deed.
pub(crate) fn entry(principal: &Principal, deed: &Deed<'_>, now: Timestamp) -> NewEntry {
    entry_by((&principal.tenant, &principal.name), deed, now)
}

/// The same of something that no principal does.
pub(crate) fn entry_by(
    (tenant, who): (&TenantId, &Text),
    deed: &Deed<'_>,
    now: Timestamp,
) -> NewEntry {
    let Deed { what, on, .. } = deed;
    let text = format!("{who} {what}: {on}");
    let about = deed.about.iter().take(SUBJECTS_MAX);
    let about = about.map(|one| (one.kind.name().into(), one.id.clone()));
    let written = Written {
        act: Text::new_static(deed.act.name()),
        by: who.clone(),
        about: about.collect(),
    };
    // On a line of its own for who reads the whole record.
    let about = format!("\n{}", serde_json::json!(written));
    let part = |text: String| Part {
        class: PartClass::Plain,
        key_id: 0,
        bytes: text.into_bytes(),
    };
    NewEntry {
        kind: EntryKind::Audit,
        tenant: tenant.clone(),
        source: None,
        received: now,
        idempotency_key: None,
        note: (*what).into(),
        parts: vec![part(text), part(about)],
    }
}

/// What an audit entry is about: one row for each thing.
pub(crate) fn of_entry(entry: &StoredEntry) -> Vec<CustodyEntry> {
    let found = match entry.entry.parts.as_slice() {
        [_, about] => written(&about.bytes),
        [text] => worded(&entry.entry.note, &String::from_utf8_lossy(&text.bytes)),
        _ => None,
    };
    let Some((act, who, mut about)) = found else {
        return Vec::new();
    };
    about.truncate(SUBJECTS_MAX);
    let rows = about.into_iter().map(|subject| CustodyEntry {
        tenant: entry.entry.tenant.clone(),
        subject,
        act,
        sequence: entry.sequence,
        who: who.clone(),
        at: entry.entry.received,
    });
    rows.collect()
}

type Found = (Act, Text, Vec<Subject>);

/// Of an entry that says it in a part of its own. What a later version may name is left out.
fn written(part: &[u8]) -> Option<Found> {
    let written: Written<'_> = serde_json::from_slice(part).ok()?;
    let about = written.about.into_iter().filter_map(|(kind, id)| {
        let kind = SubjectKind::from_name(&kind)?;
        Some(Subject { kind, id })
    });
    let act = Act::from_name(&written.act).unwrap_or(Act::Other);
    Some((act, written.by, about.collect()))
}

/// Of an entry that has its text alone, by the form that its note goes with.
fn worded(note: &str, text: &str) -> Option<Found> {
    // `WHO WHAT: ON`, and neither of the first two has a colon with a space.
    let (head, on) = text.split_once(": ")?;
    let who = head.strip_suffix(note)?.strip_suffix(' ')?;
    let first = on.split(' ').next().unwrap_or_default();
    let (act, subject) = match note {
        "finding decided" => (Act::Decision, id(SubjectKind::Finding, first)?),
        "secrets revealed" => (Act::Reveal, id(SubjectKind::Event, on)?),
        "person revealed" => (Act::Reveal, Subject::new(SubjectKind::Person, first)),
        "evidence exported" | "evidence exported with secrets" => (Act::Export, exported(on)?),
        "token created" | "token revoked" => (Act::Other, Subject::new(SubjectKind::Token, on)),
        "sign-in link made" => {
            let (user, _) = on.rsplit_once(" (")?;
            (Act::Other, Subject::new(SubjectKind::User, user))
        }
        "signed in" => (Act::Other, Subject::new(SubjectKind::User, who)),
        _ => return None,
    };
    Some((act, who.into(), vec![subject]))
}

/// `Finding ID: TITLE` or `Identity NAME (ID)`; the name may be anything, also ids.
fn exported(title: &str) -> Option<Subject> {
    if let Some(rest) = title.strip_prefix("Finding ") {
        return id(SubjectKind::Finding, rest.split_once(": ")?.0);
    }
    let rest = title.strip_prefix("Identity ")?.strip_suffix(')')?;
    id(SubjectKind::Identity, rest.rsplit_once(" (")?.1)
}

fn id(kind: SubjectKind, text: &str) -> Option<Subject> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_id = text.len() == ID_DIGITS && text.bytes().all(is_digit);
    is_id.then(|| Subject::new(kind, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0123456789abcdef0123456789abcdef";
    const B: &str = "fedcba9876543210fedcba9876543210";

    fn stored(note: &str, parts: &[&str]) -> StoredEntry {
        let part = |text: &&str| Part {
            class: PartClass::Plain,
            key_id: 0,
            bytes: text.as_bytes().to_vec(),
        };
        StoredEntry {
            sequence: 7,
            entry: NewEntry {
                kind: EntryKind::Audit,
                tenant: TenantId::default(),
                source: None,
                received: Timestamp::from_micros(1),
                idempotency_key: None,
                note: note.into(),
                parts: parts.iter().map(part).collect(),
            },
            id_conflict: false,
            revision: 0,
        }
    }

    /// What an entry is found under: `ACT by WHO about KIND ID`.
    fn check(note: &str, parts: &[&str], expected: &[&str]) {
        let found = of_entry(&stored(note, parts));
        assert!(found.iter().all(|one| one.sequence == 7));
        let found: Vec<String> = found
            .iter()
            .map(|one| {
                let Subject { kind, id } = &one.subject;
                let (act, who) = (one.act.name(), &one.who);
                format!("{act} by {who} about {} {id}", kind.name())
            })
            .collect();
        assert_eq!(found, expected, "{parts:?}");
    }

    #[test]
    fn what_is_written_is_found_whatever_the_words_are() {
        let ana = Principal {
            name: "ana".into(),
            ..Principal::local()
        };
        let about = [
            Subject::new(SubjectKind::Finding, A),
            Subject::new(SubjectKind::Event, B),
        ];
        let deed = Deed {
            act: Act::Decision,
            what: "finding decided",
            on: &format!("{B} {B} {B}: \n{{\"act\":\"view\",\"by\":\"x\",\"about\":[]}}"),
            about: &about,
        };
        let new = entry(&ana, &deed, Timestamp::from_micros(1));
        let of = StoredEntry {
            entry: new,
            ..stored("", &[])
        };
        let found = of_entry(&of);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].act, found[0].who.as_str()),
            (Act::Decision, "ana")
        );
        assert_eq!(
            [&found[0].subject, &found[1].subject],
            [&about[0], &about[1]]
        );
        let text = of.bytes().into_owned();
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.starts_with(&format!("ana finding decided: {B}")),
            "{text}"
        );
        assert!(
            text.ends_with(&format!(
                "\n{{\"about\":[[\"finding\",\"{A}\"],[\"event\",\"{B}\"]],\"act\":\"decision\",\"by\":\"ana\"}}"
            )),
            "{text}"
        );
    }

    #[test]
    fn what_a_later_version_names_is_left_out() {
        let about = |act: &str, kind: &str| {
            format!(
                r#"{{"act":"{act}","by":"bo","about":[["{kind}","{A}"],["event","{B}"]],"x":1}}"#
            )
        };
        let later = about("dance", "rule");
        check(
            "w",
            &["bo w: x", &later],
            &[&format!("other by bo about event {B}")],
        );
        check("w", &["bo w: x", "{"], &[]);
        check("w", &["bo w: x", &later, "y"], &[]);
        check("w", &[], &[]);
        let many: Vec<String> = (0..20)
            .map(|n| format!(r#"["event","{n:032x}"]"#))
            .collect();
        let many = format!(r#"{{"act":"view","by":"bo","about":[{}]}}"#, many.join(","));
        assert_eq!(of_entry(&stored("w", &["", &many])).len(), SUBJECTS_MAX);
    }

    #[test]
    fn entries_of_text_alone_are_understood_by_their_form() {
        check(
            "finding decided",
            &[&format!("ana finding decided: {A} Closed, benign: as {B}")],
            &[&format!("decision by ana about finding {A}")],
        );
        check(
            "evidence exported",
            &[&format!(
                "token:dt_1 evidence exported: Finding {A}: {B} (x)"
            )],
            &[&format!("export by token:dt_1 about finding {A}")],
        );
        let hostile = format!("{B} {B} {B} {B} ({B}");
        check(
            "evidence exported with secrets",
            &[&format!(
                "ana o evidence exported with secrets: Identity {hostile} ({A})"
            )],
            &[&format!("export by ana o about identity {A}")],
        );
        check(
            "secrets revealed",
            &[&format!("local secrets revealed: {A}")],
            &[&format!("reveal by local about event {A}")],
        );
        // It leads to nobody: who holds a bundle about somebody must not learn of it.
        check(
            "person revealed",
            &[&format!("ana person revealed: person-0 is {A}: case 7")],
            &["reveal by ana about person person-0"],
        );
        check(
            "sign-in link made",
            &["local sign-in link made: ana (x) (read)"],
            &["other by local about user ana (x)"],
        );
        check(
            "signed in",
            &["ana signed in: one-time link"],
            &["other by ana about user ana"],
        );
        check(
            "token created",
            &["local token created: dt_1"],
            &["other by local about token dt_1"],
        );
        check(
            "quarantine replayed",
            &[&format!("ana quarantine replayed: {A}")],
            &[],
        );
        check(
            "finding decided",
            &[&format!("ana finding decided: {A}0 Open")],
            &[],
        );
        check(
            "finding decided",
            &[&format!("ana evidence exported: {A} Open")],
            &[],
        );
        check("finding decided", &[A], &[]);
    }
}
