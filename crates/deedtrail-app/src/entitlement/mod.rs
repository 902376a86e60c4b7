//! Entitlements: what identities may do by what their systems say, beside what they did.
//!
//! An import is read ([`read`]), compared with what the same import said before, appended to the
//! evidence log, and takes effect when the pipeline reaches it ([`imported`], [`hold`]). Use of
//! what was granted is told by [`App::entitlement_use`].

mod diff;
mod import;
mod in_force;
mod log_form;
mod matching;
mod observed;
mod reach;
mod usage;

use serde::Serialize;

use deedtrail_core::entitlement::{Entitlement, ImportName, is_group};
use deedtrail_core::id::{AliasUid, TenantId};
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{ImportedEntitlements, Scope, StoreError};
use deedtrail_core::time::Timestamp;

use crate::App;
use crate::access::{Denied, Principal};
use crate::configuration::{ConfigurationError, ENTITLEMENT_IMPORT};
use crate::identity::Resolver;

pub use diff::{EntitlementDiff, GrantChange};
pub use import::{ImportKind, Mistake, ParsedEntitlements, read};
pub(crate) use in_force::InForce;
pub use reach::{AccessLevel, Reach, ReachKind, Through};
pub use usage::{Basis, Deeds, Did, EntitlementUse, May, MayNot, UsedInPart, Why};

/// Largest file, bytes. Beyond it nothing is imported.
pub const FILE_BYTES_MAX: usize = 64 << 20;
/// Most grants of one import. Beyond it nothing is imported.
pub const GRANTS_MAX: usize = 200_000;
/// Most permissions of one grant. Beyond it nothing is imported.
pub const PERMISSIONS_MAX: usize = 20_000;
/// Most bytes of an import in its form for the log, which is one entry. Beyond it nothing is
/// imported.
pub const LOG_BYTES_MAX: usize = 15 << 20;

/// Holders of each kind that a report names; all are counted.
const HOLDERS_LISTED_MAX: usize = 100;

/// An import of entitlements, as it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct EntitlementImportRequest<'a> {
    pub kind: ImportKind,
    /// The account, cluster, tenant or organisation; by default what the file says.
    pub account: Option<&'a str>,
    pub file: &'a [u8],
    /// Only say what would change.
    pub dry_run: bool,
}

/// What an import changes, or would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntitlementReport {
    pub import: ImportName,
    pub diff: EntitlementDiff,
    /// Holders that nobody knew; they become identities that are discovered.
    pub new_identities: u64,
    /// The first of them, as `namespace:value`.
    pub created: Vec<String>,
    /// Holders that are known already and whose entitlements come, go or change.
    pub updated_identities: u64,
    /// The first of them, as `name (namespace:value)`.
    pub updated: Vec<String>,
    /// Groups whose members the file does not tell.
    pub groups: u64,
    /// What the file does not say, or what of it was left out.
    pub notes: Vec<String>,
    /// One past the log entry that carries the import; `None` when nothing was applied.
    pub applied: Option<Sequence>,
}

#[derive(Debug, thiserror::Error)]
pub enum EntitlementRefusal {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("nothing was imported: {}", first_of(.0))]
    Mistakes(Vec<Mistake>),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Append(#[from] ConfigurationError),
}

fn first_of(mistakes: &[Mistake]) -> String {
    let first = mistakes.first().map(ToString::to_string);
    let more = match mistakes.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    format!("{}{more}", first.unwrap_or_default())
}

