//! Events of the past that a charter is learned from or checked over.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_charter::Subject;
use deedtrail_core::event::Event;
use deedtrail_core::id::AliasUid;
use deedtrail_core::identity::Identity;
use deedtrail_core::port::archive::{ArchiveError, Cursor, EventFilter};
use deedtrail_core::port::store::IdentityFilter;
use deedtrail_core::time::Timestamp;
use deedtrail_detect::fact;

use super::{CharterError, Compiled};
use crate::App;
use crate::access::Principal;
use crate::unsettled::Unsettled;

/// Most events looked at, the newest of them.
pub const HISTORY_EVENTS_MAX: usize = 200_000;
/// Events read at once.
const PAGE: usize = 10_000;

/// Events in order of time, with who did them.
#[derive(Debug, Default)]
pub(crate) struct History {
    events: Vec<Event>,
    actors: BTreeMap<AliasUid, Identity>,
    /// There are older ones.
    pub(super) cut: bool,
}

impl History {
    /// Leaves out the events that findings rest on, with what their sessions did in between, and says how
    /// many there were.
    pub(super) fn leave_out(&mut self, findings: &[Unsettled]) -> usize {
        let of_finding = |event: &Event| {
            let rests = |finding: &Unsettled| {
                let among = finding.while_in.as_ref().is_some_and(|(session, span)| {
                    event.session_uid == Some(*session) && span.contains(&event.time_effective)
                });
                among || finding.events.contains(&event.event_uid)
            };
            findings.iter().any(rests)
        };
        let before = self.events.len();
        self.events.retain(|event| !of_finding(event));
        before - self.events.len()
    }

    pub(super) fn subjects(&self) -> impl Iterator<Item = Subject<'_>> {
        self.events.iter().map(|event| Subject {
            event,
            identity: event
                .actor_alias_uid
                .and_then(|alias| self.actors.get(&alias)),
            network_seen_before: None,
            describe: fact::sentence,
        })
    }

    /// Newest event first seen and last.
    pub(super) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let times = self.events.first().zip(self.events.last());
        times.map(|(first, last)| (first.time_effective, last.time_effective))
    }
}

impl App {
    /// What the identities did that are known by these aliases, from a time on and before another.
    pub(super) fn history(
        &self,
        principal: &Principal,
        actors: BTreeMap<AliasUid, Identity>,
        window: (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<History, CharterError> {
        let aliases: BTreeSet<AliasUid> = actors.keys().copied().collect();
        let mut events = Vec::new();
        let cut = self.each_deed(principal, &aliases, window, &mut |event| events.push(event))?;
        events.sort_by_key(|event| (event.time_effective, event.log_seq, event.ordinal));
        Ok(History {
            events,
            actors,
            cut: cut.is_some(),
        })
    }

    /// Hands over what was done by these aliases, from a time on and before another, the newest first
    /// and a page at a time. Answers with the time of the newest that is
    /// left out where there are more than [`HISTORY_EVENTS_MAX`].
    pub(crate) fn each_deed(
        &self,
        principal: &Principal,
        actors: &BTreeSet<AliasUid>,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        take: &mut dyn FnMut(Event),
    ) -> Result<Option<Timestamp>, ArchiveError> {
        if actors.is_empty() {
            return Ok(None);
        }
        let filter = EventFilter {
            tenant: principal.tenant.clone(),
            aliases: actors.iter().copied().collect(),
            from,
            to,
            acting: true,
            ..EventFilter::default()
        };
        let (mut taken, mut cursor) = (0, None);
        loop {
            let page = self.ports.archive.events(&filter, cursor, PAGE)?;
            let whole = page.len() == PAGE;
            cursor = page.last().map(|event| Cursor {
                time_effective: event.time_effective,
                event_uid: event.event_uid,
            });
            for event in page {
                // Others may have acted on them.
                let acted = event.actor_alias_uid.filter(|uid| actors.contains(uid));
                if acted.is_none() {
                    continue;
                }
                if taken >= HISTORY_EVENTS_MAX {
                    return Ok(Some(event.time_effective));
                }
                taken += 1;
                take(event);
            }
            if !whole {
                return Ok(None);
            }
        }
    }

    /// Every alias of every identity that a charter binds.
    pub(super) fn bound_by(
        &self,
        principal: &Principal,
        charter: &Compiled,
    ) -> Result<BTreeMap<AliasUid, Identity>, CharterError> {
        let store = &self.ports.store;
        let identities = store.identities(&IdentityFilter::default())?;
        let mut identities: BTreeMap<_, Identity> = identities
            .into_iter()
            .filter(|identity| identity.tenant == principal.tenant)
            .map(|identity| (identity.id, identity))
            .collect();
        let aliases = store.aliases()?;
        let named: BTreeSet<_> = aliases
            .iter()
            .filter(|alias| charter.names(&alias.namespace, &alias.value))
            .map(|alias| alias.identity)
            .collect();
        identities.retain(|id, identity| named.contains(id) || charter.binds_identity(identity));
        let led = aliases.into_iter().filter_map(|alias| {
            let identity = identities.get(&alias.identity)?;
            Some((alias.uid, identity.clone()))
        });
        Ok(led.collect())
    }
}
