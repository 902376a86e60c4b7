//! From a mapped event to one with its place, its ids and our own times.

use deedtrail_core::Text;
use deedtrail_core::event::{Alias, Delegation, Event, MappedEvent, TimeQuality};
use deedtrail_core::id::{
    AliasUid, CredentialUid, EventUid, ReferenceUid, SessionUid, SourceName, TenantId,
};
use deedtrail_core::limits::FUTURE_TIME_US_MAX;
use deedtrail_core::namespace::namespace_facts;
use deedtrail_core::port::log::StoredEntry;
use deedtrail_core::time::Timestamp;

/// Where an event comes from: its entry in the log and its place within the record.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    pub log_origin: &'a str,
    pub entry: &'a StoredEntry,
    pub source: &'a SourceName,
    pub source_uid: Option<Text>,
    pub mapping_version: Text,
    pub ordinal: u32,
}

/// Gives a mapped event its ids. Pure: the same record under the same `event_key` gets the same
/// ids wherever and whenever it is processed.
pub fn seal_event(event_key: &[u8; 32], place: Place<'_>, mut mapped: MappedEvent) -> Event {
    let entry = &place.entry.entry;
    let tenant = entry.tenant.clone();
    name_people_behind_sessions(&mut mapped.delegation);
    let (time_effective, time_quality) = effective_time(mapped.time, entry.received);
    let reference = |domain: &str, value: &Option<Text>| {
        let value = value.as_ref()?;
        Some(ReferenceUid::derive(&[
            bytes(&tenant),
            domain.as_bytes(),
            value.as_bytes(),
        ]))
    };
    Event {
        event_uid: event_uid(event_key, &place),
        log_origin: place.log_origin.into(),
        log_seq: place.entry.sequence,
        ordinal: place.ordinal,
        mapping_version: place.mapping_version,
        derived_at: place.entry.sequence,
        source: place.source.clone(),
        time_received: entry.received,
        time_effective,
        time_quality,
        actor_alias_uid: stable_alias(&mapped.actor_aliases).map(|alias| uid(&tenant, alias)),
        on_behalf_of_uid: principal_behind(&mapped.delegation).map(|alias| uid(&tenant, alias)),
        credential_uid: credential_uid(&tenant, &mapped),
        session_uid: session_uid(&tenant, &mapped),
        target_uid: target_uid(&tenant, &mapped),
        device_uid: reference("device", &mapped.device_ref),
        message_uid: reference("message", &mapped.message_ref),
        link_uid: reference("link", &mapped.link_ref),
        risk_decision: None,
        id_conflict: place.entry.id_conflict,
        evidence_grade: mapped.grade(place.source_uid.as_ref()),
        source_uid: place.source_uid,
        tenant,
        mapped,
    }
}

fn bytes(tenant: &TenantId) -> &[u8] {
    tenant.as_str().as_bytes()
}

/// Id of an alias within a tenant.
pub(super) fn uid(tenant: &TenantId, alias: &Alias) -> AliasUid {
    AliasUid::of(tenant, &alias.namespace, &alias.value)
}

/// The alias an event is filed under: the first that tells one identity from another, else the
/// first.
pub(super) fn stable_alias(aliases: &[Alias]) -> Option<&Alias> {
    let unique = |alias: &&Alias| namespace_facts(&alias.namespace).is_unique();
    aliases.iter().find(unique).or_else(|| aliases.first())
}

/// For whom the actor acts: the nearest link of the chain that is not the actor's own account.
fn principal_behind(delegation: &[Delegation]) -> Option<&Alias> {
    let is_own = |link: &&Delegation| matches!(&*link.relation, "deployed_as" | "acting_as");
    let nearest = delegation.iter().find(|link| !is_own(link));
    nearest
        .or_else(|| delegation.first())
        .map(|link| &link.alias)
}

/// Role sessions are often named after the person who opened them: a session name that is an
/// e-mail address is that person's.
fn name_people_behind_sessions(delegation: &mut [Delegation]) {
    for link in delegation {
        let shared = !namespace_facts(&link.alias.namespace).is_unique();
        if shared && is_email_address(&link.alias.value) {
            link.alias.namespace = "email".into();
        }
    }
}

fn is_email_address(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._%+-@".contains(c);
    let parts = text
        .split_once('@')
        .filter(|(_, domain)| !domain.contains('@'));
    parts.is_some_and(|(local, domain)| {
        !local.is_empty() && domain.split('.').count() > 1 && !domain.split('.').any(str::is_empty)
    }) && text.chars().all(allowed)
}

/// What to order by: the vendor's time, else receipt. A vendor time far ahead of ours is kept as
/// the record says, flagged, and not ordered by.
fn effective_time(time: Option<Timestamp>, received: Timestamp) -> (Timestamp, TimeQuality) {
    match time {
        None => (received, TimeQuality::Receipt),
        Some(at) if at.micros_since(received) > FUTURE_TIME_US_MAX => {
            (received, TimeQuality::Suspicious)
        }
        Some(at) => (at, TimeQuality::Vendor),
    }
}

/// House contract: keyed hash of (tenant, source, idempotency key, content revision, ordinal).
fn event_uid(key: &[u8; 32], place: &Place<'_>) -> EventUid {
    let entry = &place.entry.entry;
    let (revision, ordinal) = (
        place.entry.revision.to_le_bytes(),
        place.ordinal.to_le_bytes(),
    );
    let idempotency = match &entry.idempotency_key {
        Some(key) => key.clone(),
        None => format!("seq:{}:{}", place.log_origin, place.entry.sequence).into(),
    };
    let source = place.source.as_str().as_bytes();
    let parts = [
        bytes(&entry.tenant),
        source,
        idempotency.as_bytes(),
        &revision,
        &ordinal,
    ];
    EventUid::derive_keyed(key, &parts)
}

fn credential_uid(tenant: &TenantId, mapped: &MappedEvent) -> Option<CredentialUid> {
    let reference = mapped.credential_ref.as_ref()?;
    Some(credential_id(tenant, &mapped.system, reference))
}

/// Id of a credential: the same public id in the same system is the same credential for ever. Its
/// kind is no part of it, because the record that makes a key and the one that uses it seldom name
/// the kind alike.
pub(super) fn credential_id(tenant: &TenantId, system: &str, reference: &str) -> CredentialUid {
    CredentialUid::derive(&[bytes(tenant), system.as_bytes(), reference.as_bytes()])
}

fn session_uid(tenant: &TenantId, mapped: &MappedEvent) -> Option<SessionUid> {
    let session = mapped.session_ref.as_ref()?;
    Some(SessionUid::derive(&[
        bytes(tenant),
        mapped.system.as_bytes(),
        session.as_bytes(),
    ]))
}

fn target_uid(tenant: &TenantId, mapped: &MappedEvent) -> Option<ReferenceUid> {
    let target = mapped.target_ref.as_ref().or(mapped.target_name.as_ref())?;
    let kind = mapped.target_kind.as_deref().unwrap_or_default();
    let parts = [
        b"target",
        mapped.system.as_bytes(),
        kind.as_bytes(),
        target.as_bytes(),
    ];
    Some(ReferenceUid::derive(&[
        bytes(tenant),
        parts[0],
        parts[1],
        parts[2],
        parts[3],
    ]))
}
