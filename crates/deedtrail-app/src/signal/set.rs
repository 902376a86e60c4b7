//! One Security Event Token: what RFC 8417 and the Shared Signals Framework 1.0 ask of it.
//!
//! Addresses in its header (`jku`, `x5u`) and keys in it (`jwk`, `x5c`) are never looked at.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deedtrail_core::time::Timestamp;
use jsonwebtoken::{Algorithm, crypto};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::key::Key;

/// Largest SET as sent, bytes. Beyond it: refused.
pub const SET_BYTES_MAX: usize = 128 << 10;
/// Longest `jti`, bytes. Beyond it: refused.
const ID_BYTES_MAX: usize = 1024;
/// Most URIs under which one event may be named. Beyond it: refused.
const EVENT_URIS_MAX: usize = 8;
/// A SET may be issued so much after now by our clock.
const AHEAD_US_MAX: i64 = 5 * Timestamp::MINUTE_US;

/// Why a SET is refused. Told to its sender: nothing of ours is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSet {
    #[error("the SET has more than {SET_BYTES_MAX} bytes")]
    TooLarge,
    #[error("it is no signed JWT in compact form (RFC 7515)")]
    NotCompact,
    #[error("the header is no JSON object with `alg`")]
    Header,
    #[error("the header's `typ` is not `secevent+jwt` (RFC 8417, section 2.3)")]
    Type,
    #[error("the header names extensions in `crit`, none of which is known here")]
    Critical,
    #[error("`alg` is none of RS256, PS256, ES256 and EdDSA")]
    Algorithm,
    #[error("the payload is no JSON object whose claims are what RFC 8417 says")]
    Payload,
    #[error("`iss` is not the issuer of this stream")]
    Issuer,
    #[error("`aud` does not name this receiver")]
    Audience,
    #[error("`jti` is missing, empty or over {ID_BYTES_MAX} bytes")]
    Id,
    #[error("`jti` is not the one under which the SET was delivered")]
    OtherId,
    #[error("`iat` is missing, or no time")]
    IssuedAt,
    #[error("`iat` is more than 5 minutes in the future: compare the clocks")]
    Ahead,
    #[error("`sub` and `exp` must not be in a SET (Shared Signals Framework 1.0, section 4)")]
    NotASignal,
    #[error("`events` holds one event, or one under several URIs that end alike")]
    Events,
    #[error("the transmitter publishes no key of this `kid` for this `alg`")]
    UnknownKey,
    #[error("the signature does not fit the transmitter's key")]
    Signature,
    #[error("the `Authorization` header is not the one agreed for this stream")]
    Authorization,
    #[error("nothing is pushed to this address")]
    NoStream,
    #[error("the body is not `application/secevent+jwt`")]
    MediaType,
}

impl BadSet {
    /// The code of RFC 8935, section 2.4.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Issuer => "invalid_issuer",
            Self::Audience => "invalid_audience",
            Self::UnknownKey => "invalid_key",
            Self::Signature | Self::Authorization => "authentication_failed",
            Self::NoStream => "access_denied",
            _ => "invalid_request",
        }
    }
}

/// Who issues the SETs of a stream, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parties {
    /// `iss`, exactly.
    pub issuer: String,
    /// What `aud` is or contains.
    pub audience: String,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    jti: Option<String>,
    iat: Option<f64>,
    aud: Option<Audience>,
    sub: Option<IgnoredAny>,
    exp: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What is kept: the SET as it came, and what it says in the clear.
#[derive(Serialize)]
struct Document<'a> {
    event: Event<'a>,
    /// The payload without `events`.
    claims: BTreeMap<String, &'a RawValue>,
    header: &'a RawValue,
    set: &'a str,
}

#[derive(Serialize)]
struct Event<'a> {
    r#type: &'a str,
    /// Further URIs of the same event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also: Vec<&'a str>,
    claims: &'a RawValue,
}

/// A SET that was read. Nothing in it is proven before [`Set::is_signed_by`].
#[derive(Debug)]
pub struct Set<'t> {
    token: &'t str,
    /// What is signed: header and payload as they are written.
    message: &'t str,
    signature: &'t str,
    algorithm: Algorithm,
    kid: Option<String>,
    id: String,
    header: Vec<u8>,
    payload: Vec<u8>,
}

