//! `/v1/checkpoints`: the log's newest signed checkpoint and the key to check it with.

use axum::extract::State;
use axum::{Extension, Json};
use deedtrail_app::access::{Denied, Principal};
use deedtrail_core::port::store::Scope;
use serde::Serialize;

use super::Answer;
use crate::state::Shared;

#[derive(Debug, Serialize)]
pub(super) struct CheckpointAnswer {
    /// C2SP tlog-checkpoint, a signed note.
    checkpoint: String,
    /// The newest one that as many witnesses cosigned as must, with their lines.
    cosigned: Option<String>,
    /// C2SP signed-note verifier key.
    verifier_key: String,
    origin: String,
    /// One past the newest durable entry.
    log_end: u64,
}

pub(super) async fn newest(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Answer<CheckpointAnswer> {
    let read = move |app: &deedtrail_app::App| -> Result<CheckpointAnswer, Denied> {
        principal.require(Scope::Read)?;
        let log = &app.ports.log;
        Ok(CheckpointAnswer {
            checkpoint: log.checkpoint(),
            cosigned: app.witnesses.as_ref().and_then(|all| all.quorate()),
            verifier_key: log.verifier_key(),
            origin: log.origin().to_owned(),
            log_end: log.end(),
        })
    };
    shared.attempt(read).await.map(Json)
}
