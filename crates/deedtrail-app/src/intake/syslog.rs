//! The header of a syslog message: what is before the record, and what names its kind.
//!
//! RFC 5424, and the forms that RFC 3164 describes, as `logger` and rsyslog write them: with the
//! time as `Nov  1 10:00:00` or in RFC 3339, with or without a host.

/// A syslog message, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyslogMessage<'a> {
    /// APP-NAME or tag: the program that wrote it.
    pub label: Option<&'a str>,
    /// What the program wrote, byte for byte; without the byte-order mark of RFC 5424.
    pub payload: &'a [u8],
}

/// Longest priority between `<` and `>`, digits (RFC 5424, 6.2.1).
const PRIORITY_DIGITS_MAX: usize = 3;
/// Longest label, bytes (RFC 5424's APP-NAME). A longer word is no tag but text.
const LABEL_BYTES_MAX: usize = 48;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl<'a> SyslogMessage<'a> {
    /// `None` when `message` does not begin with a priority.
    pub fn read(message: &'a [u8]) -> Option<Self> {
        let rest = after_priority(message)?;
        Some(modern(rest).unwrap_or_else(|| traditional(rest)))
    }

    /// The payload as a record: without the cookie that says JSON follows, and without what
    /// senders put around it.
    pub(crate) fn record(&self) -> &'a [u8] {
        let payload = trimmed(self.payload);
        payload.strip_prefix(b"@cee:").map_or(payload, trimmed)
    }
}

fn after_priority(message: &[u8]) -> Option<&[u8]> {
    let rest = message.strip_prefix(b"<")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let fits = (1..=PRIORITY_DIGITS_MAX).contains(&digits);
    rest.get(digits..)?.strip_prefix(b">").filter(|_| fits)
}

/// RFC 5424, after the priority: version, time, host, APP-NAME, PROCID, MSGID, structured data.
fn modern(rest: &[u8]) -> Option<SyslogMessage<'_>> {
    let rest = rest.strip_prefix(b"1 ")?;
    let (_time, rest) = word(rest)?;
    let (_host, rest) = word(rest)?;
    let (name, rest) = word(rest)?;
    let (_process, rest) = word(rest)?;
    let (_kind, rest) = word(rest)?;
    let rest = after_structured_data(rest)?;
    let payload = match rest {
        [] => rest,
        [b' ', payload @ ..] => payload.strip_prefix(BYTE_ORDER_MARK).unwrap_or(payload),
        _ => return None,
    };
    Some(SyslogMessage {
        label: label(name).filter(|name| *name != "-"),
        payload,
    })
}

/// A word and what comes after the one space that ends it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| *byte == b' ')?;
    let (word, rest) = text.split_at(end);
    (!word.is_empty()).then(|| (word, &rest[1..]))
}

/// Skips `-`, or elements in brackets whose quoted values may hold brackets.
fn after_structured_data(text: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = text.strip_prefix(b"-") {
        return Some(rest);
    }
    let mut rest = text;
    while let Some(inside) = rest.strip_prefix(b"[") {
        let (mut quoted, mut escaped) = (false, false);
        let end = inside.iter().position(|byte| {
            let ends = *byte == b']' && !quoted;
            quoted ^= *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && quoted && !escaped;
            ends
        })?;
        rest = &inside[end + 1..];
    }
    (rest.len() < text.len()).then_some(rest)
}

/// RFC 3164, after the priority: time, host, tag. What is missing is the beginning of the payload.
fn traditional(rest: &[u8]) -> SyslogMessage<'_> {
    let untold = SyslogMessage {
        label: None,
        payload: rest,
    };
    let Some(rest) = after_time(rest) else {
        return tagged(rest).unwrap_or(untold);
    };
    let after_host = word(rest).and_then(|(_, rest)| tagged(rest));
    let told = tagged(rest).or(after_host);
    told.unwrap_or(SyslogMessage {
        label: None,
        payload: word(rest).map_or(rest, |(_host, rest)| rest),
    })
}

/// What comes after `Nov  1 10:00:00 `, or a time of RFC 3339 and a space.
fn after_time(text: &[u8]) -> Option<&[u8]> {
    let shaped = |shape: &[u8]| {
        let fits = |(byte, shape): (&u8, &u8)| match shape {
            b'A' => byte.is_ascii_alphabetic(),
            b'9' => byte.is_ascii_digit(),
            b'?' => byte.is_ascii_digit() || *byte == b' ',
            exact => byte == exact,
        };
        text.len() >= shape.len() && text.iter().zip(shape).all(fits)
    };
    if shaped(b"AAA ?9 99:99:99 ") {
        return text.get(16..);
    }
    if shaped(b"9999-99-99T99:99:99") {
        return word(text).map(|(_, rest)| rest);
    }
    None
}

/// `tag: payload` or `tag[process]: payload`. `CEF:0|…` and `LEEF:2.0|…` are payloads, no tags.
fn tagged(text: &[u8]) -> Option<SyslogMessage<'_>> {
    if text.starts_with(b"CEF:") || text.starts_with(b"LEEF:") {
        return None;
    }
    let end = tag_end(text)?;
    let (name, rest) = text.split_at(end);
    let rest = match rest.strip_prefix(b"[") {
        Some(inside) => {
            let end = inside.iter().position(|byte| matches!(byte, b']' | b' '))?;
            inside[end..].strip_prefix(b"]")?
        }
        None => rest,
    };
    let rest = rest.strip_prefix(b":")?;
    Some(SyslogMessage {
        label: Some(label(name)?),
        payload: rest.strip_prefix(b" ").unwrap_or(rest),
    })
}

