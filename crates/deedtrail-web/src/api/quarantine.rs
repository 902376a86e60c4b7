//! `/v1/quarantine`: what was not understood, over all sources; replaying and dismissing it.

use axum::body::Bytes;
use axum::extract::State;
use axum::{Extension, Json};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::quarantine::{ReplayAnswer, Wanted};
use deedtrail_core::Text;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{QuarantineReason, Quarantined};
use serde::{Deserialize, Serialize};

use super::Answer;
use super::ask::{self, Asked};
use crate::problem::Problem;
use crate::state::Shared;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListAsked {
    source: Option<String>,
    code: Option<Text>,
    dismissed: Option<String>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct Overview {
    /// How many there are by source and reason, the newest first.
    reasons: Vec<QuarantineReason>,
    quarantined: Vec<Quarantined>,
}

/// Which records are meant: all that are named, all of a source, or everything.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Chosen {
    source: Option<String>,
    code: Option<Text>,
    sequence: Option<Sequence>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dismissal {
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    code: Option<Text>,
    #[serde(default)]
    sequence: Option<Sequence>,
    /// Why nobody needs to look at them.
    reason: String,
}

/// How many records a decision is about.
#[derive(Debug, Serialize)]
pub(super) struct Decided {
    records: u64,
}

impl Chosen {
    fn wanted(self) -> Result<Wanted, Problem> {
        Ok(Wanted {
            source: named(self.source.as_deref())?,
            code: self.code,
            sequence: self.sequence,
            dismissed: false,
        })
    }
}

fn named(source: Option<&str>) -> Result<Option<SourceName>, Problem> {
    let named = source.map(SourceName::new).transpose();
    named.map_err(|error| Problem::invalid(error.to_string()))
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Asked(asked): Asked<ListAsked>,
) -> Answer<Overview> {
    let limit = ask::limit(asked.limit);
    let wanted = Wanted {
        source: named(asked.source.as_deref())?,
        code: asked.code,
        sequence: None,
        dismissed: asked.dismissed.is_some(),
    };
    let read = move |app: &App| -> Result<_, Problem> {
        Ok(Overview {
            reasons: app.quarantine_reasons(&principal, &wanted)?,
            quarantined: app.quarantine(&principal, &wanted, limit)?,
        })
    };
    shared.attempt(read).await.map(Json)
}

pub(super) async fn dismiss(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    body: Bytes,
) -> Answer<Decided> {
    let asked: Dismissal = ask::said(&body, "{\"source\": \"…\", \"reason\": \"why\"}")?;
    let chosen = Chosen {
        source: asked.source,
        code: asked.code,
        sequence: asked.sequence,
    };
    let wanted = chosen.wanted()?;
    let decide = move |app: &App| app.dismiss_quarantine(&principal, &wanted, &asked.reason);
    let records = shared.attempt(decide).await?;
    Ok(Json(Decided { records }))
}

pub(super) async fn restore(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    body: Bytes,
) -> Answer<Decided> {
    let wanted = ask::said::<Chosen>(&body, "{\"source\": \"…\"}")?.wanted()?;
    let decide = move |app: &App| app.restore_quarantine(&principal, &wanted);
    let records = shared.attempt(decide).await?;
    Ok(Json(Decided { records }))
}

pub(super) async fn replay(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    body: Bytes,
) -> Answer<ReplayAnswer> {
    let wanted = ask::said::<Chosen>(&body, "{\"source\": \"…\"}")?.wanted()?;
    let replay = move |app: &App| app.replay_wanted(&principal, &wanted);
    shared.attempt(replay).await.map(Json)
}
