//! Records in the vendors' own formats, one module per source.

pub(crate) mod cloudtrail;
pub(crate) mod defender;
pub(crate) mod entra;
pub(crate) mod genai;
pub(crate) mod github_audit;
pub(crate) mod github_webhook;
pub(crate) mod kubernetes;
pub(crate) mod m365;
pub(crate) mod okta;
pub(crate) mod vault;

use serde_json::Value;

/// Where a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Okta,
    CloudTrail,
    GitHubAudit,
    GitHubWebhook,
    Kubernetes,
    Vault,
    Entra,
    M365,
    Defender,
    GenAi,
}

impl Source {
    /// The product's name of the source.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Okta => "okta.system",
            Self::CloudTrail => "aws.cloudtrail",
            Self::GitHubAudit => "github.audit",
            Self::GitHubWebhook => "github.webhook",
            Self::Kubernetes => "kubernetes.audit",
            Self::Vault => "vault.audit",
            Self::Entra => "entra.signin",
            Self::M365 => "m365.audit",
            Self::Defender => "m365_defender.url_click_events",
            Self::GenAi => "otel.genai",
        }
    }
}

/// One vendor record with its time.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Microseconds since the Unix epoch.
    pub(crate) at: i64,
    pub(crate) source: Source,
    /// JSON without line breaks.
    pub(crate) body: String,
}

impl Record {
    pub(crate) fn new(at: i64, source: Source, body: &Value) -> Self {
        Self {
            at,
            source,
            body: body.to_string(),
        }
    }
}

/// `2026-11-18T14:02:11.512Z`: UTC with `digits` digits of the second and a Z.
fn utc_text(at: i64, digits: usize) -> String {
    jiff::Timestamp::from_microsecond(at)
        .map(|at| format!("{at:.digits$}"))
        .unwrap_or_default()
}

/// The parts as one text; `json!` does not take a method call on an array literal.
fn joined(parts: &[&str]) -> String {
    parts.concat()
}
