//! From a collector's body to records.

use std::borrow::Cow;

use deedtrail_app::intake::Shipped;
use deedtrail_core::port::mapper::{Encoding, FrameError, Framed, Mapper};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What the address says about events that do not say it themselves.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Said {
    sourcetype: Option<String>,
    source: Option<String>,
    index: Option<String>,
}

impl Said {
    pub(super) fn labels(&self) -> Vec<String> {
        let said = [&self.sourcetype, &self.source, &self.index];
        said.into_iter().flatten().cloned().collect()
    }
}

/// Envelope of an event: <https://help.splunk.com/en/data-management/collect-http-event-data>.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    sourcetype: Option<String>,
    source: Option<String>,
    index: Option<String>,
}

/// Records of `/services/collector/event`. What is not an envelope with an event comes out as a
/// record as it is, for quarantine.
pub(super) fn events<'a>(
    mapper: &dyn Mapper,
    body: &'a [u8],
    said: &Said,
) -> Result<Vec<Shipped<'a>>, FrameError> {
    let pieces = mapper.pieces(body)?;
    let records = pieces.into_iter().map(|Framed { line, bytes }| {
        let (labels, event) = match open(&bytes, said) {
            Some((labels, event)) => (labels, Some(event)),
            None => (said.labels(), None),
        };
        Shipped {
            line,
            labels,
            id: None,
            bytes: event.map_or(bytes, Cow::Owned),
        }
    });
    Ok(records.collect())
}

/// Labels and record of one envelope.
fn open(piece: &[u8], said: &Said) -> Option<(Vec<String>, Vec<u8>)> {
    let envelope: Envelope<'_> = serde_json::from_slice(piece).ok()?;
    let own = [
        envelope.sourcetype.as_ref().or(said.sourcetype.as_ref()),
        envelope.source.as_ref().or(said.source.as_ref()),
        envelope.index.as_ref().or(said.index.as_ref()),
    ];
    let labels = own.into_iter().flatten().cloned().collect();
    let event = envelope.event.get();
    if event.starts_with('"') {
        let text: String = serde_json::from_str(event).ok()?;
        return (!text.trim().is_empty()).then(|| (labels, text.into_bytes()));
    }
    if event == "null" {
        return None;
    }
    Some((labels, event.as_bytes().to_vec()))
}

/// Records of `/services/collector/raw`: framed as those of the source that the address names, if
/// it names one.
pub(super) fn raw<'a>(
    mapper: &dyn Mapper,
    body: &'a [u8],
    said: &Said,
) -> Result<Vec<Shipped<'a>>, FrameError> {
    let labels = said.labels();
    let names: Vec<&str> = labels.iter().map(String::as_str).collect();
    let pieces = match mapper.recognize(&names, b"") {
        Some(source) => mapper.frame(&source, Encoding::Identity, body)?,
        None => mapper.pieces(body)?,
    };
    let records = pieces.into_iter().map(|Framed { line, bytes }| Shipped {
        line,
        labels: labels.clone(),
        id: None,
        bytes,
    });
    Ok(records.collect())
}

#[cfg(test)]
mod tests {
    use deedtrail_testkit::FakeMapper;

    use super::*;

    fn opened(body: &str, said: &Said) -> Vec<(Vec<String>, String)> {
        let records = events(&FakeMapper, body.as_bytes(), said).unwrap();
        records
            .into_iter()
            .map(|one| {
                let text = String::from_utf8(one.bytes.into_owned()).unwrap();
                (one.labels, text)
            })
            .collect()
    }

    #[test]
    fn an_event_is_taken_out_of_its_envelope_as_it_was_written() {
        let said = Said {
            sourcetype: Some("aws:cloudtrail".to_owned()),
            ..Said::default()
        };
        for (body, labels, record) in [
            (
                r#"{"time":1,"event":{"a": 1.50},"host":"h"}"#,
                &["aws:cloudtrail"][..],
                r#"{"a": 1.50}"#,
            ),
            (
                r#"{"sourcetype":"x","source":"y","index":"z","event":"{\"a\":1}"}"#,
                &["x", "y", "z"],
                r#"{"a":1}"#,
            ),
        ] {
            let labels = labels.iter().map(ToString::to_string).collect();
            assert_eq!(opened(body, &said), [(labels, record.to_owned())], "{body}");
        }
    }

    #[test]
    fn what_holds_no_event_stays_as_it_is() {
        for body in [
            "{\"event\":\"\"}",
            "{\"event\":null}",
            "{\"sourcetype\":\"x\"}",
            "{\"event\":1",
            "{\"event\":{},\"sourcetype\":7}",
            "{\"event\":{},\"event\":{}}",
            "text",
        ] {
            assert_eq!(
                opened(body, &Said::default()),
                [(vec![], body.to_owned())],
                "{body}"
            );
        }
    }
}
