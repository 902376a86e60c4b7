//! Charters: proposing, approving and retiring them, learning one from history, running one over
//! history. Every change is an entry of the log and takes effect where it stands there.

mod book;
mod history;
mod near;
mod tools;

use std::time::Duration;

pub use deedtrail_charter::check::RuleReport;
use deedtrail_charter::learn::About;
pub use deedtrail_charter::{
    Compiled, Difference, Direction, Problem, Proposal, Report, check, diff, learn::learn, parse,
};
use deedtrail_core::Text;
use deedtrail_core::charter::{CharterRecord, CharterStatus};
use deedtrail_core::namespace::namespace_facts;
use deedtrail_core::port::archive::ArchiveError;
use deedtrail_core::port::log::AppendError;
use deedtrail_core::port::store::{Scope, StoreError};
use deedtrail_core::time::Timestamp;

use crate::App;
use crate::access::{Denied, Principal};
use crate::timeline::{IdentityFile, ReadingError};
use crate::unsettled::{Unsettled, not_looked_at_in_words};
pub(crate) use book::Book;
pub use book::{CHARTER, CharterChange};
pub use history::HISTORY_EVENTS_MAX;
pub use near::Unknown;
pub use tools::ToolsInForce;

/// How long a change waits to be carried out, so that whoever looks next sees it.
const SETTLED_WITHIN: Duration = Duration::from_millis(500);
/// Aliases that a proposed charter names.
const ALIASES_MAX: usize = 16;

#[derive(Debug, thiserror::Error)]
pub enum CharterError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Reading(#[from] ReadingError),
    #[error(transparent)]
    Text(#[from] Problem),
    #[error("no charter is called `{0}`; `deedtrail charter list` names those there are")]
    Unknown(String),
    #[error("charter `{name}` has no version {version}; the newest is {newest}")]
    NoVersion {
        name: String,
        version: u32,
        newest: u32,
    },
    #[error("version {version} of charter `{name}` is {status}, not a draft; propose a new one")]
    NoDraft {
        name: String,
        version: u32,
        status: &'static str,
    },
    #[error("version {version} of charter `{name}` is {status} already")]
    Over {
        name: String,
        version: u32,
        status: &'static str,
    },
}

/// A charter that a history was compared with.
#[derive(Clone, Debug)]
pub struct Checked {
    pub report: Report,
    /// Identities it binds.
    pub identities: usize,
    /// First and last event looked at.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Older events were not looked at.
    pub cut: bool,
    /// When nobody who is known is bound: whom the charter names, and who is called nearly so.
    pub unknown: Vec<Unknown>,
}

/// What becomes of the events that open findings rest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OfFindings {
    /// They are not learned.
    #[default]
    LeaveOut,
    Include,
}

/// A charter learned from history.
#[derive(Clone, Debug)]
pub struct Learned {
    pub proposal: Proposal,
    /// Findings that are open, or closed as misuse and the like, and rest on what was looked at; the
    /// gravest first.
    pub findings: Vec<Unsettled>,
    /// Older findings of the identity that were not looked at.
    pub findings_not_looked_at: u64,
    /// Their events that were not learned.
    pub left_out: usize,
}

impl App {
    /// The newest version of each charter and the one in force, by name.
    pub fn charters(&self, principal: &Principal) -> Result<Vec<CharterRecord>, CharterError> {
        principal.require(Scope::Read)?;
        let all = self.ports.store.charters(&principal.tenant, None)?;
        let mut newest = std::collections::BTreeSet::new();
        let shown = all.into_iter().filter(|record| {
            newest.insert(record.name.clone()) || record.status == CharterStatus::InForce
        });
        Ok(shown.collect())
    }

    /// Every version of a charter, the newest first.
    pub fn charter(
        &self,
        principal: &Principal,
        name: &str,
    ) -> Result<Vec<CharterRecord>, CharterError> {
        principal.require(Scope::Read)?;
        let versions = self.ports.store.charters(&principal.tenant, Some(name))?;
        if versions.is_empty() {
            return Err(CharterError::Unknown(name.to_owned()));
        }
        Ok(versions)
    }

