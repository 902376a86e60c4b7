//! From a collector's body to records.

use deedtrail_app::intake::Shipped;
use deedtrail_core::port::mapper::{Encoding, FrameError, Mapper};
use serde::Deserialize;

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
struct Envelope {
    sourcetype: Option<String>,
    source: Option<String>,
    index: Option<String>,
}

/// Records of `/services/collector/event`, in their envelopes.
pub(super) fn events<'a>(
    mapper: &dyn Mapper,
    body: &'a [u8],
    said: &Said,
) -> Result<Vec<Shipped<'a>>, FrameError> {
    let pieces = mapper.pieces(body)?;
    let records = pieces.into_iter().map(|piece| {
        let labels = labels(&piece.bytes, said);
        Shipped::labelled(piece, labels)
    });
    Ok(records.collect())
}

fn labels(piece: &[u8], said: &Said) -> Vec<String> {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(piece) else {
        return said.labels();
    };
    let own = [
        envelope.sourcetype.as_ref().or(said.sourcetype.as_ref()),
        envelope.source.as_ref().or(said.source.as_ref()),
        envelope.index.as_ref().or(said.index.as_ref()),
    ];
    own.into_iter().flatten().cloned().collect()
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
            assert_eq!(labels(piece.as_bytes(), &said), expected, "{piece}");
        }
    }
}
