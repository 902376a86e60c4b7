//! Findings: lists, one with what it rests on, and an analyst's decision.

use deedtrail_core::Text;
use deedtrail_core::custody::{Act, Subject, SubjectKind};
use deedtrail_core::event::Event;
use deedtrail_core::finding::registry;
use deedtrail_core::finding::{
    Briefing, Decision, FINDING_EVENTS_MAX, Finding, FindingStatus, FindingType,
};
use deedtrail_core::id::{EventUid, FindingId};
use deedtrail_core::limits::NOTE_CHARACTERS_MAX;
use deedtrail_core::port::archive::EventFilter;
use deedtrail_core::port::store::{FindingFilter, Scope, StoreError};
use deedtrail_detect::behaviour::Disposition;

use crate::App;
use crate::access::Principal;
use crate::configuration::{FEEDBACK, Feedback};
use crate::custody::Deed;
use crate::timeline::{IdentityFile, ReadingError};

/// What an analyst may conclude.
pub const DISPOSITIONS: [&str; 6] = [
    "benign",
    "coerced",
    "intrusion",
    "misuse",
    "drift",
    "control_gap",
];

/// Findings about a session that departed from what was learned.
pub(crate) const LEARNED: [&str; 2] = ["behaviour_departure", "group_change"];

/// What an analyst concludes about a finding.
#[derive(Clone, Copy, Debug)]
pub struct Conclusion<'a> {
    pub status: FindingStatus,
    /// One of [`DISPOSITIONS`]; needed to close a finding.
    pub disposition: Option<&'a str>,
    /// In the analyst's own words, at most [`NOTE_CHARACTERS_MAX`] characters.
    pub note: Option<&'a str>,
}

/// A finding with everything needed to judge it.
#[derive(Clone, Debug)]
pub struct FindingFile {
    pub finding: Finding,
    /// `None` when the registry no longer knows the type.
    pub kind: Option<&'static FindingType>,
    /// `None` when nothing is known about the identity any more.
    pub identity: Option<IdentityFile>,
    /// The events it rests on that the archive holds, oldest first.
    pub events: Vec<Event>,
}

impl App {
    /// Newest activity first.
    pub fn findings(
        &self,
        principal: &Principal,
        filter: &FindingFilter,
        limit: usize,
    ) -> Result<Vec<Finding>, ReadingError> {
        principal.require(Scope::Read)?;
        let filter = FindingFilter {
            tenant: principal.tenant.clone(),
            ..filter.clone()
        };
        Ok(self.ports.store.findings(&filter, limit)?)
    }

    /// How many there are.
    pub fn finding_count(
        &self,
        principal: &Principal,
        filter: &FindingFilter,
    ) -> Result<u64, ReadingError> {
        principal.require(Scope::Read)?;
        let filter = FindingFilter {
            tenant: principal.tenant.clone(),
            ..filter.clone()
        };
        Ok(self.ports.store.finding_counts(&filter)?.iter().sum())
    }

    /// A finding with what its type says. One that an unsafe sequence raised means what that says of
    /// itself, and an operator's own answers to the controls that it names.
    pub fn briefing(&self, finding: Finding) -> Briefing {
        let mut briefing = Briefing::from(finding);
        let Some(id) = raising_sequence(&briefing.finding.draft.rule) else {
            return briefing;
        };
        let sequences = self.sequences();
        let Some(form) = sequences.form(id) else {
            return briefing;
        };
        briefing.meaning = Some(Text::from(form.meaning.trim()));
        let references = form.references.iter();
        if sequences.is_own(id) && !form.references.is_empty() {
            briefing.mapped_ref = references.map(Text::from).collect();
        }
        briefing
    }

    /// One finding with its identity and events; it is taken down who opened it.
    pub fn finding_file(
        &self,
        principal: &Principal,
        id: FindingId,
    ) -> Result<FindingFile, ReadingError> {
        principal.require(Scope::Read)?;
        let finding = self.finding_of(principal, id)?;
        self.viewed(principal, Subject::new(SubjectKind::Finding, id));
        let identity = match self.ports.store.identity(finding.draft.identity)? {
            Some(identity) => Some(self.identity_file(identity)?),
            None => None,
        };
        let uids = finding.draft.events.iter().map(|event| event.event_uid);
        let events = self.events_by_uid(principal, uids.collect())?;
        Ok(FindingFile {
            kind: registry::find(&finding.draft.kind),
            identity,
            events,
            finding,
        })
    }

