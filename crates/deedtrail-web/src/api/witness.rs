//! A witness of other logs, as they ask it (c2sp.org/tlog-witness). Nobody needs a token: a
//! checkpoint is signed, and what is answered says nothing of this installation.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use deedtrail_app::App;
use deedtrail_core::port::witness::{Refusal, Witness};

use crate::gate::RemoteAddress;
use crate::problem::Problem;
use crate::state::Shared;

/// Media type of a size that a 409 names.
const SIZE: &str = "text/x.tlog.size";

pub(super) async fn add_checkpoint(
    State(shared): State<Shared>,
    from: Option<Extension<RemoteAddress>>,
    body: Bytes,
) -> Result<Response, Problem> {
    let now = shared.app.ports.clock.now();
    let admitted = shared.witnessing.admit(from.map(|from| from.0), now);
    admitted.map_err(too_often)?;
    let answered = shared
        .run(move |app| {
            let witness = of(app)?;
            let body = std::str::from_utf8(&body);
            let body = body.map_err(|error| Refusal::Malformed(error.to_string()));
            Ok::<_, Problem>(body.and_then(|body| witness.add_checkpoint(body)))
        })
        .await??;
    match answered {
        Ok(lines) => {
            shared.witnessing.charge(now);
            Ok(lines.into_response())
        }
        Err(Refusal::Stale(size)) => {
            let size = format!("{size}\n");
            Ok((StatusCode::CONFLICT, [(header::CONTENT_TYPE, SIZE)], size).into_response())
        }
        Err(refusal) => Err(problem(&refusal)),
    }
}

pub(super) async fn checkpoint(
    State(shared): State<Shared>,
    Path(origin_hash): Path<String>,
) -> Result<String, Problem> {
    let read = move |app: &App| {
        let kept = of(app)?.checkpoint(&origin_hash);
        kept.map_err(|refusal| problem(&refusal))?
            .ok_or_else(|| Problem::not_found("No checkpoint of such a log was cosigned here."))
    };
    shared.run(read).await?
}

fn too_often(retry_after_s: u32) -> Problem {
    let detail = format!(
        "Too many checkpoints came within a minute, from this address or in all; ask again in \
         {retry_after_s} s."
    );
    let status = StatusCode::TOO_MANY_REQUESTS;
    Problem::new(status, "too-often", "Too often", detail).retry_after(retry_after_s)
}

/// The witness, where this installation is one.
fn of(app: &App) -> Result<&dyn Witness, Problem> {
    app.witness.as_deref().ok_or_else(|| {
        Problem::not_found("This installation is no witness: `[witness.logs]` names no log.")
    })
}

fn problem(refusal: &Refusal) -> Problem {
    let (status, kind, title) = match refusal {
        Refusal::Malformed(_) => return Problem::bad_request(refusal.to_string()),
        Refusal::UnknownLog(_) => return Problem::not_found(refusal.to_string()),
        Refusal::Unsigned(_) => (StatusCode::FORBIDDEN, "unsigned", "Not signed by the log"),
        Refusal::Stale(_) => (StatusCode::CONFLICT, "stale", "Another size was cosigned"),
        Refusal::Inconsistent(_) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "inconsistent",
            "Another history of the log",
        ),
        Refusal::Failed(reason) => {
            tracing::error!(%reason, "the witness cosigns nothing");
            return Problem::internal();
        }
    };
    Problem::new(status, kind, title, refusal.to_string())
}
