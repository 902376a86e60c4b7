//! The JSON API under `/v1`, health and metrics.

mod ask;
mod behaviour;
mod charters;
mod entitlements;
mod events;
mod evidence;
mod exceptions;
mod findings;
mod health;
mod identities;
mod ingest;
mod insider_risk;
mod metrics;
mod quarantine;
mod rules;
mod sessions;
mod sources;
mod table;
mod today;
mod witness;

pub(crate) use ask::{Asked, cursor, id, next_cursor, shortened, time};
pub(crate) use exceptions::number;
pub(crate) use health::ReportGate;

use axum::Json;

use crate::endpoint::Endpoint;
use crate::problem::Problem;

/// What every endpoint of the API returns.
type Answer<T> = Result<Json<T>, Problem>;

/// Every endpoint of the API.
pub(crate) fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    let parts = [
        table::ENDPOINTS,
        table::declared::ENDPOINTS,
        table::behaviour::ENDPOINTS,
        table::witness::ENDPOINTS,
        table::excepted::ENDPOINTS,
        table::ruled::ENDPOINTS,
    ];
    parts.into_iter().flatten()
}
