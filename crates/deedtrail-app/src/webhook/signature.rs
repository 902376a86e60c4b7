//! Whether a delivery is signed with the secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deedtrail_core::time::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;

use super::{Header, Scheme};

/// A signed time may differ from ours by so much (Standard Webhooks: 5 minutes).
const TOLERANCE_US: i64 = 5 * Timestamp::MINUTE_US;

/// Why a delivery is not taken. For the operator's log only: a stranger is told nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    #[error("the headers that sign a delivery are missing; is the scheme the sender's?")]
    Missing,
    #[error("the signature is another one: compare the secret, and let no proxy change the body")]
    Differs,
    #[error("it was signed over 5 minutes before or after now: compare the clocks")]
    Late,
}

/// Refuses by its headers alone what cannot be a signed delivery.
pub(super) fn expect(
    scheme: Scheme,
    key: &[u8],
    header: Header<'_>,
    now: Timestamp,
) -> Result<(), BadSignature> {
    let time = match scheme {
        // All that proves it is in the header.
        Scheme::Okta => return verify(scheme, key, header, b"", now).map(|_| ()),
        Scheme::Github => {
            header("x-hub-signature-256").ok_or(BadSignature::Missing)?;
            return Ok(());
        }
        Scheme::Slack => header("x-slack-signature").and(header("x-slack-request-timestamp")),
        Scheme::Standard => header("webhook-id")
            .and(header("webhook-signature"))
            .and(header("webhook-timestamp")),
        Scheme::Zoom => header("x-zm-signature").and(header("x-zm-request-timestamp")),
    };
    timely(time.ok_or(BadSignature::Missing)?, now)
}

/// The sender's id of the delivery, if it has one. Comparisons take the same time whatever differs.
pub(super) fn verify(
    scheme: Scheme,
    key: &[u8],
    header: Header<'_>,
    body: &[u8],
    now: Timestamp,
) -> Result<Option<String>, BadSignature> {
    match scheme {
        Scheme::Github => {
            let told = header("x-hub-signature-256").ok_or(BadSignature::Missing)?;
            let told = told.strip_prefix("sha256=").unwrap_or_default();
            let told = hex::decode(told).map_err(|_| BadSignature::Differs)?;
            check(key, &[body], &told)?;
            // GitHub's id of a delivery is not signed: whoever has one delivery could name another.
            Ok(None)
        }
        Scheme::Slack => {
            let headers = ["x-slack-request-timestamp", "x-slack-signature"];
            versioned(key, headers.map(header), body, now)?;
            Ok(event_id(body))
        }
        Scheme::Zoom => {
            let headers = ["x-zm-request-timestamp", "x-zm-signature"];
            versioned(key, headers.map(header), body, now)?;
            Ok(None)
        }
        Scheme::Okta => {
            let told = header("authorization").ok_or(BadSignature::Missing)?;
            // Equality of these hashes does not depend on where they differ.
            let is_same = blake3::hash(told.trim().as_bytes()) == blake3::hash(key);
            is_same.then_some(None).ok_or(BadSignature::Differs)
        }
        Scheme::Standard => {
            let id = header("webhook-id").ok_or(BadSignature::Missing)?;
            let time = header("webhook-timestamp").ok_or(BadSignature::Missing)?;
            let told = header("webhook-signature").ok_or(BadSignature::Missing)?;
            timely(time, now)?;
            let signed = [id.as_bytes(), b".", time.as_bytes(), b".", body];
            // Several while a secret is exchanged.
            let fits = told
                .split(' ')
                .filter_map(|one| base64(one.strip_prefix("v1,")?))
                .any(|one| check(key, &signed, &one).is_ok());
            fits.then(|| Some(id.to_owned()))
                .ok_or(BadSignature::Differs)
        }
    }
}

/// Slack and Zoom sign `v0:TIME:BODY`
/// (<https://docs.slack.dev/authentication/verifying-requests-from-slack>).
fn versioned(
    key: &[u8],
    [time, told]: [Option<&str>; 2],
    body: &[u8],
    now: Timestamp,
) -> Result<(), BadSignature> {
    let (time, told) = time.zip(told).ok_or(BadSignature::Missing)?;
    timely(time, now)?;
    let told = told.strip_prefix("v0=").unwrap_or_default();
    let told = hex::decode(told).map_err(|_| BadSignature::Differs)?;
    check(key, &[b"v0:", time.as_bytes(), b":", body], &told)
}

/// Slack's id of an event: the same when it is sent again.
fn event_id(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Event {
        event_id: String,
    }
    let event: Event = serde_json::from_slice(body).ok()?;
    Some(event.event_id)
}

/// `time` in seconds is close to now.
fn timely(time: &str, now: Timestamp) -> Result<(), BadSignature> {
    let sent: i64 = time.parse().map_err(|_| BadSignature::Late)?;
    let sent = Timestamp::from_micros(sent.saturating_mul(Timestamp::SECOND_US));
    let apart = now.micros_since(sent).saturating_abs();
    (apart <= TOLERANCE_US)
        .then_some(())
        .ok_or(BadSignature::Late)
}

/// HMAC-SHA-256.
pub(super) fn sign(key: &[u8], text: &[u8]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text);
    Some(mac.finalize().into_bytes().into())
}

