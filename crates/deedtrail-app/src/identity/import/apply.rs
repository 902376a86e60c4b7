//! Applies an import when the pipeline reaches its entry in the log.

use deedtrail_core::event::{ActorKind, Alias};
use deedtrail_core::id::{IdentityId, TenantId};
use deedtrail_core::identity::Declared;
use deedtrail_core::namespace::namespace_facts;
use deedtrail_core::time::Timestamp;

use super::row::DeclaredRow;
use crate::identity::resolver::{Resolver, Sighting};

/// Why an alias or a merge stems from an import.
const EVIDENCE: &str = "import";

impl DeclaredRow {
    /// What is declared after this row. A cell that does not read changes nothing; rows are checked
    /// when they are parsed.
    pub(super) fn applied_to(&self, before: &Declared) -> Declared {
        let mut after = before.clone();
        for (column, cell) in &self.cells {
            if column.set(&mut after, cell).is_err() {
                tracing::warn!(line = self.line, column = column.name(), "cell left out");
            }
        }
        after
    }
}

impl Resolver {
    /// Takes over what an import declares. Applying it again changes nothing.
    pub fn apply_import(&mut self, tenant: &TenantId, rows: Vec<DeclaredRow>, at: Timestamp) {
        for row in rows {
            let sighting = Sighting {
                tenant,
                evidence: EVIDENCE,
                at: None,
            };
            if let Some(id) = self.declared_identity(&row, sighting, at) {
                self.declare(id, &row, at);
            }
        }
    }

    /// Whoever an import of entitlements names is there from then on. Nobody has declared them.
    pub(crate) fn hold(&mut self, tenant: &TenantId, holder: &Alias) {
        if self.known(tenant, holder).is_some() {
            return;
        }
        let sighting = Sighting {
            tenant,
            evidence: "entitlement import",
            at: None,
        };
        let kind = namespace_facts(&holder.namespace).kind;
        let id = self.discover(holder, kind, sighting);
        if let Some(identity) = self.identities.get_mut(&id) {
            identity.discovered = true;
        }
    }

    /// The one identity behind all aliases of a row: what people declare to be one, is one.
    fn declared_identity(
        &mut self,
        row: &DeclaredRow,
        sighting: Sighting<'_>,
        at: Timestamp,
    ) -> Option<IdentityId> {
        let first = row.aliases.first()?;
        let known = row
            .aliases
            .iter()
            .find_map(|alias| self.known(sighting.tenant, alias));
        let mut id = match known {
            Some(id) => id,
            None => self.discover(first, ActorKind::Unknown, sighting),
        };
        for alias in &row.aliases {
            if let Some(other) = self
                .known(sighting.tenant, alias)
                .filter(|other| *other != id)
            {
                id = self.merge(id, other, EVIDENCE.into(), at)?;
            } else {
                self.attach(alias, id, first, sighting);
            }
        }
        Some(id)
    }

    fn declare(&mut self, id: IdentityId, row: &DeclaredRow, at: Timestamp) {
        let Some(identity) = self.identities.get_mut(&id) else {
            return;
        };
        let mut declared = row.applied_to(&identity.declared);
        if declared.owner != identity.declared.owner {
            declared.owner_since = declared.owner.as_ref().map(|_| at);
        }
        if declared.declared_tools != identity.declared.declared_tools {
            let given = !declared.declared_tools.is_empty();
            declared.declared_tools_since = given.then_some(at);
        }
        identity.discovered = false;
        identity.kind = declared.declared_kind.unwrap_or(identity.kind);
        if let Some(name) = &declared.declared_name {
            identity.name = name.clone();
        }
        identity.declared = declared;
        self.touched.identities.insert(id);
        self.touched.declared.insert(id);
    }
}