    /// Records what an analyst decided; the decision itself is an entry of the evidence log, and
    /// without the entry there is no decision. What is closed says what it was.
    pub fn decide_finding(
        &self,
        principal: &Principal,
        id: FindingId,
        conclusion: Conclusion<'_>,
    ) -> Result<Finding, ReadingError> {
        principal.require(Scope::Write)?;
        let (status, disposition) = (conclusion.status, conclusion.disposition);
        if let Some(unknown) = disposition.filter(|name| !DISPOSITIONS.contains(name)) {
            return Err(ReadingError::UnknownDisposition(unknown.to_owned()));
        }
        if status == FindingStatus::Closed && disposition.is_none() {
            return Err(ReadingError::NoDisposition);
        }
        let note = noted(conclusion.note)?;
        let finding = self.finding_of(principal, id)?;
        let mut entry = format!(
            "{id} {status:?}, {}",
            disposition.unwrap_or("no disposition")
        );
        if let Some(note) = &note {
            entry.extend([": ", note]);
        }
        let deed = Deed {
            act: Act::Decision,
            what: "finding decided",
            on: &entry,
            about: &[Subject::new(SubjectKind::Finding, id)],
        };
        self.audit(principal, &deed)?;
        self.teach(principal, &finding, disposition)?;
        let decision = Decision {
            status,
            disposition: disposition.map(Text::from),
            note: note.map(Text::from),
            analyst: principal.name.clone(),
            at: self.ports.clock.now(),
        };
        self.ports.store.decide_finding(id, decision)?;
        self.finding_of(principal, id)
    }

    /// The finding of that id, if it is one of the principal's tenant.
    fn finding_of(&self, principal: &Principal, id: FindingId) -> Result<Finding, ReadingError> {
        let finding = self.ports.store.finding(id)?;
        let own = finding.filter(|finding| finding.draft.tenant == principal.tenant);
        own.ok_or(ReadingError::NoFinding(id))
    }

    /// What is said of a session that departed from learned behaviour changes what is learned. It is
    /// an entry of the log, since detection depends on it.
    fn teach(
        &self,
        principal: &Principal,
        finding: &Finding,
        disposition: Option<&str>,
    ) -> Result<(), ReadingError> {
        let Some(session) = finding.draft.session else {
            return Ok(());
        };
        if !LEARNED.contains(&finding.draft.kind.as_str())
            && !self.is_departure(principal, finding)?
        {
            return Ok(());
        }
        let disposition = match disposition {
            Some("benign") => Some(Disposition::Benign),
            Some("drift") => Some(Disposition::Drift),
            Some("misuse" | "intrusion" | "coerced") => Some(Disposition::Misuse),
            _ => None,
        };
        let feedback = Feedback {
            session,
            disposition,
        };
        let content = serde_json::json!(feedback).to_string();
        self.append_plain(principal, FEEDBACK, content.into_bytes())?;
        Ok(())
    }

    /// Whether a finding of another kind tells of a departure from learned behaviour.
    pub(crate) fn is_departure(
        &self,
        principal: &Principal,
        finding: &Finding,
    ) -> Result<bool, StoreError> {
        let Some(session) = finding.draft.session else {
            return Ok(false);
        };
        let session = self.ports.store.session(&principal.tenant, session)?;
        let departures = session.into_iter().flat_map(|session| session.departures);
        let mut told = departures.filter_map(|departure| departure.finding);
        Ok(told.any(|id| id == finding.id))
    }

    pub(crate) fn events_by_uid(
        &self,
        principal: &Principal,
        uids: Vec<EventUid>,
    ) -> Result<Vec<Event>, ReadingError> {
        if uids.is_empty() {
            return Ok(Vec::new());
        }
        let filter = EventFilter {
            tenant: principal.tenant.clone(),
            uids,
            ..EventFilter::default()
        };
        let mut events = self
            .ports
            .archive
            .events(&filter, None, FINDING_EVENTS_MAX)?;
        events.reverse();
        Ok(events)
    }
}

/// The id of the unsafe sequence that a finding's rule names.
pub(crate) fn raising_sequence(rule: &str) -> Option<&str> {
    rule.strip_prefix("sequence/")
}

/// A note without the space around it and with the line breaks of a file; `None` when nothing is
/// left.
fn noted(note: Option<&str>) -> Result<Option<String>, ReadingError> {
    let note = note.unwrap_or_default().trim().replace("\r\n", "\n");
    if note.chars().count() > NOTE_CHARACTERS_MAX {
        return Err(ReadingError::LongNote);
    }
    Ok(Some(note).filter(|note| !note.is_empty()))
}
