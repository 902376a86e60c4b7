//! Whom a tool wrote to, as far as the names of its arguments say so.
//!
//! Published in docs/reference/mapping-format.md: change both.

use deedtrail_core::Text;
use deedtrail_core::event::MappedEvent;

use super::value;
use crate::record::{Node, View};

/// How many people it went to.
const COUNTS: [&str; 5] = [
    "recipient_count",
    "recipients_count",
    "recipients_total",
    "audience_count",
    "audience_size",
];
/// The people by name: one, or a list of them.
const PEOPLE: [&str; 4] = ["recipients", "to", "cc", "bcc"];
/// A list of people that is kept elsewhere.
const LISTS: [&str; 9] = [
    "list",
    "list_id",
    "mailing_list",
    "segment",
    "segment_id",
    "audience",
    "audience_id",
    "channel",
    "channel_id",
];
const APPROVERS: [&str; 2] = ["approved_by", "approver"];
/// Longest name of an approver, bytes; a longer one names nobody.
const APPROVER_BYTES_MAX: usize = 120;

/// Notes what one argument says of the audience; what the mapping says of it stays.
pub(super) fn note(
    event: &mut MappedEvent,
    view: View<'_>,
    name: &str,
    node: Node,
    named: &mut i64,
) {
    let text = view.text(node);
    if COUNTS.contains(&name) {
        event.audience_count = event.audience_count.or_else(|| value::count(text?));
    } else if PEOPLE.contains(&name) {
        let people = match node {
            Node::List { .. } => view.elements(node).count(),
            _ => text.map_or(0, |text| text.matches('@').count()),
        };
        *named = named.saturating_add(i64::try_from(people).unwrap_or(i64::MAX));
    } else if APPROVERS.contains(&name) {
        let approver = text.filter(|text| text.len() <= APPROVER_BYTES_MAX);
        event.approver = event
            .approver
            .take()
            .or_else(|| approver.map(value::column));
    } else if LISTS.contains(&name)
        && let Some(text) = text
    {
        let list = value::hash(text.as_bytes());
        event.labels.insert(Text::new_static("audience_list"), list);
    }
}
