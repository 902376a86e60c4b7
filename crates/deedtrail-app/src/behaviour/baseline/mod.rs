//! Baselines: what an identity usually does, approved by somebody, and what changed since.

mod compare;
mod entry;

use std::collections::BTreeSet;

use deedtrail_core::Text;
use deedtrail_core::behaviour::{Baseline, BaselineRecord};
use deedtrail_core::charter::Signed;
use deedtrail_core::id::AliasUid;
use deedtrail_core::limits::NOTE_CHARACTERS_MAX;
use deedtrail_core::port::archive::ArchiveError;
use deedtrail_core::port::log::{AppendError, Sequence};
use deedtrail_core::port::store::{Scope, StoreError};
use deedtrail_core::time::Timestamp;
use serde::Serialize;

use crate::App;
use crate::access::{Denied, Principal};
use crate::timeline::{IdentityFile, ReadingError};
use crate::unsettled::{self, Unsettled};
use compare::Sum;
pub use compare::{Change, compare};
pub(crate) use entry::approval;
pub use entry::{BASELINE, BASELINE_WITHDRAWAL, WithdrawalEntry};

/// Days a baseline is of, where nobody says otherwise.
const DAYS: i64 = 28;
/// How long an approval waits to be carried out, so that whoever looks next sees it.
const SETTLED_WITHIN: std::time::Duration = std::time::Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Reading(#[from] ReadingError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("{name} did nothing from {from} to {until}; name another time with --from and --to")]
    Nothing {
        name: Text,
        from: Timestamp,
        until: Timestamp,
    },
    #[error("{name} has no baseline {version}; `deedtrail baseline list` names those there are")]
    NoVersion { name: Text, version: u32 },
    #[error(
        "{} within that time say that not all {name} did was in order: {}{}. Close those that are \
         harmless, name another time with --from and --to, or approve all the same with \
         --accept-open-findings (`accept_open_findings`)",
        counted(.findings.len()),
        unsettled::sentence(.findings),
        unsettled::not_looked_at_in_words(*.not_looked_at)
            .map(|words| format!("; {words}"))
            .unwrap_or_default()
    )]
    OpenFindings {
        name: Text,
        findings: Vec<Unsettled>,
        /// Older findings that were not looked at.
        not_looked_at: u64,
    },
    #[error("say why it is withdrawn, in at most {NOTE_CHARACTERS_MAX} characters")]
    NoReason,
    #[error("baseline {version} of {name} was withdrawn already, by {by}")]
    Withdrawn { name: Text, version: u32, by: Text },
}

fn counted(findings: usize) -> String {
    match findings {
        1 => "1 finding".to_owned(),
        many => format!("{many} findings"),
    }
}

/// What becomes of an approval when findings rest on what would be approved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenFindings {
    /// Nothing is approved.
    #[default]
    Refuse,
    /// It is approved, and says which findings were known.
    Accept,
}

/// A baseline read from history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BaselineText {
    #[serde(flatten)]
    pub baseline: Baseline,
    /// There were more events; the newest are in it.
    pub cut: bool,
    /// Findings that speak against approving it, the gravest first.
    pub findings: Vec<Unsettled>,
    /// Older findings of the identity that were not looked at.
    pub findings_not_looked_at: u64,
}

/// What the page of an identity's baselines shows.
#[derive(Clone, Debug, PartialEq)]
pub struct BaselineOverview {
    /// Of the 28 days up to its last event; `None` when it did nothing in them.
    pub usual: Option<BaselineText>,
    /// Approved ones, the newest first.
    pub versions: Vec<BaselineRecord>,
    /// Since the newest was approved; `None` without one, or when nothing was done since.
    pub changes: Option<Vec<Change>>,
}

impl App {
    /// Approved baselines of an identity, the newest first; those withdrawn too.
    pub fn baselines(
        &self,
        principal: &Principal,
        file: &IdentityFile,
    ) -> Result<Vec<BaselineRecord>, BaselineError> {
        principal.require(Scope::Read)?;
        let store = &self.ports.store;
        Ok(store.baselines(&principal.tenant, file.identity.id)?)
    }

    /// One approved baseline.
    pub fn baseline(
        &self,
        principal: &Principal,
        file: &IdentityFile,
        version: u32,
    ) -> Result<BaselineRecord, BaselineError> {
        let mut all = self.baselines(principal, file)?.into_iter();
        all.find(|record| record.version == version)
            .ok_or_else(|| BaselineError::NoVersion {
                name: file.identity.name.clone(),
                version,
            })
    }

