//! What goes wrong between a vendor and us on the story's last day: lines cut short, a record sent
//! to another's address, a batch sent twice.

use deedtrail_core::time::Timestamp;

use crate::delivery::Delivery;
use crate::rhythm::{DAY, HOUR};

/// Lines that Vault's audit device wrote while its disk was full.
const CUT_SHORT: &str = r#"{"time":"2026-01-01T03:12:09Z","type":"request","auth":{"entity_id":"6f1e","display_name":"ap
{"time":"2026-01-01T03:12:09Z","type":"response","auth":{"entity_id":"6f1e"},"request":{"id":"c2
{"time":"2026-01-01T03:12:11Z","type":"requ
"#;

/// A proxy that adds a field which is there already.
const TWICE: &str = r#"{"_document_id":"broken-1","action":"repo.access","actor":"rosa.lind","actor":"proxy","org":"harbor"}
"#;

/// A record of another vendor, sent to the address of the identity provider's log.
const ASTRAY: &str = r#"{"eventVersion":"1.11","eventID":"astray-1","eventName":"ListBuckets","eventSource":"s3.amazonaws.com","awsRegion":"eu-central-1"}
"#;

/// Deliveries of the day before `anchor_day` of which records are not understood.
pub(crate) fn broken(anchor_day: i64) -> Vec<Delivery> {
    let broken = [
        ("vault.audit", 3, CUT_SHORT),
        ("github.audit", 9, TWICE),
        ("okta.system", 14, ASTRAY),
    ];
    let delivery = |(source, hour, body): (&'static str, i64, &str)| Delivery {
        source,
        at: Timestamp::from_micros((anchor_day - 1) * DAY + hour * HOUR),
        body: body.as_bytes().to_vec(),
        records: body.lines().count(),
    };
    broken.map(delivery).into()
}
