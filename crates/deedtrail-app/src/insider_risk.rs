//! Insider risk: people whose work departs from what is usual or declared for them, ranked, without
//! their names. Whoever may decide reveals one person at a time, with a reason that is recorded.
//!
//! What is told of a person are kinds and numbers: titles of findings hold names, their ids and
//! exact times lead to them.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use deedtrail_core::Text;
use deedtrail_core::custody::{Act, Subject, SubjectKind};
use deedtrail_core::event::ActorKind;
use deedtrail_core::finding::{Severity, registry};
use deedtrail_core::id::IdentityId;
use deedtrail_core::identity::Identity;
use deedtrail_core::limits::NOTE_CHARACTERS_MAX;
use deedtrail_core::port::store::{DepartureDay, DepartureFilter, Scope, StoreError};
use deedtrail_core::time::Timestamp;
use serde::Serialize;

use crate::App;
use crate::access::Principal;
use crate::custody::Deed;
use crate::timeline::ReadingError;

/// Days that are looked back.
pub const RISK_DAYS: i64 = 90;
/// People listed; further ones are counted.
pub const PEOPLE_MAX: usize = 200;
/// Findings that are looked at, those of the newest events; they are summed up in the store.
pub const FINDINGS_MAX: usize = 50_000;
/// Hex digits of a pseudonym: 48 bits tell 200,000 people apart with a chance of 1 in 14,000 that
/// any two are alike, and those are not revealed.
const PSEUDONYM_DIGITS: usize = 12;
/// Setting with the secret that pseudonyms are made with.
const SECRET: &str = "insider_risk.secret";

/// Kinds of findings that tell of a person's own work.
pub const KINDS: [&str; 14] = [
    "scope_departure",
    "sequence_departure",
    "allowed_but_unsafe",
    "behaviour_departure",
    "behaviour_drift",
    "off_hours",
    "new_resource_class",
    "enumeration",
    "burst",
    "exfiltration",
    "external_share",
    "mail_forwarded",
    "secret_extraction",
    "data_destroyed",
];

/// People by risk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InsiderRisk {
    pub from: Timestamp,
    /// The most points first.
    pub people: Vec<PersonRisk>,
    /// People beyond [`PEOPLE_MAX`].
    pub left_out: usize,
    /// There are more findings than are looked at; the oldest do not count.
    pub cut: bool,
}

/// One person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PersonRisk {
    /// `person-` and 12 hex digits: the same in this installation for as long as it stands.
    pub person: Text,
    /// Sum over the kinds.
    pub points: u32,
    /// The gravest.
    pub severity: Severity,
    pub findings: u64,
    /// Day of the last event (UTC).
    pub last_day: Text,
    /// The most points first.
    pub kinds: Vec<KindOfDeparture>,
}

/// What findings of one kind say of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KindOfDeparture {
    pub kind: &'static str,
    pub title: &'static str,
    /// Those of the gravest finding, and [`DAY_POINTS`] for each further day.
    pub points: u32,
    pub severity: Severity,
    pub findings: u64,
    /// Different days (UTC).
    pub days: usize,
    pub last_day: Text,
}

/// Points for each further day with findings of one kind, and the most of them.
pub const DAY_POINTS: u32 = 2;
pub const DAYS_COUNTED_MAX: u32 = 5;

/// Points of a kind by its gravest finding; the same as trust takes for one.
pub const fn points(severity: Severity) -> u32 {
    match severity {
        Severity::Info | Severity::Low => 5,
        Severity::Medium => 12,
        Severity::High => 25,
        Severity::Critical => 40,
    }
}

/// Findings of one person, of one kind each, by day.
type Departures = BTreeMap<&'static str, Vec<DepartureDay>>;

/// Everybody with findings, before names are taken away.
struct Found {
    people: BTreeMap<IdentityId, (Identity, Departures)>,
    cut: bool,
}

impl App {
    /// People whose open findings of the last [`RISK_DAYS`] tell of departures, without names.
    pub fn insider_risk(&self, principal: &Principal) -> Result<InsiderRisk, ReadingError> {
        principal.require(Scope::Read)?;
        let from = self.risk_begins();
        let secret = self.pseudonym_secret()?;
        let found = self.departures(principal, from)?;
        let people = found.people.into_iter();
        let mut people: Vec<PersonRisk> = people
            .map(|(id, (_, kinds))| person(pseudonym(&secret, id), &kinds))
            .collect();
        people.sort_by_cached_key(|it| {
            let order = (it.points, it.severity, it.last_day.clone());
            (Reverse(order), it.person.clone())
        });
        let left_out = people.len().saturating_sub(PEOPLE_MAX);
        people.truncate(PEOPLE_MAX);
        Ok(InsiderRisk {
            from,
            people,
            left_out,
            cut: found.cut,
        })
    }

    /// Says who one person of the list is. Who asked, whom for and why is an entry of the log;
    /// without the entry nobody is revealed.
    pub fn reveal_person(
        &self,
        principal: &Principal,
        person: &str,
        reason: &str,
    ) -> Result<Identity, ReadingError> {
        principal.require(Scope::Write)?;
        let reason = reason.trim();
        if !(1..=NOTE_CHARACTERS_MAX).contains(&reason.chars().count()) {
            return Err(ReadingError::NoReason);
        }
        let secret = self.pseudonym_secret()?;
        let found = self.departures(principal, self.risk_begins())?;
        let people = found.people.into_values().map(|(identity, _)| identity);
        let mut meant = people.filter(|it| pseudonym(&secret, it.id) == person);
        let (Some(identity), None) = (meant.next(), meant.next()) else {
            return Err(ReadingError::NoPerson(person.to_owned()));
        };
        let entry = format!("{person} is {}: {reason}", identity.id);
        // Not about the identity: who is given its bundle must not learn that it is in the list.
        let about = Subject::new(SubjectKind::Person, person);
        let deed = Deed {
            act: Act::Reveal,
            what: "person revealed",
            on: &entry,
            about: &[about],
        };
        self.audit(principal, &deed)?;
        Ok(identity)
    }

