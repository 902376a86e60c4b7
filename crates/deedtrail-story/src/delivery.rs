//! Records packed the way their sources send them.

use std::collections::BTreeMap;

use deedtrail_core::time::Timestamp;

use crate::record::{Record, Source};

/// Most records in one delivery.
pub const DELIVERY_RECORDS_MAX: usize = 500;

/// What one source sends in one go.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub source: &'static str,
    /// Time of its newest record: it cannot have been sent earlier.
    pub at: Timestamp,
    /// As the vendor packs it: an OTLP export request, a `CloudTrail` file, an Okta page (array);
    /// NDJSON for all others.
    pub body: Vec<u8>,
    pub records: usize,
}

/// Packs one day: per source, in order of time, at most [`DELIVERY_RECORDS_MAX`] each.
pub(crate) fn pack(mut records: Vec<Record>) -> Vec<Delivery> {
    records.sort_by_key(|record| record.at);
    let mut by_source: BTreeMap<Source, Vec<Record>> = BTreeMap::new();
    for record in records {
        by_source.entry(record.source).or_default().push(record);
    }
    let mut deliveries: Vec<Delivery> = by_source
        .iter()
        .flat_map(|(source, records)| {
            records
                .chunks(DELIVERY_RECORDS_MAX)
                .map(|chunk| delivery(*source, chunk))
        })
        .collect();
    deliveries.sort_by_key(|delivery| delivery.at);
    deliveries
}

fn delivery(source: Source, records: &[Record]) -> Delivery {
    let newest = records.last().map_or(0, |record| record.at);
    let bytes: usize = records.iter().map(|record| record.body.len() + 1).sum();
    let mut body = String::with_capacity(bytes + 32);
    let (open, between, close) = match source {
        Source::GenAi => (r#"{"resourceSpans":["#, ",", "]}"),
        Source::CloudTrail => (r#"{"Records":["#, ",", "]}"),
        Source::Okta => ("[", ",", "]"),
        _ => ("", "\n", "\n"),
    };
    body.push_str(open);
    for (place, record) in records.iter().enumerate() {
        if place > 0 {
            body.push_str(between);
        }
        body.push_str(&record.body);
    }
    body.push_str(close);
    Delivery {
        source: source.name(),
        at: Timestamp::from_micros(newest),
        body: body.into_bytes(),
        records: records.len(),
    }
}
