//! Two identities that turn out to be one; recorded, reversible.

use deedtrail_core::Text;
use deedtrail_core::event::{ActorKind, Alias};
use deedtrail_core::id::{AliasUid, CredentialUid, IdentityId};
use deedtrail_core::identity::{Declared, Identity, IdentityStatus, Merge};
use deedtrail_core::time::Timestamp;

use super::kind;
use super::resolver::{Resolver, Sighting, earliest};

/// Longest chain of merges followed.
const CHAIN_MAX: usize = 64;

impl Resolver {
    /// The identity an id stands for today.
    pub(super) fn stands_for(&self, id: IdentityId) -> IdentityId {
        let mut head = id;
        for _ in 0..CHAIN_MAX {
            let Some(kept) = self.kept_for(head) else {
                break;
            };
            head = kept;
        }
        head
    }

    fn kept_for(&self, id: IdentityId) -> Option<IdentityId> {
        let first = IdentityId::from_bytes([0; 16]);
        let last = IdentityId::from_bytes([u8::MAX; 16]);
        let of_id = self.merges.range((id, first)..=(id, last));
        of_id
            .map(|(_, merge)| merge)
            .find(|merge| merge.undone.is_none())
            .map(|merge| merge.kept)
    }

    /// Merges two identities that one record named. `None` when a rule forbids it: one is human and
    /// the other not, the record is about neither's kind, or people undid this merge before.
    pub(super) fn merge_seen(
        &mut self,
        actor: IdentityId,
        other: IdentityId,
        said: ActorKind,
        (stable, alias): (&Alias, &Alias),
        sighting: Sighting<'_>,
    ) -> Option<IdentityId> {
        let left = self.identities.get(&actor)?;
        let right = self.identities.get(&other)?;
        let one = kind::may_be_one(left.kind, right.kind) && kind::may_be_one(right.kind, said);
        let undone = |kept, merged| {
            self.merges
                .get(&(merged, kept))
                .is_some_and(|merge| merge.undone.is_some())
        };
        if !one || undone(actor, other) || undone(other, actor) {
            return None;
        }
        let reason = format!(
            "one record of {} names both {}:{} and {}:{}",
            sighting.evidence, stable.namespace, stable.value, alias.namespace, alias.value
        );
        self.merge(actor, other, reason.into(), sighting.at.unwrap_or_default())
    }

    /// Makes one identity of two and returns it: the one seen first, then the one with the lower
    /// id, keeps its id. `None` when either is unknown or they are one already.
    pub fn merge(
        &mut self,
        left: IdentityId,
        right: IdentityId,
        reason: Text,
        at: Timestamp,
    ) -> Option<IdentityId> {
        let (left, right) = (self.stands_for(left), self.stands_for(right));
        let age = |id: &IdentityId| self.identities.get(id).map(|i| age_of(i, *id));
        let (left_age, right_age) = (age(&left)?, age(&right)?);
        if left == right {
            return None;
        }
        let (kept, merged) = if left_age <= right_age {
            (left, right)
        } else {
            (right, left)
        };
        let merge = Merge {
            kept,
            merged,
            reason,
            at,
            aliases: self.move_aliases(merged, kept),
            credentials: self.move_credentials(merged, kept),
            undone: None,
        };
        self.merges.insert((merged, kept), merge);
        self.touched.merges.insert((merged, kept));
        self.merged.push((kept, merged));
        self.pool_facts(merged, kept);
        Some(kept)
    }

    /// Identities that became one since this was last called: the one kept, the one merged into it.
    pub fn take_merged(&mut self) -> Vec<(IdentityId, IdentityId)> {
        std::mem::take(&mut self.merged)
    }

    /// Undoes the merge of `merged` into another identity: what moved then moves back, and no rule
    /// merges the two again. False when there is no such merge.
    pub fn unmerge(&mut self, merged: IdentityId, at: Timestamp) -> bool {
        let Some(kept) = self.kept_for(merged) else {
            return false;
        };
        let head = self.stands_for(kept);
        let Some(merge) = self.merges.get_mut(&(merged, kept)) else {
            return false;
        };
        merge.undone = Some(at);
        for uid in &merge.aliases {
            if let Some(alias) = self
                .aliases
                .get_mut(uid)
                .filter(|alias| alias.identity == head)
            {
                alias.identity = merged;
                self.touched.aliases.insert(*uid);
            }
        }
        for uid in &merge.credentials {
            let moved = self.credentials.get_mut(uid);
            if let Some(credential) = moved.filter(|credential| credential.identity == head) {
                credential.identity = merged;
                self.touched.credentials.insert(*uid);
            }
        }
        self.touched.merges.insert((merged, kept));
        true
    }

    fn move_aliases(&mut self, from: IdentityId, to: IdentityId) -> Vec<AliasUid> {
        let theirs = self
            .aliases
            .values_mut()
            .filter(|alias| alias.identity == from);
        let moved: Vec<_> = theirs
            .map(|alias| {
                alias.identity = to;
                alias.uid
            })
            .collect();
        self.touched.aliases.extend(&moved);
        moved
    }

    fn move_credentials(&mut self, from: IdentityId, to: IdentityId) -> Vec<CredentialUid> {
        let theirs = self
            .credentials
            .values_mut()
            .filter(|credential| credential.identity == from);
        let moved: Vec<_> = theirs
            .map(|credential| {
                credential.identity = to;
                credential.uid
            })
            .collect();
        self.touched.credentials.extend(&moved);
        moved
    }

    /// The kept identity learns what was known about the other; the other stays as it was, so that
    /// the merge can be undone.
    fn pool_facts(&mut self, merged: IdentityId, kept: IdentityId) {
        let Some(other) = self.identities.get(&merged).cloned() else {
            return;
        };
        let Some(identity) = self.identities.get_mut(&kept) else {
            return;
        };
        if identity.declared.declared_kind.is_none() {
            identity.kind = kind::refine(identity.kind, other.kind);
        }
        identity.discovered &= other.discovered;
        identity.created = earliest(identity.created, other.created);
        identity.first_seen = earliest(identity.first_seen, other.first_seen);
        identity.last_seen = identity.last_seen.max(other.last_seen);
        if other.status == IdentityStatus::Active {
            identity.status = IdentityStatus::Active;
        }
        self.touched.identities.insert(kept);
        if !other.declared.told_tools.is_empty() {
            let told = &mut identity.declared.told_tools;
            told.absorb(&other.declared.told_tools);
            self.touched.declared.insert(kept);
        }
        if identity.declared.is_blank() && !other.declared.is_blank() {
            let told_tools = std::mem::take(&mut identity.declared.told_tools);
            if let Some(name) = &other.declared.declared_name {
                identity.name = name.clone();
            }
            identity.kind = other.declared.declared_kind.unwrap_or(identity.kind);
            identity.declared = Declared {
                told_tools,
                ..other.declared
            };
            self.touched.declared.insert(kept);
        }
    }
}

/// Sorts the identity seen first before all others; one never seen comes last.
fn age_of(identity: &Identity, id: IdentityId) -> (bool, Option<Timestamp>, IdentityId) {
    (identity.first_seen.is_none(), identity.first_seen, id)
}
