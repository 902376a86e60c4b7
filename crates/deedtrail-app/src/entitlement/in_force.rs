//! What was imported, as far as processing has come: each event is compared with it.
//!
//! A function of the log: it holds what the newest entry of each import says below a position, and is
//! read anew from those entries after a restart.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::entitlement::{Entitlement, EntitlementImport, ImportName, is_group};
use deedtrail_core::event::{Event, OutcomeClass};
use deedtrail_core::id::{AliasUid, IdentityId, TenantId};
use deedtrail_core::port::log::{EvidenceLog, ReadError, Sequence};
use deedtrail_core::port::store::ImportedEntitlements;
use deedtrail_core::time::Timestamp;
use deedtrail_detect::detector::entitlement::Unentitled;

use super::matching::{Cover, Deed, Permissions, covers_scope, is_same_system};
use super::observed::Observed;
use super::usage::compare::compare;
use super::usage::{Why, own_groups};
use crate::identity::Resolver;

/// Most grants of all imports that events are compared with. Beyond it the imports told longest ago
/// are no longer compared with events; the tables of *did, may, may not* still show them.
const GRANTS_MAX: usize = 500_000;
/// Kinds of deeds whose verdict is remembered; beyond it all are forgotten, which changes no verdict.
const REMEMBERED_MAX: usize = 10_000;
/// Most grants of an identity in one system that its events are compared with: each costs some 5 µs of
/// an event of a new kind. Who holds more is compared in the tables of *did, may, may not* only, which
/// say so.
pub(super) const HELD_MAX: usize = 1_000;
/// An import says nothing of what was done longer than this before it was taken in, µs.
const BACKWARDS_US: i64 = Timestamp::DAY_US;

/// One import.
#[derive(Debug)]
struct Told {
    /// Its entry.
    sequence: Sequence,
    head: EntitlementImport,
    entitlements: Vec<Entitlement>,
    /// Places of those that groups hold whose members are not told.
    of_groups: Vec<usize>,
}

type Place = ((TenantId, ImportName), usize);

/// A deed of an identity, by its own groups.
type Remembered = (
    IdentityId,
    Vec<AliasUid>,
    Deed,
    (Option<bool>, Option<Text>),
);

/// When the newest import compared was taken in, and what of a deed goes beyond.
type Found = Option<(Timestamp, Unentitled)>;

/// Every import that counts.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    imports: BTreeMap<(TenantId, ImportName), Told>,
    /// What each identity holds.
    held: BTreeMap<IdentityId, BTreeSet<Place>>,
    /// What groups hold that somebody is in by being what they are.
    of_group: BTreeMap<AliasUid, BTreeSet<Place>>,
    remembered: BTreeMap<Remembered, Found>,
}

impl InForce {
    /// Takes over what an import says, in place of what it said before.
    pub(crate) fn take(
        &mut self,
        sequence: Sequence,
        said: &ImportedEntitlements,
        resolver: &Resolver,
    ) {
        let systems: BTreeSet<Text> = said
            .entitlements
            .iter()
            .map(|it| it.grant.system.clone())
            .collect();
        let all = said.entitlements.iter().enumerate();
        let of_groups = all.filter(|(_, it)| it.grant.holders.iter().any(is_group));
        let told = Told {
            sequence,
            head: EntitlementImport {
                tenant: said.tenant.clone(),
                import: said.import.clone(),
                imported: said.at,
                grants: said.entitlements.len() as u64,
                systems: systems.into_iter().collect(),
            },
            of_groups: of_groups.map(|(place, _)| place).collect(),
            entitlements: said.entitlements.clone(),
        };
        let name = (said.tenant.clone(), said.import.clone());
        self.imports.insert(name, told);
        self.limit();
        self.index(resolver);
    }

    /// Lets the imports go that were told longest ago, until the rest is within the limit.
    fn limit(&mut self) {
        let total = |imports: &BTreeMap<_, Told>| -> usize {
            imports.values().map(|told| told.entitlements.len()).sum()
        };
        while self.imports.len() > 1 && total(&self.imports) > GRANTS_MAX {
            let oldest = self.imports.iter().min_by_key(|(_, told)| told.sequence);
            let Some(name) = oldest.map(|(name, _)| name.clone()) else {
                return;
            };
            tracing::warn!(import = %name.1.kind, "too many grants: it is not compared with events");
            self.imports.remove(&name);
        }
    }

