//! Where in a rule file a problem stands. The parser keeps no lines, so they are found again: by the
//! title of the rule, the part of it, and the keys that lead to what is wrong.

use std::ops::Range;

/// Parts of a rule that are prose: a word in them is hardly ever what a mistake is about.
const PROSE: &[&str] = &[
    "title",
    "description",
    "author",
    "references",
    "falsepositives",
    "related",
    "license",
];

/// Documents among which that of a rule is looked for: rules come in the order of the file.
const DOCUMENTS_AHEAD_MAX: usize = 100;

/// Where a document begins in a file of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    /// Bytes before it.
    offset: usize,
    lines_before: usize,
}

impl Document {
    /// The document with that title: `from`, or one of those soon after it; `from` when none has it.
    pub(super) fn titled(text: &str, title: &str, from: Self) -> Self {
        let first_line = title.lines().next().unwrap_or_default();
        let (mut document, mut at, mut seen) = (from, from, 0);
        for line in since(text, from.offset).split_inclusive('\n') {
            if line.starts_with("---") {
                document = at;
                seen += 1;
            }
            if opens(line.trim_start(), "title") && line.contains(first_line) {
                return document;
            }
            if seen > DOCUMENTS_AHEAD_MAX {
                break;
            }
            at.offset += line.len();
            at.lines_before += 1;
        }
        from
    }

    fn text(self, text: &str) -> &str {
        let rest = since(text, self.offset);
        rest.get(1..)
            .and_then(|after| after.find("\n---"))
            .map_or(rest, |end| until(rest, end + 2))
    }
}

/// What a problem is about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place<'p> {
    pub document: Document,
    /// Key at the top of the document, such as `detection`.
    pub part: &'p str,
    /// Keys below it, each within the one before; the last may be a value.
    pub path: &'p [&'p str],
}

/// The line it stands on, from 1: that of as much of the path as is found, else of the part, else of
/// the last of the path anywhere.
pub(super) fn line_of(text: &str, place: &Place<'_>) -> usize {
    let lines: Vec<&str> = place.document.text(text).lines().collect();
    let Some(part) = lines.iter().position(|line| opens(line, place.part)) else {
        return line_with(text, place.path.last().copied().unwrap_or_default());
    };
    let below = block(&lines, part, 0);
    let found = descend(&lines, below, place.path).map_or(part, |(_, line)| line);
    place.document.lines_before + found + 1
}

/// The line from 1 that has a word of which only the text is known, prose last; 1 when none has.
pub(super) fn line_with(text: &str, word: &str) -> usize {
    if word.is_empty() {
        return 1;
    }
    let mut is_prose = false;
    let mut in_prose = None;
    for (place, line) in text.lines().enumerate() {
        if line.starts_with(|first: char| first.is_alphanumeric()) {
            is_prose = PROSE.iter().any(|key| opens(line, key));
        }
        if tokens(line, word).next().is_some() {
            if !is_prose {
                return place + 1;
            }
            in_prose = in_prose.or(Some(place));
        }
    }
    let within = || text.lines().position(|line| line.contains(word));
    in_prose.or_else(within).map_or(1, |line| line + 1)
}

