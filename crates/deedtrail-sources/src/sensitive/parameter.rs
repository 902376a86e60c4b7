//! `name=value`: query parameters, forms, command lines, connection strings.

use std::ops::Range;

use super::name;

/// Longest name of a `name=value`, bytes.
const PARAMETER_BYTES_MAX: usize = 48;

/// The value of the `name=value` with that sign, if the name is one of a secret. The sign may be
/// written as `%3D` or `\u003d`.
pub(super) fn assigned(record: &[u8], sign: Range<usize>) -> Option<Range<usize>> {
    let (at, after) = (sign.start, sign.end);
    let ends = |byte: u8| {
        matches!(
            byte,
            b'&' | b';' | b',' | b'"' | b'\\' | b'<' | b'>' | b')' | b'}'
        ) || byte.is_ascii_whitespace()
    };
    if record.get(after).is_none_or(|byte| ends(*byte)) {
        return None;
    }
    let before = &record[at.saturating_sub(PARAMETER_BYTES_MAX)..at];
    let part_of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let length = before.iter().rev().take_while(part_of_name).count();
    let name = &record[at - length..at];
    // `&` and `?` may themselves be written as `\u0026`, `%26`, `%3F`.
    let name = match (record.get((at - length).wrapping_sub(1)), name) {
        (Some(b'\\'), [b'u', b'0', b'0', _, _, name @ ..]) | (Some(b'%'), [_, _, name @ ..]) => {
            name
        }
        _ => name,
    };
    if name.len() < 3 || !name::is_secret_parameter(name) {
        return None;
    }
    let start = after + usize::from(record[after] == b'\'');
    let rest = &record[start..];
    let length = if start > after {
        rest.iter()
            .position(|byte| matches!(byte, b'\'' | b'"' | b'\\'))
    } else {
        rest.iter().position(|byte| ends(*byte))
    };
    let mut end = start + length.unwrap_or(rest.len());
    // Within an escaped URL the next parameter follows `%26`.
    if after - at == 3 {
        end = memchr::memmem::find(&record[start..end], b"%26").map_or(end, |next| start + next);
    }
    Some(start..end)
}
