//! Log records of a JSON message.

use std::borrow::Cow;
use std::fmt;

use deedtrail_app::intake::{Around, Shipped};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{SERVICE, SOURCE, is_line, said};

/// The members of an object in order, those that stand there twice too.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Key(key), value)) = map.next_entry()? {
                    members.push((key, value));
                }
                Ok(Members(members))
            }
        }
        source.deserialize_map(Shape)
    }
}

/// A key; without escapes it is not copied.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Members<'a> {
    fn of(object: &'a RawValue) -> Option<Self> {
        serde_json::from_str(object.get()).ok()
    }

    /// The values of the lists called `name`, one after the other. `None` if there is none, or if
    /// anything stands beside it but one each of the `known`: that would be lost.
    fn list(&self, name: &str, known: &[&str]) -> Option<Vec<&'a RawValue>> {
        let mut found = None;
        for (place, (key, value)) in self.0.iter().enumerate() {
            if key == name {
                let list: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
                found.get_or_insert_with(Vec::new).extend(list);
            } else {
                let is_first = self.0.iter().position(|(other, _)| other == key) == Some(place);
                if !is_first || !known.contains(&&**key) {
                    return None;
                }
            }
        }
        found
    }

    fn get(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| *value)
    }
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(borrow, default)]
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogRecord<'a> {
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow, default)]
    attributes: Vec<KeyValue<'a>>,
    #[serde(borrow)]
    event_name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct KeyValue<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// An `AnyValue` that is a text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Text<'a> {
    #[serde(borrow)]
    string_value: Cow<'a, str>,
}

/// What log records stand in.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    resource: Option<&'a RawValue>,
    scope: Option<&'a RawValue>,
}

/// The records of a request, in order; their lines are not numbered yet. What is not as the protocol
/// has it comes out whole, for quarantine. `None` if it is no object.
pub(super) fn records(body: &[u8]) -> Option<Vec<Shipped<'_>>> {
    let whole: &RawValue = serde_json::from_slice(body).ok()?;
    let request = Members::of(whole)?;
    let Some(resources) = request.list("resourceLogs", &[]) else {
        return Some(vec![shipped(
            Vec::new(),
            whole.get().as_bytes().into(),
            None,
        )]);
    };
    let mut records = Vec::new();
    for of_resource in resources {
        resource_logs(of_resource, &mut records);
    }
    Some(records)
}

fn resource_logs<'a>(raw: &'a RawValue, into: &mut Vec<Shipped<'a>>) {
    let members = Members::of(raw);
    let scopes = members
        .as_ref()
        .and_then(|members| members.list("scopeLogs", &["resource", "schemaUrl"]));
    let (Some(members), Some(scopes)) = (members, scopes) else {
        into.push(shipped(Vec::new(), raw.get().as_bytes().into(), None));
        return;
    };
    let resource = members.get("resource");
    let read = resource.and_then(|raw| serde_json::from_str::<Resource<'_>>(raw.get()).ok());
    let attributes = read.map(|resource| resource.attributes).unwrap_or_default();
    for raw in scopes {
        let members = Members::of(raw);
        let found = members
            .as_ref()
            .and_then(|members| members.list("logRecords", &["scope", "schemaUrl"]));
        let place = Place {
            resource,
            scope: members.as_ref().and_then(|members| members.get("scope")),
        };
        if let Some(found) = found {
            into.extend(found.into_iter().map(|raw| record(raw, place, &attributes)));
        } else {
            let place = Place {
                resource,
                scope: None,
            };
            let document = document("scopeLogs", raw, place);
            into.push(shipped(Vec::new(), document.into(), None));
        }
    }
}

fn record<'a>(raw: &'a RawValue, place: Place<'a>, of_resource: &[KeyValue<'_>]) -> Shipped<'a> {
    let read = serde_json::from_str::<LogRecord<'a>>(raw.get()).ok();
    let own = read.as_ref().map_or(&[][..], |record| &record.attributes);
    let event_name = read
        .as_ref()
        .and_then(|record| record.event_name.as_deref());
    let (own, of_all) = (text(own, SOURCE), text(of_resource, SOURCE));
    let service = text(of_resource, SERVICE);
    let labels = said([
        own.as_deref(),
        of_all.as_deref(),
        event_name,
        service.as_deref(),
    ]);
    let body = read.as_ref().and_then(|record| record.body);
    let body = body.and_then(|body| serde_json::from_str::<Text<'a>>(body.get()).ok());
    let line = body
        .map(|body| body.string_value)
        .filter(|text| is_line(text));
    let Some(text) = line else {
        return shipped(labels, document("logRecord", raw, place).into(), None);
    };
    let bytes = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    let around = Around::new(move |_| document("logRecord", raw, place));
    shipped(labels, bytes, Some(around))
}

const fn shipped<'a>(
    labels: Vec<String>,
    bytes: Cow<'a, [u8]>,
    around: Option<Around<'a>>,
) -> Shipped<'a> {
    Shipped {
        line: 0,
        labels,
        id: None,
        bytes,
        around,
    }
}

