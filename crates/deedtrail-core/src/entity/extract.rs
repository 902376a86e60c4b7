//! Finds the entities of a text in one pass.

use super::{Entity, EntityKind};
use crate::limits::{ENTITIES_PER_TEXT_MAX, ENTITY_BYTES_MAX, ENTITY_TEXT_BYTES_MAX};

/// Endings of names that are files rather than hosts. Endings that are also top-level domains of
/// use (`md`, `sh`, `zip`) are left out: a host is the graver reading.
const FILE_ENDINGS: [&str; 32] = [
    "bak", "bin", "cfg", "conf", "css", "csv", "doc", "docx", "dll", "env", "exe", "gif", "gz",
    "htm", "html", "ini", "java", "jpeg", "jpg", "js", "json", "log", "parquet", "pdf", "png",
    "pptx", "sql", "toml", "txt", "xlsx", "xml", "yaml",
];

/// Shortest word of free text, characters.
const WORD_CHARACTERS_MIN: usize = 2;
/// Shortest identifier, bytes.
const IDENTIFIER_BYTES_MIN: usize = 5;

/// Collects the distinct entities of one or several texts, within limits.
#[derive(Debug, Default)]
pub struct Extractor {
    found: Vec<Entity>,
    bytes: usize,
}

impl Extractor {
    /// Adds the entities of a text. Beyond [`ENTITY_TEXT_BYTES_MAX`] of all texts together nothing
    /// is looked at.
    pub fn add(&mut self, text: &str) {
        let left = ENTITY_TEXT_BYTES_MAX.saturating_sub(self.bytes);
        let end = text.floor_char_boundary(left);
        let text = text.get(..end).unwrap_or_default();
        self.bytes += text.len().max(1);
        let words = Words { rest: text };
        for word in words {
            let word = word.trim_matches(|c: char| c.is_ascii_punctuation() && !is_opening(c));
            let word = word.trim_end_matches(|c: char| c.is_ascii_punctuation());
            if !word.is_empty() {
                self.word(word);
            }
        }
    }

    /// The entities, distinct and sorted: references before numbers and words where the limit
    /// [`ENTITIES_PER_TEXT_MAX`] does not leave room for all.
    pub fn finish(mut self) -> Vec<Entity> {
        self.found.sort_unstable();
        self.found.dedup();
        if self.found.len() > ENTITIES_PER_TEXT_MAX {
            self.found.sort_by_key(|one| !one.kind().is_reference());
            self.found.truncate(ENTITIES_PER_TEXT_MAX);
            self.found.sort_unstable();
        }
        self.found
    }

    /// Whether nothing was found so far.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// One piece of text without white space and quotes.
    fn word(&mut self, word: &str) {
        if word.len() > ENTITY_BYTES_MAX {
            return self.found.push(Entity::new(EntityKind::Identifier, word));
        }
        if let Some((_, rest)) = word.split_once("://") {
            return self.url(rest);
        }
        if word.starts_with("arn:") {
            return self.found.push(Entity::new(EntityKind::Arn, word));
        }
        if is_number(word) {
            return self.number(word);
        }
        if is_absolute_path(word) {
            return self.found.push(Entity::new(EntityKind::Path, word));
        }
        for part in word.split(['=', ':', '\\']) {
            self.part(part.trim_matches(|c: char| c.is_ascii_punctuation()));
        }
    }

    /// A piece without `=` and `:`.
    fn part(&mut self, part: &str) {
        if let Some((user, host)) = part.split_once('@')
            && !user.is_empty()
            && is_host(host)
        {
            return self.push_lower(EntityKind::Email, part);
        }
        let head = part.split('/').next().unwrap_or_default();
        if is_file(part) {
            self.found.push(Entity::new(EntityKind::Path, part));
        } else if is_host(head) {
            self.url(part);
        } else if part.bytes().filter(|byte| *byte == b'/').count() > 1 {
            self.found.push(Entity::new(EntityKind::Path, part));
        } else if is_number(part) {
            self.number(part);
        } else if is_iban(part) {
            self.found.push(Entity::new(EntityKind::Iban, part));
        } else if is_identifier(part) {
            self.push_lower(EntityKind::Identifier, part);
        } else {
            self.free_text(part);
        }
    }

