//! What an import would change, before it does.

use std::collections::BTreeSet;

use serde::Serialize;

use deedtrail_core::event::Alias;
use deedtrail_core::id::{IdentityId, TenantId};
use deedtrail_core::identity::{Declared, Identity};
use deedtrail_core::port::store::{Store, StoreError};

use super::row::DeclaredRow;
use crate::identity::seal;

/// What an import changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportDiff {
    /// Identities nobody knew.
    pub new: Vec<IdentityChange>,
    pub changed: Vec<IdentityChange>,
    /// Rows that change nothing.
    pub unchanged: usize,
}

/// What one row changes about one identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdentityChange {
    pub line: u64,
    /// `None` for a new one.
    pub identity: Option<IdentityId>,
    pub name: String,
    pub fields: Vec<FieldChange>,
}

/// One field before and after; empty means it says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Name of the column; `alias` for a further alias, `merge` for an identity that is joined.
    pub field: &'static str,
    pub before: String,
    pub after: String,
}

impl ImportDiff {
    /// Whether the import changes nothing.
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty()
    }
}

/// Compares rows with what the store knows. Changes nothing.
pub fn diff(
    rows: &[DeclaredRow],
    tenant: &TenantId,
    store: &dyn Store,
) -> Result<ImportDiff, StoreError> {
    let mut difference = ImportDiff::default();
    for row in rows {
        let change = row_change(row, tenant, store)?;
        if change.identity.is_none() {
            difference.new.push(change);
        } else if change.fields.is_empty() {
            difference.unchanged += 1;
        } else {
            difference.changed.push(change);
        }
    }
    Ok(difference)
}

fn row_change(
    row: &DeclaredRow,
    tenant: &TenantId,
    store: &dyn Store,
) -> Result<IdentityChange, StoreError> {
    let mut unknown = Vec::new();
    let mut ids = BTreeSet::new();
    let mut known: Option<Identity> = None;
    for alias in &row.aliases {
        match store.alias(seal::uid(tenant, alias))? {
            None => unknown.push(alias),
            Some(record) => {
                ids.insert(record.identity);
                if known.is_none() {
                    known = store.identity(record.identity)?;
                }
            }
        }
    }
    let declared = known
        .as_ref()
        .map(|identity| identity.declared.clone())
        .unwrap_or_default();
    let mut fields = field_changes(row, &declared);
    fields.extend(unknown.into_iter().map(alias_change));
    let others = ids
        .into_iter()
        .filter(|id| known.as_ref().is_some_and(|k| k.id != *id));
    fields.extend(others.map(|id| FieldChange {
        field: "merge",
        before: id.to_string(),
        after: String::new(),
    }));
    Ok(IdentityChange {
        line: row.line,
        name: name_of(row, known.as_ref()),
        identity: known.map(|identity| identity.id),
        fields,
    })
}

fn name_of(row: &DeclaredRow, known: Option<&Identity>) -> String {
    match known {
        Some(identity) => identity.name.to_string(),
        None => row
            .aliases
            .first()
            .map(|alias| alias.value.to_string())
            .unwrap_or_default(),
    }
}

fn alias_change(alias: &Alias) -> FieldChange {
    let after = format!("{}:{}", alias.namespace, alias.value);
    FieldChange {
        field: "alias",
        before: String::new(),
        after,
    }
}

fn field_changes(row: &DeclaredRow, before: &Declared) -> Vec<FieldChange> {
    let after = row.applied_to(before);
    let changes = row.cells.keys().map(|column| FieldChange {
        field: column.name(),
        before: column.get(before),
        after: column.get(&after),
    });
    changes
        .filter(|change| change.before != change.after)
        .collect()
}