/// A log record with its resource and scope, as it is kept where nothing understands its body.
fn document(name: &str, raw: &RawValue, place: Place<'_>) -> Vec<u8> {
    let members = [
        (name, Some(raw)),
        ("resource", place.resource),
        ("scope", place.scope),
    ];
    let members = members.into_iter();
    let written = members.filter_map(|(name, value)| Some(format!("\"{name}\":{}", value?.get())));
    let written: Vec<String> = written.collect();
    format!("{{{}}}", written.join(",")).into_bytes()
}

fn text<'a>(attributes: &[KeyValue<'a>], key: &str) -> Option<Cow<'a, str>> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    let text: Text<'a> = serde_json::from_str(found.value?.get()).ok()?;
    Some(text.string_value)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(request: &Value) -> Vec<(Vec<String>, String)> {
        let request = serde_json::to_vec(request).unwrap();
        let found = records(&request).unwrap().into_iter();
        let row = |one: Shipped<'_>| {
            let bytes = match one.around {
                Some(around) => around.document(&one.bytes),
                None => one.bytes.into_owned(),
            };
            (one.labels, String::from_utf8(bytes).unwrap())
        };
        found.map(row).collect()
    }

    #[test]
    fn every_log_record_is_a_record_with_its_resource() {
        let request = json!({ "resourceLogs": [{
            "resource": { "attributes": [
                { "key": "service.name", "value": { "stringValue": "collector" } },
            ] },
            "scopeLogs": [{ "logRecords": [
                { "body": { "stringValue": "a" }, "eventName": "e" },
                { "attributes": [
                    { "key": "deedtrail.source", "value": { "stringValue": "okta.system" } },
                ] },
            ] }],
        }] });
        let found = read(&request);
        assert_eq!(found[0].0, ["e", "collector"]);
        assert_eq!(found[1].0, ["okta.system", "collector"]);
        for (_, record) in found {
            let record: Value = serde_json::from_str(&record).unwrap();
            assert_eq!(record["resource"], request["resourceLogs"][0]["resource"]);
        }
    }

    #[test]
    fn nothing_of_an_unusual_request_is_dropped() {
        for (request, kept) in [
            (
                json!({ "resourceLogs": [{ "instrumentationLibraryLogs": [{ "logRecords": ["lost"] }] }] }),
                1,
            ),
            (json!({ "resourceLogs": [{ "scope_logs": ["lost"] }] }), 1),
            (json!({ "resourceLogs": ["lost", { "x": 1 }] }), 2),
            (json!({ "resourceLogs": [], "extra": "lost" }), 1),
            (json!({ "resourceLogs": "lost" }), 1),
            (
                json!({ "resourceLogs": [{ "scopeLogs": [{ "logs": "lost" }] }] }),
                1,
            ),
            (
                json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": ["lost"], "x": 1 }] }] }),
                1,
            ),
            (
                json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": ["lost"] }] }] }),
                1,
            ),
        ] {
            let found = read(&request);
            assert_eq!(found.len(), kept, "{request}");
            assert!(
                found.iter().any(|(_, record)| record.contains("lost")),
                "{request}"
            );
        }
    }

    #[test]
    fn what_stands_twice_is_kept_twice() {
        let record = |name: &str| format!(r#"{{"body":{{"stringValue":"{name}"}}}}"#);
        let scope = |name: &str| {
            format!(
                r#"{{"logRecords":[{}],"scope":{{"name":"s"}}}}"#,
                record(name)
            )
        };
        let of = |name: &str| format!(r#"{{"scopeLogs":[{}]}}"#, scope(name));
        for (request, kept) in [
            (
                format!(
                    r#"{{"resourceLogs":[{}],"resourceLogs":[{}]}}"#,
                    of("a"),
                    of("b")
                ),
                2,
            ),
            (
                format!(
                    r#"{{"resourceLogs":[{{"scopeLogs":[{}],"scopeLogs":[{}]}}]}}"#,
                    scope("a"),
                    scope("b")
                ),
                2,
            ),
            (
                r#"{"resourceLogs":[{"resource":{"x":"a"},"resource":{"x":"b"},"scopeLogs":[]}]}"#
                    .to_owned(),
                1,
            ),
        ] {
            let records = records(request.as_bytes()).unwrap();
            assert_eq!(records.len(), kept, "{request}");
            let all: Vec<u8> = records
                .iter()
                .flat_map(|one| one.bytes.iter().copied())
                .collect();
            let all = String::from_utf8(all).unwrap();
            assert!(all.contains('a') && all.contains('b'), "{all}");
        }
        let request = format!(r#"{{"resourceLogs":[{}]}}"#, of("a"));
        let records = records(request.as_bytes()).unwrap();
        let around = records[0]
            .around
            .as_ref()
            .unwrap()
            .document(&records[0].bytes);
        let document: Value = serde_json::from_slice(&around).unwrap();
        assert_eq!(document["scope"]["name"], "s");
    }
}
