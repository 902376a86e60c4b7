//! What an evidence bundle is made of: which events, in which order, under which title.

use std::collections::BTreeMap;
use std::ops::Range;

use deedtrail_core::custody::{Act, Subject, SubjectKind};
use deedtrail_core::event::Event;
use deedtrail_core::finding::Finding;
use deedtrail_core::port::archive::EventFilter;
use deedtrail_core::port::log::{PartClass, ReadError, Secrets, Sequence};
use deedtrail_core::port::store::Scope;
use deedtrail_core::time::Timestamp;

use crate::App;
use crate::access::{Principal, acting_as};
use crate::completeness::Completeness;
use crate::custody::{Deed, Whose};
use crate::retention;
use crate::timeline::{IdentityFile, ReadingError, alias_uids};

/// Most events one bundle holds; a narrower time range is asked for beyond it.
pub const BUNDLE_EVENTS_MAX: usize = 20_000;

/// Events chosen for a bundle, oldest first.
#[derive(Clone, Debug)]
pub struct Selection {
    /// What the bundle is about, one line.
    pub title: String,
    /// Whose events they are; `None` for a finding's.
    pub identity: Option<IdentityFile>,
    pub events: Vec<Event>,
    /// Audit entries of the log about the finding or identity: views, exports, decisions, reveals.
    /// This export is one of them.
    pub custody: Vec<Sequence>,
    /// What is known to be missing from the sources of the events.
    pub completeness: Completeness,
    /// What tokens are called, by what audit entries call them.
    pub names: BTreeMap<String, String>,
}

impl App {
    /// Takes down that somebody copies everything, keys and secrets too, before it is copied.
    pub fn note_backup(&self, principal: &Principal, folder: &str) -> Result<(), ReadingError> {
        principal.require(Scope::Admin)?;
        self.audit_other(principal, ("backup made", folder), &[])?;
        Ok(())
    }

    /// Events of a finding (by id) or of an identity (by any of its names) in a time range. Only
    /// an administrator may include secrets; else they are taken out of the events as well.
    pub fn select_evidence(
        &self,
        principal: &Principal,
        subject: &str,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        secrets: Secrets,
    ) -> Result<Selection, ReadingError> {
        let (scope, what) = match secrets {
            Secrets::Withheld => (Scope::Read, "evidence exported"),
            Secrets::Included => (Scope::Admin, "evidence exported with secrets"),
        };
        principal.require(scope)?;
        let finding = self.finding_called(principal, subject)?;
        let identity = match &finding {
            Some(_) => None,
            None => Some(self.find_identity(principal, subject)?),
        };
        let (whose, about, (title, filter)) = match (&finding, &identity) {
            (Some(finding), _) => {
                let about = Subject::new(SubjectKind::Finding, finding.id);
                (Whose::Finding(finding), about, finding_events(finding))
            }
            (None, Some(file)) => {
                let about = Subject::new(SubjectKind::Identity, file.identity.id);
                (Whose::Identity(file), about, identity_events(file))
            }
            (None, None) => return Err(ReadingError::Unnamed),
        };
        let mut events = self.all_events(&EventFilter {
            tenant: principal.tenant.clone(),
            from,
            to,
            ..filter
        })?;
        if events.is_empty() {
            // Nothing is taken out: nothing is taken down.
            let left = retention::last(&self.ports)?.map(|left| left.at);
            return Err(ReadingError::NoEvents { title, left });
        }
        events.sort_by_key(|event| (event.time_effective, event.log_seq, event.ordinal));
        if secrets == Secrets::Withheld {
            events = self.cleared(events)?;
        }
        let sources = events.iter().map(|event| event.source.clone()).collect();
        let mut completeness = self.completeness(principal, &sources)?;
        if let Some(file) = &identity {
            let whose = file.identity.id;
            completeness.held_back = self.held_back_within(principal, whose, &span(from, to))?;
        }
        let found = self.custody_of(principal, whose, &events)?;
        completeness.custody_left_out = found.left_out;
        let mut custody = found.entries;
        let deed = Deed {
            act: Act::Export,
            what,
            on: &title,
            about: &[about],
        };
        custody.push(self.audit(principal, &deed)?);
        Ok(Selection {
            title,
            identity,
            events,
            custody,
            completeness,
            names: self.names_of_tokens(principal)?,
        })
    }

