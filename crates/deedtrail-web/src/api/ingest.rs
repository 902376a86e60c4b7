//! `POST /v1/ingest/{source}`: a delivery of records; `POST /v1/ingest`: one that nobody labelled.

use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::routing::{MethodRouter, post};
use axum::{Extension, Json};
use deedtrail_app::access::Principal;
use deedtrail_app::intake::{Delivery, IngestAnswer, IngestError};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::Mapper;

use super::Answer;
use crate::delivery;
use crate::problem::{Problem, unknown_source};
use crate::state::Shared;

pub(super) fn route() -> MethodRouter<Shared> {
    // The handler applies the limit of the configuration while it reads the body.
    post(take_named).layer(DefaultBodyLimit::disable())
}

pub(super) fn unlabelled_route() -> MethodRouter<Shared> {
    post(take_unlabelled).layer(DefaultBodyLimit::disable())
}

async fn take_named(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(source): Path<String>,
    request: Request,
) -> Answer<IngestAnswer> {
    let source = known_source(&source, &*shared.app.ports.mapper)?;
    take(shared, principal, Some(source), request).await
}

async fn take_unlabelled(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    request: Request,
) -> Answer<IngestAnswer> {
    take(shared, principal, None, request).await
}

async fn take(
    shared: Shared,
    principal: Principal,
    source: Option<SourceName>,
    request: Request,
) -> Answer<IngestAnswer> {
    let encoding = delivery::encoding(request.headers())?;
    let mut turn = delivery::turn(&shared, &shared.ingest_turns).await?;
    let body = delivery::body(&shared, &mut turn, request, shared.config.ingest_bytes_max).await?;
    let ingest = move |app: &deedtrail_app::App| -> Result<IngestAnswer, IngestError> {
        let delivery = Delivery {
            source: source.as_ref(),
            encoding,
            body: &body,
        };
        let answer = app.ingest(&principal, delivery);
        drop(turn);
        answer
    };
    shared.attempt(ingest).await.map(Json)
}

/// The source of that name, if the mapper knows it; else which names come close.
pub(super) fn known_source(name: &str, mapper: &dyn Mapper) -> Result<SourceName, Problem> {
    let names = mapper.sources().into_iter().map(|facts| facts.name);
    let known = deedtrail_app::source_name::known_source(name, names);
    known.map_err(|error| unknown_source(format!("{error} (GET /v1/sources lists them all)")))
}