fn check(key: &[u8], parts: &[&[u8]], told: &[u8]) -> Result<(), BadSignature> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| BadSignature::Differs)?;
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(told).map_err(|_| BadSignature::Differs)
}

pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-18T14:00:00Z.
    const NOW_S: i64 = 1_795_010_400;

    fn asked(
        scheme: Scheme,
        key: &[u8],
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Option<String>, BadSignature> {
        let header = |name: &str| {
            let mut headers = headers.iter();
            Some(headers.find(|(key, _)| *key == name)?.1)
        };
        let now = Timestamp::from_micros(NOW_S * Timestamp::SECOND_US);
        verify(scheme, key, &header, body, now)
    }

    #[test]
    fn github_signs_the_body() {
        // The example of GitHub's documentation, "Validating webhook deliveries".
        let key = b"It's a Secret to Everybody";
        let signed = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let headers = [
            ("x-hub-signature-256", signed),
            ("x-github-delivery", "d-1"),
        ];
        assert_eq!(
            asked(Scheme::Github, key, &headers, b"Hello, World!"),
            Ok(None)
        );
        for (key, headers, body, why) in [
            (
                &key[..],
                &headers[..],
                &b"Hello, World"[..],
                BadSignature::Differs,
            ),
            (
                b"another secret",
                &headers,
                b"Hello, World!",
                BadSignature::Differs,
            ),
            (key, &headers[1..], b"Hello, World!", BadSignature::Missing),
            (
                key,
                &[("x-hub-signature-256", "sha256=")],
                b"",
                BadSignature::Differs,
            ),
        ] {
            assert_eq!(asked(Scheme::Github, key, headers, body), Err(why));
        }
    }

    #[test]
    fn standard_webhooks_sign_id_time_and_body() {
        let key = b"0123456789abcdef0123456789abcdef";
        let sign = |id: &str, time: i64, body: &str| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            mac.update(format!("{id}.{time}.{body}").as_bytes());
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        let ask = |id: &str, time: i64, signature: &str, body: &str| {
            let time = time.to_string();
            let headers = [
                ("webhook-id", id),
                ("webhook-timestamp", time.as_str()),
                ("webhook-signature", signature),
            ];
            asked(Scheme::Standard, key, &headers, body.as_bytes())
        };
        let good = sign("m-1", NOW_S, "{}");
        let both = format!("v1,AAAA {good}");
        assert_eq!(ask("m-1", NOW_S, &both, "{}"), Ok(Some("m-1".to_owned())));
        let differs = Err(BadSignature::Differs);
        assert_eq!(ask("m-2", NOW_S, &good, "{}"), differs);
        assert_eq!(ask("m-1", NOW_S, &good, "{ }"), differs);
        assert_eq!(ask("m-1", NOW_S + 1, &good, "{}"), differs);
        for old in [NOW_S - 301, NOW_S + 301, i64::MIN, i64::MAX] {
            let asked = ask("m", old, &sign("m", old, ""), "");
            assert_eq!(asked, Err(BadSignature::Late));
        }
        assert!(ask("m", NOW_S - 299, &sign("m", NOW_S - 299, ""), "").is_ok());
    }

    #[test]
    fn slack_and_zoom_sign_version_time_and_body() {
        let key = b"8f742231b10e8888abcd99yyyzzz85a5";
        let signed = |time: i64, body: &str| {
            let text = format!("v0:{time}:{body}");
            format!("v0={}", hex::encode(sign(key, text.as_bytes()).unwrap()))
        };
        let body = r#"{"event_id":"Ev1"}"#;
        for (scheme, prefix, id) in [
            (Scheme::Slack, "x-slack-", Some("Ev1")),
            (Scheme::Zoom, "x-zm-", None),
        ] {
            let names = ["request-timestamp", "signature"].map(|name| format!("{prefix}{name}"));
            let ask = |time: i64, signature: &str, body: &str| {
                let time = time.to_string();
                let headers = [(names[0].as_str(), time.as_str()), (&names[1], signature)];
                asked(scheme, key, &headers, body.as_bytes())
            };
            let good = signed(NOW_S, body);
            assert_eq!(ask(NOW_S, &good, body), Ok(id.map(str::to_owned)));
            let differs = Err(BadSignature::Differs);
            assert_eq!(ask(NOW_S, &good, "{}"), differs);
            assert_eq!(ask(NOW_S + 1, &good, body), differs);
            assert_eq!(ask(NOW_S, "v0=", body), differs);
            assert_eq!(ask(NOW_S, good.trim_start_matches("v0="), body), differs);
            let old = NOW_S - 301;
            assert_eq!(ask(old, &signed(old, body), body), Err(BadSignature::Late));
            assert_eq!(asked(scheme, key, &[], b""), Err(BadSignature::Missing));
        }
    }

    #[test]
    fn okta_sends_the_secret() {
        let key = b"0123456789abcdef";
        let ask = |value: &str| asked(Scheme::Okta, key, &[("authorization", value)], b"");
        assert_eq!(ask("0123456789abcdef"), Ok(None));
        assert_eq!(ask("0123456789abcdeg"), Err(BadSignature::Differs));
        let unsigned = asked(Scheme::Okta, key, &[], b"");
        assert_eq!(unsigned, Err(BadSignature::Missing));
    }
}
