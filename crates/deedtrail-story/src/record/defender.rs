//! Defender for Office 365 `UrlClickEvents` rows.

use serde_json::{Value, json};

use super::utc_text;
use crate::chance::Chance;
use crate::organisation::{ENTRA_TENANT, Person};

#[derive(Clone, Debug)]
pub(crate) struct Click<'a> {
    pub(crate) person: &'a Person,
    pub(crate) url: &'a str,
    /// `Email`, `Teams` or `Office`.
    pub(crate) workload: &'static str,
    pub(crate) ip: &'a str,
    /// `ClickAllowed`, `ClickBlocked`, `ClickBlockedByTenantPolicy` …
    pub(crate) action: &'static str,
    pub(crate) clicked_through: bool,
    /// `Phish`, `Malware` or empty.
    pub(crate) threat: &'static str,
    /// The message that carried the link.
    pub(crate) message: &'a str,
}

pub(crate) fn row(at: i64, click: &Click<'_>, chance: &mut Chance) -> Value {
    json!({
        "TimeGenerated": utc_text(at, 7),
        "Timestamp": utc_text(at, 7),
        "Url": click.url,
        "UrlChain": serde_json::to_string(&[click.url]).unwrap_or_default(),
        "ActionType": click.action,
        "AccountUpn": click.person.email(),
        "Workload": click.workload,
        "AppName": if click.workload == "Email" { "Outlook" } else { click.workload },
        "AppVersion": "16.0",
        "NetworkMessageId": click.message,
        "IPAddress": click.ip,
        "ThreatTypes": click.threat,
        "DetectionMethods": if click.threat.is_empty() { "" } else { "URL detonation reputation" },
        "IsClickedThrough": click.clicked_through,
        "ReportId": chance.uuid(),
        "SourceId": "SafeLinks",
        "SourceSystem": "Azure",
        "TenantId": ENTRA_TENANT,
        "Type": "UrlClickEvents"
    })
}
