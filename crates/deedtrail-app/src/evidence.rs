//! What an evidence bundle is made of: which events, in which order, under which title.

use deedtrail_core::event::Event;
use deedtrail_core::id::FindingId;
use deedtrail_core::port::archive::EventFilter;
use deedtrail_core::port::store::Scope;
use deedtrail_core::time::Timestamp;

use crate::App;
use crate::access::Principal;
use crate::timeline::{ReadingError, alias_uids};

/// Most events one bundle holds; a narrower time range is asked for beyond it.
pub const BUNDLE_EVENTS_MAX: usize = 20_000;

/// Events chosen for a bundle, oldest first.
#[derive(Clone, Debug)]
pub struct Selection {
    /// What the bundle is about, one line.
    pub title: String,
    pub events: Vec<Event>,
}

impl App {
    /// Events of a finding (by id) or of an identity (by any of its names) in a time range.
    pub fn select_evidence(
        &self,
        principal: &Principal,
        subject: &str,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<Selection, ReadingError> {
        principal.require(Scope::Read)?;
        let (title, filter) = match subject.parse::<FindingId>() {
            Ok(id) if self.ports.store.finding(id)?.is_some() => self.finding_events(id)?,
            _ => self.identity_events(principal, subject)?,
        };
        let mut events = self.all_events(&EventFilter {
            tenant: principal.tenant.clone(),
            from,
            to,
            ..filter
        })?;
        events.sort_by_key(|event| (event.time_effective, event.log_seq, event.ordinal));
        self.audit(principal, "evidence exported", &title)?;
        Ok(Selection { title, events })
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

    fn finding_events(&self, id: FindingId) -> Result<(String, EventFilter), ReadingError> {
        let finding = self.ports.store.finding(id)?;
        let finding = finding.ok_or_else(|| ReadingError::Nobody(id.to_string()))?;
        let uids = finding
            .draft
            .events
            .iter()
            .map(|event| event.event_uid)
            .collect();
        let title = format!("Finding {id}: {}", finding.draft.title);
        Ok((
            title,
            EventFilter {
                uids,
                ..EventFilter::default()
            },
        ))
    }

    fn identity_events(
        &self,
        principal: &Principal,
        subject: &str,
    ) -> Result<(String, EventFilter), ReadingError> {
        let file = self.find_identity(principal, subject)?;
        let title = format!("Identity {} ({})", file.identity.name, file.identity.id);
        Ok((
            title,
            EventFilter {
                aliases: alias_uids(&file),
                ..EventFilter::default()
            },
        ))
    }
}
