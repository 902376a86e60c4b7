//! Builds a sample: identities, events with their log entries, findings, source health.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::entitlement::{Entitlement, Grant, ImportName};
use deedtrail_core::event::{
    ActorKind, Alias, CredentialKind, Event, MappedEvent, OutcomeClass, TimeQuality,
};
use deedtrail_core::finding::{Finding, FindingDraft, FindingEvent, Severity};
use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::{AliasUid, CredentialUid, EventUid, IdentityId, SourceName, TenantId};
use deedtrail_core::identity::{AliasRecord, CredentialRecord, Declared, Identity, IdentityStatus};
use deedtrail_core::port::archive::Archive as _;
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _, NewEntry, Part, PartClass};
use deedtrail_core::port::store::{
    Dismissal, ImportedEntitlements, Progress, Quarantined, Store as _,
};
use deedtrail_core::time::Timestamp;

use super::{NOW, Sample};

/// A sample under construction.
#[derive(Debug)]
pub(super) struct Builder {
    sample: Sample,
    pub(super) progress: Progress,
    events: Vec<Event>,
    health: BTreeMap<SourceName, SourceHealth>,
}

/// Somebody, as a story introduces them.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) namespace: &'static str,
    pub(super) value: Text,
    pub(super) kind: ActorKind,
    pub(super) name: Text,
}

/// One deed of a story.
#[derive(Clone, Debug)]
pub(super) struct Deed<'a> {
    pub(super) at: Timestamp,
    pub(super) source: &'a str,
    pub(super) actor: &'a Person,
    pub(super) operation: &'a str,
    pub(super) action: Action,
    pub(super) target: Option<Target<'a>>,
    pub(super) outcome: OutcomeClass,
    pub(super) from: Option<(&'a str, i64)>,
}

/// What a deed acts on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'a> {
    Person(&'a Person),
    Thing(&'a str, &'a str),
}

impl Person {
    pub(super) fn uid(&self) -> AliasUid {
        AliasUid::of(&TenantId::default(), self.namespace, &self.value)
    }

    pub(super) fn id(&self) -> IdentityId {
        IdentityId::discovered(self.uid())
    }

