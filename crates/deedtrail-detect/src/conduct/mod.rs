//! What identities do against their charters, and sequences that are unsafe although every step of
//! them is allowed.

mod said;

use std::collections::BTreeMap;
use std::sync::Arc;

use deedtrail_charter::library::{Memo, Planted};
use deedtrail_charter::{
    Compiled, Departure, Library, Problem, State as CharterState, Subject, Version, Watch, parse,
};
use deedtrail_core::Text;
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::id::{AliasUid, IdentityId, TenantId};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::detector::draft;
use crate::limits::PROFILES_MAX;
use crate::{Observation, fact};

/// What is remembered, as a part of the detector's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Conduct {
    /// Charters in force, by tenant and name.
    in_force: BTreeMap<(TenantId, Text), InForce>,
    identities: BTreeMap<IdentityId, Bound>,
    planted: Planted,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct InForce {
    version: Version,
    text: String,
}

/// What is remembered of one identity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Bound {
    /// Who it is, for findings at a tick.
    about: Option<About>,
    /// By name of the charter.
    charters: BTreeMap<Text, Held>,
    watch: Watch,
    last: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct About {
    tenant: TenantId,
    first_alias: AliasUid,
    name: Text,
}

/// What is remembered for one charter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Held {
    /// [`Compiled::selectors`] when it was found to bind the identity.
    selectors: u64,
    state: CharterState,
}

/// Charters and sequences ready to be compared with events; derived, not part of the state.
#[derive(Clone, Debug)]
pub(crate) struct Declarations {
    charters: BTreeMap<TenantId, Vec<Compiled>>,
    library: Arc<Library>,
    memo: Memo,
}

impl Default for Declarations {
    fn default() -> Self {
        Self {
            charters: BTreeMap::new(),
            library: Library::shipped(),
            memo: Memo::default(),
        }
    }
}

impl Declarations {
    pub(crate) fn library(&self) -> Arc<Library> {
        Arc::clone(&self.library)
    }

    /// Goes on with another library.
    pub(crate) fn replace_library(&mut self, library: Arc<Library>) {
        self.library = library;
        self.memo = Memo::default();
    }

    pub(crate) fn of_tenant(&self, tenant: &TenantId) -> &[Compiled] {
        self.charters
            .get(tenant)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

/// What one event shows.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// Departures from charters.
    pub(crate) departures: Vec<FindingDraft>,
    /// Unsafe sequences that came about.
    pub(crate) sequences: Vec<FindingDraft>,
    /// A charter says which tools the actor may call.
    pub(crate) tools_declared: bool,
}

impl Conduct {
    /// Whether a charter in force was found to bind the identity.
    pub(crate) fn binds(&self, identity: IdentityId) -> bool {
        let bound = self.identities.get(&identity);
        bound.is_some_and(|bound| !bound.charters.is_empty())
    }

    /// `merged` is `kept` from here on. Where both were in the midst of a charter's steps, those of
    /// `kept` go on.
    pub(crate) fn merge(&mut self, kept: IdentityId, merged: IdentityId) {
        if let Some(other) = self.identities.remove(&merged) {
            self.identities.entry(kept).or_insert(other);
        }
    }

    /// Puts a charter in force, in place of an earlier version.
    pub(crate) fn approve(
        &mut self,
        tenant: &TenantId,
        text: &str,
        version: Version,
    ) -> Result<(), Problem> {
        let written = parse("charter", text)?;
        let name = Text::from(written.charter.charter);
        let text = written.text;
        self.in_force
            .insert((tenant.clone(), name), InForce { version, text });
        Ok(())
    }

    /// Takes a charter out of force; false when it was not.
    pub(crate) fn retire(&mut self, tenant: &TenantId, name: &str) -> bool {
        let key = (tenant.clone(), Text::from(name));
        for bound in self.identities.values_mut() {
            if bound
                .about
                .as_ref()
                .is_some_and(|about| about.tenant == *tenant)
            {
                bound.charters.remove(name);
            }
        }
        self.in_force.remove(&key).is_some()
    }

