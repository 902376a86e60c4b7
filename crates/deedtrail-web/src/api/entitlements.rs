//! What identities may do: `/v1/entitlements/import`, `/v1/identities/{id}/entitlements`.

use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::routing::{MethodRouter, post};
use axum::{Extension, Json};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::entitlement::{
    EntitlementImportRequest, EntitlementReport, EntitlementUse, FILE_BYTES_MAX, ImportKind,
};
use deedtrail_core::port::mapper::Encoding;
use serde::Deserialize;

use super::Answer;
use super::ask::{self, Asked};
use crate::delivery;
use crate::problem::Problem;
use crate::state::Shared;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ImportAsked {
    kind: Option<String>,
    account: Option<String>,
    dry_run: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct UseAsked {
    from: Option<String>,
    to: Option<String>,
}

pub(super) fn kinds() -> Vec<&'static str> {
    ImportKind::ALL.iter().map(|kind| kind.name()).collect()
}

pub(super) fn route() -> MethodRouter<Shared> {
    // The handler applies its limit while it reads the body.
    post(import).layer(DefaultBodyLimit::disable())
}

async fn import(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Asked(asked): Asked<ImportAsked>,
    request: Request,
) -> Answer<EntitlementReport> {
    let names = kinds();
    let kind = ask::one_of("kind", asked.kind.as_deref(), ImportKind::from_name, &names)?;
    let kind = kind.ok_or_else(|| {
        let names = names.join(", ");
        Problem::bad_request(format!("`kind` says what the file is; use one of {names}"))
    })?;
    if delivery::encoding(request.headers())? != Encoding::Identity {
        return Err(Problem::bad_request(
            "send the file as it is, not compressed",
        ));
    }
    let mut turn = delivery::turn(&shared, &shared.ingest_turns).await?;
    let limit = shared.config.ingest_bytes_max.min(FILE_BYTES_MAX);
    let file = delivery::body(&shared, &mut turn, request, limit).await?;
    let import = move |app: &App| {
        let request = EntitlementImportRequest {
            kind,
            account: asked.account.as_deref(),
            file: &file,
            dry_run: asked.dry_run.is_some(),
        };
        let report = app.import_entitlements(&principal, request);
        drop(turn);
        report
    };
    shared.attempt(import).await.map(Json)
}

pub(super) async fn of_identity(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(who): Path<String>,
    Asked(asked): Asked<UseAsked>,
) -> Answer<EntitlementUse> {
    let window = ask::window(asked.from.as_deref(), asked.to.as_deref())?;
    let told = move |app: &App| {
        let file = app.find_identity(&principal, &who)?;
        app.entitlement_use(&principal, &file, window)
    };
    shared.attempt(told).await.map(Json)
}
