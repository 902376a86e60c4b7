//! Webhooks: vendors that push records and sign them with a shared secret instead of a token.

mod challenge;
mod signature;

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use deedtrail_core::Text;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::mapper::{Encoding, Framed};
use deedtrail_core::port::store::Scope;
use serde::{Deserialize, Serialize};

use crate::App;
use crate::access::Principal;
use crate::intake::{IngestAnswer, IngestError, Shipped};

pub use challenge::Challenge;
pub use signature::BadSignature;

/// Longest name of a webhook that is repeated, characters.
const NAME_CHARS_MAX: usize = 64;
const NO_WEBHOOK: &str = "the configuration has none of this name";
/// Shortest secret, bytes.
pub const SECRET_BYTES_MIN: usize = 16;

/// How a vendor signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// `X-Hub-Signature-256`: GitHub, Gitea, and others that copied it.
    Github,
    /// `Authorization` holds the secret: Okta event hooks.
    Okta,
    /// `X-Slack-Signature` over version, time and body: Slack's Events API.
    Slack,
    /// Standard Webhooks 1.0 with a symmetric key: `webhook-id`, `-timestamp`, `-signature`.
    Standard,
    /// `x-zm-signature` over version, time and body: Zoom.
    Zoom,
}

/// One webhook that is awaited.
pub struct Webhook {
    pub source: SourceName,
    scheme: Scheme,
    /// Key of the signature; what the secret's text stands for.
    key: RwLock<Vec<u8>>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, scheme) = (&self.source, &self.scheme);
        write!(f, "Webhook({source}, {scheme:?}, secret withheld)")
    }
}

/// A secret that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    #[error("the secret has fewer than {SECRET_BYTES_MIN} bytes; use a random one of 32")]
    Short,
    #[error("after `whsec_` a secret is base64; copy it as the sender shows it")]
    NotBase64,
}

impl Webhook {
    /// `secret` is the text that the vendor was given or gave.
    pub fn new(source: SourceName, scheme: Scheme, secret: &str) -> Result<Self, BadSecret> {
        Ok(Self {
            source,
            scheme,
            key: RwLock::new(key_of(scheme, secret)?),
        })
    }

    /// Deliveries have to be signed with this secret from now on.
    pub fn renew(&self, secret: &str) -> Result<(), BadSecret> {
        let key = key_of(self.scheme, secret)?;
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    fn key(&self) -> RwLockReadGuard<'_, Vec<u8>> {
        self.key.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of(scheme: Scheme, secret: &str) -> Result<Vec<u8>, BadSecret> {
    let secret = secret.trim();
    let key = match (scheme, secret.strip_prefix("whsec_")) {
        (Scheme::Standard, Some(text)) => signature::base64(text).ok_or(BadSecret::NotBase64)?,
        _ => secret.as_bytes().to_vec(),
    };
    if key.len() < SECRET_BYTES_MIN {
        return Err(BadSecret::Short);
    }
    Ok(key)
}

/// Under this name the state of a webhook is kept.
pub fn feed(name: &str) -> String {
    format!("webhooks.{name}")
}

/// A header's value by its name in lower case.
pub type Header<'a> = &'a dyn Fn(&str) -> Option<&'a str>;

#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// One answer for both, so that nobody learns which names there are.
    #[error(
        "no webhook `{0}` is configured, or the signature does not fit its secret; compare the \
         secret at the sender with the file that `webhooks.{0}.secret_file` names"
    )]
    Refused(String),
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

/// What a signed delivery is answered with.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Delivered {
    Taken(IngestAnswer),
    /// The sender asked whether the address is ours before it uses it.
    Asked(Challenge),
}