/// Where a tag ends: at `[`, or at the colon that something other than a word follows, so that
/// `aws:cloudtrail: {…}` has the tag `aws:cloudtrail`; else at the first colon.
fn tag_end(text: &[u8]) -> Option<usize> {
    let mut colon = None;
    for (place, byte) in text.iter().enumerate() {
        match byte {
            b'[' => return Some(place),
            b':' if matches!(text.get(place + 1), None | Some(b' ' | b'{' | b'[')) => {
                return Some(place);
            }
            b':' => colon = colon.or(Some(place)),
            b'{' | b'"' => break,
            byte if byte.is_ascii_graphic() => {}
            _ => break,
        }
    }
    colon
}

fn label(name: &[u8]) -> Option<&str> {
    let fits = (1..=LABEL_BYTES_MAX).contains(&name.len());
    std::str::from_utf8(name).ok().filter(|_| fits)
}

/// Without white space, and without the zero bytes with which some senders end a message.
fn trimmed(text: &[u8]) -> &[u8] {
    let is_padding = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
    let from = text.iter().position(|byte| !is_padding(byte));
    let to = text.iter().rposition(|byte| !is_padding(byte));
    match (from, to) {
        (Some(from), Some(to)) => &text[from..=to],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &str) -> Option<(Option<&str>, &str)> {
        let read = SyslogMessage::read(message.as_bytes())?;
        Some((read.label, std::str::from_utf8(read.payload).unwrap()))
    }

    #[test]
    fn the_header_of_rfc_5424_is_taken_off() {
        for (message, label, payload) in [
            (
                "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed",
                Some("su"),
                "'su root' failed",
            ),
            (
                r#"<165>1 2003-10-11T22:14:15.003Z h evntslog 8710 ID47 [a@1 iut="3" e="\"]\\]"][b@1] {"a":1}"#,
                Some("evntslog"),
                r#"{"a":1}"#,
            ),
            ("<0>1 - - - - - -", None, ""),
            ("<191>1 - - app - - [x] ", Some("app"), ""),
            (
                "<13>1 - - app - - -  two spaces\n",
                Some("app"),
                " two spaces\n",
            ),
        ] {
            assert_eq!(read(message), Some((label, payload)), "{message}");
        }
    }

    #[test]
    fn the_forms_of_rfc_3164_are_taken_off() {
        for (message, label, payload) in [
            (
                "<34>Oct 11 22:14:15 mymachine su: 'su root' failed",
                Some("su"),
                "'su root' failed",
            ),
            (
                "<13>Nov  1 10:00:00 host vault[812]: {\"a\":1}",
                Some("vault"),
                "{\"a\":1}",
            ),
            ("<13>Nov  1 10:00:00 audit: x", Some("audit"), "x"),
            (
                "<13>Nov  1 10:00:00 h aws:cloudtrail[7]: {}",
                Some("aws:cloudtrail"),
                "{}",
            ),
            ("<13>Nov  1 10:00:00 h app:{}", Some("app"), "{}"),
            ("<13>Nov  1 10:00:00 h app:a:b c", Some("app"), "a:b c"),
            (
                "<13>2026-11-01T10:00:00.5+00:00 host aws.cloudtrail {}",
                None,
                "aws.cloudtrail {}",
            ),
            (
                "<13>2026-11-01T10:00:00.5+00:00 host aws.cloudtrail: @cee: {}",
                Some("aws.cloudtrail"),
                "@cee: {}",
            ),
            ("<13>Nov  1 10:00:00 host {\"a\":1}", None, "{\"a\":1}"),
            ("<13>{\"a\": 1}", None, "{\"a\": 1}"),
            (
                "<13>CEF:0|v|p|1|100|n|5|src=192.0.2.1",
                None,
                "CEF:0|v|p|1|100|n|5|src=192.0.2.1",
            ),
            (
                "<13>Nov  1 10:00:00 host CEF:0|v|p|1|100|n|5|",
                None,
                "CEF:0|v|p|1|100|n|5|",
            ),
            ("<13>words only", None, "words only"),
            ("<14>1 not the newer form", None, "1 not the newer form"),
        ] {
            assert_eq!(read(message), Some((label, payload)), "{message}");
        }
    }

    #[test]
    fn what_has_no_priority_is_no_syslog_message() {
        for text in ["", "<", "<>x", "<1234>x", "<1", "{\"a\":1}", "<a>x"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_record_is_the_payload_without_what_is_around_it() {
        for message in [
            "<13>Nov  1 10:00:00 h a: @cee:{\"b\": 1}\0",
            "<13>Nov  1 10:00:00 h a: @cee: {\"b\": 1}\r\n",
            "<13>1 - - a - - - {\"b\": 1} ",
        ] {
            let read = SyslogMessage::read(message.as_bytes()).unwrap();
            assert_eq!(read.record(), b"{\"b\": 1}", "{message}");
        }
    }
}
