//! An HTTP client that asks one address: no redirects, bounded answers, HTTPS but on loopback.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode, Url};
use rustls::ClientConfig;
use serde::Serialize;

/// Longest time to reach a transmitter.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest time for a document, all of it.
const DOCUMENT_TIME_MAX: Duration = Duration::from_secs(15);
/// Longest time for a poll, which the transmitter may hold open.
const POLL_TIME_MAX: Duration = Duration::from_mins(5);

/// Why an address gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("{0}")]
    Address(String),
    #[error("no answer: {0}")]
    Failed(String),
    #[error("it answered {status}{}", redirected(*status))]
    Status {
        status: StatusCode,
        retry_after_s: Option<u64>,
    },
    #[error("the answer has more than {limit_bytes} bytes")]
    TooLarge { limit_bytes: usize },
    #[error("the token cannot be read: {0}")]
    Token(String),
    #[error("the answer is not what the protocol says: {0}")]
    Answer(String),
}

fn redirected(status: StatusCode) -> &'static str {
    if status.is_redirection() {
        "; redirects are not followed"
    } else {
        ""
    }
}

/// What is wrong with an address, in words; nothing if it is one that is asked.
pub fn address_mistake(text: &str) -> Option<String> {
    checked(text).err().map(|error| error.to_string())
}

/// An address whose answers nobody on the way can change.
fn checked(text: &str) -> Result<Url, HttpError> {
    let url = Url::parse(text);
    let url =
        url.map_err(|error| HttpError::Address(format!("`{text}` is no address: {error}")))?;
    let host = url.host_str().unwrap_or_default();
    let number = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_loopback = host == "localhost" || number.is_ok_and(|number| number.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback => Ok(url),
        _ => Err(HttpError::Address(format!(
            "`{text}`: only https is trusted, and http on loopback"
        ))),
    }
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client(reqwest::Client);

impl Client {
    /// `tls` says whom to trust.
    pub fn new(tls: ClientConfig) -> Result<Self, HttpError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIME_MAX)
            .user_agent(concat!("deedtrail/", env!("CARGO_PKG_VERSION")))
            .build();
        client.map(Self).map_err(|error| failed(&error))
    }

    /// Sends a body of a media type; status and body of the answer, whatever the status.
    pub async fn exchange(
        &self,
        address: &str,
        (media_type, body): (&'static str, Vec<u8>),
        limit_bytes: usize,
    ) -> Result<(u16, Vec<u8>), HttpError> {
        let request = self.0.post(checked(address)?).timeout(DOCUMENT_TIME_MAX);
        let request = request.header(CONTENT_TYPE, media_type);
        let response = request.body(body).send().await;
        let response = response.map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        Ok((status, bounded(response, limit_bytes).await?))
    }

    /// The JSON document at an address.
    pub(super) async fn document(
        &self,
        address: &str,
        limit_bytes: usize,
    ) -> Result<Vec<u8>, HttpError> {
        let request = self.0.get(checked(address)?).timeout(DOCUMENT_TIME_MAX);
        let request = request.header(ACCEPT, "application/json");
        answer(request, limit_bytes).await
    }

    /// What a poll is answered with.
    pub(super) async fn poll(
        &self,
        endpoint: &str,
        token: &str,
        question: &impl Serialize,
        limit_bytes: usize,
    ) -> Result<Vec<u8>, HttpError> {
        let bearer = HeaderValue::try_from(format!("Bearer {token}"));
        let mut bearer = bearer.map_err(|_| HttpError::Token("it is no token".to_owned()))?;
        bearer.set_sensitive(true);
        let request = self.0.post(checked(endpoint)?).timeout(POLL_TIME_MAX);
        let request = request.header(ACCEPT, "application/json");
        let request = request.header(AUTHORIZATION, bearer).json(question);
        answer(request, limit_bytes).await
    }
}

async fn answer(
    request: reqwest::RequestBuilder,
    limit_bytes: usize,
) -> Result<Vec<u8>, HttpError> {
    let response = request.send().await.map_err(|error| failed(&error))?;
    let status = response.status();
    if !status.is_success() {
        let retry_after_s = retry_after_s(&response);
        return Err(HttpError::Status {
            status,
            retry_after_s,
        });
    }
    bounded(response, limit_bytes).await
}

fn retry_after_s(response: &Response) -> Option<u64> {
    let told = response.headers().get(RETRY_AFTER)?;
    told.to_str().ok()?.trim().parse().ok()
}

async fn bounded(mut response: Response, limit_bytes: usize) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| failed(&error))? {
        if body.len() + piece.len() > limit_bytes {
            return Err(HttpError::TooLarge { limit_bytes });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// The whole chain of causes: the first says only that the request failed.
fn failed(error: &reqwest::Error) -> HttpError {
    let mut causes: Vec<String> = Vec::new();
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    HttpError::Failed(causes.join(": "))
}