    /// The charters in force, ready to be compared with events.
    pub(crate) fn declarations(&self, library: Arc<Library>) -> Declarations {
        let mut charters = BTreeMap::<TenantId, Vec<Compiled>>::new();
        for ((tenant, name), in_force) in &self.in_force {
            // It was read when it was put in force.
            let written = parse(name, &in_force.text).ok();
            let compiled = written.and_then(|w| Compiled::of(&w, in_force.version));
            charters.entry(tenant.clone()).or_default().extend(compiled);
        }
        Declarations {
            charters,
            library,
            memo: Memo::default(),
        }
    }

    /// Looks at one event, in the order of the log.
    pub(crate) fn observe(
        &mut self,
        declarations: &mut Declarations,
        observation: &Observation<'_>,
        network_seen_before: Option<bool>,
        tick: u64,
    ) -> Shown {
        let event = observation.event;
        // Anybody can type a name.
        if event.mapped.is_failed_sign_in() {
            return Shown::default();
        }
        let subject = Subject {
            event,
            identity: observation.identity,
            network_seen_before,
            describe: fact::sentence,
        };
        let (identity, first_alias) = draft::subject(observation);
        let mut new = Bound::default();
        let known = self.identities.contains_key(&identity);
        let bound = self.identities.get_mut(&identity).unwrap_or(&mut new);
        bound.last = bound.last.max(event.time_effective);
        let mut shown = Shown::default();
        for charter in declarations.of_tenant(&event.tenant) {
            let Some(held) = held(bound, charter, &subject) else {
                continue;
            };
            shown.tools_declared |= charter.names_tools();
            let departures = charter.observe(&subject, &mut held.state, tick);
            let departures = departures.into_iter();
            shown
                .departures
                .extend(departures.map(|d| said::departure(observation, d)));
        }
        if !bound.charters.is_empty() {
            bound.about = Some(About {
                tenant: event.tenant.clone(),
                first_alias,
                name: Text::from(fact::actor_name(observation)),
            });
        }
        let (library, memo) = (&declarations.library, &mut declarations.memo);
        let found = library.observe(&subject, &mut bound.watch, &mut self.planted, memo);
        shown
            .sequences
            .extend(found.into_iter().map(|m| said::sequence(observation, m)));
        if !(known || new.charters.is_empty() && new.watch.is_empty()) {
            crate::engine::make_room(&mut self.identities, &identity, PROFILES_MAX, |bound| {
                Some(bound.last)
            });
            self.identities.insert(identity, new);
        }
        shown
    }

    /// Takes a tick: runs in which nothing happened for long have ended.
    pub(crate) fn advance(
        &mut self,
        declarations: &Declarations,
        now: Timestamp,
        tick: u64,
    ) -> Vec<FindingDraft> {
        let mut drafts = Vec::new();
        for (identity, bound) in &mut self.identities {
            let Some(about) = &bound.about else {
                continue;
            };
            for charter in declarations.of_tenant(&about.tenant) {
                let held = bound.charters.get_mut(charter.name());
                let Some(held) = held.filter(|held| held.state.waits()) else {
                    continue;
                };
                let ended: Vec<Departure> = charter.settle(&mut held.state, now, tick);
                drafts.extend(ended.into_iter().map(|d| said::ended(*identity, about, d)));
            }
        }
        drafts
    }
}

/// What is remembered for a charter that binds the identity. One that it bound once stays bound:
/// not every record names the alias that the charter does.
fn held<'b>(
    bound: &'b mut Bound,
    charter: &Compiled,
    subject: &Subject<'_>,
) -> Option<&'b mut Held> {
    let known = bound.charters.get(charter.name());
    let stays = known.is_some_and(|held| held.selectors == charter.selectors());
    if !stays {
        if !charter.binds(subject) {
            bound.charters.remove(charter.name());
            return None;
        }
        let name = Text::from(charter.name());
        bound.charters.entry(name).or_default().selectors = charter.selectors();
    }
    bound.charters.get_mut(charter.name())
}