fn since(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

fn until(text: &str, at: usize) -> &str {
    text.get(..at).unwrap_or(text)
}

/// Whether a line opens the part of that name at the top of a document.
fn opens(line: &str, part: &str) -> bool {
    let after = line.trim_start_matches(['"', '\'']).strip_prefix(part);
    let is_key = |after: &str| after.trim_start_matches(['"', '\'']).starts_with(':');
    !part.is_empty() && after.is_some_and(is_key)
}

/// The lines of what a key in this column opens, its own first.
fn block(lines: &[&str], first: usize, column: usize) -> Range<usize> {
    let is_beyond = |line: &&str| {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let is_blank = trimmed.is_empty() || trimmed.starts_with('#');
        let is_item = trimmed.starts_with("- ") || trimmed == "-";
        !is_blank && (indent < column || (indent == column && !is_item))
    };
    let rest = lines[first..].iter().skip(1);
    let length = rest.take_while(|line| !is_beyond(line)).count();
    first..first + 1 + length
}

/// How much of the path is found in these lines, and the line of the last of it.
fn descend(lines: &[&str], within: Range<usize>, path: &[&str]) -> Option<(usize, usize)> {
    let (word, rest) = path.split_first()?;
    let mut best: Option<(usize, usize)> = None;
    for line in within.clone() {
        let text = lines[line];
        let Some(column) = key(text, word) else {
            continue;
        };
        let deep = follow(lines, (line, column), word, rest);
        if best.is_none_or(|best| deep.0 > best.0) {
            best = Some(deep);
        }
        if deep.0 == path.len() {
            return best;
        }
    }
    let as_value = || {
        let mut lines_within = within.clone();
        lines_within.find(|line| tokens(lines[*line], word).next().is_some())
    };
    best.or_else(|| Some((1, as_value()?)))
}

/// As [`descend`], below the key that stands in a line at a column.
fn follow(
    lines: &[&str],
    (line, column): (usize, usize),
    key: &str,
    rest: &[&str],
) -> (usize, usize) {
    let Some(next) = rest.first() else {
        return (1, line);
    };
    let inner = block(lines, line, column);
    let after = since(lines[line], column + key.len());
    if tokens(after, next).next().is_some() {
        return (1 + rest.len(), line);
    }
    match descend(lines, inner.start + 1..inner.end, rest) {
        Some((depth, line)) => (1 + depth, line),
        None => (1, line),
    }
}

/// The column at which a key of that name stands: at the beginning of a line, or in brackets.
fn key(line: &str, name: &str) -> Option<usize> {
    tokens(line, name).find(|at| {
        let before = until(line, *at).trim_end_matches(['"', '\'']).trim_end();
        let after = since(line, at + name.len()).trim_start_matches(['"', '\'']);
        let begins = before.trim_start_matches(['-', ' ']).is_empty();
        (begins || before.ends_with(['{', ','])) && after.starts_with([':', '|', '['])
    })
}

/// Where in a line a word stands by itself; comments hold none.
fn tokens(line: &str, word: &str) -> impl Iterator<Item = usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let is_comment = line.trim_start().starts_with('#');
    let places = line.match_indices(word).filter(move |(at, _)| {
        let joined = |outer: Option<char>, inner: Option<char>| {
            outer.is_some_and(is_part) && inner.is_some_and(is_part)
        };
        let before = joined(until(line, *at).chars().next_back(), word.chars().next());
        let after = since(line, at + word.len()).chars().next();
        !is_comment && !before && !joined(after, word.chars().next_back())
    });
    places.map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "\
# outcome: sucess
title: The outcome sucess of other
description: sucess and hour_of_day 25
logsource:
  product: deedtrail
detection:
  other:
    outcome: denied
  # outcome: sucess
  selection:
    - outcome:
        - success
        - sucess
      hour_of_day|gt: 3
    - 'hour_of_day|lt': 25
  flow: {outcome: sucess}
  condition: selection
---
title: The second
detection:
  selection:
    outcome:
    - success
    - sucess
    action: read
  condition: selection
";

    fn check(title: &str, part: &str, path: &[&str], expected: usize) {
        let document = Document::titled(TWO, title, Document::default());
        let place = Place {
            document,
            part,
            path,
        };
        assert_eq!(line_of(TWO, &place), expected, "{title}: {place:?}");
    }

    #[test]
    fn a_path_is_followed_key_by_key() {
        let first = "The outcome sucess of other";
        check(first, "detection", &["selection", "outcome", "sucess"], 13);
        check(first, "detection", &["selection", "hour_of_day", "25"], 15);
        check(first, "detection", &["selection", "hour_of_day", "3"], 14);
        check(first, "detection", &["flow", "outcome", "sucess"], 16);
        check(first, "detection", &["other", "outcome", "denied"], 8);
        check(first, "detection", &["outcome"], 8);
        check(first, "logsource", &["product", "deedtrail"], 5);
        let second = "The second";
        check(second, "detection", &["selection", "outcome", "sucess"], 24);
        check(second, "detection", &["action"], 25);
        check(second, "title", &[], 19);
    }

    #[test]
    fn as_much_as_is_found_is_told() {
        check(
            "The second",
            "detection",
            &["selection", "outcome", "no"],
            22,
        );
        check("The second", "detection", &["nothing"], 20);
        check("The second", "deedtrail", &[], 1);
        check("The second", "deedtrail", &["action"], 25);
        check("No title", "detection", &["flow"], 16);
        check("", "", &[], 1);
    }

    #[test]
    fn the_next_document_of_a_title_is_found() {
        let text = "title: T\nlevel: low\n---\ntitle: T\nlevel: high\n";
        let first = Document::titled(text, "T", Document::default());
        assert_eq!(first, Document::default());
        assert_eq!(first.text(text), "title: T\nlevel: low\n");
        let same = Document::titled(text, "T", first);
        assert_eq!(same, first, "of two with one title the first");
    }

    #[test]
    fn a_word_alone_is_looked_for_outside_of_prose_first() {
        assert_eq!(line_with(TWO, "sucess"), 13);
        assert_eq!(line_with(TWO, "of other"), 2);
        assert_eq!(
            line_with(TWO, "ucess"),
            1,
            "a part of a word, wherever it is first"
        );
        assert_eq!(line_with(TWO, "nowhere"), 1);
        assert_eq!(line_with(TWO, ""), 1);
    }

    #[test]
    fn any_text_has_lines() {
        let words = [
            "title: T",
            "T\n",
            "---",
            " ",
            "-",
            "detection:",
            "\n",
            "a",
            ":",
            "'é",
            "{",
        ];
        let texts = words.iter().flat_map(|a| words.map(|b| format!("{a}{b}")));
        for text in texts.clone().flat_map(|a| words.map(|b| format!("{b}{a}"))) {
            let lines = text.lines().count().max(1);
            for path in [&["a"][..], &["a", "é"], &["é", "a"]] {
                let document = Document::titled(&text, "T", Document::default());
                let part = "detection";
                let line = line_of(
                    &text,
                    &Place {
                        document,
                        part,
                        path,
                    },
                );
                assert!((1..=lines).contains(&line), "{text:?}: {line}");
            }
        }
    }
}
