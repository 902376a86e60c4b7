//! Values that say by their form that they are secrets, wherever they stand.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deedtrail_core::port::log::PartClass;
use regex::bytes::Regex;
use serde::Deserialize;

use super::mask::is_mask;
use super::parameter;
use super::range::Found;

/// A token that begins with fixed characters: its least length behind them.
struct Format {
    start: &'static str,
    rest_min: usize,
}

const fn format(start: &'static str, rest_min: usize) -> Format {
    Format { start, rest_min }
}

/// Formats as their issuers document them. AWS access key ids (`AKIA…`) are names, not secrets.
const FORMATS: [Format; 26] = [
    format("ghp_", 20),
    format("gho_", 20),
    format("ghu_", 20),
    format("ghs_", 20),
    format("ghr_", 20),
    format("github_pat_", 20),
    format("glpat-", 16),
    format("glrt-", 16),
    format("xoxa-", 10),
    format("xoxb-", 10),
    format("xoxe-", 10),
    format("xoxp-", 10),
    format("xoxr-", 10),
    format("xoxs-", 10),
    format("xapp-", 10),
    format("sk_live_", 10),
    format("rk_live_", 10),
    format("sk-ant-", 20),
    format("sk-proj-", 20),
    format("npm_", 30),
    format("hvs.", 20),
    format("hvb.", 20),
    format("pypi-AgE", 20),
    format("dop_v1_", 32),
    format("AIzaSy", 30),
    format("ya29.", 20),
];

/// Starts of what is looked at more closely than by length.
const JWT: &str = "eyJ";
const PEM: &str = "-----BEGIN ";
const BEARER: &str = "earer ";
const BASIC: &str = "asic ";
const URLS: [&str; 2] = ["://", ":\\/\\/"];
const SIGNS: [&str; 3] = ["%3D", "%3d", "\\u003d"];

/// Shortest bearer token that is told from a word, characters.
const BEARER_MIN: usize = 16;
/// Shortest part of a JSON Web Token, characters.
const JWT_PART_MIN: usize = 10;
/// Longest header of a JSON Web Token that is looked into, characters.
const JWT_HEADER_BYTES_MAX: usize = 4096;
/// Longest label of a PEM block, bytes.
const PEM_LABEL_BYTES_MAX: usize = 64;

/// Every start, as literals: the search for them runs on vector instructions.
static STARTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let formats = FORMATS.iter().map(|format| format.start);
    let others = [JWT, PEM, BEARER, BASIC];
    let starts: Vec<String> = formats
        .chain(others)
        .chain(URLS)
        .chain(SIGNS)
        .map(regex::escape)
        .collect();
    Regex::new(&starts.join("|")).ok()
});

/// Marks every token.
pub(super) fn formats(record: &[u8], found: &mut Found) {
    let Some(starts) = STARTS.as_ref() else {
        return;
    };
    let mut resume = 0;
    for start in starts.find_iter(record).filter(|start| !start.is_empty()) {
        if start.start() < resume {
            continue;
        }
        if let Some(secret) = secret(record, start.range()) {
            resume = secret.end;
            if !is_mask(&record[secret.clone()]) {
                found.add(secret, PartClass::Secret);
            }
        }
    }
}

/// The secret that `start` begins, if it is one.
fn secret(record: &[u8], start: Range<usize>) -> Option<Range<usize>> {
    let text = &record[start.clone()];
    let is = |known: &str| known.as_bytes() == text;
    if URLS.iter().any(|known| is(known)) {
        return password(record, start.end);
    }
    if SIGNS.iter().any(|known| is(known)) {
        return parameter::assigned(record, start);
    }
    if is(PEM) {
        return private_key(record, start);
    }
    if is(BEARER) || is(BASIC) {
        return credentials(record, start.end);
    }
    let before = start.start.checked_sub(1).and_then(|at| record.get(at));
    let before = before
        .copied()
        .filter(|_| !follows_escape(record, start.start));
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    if is(JWT) {
        // Also not within a longer token: each is read once only.
        return match before {
            Some(byte) if is_token_byte(byte) => None,
            _ => web_token(record, start.start),
        };
    }
    let format = FORMATS.iter().find(|format| is(format.start))?;
    let length = run(record, start.end, is_token_byte);
    (length >= format.rest_min).then_some(start.start..start.end + length)
}