    fn alias(&self) -> Alias {
        Alias {
            namespace: self.namespace.into(),
            value: self.value.clone(),
        }
    }
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            sample: Sample::empty(),
            progress: Progress::default(),
            events: Vec::new(),
            health: BTreeMap::new(),
        }
    }

    /// Introduces an identity with one alias.
    pub(super) fn person(&mut self, person: &Person, declared: Declared) {
        let id = person.id();
        self.progress.identities.push(Identity {
            id,
            tenant: TenantId::default(),
            kind: person.kind,
            name: person.name.clone(),
            status: IdentityStatus::Active,
            discovered: declared.owner.is_none(),
            first_alias: person.uid(),
            created: None,
            first_seen: Some(NOW.plus_micros(-200 * Timestamp::DAY_US)),
            last_seen: Some(NOW.plus_micros(-Timestamp::HOUR_US)),
            declared,
        });
        self.progress.declared.push(id);
        self.alias(
            person,
            person.namespace,
            &person.value,
            "first seen in events",
        );
    }

    /// One more name of an identity.
    pub(super) fn alias(&mut self, person: &Person, namespace: &str, value: &str, evidence: &str) {
        self.progress.aliases.push(AliasRecord {
            uid: AliasUid::of(&TenantId::default(), namespace, value),
            identity: person.id(),
            namespace: namespace.into(),
            value: value.into(),
            evidence: evidence.into(),
            first_seen: Some(NOW.plus_micros(-200 * Timestamp::DAY_US)),
            last_seen: Some(NOW),
        });
    }

    /// A key that is `age_days` old.
    pub(super) fn credential(&mut self, person: &Person, reference: &str, age_days: i64) {
        let made = NOW.plus_micros(-age_days * Timestamp::DAY_US);
        self.progress.credentials.push(CredentialRecord {
            uid: CredentialUid::derive(&[reference.as_bytes()]),
            identity: person.id(),
            kind: CredentialKind::AccessKey,
            reference: reference.into(),
            system: "aws".into(),
            created: Some(made),
            last_rotated: None,
            expires: None,
            revoked: None,
            first_used: Some(made),
            last_used: Some(NOW.plus_micros(-Timestamp::HOUR_US)),
            uses: 1_284,
            used_from: vec!["AS36459".into()],
        });
    }

    /// What an import says people may do; each grant is of the person beside it.
    pub(super) fn entitle(&mut self, kind: &str, grants: Vec<(&Person, Grant)>) {
        let import = ImportName {
            kind: kind.into(),
            account: Text::default(),
        };
        let (tenant, at) = (TenantId::default(), NOW.plus_micros(-Timestamp::DAY_US));
        let entitlement = |(person, grant): (&Person, Grant)| Entitlement {
            id: Entitlement::id_of(&tenant, &import, &grant.key),
            tenant: tenant.clone(),
            import: import.clone(),
            first_imported: at.plus_micros(-20 * Timestamp::DAY_US),
            imported: at,
            grant: Grant {
                holders: vec![person.alias()],
                ..grant
            },
        };
        let entitlements = grants.into_iter().map(entitlement).collect();
        self.progress.entitlements.push(ImportedEntitlements {
            tenant: tenant.clone(),
            import: import.clone(),
            at,
            entitlements,
        });
    }

    /// Something happens; the record is appended, the event archived.
    pub(super) fn deed(&mut self, deed: &Deed<'_>) -> FindingEvent {
        let record = record(deed);
        self.deed_with_record(deed, record.into_bytes())
    }

    pub(super) fn deed_with_record(&mut self, deed: &Deed<'_>, record: Vec<u8>) -> FindingEvent {
        let sequence = self.sample.log.end();
        let bytes = record.len() as u64;
        let event = event(deed, sequence);
        let received = deed.at.plus_micros(4 * Timestamp::SECOND_US);
        self.append(EntryKind::Record, deed.source, received, record);
        if let Some(health) = self.health(deed.source, deed.at) {
            health.records += 1;
            health.events += 1;
            health.bytes += bytes;
            health.grades[event.evidence_grade as usize] += 1;
            for fact in event.mapped.missing_facts(event.source_uid.as_ref()) {
                *health.missing.entry(fact.into()).or_default() += 1;
            }
            health.other_actions += u64::from(event.mapped.action == Action::Other);
            let plane = event.mapped.plane.name();
            health.count_plane(&event.mapped.system, plane, event.time_received);
            health.hours.count(received);
        }
        let rests_on = FindingEvent {
            event_uid: event.event_uid,
            log_seq: sequence,
            time: deed.at,
            fact: String::new(),
        };
        self.events.push(event);
        rests_on
    }

    fn append(&self, kind: EntryKind, source: &str, received: Timestamp, bytes: Vec<u8>) {
        let entry = NewEntry {
            kind,
            tenant: TenantId::default(),
            source: SourceName::new(source).ok(),
            received,
            idempotency_key: None,
            note: Text::default(),
            parts: vec![Part {
                class: PartClass::Plain,
                key_id: 0,
                bytes,
            }],
        };
        if let Err(error) = self.sample.log.append(vec![entry]) {
            unreachable!("the fake log refuses nothing here: {error}");
        }
    }

    /// Health of a source, created on first use.
    pub(super) fn health(&mut self, source: &str, at: Timestamp) -> Option<&mut SourceHealth> {
        let name = SourceName::new(source).ok()?;
        let empty = SourceHealth::new(TenantId::default(), name.clone());
        let health = self.health.entry(name).or_insert(empty);
        health.last_event = health.last_event.max(Some(at));
        health.last_received = health.last_event.map(|at| at.plus_micros(4_000_000));
        Some(health)
    }

    /// A record that nobody understood.
    pub(super) fn quarantined(&mut self, source: &str, code: &str, reason: &str) {
        let Ok(name) = SourceName::new(source) else {
            return;
        };
        let received = NOW.plus_micros(-3 * Timestamp::HOUR_US);
        if let Some(health) = self.health(source, received) {
            health.records += 1;
            health.quarantined += 1;
        }
        let record = format!("{{\"event\":\"{}\"}}", reason.escape_default());
        let bytes = record.len() as u64;
        let sequence = self.sample.log.end();
        self.append(
            EntryKind::Quarantined,
            source,
            received,
            record.into_bytes(),
        );
        self.progress.quarantined.push(Quarantined {
            sequence,
            tenant: TenantId::default(),
            source: name,
            code: code.into(),
            reason: reason.into(),
            received,
            bytes,
            dismissal: None,
        });
    }

    /// Somebody dismisses the last record that nobody understood.
    pub(super) fn dismiss_last(&mut self, by: &str, reason: &str) {
        let Some(record) = self.progress.quarantined.last_mut() else {
            return;
        };
        record.dismissal = Some(Dismissal {
            by: by.into(),
            at: NOW,
            reason: reason.into(),
        });
        let source = record.source.clone();
        if let Some(health) = self.health.get_mut(&source) {
            health.quarantined -= 1;
            health.dismissed += 1;
        }
    }

    pub(super) fn finding(&mut self, draft: FindingDraft) {
        self.progress.findings.push(Finding::new(draft));
    }

    /// The finished installation.
    pub(super) fn finish(mut self) -> Sample {
        let through = self.sample.log.end();
        self.progress.through = through;
        self.progress.sources = self.health.into_values().collect();
        let archive = &self.sample.archive;
        let added = archive.add(self.events, through);
        if let Err(error) = added.and_then(|()| archive.commit()) {
            unreachable!("the fake archive refuses nothing: {error}");
        }
        if let Err(error) = self.sample.store.save(self.progress) {
            unreachable!("the memory store refuses nothing: {error}");
        }
        self.sample
    }
}

