//! Shippers that read a log's lines as text put the line into a document of their own. The line
//! is the record; what the shipper adds (host, file, its own name) is not. A copy that came
//! another way is then the same record, and so is one that the shipper reads again.

use serde::Deserialize;
use serde_json::value::RawValue;

/// Where the usual shippers put a line: Filebeat, Vector and Logstash in `message` (Elastic's
/// integrations in `event.original`), container runtimes and Fluent Bit in `log`, Splunk's
/// forwarders in `_raw`.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    log: Option<&'a RawValue>,
    #[serde(borrow, rename = "_raw")]
    raw: Option<&'a RawValue>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Original<'a> {
    #[serde(borrow)]
    original: Option<&'a RawValue>,
}

/// The record within `document`, where one of its texts is a JSON object.
pub(super) fn unwrapped(document: &[u8]) -> Option<Vec<u8>> {
    let Document {
        message,
        log,
        raw,
        event,
    } = serde_json::from_slice(document).ok()?;
    let original = event.and_then(|event| {
        let event: Original<'_> = serde_json::from_str(event.get()).ok()?;
        event.original
    });
    let texts = [original, message, log, raw].into_iter().flatten();
    let mut records = texts.filter_map(|text| {
        let text: String = serde_json::from_str(text.get()).ok()?;
        let line = text.trim();
        (line.starts_with('{') && line.ends_with('}')).then(|| line.as_bytes().to_vec())
    });
    records.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found_where_shippers_put_it() {
        let line = r#"{"a":"b"}"#;
        let text = serde_json::to_string(&format!("{line}\n")).unwrap();
        for document in [
            format!(r#"{{"@timestamp":"t","message":{text},"agent":{{"name":"x"}}}}"#),
            format!(r#"{{"event":{{"original":{text},"kind":"event"}},"message":"other"}}"#),
            format!(r#"{{"stream":"stdout","log":{text}}}"#),
            format!(r#"{{"_raw":{text}}}"#),
        ] {
            let record = unwrapped(document.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(record).unwrap(), line, "{document}");
        }
    }

    #[test]
    fn a_record_that_wraps_nothing_is_left_alone() {
        for document in [
            r#"{"eventName":"ConsoleLogin","message":"signed in"}"#,
            r#"{"message":{"a":1},"log":{"file":"x"},"event":{"original":7}}"#,
            r#"{"event":"text","log":["{}"]}"#,
            "[]",
            "no json",
        ] {
            assert_eq!(unwrapped(document.as_bytes()), None, "{document}");
        }
    }
}
