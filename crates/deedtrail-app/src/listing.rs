//! Lists: events and identities.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::event::Event;
use deedtrail_core::id::{AliasUid, IdentityId};
use deedtrail_core::identity::Identity;
use deedtrail_core::port::archive::{Cursor, EventFilter};
use deedtrail_core::port::store::{IdentityFilter, Scope};

use crate::App;
use crate::access::Principal;
use crate::timeline::ReadingError;

/// Most aliases that one page of events is resolved for.
pub const PEOPLE_MAX: usize = 500;

/// One page of identities.
#[derive(Clone, Debug)]
pub struct IdentityPage {
    pub identities: Vec<Identity>,
    /// How many match in all.
    pub total: u64,
}

impl App {
    /// Events of everyone in the principal's tenant, newest first.
    pub fn events(
        &self,
        principal: &Principal,
        filter: &EventFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Vec<Event>, ReadingError> {
        principal.require(Scope::Read)?;
        let filter = EventFilter {
            tenant: principal.tenant.clone(),
            ..filter.clone()
        };
        Ok(self.ports.archive.events(&filter, cursor, limit)?)
    }

    /// Identities, latest seen first.
    pub fn identities(
        &self,
        principal: &Principal,
        filter: &IdentityFilter,
    ) -> Result<IdentityPage, ReadingError> {
        principal.require(Scope::Read)?;
        Ok(IdentityPage {
            identities: self.ports.store.identities(filter)?,
            total: self.ports.store.identity_count(filter)?,
        })
    }

    /// Who stands behind the aliases that `events` name as actor, on whose behalf, or target. At
    /// most [`PEOPLE_MAX`] aliases are looked up; the others are simply not in the map.
    pub fn people(
        &self,
        principal: &Principal,
        events: &[Event],
    ) -> Result<BTreeMap<AliasUid, Identity>, ReadingError> {
        principal.require(Scope::Read)?;
        let uids: BTreeSet<AliasUid> = events.iter().flat_map(parties).collect();
        let mut people = BTreeMap::new();
        for uid in uids.into_iter().take(PEOPLE_MAX) {
            let alias = self.ports.store.alias(uid)?;
            let Some(alias) = alias else { continue };
            if let Some(identity) = self.ports.store.identity(alias.identity)? {
                people.insert(uid, identity);
            }
        }
        Ok(people)
    }

    /// Names of the identities that exist among `ids`.
    pub fn identity_names(
        &self,
        principal: &Principal,
        ids: impl IntoIterator<Item = IdentityId>,
    ) -> Result<BTreeMap<IdentityId, Identity>, ReadingError> {
        principal.require(Scope::Read)?;
        let mut names = BTreeMap::new();
        for id in ids {
            if !names.contains_key(&id)
                && let Some(identity) = self.ports.store.identity(id)?
            {
                names.insert(id, identity);
            }
        }
        Ok(names)
    }
}

/// Every alias an event names, as ids.
fn parties(event: &Event) -> Vec<AliasUid> {
    let targets = event.mapped.target_aliases.iter();
    let targets = targets.map(|alias| AliasUid::of(&event.tenant, &alias.namespace, &alias.value));
    let parties = event
        .actor_alias_uid
        .into_iter()
        .chain(event.on_behalf_of_uid);
    parties.chain(targets).collect()
}
