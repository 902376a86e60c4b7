//! The side panel about one event: facts, proof, raw record, and where each field comes from.

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::provenance::{FieldOrigin, Provenance, Rule};
use deedtrail_app::timeline::{EventFile, ReadingError};
use deedtrail_core::event::Event;
use deedtrail_core::id::EventUid;

use super::{Chip, Moment, People, Shown, grouped};

/// One line of a list of facts.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) value: Shown,
    /// Where the value leads.
    pub(crate) href: Option<String>,
}

impl Fact {
    pub(crate) fn new(name: &'static str, value: &str) -> Self {
        Self {
            name,
            value: Shown::new(value),
            href: None,
        }
    }

    fn chip(name: &'static str, chip: Chip) -> Self {
        let value = Shown::new(&format!("{} ({})", chip.name, chip.kind));
        Self {
            name,
            value,
            href: chip.href,
        }
    }
}

/// The newest checkpoint, cut to what people compare.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) size: String,
    pub(crate) root: Shown,
}

impl Checkpoint {
    /// Size and root of a C2SP checkpoint: lines two and three.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip(1);
        let size = lines.next()?.parse().map(grouped).ok()?;
        let root = lines.next().map(abbreviated)?;
        Some(Self { size, root })
    }
}

/// Start and end of a hash: enough to compare by eye; the API has it whole.
fn abbreviated(hash: &str) -> Shown {
    let count = hash.chars().count();
    if count <= 24 {
        return Shown::new(hash);
    }
    let start: String = hash.chars().take(12).collect();
    let end: String = hash.chars().skip(count - 8).collect();
    Shown::new(&format!("{start}…{end}"))
}

/// Where an event's record lies in the log, and how to prove it.
#[derive(Clone, Debug)]
pub(crate) struct ProofPanel {
    pub(crate) batch: String,
    pub(crate) index: String,
    pub(crate) leaf: Shown,
    pub(crate) steps: usize,
}

/// One field of an event and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct OriginRow {
    pub(crate) field: String,
    pub(crate) value: Shown,
    pub(crate) paths: Vec<Shown>,
    /// What made it, where no path says so.
    pub(crate) by: String,
}

impl OriginRow {
    fn new(origin: &FieldOrigin) -> Self {
        let by = match (origin.rule, origin.from) {
            (Rule::Record, _) => String::new(),
            (_, Some(from)) => format!("made from {from}"),
            (Rule::Receipt, None) => "given on receipt".to_owned(),
            (_, None) => "decided by the mapping".to_owned(),
        };
        let value = match &origin.value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self {
            field: origin.field.clone(),
            value: Shown::cut(&value, 80),
            paths: origin.paths.iter().map(|path| Shown::new(path)).collect(),
            by,
        }
    }
}

/// Everything about one event.
#[derive(Clone, Debug)]
pub(crate) struct EventPanel {
    pub(crate) uid: String,
    pub(crate) sequence: String,
    pub(crate) operation: Shown,
    pub(crate) time: Moment,
    pub(crate) facts: Vec<Fact>,
    pub(crate) missing: Vec<&'static str>,
    pub(crate) proof: Option<ProofPanel>,
    pub(crate) raw: Shown,
    pub(crate) origins: Vec<OriginRow>,
    /// Why no path is known.
    pub(crate) unread: Option<Shown>,
}

impl EventPanel {
    /// Loads an event with its record, proof and provenance.
    pub(crate) fn load(
        app: &App,
        principal: &Principal,
        uid: EventUid,
        people: &People,
    ) -> Result<Self, ReadingError> {
        let file = app.event_file(principal, uid)?;
        let provenance = app.provenance(principal, &file)?;
        let shown = app.masked(&file.record);
        Ok(Self::new((&file, &shown), &provenance, people))
    }

    fn new((file, shown): (&EventFile, &[u8]), provenance: &Provenance, people: &People) -> Self {
        let event = &file.event;
        Self {
            uid: event.event_uid.to_string(),
            sequence: grouped(event.log_seq),
            operation: Shown::new(&event.mapped.operation),
            time: Moment::new(event.time_effective),
            facts: facts(event, people),
            missing: event
                .mapped
                .missing_facts(event.source_uid.as_ref())
                .collect(),
            proof: file.proof.as_ref().map(|proof| ProofPanel {
                batch: grouped(proof.batch),
                index: grouped(proof.index_in_batch),
                leaf: abbreviated(&proof.leaf_hash),
                steps: proof.inner_path.len(),
            }),
            raw: raw(shown),
            origins: provenance.fields.iter().map(OriginRow::new).collect(),
            unread: provenance.problem.as_deref().map(Shown::new),
        }
    }
}

/// The record for reading: JSON is indented, anything else is as it came.
fn raw(record: &[u8]) -> Shown {
    let parsed: Result<serde_json::Value, _> = serde_json::from_slice(record);
    match parsed.and_then(|value| serde_json::to_string_pretty(&value)) {
        Ok(pretty) => Shown::long(&pretty),
        Err(_) => Shown::long(&String::from_utf8_lossy(record)),
    }
}

fn facts(event: &Event, people: &People) -> Vec<Fact> {
    let mapped = &event.mapped;
    let mut facts = Vec::new();
    facts.extend(Chip::actor(event, people).map(|chip| Fact::chip("Actor", chip)));
    let behind = event.on_behalf_of_uid.and_then(|uid| people.get(&uid));
    facts.extend(behind.map(|identity| Fact::chip("On behalf of", Chip::of(identity))));
    facts.push(Fact::new("Action", &mapped.action.name().replace('_', " ")));
    facts.extend(Chip::target(event, people).map(|chip| Fact::chip("Target", chip)));
    let detail = mapped.outcome_detail.as_deref();
    let detail = detail
        .map(|detail| format!(": {detail}"))
        .unwrap_or_default();
    facts.push(Fact::new(
        "Outcome",
        &format!("{}{detail}", mapped.outcome.name()),
    ));
    let optional: [(&'static str, Option<&str>); 7] = [
        ("Permission", mapped.permission.as_deref()),
        ("Credential", mapped.credential_ref.as_deref()),
        ("Workload", mapped.workload.as_deref()),
        ("Command", mapped.command.as_deref()),
        ("Change ticket", mapped.change_ticket.as_deref()),
        ("User agent", mapped.user_agent.as_deref()),
        ("Account", mapped.account.as_deref()),
    ];
    for (name, value) in optional {
        facts.extend(value.map(|value| Fact::new(name, value)));
    }
    if let Some(decision) = &mapped.policy_decision {
        let verdict = if decision.allowed {
            "allowed"
        } else {
            "refused"
        };
        let by = decision.policy_id.as_deref().unwrap_or("policy");
        facts.push(Fact::new("Policy", &format!("{verdict} by {by}")));
    }
    facts.extend(origin(event));
    facts.push(Fact::new("Source", event.source.as_str()));
    facts.push(Fact::new(
        "Evidence",
        &format!("grade {}", event.evidence_grade.name()),
    ));
    facts
}

/// Where it came from on the network.
fn origin(event: &Event) -> Option<Fact> {
    let mapped = &event.mapped;
    let ip = mapped.src_ip.as_deref()?;
    let asn = mapped
        .src_asn
        .map(|asn| format!(", AS{asn}"))
        .unwrap_or_default();
    let country = mapped.src_country.as_deref();
    let country = country
        .map(|country| format!(", {country}"))
        .unwrap_or_default();
    Some(Fact::new("From", &format!("{ip}{asn}{country}")))
}