/// A draft with everything that is the same in all stories.
pub(super) fn draft(
    kind: &str,
    person: &Person,
    severity: Severity,
    title: &str,
    events: Vec<FindingEvent>,
) -> FindingDraft {
    FindingDraft {
        kind: kind.into(),
        rule: format!("post-authentication/{}", kind.replace('_', "-")).into(),
        tenant: TenantId::default(),
        identity: person.id(),
        first_alias: person.uid(),
        pattern: kind.into(),
        session: None,
        severity,
        confidence: 0.9,
        title: title.to_owned(),
        reasons: Vec::new(),
        at: events.last().map_or(NOW, |event| event.time),
        events,
        allowed: Vec::new(),
        refused: Vec::new(),
        hypotheses: Vec::new(),
        techniques: Vec::new(),
    }
}

fn event(deed: &Deed<'_>, sequence: u64) -> Event {
    let mapped = mapped(deed);
    let source_uid = Some(Text::from(format!("{}-{sequence}", deed.source)));
    let grade = mapped.grade(source_uid.as_ref());
    Event {
        event_uid: EventUid::derive(&[&sequence.to_le_bytes()]),
        log_origin: "deedtrail.example/sample".into(),
        log_seq: sequence,
        ordinal: 0,
        mapping_version: "f".repeat(64).into(),
        derived_at: sequence,
        tenant: TenantId::default(),
        source: source_name(deed.source),
        source_uid,
        time_received: deed.at.plus_micros(4 * Timestamp::SECOND_US),
        time_effective: deed.at,
        time_quality: TimeQuality::Vendor,
        actor_alias_uid: Some(deed.actor.uid()),
        on_behalf_of_uid: None,
        credential_uid: None,
        session_uid: None,
        target_uid: None,
        device_uid: None,
        message_uid: None,
        link_uid: None,
        risk_decision: None,
        id_conflict: false,
        evidence_grade: grade,
        mapped,
    }
}

fn source_name(text: &str) -> SourceName {
    match SourceName::new(text) {
        Ok(name) => name,
        Err(error) => unreachable!("samples use valid names: {error}"),
    }
}

fn mapped(deed: &Deed<'_>) -> MappedEvent {
    let system = deed.source.split('.').next().unwrap_or_default();
    let mut mapped = MappedEvent {
        time: Some(deed.at),
        system: system.into(),
        actor_ref: Some(deed.actor.value.clone()),
        actor_name: Some(deed.actor.name.clone()),
        actor_kind: deed.actor.kind,
        actor_aliases: vec![deed.actor.alias()],
        operation: deed.operation.into(),
        action: deed.action,
        meaningful: true,
        outcome: deed.outcome,
        src_ip: deed.from.map(|(ip, _)| ip.into()),
        src_asn: deed.from.map(|(_, asn)| asn),
        ..MappedEvent::default()
    };
    match deed.target {
        Some(Target::Person(person)) => {
            mapped.target_kind = Some("identity".into());
            mapped.target_name = Some(person.name.clone());
            mapped.target_aliases = vec![person.alias()];
        }
        Some(Target::Thing(kind, name)) => {
            mapped.target_kind = Some(kind.into());
            mapped.target_name = Some(name.into());
        }
        None => {}
    }
    mapped
}

/// A vendor-like record of a deed.
fn record(deed: &Deed<'_>) -> String {
    let target = match deed.target {
        Some(Target::Person(person)) => person.value.to_string(),
        Some(Target::Thing(_, name)) => name.to_owned(),
        None => String::new(),
    };
    serde_json::json!({
        "eventTime": deed.at.to_string(),
        "eventName": deed.operation,
        "actor": { "id": deed.actor.value.as_str(), "displayName": deed.actor.name.as_str() },
        "target": target,
        "outcome": deed.outcome.name(),
        "sourceIPAddress": deed.from.map(|(ip, _)| ip),
        "requestId": "6c1f0a52-7a43-4c5d-9a55-0a6bd1f3c9aa",
    })
    .to_string()
}
