//! `/v1/webhooks/{name}`: vendors push what happens, signed with a shared secret.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use deedtrail_app::App;
use deedtrail_app::webhook::{Delivered, WebhookError};
use serde::Serialize;

use crate::delivery;
use crate::problem::Problem;
use crate::state::Shared;

/// Largest body of a webhook, bytes: GitHub sends up to so much. Nobody has said who they are before
/// it is read.
const WEBHOOK_BYTES_MAX: usize = 25 << 20;

/// Okta's question before it uses a hook.
#[derive(Debug, Serialize)]
pub(super) struct Verification {
    verification: String,
}

pub(super) async fn verify(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Verification>, Problem> {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let challenge = shared.app.webhook_challenge(&name, &header)?;
    let verification = challenge.to_owned();
    Ok(Json(Verification { verification }))
}

pub(super) async fn take(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Delivered>, Problem> {
    // Whoever names none, or has not what a delivery has, is answered before the body is read.
    let headers = request.headers().clone();
    let header = |name: &str| headers.get(name)?.to_str().ok();
    shared.app.expect_webhook(&name, &header)?;
    let pushes = shared.webhooks.get(&name);
    let (turn, body) = delivery::pushed(&shared, pushes, request, WEBHOOK_BYTES_MAX).await?;
    let ingest = move |app: &App| -> Result<Delivered, WebhookError> {
        let header = |name: &str| headers.get(name)?.to_str().ok();
        let answer = app.ingest_webhook(&name, &header, &body);
        drop(turn);
        answer
    };
    shared.attempt(ingest).await.map(Json)
}
