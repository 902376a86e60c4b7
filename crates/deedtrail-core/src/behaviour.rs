//! Learned behaviour as told and kept: readiness, drift, what a budget of alerts would let through,
//! and baselines that somebody approved (docs/reference/behaviour.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::charter::Signed;
use crate::id::{FindingId, IdentityId, SourceName, TenantId};
use crate::time::Timestamp;

/// What an identity has and lacks to be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Sessions learned of this identity (halved every 30 days).
    pub sessions: u32,
    /// Sessions learned of its peers.
    pub peer_sessions: u32,
    /// Sessions it needs, unless its peers have enough.
    pub sessions_needed: u32,
    /// Whether what is expected is known.
    pub sequence: bool,
    /// Whether there is a threshold.
    pub threshold: bool,
}

impl Readiness {
    /// Whether its sessions can alert.
    pub const fn ready(&self) -> bool {
        self.sequence && self.threshold
    }
}

/// How an identity drifts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Distance of the newest full week from the past, 0 (the same) to 1 (nothing in common).
    pub score: f64,
    /// What chance alone would give for so few events.
    pub noise: f64,
    /// Change of the distance a week, over the weeks there are.
    pub trend: f64,
    /// Oldest first.
    pub weeks: Vec<WeekDistance>,
    /// What became more frequent, largest change first.
    pub rising: Vec<Rise>,
}

/// One week of a drift.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeekDistance {
    /// Week since 1970, Thursday to Wednesday, UTC.
    pub week: u16,
    /// From what was done before, 0 to 1.
    pub distance: f64,
}

/// What became more frequent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rise {
    pub action: String,
    /// Share of the events before, 0 to 1, and in the newest week.
    pub before: f64,
    pub now: f64,
}

impl Drift {
    /// Whether the distance is more than chance and has grown for weeks.
    pub fn departs(&self) -> bool {
        self.weeks.len() >= 3 && self.score > 2.0 * self.noise && self.trend > 0.0
    }
}

/// Sources kept of an identity.
pub const SOURCES_MAX: usize = 16;
/// Days of activity kept of an identity.
pub const ACTIVE_DAYS_MAX: usize = 28;

/// What is known of one identity's behaviour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdentityBehaviour {
    pub tenant: TenantId,
    pub identity: IdentityId,
    /// Its newest event.
    pub at: Timestamp,
    /// Those it was active on last, oldest first.
    pub days: Vec<ActiveDay>,
    /// Those with sessions that departed from what is learned without being a finding, oldest first.
    #[serde(default)]
    pub unusual: Vec<UnusualDay>,
    /// Sources it acted in, by name; of more than [`SOURCES_MAX`] the first.
    pub sources: Vec<SourceName>,
    /// Whether a charter in force says what is expected of it.
    pub chartered: bool,
    /// With whom it is compared.
    pub peer_group: Text,
    pub readiness: Readiness,
    /// `None` while there is nothing to compare with.
    pub drift: Option<Drift>,
}

/// A day on which an identity did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveDay {
    /// Days since 1970, UTC.
    pub day: u16,
    pub events: u32,
}

/// A day on which sessions departed from what is learned without being a finding: nothing in them had
/// weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusualDay {
    /// Days since 1970, UTC.
    pub day: u16,
    pub sessions: u32,
}

/// What one budget would have let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetForecast {
    /// Alerts a day wished for.
    pub per_day: u32,
    /// Alerts raised over all the days.
    pub alerts: u32,
}

/// What budgets would have let through of the sessions of the last days.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    pub tenant: TenantId,
    /// Newest session that is counted.
    pub at: Timestamp,
    /// Days the sessions are of.
    pub days: u32,
    /// Sessions that could be judged.
    pub sessions: u32,
    /// Alerts a day in force.
    pub in_force: f64,
    pub budgets: Vec<BudgetForecast>,
}

/// What an identity usually does, in shares and lists that a person can read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Of events from here on.
    pub from: Timestamp,
    /// Of events before this.
    pub until: Timestamp,
    pub events: u64,
    /// UTC days on which there was one.
    pub active_days: u32,
    /// Events on a median day that had any, and on the busiest of twenty.
    pub events_per_day: (u64, u64),
    /// Events by what was done where: `system action` or `system action on kind of target`.
    pub actions: BTreeMap<Text, u64>,
    /// Events by the network they came from.
    pub networks: BTreeMap<Text, u64>,
    /// Events by hour of the day, UTC.
    pub hours: [u64; 24],
}

/// A baseline that somebody approved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineRecord {
    pub tenant: TenantId,
    pub identity: IdentityId,
    /// Counted from 1 for each identity.
    pub version: u32,
    /// Who answered for the identity then.
    pub owner: Option<Text>,
    pub approved: Signed,
    pub baseline: Baseline,
    /// Findings that were known to rest on it when it was approved all the same.
    #[serde(default)]
    pub accepted_findings: Vec<FindingId>,
    /// Who withdrew it, when and why: nothing is compared with it any more.
    #[serde(default)]
    pub withdrawn: Option<Withdrawal>,
}

/// Why an approval no longer holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    #[serde(flatten)]
    pub signed: Signed,
    pub reason: Text,
}

/// Which baseline is withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineWithdrawal {
    pub tenant: TenantId,
    pub identity: IdentityId,
    pub version: u32,
    pub withdrawal: Withdrawal,
}

impl BaselineRecord {
    /// Whether somebody other than the owner approved it.
    pub fn approved_for_owner(&self) -> bool {
        let owner = self.owner.as_deref().unwrap_or_default();
        !self.approved.by.eq_ignore_ascii_case(owner)
    }
}