    /// What follows a scheme, or what begins with a host.
    fn url(&mut self, rest: &str) {
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let host = authority.rsplit('@').next().unwrap_or_default();
        let host = match host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => host,
        };
        let host = host.trim_end_matches('.').to_lowercase();
        if host.is_empty() {
            return;
        }
        self.found.push(Entity::new(EntityKind::Host, &host));
        let path = path.trim_end_matches('/');
        if !path.is_empty() {
            let whole = format!("{host}{path}");
            self.found.push(Entity::new(EntityKind::Url, &whole));
        }
    }

    /// `100`, `100.0` and `100.00` are the same; a date or time is what is written.
    fn number(&mut self, text: &str) {
        let text = text.trim_end_matches('%');
        let whole = match text.split_once('.') {
            Some((whole, rest)) if rest.bytes().all(|byte| byte == b'0') => whole,
            Some(_) => text.trim_end_matches('0'),
            None => text,
        };
        self.found.push(Entity::new(EntityKind::Number, whole));
    }

    fn free_text(&mut self, part: &str) {
        for word in part.split(|c: char| !c.is_alphanumeric()) {
            if word.chars().nth(WORD_CHARACTERS_MIN - 1).is_some() {
                self.push_lower(EntityKind::Word, word);
            }
        }
    }

    fn push_lower(&mut self, kind: EntityKind, text: &str) {
        let usual = text
            .bytes()
            .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
        self.found.push(if usual {
            Entity::new(kind, text)
        } else {
            Entity::new(kind, &text.to_lowercase())
        });
    }
}

/// The pieces of a text between white space, quotes and brackets. A backslash before `n`, `r`, `t`
/// or a quote is one too: JSON in a text, or text as a log shows it.
struct Words<'t> {
    rest: &'t str,
}

impl<'t> Iterator for Words<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let (end, skip) = boundary(self.rest);
            let word = self.rest.get(..end).unwrap_or_default();
            self.rest = self.rest.get(end + skip..).unwrap_or_default();
            if !word.is_empty() {
                return Some(word);
            }
        }
    }
}

/// Where a piece ends, and the bytes of what ends it.
fn boundary(text: &str) -> (usize, usize) {
    let bytes = text.as_bytes();
    for (at, c) in text.char_indices() {
        if c == '\\' {
            match bytes.get(at + 1) {
                Some(b'n' | b'r' | b't' | b'"' | b'\'') => return (at, 2),
                _ => continue,
            }
        }
        if c.is_whitespace() || is_separator(c) {
            return (at, c.len_utf8());
        }
    }
    (text.len(), 0)
}

const fn is_separator(c: char) -> bool {
    matches!(
        c,
        '"' | '\''
            | '`'
            | ','
            | ';'
            | '('
            | ')'
            | '<'
            | '>'
            | '{'
            | '}'
            | '['
            | ']'
            | '|'
            | '“'
            | '”'
            | '‘'
            | '’'
            | '\u{200b}'
            | '\u{feff}'
    )
}

/// Punctuation that begins a path or a negative number.
const fn is_opening(c: char) -> bool {
    matches!(c, '/' | '~' | '.' | '-')
}

fn is_absolute_path(word: &str) -> bool {
    let rooted = ["/", "~/", "./", "../"];
    let drive = word.as_bytes().get(1..3) == Some(b":\\");
    drive || rooted.iter().any(|start| word.starts_with(start)) && word.len() > 1
}

/// Digits, with what stands in amounts, dates and times (RFC 3339) between them.
fn is_number(word: &str) -> bool {
    let within =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b':' | b'/' | b'%' | b'+');
    let word = word.strip_suffix('Z').unwrap_or(word);
    let (date, time) = word.split_once('T').unwrap_or((word, ""));
    date.bytes().any(|byte| byte.is_ascii_digit()) && date.bytes().chain(time.bytes()).all(within)
}

/// Labels of letters, digits and hyphens; the last of letters only (RFC 1123).
fn is_host(word: &str) -> bool {
    let Some((_, top)) = word.rsplit_once('.') else {
        return false;
    };
    let name = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    top.len() >= 2
        && top.bytes().all(|byte| byte.is_ascii_alphabetic())
        && word.split('.').all(name)
}

/// A name with the ending of a file.
fn is_file(word: &str) -> bool {
    let ending = word.rsplit_once('.').map(|(_, ending)| ending);
    let is_ending = |ending: &str| {
        let mut known = FILE_ENDINGS.iter();
        known.any(|known| known.eq_ignore_ascii_case(ending))
    };
    let head = word.split('/').next().unwrap_or_default();
    ending.is_some_and(is_ending) && (head.len() == word.len() || !is_host(head))
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

/// Letters and digits in one piece.
fn is_identifier(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    word.len() >= IDENTIFIER_BYTES_MIN
        && word.bytes().all(plain)
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}
