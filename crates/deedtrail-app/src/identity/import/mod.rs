//! Import of owners and identities: read, compared, appended to the log, applied from there.

mod apply;
mod column;
mod diff;
mod parse;
mod row;

use serde::Serialize;

use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{Scope, StoreError};

use crate::App;
use crate::access::{Denied, Principal};
use crate::configuration::{ConfigurationError, IDENTITY_IMPORT};

pub use column::{Cell, Column};
pub(crate) use column::{instant, several, suggestion};
pub use diff::{FieldChange, IdentityChange, ImportDiff, diff};
pub(crate) use parse::parse_alias;
pub use parse::{ParsedImport, parse_import, parse_import_rows};
pub use row::{DeclaredRow, ImportError, to_ndjson};

/// How an import treats its lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportMode {
    /// Only say what would change.
    pub dry_run: bool,
    /// Apply the good lines even if others are bad.
    pub skip_bad: bool,
}

/// What an import changes, or would change.
#[derive(Clone, Debug, Serialize)]
pub struct ImportReport {
    pub diff: ImportDiff,
    /// Lines left out (`skip_bad`).
    pub skipped: Vec<ImportError>,
    /// One past the log entry that carries the import; `None` when nothing was applied.
    pub applied: Option<Sequence>,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportRefusal {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("{} of the lines are bad, so nothing was imported: {}", .0.len(), first_of(.0))]
    BadLines(Vec<ImportError>),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Append(#[from] ConfigurationError),
}

fn first_of(errors: &[ImportError]) -> String {
    errors.first().map(ToString::to_string).unwrap_or_default()
}

impl App {
    /// Imports owners and identities from CSV or NDJSON (docs/reference/identity-import.md).
    ///
    /// The rows become an entry of the evidence log and take effect when the pipeline reaches it.
    /// A file that changes nothing is not appended.
    pub fn import_identities(
        &self,
        principal: &Principal,
        file: &[u8],
        mode: ImportMode,
    ) -> Result<ImportReport, ImportRefusal> {
        principal.require(if mode.dry_run {
            Scope::Read
        } else {
            Scope::Write
        })?;
        let parsed = parse_import_rows(file);
        let usable = mode.skip_bad && !parsed.rows.is_empty();
        if !parsed.errors.is_empty() && !usable {
            return Err(ImportRefusal::BadLines(parsed.errors));
        }
        let diff = diff(&parsed.rows, &principal.tenant, self.ports.store.as_ref())?;
        let applied = if mode.dry_run || diff.is_empty() {
            None
        } else {
            let content = to_ndjson(&parsed.rows);
            Some(self.append_configuration(principal, IDENTITY_IMPORT, content)?)
        };
        Ok(ImportReport {
            diff,
            skipped: parsed.errors,
            applied,
        })
    }
}
