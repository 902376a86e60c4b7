//! The identities known so far, and what the next event makes of them.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::event::{ActorKind, Alias, Event};
use deedtrail_core::id::{AliasUid, CredentialUid, IdentityId, TenantId};
use deedtrail_core::identity::{
    AliasRecord, CredentialRecord, Declared, Identity, IdentityStatus, Merge,
};
use deedtrail_core::namespace::namespace_facts;
use deedtrail_core::time::Timestamp;

use super::span::Spans;
use super::{kind, seal};

/// Who an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Who acted; `None` when the record names nobody.
    pub actor: Option<IdentityId>,
    /// Who stands behind the actor and how (`assumed_role`, `on_behalf_of`, `deployed_as` …),
    /// nearest first.
    pub behind: Vec<(Text, IdentityId)>,
}

/// What changed since [`Resolver::take_changes`] was last called.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    pub identities: Vec<Identity>,
    /// Those of `identities` whose declared fields changed.
    pub declared: Vec<IdentityId>,
    pub aliases: Vec<AliasRecord>,
    pub credentials: Vec<CredentialRecord>,
    pub merges: Vec<Merge>,
}

/// Every identity, alias and credential in memory. A function of the log in its order: two
/// resolvers that saw the same entries hold the same.
#[derive(Debug, Default)]
pub struct Resolver {
    pub(super) identities: BTreeMap<IdentityId, Identity>,
    pub(super) aliases: BTreeMap<AliasUid, AliasRecord>,
    pub(super) credentials: BTreeMap<CredentialUid, CredentialRecord>,
    /// How many credentials each identity was found with.
    pub(super) credentials_held: BTreeMap<IdentityId, usize>,
    pub(super) merges: BTreeMap<(IdentityId, IdentityId), Merge>,
    pub(super) touched: Touched,
    /// Agents of the newest spans.
    pub(super) spans: Spans,
    /// (kept, merged) since [`Resolver::take_merged`] was last called, in order.
    pub(super) merged: Vec<(IdentityId, IdentityId)>,
}

/// Ids of what changed.
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) identities: BTreeSet<IdentityId>,
    pub(super) declared: BTreeSet<IdentityId>,
    pub(super) aliases: BTreeSet<AliasUid>,
    pub(super) credentials: BTreeSet<CredentialUid>,
    pub(super) merges: BTreeSet<(IdentityId, IdentityId)>,
}

/// Why and when an alias is seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting<'a> {
    pub(super) tenant: &'a TenantId,
    /// Source of the record, or `import`.
    pub(super) evidence: &'a str,
    /// `None` for what people declare: it has not been seen.
    pub(super) at: Option<Timestamp>,
}

impl Resolver {
    /// The identity an id stands for today; merges are followed.
    pub fn identity(&self, id: IdentityId) -> Option<&Identity> {
        self.identities.get(&self.stands_for(id))
    }

    pub fn credential(&self, uid: CredentialUid) -> Option<&CredentialRecord> {
        self.credentials.get(&uid)
    }

    /// The identity an alias leads to.
    pub fn identity_of(&self, alias: AliasUid) -> Option<&Identity> {
        self.identities.get(&self.aliases.get(&alias)?.identity)
    }

    /// What changed since the last call, each thing once with its newest state.
    pub fn take_changes(&mut self) -> Changes {
        let touched = std::mem::take(&mut self.touched);
        Changes {
            identities: picked(&self.identities, &touched.identities),
            declared: touched.declared.into_iter().collect(),
            aliases: picked(&self.aliases, &touched.aliases),
            credentials: picked(&self.credentials, &touched.credentials),
            merges: picked(&self.merges, &touched.merges),
        }
    }

    /// Finds or makes the identities behind an event and learns from it.
    ///
    /// An event that names no actor but a known credential is filed under the credential's owner.
    /// A failed sign-in makes nobody up: whoever it names is found out at the first event that
    /// proves they are there, or by import; the event keeps its alias until then.
    pub fn resolve(&mut self, event: &mut Event) -> Resolved {
        self.file_under_credential(event);
        self.file_under_agent(event);
        let actor = self.learn_actor(event);
        let behind = self.learn_delegation(event);
        if let Some(actor) = actor {
            self.use_credential(event, actor);
        }
        self.learn_lifecycle(event, actor);
        self.note_span(event);
        self.learn_tools(event);
        Resolved {
            actor: actor.map(|id| self.stands_for(id)),
            behind,
        }
    }

