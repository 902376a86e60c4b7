//! Did, may, may not: what an identity did beside what it may do.

pub(super) mod compare;
pub(super) mod coverage;

use std::collections::BTreeMap;

use serde::Serialize;

use deedtrail_core::Text;
use deedtrail_core::entitlement::{Entitlement, EntitlementImport, ImportName, is_group};
use deedtrail_core::event::{Alias, PolicyDecision};
use deedtrail_core::id::{AliasUid, EntitlementId, EventUid, TenantId};
use deedtrail_core::port::store::{Scope, StoreError};
use deedtrail_core::time::Timestamp;

use super::in_force::HELD_MAX;
use super::observed::observed;
use crate::App;
use crate::access::Principal;
use crate::timeline::{IdentityFile, ReadingError, alias_uids};

/// How far back use is looked for unless told, µs.
const WINDOW_US: i64 = 90 * Timestamp::DAY_US;

/// What an identity did in a window, beside what imports say it may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntitlementUse {
    pub from: Timestamp,
    pub to: Timestamp,
    /// What was imported, of whatever system.
    pub imports: Vec<EntitlementImport>,
    /// Entitlements of this identity, those of groups it is in by its kind included.
    pub entitlements: u64,
    /// What it did, most frequent first.
    pub did: Vec<Did>,
    /// What it may do and did not.
    pub may: Vec<May>,
    /// What it did without being entitled to, and tried and was denied.
    pub may_not: Vec<MayNot>,
    /// False when it did more kinds of things than are compared; the most frequent are.
    pub complete: bool,
    /// Systems in which it holds more grants than events are compared with as they come: no finding
    /// tells there that it did what it may not, this does.
    pub not_watched: Vec<Text>,
}

impl EntitlementUse {
    /// That events are not compared as they come, in words; `None` where they are.
    pub fn not_watched_in_words(&self) -> Option<String> {
        (!self.not_watched.is_empty()).then(|| {
            format!(
                "it holds more than {HELD_MAX} grants in {}: its events there are compared with them \
                 here only, and no finding tells what goes beyond",
                self.not_watched.join(", ")
            )
        })
    }
}

/// Systems in which somebody holds more than events are compared with, groups of its kind left out.
fn not_watched(held: &[Entitlement]) -> Vec<Text> {
    let mut grants: BTreeMap<&Text, usize> = BTreeMap::new();
    for it in held {
        if !it.grant.holders.iter().all(is_group) {
            *grants.entry(&it.grant.system).or_default() += 1;
        }
    }
    let many = grants.into_iter().filter(|(_, grants)| *grants > HELD_MAX);
    many.map(|(system, _)| system.clone()).collect()
}

/// Events that are alike but for their targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deeds {
    pub system: Text,
    pub account: Option<Text>,
    pub operation: Text,
    /// The permissions any of which it takes.
    pub permissions: Vec<Text>,
    pub events: u64,
    /// How many targets.
    pub targets: u64,
    /// One of the targets.
    pub target: Option<Text>,
    pub first: Timestamp,
    pub last: Timestamp,
    /// What an authoriser said, where the feed carries it.
    pub policy_decision: Option<PolicyDecision>,
    /// One of the events.
    pub event_uid: EventUid,
}

/// On what grounds something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A grant covers it.
    Granted,
    /// A grant covers it under conditions, or on targets that cannot be compared.
    Conditional,
    /// The feed names the policy that allowed it; no import says so.
    Policy,
    /// It takes no permission.
    NoneNeeded,
    /// There is no import of the system, or it cannot be told which permission was used.
    Uncompared,
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Did {
    #[serde(flatten)]
    pub deeds: Deeds,
    pub basis: Basis,
    /// What it came by: the first few of the groups, roles, bindings and policies that cover it.
    pub by: Vec<Text>,
}

/// Why something is among what an identity may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It succeeded although a deny without conditions covers it.
    AgainstDeny,
    /// It succeeded although nothing that was imported allows it.
    WithoutEntitlement,
    /// It was tried and denied.
    Denied,
}

/// Something an identity may not do, and tried or did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MayNot {
    pub why: Why,
    #[serde(flatten)]
    pub deeds: Deeds,
    /// Grants that cover it all the same, or the denies it went against.
    pub by: Vec<Text>,
}

/// An entitlement of which something was not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct May {
    pub id: EntitlementId,
    pub import: ImportName,
    pub system: Text,
    /// The first of its permissions that were not used, and how many there are of how many.
    pub unused: Vec<Text>,
    pub unused_total: u64,
    pub permissions_total: u64,
    /// The first of its patterns (`s3:*`) of which only some actions were done, and how many there
    /// are.
    pub used_in_part: Vec<UsedInPart>,
    pub used_in_part_total: u64,
    /// `unused` are what it does not give.
    pub except: bool,
    pub scope: Vec<Text>,
    pub scope_except: bool,
    pub conditions: Vec<Text>,
    pub via: Option<Text>,
    pub granted: Option<Timestamp>,
    pub granted_by: Option<Text>,
    pub justification: Option<Text>,
    pub expires: Option<Timestamp>,
    /// The latest it can have been granted: when an import said so first.
    pub first_imported: Timestamp,
    /// Since when a feed would have shown its use; `None` when it is not known whether it was used.
    pub watched_since: Option<Timestamp>,
    /// Why it is not known, in words; empty when it is.
    pub unknown: Text,
}

