//! Builders of events.

use deedtrail_core::action::Action;
use deedtrail_core::event::{
    ActorKind, Alias, CredentialKind, Delegation, Event, MappedEvent, OutcomeClass,
};
use deedtrail_core::id::{IdentityId, SourceName, TenantId};
use deedtrail_core::port::log::{EntryKind, NewEntry, StoredEntry};
use deedtrail_core::port::store::{Progress, Store};
use deedtrail_core::time::Timestamp;

use crate::identity::{Place, Resolver, seal_event};

pub(super) const KEY: [u8; 32] = [7; 32];

pub(super) fn second(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * Timestamp::SECOND_US)
}

/// `namespace:value`.
pub(super) fn alias(text: &str) -> Alias {
    let (namespace, value) = text.split_once(':').unwrap();
    Alias {
        namespace: namespace.into(),
        value: value.into(),
    }
}

pub(super) fn entry(sequence: u64) -> StoredEntry {
    let entry = NewEntry {
        kind: EntryKind::Record,
        tenant: TenantId::default(),
        source: None,
        received: second(1_000),
        idempotency_key: Some(format!("v:{sequence}").into()),
        note: "".into(),
        parts: Vec::new(),
    };
    StoredEntry {
        sequence,
        entry,
        id_conflict: false,
        revision: 0,
    }
}

pub(super) fn sealed(sequence: u64, mapped: MappedEvent) -> Event {
    let entry = entry(sequence);
    let source = SourceName::new("acme.audit").unwrap();
    let place = Place {
        log_origin: "log.example",
        entry: &entry,
        source: &source,
        source_uid: Some("u".into()),
        mapping_version: "m1".into(),
        ordinal: 0,
    };
    seal_event(&KEY, place, mapped)
}

/// An event by the actor with these aliases.
pub(super) fn by(aliases: &[&str]) -> MappedEvent {
    MappedEvent {
        time: Some(second(10)),
        system: "acme".into(),
        operation: "thing.read".into(),
        action: Action::Read,
        outcome: OutcomeClass::Success,
        actor_aliases: aliases.iter().map(|text| alias(text)).collect(),
        ..MappedEvent::default()
    }
}

pub(super) fn kind_of(kind: ActorKind, mapped: MappedEvent) -> MappedEvent {
    MappedEvent {
        actor_kind: kind,
        ..mapped
    }
}

pub(super) fn at(seconds: i64, mapped: MappedEvent) -> MappedEvent {
    MappedEvent {
        time: Some(second(seconds)),
        ..mapped
    }
}

pub(super) fn with_key(reference: &str, mapped: MappedEvent) -> MappedEvent {
    MappedEvent {
        credential_kind: Some(CredentialKind::AccessKey),
        credential_ref: Some(reference.into()),
        ..mapped
    }
}

pub(super) fn acting_for(links: &[(&str, &str)], mapped: MappedEvent) -> MappedEvent {
    let link = |(relation, text): &(&str, &str)| Delegation {
        relation: (*relation).into(),
        alias: alias(text),
    };
    MappedEvent {
        delegation: links.iter().map(link).collect(),
        ..mapped
    }
}

/// An event of `action` on a target of this kind and reference.
pub(super) fn on(action: Action, (kind, reference): (&str, &str), by: MappedEvent) -> MappedEvent {
    let (target_kind, target_ref) = (Some(kind.into()), Some(reference.into()));
    MappedEvent {
        action,
        target_kind,
        target_ref,
        ..by
    }
}

/// Resolves one event and returns its actor.
pub(super) fn actor(resolver: &mut Resolver, mapped: MappedEvent) -> IdentityId {
    resolver.resolve(&mut sealed(1, mapped)).actor.unwrap()
}

/// Stores what changed, as the pipeline does.
pub(super) fn save(resolver: &mut Resolver, store: &dyn Store) {
    let changes = resolver.take_changes();
    let progress = Progress {
        through: 1,
        identities: changes.identities,
        declared: changes.declared,
        aliases: changes.aliases,
        credentials: changes.credentials,
        merges: changes.merges,
        ..Progress::default()
    };
    store.save(progress).unwrap();
}
