//! From a collector's body to records.

use std::borrow::Cow;

use deedtrail_app::intake::{Around, Shipped};
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

/// What an envelope says about its event:
/// <https://help.splunk.com/en/data-management/collect-http-event-data>.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    sourcetype: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    index: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
}

/// Records of `/services/collector/event`, in their envelopes.
pub(super) fn events<'a>(
    mapper: &dyn Mapper,
    body: &'a [u8],
    said: &Said,
) -> Result<Vec<Shipped<'a>>, FrameError> {
    let pieces = mapper.pieces(body)?;
    let records = pieces.into_iter();
    Ok(records.map(|piece| record(piece, said)).collect())
}

/// An event that is an object is the record.
fn record<'a>(piece: Framed<'a>, said: &Said) -> Shipped<'a> {
    let Cow::Borrowed(bytes) = piece.bytes else {
        let labels = labels(read(&piece.bytes).as_ref(), said);
        return Shipped::labelled(piece, labels);
    };
    let envelope = read(bytes);
    let labels = labels(envelope.as_ref(), said);
    let event = envelope.and_then(|envelope| envelope.event);
    match event.filter(|event| event.get().starts_with('{')) {
        Some(event) => Shipped {
            line: piece.line,
            labels,
            id: None,
            bytes: Cow::Borrowed(event.get().as_bytes()),
            around: Some(Around::new(|_| bytes.to_vec())),
        },
        None => Shipped::labelled(piece, labels),
    }
}

fn read(piece: &[u8]) -> Option<Envelope<'_>> {
    serde_json::from_slice(piece).ok()
}

fn labels(envelope: Option<&Envelope<'_>>, said: &Said) -> Vec<String> {
    let Some(envelope) = envelope else {
        return said.labels();
    };
    let own = [
        (&envelope.sourcetype, &said.sourcetype),
        (&envelope.source, &said.source),
        (&envelope.index, &said.index),
    ];
    let own = own
        .into_iter()
        .filter_map(|(own, said)| own.as_deref().or(said.as_deref()));
    own.map(str::to_owned).collect()
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
    let records = pieces.into_iter();
    let records = records.map(|piece| Shipped::labelled(piece, labels.clone()));
    Ok(records.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_labelled_by_itself_or_by_the_address() {
        let said = Said {
            sourcetype: Some("aws:cloudtrail".to_owned()),
            ..Said::default()
        };
        for (piece, expected) in [
            (
                r#"{"time":1,"event":{},"host":"h"}"#,
                &["aws:cloudtrail"][..],
            ),
            (
                r#"{"sourcetype":"x","source":"y","index":"z","event":{}}"#,
                &["x", "y", "z"],
            ),
            (r#"{"sourcetype":7,"event":{}}"#, &["aws:cloudtrail"]),
            ("text", &["aws:cloudtrail"]),
        ] {
            assert_eq!(
                labels(read(piece.as_bytes()).as_ref(), &said),
                expected,
                "{piece}"
            );
        }
    }
}