    fn file_under_credential(&self, event: &mut Event) {
        if event.actor_alias_uid.is_none()
            && let Some(credential) = event.credential_uid.and_then(|uid| self.credential(uid))
        {
            event.actor_alias_uid = self.identity(credential.identity).map(|i| i.first_alias);
        }
    }

    fn learn_actor(&mut self, event: &Event) -> Option<IdentityId> {
        let mapped = &event.mapped;
        let Some(stable) = seal::stable_alias(&mapped.actor_aliases) else {
            let filed = event.actor_alias_uid.and_then(|uid| self.aliases.get(&uid));
            let id = filed.map(|alias| alias.identity)?;
            self.see(id, event.time_effective);
            return Some(id);
        };
        let said = kind::said(mapped.actor_kind, stable);
        let sighting = Sighting {
            tenant: &event.tenant,
            evidence: event.source.as_str(),
            at: Some(event.time_effective),
        };
        let aliases = &mapped.actor_aliases;
        let known = self
            .known(sighting.tenant, stable)
            .or_else(|| self.adopted(aliases, said, sighting));
        let id = match known {
            Some(id) => id,
            None if mapped.is_failed_sign_in() => return None,
            None => self.discover(stable, said, sighting),
        };
        let id = self.unite(id, aliases, stable, said, sighting);
        self.see(id, event.time_effective);
        self.learn_name(id, event, stable);
        self.learn_kind(id, said);
        Some(id)
    }

    /// The one identity behind all aliases of a record. Known identities that turn out to be one
    /// are merged; an alias of somebody who cannot be this actor is left with them.
    pub(super) fn unite(
        &mut self,
        mut id: IdentityId,
        aliases: &[Alias],
        stable: &Alias,
        said: ActorKind,
        sighting: Sighting<'_>,
    ) -> IdentityId {
        self.attach(stable, id, stable, sighting);
        for alias in aliases.iter().filter(|alias| *alias != stable) {
            if !kind::can_own(said, alias) {
                continue;
            }
            match self.known(sighting.tenant, alias) {
                None => {}
                Some(other) if other == id => {}
                Some(other) => match self.merge_seen(id, other, said, (stable, alias), sighting) {
                    Some(kept) => id = kept,
                    None => continue,
                },
            }
            self.attach(alias, id, stable, sighting);
        }
        id
    }

    /// The identity that takes in a stable alias nobody knows yet: that of another alias of the
    /// record.
    pub(super) fn adopted(
        &self,
        aliases: &[Alias],
        said: ActorKind,
        sighting: Sighting<'_>,
    ) -> Option<IdentityId> {
        let own = aliases.iter().filter(|alias| kind::can_own(said, alias));
        let mut known = own.filter_map(|alias| self.known(sighting.tenant, alias));
        let fits = |id: &IdentityId| {
            self.identities
                .get(id)
                .is_some_and(|known| kind::may_be_one(known.kind, said))
        };
        known.find(fits)
    }

    /// Makes an identity for its first alias.
    pub(super) fn discover(
        &mut self,
        alias: &Alias,
        kind: ActorKind,
        sighting: Sighting<'_>,
    ) -> IdentityId {
        let first_alias = seal::uid(sighting.tenant, alias);
        let id = IdentityId::discovered(first_alias);
        let made = Identity {
            id,
            tenant: sighting.tenant.clone(),
            kind,
            name: alias.value.clone(),
            status: IdentityStatus::Active,
            discovered: sighting.at.is_some(),
            first_alias,
            created: None,
            first_seen: sighting.at,
            last_seen: sighting.at,
            declared: Declared::default(),
        };
        self.identities.entry(id).or_insert(made);
        self.touched.identities.insert(id);
        self.attach(alias, id, alias, sighting);
        id
    }

