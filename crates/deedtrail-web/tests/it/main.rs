//! The HTTP surface as callers meet it, over fakes.

mod access;
mod api;
mod caller;
mod ingest;
mod page;
mod reference;
