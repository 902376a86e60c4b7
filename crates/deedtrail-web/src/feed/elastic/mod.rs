//! Elasticsearch's bulk interface, and what its clients ask before they use it.

mod answer;
mod decode;

use std::borrow::Cow;
use std::time::Instant;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use deedtrail_app::access::Principal;
use deedtrail_app::intake::Shipped;
use serde_json::json;

use super::take;
use crate::problem::Problem;
use crate::state::Shared;

pub(crate) use answer::Refusal;

use answer::Asked;
use decode::Operation;

/// Under this name records wait of which no source can be told.
const PROTOCOL: &str = "elastic.bulk";
/// The version clients are told: the last of the generation that every current client speaks to.
const VERSION: &str = "8.19.0";

/// `POST /_bulk`.
pub(super) async fn bulk(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    request: Request,
) -> Result<Response, Refusal> {
    take_bulk(&shared, principal, None, request).await
}

/// `POST /{index}/_bulk`.
pub(super) async fn bulk_of(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(index): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    take_bulk(&shared, principal, Some(index), request).await
}

async fn take_bulk(
    shared: &Shared,
    principal: Principal,
    index: Option<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let started = Instant::now();
    let took = take(shared, principal, request, PROTOCOL, move |_, body| {
        let operations = decode::operations(body, index.as_deref());
        let operations = operations.map_err(|error| Problem::bad_request(error.to_string()))?;
        let asked: Vec<Asked> = operations.iter().map(Asked::from).collect();
        Ok((records(operations), asked))
    });
    let took = took.await?;
    let took_ms = started.elapsed().as_millis();
    Ok(answer::answer(answer::bulk(took_ms, took)))
}

fn records(operations: Vec<Operation<'_>>) -> Vec<Shipped<'_>> {
    let records = operations
        .into_iter()
        .zip(1..)
        .filter_map(|(operation, line)| {
            Some(Shipped {
                line,
                labels: operation.labels(),
                // Within an index an id is one document's.
                id: operation
                    .id
                    .map(|id| format!("{}:{}/{id}", operation.index.len(), operation.index).into()),
                bytes: Cow::Borrowed(operation.record?),
                around: None,
            })
        });
    records.collect()
}

/// `GET /elastic`: what clients look at before anything else.
pub(super) async fn banner(State(shared): State<Shared>) -> Response {
    answer::answer(json!({
        "name": "deedtrail",
        "cluster_name": "deedtrail",
        "cluster_uuid": shared.app.ports.log.origin(),
        "version": {
            "number": VERSION,
            "build_flavor": "default",
            "build_type": "deedtrail",
            "build_snapshot": false,
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    }))
}

/// `GET /elastic/_license`.
pub(super) async fn license() -> Response {
    answer::answer(json!({
        "license": { "status": "active", "type": "basic", "mode": "basic" },
    }))
}

/// `GET /elastic/_cluster/health`: green as long as the log takes records.
pub(super) async fn health(State(shared): State<Shared>) -> Response {
    let log = &shared.app.ports.log;
    let status = if log.refusal().is_some() {
        "red"
    } else {
        "green"
    };
    answer::answer(json!({
        "cluster_name": "deedtrail",
        "status": status,
        "timed_out": false,
        "number_of_nodes": 1,
        "number_of_data_nodes": 1,
    }))
}
