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
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix("ce-") else {
            continue;
        };
        let value = value.to_str().map_err(|_| {
            Problem::bad_request("A header `ce-…` holds other than ASCII; encode it in percents.")
        })?;
        attributes.insert(name.to_owned(), value.into());
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
        let kind = kind.to_str().unwrap_or_default();
        attributes.insert("datacontenttype".to_owned(), kind.into());
    }
    Ok(Some(attributes))
}

/// An event whose data are the body, as the JSON format of the specification writes it.
fn binary<'a>(attributes: Map<String, Value>, body: &[u8]) -> Result<Shipped<'a>, Problem> {
    let (name, data) = match (
        serde_json::from_slice::<&RawValue>(body),
        str::from_utf8(body),
    ) {
        (Ok(json), _) => ("data", json.to_owned()),
        (Err(_), Ok(text)) => ("data", raw(text)?),
        (Err(_), Err(_)) => ("data_base64", raw(&STANDARD.encode(body))?),
    };
    let attributes = Value::Object(attributes).to_string();
    let attributes = attributes.trim_end_matches('}');
    let event = format!("{attributes},\"{name}\":{}}}", data.get());
    let piece = Framed {
        line: 1,
        bytes: Cow::Owned(event.into_bytes()),
    };
    Ok(labelled(piece))
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