    /// One version of a charter; without a number the newest.
    pub fn charter_version(
        &self,
        principal: &Principal,
        name: &str,
        version: Option<u32>,
    ) -> Result<CharterRecord, CharterError> {
        let mut versions = self.charter(principal, name)?;
        let newest = versions.first().map_or(0, |record| record.version);
        let place = match version {
            Some(version) => versions.iter().position(|record| record.version == version),
            None => Some(0),
        };
        place
            .map(|place| versions.swap_remove(place))
            .ok_or_else(|| CharterError::NoVersion {
                name: name.to_owned(),
                version: version.unwrap_or_default(),
                newest,
            })
    }

    /// Proposes a version. It binds nobody before somebody approves it. The same text again is no
    /// new version. `None` while the pipeline is behind: the version comes when it has caught up.
    pub fn propose_charter(
        &self,
        principal: &Principal,
        file: &str,
        text: &str,
    ) -> Result<Option<CharterRecord>, CharterError> {
        principal.require(Scope::Write)?;
        let written = parse(file, text)?;
        let by = principal.name.clone();
        let text = written.text;
        self.change_charter(
            principal,
            &CharterChange::Proposed {
                text: text.clone(),
                by,
            },
        )?;
        let name = written.charter.charter;
        let versions = self.ports.store.charters(&principal.tenant, Some(&name))?;
        Ok(versions.into_iter().find(|record| record.text == text))
    }

    /// Puts a draft in force; without a number the newest version. Says whose charter it is:
    /// [`CharterRecord::approved_for_owner`] tells when the owner is somebody else.
    pub fn approve_charter(
        &self,
        principal: &Principal,
        name: &str,
        version: Option<u32>,
    ) -> Result<CharterRecord, CharterError> {
        principal.require(Scope::Write)?;
        let draft = self.charter_version(principal, name, version)?;
        if draft.status != CharterStatus::Draft {
            return Err(CharterError::NoDraft {
                name: name.to_owned(),
                version: draft.version,
                status: draft.status.name(),
            });
        }
        let change = CharterChange::Approved {
            name: draft.name.clone(),
            version: draft.version,
            by: principal.name.clone(),
        };
        self.change_charter(principal, &change)?;
        self.charter_version(principal, name, Some(draft.version))
    }

    /// Takes a version out of force or withdraws a draft; without a number the one in force, else
    /// the newest.
    pub fn retire_charter(
        &self,
        principal: &Principal,
        name: &str,
        version: Option<u32>,
    ) -> Result<CharterRecord, CharterError> {
        principal.require(Scope::Write)?;
        let in_force = self.charter(principal, name)?;
        let in_force = in_force
            .iter()
            .find(|record| record.status == CharterStatus::InForce);
        let version = version.or(in_force.map(|record| record.version));
        let record = self.charter_version(principal, name, version)?;
        if matches!(
            record.status,
            CharterStatus::Retired | CharterStatus::Replaced
        ) {
            return Err(CharterError::Over {
                name: name.to_owned(),
                version: record.version,
                status: record.status.name(),
            });
        }
        let change = CharterChange::Retired {
            name: record.name.clone(),
            version: record.version,
            by: principal.name.clone(),
        };
        self.change_charter(principal, &change)?;
        self.charter_version(principal, name, Some(record.version))
    }

    /// What two versions differ in.
    pub fn charter_diff(
        &self,
        principal: &Principal,
        name: &str,
        (from, to): (u32, u32),
    ) -> Result<Vec<Difference>, CharterError> {
        let old = self.charter_version(principal, name, Some(from))?;
        let new = self.charter_version(principal, name, Some(to))?;
        let (old, new) = (parse(name, &old.text)?, parse(name, &new.text)?);
        Ok(diff(&old.charter, &new.charter))
    }

    /// Proposes a charter from what an identity did, without keeping it.
    pub fn learn_charter(
        &self,
        principal: &Principal,
        who: &str,
        from: Option<Timestamp>,
        of_findings: OfFindings,
    ) -> Result<Learned, CharterError> {
        let file = self.find_identity(principal, who)?;
        let about = about(&file, principal);
        let aliases = file.aliases.iter().map(|alias| alias.uid);
        let actors = aliases.map(|uid| (uid, file.identity.clone())).collect();
        let mut history = self.history(principal, actors, (from, None))?;
        let since = from.or(history.span().map(|(first, _)| first));
        let known = self.unsettled((&principal.tenant, file.identity.id), (since, None))?;
        let findings = known.findings;
        let left_out = match of_findings {
            OfFindings::LeaveOut => history.leave_out(&findings),
            OfFindings::Include => 0,
        };
        let mut proposal = learn(about, history.subjects());
        if !findings.is_empty() {
            proposal.text = format!("{}{}", remark(&findings, left_out), proposal.text);
        }
        if let Some(words) = not_looked_at_in_words(known.not_looked_at) {
            proposal.text = format!("# {words}\n{}", proposal.text);
        }
        Ok(Learned {
            proposal,
            findings,
            findings_not_looked_at: known.not_looked_at,
            left_out,
        })
    }

