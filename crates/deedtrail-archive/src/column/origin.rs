//! Where it came from on the network, how the row was made, what else the record says.

use super::{Column, Kind, column};

pub(super) const COLUMNS: &[Column] = &[
    column!(
        Kind::Integer,
        src_asn = mapped.src_asn,
        "AS number",
        "Autonomous system of the source address, from the file the operator supplies.",
        "src_endpoint.autonomous_system.number",
        "source.as.number"
    ),
    column!(
        Kind::Text,
        src_country = mapped.src_country,
        "ISO 3166-1 alpha-2",
        "Country of the source address, from the file the operator supplies.",
        "src_endpoint.location.country",
        "source.geo.country_iso_code"
    ),
    column!(
        Kind::Integer,
        src_port = mapped.src_port,
        "",
        "Source port.",
        "src_endpoint.port",
        "source.port"
    ),
    column!(
        Kind::Text,
        user_agent = mapped.user_agent,
        "",
        "User agent as sent.",
        "http_request.user_agent",
        "user_agent.original"
    ),
    column!(
        Kind::Text,
        client_fingerprint = mapped.client_fingerprint,
        "",
        "Fingerprint of the client (JA4 and the like).",
        "tls.ja4_fingerprint_list",
        "tls.client.ja3"
    ),
    column!(
        Kind::Text,
        trace_uid = mapped.trace_uid,
        "",
        "OpenTelemetry trace.",
        "trace.uid",
        "trace.id"
    ),
    column!(
        Kind::Text,
        span_uid = mapped.span_uid,
        "",
        "OpenTelemetry span.",
        "trace.span.uid",
        "span.id"
    ),
    column!(
        Kind::Text,
        parent_uid = mapped.parent_uid,
        "",
        "The span's parent.",
        "trace.span.parent_uid",
        ""
    ),
    column!(
        Kind::Structs(&["key", "value"]),
        labels = mapped.labels,
        "",
        "The operator's own labels.",
        "metadata.labels",
        "labels"
    ),
    column!(
        Kind::Texts,
        unmapped = mapped.unmapped,
        "JSON paths",
        "Fields of the raw record that the mapping did not use.",
        "unmapped",
        ""
    ),
    column!(
        Kind::Text,
        log_origin = log_origin,
        "",
        "The evidence log the record is in.",
        "metadata.log_name",
        ""
    ),
    column!(
        Kind::Integer,
        ordinal = ordinal,
        "",
        "Place within the record, when one record yields several events.",
        "",
        ""
    ),
    column!(
        Kind::Text,
        source_uid = source_uid,
        "",
        "The vendor's own id of the record.",
        "metadata.original_event_uid",
        ""
    ),
    column!(
        Kind::Text,
        mapping_version = mapping_version,
        "hex",
        "Hash of the mapping that made this row.",
        "",
        ""
    ),
    column!(
        Kind::Enum,
        time_quality = time_quality,
        "",
        "vendor, receipt, or suspicious (more than 24 h ahead of our clock: ordered by receipt).",
        "",
        ""
    ),
    column!(
        Kind::Boolean,
        id_conflict = id_conflict,
        "",
        "Same vendor id as an earlier record, other content.",
        "",
        ""
    ),
    column!(
        Kind::Enum,
        evidence_grade = evidence_grade,
        "",
        "A to D: which of identity, time, action, target, outcome and source id are there.",
        "",
        ""
    ),
];
