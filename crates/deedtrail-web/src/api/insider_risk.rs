//! `/v1/insider-risk`: people by risk, without their names; revealing one of them.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::insider_risk::InsiderRisk;
use deedtrail_core::Text;
use deedtrail_core::id::IdentityId;
use serde::{Deserialize, Serialize};

use super::Answer;
use super::ask;
use crate::state::Shared;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    reason: String,
}

/// Who a person of the list is.
#[derive(Debug, Serialize)]
pub(super) struct Revealed {
    person: String,
    identity: IdentityId,
    name: Text,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Answer<InsiderRisk> {
    let read = move |app: &App| app.insider_risk(&principal);
    Ok(Json(shared.attempt(read).await?))
}

pub(super) async fn reveal(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(person): Path<String>,
    body: Bytes,
) -> Answer<Revealed> {
    let why: Why = ask::said(&body, "{\"reason\": \"…\"}")?;
    let asked = person.clone();
    let reveal = move |app: &App| app.reveal_person(&principal, &asked, &why.reason);
    let identity = shared.attempt(reveal).await?;
    Ok(Json(Revealed {
        person,
        identity: identity.id,
        name: identity.name,
    }))
}