    /// Runs a charter over what the identities did that it binds.
    pub fn check_charter(
        &self,
        principal: &Principal,
        file: &str,
        text: &str,
        from: Option<Timestamp>,
    ) -> Result<Checked, CharterError> {
        principal.require(Scope::Read)?;
        let written = parse(file, text)?;
        let Some(charter) = Compiled::of(&written, 0) else {
            return Ok(Checked {
                report: Report::default(),
                identities: 0,
                span: None,
                cut: false,
                unknown: Vec::new(),
            });
        };
        let actors = self.bound_by(principal, &charter)?;
        let unknown = if actors.is_empty() {
            self.nearly_called(principal, &written.charter.identities)?
        } else {
            Vec::new()
        };
        let ids: std::collections::BTreeSet<_> = actors.values().map(|actor| actor.id).collect();
        let history = self.history(principal, actors, (from, None))?;
        Ok(Checked {
            report: check(&charter, history.subjects()),
            identities: ids.len(),
            span: history.span(),
            cut: history.cut,
            unknown,
        })
    }

    fn change_charter(
        &self,
        principal: &Principal,
        change: &CharterChange,
    ) -> Result<(), CharterError> {
        let content = serde_json::json!(change).to_string().into_bytes();
        let end = self.append_plain(principal, CHARTER, content)?;
        self.processing.wait_at_most(end, SETTLED_WITHIN);
        Ok(())
    }
}

/// A comment on top of a proposal: which findings speak against what was looked at.
fn remark(findings: &[Unsettled], left_out: usize) -> String {
    /// Findings named.
    const NAMED_MAX: usize = 20;
    let what = match left_out {
        0 => "Findings rest on what this was proposed from; look at them before you approve it:"
            .to_owned(),
        1 => "1 event that findings rest on was left out:".to_owned(),
        many => format!("{many} events that findings rest on were left out:"),
    };
    let mut text = format!("# {what}\n");
    for finding in findings.iter().take(NAMED_MAX) {
        text.extend(["#   ", &finding.kind, " ", &finding.id.to_string(), "\n"]);
    }
    if findings.len() > NAMED_MAX {
        let more = findings.len() - NAMED_MAX;
        text.extend(["#   and ", &more.to_string(), " more\n"]);
    }
    text
}

/// Whom a charter is proposed for: by the aliases that mean nobody else.
fn about(file: &IdentityFile, principal: &Principal) -> About {
    let identity = &file.identity;
    let unique = file
        .aliases
        .iter()
        .filter(|alias| namespace_facts(&alias.namespace).is_unique());
    let aliases = unique.map(|alias| format!("{}:{}", alias.namespace, alias.value));
    let mut identities: Vec<String> = aliases.take(ALIASES_MAX).collect();
    if identities.is_empty() {
        identities.push(format!("identity:{}", identity.name));
    }
    let declared = &identity.declared;
    let or = |given: &Option<Text>, otherwise: String| match given {
        Some(given) if !given.trim().is_empty() => given.to_string(),
        _ => otherwise,
    };
    About {
        name: name_of(&identity.name),
        identities,
        purpose: or(
            &declared.purpose,
            format!("Say in a sentence what {} is for.", identity.name),
        ),
        owner: or(&declared.owner, principal.name.to_string()),
    }
}

/// A name as charters have it: lower-case letters, digits and `-`.
fn name_of(name: &str) -> String {
    let letters = name.chars().map(|c| match c.to_ascii_lowercase() {
        c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
        _ => '-',
    });
    let mut text = String::new();
    for letter in letters {
        if letter != '-' || !(text.is_empty() || text.ends_with('-')) {
            text.push(letter);
        }
    }
    let short: String = text.chars().take(60).collect();
    let short = short.trim_end_matches('-');
    if short.is_empty() {
        "charter".to_owned()
    } else {
        short.to_owned()
    }
}