/// Whether the letter before `at` is that of an escape: `\nghp_…`.
fn follows_escape(record: &[u8], at: usize) -> bool {
    at >= 2 && record[at - 2] == b'\\'
}

/// Length of the bytes from `at` on that `part` takes.
fn run(record: &[u8], at: usize, part: impl Fn(u8) -> bool) -> usize {
    let rest = record.get(at..).unwrap_or_default();
    rest.iter().take_while(|byte| part(**byte)).count()
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// A JSON Web Token (RFC 7519): three parts, five when encrypted. A Security Event Token (RFC 8417)
/// is none: it is a signed statement, which opens nothing and is evidence as it stands.
fn web_token(record: &[u8], start: usize) -> Option<Range<usize>> {
    let end = start + run(record, start, is_token_byte);
    let mut parts = record[start..end].split(|byte| *byte == b'.');
    let long = |part: Option<&[u8]>| part.is_some_and(|part| part.len() >= JWT_PART_MIN);
    // The second part of an encrypted token may be empty, but then a long one follows.
    let header = parts.next();
    let is_token = long(header) && parts.next().is_some() && parts.next().is_some();
    (is_token && !header.is_some_and(is_of_event)).then_some(start..end)
}

/// Whether a header, as it is written, says that its token is a Security Event Token.
fn is_of_event(header: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Header<'a> {
        #[serde(borrow)]
        typ: Option<Cow<'a, str>>,
    }
    if header.len() > JWT_HEADER_BYTES_MAX {
        return false;
    }
    let decoded = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    let header: Option<Header<'_>> = serde_json::from_slice(&decoded).ok();
    let typ = header.and_then(|header| header.typ).unwrap_or_default();
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == "secevent+jwt"
}

/// A private key in PEM (RFC 7468), to its end line, or to where its text ends.
fn private_key(record: &[u8], start: Range<usize>) -> Option<Range<usize>> {
    let label = &record[start.end..record.len().min(start.end + PEM_LABEL_BYTES_MAX)];
    let label = &label[..memchr::memmem::find(label, b"-----")?];
    if !label.ends_with(b"PRIVATE KEY") && !label.ends_with(b"PRIVATE KEY BLOCK") {
        return None;
    }
    let rest = &record[start.end..];
    let text = &rest[..memchr::memchr(b'"', rest).unwrap_or(rest.len())];
    let end_line = memchr::memmem::find(text, b"-----END ");
    let length = end_line.map_or(text.len(), |end| {
        let after = end + 9;
        let label = run(text, after, |byte| {
            byte.is_ascii_uppercase() || byte == b' '
        });
        after + label + run(text, after + label, |byte| byte == b'-').min(5)
    });
    Some(start.start..start.end + length)
}

/// What follows `Bearer` and `Basic` in an Authorization header (RFC 6750, RFC 7617).
fn credentials(record: &[u8], start: usize) -> Option<Range<usize>> {
    let part = |byte: u8| is_token_byte(byte) || matches!(byte, b'~' | b'+' | b'/' | b'=');
    let length = run(record, start, part);
    let text = &record[start..start + length];
    let mixed = text.iter().any(u8::is_ascii_digit)
        || text.iter().any(u8::is_ascii_uppercase) && text.iter().any(u8::is_ascii_lowercase);
    (length >= BEARER_MIN && mixed).then_some(start..start + length)
}

/// The password in a URL's authority (RFC 3986 section 3.2.1), which starts at `start`.
fn password(record: &[u8], start: usize) -> Option<Range<usize>> {
    let ends = |byte: u8| {
        matches!(
            byte,
            b'/' | b'?' | b'#' | b'"' | b'\\' | b'<' | b'>' | b'\''
        ) || byte.is_ascii_whitespace()
    };
    let length = run(record, start, |byte| !ends(byte));
    let authority = &record[start..start + length];
    let at = memchr::memrchr(b'@', authority)?;
    let colon = memchr::memchr(b':', &authority[..at])?;
    (colon + 1 < at).then_some(start + colon + 1..start + at)
}
