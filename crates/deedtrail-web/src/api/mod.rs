//! The JSON API under `/v1`, health and metrics.

mod ask;
mod charters;
mod entitlements;
mod events;
mod evidence;
mod findings;
mod health;
mod identities;
mod ingest;
mod metrics;
mod quarantine;
mod sessions;
mod sources;
mod table;
mod today;

pub(crate) use ask::{Asked, cursor, id, next_cursor, shortened, time};
pub(crate) use health::ReportGate;
pub(crate) use table::ENDPOINTS;

use axum::Json;

use crate::problem::Problem;

/// What every endpoint of the API returns.
type Answer<T> = Result<Json<T>, Problem>;