    /// What an identity did in a stretch of time; without one, in the 28 days up to its last event.
    pub fn learn_baseline(
        &self,
        principal: &Principal,
        file: &IdentityFile,
        window: (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<BaselineText, BaselineError> {
        principal.require(Scope::Read)?;
        let window = self.stretch(file, window);
        let [learned] = self.summed_up(principal, file, [window])?;
        learned.ok_or_else(|| BaselineError::Nothing {
            name: file.identity.name.clone(),
            from: window.0,
            until: window.1,
        })
    }

    /// What an identity did in the 28 days up to its last event, and what changed since its newest
    /// baseline was approved: both from one reading of its events.
    pub fn baseline_overview(
        &self,
        principal: &Principal,
        file: &IdentityFile,
    ) -> Result<BaselineOverview, BaselineError> {
        let versions = self.baselines(principal, file)?;
        let usual = self.stretch(file, (None, None));
        let standing = versions.iter().find(|record| record.withdrawn.is_none());
        let newest = standing.map(|record| &record.baseline);
        let since = newest.map_or(usual, |it| self.stretch(file, (Some(it.until), None)));
        let [usual, since] = self.summed_up(principal, file, [usual, since])?;
        let changes = newest.zip(since);
        Ok(BaselineOverview {
            usual,
            changes: changes.map(|(newest, since)| compare(newest, &since.baseline)),
            versions,
        })
    }

    /// The stretch of time that is meant, where it is not said: the 28 days up to the last event.
    fn stretch(
        &self,
        file: &IdentityFile,
        (from, until): (Option<Timestamp>, Option<Timestamp>),
    ) -> (Timestamp, Timestamp) {
        let last = file.identity.last_seen;
        let last = last.unwrap_or_else(|| self.ports.clock.now());
        let until = until.unwrap_or(last.plus_micros(1));
        let from = from.unwrap_or_else(|| until.plus_micros(-DAYS * Timestamp::DAY_US));
        (from, until)
    }

    /// What an identity did in each of these stretches of time, read once and a page at a time;
    /// `None` where it did nothing.
    fn summed_up<const N: usize>(
        &self,
        principal: &Principal,
        file: &IdentityFile,
        windows: [(Timestamp, Timestamp); N],
    ) -> Result<[Option<BaselineText>; N], BaselineError> {
        let actors: BTreeSet<AliasUid> = file.aliases.iter().map(|alias| alias.uid).collect();
        let from = windows.iter().map(|(from, _)| *from).min();
        let until = windows.iter().map(|(_, until)| *until).max();
        let mut sums = windows.map(|(from, until)| Sum::new(from, until));
        let cut = self.each_deed(principal, &actors, (from, until), &mut |event| {
            for sum in &mut sums {
                sum.take(&event);
            }
        })?;
        let mut told = [const { None }; N];
        for (told, sum) in told.iter_mut().zip(sums) {
            let cut = cut.is_some_and(|newest| newest >= sum.baseline.from);
            let baseline = sum.finish();
            if baseline.events > 0 {
                let window = (Some(baseline.from), Some(baseline.until));
                let known = self.unsettled((&principal.tenant, file.identity.id), window)?;
                *told = Some(BaselineText {
                    cut,
                    findings: known.findings,
                    findings_not_looked_at: known.not_looked_at,
                    baseline,
                });
            }
        }
        Ok(told)
    }

    /// Approves what an identity did in a stretch of time as its next baseline. `None` while
    /// processing is behind: it is in the log and comes with its number when that has caught up.
    pub fn approve_baseline(
        &self,
        principal: &Principal,
        file: &IdentityFile,
        window: (Option<Timestamp>, Option<Timestamp>),
        findings: OpenFindings,
    ) -> Result<Option<BaselineRecord>, BaselineError> {
        principal.require(Scope::Write)?;
        let reading = principal.reading();
        let learned = self.learn_baseline(&reading, file, window)?;
        let is_clear = learned.findings.is_empty() && learned.findings_not_looked_at == 0;
        if findings == OpenFindings::Refuse && !is_clear {
            return Err(BaselineError::OpenFindings {
                name: file.identity.name.clone(),
                findings: learned.findings,
                not_looked_at: learned.findings_not_looked_at,
            });
        }
        let approval = BaselineRecord {
            tenant: principal.tenant.clone(),
            identity: file.identity.id,
            version: 0,
            owner: file.identity.declared.owner.clone(),
            approved: Signed {
                by: principal.name.clone(),
                at: self.ports.clock.now(),
            },
            baseline: learned.baseline,
            accepted_findings: learned.findings.iter().map(|it| it.id).collect(),
            withdrawn: None,
        };
        let end = self.append_parts(principal, BASELINE, entry::parts(&approval))?;
        self.settle_baselines(end);
        let mut stored = self.baselines(&reading, file)?.into_iter();
        Ok(stored.find(|it| it.approved == approval.approved))
    }

    /// Withdraws an approved baseline: nothing is compared with it any more, and the one before it
    /// is the newest again. It stays in the list with who withdrew it, when and why. `None` while
    /// processing is behind.
    pub fn withdraw_baseline(
        &self,
        principal: &Principal,
        file: &IdentityFile,
        version: u32,
        reason: &str,
    ) -> Result<Option<BaselineRecord>, BaselineError> {
        principal.require(Scope::Write)?;
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > NOTE_CHARACTERS_MAX {
            return Err(BaselineError::NoReason);
        }
        let reading = principal.reading();
        let record = self.baseline(&reading, file, version)?;
        if let Some(withdrawn) = record.withdrawn {
            return Err(BaselineError::Withdrawn {
                name: file.identity.name.clone(),
                version,
                by: withdrawn.signed.by,
            });
        }
        let content = serde_json::json!(WithdrawalEntry {
            tenant: principal.tenant.clone(),
            identity: record.identity,
            version,
            by: principal.name.clone(),
            reason: reason.into(),
        });
        let content = content.to_string().into_bytes();
        let end = self.append_plain(principal, BASELINE_WITHDRAWAL, content)?;
        self.settle_baselines(end);
        let record = self.baseline(&reading, file, version)?;
        Ok(record.withdrawn.is_some().then_some(record))
    }

    fn settle_baselines(&self, end: Sequence) {
        self.processing.wait_at_most(end, SETTLED_WITHIN);
    }

    /// What changed from one version to another, or to what the identity did since it was approved.
    pub fn baseline_diff(
        &self,
        principal: &Principal,
        file: &IdentityFile,
        (old, new): (u32, Option<u32>),
    ) -> Result<Vec<Change>, BaselineError> {
        let old = self.baseline(principal, file, old)?.baseline;
        let new = if let Some(version) = new {
            self.baseline(principal, file, version)?.baseline
        } else {
            let since = (Some(old.until), None);
            self.learn_baseline(principal, file, since)?.baseline
        };
        Ok(compare(&old, &new))
    }
}
