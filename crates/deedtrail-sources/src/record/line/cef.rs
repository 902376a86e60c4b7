//! Common Event Format, versions 0 and 1, also behind a syslog header:
//! `CEF:0|vendor|product|version|event class|name|severity|extension`
//! (`ArcSight`, "Common Event Format Implementation Standard", revision 27).

use std::ops::Range;

use super::{Escapes, Field, Misfit, Name, trimmed};

const MARK: &[u8] = b"CEF:";

/// The fields before the extension, by the names the standard's dictionary has for them.
const HEADER: [&str; 6] = [
    "deviceVendor",
    "deviceProduct",
    "deviceVersion",
    "deviceEventClassId",
    "name",
    "severity",
];

/// What stands before the mark, e.g. a syslog header.
const BEFORE: &str = "syslog";

/// Header, then extension. Also known to what looks for secrets in records of any form.
pub(crate) fn cef(line: &str) -> Result<Vec<Field<'static>>, Misfit> {
    let bytes = line.as_bytes();
    let mut marks = memchr::memmem::find_iter(bytes, MARK);
    let starts = |at: &usize| bytes.get(at + MARK.len()).is_some_and(u8::is_ascii_digit);
    let mark = marks
        .find(starts)
        .ok_or(Misfit::Other("no `CEF:` stands in it"))?;
    let mut bars = memchr::memchr2_iter(b'|', b'\\', bytes.get(mark..).unwrap_or_default());
    let mut escaped = usize::MAX;
    let mut bar = || {
        loop {
            let at = mark + bars.next()?;
            match bytes[at] {
                _ if at == escaped => {}
                b'\\' => escaped = at + 1,
                _ => return Some(at),
            }
        }
    };
    let few = Misfit::Other("CEF has seven fields before its extension");
    let first = bar().ok_or(few)?;
    let mut fields = Vec::with_capacity(32);
    let before = trimmed(line, 0..mark);
    if !before.is_empty() {
        fields.push(field(Name::Known(BEFORE), before, Escapes::None));
    }
    let version = mark + MARK.len()..first;
    fields.push(field(Name::Header("version"), version, Escapes::None));
    let mut start = first + 1;
    for name in HEADER {
        let end = bar().or((name == "severity").then_some(bytes.len()));
        let end = end.ok_or(Misfit::Other("CEF has seven fields before its extension"))?;
        fields.push(field(
            Name::Header(name),
            trimmed(line, start.min(end)..end),
            Escapes::Cef,
        ));
        start = end + 1;
    }
    extension(line, start.min(bytes.len()), &mut fields);
    Ok(fields)
}

const fn field(name: Name<'static>, value: Range<usize>, escapes: Escapes) -> Field<'static> {
    Field {
        name,
        value,
        escapes,
    }
}

/// `key=value key=value`: a value goes on to the space before the next key.
fn extension(line: &str, start: usize, fields: &mut Vec<Field<'static>>) {
    let bytes = line.as_bytes();
    let mut open: Option<(Range<usize>, usize)> = None;
    for sign in memchr::memchr_iter(b'=', bytes.get(start..).unwrap_or_default()) {
        let sign = start + sign;
        let Some(key) = key(bytes, start, sign) else {
            continue;
        };
        if let Some((name, value)) = open.take() {
            let value = trimmed(line, value.min(key.start)..key.start);
            fields.push(field(Name::Here(name, Escapes::None), value, Escapes::Cef));
        }
        open = Some((key, sign + 1));
    }
    if let Some((name, value)) = open {
        let value = trimmed(line, value..line.len());
        fields.push(field(Name::Here(name, Escapes::None), value, Escapes::Cef));
    }
}

/// The key that ends at `sign`, if one does: a word behind a space, not before `start`.
fn key(bytes: &[u8], start: usize, sign: usize) -> Option<Range<usize>> {
    let part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.[]".contains(byte);
    let before = bytes.get(start..sign)?;
    let length = before.iter().rev().take_while(part).count();
    let behind_space = before.len() == length || before[before.len() - length - 1] == b' ';
    (length > 0 && behind_space).then(|| sign - length..sign)
}
