//! How deep a rule file nests, before it is parsed: parsers go down one call for each level, and the
//! stack of a thread has an end.

use crate::limits::RULE_DEPTH_MAX;

/// The line, from 1, on which a text nests deeper than [`RULE_DEPTH_MAX`].
///
/// A level is an open bracket of any kind, and each of the words `not` and the signs `-` and `?` that
/// stand one after the other. A bracket after a backslash is none. An over-estimate: brackets of prose
/// that are never closed count too.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let mut open: usize = 0;
    for (number, line) in text.lines().enumerate() {
        let mut before = ' ';
        for sign in line.chars() {
            match sign {
                _ if before == '\\' => {}
                '(' | '[' | '{' => open += 1,
                ')' | ']' | '}' => open = open.saturating_sub(1),
                _ => {}
            }
            before = if before == '\\' { ' ' } else { sign };
            if open > RULE_DEPTH_MAX {
                return Some(number + 1);
            }
        }
    }
    let mut in_a_row = 0;
    for (number, line) in text.lines().enumerate() {
        for word in line.split_whitespace() {
            let word = word.trim_matches(['(', ')', '"', '\'']);
            let opens =
                word.is_empty() || word == "-" || word == "?" || word.eq_ignore_ascii_case("not");
            in_a_row = if opens { in_a_row + 1 } else { 0 };
            if in_a_row > RULE_DEPTH_MAX {
                return Some(number + 1);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_too_deep_is_found_where_it_does() {
        for deep in [
            "not ", "(", "[", "{a: ", "- ", "? ", "not (", "(not ", "NOT\n",
        ] {
            let text = format!("title: T\ndetection:\n  condition: {}s", deep.repeat(8_000));
            assert!(too_deep(&text).is_some(), "{deep}");
        }
    }

    #[test]
    fn what_rules_say_is_not_too_deep() {
        for flat in [
            "not a and not b or ".repeat(500),
            "(a) [b] {c} ".repeat(500),
            r"\(\[".repeat(500),
            "  - a\n".repeat(500),
            "-\n  a\n".repeat(500),
        ] {
            assert_eq!(too_deep(&flat), None, "{flat}");
        }
    }
}
