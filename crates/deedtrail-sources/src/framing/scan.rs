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
    if body.first() != Some(&b'{') {
        return None;
    }
    let mut at = skip_space(body, 1);
    loop {
        let key_end = (body.get(at)? == &b'"').then(|| text_end(body, at))??;
        let found = body.get(at + 1..key_end - 1) == Some(key.as_bytes());
        at = skip_space(body, key_end);
        if body.get(at)? != &b':' {
            return None;
        }
        at = skip_space(body, at + 1);
        let end = any_end(body, at)?;
        if found {
            return Some(at..end);
        }
        at = skip_space(body, end);
        if body.get(at)? != &b',' {
            return None;
        }
        at = skip_space(body, at + 1);
    }
}
