//! `/v1/sessions` and `/v1/blind-sessions`.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::agent_call::AgentCall;
use deedtrail_app::entitlement::Reach;
use deedtrail_app::session::NextStep;
use deedtrail_app::timeline::ReadingError;
use deedtrail_core::Text;
use deedtrail_core::id::SessionUid;
use deedtrail_core::port::store::SessionFilter;
use deedtrail_core::session::{BlindSession, Session, SessionJoin, SessionVerdict};
use serde::{Deserialize, Serialize};

use super::Answer;
use super::ask::{self, Asked};
use crate::state::Shared;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SessionsAsked {
    identity: Option<String>,
    verdict: Option<String>,
    trust_below: Option<u8>,
    departing: Option<String>,
    offset: Option<usize>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct SessionList {
    sessions: Vec<Session>,
    next_offset: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct SessionAnswer {
    session: Session,
    joined: Vec<Session>,
    joins: Vec<SessionJoin>,
    reach: Reach,
    /// Which agent called which, where one called another; each below its caller.
    agents: Vec<AgentCall>,
    /// Further joined sessions are left out.
    more: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct NextAnswer {
    session: SessionUid,
    steps: Vec<NextStep>,
    /// Actions after those listed, over all these sessions.
    left_out: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BlindAsked {
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct BlindSessions {
    systems: Vec<BlindSystem>,
    sessions: Vec<BlindSession>,
}

#[derive(Debug, Serialize)]
struct BlindSystem {
    system: Text,
    identities: usize,
}

pub(super) fn verdicts() -> Vec<&'static str> {
    let verdicts = SessionVerdict::ALL.iter();
    verdicts.map(|verdict| verdict.name()).collect()
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Asked(asked): Asked<SessionsAsked>,
) -> Answer<SessionList> {
    let limit = ask::limit(asked.limit);
    let verdict = asked.verdict.as_deref();
    let offset = asked.offset.unwrap_or(0);
    let mut filter = SessionFilter {
        verdict: ask::one_of("verdict", verdict, SessionVerdict::from_name, &verdicts())?,
        trust_below: asked.trust_below,
        departing: asked.departing.is_some(),
        offset,
        ..SessionFilter::default()
    };
    let identity = asked.identity.filter(|who| !who.is_empty());
    let read = move |app: &App| -> Result<Vec<Session>, ReadingError> {
        if let Some(who) = identity {
            filter.identity = Some(app.find_identity(&principal, &who)?.identity.id);
        }
        app.sessions(&principal, &filter, limit)
    };
    let sessions = shared.attempt(read).await?;
    let full = sessions.len() >= limit;
    Ok(Json(SessionList {
        next_offset: full.then(|| offset.saturating_add(sessions.len())),
        sessions,
    }))
}

pub(super) async fn one(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(uid): Path<String>,
) -> Answer<SessionAnswer> {
    let uid = ask::id(&uid)?;
    let read = move |app: &App| -> Result<_, ReadingError> {
        let file = app.session_file(&principal, uid)?;
        let reach = app.session_reach(&principal, &file)?;
        let agents = app.agent_calls(&principal, &file)?;
        Ok((file, reach, agents))
    };
    let (file, reach, agents) = shared.attempt(read).await?;
    Ok(Json(SessionAnswer {
        agents,
        session: file.session,
        joined: file.joined,
        joins: file.joins,
        reach,
        more: file.more,
    }))
}

pub(super) async fn next(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(uid): Path<String>,
) -> Answer<NextAnswer> {
    let uid = ask::id(&uid)?;
    let file = shared
        .attempt(move |app| app.session_file(&principal, uid))
        .await?;
    Ok(Json(NextAnswer {
        session: uid,
        steps: file.next_steps(),
        left_out: file.all().iter().map(|one| one.next_left_out).sum(),
    }))
}

pub(super) async fn blind(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Asked(asked): Asked<BlindAsked>,
) -> Answer<BlindSessions> {
    let limit = ask::limit(asked.limit);
    let map = shared
        .attempt(move |app| app.blind_map(&principal, limit))
        .await?;
    let systems = map.systems.into_iter();
    Ok(Json(BlindSessions {
        systems: systems
            .map(|(system, identities)| BlindSystem { system, identities })
            .collect(),
        sessions: map.rows,
    }))
}
