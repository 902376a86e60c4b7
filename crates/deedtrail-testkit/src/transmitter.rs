//! A transmitter of signals: signs Security Event Tokens with Ed25519 and publishes its key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

/// A key with a name.
#[derive(Debug)]
pub struct Transmitter {
    kid: String,
    key: SigningKey,
}

impl Transmitter {
    /// Equal seeds make equal keys.
    pub fn new(kid: &str, seed: u8) -> Self {
        Self {
            kid: kid.to_owned(),
            key: SigningKey::from_bytes(&[seed; 32]),
        }
    }

    /// The public key as a JWK (RFC 8037).
    pub fn key(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes());
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.kid, "x": x })
    }

    /// The JWK Set with this key alone.
    pub fn keys(&self) -> String {
        json!({ "keys": [self.key()] }).to_string()
    }

    /// The header of its tokens.
    pub fn header(&self) -> Value {
        json!({ "alg": "EdDSA", "typ": "secevent+jwt", "kid": self.kid })
    }

    /// A token with this payload.
    pub fn set(&self, payload: &Value) -> String {
        self.sign(&self.header(), &payload.to_string())
    }

    /// A token with this header and payload, signed whatever they say.
    pub fn sign(&self, header: &Value, payload: &str) -> String {
        let encoded = |text: &[u8]| URL_SAFE_NO_PAD.encode(text);
        let message = format!(
            "{}.{}",
            encoded(header.to_string().as_bytes()),
            encoded(payload.as_bytes())
        );
        let signature = encoded(&self.key.sign(message.as_bytes()).to_bytes());
        format!("{message}.{signature}")
    }
}