/// A pattern of permissions of which some were used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsedInPart {
    pub permission: Text,
    /// How many actions were done by it.
    pub seen: u64,
    /// How many it stands for; `None` where that is not known.
    pub of: Option<u64>,
    /// The first of those that were done.
    pub actions: Vec<Text>,
}

impl Basis {
    /// On what grounds, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Conditional => "granted under conditions",
            Self::Policy => "by policy only",
            Self::NoneNeeded => "takes no permission",
            Self::Uncompared => "not compared",
        }
    }
}

impl MayNot {
    /// Why it is among what the identity may not do, in words.
    pub fn words(&self) -> &'static str {
        match self.why {
            Why::AgainstDeny => "done against a deny",
            Why::WithoutEntitlement => "done without entitlement",
            Why::Denied if self.by.is_empty() => "tried, denied",
            Why::Denied => "granted, yet denied",
        }
    }
}

impl May {
    /// Whether it was used, where that is known.
    pub const fn use_in_words(&self) -> &'static str {
        if self.unused_total > 0 {
            "not used"
        } else {
            "used in part"
        }
    }
}

impl UsedInPart {
    /// `s3:*: used in part, 1 action seen (s3:GetObject)`.
    pub fn sentence(&self) -> String {
        /// Actions named.
        const NAMED: usize = 3;
        let named: Vec<&str> = self.actions.iter().take(NAMED).map(Text::as_str).collect();
        let more = match usize::try_from(self.seen).unwrap_or(usize::MAX) {
            seen if seen > named.len() => ", …",
            _ => "",
        };
        let seen = match (self.of, self.seen) {
            (Some(of), seen) => format!("used in part: {seen} of {of} actions"),
            (None, 1) => "used in part, 1 action seen".to_owned(),
            (None, seen) => format!("used in part, {seen} actions seen"),
        };
        format!("{}: {seen} ({}{more})", self.permission, named.join(", "))
    }
}

impl App {
    /// What an identity did in a window (the last 90 days unless told), beside what it may do.
    pub fn entitlement_use(
        &self,
        principal: &Principal,
        file: &IdentityFile,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<EntitlementUse, ReadingError> {
        principal.require(Scope::Read)?;
        let tenant = &principal.tenant;
        let to = to.unwrap_or_else(|| self.ports.clock.now().plus_micros(1));
        let from = from.unwrap_or_else(|| to.plus_micros(-WINDOW_US));
        let imports = self.ports.store.entitlement_imports(tenant)?;
        let held = self.held(tenant, file)?;
        let aliases = alias_uids(file);
        let archive = self.ports.archive.as_ref();
        let (observed, complete) = observed(archive, tenant, &aliases, (from, to))?;
        let compared = compare::compare(&held, &imports, &observed);
        let health = self.ports.store.source_health()?;
        let watched = coverage::Watched::of(&health, tenant, from);
        Ok(EntitlementUse {
            from,
            to,
            entitlements: held.len() as u64,
            may: compared.unused(&held, &watched),
            did: compared.did,
            may_not: compared.may_not,
            not_watched: not_watched(&held),
            imports,
            complete,
        })
    }

    /// What the aliases of an identity hold, and the groups it is in by being what it is.
    pub(super) fn held(
        &self,
        tenant: &TenantId,
        file: &IdentityFile,
    ) -> Result<Vec<Entitlement>, StoreError> {
        let mut holders: Vec<AliasUid> = file.aliases.iter().map(|alias| alias.uid).collect();
        for alias in &file.aliases {
            let groups = own_groups(&alias.namespace, &alias.value).into_iter();
            holders.extend(groups.map(|g| AliasUid::of(tenant, &g.namespace, &g.value)));
        }
        holders.sort_unstable();
        holders.dedup();
        self.ports.store.entitlements_of(tenant, &holders)
    }
}

/// The groups that Kubernetes puts everybody into
/// (<https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects>).
pub(super) fn own_groups(namespace: &str, value: &str) -> Vec<Alias> {
    let everybody = "system:authenticated".to_owned();
    let names = match (namespace, value.split_once(':')) {
        ("k8s.serviceaccount", Some((within, _))) => vec![
            everybody,
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{within}"),
        ],
        ("k8s.user", _) => vec![everybody],
        _ => Vec::new(),
    };
    let group = |name: String| Alias {
        namespace: Text::new_static("k8s.group"),
        value: name.into(),
    };
    names.into_iter().map(group).collect()
}
