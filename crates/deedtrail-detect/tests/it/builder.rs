//! A small tenant to observe: identities, events and a detector that runs them.

use std::sync::Arc;

use deedtrail_core::action::Action;
use deedtrail_core::event::{
    ActorKind, Alias, Event, EventKind, EvidenceGrade, MappedEvent, OutcomeClass, TimeQuality,
};
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::id::{
    AliasUid, CredentialUid, EventUid, IdentityId, SessionUid, SourceName, TenantId,
};
use deedtrail_core::identity::{CredentialRecord, Declared, Identity, IdentityStatus};
use deedtrail_core::port::mapper::{SigmaLogsource, SourceFacts};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::{Detector, Observation, RuleFile, RuleSet, Settings};

/// Start of every history here: a Monday.
pub(crate) fn start() -> Timestamp {
    Timestamp::parse_rfc3339("2026-03-02T00:00:00Z").unwrap()
}

pub(crate) fn at(day: i64, minute: i64) -> Timestamp {
    start().plus_micros(day * Timestamp::DAY_US + minute * Timestamp::MINUTE_US)
}

pub(crate) fn identity(name: &str, kind: ActorKind) -> Identity {
    let alias = AliasUid::of(&TenantId::default(), "email", name);
    Identity {
        id: IdentityId::discovered(alias),
        tenant: TenantId::default(),
        kind,
        name: name.into(),
        status: IdentityStatus::Active,
        discovered: false,
        first_alias: alias,
        created: None,
        first_seen: None,
        last_seen: None,
        declared: Declared {
            owner: Some("owner@example.com".into()),
            ..Declared::default()
        },
    }
}

pub(crate) fn source(name: &str, product: &str, service: &str) -> SourceFacts {
    SourceFacts {
        name: SourceName::new(name).unwrap(),
        title: name.to_owned(),
        sigma: vec![SigmaLogsource {
            product: Some(product.to_owned()),
            service: Some(service.to_owned()),
            category: None,
        }],
        mapping_version: "1".to_owned(),
        planes: Vec::new(),
        system: None,
        field_aliases: Vec::new(),
    }
}

/// One step of a story.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) identity: Option<Identity>,
    pub(crate) credential: Option<CredentialRecord>,
    pub(crate) event: Event,
    pub(crate) record: Vec<u8>,
    pub(crate) source: SourceFacts,
}

impl Step {
    pub(crate) fn new(who: &Identity, time: Timestamp, action: Action, operation: &str) -> Self {
        let mapped = MappedEvent {
            kind: match action {
                Action::Click => EventKind::Click,
                Action::Authenticate => EventKind::Authentication,
                _ => EventKind::Activity,
            },
            time: Some(time),
            system: "aws".into(),
            actor_kind: who.kind,
            actor_ref: Some(who.name.clone()),
            actor_aliases: vec![Alias {
                namespace: "email".into(),
                value: who.name.clone(),
            }],
            operation: operation.into(),
            action,
            meaningful: true,
            outcome: OutcomeClass::Success,
            src_ip: Some("192.0.2.10".into()),
            src_asn: Some(64500),
            src_country: Some("DE".into()),
            ..MappedEvent::default()
        };
        Self {
            identity: Some(who.clone()),
            credential: None,
            event: event(mapped, time, who.first_alias),
            record: b"{}".to_vec(),
            source: source("aws.cloudtrail", "aws", "cloudtrail"),
        }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut MappedEvent)) -> Self {
        change(&mut self.event.mapped);
        self
    }

    /// Its record says no time.
    pub(crate) fn undated(mut self) -> Self {
        self.event.mapped.time = None;
        self.event.time_quality = TimeQuality::Receipt;
        self
    }

    pub(crate) fn on(self, target: &str) -> Self {
        self.with(|mapped| mapped.target_name = Some(target.into()))
    }

    pub(crate) fn kind_of_target(self, kind: &str) -> Self {
        self.with(|mapped| mapped.target_kind = Some(kind.into()))
    }

    pub(crate) fn ended(self, outcome: OutcomeClass) -> Self {
        self.with(|mapped| mapped.outcome = outcome)
    }

    pub(crate) fn from(self, ip: &str, asn: i64) -> Self {
        self.with(|mapped| {
            mapped.src_ip = Some(ip.into());
            mapped.src_asn = Some(asn);
        })
    }

    pub(crate) fn labelled(self, name: &str) -> Self {
        self.with(|mapped| {
            mapped.labels.insert(name.into(), "true".into());
        })
    }

    pub(crate) fn using(mut self, reference: &str, created: Timestamp) -> Self {
        let credential = credential(self.identity.as_ref().unwrap(), reference, created);
        self.event.credential_uid = Some(credential.uid);
        self.event.mapped.credential_ref = Some(reference.into());
        self.credential = Some(credential);
        self
    }

    pub(crate) fn in_session(mut self, session: &str) -> Self {
        self.event.session_uid = Some(SessionUid::derive(&[session.as_bytes()]));
        self
    }

    /// The vendor names its session.
    pub(crate) fn named_session(mut self, session: &str) -> Self {
        self.event.mapped.session_ref = Some(session.into());
        let system = self.event.mapped.system.clone();
        let uid = SessionUid::derive(&[system.as_bytes(), session.as_bytes()]);
        self.event.session_uid = Some(uid);
        self
    }

    pub(crate) fn record(mut self, json: &str) -> Self {
        self.record = json.as_bytes().to_vec();
        self
    }
}

