//! Which rule fields depend on what a source tells.

/// Fields of mappings of which a source has to tell at least one for a rule field to be filled; none
/// for a field that is filled, or not, whatever the source.
pub fn told_as(field: &str) -> &'static [&'static str] {
    match field {
        "actor_aliases" | "actor_name" | "actor_ref" => &["actor"],
        "target_aliases"
        | "target_kind"
        | "target_name"
        | "target_ref"
        | "first_time_target"
        | "first_time_target_kind" => &["target"],
        "policy_allowed" => &["policy_decision"],
        "tool_argument_provenance" => &["tool_arguments"],
        "url_domain" => &["url_domain", "url"],
        "credential_age_days" | "credential_days_since_rotation" | "credential_days_since_use" => {
            &["credential_ref"]
        }
        "account" => &["account"],
        "approver" => &["approver"],
        "audience_count" => &["audience_count"],
        "bytes_out" => &["bytes_out"],
        "change_ticket" => &["change_ticket"],
        "client_fingerprint" => &["client_fingerprint"],
        "command" => &["command"],
        "credential_kind" => &["credential_kind"],
        "credential_ref" => &["credential_ref"],
        "device_trust" => &["device_trust"],
        "duration_ms" => &["duration_ms"],
        "object_count" => &["object_count"],
        "outcome_detail" => &["outcome_detail"],
        "permission" => &["permission"],
        "session_ref" => &["session_ref"],
        "src_asn" | "asn_seen_before" => &["src_asn"],
        "src_country" | "country_seen_before" => &["src_country"],
        "src_ip" | "network_seen_before" => &["src_ip"],
        "threat" => &["threat"],
        "user_agent" => &["user_agent"],
        "verdict" => &["verdict"],
        "verdict_detail" => &["verdict_detail"],
        "workload" => &["workload"],
        _ => &[],
    }
}
