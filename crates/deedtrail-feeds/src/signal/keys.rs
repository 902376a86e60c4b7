//! Where a transmitter publishes its keys.

use deedtrail_app::signal::{FetchError, KEYS_BYTES_MAX, KeySource};
use reqwest::Url;
use serde::Deserialize;
use tokio::runtime::Handle;

use super::client::{Client, HttpError};

/// Largest discovery document, bytes. Beyond it: not used.
const DISCOVERY_BYTES_MAX: usize = 64 << 10;

/// Where the JWK Set of a transmitter is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// At this address.
    Address(String),
    /// Where the configuration document of this issuer says.
    Discovery { issuer: String },
}

/// Keys that are looked up over HTTP.
#[derive(Debug)]
pub struct PublishedKeys {
    client: Client,
    place: KeyPlace,
}

/// Transmitter Configuration Metadata (Shared Signals Framework 1.0, section 7.1).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Option<String>,
}

impl PublishedKeys {
    pub const fn new(client: Client, place: KeyPlace) -> Self {
        Self { client, place }
    }

    pub(super) async fn look(&self) -> Result<Vec<u8>, HttpError> {
        let address = match &self.place {
            KeyPlace::Address(address) => address.clone(),
            KeyPlace::Discovery { issuer } => self.discover(issuer).await?,
        };
        self.client.document(&address, KEYS_BYTES_MAX).await
    }

    async fn discover(&self, issuer: &str) -> Result<String, HttpError> {
        let address = metadata_address(issuer)?;
        let document = self.client.document(&address, DISCOVERY_BYTES_MAX).await?;
        let wrong = |what: String| HttpError::Answer(format!("{address}: {what}"));
        let metadata: Metadata =
            serde_json::from_slice(&document).map_err(|error| wrong(error.to_string()))?;
        if metadata.issuer != issuer {
            return Err(wrong(format!(
                "its `issuer` is `{}`, not `{issuer}`",
                metadata.issuer
            )));
        }
        let keys = metadata.jwks_uri;
        keys.ok_or_else(|| wrong("it names no `jwks_uri`; set it in the configuration".to_owned()))
    }
}

impl KeySource for PublishedKeys {
    /// Needs a runtime around it, as every request to the server has.
    fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        let runtime = Handle::try_current();
        let runtime = runtime.map_err(|error| FetchError(error.to_string()))?;
        let looked = runtime.block_on(self.look());
        looked.map_err(|error| {
            let place = match &self.place {
                KeyPlace::Address(address) => address,
                KeyPlace::Discovery { issuer } => issuer,
            };
            FetchError(format!("{place}: {error}"))
        })
    }
}

/// Where an issuer's metadata is: between host and path (section 7.2.1 of the framework).
pub(super) fn metadata_address(issuer: &str) -> Result<String, HttpError> {
    let url = Url::parse(issuer);
    let mut url = url.map_err(|error| HttpError::Address(format!("`{issuer}`: {error}")))?;
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("/.well-known/ssf-configuration{path}"));
    Ok(url.to_string())
}
