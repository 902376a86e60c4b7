//! Everything that is derived from a log, in a form in which two runs are compared.

use deedtrail_core::behaviour::Readiness;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::archive::{Archive as _, EventFilter};
use deedtrail_core::port::store::{
    BehaviourOrder, FindingFilter, IdentityFilter, QuarantineFilter, SessionFilter, Store,
    StoreError,
};
use deedtrail_testkit::FakeArchive;

use crate::sim::model::{Broken, Held};

/// Characters of an entry that a complaint shows.
const SHOWN_CHARACTERS: usize = 240;

/// Lists by name.
#[derive(Debug)]
pub(super) struct Derived(Vec<(&'static str, Vec<String>)>);

fn told<T: std::fmt::Debug>(list: &[T]) -> Vec<String> {
    list.iter().map(|one| format!("{one:?}")).collect()
}

impl Derived {
    pub(super) fn of(store: &dyn Store, archive: &FakeArchive) -> Result<Self, Broken> {
        let failed = |error: &dyn std::fmt::Display| Broken(format!("what is derived: {error}"));
        let filter = EventFilter::default();
        let events = archive.events(&filter, None, usize::MAX);
        let mut lists = vec![("events", told(&events.map_err(|error| failed(&error))?))];
        lists.extend(of_store(store).map_err(|error| failed(&error))?);
        Ok(Self(lists))
    }

    /// How many events, findings, identities and sessions there are.
    pub(super) fn size(&self) -> [u64; 4] {
        ["events", "findings", "identities", "sessions"].map(|wanted| {
            let list = self.0.iter().find(|(name, _)| *name == wanted);
            list.map_or(0, |(_, list)| list.len() as u64)
        })
    }

    /// All of it as bytes.
    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> {
        self.0
            .iter()
            .flat_map(|(_, list)| list)
            .flat_map(|one| one.bytes())
    }

    /// Complains when `calm` is not the same.
    pub(super) fn ensure_is(&self, calm: &Self) -> Held {
        for ((name, mine), (_, others)) in self.0.iter().zip(&calm.0) {
            if mine == others {
                continue;
            }
            let pairs = mine.iter().zip(others);
            let same = pairs.take_while(|(mine, other)| mine == other).count();
            let shown = |list: &[String]| {
                let text = list.get(same).map_or("nothing", String::as_str);
                text.chars().take(SHOWN_CHARACTERS).collect::<String>()
            };
            return Err(Broken(format!(
                "{} {name} and {} without mishaps; number {same} is {} instead of {}",
                mine.len(),
                others.len(),
                shown(mine),
                shown(others)
            )));
        }
        Ok(())
    }
}

fn of_store(store: &dyn Store) -> Result<Vec<(&'static str, Vec<String>)>, StoreError> {
    let (tenant, all) = (TenantId::default(), usize::MAX);
    let everybody = IdentityFilter {
        merged: true,
        ..IdentityFilter::default()
    };
    let identities = store.identities(&everybody)?;
    let mut baselines = Vec::new();
    for identity in &identities {
        baselines.extend(store.baselines(&tenant, identity.id)?);
    }
    let sessions = store.sessions(&SessionFilter::default(), all)?;
    let uids: Vec<_> = sessions.iter().map(|session| session.uid).collect();
    let mut behaviours = store.behaviours(&tenant, BehaviourOrder::Newest, all)?;
    for known in &mut behaviours {
        // It counts its peers' sessions as they were when it was told, which is when it acted or
        // when there was nothing else to do.
        known.readiness = Readiness::default();
    }
    let of_quarantine = QuarantineFilter::default();
    Ok(vec![
        ("positions", vec![store.processed()?.to_string()]),
        (
            "findings",
            told(&store.findings(&FindingFilter::default(), all)?),
        ),
        ("identities", told(&identities)),
        ("aliases", told(&store.aliases()?)),
        ("credentials", told(&store.credentials()?)),
        ("merges", told(&store.merges()?)),
        ("sessions", told(&sessions)),
        ("joins", told(&store.session_joins(&tenant, &uids)?)),
        ("blind sessions", told(&store.blind_sessions(&tenant, all)?)),
        ("sources", told(&store.source_health()?)),
        ("quarantine", told(&store.quarantined(&of_quarantine, all)?)),
        ("charters", told(&store.charters(&tenant, None)?)),
        ("exceptions", told(&store.exceptions(&tenant)?)),
        ("imports", told(&store.entitlement_imports(&tenant)?)),
        ("behaviours", told(&behaviours)),
        ("forecast", told(store.forecast(&tenant)?.as_slice())),
        ("baselines", told(&baselines)),
    ])
}
