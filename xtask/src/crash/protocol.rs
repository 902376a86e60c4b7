//! How the clients send.

use std::path::Path;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::server::{Server, agent, answered};

use super::relp::Session;

const SECRET: &str = "signs-what-is-sent-while-servers-die";

/// A configuration with a webhook and a listener.
pub(super) fn settings(folder: &Path) -> std::io::Result<String> {
    let secret = folder.join("webhook.secret");
    std::fs::write(&secret, SECRET)?;
    #[cfg(unix)]
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let settings = "[webhooks.crash]\nscheme = \"github\"\nsource = \"aws.cloudtrail\"\n\
                    secret_file = \"webhook.secret\"\n\
                    [listeners.crash]\nprotocol = \"relp\"\nlisten = \"127.0.0.1:0\"\n";
    Ok(settings.to_owned())
}

/// Where the server is.
#[derive(Clone, Debug)]
pub(super) struct Line {
    address: String,
    relp: Option<u16>,
    pub(super) token: String,
}

impl Line {
    pub(super) fn to(server: &Server, token: &str) -> Self {
        Self {
            address: server.address.clone(),
            relp: server.ports.get("crash").copied(),
            token: token.to_owned(),
        }
    }
}

/// One client's way of sending.
pub(super) struct Sender {
    protocol: Protocol,
    agent: ureq::Agent,
    session: Option<Session>,
    silence_max: Duration,
}

impl Sender {
    pub(super) fn new(protocol: Protocol, silence_max: Duration) -> Self {
        Self {
            protocol,
            agent: agent(silence_max),
            session: None,
            silence_max,
        }
    }

    /// Status of the answer; `None` when there was none.
    pub(super) fn send(&mut self, line: &Line, records: &[&str]) -> Option<u16> {
        if let Protocol::Relp = self.protocol {
            return self.send_relp(line.relp?, records).ok().map(|()| 200);
        }
        let body = self.protocol.body(records);
        let address = format!("http://{}{}", line.address, self.protocol.path());
        let mut request = self.agent.post(address);
        for (name, value) in self.protocol.headers(&line.token, &body) {
            request = request.header(name, value);
        }
        answered(request.send(body)).map(|(status, _)| status)
    }

    fn send_relp(&mut self, port: u16, records: &[&str]) -> std::io::Result<()> {
        let session = self.session.take().filter(|session| session.leads_to(port));
        let mut session = match session {
            Some(session) => session,
            None => Session::open(port, self.silence_max)?,
        };
        session.send(records)?;
        self.session = Some(session);
        Ok(())
    }
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
    /// rsyslog's own, over TCP.
    Relp,
}

impl Protocol {
    pub(super) fn of(client: u64) -> Self {
        match client % 7 {
            0 => Self::Own,
            1 => Self::Collector,
            2 => Self::Bulk,
            3 => Self::Logs,
            4 => Self::CloudEvents,
            5 => Self::Webhook,
            _ => Self::Relp,
        }
    }

    /// Whether a record without an id is known again by its content alone, in another delivery too.
    /// An event of `CloudEvents` has the id of its envelope; a connection may say the same thing twice.
    pub(super) const fn knows_contents(self) -> bool {
        !matches!(self, Self::CloudEvents | Self::Relp)
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Own => "/v1/ingest/aws.cloudtrail",
            Self::Collector => "/services/collector/event",
            Self::Bulk => "/aws.cloudtrail/_bulk",
            Self::Logs => "/v1/logs",
            Self::CloudEvents => "/v1/cloudevents",
            Self::Webhook => "/v1/webhooks/crash",
            Self::Relp => "",
        }
    }

    pub(super) fn headers(self, token: &str, body: &str) -> Vec<(&'static str, String)> {
        let kind = match self {
            Self::CloudEvents => "application/cloudevents-batch+json",
            Self::Own | Self::Bulk | Self::Relp => "application/x-ndjson",
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
            Self::Own | Self::Relp => records.join("\n"),
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
