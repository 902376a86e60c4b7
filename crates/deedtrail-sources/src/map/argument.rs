//! Tool arguments: names, hashes and kinds of entity. The text is never kept.

use deedtrail_core::event::{Provenance, ToolArgument};

use super::value;
use crate::record::{Node, View};

/// Most arguments kept of one call.
const ARGUMENTS_MAX: usize = 64;

/// The arguments in an object that was kept whole; other values are one argument without a name.
pub(super) fn arguments(view: View<'_>, node: Node) -> Vec<ToolArgument> {
    match node {
        Node::Absent | Node::Null => Vec::new(),
        Node::Members { .. } => view
            .members(node)
            .take(ARGUMENTS_MAX)
            .map(|(name, value)| argument(view, name, value))
            .collect(),
        other => vec![argument(view, "", other)],
    }
}

fn argument(view: View<'_>, name: &str, node: Node) -> ToolArgument {
    let mut text = String::new();
    write(view, node, &mut text);
    ToolArgument {
        name: value::column(name),
        provenance: Provenance::Unknown,
        value_hash: value::hash(text.as_bytes()),
        entities: entities(&text),
    }
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

/// Kinds of entity in a text: `email`, `url`, `arn`, `path`, `host`, `iban`.
fn entities(text: &str) -> Vec<deedtrail_core::Text> {
    let mut found = [false; 6];
    let separators = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '"' | '\'' | ',' | ';' | '(' | ')' | '<' | '>' | '{' | '}' | '[' | ']'
            )
    };
    for word in text.split(separators).filter(|word| word.len() > 3) {
        let word = word.trim_end_matches(['.', ':', '!', '?']);
        if let Some(kind) = kind_of(word) {
            found[kind] = true;
        }
    }
    let kinds = ["email", "url", "arn", "path", "host", "iban"];
    let given = kinds.iter().zip(found).filter(|(_, found)| *found);
    given.map(|(kind, _)| (*kind).into()).collect()
}

fn kind_of(word: &str) -> Option<usize> {
    if word.contains("://") {
        return Some(1);
    }
    if word.starts_with("arn:") {
        return Some(2);
    }
    if let Some((user, host)) = word.split_once('@') {
        return (!user.is_empty() && is_host(host)).then_some(0);
    }
    if word.starts_with('/')
        || word.starts_with("~/")
        || word.starts_with("./")
        || word.contains(":\\")
    {
        return Some(3);
    }
    if is_iban(word) {
        return Some(5);
    }
    is_host(word).then_some(4)
}

fn is_host(word: &str) -> bool {
    let Some((_, top)) = word.rsplit_once('.') else {
        return false;
    };
    let name = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic()) && word.split('.').all(name)
}

/// ISO 13616: two letters, two check digits, 11 to 30 more; the whole modulo 97 is 1.
fn is_iban(word: &str) -> bool {
    let bytes = word.as_bytes();
    let shaped = (15..=34).contains(&bytes.len())
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..4].iter().all(u8::is_ascii_digit)
        && bytes.iter().all(u8::is_ascii_alphanumeric);
    if !shaped {
        return false;
    }
    let turned = bytes[4..].iter().chain(&bytes[..4]);
    let remainder = turned.fold(0_u32, |sum, byte| match byte {
        b'0'..=b'9' => (sum * 10 + u32::from(byte - b'0')) % 97,
        letter => (sum * 100 + u32::from(letter.to_ascii_uppercase() - b'A') + 10) % 97,
    });
    remainder == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_in_a_text() {
        let check = |text: &str, kinds: &[&str]| assert_eq!(entities(text), kinds, "{text}");
        check("mail ops@example.com now", &["email"]);
        check("see https://x.example/y and /etc/passwd", &["url", "path"]);
        check("arn:aws:s3:::b", &["arn"]);
        check("DE89370400440532013000", &["iban"]);
        check("DE89370400440532013001 is wrong, db.example.com", &["host"]);
        check("delete 3 rows e.g. now", &[]);
    }
}
