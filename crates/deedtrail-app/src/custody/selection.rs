//! Which audit entries belong to a bundle.

use std::collections::BTreeSet;

use deedtrail_core::custody::{Act, CustodyQuery, Subject, SubjectKind};
use deedtrail_core::event::Event;
use deedtrail_core::finding::Finding;
use deedtrail_core::id::IdentityId;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{FindingFilter, SessionFilter, StoreError};

use super::view::of_anybody;
use crate::App;
use crate::access::Principal;
use crate::timeline::IdentityFile;

/// Most audit entries about its subject that a bundle holds besides views: the newest.
pub const CUSTODY_MAX: usize = 1_000;
/// Most views of its subject that a bundle holds: the newest.
pub const VIEWS_MAX: usize = 500;
/// Most entries that count views of anything that a bundle holds: the newest.
const COUNTS_MAX: usize = 100;
/// Most findings, and most sessions, of an identity whose audit entries are looked for: the newest.
const OF_IDENTITY_MAX: usize = 2_000;

/// What a bundle is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose<'a> {
    Finding(&'a Finding),
    Identity(&'a IdentityFile),
}

/// The audit entries of a bundle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Custody {
    pub(crate) entries: Vec<Sequence>,
    /// What is in the log and not among them, in words.
    pub(crate) left_out: Vec<String>,
}

/// What entries are looked for.
#[derive(Default)]
struct Wanted {
    /// Whatever was done to these.
    subjects: Vec<Subject>,
    /// Of these only where they were taken out or revealed.
    handed_out: Vec<Subject>,
    left_out: Vec<String>,
}

impl App {
    /// The newest audit entries about a finding or an identity, of which `events` are in the bundle.
    pub(crate) fn custody_of(
        &self,
        principal: &Principal,
        whose: Whose<'_>,
        events: &[Event],
    ) -> Result<Custody, StoreError> {
        let wanted = match whose {
            Whose::Finding(finding) => self.about_finding(finding)?,
            Whose::Identity(file) => self.about_identity(principal, file, events)?,
        };
        let mut left_out = wanted.left_out;
        let newest = |subjects: &[Subject], acts: &[Act], limit: usize| {
            self.ports.store.custody(&CustodyQuery {
                tenant: &principal.tenant,
                subjects,
                acts,
                limit: limit + 1,
            })
        };
        let deeds = newest(&wanted.subjects, &Act::DEEDS, CUSTODY_MAX)?;
        let handed_out = newest(&wanted.handed_out, &[Act::Export, Act::Reveal], CUSTODY_MAX)?;
        let deeds: BTreeSet<Sequence> = deeds.into_iter().chain(handed_out).collect();
        let views = newest(&wanted.subjects, &[Act::View], VIEWS_MAX)?;
        let counts = newest(&[of_anybody()], &[Act::View], COUNTS_MAX)?;
        if deeds.len() > CUSTODY_MAX {
            left_out.push(format!(
                "exports, decisions and reveals before the newest {CUSTODY_MAX}"
            ));
        }
        if views.len() > VIEWS_MAX {
            left_out.push(format!("views before the newest {VIEWS_MAX}"));
        }
        if !counts.is_empty() {
            left_out.push(
                "views that were counted only: how many, and whose, the entries `views counted only` say"
                    .to_owned(),
            );
        }
        let untold = self.views.untold(&principal.tenant);
        if untold > 0 {
            left_out.push(format!(
                "{untold} views of anything that are counted only, which no entry tells yet"
            ));
        }
        let entries = deeds.into_iter().rev().take(CUSTODY_MAX);
        let entries = entries.chain(views.into_iter().take(VIEWS_MAX));
        let entries = entries.chain(counts.into_iter().take(COUNTS_MAX)).collect();
        Ok(Custody { entries, left_out })
    }

    fn about_finding(&self, finding: &Finding) -> Result<Wanted, StoreError> {
        let events = finding.draft.events.iter();
        let events = events.map(|event| Subject::new(SubjectKind::Event, event.event_uid));
        let mut subjects = vec![Subject::new(SubjectKind::Finding, finding.id)];
        subjects.extend(events);
        Ok(Wanted {
            subjects,
            handed_out: self.identity_subjects(finding.draft.identity)?,
            left_out: Vec::new(),
        })
    }

    fn about_identity(
        &self,
        principal: &Principal,
        file: &IdentityFile,
        events: &[Event],
    ) -> Result<Wanted, StoreError> {
        let (store, id) = (&self.ports.store, file.identity.id);
        let mut wanted = Wanted {
            subjects: self.identity_subjects(id)?,
            ..Wanted::default()
        };
        let filter = FindingFilter {
            tenant: principal.tenant.clone(),
            identity: Some(id),
            ..FindingFilter::default()
        };
        let mut findings = store.findings(&filter, OF_IDENTITY_MAX + 1)?;
        let filter = SessionFilter {
            tenant: principal.tenant.clone(),
            identity: Some(id),
            ..SessionFilter::default()
        };
        let mut sessions = store.sessions(&filter, OF_IDENTITY_MAX + 1)?;
        for (what, found) in [("findings", findings.len()), ("sessions", sessions.len())] {
            if found > OF_IDENTITY_MAX {
                wanted.left_out.push(format!(
                    "what was done with its {what} but for the newest {OF_IDENTITY_MAX}"
                ));
            }
        }
        findings.truncate(OF_IDENTITY_MAX);
        sessions.truncate(OF_IDENTITY_MAX);
        let findings = findings.iter().map(|finding| finding.id);
        let findings = findings.map(|id| Subject::new(SubjectKind::Finding, id));
        let sessions: BTreeSet<_> = sessions.iter().map(|session| session.uid).collect();
        let sessions = sessions
            .into_iter()
            .map(|uid| Subject::new(SubjectKind::Session, uid));
        let events = events.iter().map(|event| event.event_uid);
        let events = events.map(|uid| Subject::new(SubjectKind::Event, uid));
        wanted
            .subjects
            .extend(findings.chain(sessions).chain(events));
        Ok(wanted)
    }

    /// An identity under every id it had: also those merged into it.
    fn identity_subjects(&self, id: IdentityId) -> Result<Vec<Subject>, StoreError> {
        let id = self.ports.store.identity(id)?.map_or(id, |known| known.id);
        let mut merges = self.ports.store.merges()?;
        merges.retain(|merge| merge.undone.is_none());
        let mut ids = BTreeSet::from([id]);
        loop {
            let before = ids.len();
            let into = merges.iter().filter(|merge| ids.contains(&merge.kept));
            let merged: Vec<IdentityId> = into.map(|merge| merge.merged).collect();
            ids.extend(merged);
            if ids.len() == before {
                break;
            }
        }
        let subjects = ids.into_iter();
        Ok(subjects
            .map(|id| Subject::new(SubjectKind::Identity, id))
            .collect())
    }
}
