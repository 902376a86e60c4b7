//! A mapper of six sources whose records are JSON lines `{"id":…,"operation":…}`.

use std::borrow::Cow;
use std::ops::Range;

use deedtrail_core::event::{Alias, MappedEvent, OutcomeClass};
use deedtrail_core::id::SourceName;
use deedtrail_core::limits::{RECORD_BYTES_MAX, REQUEST_BYTES_MAX};
use deedtrail_core::mapping::{FieldPaths, MapError, MappedRecord};
use deedtrail_core::port::log::PartClass;
use deedtrail_core::port::mapper::{Encoding, FrameError, Framed, Mapper, SourceFacts};

/// Names and titles of the sources that exist.
const SOURCES: [(&str, &str, &str); 6] = [
    ("aws.cloudtrail", "AWS CloudTrail", "control"),
    ("github.audit", "GitHub audit log", "application"),
    ("hashicorp.vault", "HashiCorp Vault audit device", "data"),
    ("okta.system", "Okta System Log", "identity_provider"),
    ("otel.genai", "OpenTelemetry GenAI spans", "agent"),
    ("proofpoint.tap", "Proofpoint TAP clicks", "mail"),
];

/// Where the records of samples hold what: canonical field, JSON pointer, path as shown.
const PLACES: [(&str, &str, &str); 9] = [
    ("time", "/eventTime", "eventTime"),
    ("operation", "/eventName", "eventName"),
    ("operation", "/operation", "operation"),
    ("actor_ref", "/actor/id", "actor.id"),
    ("actor_name", "/actor/displayName", "actor.displayName"),
    ("actor_aliases", "/actor/id", "actor.id"),
    ("target_name", "/target", "target"),
    ("outcome", "/outcome", "outcome"),
    ("src_ip", "/sourceIPAddress", "sourceIPAddress"),
];

/// A line that stands for a record over the limit.
const OVER_LIMIT: &[u8] = b"over the limit";

/// Knows six sources and reads one simple record format for all of them.
#[derive(Debug, Default)]
pub struct FakeMapper;

impl FakeMapper {
    fn known(source: &SourceName) -> bool {
        SOURCES.iter().any(|(name, _, _)| *name == source.as_str())
    }
}

impl Mapper for FakeMapper {
    fn sources(&self) -> Vec<SourceFacts> {
        let facts = |(name, title, plane): &(&str, &str, &str)| {
            Some(SourceFacts {
                name: SourceName::new(name).ok()?,
                title: (*title).to_owned(),
                sigma: Vec::new(),
                mapping_version: "f".repeat(64),
                planes: vec![(*plane).to_owned()],
                system: None,
                field_aliases: Vec::new(),
            })
        };
        SOURCES.iter().filter_map(facts).collect()
    }

    fn frame<'a>(
        &self,
        source: &SourceName,
        encoding: Encoding,
        body: &'a [u8],
    ) -> Result<Vec<Framed<'a>>, FrameError> {
        if !Self::known(source) {
            return Err(FrameError::UnknownSource(source.to_string()));
        }
        plain_only(encoding)?;
        if body.len() > REQUEST_BYTES_MAX {
            return Err(FrameError::TooLarge {
                limit_bytes: REQUEST_BYTES_MAX,
            });
        }
        let lines = lines(body);
        match lines.iter().find(|line| *line.bytes == *OVER_LIMIT) {
            Some(Framed { line, .. }) => Err(FrameError::RecordTooLarge {
                line: *line,
                limit_bytes: RECORD_BYTES_MAX,
            }),
            None => Ok(lines),
        }
    }

    fn unpack<'a>(&self, encoding: Encoding, body: &'a [u8]) -> Result<Cow<'a, [u8]>, FrameError> {
        plain_only(encoding)?;
        Ok(Cow::Borrowed(body))
    }

    fn pieces<'a>(&self, body: &'a [u8]) -> Result<Vec<Framed<'a>>, FrameError> {
        Ok(lines(body))
    }

    fn recognize(&self, labels: &[&str], record: &[u8]) -> Option<SourceName> {
        let value = parse(record).unwrap_or_default();
        let told = value.get("told").and_then(|value| value.as_str());
        let names = labels.iter().copied().chain(told);
        let mut names = names.filter_map(|name| SourceName::new(name).ok());
        names.find(Self::known)
    }

    fn map(&self, source: &SourceName, record: &[u8]) -> Result<MappedRecord, MapError> {
        let value = parse(record)?;
        let text = |name: &str| value.get(name).and_then(|v| v.as_str());
        let event = MappedEvent {
            system: source.as_str().into(),
            operation: text("operation").unwrap_or_default().into(),
            actor_aliases: text("actor")
                .map(|value| Alias {
                    namespace: "email".into(),
                    value: value.into(),
                })
                .into_iter()
                .collect(),
            outcome: OutcomeClass::Success,
            meaningful: true,
            ..MappedEvent::default()
        };
        Ok(MappedRecord {
            number: None,
            source_uid: text("id").map(Into::into),
            mapping_version: "f".repeat(64).into(),
            events: vec![event],
        })
    }

    fn provenance(&self, _: &SourceName, record: &[u8]) -> Result<Vec<FieldPaths>, MapError> {
        let value = parse(record)?;
        let there = PLACES
            .iter()
            .filter(|(_, pointer, _)| value.pointer(pointer).is_some_and(|v| !v.is_null()));
        let rows = there.map(|(field, _, path)| ((*field).to_owned(), (*path).to_owned()));
        Ok(vec![rows.collect()])
    }

    /// Texts of members called `password` are secrets, those called `arguments` tool arguments.
    fn sensitive(&self, record: &[u8]) -> Vec<(Range<usize>, PartClass)> {
        let Ok(text) = std::str::from_utf8(record) else {
            return Vec::new();
        };
        let keys = [
            ("\"password\":\"", PartClass::Secret),
            ("\"arguments\":\"", PartClass::ToolArguments),
        ];
        let found = keys.into_iter().flat_map(|(key, class)| {
            text.match_indices(key).filter_map(move |(at, _)| {
                let start = at + key.len();
                let length = text.get(start..)?.find('"')?;
                Some((start..start + length, class))
            })
        });
        let mut ranges: Vec<_> = found.filter(|(range, _)| !range.is_empty()).collect();
        ranges.sort_by_key(|(range, _)| range.start);
        ranges
    }
}

fn plain_only(encoding: Encoding) -> Result<(), FrameError> {
    let reason = "the fake reads plain bodies only";
    match encoding {
        Encoding::Identity => Ok(()),
        _ => Err(FrameError::Compression(reason.to_owned())),
    }
}

fn lines(body: &[u8]) -> Vec<Framed<'_>> {
    let lines = body.split(|byte| *byte == b'\n').zip(1..);
    lines
        .filter(|(line, _)| !line.trim_ascii().is_empty())
        .map(|(bytes, line)| Framed {
            line,
            bytes: Cow::Borrowed(bytes),
        })
        .collect()
}

fn parse(record: &[u8]) -> Result<serde_json::Value, MapError> {
    serde_json::from_slice(record).map_err(|error| MapError::NotJson {
        offset: error.column(),
        detail: error.to_string(),
    })
}
