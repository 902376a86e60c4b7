//! Shippers put records into documents of their own: an event in an envelope, a log's line as a
//! text beside host and file. The record is what is inside, as long as a source understands it.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::syslog::SyslogMessage;

/// Where shippers put a record: Splunk's collector in `event`; Filebeat, Vector and Logstash a
/// line in `message` (Elastic's integrations in `event.original`), container runtimes and Fluent
/// Bit in `log`, Splunk's forwarders in `_raw`; OpenTelemetry in the body of a log record.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    log: Option<&'a RawValue>,
    #[serde(borrow, rename = "_raw")]
    raw: Option<&'a RawValue>,
    #[serde(borrow, rename = "logRecord")]
    log_record: Option<LogRecord<'a>>,
    #[serde(borrow)]
    specversion: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    original: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct LogRecord<'a> {
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

/// An `AnyValue` that is a text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Text<'a> {
    #[serde(borrow)]
    string_value: &'a RawValue,
}

/// What may be the record within `document`: a syslog message's payload, or what is in that;
/// JSON objects and lines of text, the most deeply wrapped first.
pub(crate) fn candidates(document: &[u8]) -> Vec<Vec<u8>> {
    if let Some(message) = SyslogMessage::read(document) {
        let record = message.record();
        let inside = in_json(record);
        return std::iter::once(record.to_vec()).chain(inside).collect();
    }
    in_json(document)
}

fn in_json(document: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let Ok(document) = serde_json::from_slice::<Document<'_>>(document) else {
        return found;
    };
    if let Some(event) = document.event {
        if let Ok(inner) = serde_json::from_str::<Document<'_>>(event.get()) {
            found.extend(texts(&inner));
        }
        let original = serde_json::from_str::<Event<'_>>(event.get()).ok();
        found.extend(original.and_then(|event| content(event.original?)));
        found.extend(content(event));
    }
    found.extend(texts(&document));
    let data = document.data.filter(|_| document.specversion.is_some());
    found.extend(data.and_then(content));
    let body = document.log_record.and_then(|record| record.body);
    found.extend(body.and_then(log_body));
    found
}

/// Lines of a log that a document holds as text.
fn texts(document: &Document<'_>) -> Vec<Vec<u8>> {
    let texts = [document.message, document.log, document.raw].into_iter();
    let texts = texts.flatten().filter(|text| text.get().starts_with('"'));
    texts.filter_map(content).collect()
}

/// A JSON object, the text of one, or another text with anything in it.
fn content(value: &RawValue) -> Option<Vec<u8>> {
    if value.get().starts_with('{') {
        return Some(value.get().as_bytes().to_vec());
    }
    let text: String = serde_json::from_str(value.get()).ok()?;
    let line = text.trim();
    let is_broken = line.starts_with('{') && serde_json::from_str::<&RawValue>(line).is_err();
    (!line.is_empty() && !is_broken).then(|| line.as_bytes().to_vec())
}

/// The object or the text in the body of a log record (OTLP's `AnyValue`).
fn log_body(body: &RawValue) -> Option<Vec<u8>> {
    if let Ok(Text { string_value }) = serde_json::from_str(body.get()) {
        return content(string_value);
    }
    let body: Value = serde_json::from_str(body.get()).ok()?;
    let object = plain(&body).filter(Value::is_object)?;
    Some(object.to_string().into_bytes())
}

