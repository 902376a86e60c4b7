//! Senders that ask once, in a signed delivery, whether the address is ours.

use serde::{Deserialize, Serialize};

use super::{Scheme, signature};

/// What the sender wants to hear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Challenge {
    /// Slack's `url_verification`
    /// (<https://docs.slack.dev/reference/events/url_verification>).
    Slack { challenge: String },
    /// Zoom's `endpoint.url_validation`
    /// (<https://developers.zoom.us/docs/api/webhooks/#validate-your-webhook-endpoint>).
    #[serde(rename_all = "camelCase")]
    Zoom {
        plain_token: String,
        encrypted_token: String,
    },
}

#[derive(Deserialize)]
struct SlackAsks {
    r#type: String,
    challenge: String,
}

#[derive(Deserialize)]
struct ZoomAsks {
    event: String,
    payload: ZoomPayload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ZoomPayload {
    plain_token: String,
}

/// The answer, if a delivery asks.
pub(super) fn of(scheme: Scheme, key: &[u8], body: &[u8]) -> Option<Challenge> {
    match scheme {
        Scheme::Slack => {
            let asked: SlackAsks = serde_json::from_slice(body).ok()?;
            let challenge = asked.challenge;
            (asked.r#type == "url_verification").then_some(Challenge::Slack { challenge })
        }
        Scheme::Zoom => {
            let asked: ZoomAsks = serde_json::from_slice(body).ok()?;
            if asked.event != "endpoint.url_validation" {
                return None;
            }
            let plain_token = asked.payload.plain_token;
            let encrypted_token = hex::encode(signature::sign(key, plain_token.as_bytes())?);
            Some(Challenge::Zoom {
                plain_token,
                encrypted_token,
            })
        }
        Scheme::Github | Scheme::Okta | Scheme::Standard => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_hears_its_challenge_and_nothing_else_is_one() {
        let asked = br#"{"token":"t","challenge":"c-1","type":"url_verification"}"#;
        let told = of(Scheme::Slack, b"key", asked).unwrap();
        assert_eq!(
            serde_json::to_string(&told).unwrap(),
            r#"{"challenge":"c-1"}"#
        );
        let event = br#"{"challenge":"c-1","type":"event_callback"}"#;
        assert_eq!(of(Scheme::Slack, b"key", event), None);
        assert_eq!(of(Scheme::Standard, b"key", asked), None);
    }

    #[test]
    fn zoom_hears_its_token_signed() {
        let asked = br#"{"event":"endpoint.url_validation","payload":{"plainToken":"data"}}"#;
        let told = of(Scheme::Zoom, b"key", asked).unwrap();
        // `printf data | openssl dgst -sha256 -hmac key`
        let signed = "5031fe3d989c6d1537a013fa6e739da23463fdaec3b70137d828e36ace221bd0";
        assert_eq!(
            serde_json::to_string(&told).unwrap(),
            format!(r#"{{"plainToken":"data","encryptedToken":"{signed}"}}"#)
        );
        let event = br#"{"event":"meeting.started","payload":{"plainToken":"data"}}"#;
        assert_eq!(of(Scheme::Zoom, b"key", event), None);
    }
}
