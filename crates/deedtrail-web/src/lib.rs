//! HTTP: intake, the JSON API, and server-rendered pages over the use cases of `deedtrail-app`.
//!
//! [`router`] builds everything from one table of endpoints ([`endpoint::Endpoint`]): the route,
//! the scope it needs, how refusals look, and its entry in the OpenAPI document. An endpoint that
//! is not in the table does not exist, and nothing in the table answers before the guard has found
//! a principal with the scope it names.

mod api;
mod asset;
mod config;
mod delivery;
mod endpoint;
mod feed;
mod gate;
mod guard;
mod header;
mod pace;
mod page;
mod problem;
pub mod reference;
mod refusal;
mod router;
mod server;
mod sign_in;
mod state;
mod view;

pub use config::{Transport, WebConfig};
pub use endpoint::{Endpoint, Face, Needs};
pub use gate::RemoteAddress;
pub use guard::LocalPrincipal;
pub use router::{endpoints, router};
pub use server::{ALPN, SHUTDOWN_GRACE, serve, serve_within};