    /// What the tokens of a tenant are called, by the name under which they act.
    fn names_of_tokens(
        &self,
        principal: &Principal,
    ) -> Result<BTreeMap<String, String>, ReadingError> {
        let tokens = self.ports.store.tokens()?.into_iter();
        let own = tokens.filter(|token| token.tenant == principal.tenant);
        Ok(own
            .map(|token| (acting_as(&token).to_string(), token.name.to_string()))
            .collect())
    }

    /// The finding with this id or the only one whose id begins so; `None` where there is none, or an
    /// identity is called like that.
    fn finding_called(
        &self,
        principal: &Principal,
        subject: &str,
    ) -> Result<Option<Finding>, ReadingError> {
        let store = &self.ports.store;
        if !store.find_alias(subject)?.is_empty() {
            return Ok(None);
        }
        match self.finding_named(principal, subject) {
            Ok(id) => {
                let finding = store.finding(id)?;
                Ok(finding.filter(|finding| finding.draft.tenant == principal.tenant))
            }
            Err(ReadingError::NotAnId { .. } | ReadingError::NoIdBegins { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Events, sorted by their records, without what their records keep apart.
    fn cleared(&self, events: Vec<Event>) -> Result<Vec<Event>, ReadingError> {
        let classes = [PartClass::Secret, PartClass::ToolArguments];
        let mut cleared = Vec::with_capacity(events.len());
        let mut newest = None;
        for event in events {
            let sequence = event.log_seq;
            if newest.as_ref().is_none_or(|(at, _)| *at != sequence) {
                let stored = self.ports.log.read(sequence, 1)?;
                let stored = stored.first().ok_or(ReadError::Missing(sequence))?;
                newest = Some((sequence, stored.bytes().into_owned()));
            }
            let record = newest.as_ref().map_or(&[][..], |(_, record)| record);
            cleared.push(self.without_sensitive(event, record, &classes));
        }
        Ok(cleared)
    }

    /// Every event the filter lets through, which has uids or aliases; an error when there are
    /// more than a bundle holds.
    fn all_events(&self, filter: &EventFilter) -> Result<Vec<Event>, ReadingError> {
        if filter.uids.is_empty() && filter.aliases.is_empty() {
            return Ok(Vec::new());
        }
        let limit = BUNDLE_EVENTS_MAX;
        let events = self.ports.archive.events(filter, None, limit + 1)?;
        match events.get(limit) {
            Some(older) => Err(ReadingError::TooMany {
                limit,
                from: older.time_effective.plus_micros(1),
            }),
            None => Ok(events),
        }
    }
}

/// A range of which an end may be open.
fn span(from: Option<Timestamp>, to: Option<Timestamp>) -> Range<Timestamp> {
    let first = Timestamp::from_micros(i64::MIN);
    let last = Timestamp::from_micros(i64::MAX);
    from.unwrap_or(first)..to.unwrap_or(last)
}

fn finding_events(finding: &Finding) -> (String, EventFilter) {
    let events = finding.draft.events.iter();
    let title = format!("Finding {}: {}", finding.id, finding.draft.title);
    let filter = EventFilter {
        uids: events.map(|event| event.event_uid).collect(),
        ..EventFilter::default()
    };
    (title, filter)
}

fn identity_events(file: &IdentityFile) -> (String, EventFilter) {
    let identity = &file.identity;
    let title = format!("Identity {} ({})", identity.name, identity.id);
    let filter = EventFilter {
        aliases: alias_uids(file),
        ..EventFilter::default()
    };
    (title, filter)
}
