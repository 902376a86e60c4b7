//! Identity resolution: aliases lead to identities that survive key rotation and rename.
//!
//! [`seal_event`] gives a mapped event its ids. The [`Resolver`] finds or makes the identity behind
//! it, in log order, and gathers what changed for the store. [`parse_import`] and
//! [`Resolver::apply_import`] bring in what people declare.

mod credential;
mod decision;
mod import;
mod kind;
mod lifecycle;
mod merge;
mod resolver;
mod seal;
mod span;
mod state;
mod tools;

pub use decision::{IDENTITY_MERGE, MergeDecision};
pub use import::{
    Cell, Column, DeclaredRow, FieldChange, IdentityChange, ImportDiff, ImportError, ImportMode,
    ImportRefusal, ImportReport, ParsedImport, diff, parse_import, parse_import_rows, to_ndjson,
};
pub(crate) use import::{instant, parse_alias, several, suggestion};
pub use resolver::{Changes, Resolved, Resolver};
pub use seal::{Place, seal_event};

#[cfg(test)]
mod tests;
