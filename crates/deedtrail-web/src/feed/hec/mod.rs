//! Splunk's HTTP Event Collector: events, raw lines, and an acknowledgement that is true.

mod answer;
mod decode;

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, Request, State};
use axum::http::HeaderName;
use axum::{Extension, Json};
use deedtrail_app::access::Principal;
use deedtrail_app::intake::{IngestError, Shipped};
use deedtrail_core::port::mapper::{FrameError, Mapper};
use serde::{Deserialize, Serialize};

use super::take;
use crate::problem::Problem;
use crate::state::Shared;

pub(crate) use answer::Refusal;

use answer::Answer;
use decode::Said;

/// Under this name records wait of which no source can be told.
const PROTOCOL: &str = "splunk.hec";
const CHANNEL: HeaderName = HeaderName::from_static("x-splunk-request-channel");
/// Most acknowledgements asked about at once.
const ACKNOWLEDGEMENTS_MAX: usize = 10_000;

/// Cuts a body into records.
type Decode = for<'a> fn(&dyn Mapper, &'a [u8], &Said) -> Result<Vec<Shipped<'a>>, FrameError>;

/// What the address may say.
#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    #[serde(flatten)]
    said: Said,
    channel: Option<String>,
}

/// Question of `/services/collector/ack`.
#[derive(Debug, Deserialize)]
pub(super) struct Question {
    acks: Vec<u64>,
}

/// Its answer: which of them are durable.
#[derive(Debug, Serialize)]
pub(super) struct Acknowledged {
    acks: BTreeMap<u64, bool>,
}

/// `POST /services/collector/event`.
pub(super) async fn events(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    request: Request,
) -> Result<Json<Answer>, Refusal> {
    collect(&shared, principal, parameters, request, decode::events).await
}

/// `POST /services/collector/raw`.
pub(super) async fn raw(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    request: Request,
) -> Result<Json<Answer>, Refusal> {
    collect(&shared, principal, parameters, request, decode::raw).await
}

async fn collect(
    shared: &Shared,
    principal: Principal,
    parameters: Result<Query<Parameters>, QueryRejection>,
    request: Request,
    decode: Decode,
) -> Result<Json<Answer>, Refusal> {
    let Query(parameters) =
        parameters.map_err(|refusal| Problem::bad_request(refusal.body_text()))?;
    let in_channel = parameters.channel.is_some() || request.headers().contains_key(CHANNEL);
    let said = parameters.said;
    let took = take(shared, principal, request, PROTOCOL, move |mapper, body| {
        let records = decode(mapper, body, &said);
        Ok((records.map_err(IngestError::from)?, ()))
    });
    let took = took.await?;
    let last = took.taken.iter().map(|taken| taken.sequence).max();
    let last = last.ok_or_else(Refusal::no_data)?;
    Ok(Answer::taken(in_channel.then_some(last), took.answer))
}

/// `POST /services/collector/ack`. An acknowledgement is a place in the log, so that the answer
/// is true whatever happened in between.
pub(super) async fn acknowledged(
    State(shared): State<Shared>,
    question: Result<Bytes, BytesRejection>,
) -> Result<Json<Acknowledged>, Refusal> {
    let question = question.map_err(|refusal| Problem::bad_request(refusal.body_text()))?;
    let question = serde_json::from_slice(&question);
    let Question { acks } = question.map_err(|error| Problem::bad_request(error.to_string()))?;
    if acks.len() > ACKNOWLEDGEMENTS_MAX {
        let detail = format!("Ask about at most {ACKNOWLEDGEMENTS_MAX} acknowledgements at once.");
        return Err(Problem::too_large(detail).into());
    }
    let end = shared.app.ports.log.end();
    let acks = acks.into_iter().map(|ack| (ack, ack < end)).collect();
    Ok(Json(Acknowledged { acks }))
}

/// `GET /services/collector/health`.
pub(super) async fn health(State(shared): State<Shared>) -> Result<Json<Answer>, Refusal> {
    match shared.app.ports.log.refusal() {
        None => Ok(Answer::healthy()),
        Some(_) => Err(Refusal::unhealthy()),
    }
}
