//! Whatever a shipper sends: it is refused, or every record of it is stored.

use axum::http::StatusCode;
use deedtrail_core::port::store::Scope;
use deedtrail_testkit::sample::Sample;
use proptest::prelude::*;
use tokio::runtime::Builder;

use crate::caller::{Caller, with_headers};

const ADDRESSES: [(&str, &str); 5] = [
    ("/services/collector/event", "application/json"),
    (
        "/services/collector/raw?sourcetype=okta.system",
        "text/plain",
    ),
    ("/_bulk", "application/x-ndjson"),
    ("/v1/logs", "application/json"),
    ("/v1/logs", "application/x-protobuf"),
];

/// Pieces of bodies, whole and broken.
const PIECES: [&str; 22] = [
    "{\"event\":{\"id\":\"1\"},\"sourcetype\":\"okta.system\"}",
    "{\"event\":\"words\"}",
    "{\"event\":",
    "{\"index\":{\"_index\":\"okta.system\",\"_id\":\"1\"}}",
    "{\"create\":{}}",
    "{\"delete\":{\"_id\":\"1\"}}",
    "{\"update\":{}}",
    "{\"id\":\"1\",\"operation\":\"x\"}",
    "{\"message\":\"{\\\"id\\\":\\\"2\\\"}\"}",
    "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[",
    "{\"body\":{\"stringValue\":\"{\\\"a\\\":1}\"}}",
    "{\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"intValue\":\"9e99\"}}]}}}",
    "]}]}]}",
    ",",
    "\n",
    "\r\n",
    " ",
    "\u{0}",
    "\u{fffd}",
    "[",
    "\u{a}\u{12}\u{8}",
    "\"",
];

fn body() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn records_are_stored_or_refused(body in body()) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for (address, kind) in ADDRESSES {
                let caller = Caller::new(Sample::empty());
                let authorization = format!("Bearer {}", caller.token(&[Scope::Ingest]));
                let headers = [
                    ("authorization", authorization.as_str()),
                    ("content-type", kind),
                ];
                let request = with_headers("POST", address, &headers, body.clone());
                let answer = caller.send(request).await;
                let entries = caller.app.ports.log.read(0, usize::MAX).unwrap();
                let stored = entries.iter().filter(|one| one.entry.source.is_some()).count();
                match answer.status {
                    StatusCode::OK if kind == "application/x-protobuf" || address == "/v1/logs" => {}
                    StatusCode::OK => {
                        let counts = &answer.json()["deedtrail"];
                        let count = |name: &str| counts[name].as_u64().unwrap();
                        let sum = count("accepted") + count("conflicts") + count("quarantined");
                        prop_assert_eq!(sum, stored as u64);
                        prop_assert_eq!(sum + count("duplicates"), count("records"));
                    }
                    status => {
                        prop_assert_eq!(status, StatusCode::BAD_REQUEST, "{}", address);
                        prop_assert_eq!(stored, 0);
                    }
                }
            }
            Ok(())
        })?;
    }
}
