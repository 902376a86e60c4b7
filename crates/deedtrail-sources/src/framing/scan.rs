//! Finds where JSON values begin and end, without reading them. Iterative: depth costs nothing.

use std::ops::Range;

/// A part of a body.
pub(super) type Span = Range<usize>;

/// End of the object or list that begins at `start`; `None` when it does not end.
pub(super) fn value_end(body: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match body.get(at)? {
            b'"' => {
                at = text_end(body, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// End of the text whose opening quote is at `start`.
fn text_end(body: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', body.get(at..)?)?;
        match body[at] {
            b'"' => return Some(at + 1),
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