    /// Lets an alias lead to `id`, or notes that it was seen again.
    pub(super) fn attach(
        &mut self,
        alias: &Alias,
        id: IdentityId,
        beside: &Alias,
        sighting: Sighting<'_>,
    ) {
        let uid = seal::uid(sighting.tenant, alias);
        let record = self.aliases.entry(uid).or_insert_with(|| AliasRecord {
            uid,
            identity: id,
            namespace: alias.namespace.clone(),
            value: alias.value.clone(),
            evidence: evidence(alias, beside, sighting),
            first_seen: sighting.at,
            last_seen: sighting.at,
        });
        record.identity = id;
        record.first_seen = earliest(record.first_seen, sighting.at);
        record.last_seen = record.last_seen.max(sighting.at);
        self.touched.aliases.insert(uid);
    }

    pub(super) fn known(&self, tenant: &TenantId, alias: &Alias) -> Option<IdentityId> {
        self.aliases
            .get(&seal::uid(tenant, alias))
            .map(|record| record.identity)
    }

    fn see(&mut self, id: IdentityId, at: Timestamp) {
        if let Some(identity) = self.identities.get_mut(&id) {
            identity.first_seen = earliest(identity.first_seen, Some(at));
            identity.last_seen = identity.last_seen.max(Some(at));
            self.touched.identities.insert(id);
        }
    }

    /// A name replaces the bare alias; later only the feed of the first alias renames.
    fn learn_name(&mut self, id: IdentityId, event: &Event, stable: &Alias) {
        let Some(name) = event
            .mapped
            .actor_name
            .as_ref()
            .filter(|name| !name.is_empty())
        else {
            return;
        };
        let uid = seal::uid(&event.tenant, stable);
        let Some(identity) = self.identities.get_mut(&id) else {
            return;
        };
        let first = self.aliases.get(&identity.first_alias);
        let unnamed = first.is_some_and(|alias| alias.value == identity.name);
        let newest = identity.last_seen == Some(event.time_effective);
        let renames = identity.first_alias == uid && newest;
        if identity.declared.declared_name.is_none() && (unnamed || renames) {
            identity.name = name.clone();
        }
    }

    fn learn_kind(&mut self, id: IdentityId, said: ActorKind) {
        if let Some(identity) = self.identities.get_mut(&id)
            && identity.declared.declared_kind.is_none()
        {
            identity.kind = kind::refine(identity.kind, said);
        }
    }

    /// Everyone in the chain behind the actor is an identity too.
    fn learn_delegation(&mut self, event: &Event) -> Vec<(Text, IdentityId)> {
        let sighting = Sighting {
            tenant: &event.tenant,
            evidence: event.source.as_str(),
            at: Some(event.time_effective),
        };
        let mut behind = Vec::new();
        for link in &event.mapped.delegation {
            let alias = &link.alias;
            let id = match self.known(&event.tenant, alias) {
                Some(id) => id,
                None if !namespace_facts(&alias.namespace).is_unique() => continue,
                None if event.mapped.is_failed_sign_in() => continue,
                None => {
                    let kind = namespace_facts(&alias.namespace).kind;
                    self.discover(alias, kind, sighting)
                }
            };
            self.attach(alias, id, alias, sighting);
            self.see(id, event.time_effective);
            behind.push((link.relation.clone(), id));
        }
        behind
    }
}

fn evidence(alias: &Alias, beside: &Alias, sighting: Sighting<'_>) -> Text {
    if sighting.at.is_none() {
        return sighting.evidence.into();
    }
    if alias == beside {
        return format!("first seen in {}", sighting.evidence).into();
    }
    let (namespace, value) = (&beside.namespace, &beside.value);
    format!(
        "same record as {namespace}:{value} in {}",
        sighting.evidence
    )
    .into()
}

/// The earlier of two instants; one that is not known does not count.
pub(super) fn earliest(left: Option<Timestamp>, right: Option<Timestamp>) -> Option<Timestamp> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (known, None) | (None, known) => known,
    }
}

fn picked<K: Ord + Copy, V: Clone>(all: &BTreeMap<K, V>, ids: &BTreeSet<K>) -> Vec<V> {
    ids.iter().filter_map(|id| all.get(id)).cloned().collect()
}
