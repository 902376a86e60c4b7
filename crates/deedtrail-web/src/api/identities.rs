//! `/v1/identities`: who there is, what leads to them, and what they did.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::charter::{CharterError, ToolsInForce};
use deedtrail_core::event::ActorKind;
use deedtrail_core::identity::{AliasRecord, CredentialRecord, Identity};
use deedtrail_core::port::store::IdentityFilter;
use serde::{Deserialize, Serialize};

use super::Answer;
use super::ask::{self, Asked};
use super::events::{EventList, EventsAsked, list as list_events};
use crate::problem::Problem;
use crate::state::Shared;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct IdentitiesAsked {
    kind: Option<String>,
    text: Option<String>,
    unowned: Option<String>,
    offset: Option<usize>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct IdentityList {
    identities: Vec<Identity>,
    total: u64,
    next_offset: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct IdentityAnswer {
    identity: Identity,
    /// The tools that calls are compared with, and who says so.
    tools: Option<ToolsInForce>,
    aliases: Vec<AliasRecord>,
    credentials: Vec<CredentialRecord>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Asked(asked): Asked<IdentitiesAsked>,
) -> Answer<IdentityList> {
    let (filter, limit) = filter(asked)?;
    let offset = filter.offset;
    let page = shared
        .attempt(move |app| app.identities(&principal, &filter))
        .await?;
    let next = offset.saturating_add(page.identities.len());
    let more = page.identities.len() >= limit && (next as u64) < page.total;
    Ok(Json(IdentityList {
        identities: page.identities,
        total: page.total,
        next_offset: more.then_some(next),
    }))
}

fn filter(asked: IdentitiesAsked) -> Result<(IdentityFilter, usize), Problem> {
    let names = actor_kinds();
    let kind = ask::one_of("kind", asked.kind.as_deref(), ActorKind::from_name, &names)?;
    let limit = ask::limit(asked.limit);
    let filter = IdentityFilter {
        kind: kind.map(|kind| kind.name().to_owned()),
        text: asked.text.filter(|text| !text.is_empty()),
        unowned: asked.unowned.is_some(),
        offset: asked.offset.unwrap_or(0),
        limit: Some(limit),
        ..IdentityFilter::default()
    };
    Ok((filter, limit))
}

pub(super) fn actor_kinds() -> Vec<&'static str> {
    ActorKind::ALL.iter().map(|kind| kind.name()).collect()
}

pub(super) async fn one(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(who): Path<String>,
) -> Answer<IdentityAnswer> {
    let read = move |app: &App| {
        let file = app.open_identity(&principal, &who)?;
        let tools = app.tools_in_force(&principal, &file)?;
        Ok::<_, CharterError>((file, tools))
    };
    let (file, tools) = shared.attempt(read).await?;
    Ok(Json(IdentityAnswer {
        tools,
        identity: file.identity,
        aliases: file.aliases,
        credentials: file.credentials,
    }))
}

pub(super) async fn timeline(
    shared: State<Shared>,
    principal: Extension<Principal>,
    Path(who): Path<String>,
    Asked(mut asked): Asked<EventsAsked>,
) -> Answer<EventList> {
    asked.identity = Some(who);
    list_events(shared, principal, Asked(asked)).await
}