impl App {
    /// What an Okta event hook wants to hear before it is used: the challenge it sent.
    pub fn webhook_challenge<'a>(
        &self,
        name: &str,
        header: Header<'a>,
    ) -> Result<&'a str, WebhookError> {
        let (webhook, _) = self.signed_webhook(name, header, b"")?;
        let is_okta = webhook.scheme == Scheme::Okta;
        let challenge = header("x-okta-verification-challenge").filter(|_| is_okta);
        challenge.ok_or_else(|| self.refuse_webhook(name, &"it asks nothing"))
    }

    /// Refuses what cannot be a delivery, by its name and headers alone.
    pub fn expect_webhook(&self, name: &str, header: Header<'_>) -> Result<(), WebhookError> {
        let refused = |reason: &dyn fmt::Display| self.refuse_webhook(name, reason);
        let webhook = self.webhooks.get(name);
        let webhook = webhook.ok_or_else(|| refused(&NO_WEBHOOK))?;
        let now = self.ports.clock.now();
        let signed = signature::expect(webhook.scheme, &webhook.key(), header, now);
        signed.map_err(|reason| refused(&reason))
    }

    /// Takes a vendor's delivery in, if it is signed.
    pub fn ingest_webhook(
        &self,
        name: &str,
        header: Header<'_>,
        body: &[u8],
    ) -> Result<Delivered, WebhookError> {
        let (webhook, id) = self.signed_webhook(name, header, body)?;
        if let Some(challenge) = challenge::of(webhook.scheme, &webhook.key(), body) {
            return Ok(Delivered::Asked(challenge));
        }
        let principal = Principal {
            name: format!("webhook:{name}").into(),
            tenant: TenantId::default(),
            scopes: vec![Scope::Ingest],
        };
        let source = &webhook.source;
        let framed = self
            .ports
            .mapper
            .frame(source, Encoding::Identity, envelope(webhook.scheme, body))
            .map_err(IngestError::from)?;
        let alone = framed.len() == 1;
        let records = framed.into_iter().map(|Framed { line, bytes }| Shipped {
            line,
            labels: vec![source.to_string()],
            id: id.as_ref().map(|id| -> Text {
                if alone {
                    id.into()
                } else {
                    format!("{id}/{line}").into()
                }
            }),
            bytes,
            around: None,
        });
        let (answer, _) = self.ingest_shipped(&principal, source, records.collect())?;
        let now = self.ports.clock.now();
        self.feeds.update(&feed(name), |state| {
            state.take(now, answer.records, body.len());
        });
        Ok(Delivered::Taken(answer))
    }

    /// The webhook and the sender's id of the delivery, if it is signed as it should be.
    fn signed_webhook(
        &self,
        name: &str,
        header: Header<'_>,
        body: &[u8],
    ) -> Result<(&Webhook, Option<String>), WebhookError> {
        let refused = |reason: &dyn fmt::Display| self.refuse_webhook(name, reason);
        let webhook = self.webhooks.get(name);
        let webhook = webhook.ok_or_else(|| refused(&NO_WEBHOOK))?;
        let now = self.ports.clock.now();
        let id = signature::verify(webhook.scheme, &webhook.key(), header, body, now);
        let id = id.map_err(|reason| refused(&reason))?;
        Ok((webhook, id))
    }

    fn refuse_webhook(&self, name: &str, reason: &dyn fmt::Display) -> WebhookError {
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        tracing::warn!(?name, %reason, "a webhook was refused");
        self.counters.refused.fetch_add(1, Relaxed);
        let now = self.ports.clock.now();
        self.feeds.update(&feed(&name), |state| {
            let what = "compare the secret at the sender with the file that `secret_file` names";
            state.deny(now, format!("a delivery was refused: {reason}; {what}"));
        });
        WebhookError::Refused(name)
    }
}

/// What of the body holds the records.
fn envelope(scheme: Scheme, body: &[u8]) -> &[u8] {
    #[derive(Deserialize)]
    struct Hook<'a> {
        #[serde(borrow)]
        data: &'a serde_json::value::RawValue,
    }
    match scheme {
        // Okta: {"eventType": "com.okta.event_hook", "data": {"events": […]}, …}
        Scheme::Okta => {
            serde_json::from_slice::<Hook<'_>>(body).map_or(body, |hook| hook.data.get().as_bytes())
        }
        Scheme::Github | Scheme::Slack | Scheme::Standard | Scheme::Zoom => body,
    }
}