    fn risk_begins(&self) -> Timestamp {
        let now = self.ports.clock.now();
        now.plus_micros(-RISK_DAYS * Timestamp::DAY_US)
    }

    fn departures(&self, principal: &Principal, from: Timestamp) -> Result<Found, StoreError> {
        let mut known: BTreeMap<IdentityId, Option<Identity>> = BTreeMap::new();
        let mut found = Found {
            people: BTreeMap::new(),
            cut: false,
        };
        let days = self.ports.store.departures(&DepartureFilter {
            tenant: principal.tenant.clone(),
            kinds: &KINDS,
            since: from,
            findings_max: FINDINGS_MAX,
        })?;
        let looked_at: u64 = days.iter().map(|day| day.findings).sum();
        found.cut = looked_at >= FINDINGS_MAX as u64;
        for day in days {
            let Some(kind) = KINDS.into_iter().find(|kind| day.kind == *kind) else {
                continue;
            };
            let id = day.identity;
            if let Entry::Vacant(unknown) = known.entry(id) {
                unknown.insert(self.ports.store.identity(id)?);
            }
            let identity = known.get(&id).and_then(Option::as_ref);
            let human = identity.filter(|identity| identity.kind == ActorKind::Human);
            let Some(identity) = human else { continue };
            let person = found.people.entry(identity.id);
            let person = person.or_insert_with(|| (identity.clone(), Departures::new()));
            person.1.entry(kind).or_default().push(day);
        }
        Ok(found)
    }

    /// What pseudonyms are made with; made on first use, and then kept.
    fn pseudonym_secret(&self) -> Result<[u8; 32], StoreError> {
        let one_at_a_time = self.pseudonyms.lock();
        let _one_at_a_time = one_at_a_time.unwrap_or_else(PoisonError::into_inner);
        let store = &self.ports.store;
        let secret = if let Some(secret) = store.setting(SECRET)? {
            secret
        } else {
            let secret = self.random_hex();
            store.put_setting(SECRET, &secret)?;
            secret
        };
        Ok(*blake3::hash(secret.as_bytes()).as_bytes())
    }
}

/// The same for the same identity; nobody without the secret can compute or confirm it.
fn pseudonym(secret: &[u8; 32], id: IdentityId) -> Text {
    let hash = blake3::keyed_hash(secret, &id.to_bytes()).to_hex();
    let digits: String = hash.chars().take(PSEUDONYM_DIGITS).collect();
    format!("person-{digits}").into()
}

fn person(person: Text, kinds: &Departures) -> PersonRisk {
    let mut kinds: Vec<KindOfDeparture> = kinds
        .iter()
        .filter_map(|(kind, days)| departure(kind, days))
        .collect();
    kinds.sort_by_key(|it| (Reverse(it.points), it.kind));
    let severity = kinds.iter().map(|it| it.severity).max();
    let last_day = kinds.iter().map(|it| &it.last_day).max();
    PersonRisk {
        person,
        points: kinds.iter().map(|it| it.points).sum(),
        severity: severity.unwrap_or(Severity::Info),
        findings: kinds.iter().map(|it| it.findings).sum(),
        last_day: last_day.cloned().unwrap_or_default(),
        kinds,
    }
}

/// `None` without findings, and for a kind that the registry does not know. A person may have been
/// several identities, with findings of the same day.
fn departure(kind: &str, found: &[DepartureDay]) -> Option<KindOfDeparture> {
    let kind = registry::find(kind)?;
    let severity = found.iter().map(|it| it.severity).max()?;
    let last = found.iter().map(|it| it.last).max()?;
    let days: BTreeSet<i64> = found.iter().map(|it| it.day).collect();
    let further = u32::try_from(days.len().saturating_sub(1)).unwrap_or(u32::MAX);
    Some(KindOfDeparture {
        kind: kind.id,
        title: kind.title,
        points: points(severity) + DAY_POINTS * further.min(DAYS_COUNTED_MAX),
        severity,
        findings: found.iter().map(|it| it.findings).sum(),
        days: days.len(),
        last_day: last.to_string().chars().take(10).collect::<String>().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_the_registry_once() {
        let kinds: BTreeSet<&str> = KINDS.into_iter().collect();
        assert_eq!(kinds.len(), KINDS.len());
        for kind in KINDS {
            assert!(registry::find(kind).is_some(), "{kind}");
        }
    }

    #[test]
    fn a_pseudonym_depends_on_the_secret_and_does_not_hold_the_id() {
        let id = IdentityId::from_bytes([7; 16]);
        let one = pseudonym(&[1; 32], id);
        assert_eq!(one, pseudonym(&[1; 32], id));
        assert_ne!(one, pseudonym(&[2; 32], id));
        assert_ne!(one, pseudonym(&[1; 32], IdentityId::from_bytes([8; 16])));
        assert_eq!(one.len(), "person-".len() + 12);
        assert!(!one.contains("0707"));
    }
}
