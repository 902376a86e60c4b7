//! `CloudEvents` over HTTP: binary, structured and batched
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>).

use std::borrow::Cow;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deedtrail_app::access::Principal;
use deedtrail_app::intake::{IngestAnswer, IngestError, Shipped};
use deedtrail_core::port::mapper::{Framed, Mapper};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::take;
use crate::problem::Problem;
use crate::state::Shared;

/// Under this name records wait of which no source can be told.
const PROTOCOL: &str = "cloudevents.event";

/// What says of an event where it comes from.
#[derive(Deserialize)]
struct Attributes {
    id: String,
    source: String,
    r#type: Option<String>,
}

/// `POST /v1/cloudevents`.
pub(super) async fn events(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    request: Request,
) -> Result<Json<IngestAnswer>, Problem> {
    let headers = request.headers().clone();
    let took = take(
        &shared,
        principal,
        request,
        PROTOCOL,
        move |mapper, body| {
            let records = match attributes(&headers)? {
                Some(attributes) => vec![binary(attributes, body)?],
                None => structured(mapper, body)?,
            };
            Ok((records, ()))
        },
    );
    Ok(Json(took.await?.answer))
}

/// `OPTIONS /v1/cloudevents`: senders ask whether deliveries are wanted
/// (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection>).
pub(super) async fn wanted(headers: HeaderMap) -> Response {
    const ASKED: HeaderName = HeaderName::from_static("webhook-request-origin");
    const ALLOWED: HeaderName = HeaderName::from_static("webhook-allowed-origin");
    const RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");
    let Some(origin) = headers.get(&ASKED) else {
        let detail = "`WebHook-Request-Origin` is missing: it names who wants to send.";
        return Problem::bad_request(detail).into_response();
    };
    let told = [
        (ALLOWED, origin.clone()),
        (RATE, HeaderValue::from_static("*")),
        (header::ALLOW, HeaderValue::from_static("POST")),
    ];
    (StatusCode::OK, told).into_response()
}

/// The attributes in the headers of binary mode; none in the other modes.
fn attributes(headers: &HeaderMap) -> Result<Option<Map<String, Value>>, Problem> {
    let mut attributes = Map::new();
    for (header, value) in headers {
        let Some(name) = header.as_str().strip_prefix("ce-") else {
            continue;
        };
        let is_reserved = matches!(name, "" | "data" | "data_base64");
        let value = attribute(value).filter(|_| !is_reserved);
        let Some(value) = value else {
            let detail = format!("The header `{header}` is no attribute, or no UTF-8 in percents.");
            return Err(Problem::bad_request(detail));
        };
        if attributes.insert(name.to_owned(), value.into()).is_some() {
            let detail = format!("The header `{header}` stands there twice; which one counts?");
            return Err(Problem::bad_request(detail));
        }
    }
    if attributes.is_empty() {
        return Ok(None);
    }
    for needed in ["id", "source", "specversion"] {
        if !attributes.contains_key(needed) {
            let detail = format!("The header `ce-{needed}` is missing; every event has one.");
            return Err(Problem::bad_request(detail));
        }
    }
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        let kind = String::from_utf8_lossy(kind.as_bytes());
        attributes.insert("datacontenttype".to_owned(), kind.into());
    }
    Ok(Some(attributes))
}

/// What a header says (section 3.1.3.2 of the binding): without quotes around it, and with one
/// round of percents decoded; `None` if that is no UTF-8.
fn attribute(value: &HeaderValue) -> Option<String> {
    let value = value.as_bytes();
    let quoted = value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""));
    let mut bytes = quoted.unwrap_or(value).iter().copied();
    let mut decoded = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        let next = match byte {
            b'\\' if quoted.is_some() => bytes.next().unwrap_or(byte),
            b'%' => escaped(&mut bytes).unwrap_or(byte),
            byte => byte,
        };
        decoded.push(next);
    }
    String::from_utf8(decoded).ok()
}

/// The byte that two hexadecimal digits stand for, which are taken; any other text is left.
fn escaped(bytes: &mut (impl Iterator<Item = u8> + Clone)) -> Option<u8> {
    let mut ahead = bytes.clone();
    let mut digit = || char::from(ahead.next()?).to_digit(16);
    let byte = digit()? * 16 + digit()?;
    *bytes = ahead;
    u8::try_from(byte).ok()
}

/// An event whose data are the body, as the JSON format of the specification writes it.
fn binary<'a>(attributes: Map<String, Value>, body: &[u8]) -> Result<Shipped<'a>, Problem> {
    let kind = attributes.get("datacontenttype").and_then(Value::as_str);
    let json = kind
        .is_none_or(is_json)
        .then(|| serde_json::from_slice::<&RawValue>(body).ok())
        .flatten();
    let data = match (json, str::from_utf8(body)) {
        _ if body.is_empty() => None,
        (Some(json), _) => Some(("data", json.to_owned())),
        (None, Ok(text)) => Some(("data", raw(text)?)),
        (None, Err(_)) => Some(("data_base64", raw(&STANDARD.encode(body))?)),
    };
    let mut event = Value::Object(attributes).to_string();
    if let Some((name, data)) = data {
        event.pop();
        event = format!("{event},\"{name}\":{}}}", data.get());
    }
    let piece = Framed {
        line: 1,
        bytes: Cow::Owned(event.into_bytes()),
    };
    Ok(labelled(piece))
}

/// `*/json` and `*/*+json`, as the JSON format of the specification says (section 3.1).
fn is_json(media_type: &str) -> bool {
    let name = media_type.split(';').next().unwrap_or_default().trim();
    let (_, kind) = name.split_once('/').unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    kind == "json" || kind.ends_with("+json")
}

fn raw(text: &str) -> Result<Box<RawValue>, Problem> {
    to_raw_value(text).map_err(|_| Problem::internal())
}

/// Events of the JSON format, one or a batch.
fn structured<'a>(mapper: &dyn Mapper, body: &'a [u8]) -> Result<Vec<Shipped<'a>>, Problem> {
    let pieces = mapper.pieces(body).map_err(IngestError::from)?;
    Ok(pieces.into_iter().map(labelled).collect())
}

/// The type and the source may name a source of ours; both ids together are unique.
fn labelled(piece: Framed<'_>) -> Shipped<'_> {
    let Ok(said) = serde_json::from_slice::<Attributes>(&piece.bytes) else {
        return Shipped::labelled(piece, Vec::new());
    };
    let id = format!("{} {}", said.source, said.id);
    let labels = said.r#type.into_iter().chain([said.source]);
    Shipped {
        id: Some(id.into()),
        ..Shipped::labelled(piece, labels.collect())
    }
}