    /// Finds out anew who holds what: after an import, and when a merge was taken back.
    pub(crate) fn index(&mut self, resolver: &Resolver) {
        self.held.clear();
        self.of_group.clear();
        self.remembered.clear();
        for (name, told) in &self.imports {
            for (place, it) in told.entitlements.iter().enumerate() {
                for holder in &it.grant.holders {
                    let uid = AliasUid::of(&name.0, &holder.namespace, &holder.value);
                    let place = (name.clone(), place);
                    if is_group(holder) {
                        self.of_group.entry(uid).or_default().insert(place);
                    } else if let Some(identity) = resolver.identity_of(uid) {
                        self.held.entry(identity.id).or_default().insert(place);
                    }
                }
            }
        }
    }

    /// Two identities turned out to be one.
    pub(crate) fn merge(&mut self, kept: IdentityId, merged: IdentityId) {
        if let Some(theirs) = self.held.remove(&merged) {
            self.held.entry(kept).or_default().extend(theirs);
            self.remembered.clear();
        }
    }

    /// What of an event goes beyond what its actor holds; `None` where it does not, where it holds
    /// nothing in that system, or where that cannot be told.
    pub(crate) fn beyond(&mut self, event: &Event, actor: IdentityId) -> Option<Unentitled> {
        let mapped = &event.mapped;
        if self.held.is_empty() || !mapped.meaningful || mapped.outcome != OutcomeClass::Success {
            return None;
        }
        self.held.get(&actor)?;
        let seen = observed(event);
        let key = (
            actor,
            groups_of(event),
            seen.deed.clone(),
            (seen.policy_allowed, seen.policy_id.clone()),
        );
        let found = if let Some(found) = self.remembered.get(&key) {
            found.clone()
        } else {
            let (found, lasts) = self.compared(event, actor, &seen);
            if self.remembered.len() >= REMEMBERED_MAX {
                self.remembered.clear();
            }
            if lasts {
                self.remembered.insert(key, found.clone());
            }
            found
        };
        let is_recent =
            |newest: Timestamp| newest.micros_since(event.time_effective) <= BACKWARDS_US;
        found
            .filter(|(newest, _)| is_recent(*newest))
            .map(|(_, beyond)| beyond)
    }

    /// What of a deed goes beyond, with the newest import it was compared with; and whether that is
    /// so at any time, since nothing that is held expires.
    fn compared(&self, event: &Event, actor: IdentityId, seen: &Observed) -> (Found, bool) {
        let Some((newest, held)) = self.held_in(event, actor, &seen.deed) else {
            return (None, true);
        };
        let lasts = held.iter().all(|it| it.grant.expires.is_none());
        let verdict = self.verdict(event, seen, &held);
        (verdict.map(|verdict| (newest, verdict)), lasts)
    }

    /// What the actor holds in the system of a deed, with what the groups hold it is in by being what
    /// it is, and when the newest of these imports was taken in. `None` where it holds nothing there
    /// by itself.
    fn held_in(
        &self,
        event: &Event,
        actor: IdentityId,
        deed: &Deed,
    ) -> Option<(Timestamp, Vec<Entitlement>)> {
        let find = |(name, place): &Place| {
            let told = self.imports.get(name)?;
            let it = told.entitlements.get(*place)?;
            is_same_system(&it.grant.system, &deed.system).then_some((told, it))
        };
        let own = self.held.get(&actor)?;
        let own: Vec<_> = own.iter().filter_map(find).take(HELD_MAX + 1).collect();
        if own.len() > HELD_MAX {
            return None;
        }
        let newest = own.iter().map(|(told, _)| told.head.imported).max()?;
        let groups = groups_of(event);
        let by_group = groups.iter().filter_map(|uid| self.of_group.get(uid));
        let by_group = by_group.flatten().filter_map(find);
        let all = own.iter().copied().chain(by_group);
        Some((newest, all.map(|(_, it)| it.clone()).collect()))
    }

