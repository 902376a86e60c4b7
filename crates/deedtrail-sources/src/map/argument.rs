//! Tool arguments: names, hashes and what they name. The text is never kept.

use deedtrail_core::action::Action;
use deedtrail_core::entity::{EntityKind, Extractor, Mention, Place};
use deedtrail_core::event::{MappedEvent, Provenance, ToolArgument};

use super::{audience, value};
use crate::record::{Node, View};

/// Most arguments kept of one call.
pub(super) const ARGUMENTS_MAX: usize = 64;

/// Fills in the arguments in an object that was kept whole; any other value is one argument
/// without a name.
pub(super) fn fill(event: &mut MappedEvent, view: View<'_>, node: Node) {
    match node {
        Node::Absent | Node::Null => {}
        Node::Members { .. } => {
            let mut named = 0;
            for (name, value) in view.members(node).take(ARGUMENTS_MAX) {
                argument(event, view, name, value);
                if event.action == Action::NotifyPeople {
                    audience::note(event, view, name, value, &mut named);
                }
            }
            let named = Some(named).filter(|named| *named > 0);
            event.audience_count = event.audience_count.or(named);
        }
        other => argument(event, view, "", other),
    }
}

fn argument(event: &mut MappedEvent, view: View<'_>, name: &str, node: Node) {
    let mut text = String::new();
    write(view, node, &mut text);
    let mut extractor = Extractor::default();
    extractor.add(&text);
    let mention = Mention {
        place: Place::Argument,
        name: value::column(name),
        entities: extractor.finish(),
    };
    event.tool_arguments.push(ToolArgument {
        name: mention.name.clone(),
        provenance: Provenance::Unknown,
        value_hash: value::hash(text.as_bytes()),
        entities: kinds(&mention),
    });
    event.mentions.push(mention);
}

/// Writes a value in one canonical form: text as it is, containers as JSON without spaces.
fn write(view: View<'_>, node: Node, into: &mut String) {
    let quoted = |text: &str, into: &mut String| {
        into.push('"');
        into.push_str(text);
        into.push('"');
    };
    match node {
        Node::Absent | Node::Null => into.push_str("null"),
        Node::List { .. } => {
            into.push('[');
            for element in view.elements(node) {
                write(view, element, into);
                into.push(',');
            }
            into.push(']');
        }
        Node::Members { .. } => {
            into.push('{');
            for (key, value) in view.members(node) {
                quoted(key, into);
                into.push(':');
                write(view, value, into);
                into.push(',');
            }
            into.push('}');
        }
        Node::Text(_) => into.push_str(view.raw_text(node).unwrap_or_default()),
        scalar => into.push_str(view.text(scalar).unwrap_or_default()),
    }
}

/// Kinds of reference in a text; numbers and words are in almost every one.
fn kinds(mention: &Mention) -> Vec<deedtrail_core::Text> {
    let there = |kind: &EntityKind| mention.entities.iter().any(|one| one.kind() == *kind);
    let references = EntityKind::ALL
        .into_iter()
        .filter(|kind| kind.is_reference());
    references
        .filter(there)
        .map(|kind| kind.name().into())
        .collect()
}