impl App {
    /// Imports what identities may do (docs/reference/entitlement-import.md).
    ///
    /// The grants become an entry of the evidence log and take effect when the pipeline reaches it.
    /// They replace what an import of the same kind and account said before; an import that changes
    /// nothing is not appended.
    pub fn import_entitlements(
        &self,
        principal: &Principal,
        request: EntitlementImportRequest<'_>,
    ) -> Result<EntitlementReport, EntitlementRefusal> {
        principal.require(if request.dry_run {
            Scope::Read
        } else {
            Scope::Write
        })?;
        let parsed = read(request.kind, request.account, request.file)
            .map_err(EntitlementRefusal::Mistakes)?;
        let content =
            log_form::to_log(&parsed, &principal.name).map_err(EntitlementRefusal::Mistakes)?;
        let (tenant, store) = (&principal.tenant, self.ports.store.as_ref());
        let before = store.entitlements(tenant, &parsed.import)?;
        let said = store.entitlement_imports(tenant)?;
        let is_first = !said.iter().any(|told| told.import == parsed.import);
        let diff = diff::diff(&before, &parsed.grants);
        let holders = self.holders(tenant, &before, &parsed)?;
        let applied = if request.dry_run || (diff.is_empty() && !is_first) {
            None
        } else {
            Some(self.append_configuration(principal, ENTITLEMENT_IMPORT, content)?)
        };
        Ok(EntitlementReport {
            import: parsed.import,
            diff,
            new_identities: holders.new,
            created: holders.created,
            updated_identities: holders.changed,
            updated: holders.updated,
            groups: holders.groups,
            notes: parsed.notes,
            applied,
        })
    }

    /// Whom the import makes known, whom it concerns, and how many groups hold something.
    fn holders(
        &self,
        tenant: &TenantId,
        before: &[Entitlement],
        parsed: &ParsedEntitlements,
    ) -> Result<Holders, StoreError> {
        let holders = parsed.grants.iter().flat_map(|grant| &grant.holders);
        let gone = before.iter().flat_map(|it| &it.grant.holders);
        let named: std::collections::BTreeSet<_> = holders.clone().collect();
        let all: std::collections::BTreeSet<_> = holders.chain(gone).collect();
        let changed = diff::concerned(before, &parsed.grants);
        let mut found = Holders::default();
        for holder in all {
            let alias = format!("{}:{}", holder.namespace, holder.value);
            if is_group(holder) {
                found.groups += u64::from(named.contains(holder));
                continue;
            }
            let uid = AliasUid::of(tenant, &holder.namespace, &holder.value);
            let known = match self.ports.store.alias(uid)? {
                Some(record) => self.ports.store.identity(record.identity)?,
                None => None,
            };
            match known {
                None if named.contains(holder) => {
                    found.new += 1;
                    note(&mut found.created, || alias);
                }
                Some(identity) if changed.contains(holder) => {
                    found.changed += 1;
                    note(&mut found.updated, || {
                        format!("{} ({alias})", identity.name)
                    });
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// Whom an import concerns.
#[derive(Debug, Default)]
struct Holders {
    new: u64,
    created: Vec<String>,
    changed: u64,
    updated: Vec<String>,
    groups: u64,
}

fn note(list: &mut Vec<String>, text: impl FnOnce() -> String) {
    if list.len() < HOLDERS_LISTED_MAX {
        list.push(text());
    }
}

/// What an entry of the log says, taken in at `at`; `None` when it is not understood.
pub(crate) fn imported(
    content: &[u8],
    tenant: &TenantId,
    at: Timestamp,
) -> Option<ImportedEntitlements> {
    let (import, grants) = log_form::from_log(content)?;
    let entitlement = |grant: deedtrail_core::entitlement::Grant| Entitlement {
        id: Entitlement::id_of(tenant, &import, &grant.key),
        tenant: tenant.clone(),
        import: import.clone(),
        first_imported: at,
        imported: at,
        grant,
    };
    let entitlements = grants.into_iter().map(entitlement).collect();
    Some(ImportedEntitlements {
        tenant: tenant.clone(),
        import: import.clone(),
        at,
        entitlements,
    })
}

/// Everyone an import names is an identity, except groups.
pub(crate) fn hold(resolver: &mut Resolver, said: &ImportedEntitlements) {
    let holders = said.entitlements.iter().flat_map(|it| &it.grant.holders);
    for holder in holders.filter(|holder| !is_group(holder)) {
        resolver.hold(&said.tenant, holder);
    }
}

#[cfg(test)]
mod tests;
