//! What audit entries say, for the page of a bundle.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use deedtrail_core::port::log::NewEntry;
use deedtrail_core::time::Timestamp;
use serde::Deserialize;

use super::report::escaped;

/// What an audit entry says somebody did.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    at: Timestamp,
    /// Empty where an entry of an earlier version does not say it apart.
    who: String,
    what: String,
    on: String,
}

/// The part of the second part of an audit entry that the page shows.
#[derive(Deserialize)]
struct Written {
    by: String,
}

impl Deed {
    pub(super) fn read(entry: &NewEntry) -> Self {
        let mut parts = entry.parts.iter();
        // `WHO WHAT: ON`, the text for people.
        let said = parts.next().map_or(&[][..], |part| &part.bytes);
        let said = String::from_utf8_lossy(said).into_owned();
        let written = parts.next().map(|part| serde_json::from_slice(&part.bytes));
        let who = written
            .and_then(Result::ok)
            .map(|written: Written| written.by);
        let on = who.as_ref().and_then(|who| {
            let rest = said.strip_prefix(who.as_str())?.strip_prefix(' ')?;
            rest.strip_prefix(entry.note.as_str())?.strip_prefix(": ")
        });
        let on = on.map(str::to_owned);
        Self {
            at: entry.received,
            who: who.filter(|_| on.is_some()).unwrap_or_default(),
            what: entry.note.to_string(),
            on: on.unwrap_or(said),
        }
    }
}

/// A table of them, in the order of the log; nothing where there are none.
pub(super) fn table(deeds: &[Deed], names: &BTreeMap<String, String>) -> String {
    if deeds.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for Deed { at, who, what, on } in deeds {
        let called = match names.get(who) {
            Some(name) => format!("{} ({})", escaped(name), escaped(who)),
            None => escaped(who),
        };
        let (what, on) = (escaped(what), escaped(on));
        // Writing to a String cannot fail.
        writeln!(
            rows,
            "<tr><td>{at}</td><td>{called}</td><td>{what}</td><td>{on}</td></tr>"
        )
        .unwrap_or_default();
    }
    format!(
        "<h2>Who looked, decided, revealed or exported</h2>\n<table><thead><tr><th>Time</th>\
         <th>Who</th><th>Did</th><th>To what</th></tr></thead>\n<tbody>\n{rows}</tbody></table>\n"
    )
}