impl<'t> Set<'t> {
    /// Reads a SET and checks everything but who signed it.
    pub fn read(token: &'t [u8], parties: &Parties, now: Timestamp) -> Result<Self, BadSet> {
        let token = token.trim_ascii();
        if token.len() > SET_BYTES_MAX {
            return Err(BadSet::TooLarge);
        }
        let token = str::from_utf8(token).map_err(|_| BadSet::NotCompact)?;
        let (message, signature) = token.rsplit_once('.').ok_or(BadSet::NotCompact)?;
        let (header, payload) = message.split_once('.').ok_or(BadSet::NotCompact)?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| BadSet::NotCompact);
        let (header, payload) = (decoded(header)?, decoded(payload)?);
        let is_signed = !decoded(signature)?.is_empty();
        if !is_signed {
            return Err(BadSet::NotCompact);
        }
        let said: Header = serde_json::from_slice(&header).map_err(|_| BadSet::Header)?;
        let algorithm = said.algorithm()?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| BadSet::Payload)?;
        let id = claims.check(parties, now)?;
        Ok(Self {
            token,
            message,
            signature,
            algorithm,
            kid: said.kid,
            id,
            header,
            payload,
        })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(super) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn is_signed_by(&self, key: &Key) -> bool {
        let (message, algorithm) = (self.message.as_bytes(), self.algorithm);
        crypto::verify(self.signature, message, key.decoding(), algorithm).unwrap_or(false)
    }

    /// The record of this SET: equal for equal SETs.
    pub fn record(&self) -> Result<Vec<u8>, BadSet> {
        let unread = |_| BadSet::Payload;
        let mut claims: BTreeMap<String, &RawValue> =
            serde_json::from_slice(&self.payload).map_err(unread)?;
        let events = claims.remove("events").ok_or(BadSet::Events)?;
        let events: BTreeMap<String, &RawValue> =
            serde_json::from_str(events.get()).map_err(|_| BadSet::Events)?;
        let document = Document {
            event: event(&events)?,
            claims,
            header: serde_json::from_slice(&self.header).map_err(|_| BadSet::Header)?,
            set: self.token,
        };
        serde_json::to_vec(&document).map_err(unread)
    }
}

/// The one event. Several are one if their URIs say the same ("alternative URIs defining the exact
/// same event type", Shared Signals Framework 1.0, section 4.2.1).
fn event<'a>(events: &'a BTreeMap<String, &'a RawValue>) -> Result<Event<'a>, BadSet> {
    let last = |uri: &'a str| uri.rsplit(['/', ':']).next().unwrap_or(uri);
    let mut uris = events.keys().map(String::as_str);
    let first = uris.next().ok_or(BadSet::Events)?;
    let also: Vec<&str> = uris.collect();
    let claims = events.get(first).ok_or(BadSet::Events)?;
    let is_one = !last(first).is_empty()
        && also.len() < EVENT_URIS_MAX
        && also.iter().all(|uri| last(uri) == last(first))
        && events.values().all(|claims| claims.get().starts_with('{'));
    if !is_one {
        return Err(BadSet::Events);
    }
    Ok(Event {
        r#type: first,
        also,
        claims,
    })
}

impl Header {
    fn algorithm(&self) -> Result<Algorithm, BadSet> {
        let typ = self.typ.as_deref().unwrap_or_default().to_ascii_lowercase();
        let short = typ.strip_prefix("application/").unwrap_or(&typ);
        if short != "secevent+jwt" {
            return Err(BadSet::Type);
        }
        if self.crit.is_some() {
            return Err(BadSet::Critical);
        }
        match self.alg.as_str() {
            "RS256" => Ok(Algorithm::RS256),
            "PS256" => Ok(Algorithm::PS256),
            "ES256" => Ok(Algorithm::ES256),
            "EdDSA" => Ok(Algorithm::EdDSA),
            _ => Err(BadSet::Algorithm),
        }
    }
}

impl Claims {
    /// The id of a SET whose claims are as they should be.
    fn check(self, parties: &Parties, now: Timestamp) -> Result<String, BadSet> {
        if self.iss.as_deref() != Some(&parties.issuer) {
            return Err(BadSet::Issuer);
        }
        let is_ours = match &self.aud {
            Some(Audience::One(one)) => *one == parties.audience,
            Some(Audience::Many(many)) => many.contains(&parties.audience),
            None => false,
        };
        if !is_ours {
            return Err(BadSet::Audience);
        }
        if self.sub.is_some() || self.exp.is_some() {
            return Err(BadSet::NotASignal);
        }
        #[expect(clippy::cast_precision_loss, reason = "exact for the next 200 years")]
        let latest_s = now.plus_micros(AHEAD_US_MAX).as_micros() as f64 / 1e6;
        match self.iat {
            Some(iat) if iat > latest_s => return Err(BadSet::Ahead),
            Some(iat) if iat > 0.0 => {}
            Some(_) | None => return Err(BadSet::IssuedAt),
        }
        let id = self.jti.unwrap_or_default();
        if id.is_empty() || id.len() > ID_BYTES_MAX {
            return Err(BadSet::Id);
        }
        Ok(id)
    }
}