pub(crate) fn credential(
    owner: &Identity,
    reference: &str,
    created: Timestamp,
) -> CredentialRecord {
    CredentialRecord {
        uid: CredentialUid::derive(&[reference.as_bytes()]),
        identity: owner.id,
        kind: deedtrail_core::event::CredentialKind::AccessKey,
        reference: reference.into(),
        system: "aws".into(),
        created: Some(created),
        last_rotated: None,
        expires: None,
        revoked: None,
        first_used: None,
        last_used: None,
        uses: 0,
        used_from: Vec::new(),
    }
}

fn event(mapped: MappedEvent, time: Timestamp, alias: AliasUid) -> Event {
    Event {
        event_uid: EventUid::derive(&[b"unset"]),
        log_origin: "log".into(),
        log_seq: 0,
        ordinal: 0,
        mapping_version: "1".into(),
        derived_at: 0,
        tenant: TenantId::default(),
        source: SourceName::new("aws.cloudtrail").unwrap(),
        source_uid: None,
        time_received: time,
        time_effective: time,
        time_quality: TimeQuality::Vendor,
        actor_alias_uid: Some(alias),
        on_behalf_of_uid: None,
        credential_uid: None,
        session_uid: None,
        target_uid: None,
        device_uid: None,
        message_uid: None,
        link_uid: None,
        risk_decision: None,
        id_conflict: false,
        evidence_grade: EvidenceGrade::A,
        mapped,
    }
}

/// Gives the steps their places in the log, in this order.
pub(crate) fn logged(mut steps: Vec<Step>) -> Vec<Step> {
    for (place, step) in steps.iter_mut().enumerate() {
        step.event.log_seq = u64::try_from(place).unwrap();
        step.event.event_uid = EventUid::derive(&[&step.event.log_seq.to_le_bytes()]);
    }
    steps
}

pub(crate) fn rules(files: &[(&str, &str)]) -> Arc<RuleSet> {
    let files = files.iter().map(|(path, text)| RuleFile {
        path: (*path).to_owned(),
        text: (*text).to_owned(),
    });
    let (rules, problems) = RuleSet::load(&files.collect::<Vec<_>>());
    assert_eq!(problems, []);
    Arc::new(rules)
}

pub(crate) fn observe(detector: &mut Detector, step: &Step) -> Vec<FindingDraft> {
    detector.observe(&Observation {
        event: &step.event,
        identity: step.identity.as_ref(),
        credential: step.credential.as_ref(),
        record: &step.record,
        source: &step.source,
    })
}

/// Runs the steps without rules, then a tick a day later.
pub(crate) fn run(steps: Vec<Step>) -> Vec<FindingDraft> {
    run_with(&rules(&[]), steps)
}

pub(crate) fn run_with(rules: &Arc<RuleSet>, steps: Vec<Step>) -> Vec<FindingDraft> {
    let mut detector = Detector::new(Arc::clone(rules), Settings::default());
    let steps = logged(steps);
    let mut drafts = Vec::new();
    for step in &steps {
        drafts.extend(observe(&mut detector, step));
    }
    if let Some(last) = steps.iter().map(|step| step.event.time_effective).max() {
        drafts.extend(detector.advance(last.plus_micros(Timestamp::DAY_US)));
    }
    drafts
}

/// The findings the drafts become: (type, pattern) with the newest draft, in order of first firing.
pub(crate) fn findings(drafts: Vec<FindingDraft>) -> Vec<deedtrail_core::finding::Finding> {
    let mut findings: Vec<deedtrail_core::finding::Finding> = Vec::new();
    for draft in drafts {
        let id = draft.id();
        match findings.iter_mut().find(|finding| finding.id == id) {
            Some(finding) => finding.absorb(draft),
            None => findings.push(deedtrail_core::finding::Finding::new(draft)),
        }
    }
    findings
}

pub(crate) fn kinds(drafts: &[FindingDraft]) -> Vec<&str> {
    let mut kinds = drafts
        .iter()
        .map(|draft| draft.kind.as_str())
        .collect::<Vec<_>>();
    kinds.dedup();
    kinds
}

/// `days` days of the identity's routine: one read a day at nine.
pub(crate) fn routine(who: &Identity, days: std::ops::Range<i64>) -> Vec<Step> {
    days.map(|day| Step::new(who, at(day, 540), Action::Read, "GetObject").on("bucket/report"))
        .collect()
}
