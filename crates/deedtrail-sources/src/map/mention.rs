//! What a session heard of: what the user's request and the tools' outputs name. No text is kept.

use deedtrail_core::entity::{Extractor, Mention};
use deedtrail_core::event::MappedEvent;
use deedtrail_core::limits::ENTITIES_PER_RECORD_MAX;

use super::event::text;
use super::read::Reader;
use crate::mapping::plan::MentionPlan;
use crate::record::{Node, View};

/// Fills in what one rule of the mapping finds.
pub(super) fn fill<'a>(event: &mut MappedEvent, reader: &Reader<'a>, plan: &'a MentionPlan) {
    let node = reader.whole(&plan.from);
    let mut extractor = Extractor::default();
    match plan.role.as_deref() {
        None => texts(reader.view, node, &mut extractor),
        Some(role) => messages(reader.view, node, role, &mut extractor),
    }
    if !extractor.is_empty() {
        event.mentions.push(Mention {
            place: plan.place,
            name: text(reader, plan.name.as_ref()).unwrap_or_default(),
            entities: extractor.finish(),
        });
    }
}

/// Takes the mentions of an event away when those of its record hold too much; `entities` counts them.
pub(super) fn limit(event: &mut MappedEvent, entities: &mut usize) {
    let held = event.mentions.iter().map(|one| one.entities.len());
    *entities += held.sum::<usize>();
    if *entities > ENTITIES_PER_RECORD_MAX {
        event.mentions = Vec::new();
    }
}

/// Every text and number within a value, without the keys.
fn texts(view: View<'_>, node: Node, into: &mut Extractor) {
    match node {
        Node::List { .. } => view.elements(node).for_each(|one| texts(view, one, into)),
        Node::Members { .. } => view
            .members(node)
            .for_each(|(_, one)| texts(view, one, into)),
        Node::Text(_) => into.add(view.raw_text(node).unwrap_or_default()),
        _ => {}
    }
}

/// The texts of a role in a list of chat messages: `{"role": …, "parts" | "content": …}`, each also
/// within `{"message": …}`. What a tool answered counts for the role `tool` whoever hands it on.
fn messages(view: View<'_>, node: Node, role: &str, into: &mut Extractor) {
    for message in view.elements(node) {
        let message = member(view, message, "message").unwrap_or(message);
        let speaker = member(view, message, "role").and_then(|node| view.text(node));
        let is_tool = role == "tool";
        for (key, value) in view.members(message) {
            if !matches!(key, "parts" | "content") {
                continue;
            }
            for part in view.elements(value) {
                let kind = member(view, part, "type").and_then(|node| view.text(node));
                let kind = kind.unwrap_or_default();
                let of_tool = kind.starts_with("tool");
                let answer = of_tool && (kind.contains("result") || kind.contains("response"));
                let wanted = if speaker == Some(role) {
                    is_tool || !of_tool
                } else {
                    is_tool && answer
                };
                if wanted {
                    texts(view, part, into);
                }
            }
        }
    }
}

fn member(view: View<'_>, node: Node, name: &str) -> Option<Node> {
    let mut members = view.members(node);
    members.find(|(key, _)| *key == name).map(|(_, node)| node)
}