    fn verdict(&self, event: &Event, seen: &Observed, held: &[Entitlement]) -> Option<Unentitled> {
        let imports: Vec<&Told> = self
            .imports
            .iter()
            .filter(|((tenant, _), _)| *tenant == event.tenant)
            .map(|(_, told)| told)
            .collect();
        let heads: Vec<EntitlementImport> = imports.iter().map(|told| told.head.clone()).collect();
        let compared = compare(held, &heads, std::slice::from_ref(seen));
        let row = compared.may_not.into_iter().next()?;
        if row.why == Why::Denied {
            return None;
        }
        if row.why == Why::WithoutEntitlement && may_come_by_a_group(&imports, &seen.deed) {
            return None;
        }
        let names: BTreeSet<&ImportName> = held.iter().map(|it| &it.import).collect();
        let told = heads.iter().filter(|head| names.contains(&head.import));
        let told = told.map(|head| {
            let day: String = head.imported.to_string().chars().take(10).collect();
            match head.import.account.as_str() {
                "" => format!("the import {} of {day}", head.import.kind),
                account => format!("the import {} {account} of {day}", head.import.kind),
            }
        });
        Some(Unentitled {
            permissions: row.deeds.permissions,
            denied_by: row.by,
            held: held.len(),
            imports: told.collect::<Vec<_>>().join(", "),
        })
    }

    /// Entries whose imports count, as bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut sequences: Vec<Sequence> = self.imports.values().map(|it| it.sequence).collect();
        sequences.sort_unstable();
        let bytes = sequences.iter().flat_map(|sequence| sequence.to_be_bytes());
        bytes.collect()
    }

    /// Reads the imports of those entries again.
    pub(crate) fn from_bytes(
        bytes: &[u8],
        log: &dyn EvidenceLog,
        resolver: &Resolver,
    ) -> Result<Self, ReadError> {
        let mut all = Self::default();
        let (sequences, _) = bytes.as_chunks::<8>();
        for sequence in sequences {
            let sequence = Sequence::from_be_bytes(*sequence);
            let entry = log.read(sequence, 1)?.into_iter().next();
            let entry = entry.ok_or(ReadError::Missing(sequence))?;
            let (tenant, at) = (&entry.entry.tenant, entry.entry.received);
            if let Some(said) = super::imported(&entry.bytes(), tenant, at) {
                all.take(sequence, &said, resolver);
            }
        }
        Ok(all)
    }
}

/// Whether a grant covers a deed that a group holds whose members no import tells.
fn may_come_by_a_group(imports: &[&Told], deed: &Deed) -> bool {
    imports.iter().any(|told| {
        let mut held = told
            .of_groups
            .iter()
            .map(|place| &told.entitlements[*place]);
        held.any(|it| {
            let exercised = Permissions::of(&it.grant).exercised(&it.import.account, deed);
            !exercised.is_empty() && covers_scope(&it.grant, deed) != Cover::No
        })
    })
}

/// The groups that the actor of an event is in by being what it is.
fn groups_of(event: &Event) -> Vec<AliasUid> {
    let aliases = event.mapped.actor_aliases.iter();
    let groups = aliases.flat_map(|alias| own_groups(&alias.namespace, &alias.value));
    groups
        .map(|group| AliasUid::of(&event.tenant, &group.namespace, &group.value))
        .collect()
}

fn observed(event: &Event) -> Observed {
    let mapped = &event.mapped;
    let decision = mapped.policy_decision.as_ref();
    Observed {
        deed: Deed {
            system: mapped.system.clone(),
            account: mapped.account.clone(),
            operation: mapped.operation.clone(),
            permission: mapped.permission.clone(),
            action: mapped.action,
            target: mapped.target_ref.clone(),
        },
        outcome: mapped.outcome,
        policy_allowed: decision.map(|it| it.allowed),
        policy_id: decision.and_then(|it| it.policy_id.clone()),
        events: 1,
        first: event.time_effective,
        last: event.time_effective,
        event_uid: event.event_uid,
    }
}
