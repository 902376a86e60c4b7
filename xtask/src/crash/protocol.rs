//! How the clients send.

use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Name of the server's configuration file.
pub(super) const CONFIGURATION: &str = "deedtrail.toml";
const SECRET: &str = "signs-what-is-sent-while-servers-die";

/// Writes a configuration with a webhook.
pub(super) fn configure(folder: &Path) -> std::io::Result<()> {
    let secret = folder.join("webhook.secret");
    std::fs::write(&secret, SECRET)?;
    #[cfg(unix)]
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let settings = "[webhooks.crash]\nscheme = \"github\"\nsource = \"aws.cloudtrail\"\n\
                    secret_file = \"webhook.secret\"\n";
    std::fs::write(folder.join(CONFIGURATION), settings)
}

/// What a client speaks.
#[derive(Clone, Copy)]
pub(super) enum Protocol {
    Own,
    /// Splunk's HTTP Event Collector.
    Collector,
    /// Elasticsearch's bulk interface.
    Bulk,
    /// OpenTelemetry's logs.
    Logs,
    CloudEvents,
    /// Signed by the sender.
    Webhook,
}

impl Protocol {
    pub(super) fn of(client: u64) -> Self {
        match client % 6 {
            0 => Self::Own,
            1 => Self::Collector,
            2 => Self::Bulk,
            3 => Self::Logs,
            4 => Self::CloudEvents,
            _ => Self::Webhook,
        }
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Own => "/v1/ingest/aws.cloudtrail",
            Self::Collector => "/services/collector/event",
            Self::Bulk => "/aws.cloudtrail/_bulk",
            Self::Logs => "/v1/logs",
            Self::CloudEvents => "/v1/cloudevents",
            Self::Webhook => "/v1/webhooks/crash",
        }
    }

    pub(super) fn headers(self, token: &str, body: &str) -> Vec<(&'static str, String)> {
        let kind = match self {
            Self::CloudEvents => "application/cloudevents-batch+json",
            Self::Own | Self::Bulk => "application/x-ndjson",
            Self::Collector | Self::Logs | Self::Webhook => "application/json",
        };
        let access = match self {
            Self::Webhook => ("X-Hub-Signature-256", signature(body)),
            _ => ("Authorization", format!("Bearer {token}")),
        };
        vec![("Content-Type", kind.to_owned()), access]
    }

    pub(super) fn body(self, records: &[&str]) -> String {
        match self {
            Self::Own => records.join("\n"),
            Self::Collector => joined(records, "\n", |record| {
                format!("{{\"sourcetype\":\"aws:cloudtrail\",\"event\":{record}}}")
            }),
            Self::Bulk => {
                let body = joined(records, "\n", |record| {
                    format!("{{\"create\":{{}}}}\n{record}")
                });
                body + "\n"
            }
            Self::Logs => {
                let records = joined(records, ",", |record| {
                    let text = serde_json::Value::from(record);
                    format!(
                        "{{\"body\":{{\"stringValue\":{text}}},\"eventName\":\"aws.cloudtrail\"}}"
                    )
                });
                format!("{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{records}]}}]}}]}}")
            }
            Self::CloudEvents => {
                let events = joined(records, ",", |record| {
                    format!(
                        "{{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/crash\",\
                         \"type\":\"aws.cloudtrail\",\"data\":{record}}}"
                    )
                });
                format!("[{events}]")
            }
            Self::Webhook => format!("{{\"Records\":[{}]}}", records.join(",")),
        }
    }
}

fn joined(records: &[&str], between: &str, one: impl Fn(&str) -> String) -> String {
    let parts: Vec<String> = records.iter().map(|record| one(record)).collect();
    parts.join(between)
}

/// As GitHub signs: HMAC-SHA-256 of the body, hex.
fn signature(body: &str) -> String {
    // A key of any length is a key.
    let signed = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).map(|mut mac| {
        mac.update(body.as_bytes());
        mac.finalize().into_bytes()
    });
    let bytes = signed.iter().flatten();
    let hex = bytes.map(|byte| format!("{byte:02x}"));
    format!("sha256={}", hex.collect::<String>())
}
