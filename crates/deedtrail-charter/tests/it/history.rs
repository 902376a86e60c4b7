//! Events to compare with charters.

use deedtrail_charter::library::{Fixture, events_of};
use serde_json::{Value, json};

/// One event of `who` at `minute`; `event` holds fields of the canonical event.
pub(crate) fn at(minute: i64, who: &str, session: Option<&str>, event: &Value) -> Value {
    json!({ "minute": minute, "who": who, "kind": "service_account", "session": session, "event": event })
}

pub(crate) fn history(lines: &[Value]) -> Vec<Fixture> {
    let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
    events_of("history", &text.join("\n")).unwrap()
}
