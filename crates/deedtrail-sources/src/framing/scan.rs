//! Finds where JSON values begin and end, without reading them. Iterative: depth costs nothing.

use std::ops::Range;

/// A part of a body.
pub(super) type Span = Range<usize>;

/// Deepest nesting that is followed: what is deeper is quarantined as a line.
const DEPTH_MAX: u32 = 128;

/// End of the object or list that begins at `start`; `None` when it does not end, is nested over
/// [`DEPTH_MAX`], or when a value opens where none can stand. So a line that was cut short does not
/// swallow those behind it, however they come: records are the same in one delivery and in two.
pub(super) fn value_end(body: &[u8], start: usize) -> Option<usize> {
    // A bit for each open value, the innermost lowest: whether it is a list.
    let (mut lists, mut depth) = (0_u128, 0_u32);
    let (mut at, mut before) = (start, b':');
    loop {
        let byte = *body.get(at)?;
        match byte {
            b'"' => {
                at = text_end(body, at)?;
                before = b'"';
                continue;
            }
            b'{' | b'[' => {
                let in_list = depth > 0 && lists & 1 == 1;
                let may_stand = before == b':' || (in_list && matches!(before, b'[' | b','));
                if !may_stand || depth == DEPTH_MAX {
                    return None;
                }
                lists = lists << 1 | u128::from(byte == b'[');
                depth += 1;
            }
            b'}' | b']' => {
                lists >>= 1;
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
        at += 1;
    }
}

/// End of the text whose opening quote is at `start`; no line ends in a text.
fn text_end(body: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr3(b'"', b'\\', b'\n', body.get(at..)?)?;
        match body[at] {
            b'"' => return Some(at + 1),
            b'\n' => return None,
            _ if body.get(at + 1) == Some(&b'\n') => return None,
            _ => at += 2,
        }
    }
}

/// End of any value.
fn any_end(body: &[u8], start: usize) -> Option<usize> {
    match body.get(start)? {
        b'{' | b'[' => value_end(body, start),
        b'"' => text_end(body, start),
        _ => {
            let rest = &body[start..];
            let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace();
            let len = rest.iter().position(ends)?;
            (len > 0).then_some(start + len)
        }
    }
}

fn skip_space(body: &[u8], mut at: usize) -> usize {
    while body.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// Elements of the list that `body` is; `None` when it is no complete list, or more than one.
pub(super) fn elements(body: &[u8]) -> Option<std::vec::IntoIter<Span>> {
    if body.first() != Some(&b'[') {
        return None;
    }
    let mut spans = Vec::new();
    let mut at = skip_space(body, 1);
    if body.get(at) != Some(&b']') {
        loop {
            let end = any_end(body, at)?;
            spans.push(at..end);
            at = skip_space(body, end);
            match body.get(at)? {
                b',' => at = skip_space(body, at + 1),
                b']' => break,
                _ => return None,
            }
        }
    }
    (skip_space(body, at + 1) == body.len()).then(|| spans.into_iter())
}

/// The value of `key` in the object that `body` is.
pub(super) fn member(body: &[u8], key: &str) -> Option<Span> {
    let mut members = members(body);
    let found = members.find(|(name, _)| body.get(name.clone()) == Some(key.as_bytes()));
    found.map(|(_, value)| value)
}

/// Key and value of each member of the object that `body` is, as far as it is one.
pub(super) fn members(body: &[u8]) -> impl Iterator<Item = (Span, Span)> {
    let mut next = (body.first() == Some(&b'{')).then(|| skip_space(body, 1));
    std::iter::from_fn(move || {
        let at = next.take()?;
        let key_end = (body.get(at)? == &b'"').then(|| text_end(body, at))??;
        let colon = skip_space(body, key_end);
        if body.get(colon)? != &b':' {
            return None;
        }
        let start = skip_space(body, colon + 1);
        let end = any_end(body, start)?;
        let comma = skip_space(body, end);
        next = (body.get(comma) == Some(&b',')).then(|| skip_space(body, comma + 1));
        Some((at + 1..key_end - 1, start..end))
    })
}