/// An `AnyValue` as plain JSON; `None` where that would lose something.
fn plain(value: &Value) -> Option<Value> {
    let list = |value: &Value| value["values"].as_array().cloned().unwrap_or_default();
    let (kind, inner) = value.as_object()?.iter().next()?;
    match kind.as_str() {
        "stringValue" | "boolValue" | "doubleValue" | "bytesValue" => Some(inner.clone()),
        "intValue" => match inner {
            Value::String(text) => Some(text.parse::<i64>().ok()?.into()),
            number => Some(number.clone()),
        },
        "arrayValue" => list(inner).iter().map(plain).collect(),
        "kvlistValue" => {
            let mut object = Map::new();
            for member in list(inner) {
                let key = member["key"].as_str()?.to_owned();
                if object.insert(key, plain(&member["value"])?).is_some() {
                    return None;
                }
            }
            Some(object.into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(document: &str) -> Vec<String> {
        let found = candidates(document.as_bytes()).into_iter();
        found.map(|one| String::from_utf8(one).unwrap()).collect()
    }

    #[test]
    fn the_record_is_found_where_shippers_put_it() {
        let line = r#"{"a": 1.50}"#;
        let text = serde_json::to_string(&format!("{line}\n")).unwrap();
        for document in [
            format!(r#"{{"@timestamp":"t","message":{text},"agent":{{"name":"x"}}}}"#),
            format!(r#"{{"event":{line},"time":1,"host":"h"}}"#),
            format!(r#"{{"event":{text}}}"#),
            format!(r#"{{"stream":"stdout","log":{text}}}"#),
            format!(r#"{{"_raw":{text}}}"#),
            format!(r#"{{"specversion":"1.0","id":"1","data":{line}}}"#),
            format!(r#"{{"resource":{{}},"logRecord":{{"body":{{"stringValue":{text}}}}}}}"#),
        ] {
            assert_eq!(found(&document), [line], "{document}");
        }
        let nested = format!(r#"{{"event":{{"log":{text},"stream":"stdout"}}}}"#);
        assert_eq!(found(&nested)[0], line);
        let elastic = format!(r#"{{"event":{{"original":{text},"kind":"event"}},"message":"x"}}"#);
        assert_eq!(found(&elastic)[0], line);
    }

    #[test]
    fn a_structured_body_becomes_plain_json() {
        let body = r#"{"kvlistValue":{"values":[{"key":"n","value":{"intValue":"7"}},
            {"key":"l","value":{"arrayValue":{"values":[{"boolValue":true}]}}}]}}"#;
        let record = format!(r#"{{"logRecord":{{"body":{body}}}}}"#);
        assert_eq!(found(&record), [r#"{"l":[true],"n":7}"#]);
        let twice = r#"{"key":"a","value":{"intValue":"1"}}"#;
        for lossy in [
            format!(r#"{{"kvlistValue":{{"values":[{twice},{twice}]}}}}"#),
            r#"{"kvlistValue":{"values":[{"key":"a","value":{}}]}}"#.to_owned(),
            r#"{"intValue":"7"}"#.to_owned(),
        ] {
            assert!(found(&format!(r#"{{"logRecord":{{"body":{lossy}}}}}"#)).is_empty());
        }
    }

    #[test]
    fn the_record_is_found_in_a_syslog_message() {
        let line = r#"{"a": 1.50}"#;
        assert_eq!(found(&format!("<13>1 - h app - - - {line}\n")), [line]);
        let wrapped = r#"{"message":"{\"a\":1}"}"#;
        let message = format!("<13>Nov  1 10:00:00 h app: @cee: {wrapped}");
        assert_eq!(found(&message), [wrapped, r#"{"a":1}"#]);
    }

    #[test]
    fn a_line_of_text_may_be_the_record() {
        let document =
            r#"{"@timestamp":"t","message":"CEF:0|a|b|c|d|e|1|x=\\|\n","host":{"name":"h"}}"#;
        assert_eq!(found(document), [r"CEF:0|a|b|c|d|e|1|x=\|"]);
        let document = r#"{"logRecord":{"body":{"stringValue":"user=ana"}}}"#;
        assert_eq!(found(document), ["user=ana"]);
    }

    #[test]
    fn what_holds_neither_object_nor_line_holds_no_record() {
        for document in [
            r#"{"message":{"a":1},"log":{"file":"x"},"event":7}"#,
            r#"{"event":" ","log":["{}"],"message":"{oops}"}"#,
            r#"{"event":null,"message":"{\"a\":1}{\"b\":2}"}"#,
            r#"{"id":"1","data":{"a":1}}"#,
            "[]",
            "no json",
        ] {
            assert!(
                found(document).is_empty(),
                "{document}: {:?}",
                found(document)
            );
        }
    }
}
