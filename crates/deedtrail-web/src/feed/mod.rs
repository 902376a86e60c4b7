//! Protocols that shippers speak already. A delivery mixes the records of several sources.

mod cloud_events;
mod elastic;
mod hec;
mod otlp;
mod signal;
mod table;
mod webhook;

use axum::body::Bytes;
use axum::extract::Request;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::intake::{IngestAnswer, IngestError, Shipped, Taken};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Encoding, Mapper};

use crate::delivery::{self, Turn};
use crate::problem::Problem;
use crate::state::Shared;

pub(crate) use elastic::Refusal as ElasticRefusal;
pub(crate) use hec::Refusal as HecRefusal;
pub(crate) use otlp::{GrpcRefusal, Refusal as OtlpRefusal};
pub(crate) use table::ENDPOINTS;

/// What became of a delivery, with what `read` remembers of it for the answer.
struct Took<M> {
    answer: IngestAnswer,
    /// One for each record, in order.
    taken: Vec<Taken>,
    memory: M,
}

/// Reads the body of `request` into records with `read`, and takes them in. Those of which no
/// source can be told wait in quarantine as of `protocol`.
async fn take<M, R>(
    shared: &Shared,
    principal: Principal,
    request: Request,
    protocol: &'static str,
    read: R,
) -> Result<Took<M>, Problem>
where
    M: Send + 'static,
    R: for<'a> FnOnce(&dyn Mapper, &'a [u8]) -> Result<(Vec<Shipped<'a>>, M), Problem>
        + Send
        + 'static,
{
    let encoding = delivery::encoding(request.headers())?;
    let mut turn = delivery::turn(shared, &shared.ingest_turns).await?;
    let body = delivery::body(shared, &mut turn, request, shared.config.ingest_bytes_max).await?;
    take_body(shared, principal, (turn, encoding, body), protocol, read).await
}

/// As [`take`], of a body that was read in its turn.
async fn take_body<M, R>(
    shared: &Shared,
    principal: Principal,
    (turn, encoding, body): (Turn, Encoding, Bytes),
    protocol: &'static str,
    read: R,
) -> Result<Took<M>, Problem>
where
    M: Send + 'static,
    R: for<'a> FnOnce(&dyn Mapper, &'a [u8]) -> Result<(Vec<Shipped<'a>>, M), Problem>
        + Send
        + 'static,
{
    let ingest = move |app: &App| -> Result<Took<M>, Problem> {
        let protocol = SourceName::new(protocol).map_err(|_| Problem::internal())?;
        let mapper = &*app.ports.mapper;
        let body = mapper.unpack(encoding, &body).map_err(IngestError::from)?;
        let (records, memory) = read(mapper, &body)?;
        let (answer, taken) = app.ingest_shipped(&principal, &protocol, records)?;
        drop(turn);
        Ok(Took {
            answer,
            taken,
            memory,
        })
    };
    shared.attempt(ingest).await
}
