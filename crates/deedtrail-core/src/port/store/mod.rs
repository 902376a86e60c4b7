//! The control plane: everything that is state of ours and not an event.

mod quarantine;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::behaviour::{BaselineRecord, BaselineWithdrawal, Forecast, IdentityBehaviour};
use crate::charter::CharterRecord;
use crate::custody::{CustodyEntry, CustodyQuery, Subject};
use crate::entitlement::{Entitlement, EntitlementImport, ImportName};
use crate::exception::RuleException;
use crate::finding::{Decision, Finding, FindingStatus, Severity};
use crate::health::SourceHealth;
use crate::id::{AliasUid, FindingId, IdentityId, SessionUid, TenantId};
use crate::identity::{AliasRecord, CredentialRecord, Identity, Merge};
use crate::port::log::Sequence;
use crate::session::{BlindSession, Session, SessionJoin, SessionVerdict};
use crate::time::Timestamp;

pub use quarantine::{Dismissal, QuarantineFilter, QuarantineReason, Quarantined};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the control plane at {path} failed: {reason}")]
    Failed { path: String, reason: String },
    #[error("the disk is full; free space under {path}, the control plane goes on by itself")]
    DiskFull { path: String },
    #[error(
        "{path} was written by a newer version (schema {found}, this one knows {known}); upgrade the binary"
    )]
    TooNew {
        path: String,
        found: u32,
        known: u32,
    },
}

/// Everything one processed batch of the log changes. Stored with the position in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// One past the newest sequence this batch covers.
    pub through: Sequence,
    /// Every `declared` field of a stored identity is kept, unless `declared` names it.
    pub identities: Vec<Identity>,
    /// Those of `identities` whose declared fields this batch changed.
    pub declared: Vec<IdentityId>,
    /// An alias or credential leads to an identity of this batch or one stored before.
    pub aliases: Vec<AliasRecord>,
    pub credentials: Vec<CredentialRecord>,
    /// New merges, and earlier ones with `undone` set.
    pub merges: Vec<Merge>,
    /// Whole findings, already merged with what was stored. Their status, disposition, analyst and
    /// note are not taken: only [`Store::decide_finding`] sets those.
    pub findings: Vec<Finding>,
    /// Each replaces what was stored of an import of that name, in order.
    pub entitlements: Vec<ImportedEntitlements>,
    pub sources: Vec<SourceHealth>,
    pub quarantined: Vec<Quarantined>,
    /// Quarantined sequences that have since been mapped.
    pub released: Vec<Sequence>,
    /// Quarantined sequences that somebody dismissed.
    pub dismissed: Vec<(Sequence, Dismissal)>,
    /// Dismissed sequences that wait again.
    pub restored: Vec<Sequence>,
    /// Whole sessions that changed; beyond `SESSIONS_STORED_MAX` those idle for longest go.
    pub sessions: Vec<Session>,
    pub session_joins: Vec<SessionJoin>,
    pub blind_sessions: Vec<BlindSession>,
    /// Versions of charters that are new or changed, whole.
    pub charters: Vec<CharterRecord>,
    /// Exceptions to rules that are new, ended, or held something back, whole.
    pub exceptions: Vec<RuleException>,
    /// Exceptions that were over before then go, with what they held back; carried out after
    /// `exceptions`.
    pub exceptions_over_before: Option<Timestamp>,
    /// What is known of the behaviour of identities that acted.
    pub behaviours: Vec<IdentityBehaviour>,
    /// What budgets of alerts would let through, by tenant.
    pub forecasts: Vec<Forecast>,
    /// Approved baselines in order; each gets the next number of its identity.
    pub baselines: Vec<BaselineRecord>,
    /// Baselines that somebody withdrew, carried out after `baselines`; one that was withdrawn
    /// already keeps what was said first.
    pub baselines_withdrawn: Vec<BaselineWithdrawal>,
    /// What audit entries are about.
    pub custody: Vec<CustodyEntry>,
    /// Audit entries whose custody was due ([`Store::custody_due`]) and is in `custody` now.
    pub custody_derived: Vec<Sequence>,
}

/// Everything one import of entitlements says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedEntitlements {
    pub tenant: TenantId,
    pub import: ImportName,
    pub at: Timestamp,
    /// By id; what was stored under the same id keeps its `first_imported`.
    pub entitlements: Vec<Entitlement>,
}

impl ImportedEntitlements {
    /// The systems that something is a right in, each once, by name.
    pub fn systems(&self) -> Vec<Text> {
        let systems = self.entitlements.iter().map(|it| it.grant.system.clone());
        let systems: BTreeSet<Text> = systems.collect();
        systems.into_iter().collect()
    }
}

/// Which identities a list shows.
#[derive(Clone, Debug, Default)]
pub struct IdentityFilter {
    pub kind: Option<String>,
    /// Substring of name, alias or owner, case-insensitive.
    pub text: Option<String>,
    /// Only those without an owner.
    pub unowned: bool,
    /// Also those merged into another.
    pub merged: bool,
    /// Skip this many.
    pub offset: usize,
    /// At most this many; `None` is all.
    pub limit: Option<usize>,
}

/// Which findings a list shows.
#[derive(Clone, Debug, Default)]
pub struct FindingFilter {
    /// Whose: there is no "any". Use cases set it from the principal.
    pub tenant: TenantId,
    /// Also those of identities merged into it.
    pub identity: Option<IdentityId>,
    pub kind: Option<String>,
    pub severity_min: Option<Severity>,
    pub status: Option<FindingStatus>,
    pub text: Option<String>,
    /// Changed at or after (change feed).
    pub updated_since: Option<Timestamp>,
}

/// Findings of some kinds that are not closed, summed up by identity, kind and day.
#[derive(Clone, Debug)]
pub struct DepartureFilter<'k> {
    pub tenant: TenantId,
    pub kinds: &'k [&'k str],
    /// With an event at or after.
    pub since: Timestamp,
    /// Findings that are summed up at most, those of the newest events.
    pub findings_max: usize,
}

/// Findings of one kind on one identity on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepartureDay {
    /// As the findings name it: it may have been merged into another since.
    pub identity: IdentityId,
    pub kind: Text,
    /// UTC day of the newest events, counted from 1970.
    pub day: i64,
    /// The gravest.
    pub severity: Severity,
    pub findings: u64,
    /// Time of the newest event.
    pub last: Timestamp,
}

/// Findings of one rule, summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleFigures {
    /// Rule or code detector, as findings name it.
    pub rule: Text,
    pub findings: u64,
    /// How many times it fired: repeats of one day are one finding.
    pub matches: u64,
    /// Findings that are not closed.
    pub open: u64,
    /// Findings by what analysts concluded, those without a conclusion left out.
    pub dispositions: BTreeMap<Text, u64>,
    /// Time of the newest event.
    pub last: Timestamp,
}

/// Which sessions a list shows.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Whose: there is no "any". Use cases set it from the principal.
    pub tenant: TenantId,
    /// Also those of identities merged into it.
    pub identity: Option<IdentityId>,
    pub verdict: Option<SessionVerdict>,
    /// Only those whose trust is lower than this.
    pub trust_below: Option<u8>,
    /// Only those that departed from what is learned of their identity, findings or not: the most
    /// unusual first, and of those the latest active.
    pub departing: bool,
    /// Skip this many.
    pub offset: usize,
}

/// Which behaviour a list shows, and in what order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BehaviourOrder {
    /// All, the latest active first.
    Newest,
    /// Those whose work has been changing for weeks, the farthest first.
    Drifting,
}

/// What a principal may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Ingest,
    Read,
    Write,
    Admin,
}

/// An API token as stored: prefix and hash, never the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Public part, shown in lists, e.g. `dt_3f9a1c`.
    pub prefix: Text,
    /// SHA-256 of the whole token, hex.
    pub hash: Text,
    pub name: Text,
    pub tenant: TenantId,
    pub scopes: Vec<Scope>,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    pub last_used: Option<Timestamp>,
    pub revoked: Option<Timestamp>,
}

/// A one-time sign-in link as stored: whom it signs in, and what they may do then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInLink {
    /// SHA-256 of the secret, hex.
    pub hash: Text,
    pub principal: Text,
    pub tenant: TenantId,
    pub scopes: Vec<Scope>,
    pub ends: Timestamp,
}

/// A signed-in browser: a reference token's hash with idle and absolute limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebSession {
    /// SHA-256 of the cookie value, hex.
    pub hash: Text,
    pub principal: Text,
    pub tenant: TenantId,
    pub created: Timestamp,
    pub last_used: Timestamp,
    pub absolute_end: Timestamp,
    pub scopes: Vec<Scope>,
}

/// The control plane. SQLite by default; one contract suite runs over every implementation.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// One past the newest sequence whose results are stored.
    fn processed(&self) -> Result<Sequence, StoreError>;
    /// Stores a batch's results and its position in one transaction.
    fn save(&self, progress: Progress) -> Result<(), StoreError>;
    /// Forgets everything derived from the log (rebuild); users, tokens, sessions, settings,
    /// dispositions and what people declared stay, and meet the same ids when the log is replayed.
    fn forget_derived(&self) -> Result<(), StoreError>;

    /// Latest seen first.
    fn identities(&self, filter: &IdentityFilter) -> Result<Vec<Identity>, StoreError>;
    /// How many identities match, whatever `offset` and `limit` say.
    fn identity_count(&self, filter: &IdentityFilter) -> Result<u64, StoreError>;
    /// The identity this id stands for: merges are followed.
    fn identity(&self, id: IdentityId) -> Result<Option<Identity>, StoreError>;
    /// Ids of identities in this range in order, at most `limit`: also of those merged into others.
    fn identities_within(
        &self,
        ids: &RangeInclusive<IdentityId>,
        limit: usize,
    ) -> Result<Vec<IdentityId>, StoreError>;
    fn aliases(&self) -> Result<Vec<AliasRecord>, StoreError>;
    fn aliases_of(&self, id: IdentityId) -> Result<Vec<AliasRecord>, StoreError>;
    fn alias(&self, uid: AliasUid) -> Result<Option<AliasRecord>, StoreError>;
    /// Aliases with this value in any namespace (exact, case-insensitive).
    fn find_alias(&self, value: &str) -> Result<Vec<AliasRecord>, StoreError>;
    fn credentials(&self) -> Result<Vec<CredentialRecord>, StoreError>;
    fn credentials_of(&self, id: IdentityId) -> Result<Vec<CredentialRecord>, StoreError>;
    fn merges(&self) -> Result<Vec<Merge>, StoreError>;

    /// What an import of this name said last, with all holders, by key.
    fn entitlements(
        &self,
        tenant: &TenantId,
        import: &ImportName,
    ) -> Result<Vec<Entitlement>, StoreError>;
    /// What the holders of these aliases may do, by import and key. Of the holders of each only
    /// those asked for are told.
    fn entitlements_of(
        &self,
        tenant: &TenantId,
        holders: &[AliasUid],
    ) -> Result<Vec<Entitlement>, StoreError>;
    /// By kind and account.
    fn entitlement_imports(&self, tenant: &TenantId) -> Result<Vec<EntitlementImport>, StoreError>;

    /// Newest activity first, most severe first within equal times. A filter on an identity also
    /// shows findings of those merged into it.
    fn findings(&self, filter: &FindingFilter, limit: usize) -> Result<Vec<Finding>, StoreError>;
    /// How many findings match, by severity in the order of [`Severity::ALL`].
    fn finding_counts(&self, filter: &FindingFilter) -> Result<[u64; 5], StoreError>;
    fn finding(&self, id: FindingId) -> Result<Option<Finding>, StoreError>;
    /// Findings summed up; ordered by identity, kind and day.
    fn departures(&self, filter: &DepartureFilter<'_>) -> Result<Vec<DepartureDay>, StoreError>;
    /// Findings summed up by rule, ordered by its name.
    fn rule_figures(&self, tenant: &TenantId) -> Result<Vec<RuleFigures>, StoreError>;
    /// Ids of findings in this range in order, at most `limit`.
    fn findings_within(
        &self,
        tenant: &TenantId,
        ids: &RangeInclusive<FindingId>,
        limit: usize,
    ) -> Result<Vec<FindingId>, StoreError>;
    /// Audit entries about things, newest first, each once.
    fn custody(&self, query: &CustodyQuery<'_>) -> Result<Vec<Sequence>, StoreError>;
    /// When this principal opened this last, as far as the newest views of it tell.
    fn last_view(
        &self,
        tenant: &TenantId,
        subject: &Subject,
        who: &str,
    ) -> Result<Option<Timestamp>, StoreError>;
    /// Audit entries from `from` on, in order, at most `limit`, that a version before knew by the
    /// words in them only: what they are about has to be taken from the log.
    fn custody_due(&self, from: Sequence, limit: usize) -> Result<Vec<Sequence>, StoreError>;
    /// An analyst's decision; survives replay and rebuild. It covers the finding as stored now: an
    /// event that arrives later opens it again ([`Finding::status_now`]).
    fn decide_finding(&self, id: FindingId, decision: Decision) -> Result<bool, StoreError>;

    /// Latest active first.
    fn sessions(&self, filter: &SessionFilter, limit: usize) -> Result<Vec<Session>, StoreError>;
    /// The newest part of a session.
    fn session(&self, tenant: &TenantId, uid: SessionUid) -> Result<Option<Session>, StoreError>;
    /// Ids of sessions in this range in order, each once, at most `limit`.
    fn sessions_within(
        &self,
        tenant: &TenantId,
        ids: &RangeInclusive<SessionUid>,
        limit: usize,
    ) -> Result<Vec<SessionUid>, StoreError>;
    /// Joins from or to any of these sessions, the surest first.
    fn session_joins(
        &self,
        tenant: &TenantId,
        uids: &[SessionUid],
    ) -> Result<Vec<SessionJoin>, StoreError>;
    /// The gravest first, then the latest.
    fn blind_sessions(
        &self,
        tenant: &TenantId,
        limit: usize,
    ) -> Result<Vec<BlindSession>, StoreError>;

    fn source_health(&self) -> Result<Vec<SourceHealth>, StoreError>;
    /// Newest first.
    fn quarantined(
        &self,
        filter: &QuarantineFilter,
        limit: usize,
    ) -> Result<Vec<Quarantined>, StoreError>;
    /// Oldest first, from the sequence `from` on.
    fn quarantined_from(
        &self,
        filter: &QuarantineFilter,
        from: Sequence,
        limit: usize,
    ) -> Result<Vec<Quarantined>, StoreError>;
    /// One record of quarantine, whether it waits or was dismissed.
    fn quarantined_at(
        &self,
        tenant: &TenantId,
        sequence: Sequence,
    ) -> Result<Option<Quarantined>, StoreError>;
    /// How many there are by source and reason, the newest first.
    fn quarantine_reasons(
        &self,
        filter: &QuarantineFilter,
    ) -> Result<Vec<QuarantineReason>, StoreError>;

    /// Versions of charters by name, the newest first: those of one name, or all.
    fn charters(
        &self,
        tenant: &TenantId,
        name: Option<&str>,
    ) -> Result<Vec<CharterRecord>, StoreError>;

    /// Exceptions to rules, the newest first.
    fn exceptions(&self, tenant: &TenantId) -> Result<Vec<RuleException>, StoreError>;

    /// What is known of an identity's behaviour.
    fn behaviour(
        &self,
        tenant: &TenantId,
        identity: IdentityId,
    ) -> Result<Option<IdentityBehaviour>, StoreError>;
    fn behaviours(
        &self,
        tenant: &TenantId,
        order: BehaviourOrder,
        limit: usize,
    ) -> Result<Vec<IdentityBehaviour>, StoreError>;
    /// What budgets of alerts would let through; `None` before there is a session to judge.
    fn forecast(&self, tenant: &TenantId) -> Result<Option<Forecast>, StoreError>;
    /// Approved baselines, also of those merged into the identity, the newest first.
    fn baselines(
        &self,
        tenant: &TenantId,
        identity: IdentityId,
    ) -> Result<Vec<BaselineRecord>, StoreError>;

    /// Newest first.
    fn tokens(&self) -> Result<Vec<TokenRecord>, StoreError>;
    fn token_by_hash(&self, hash: &str) -> Result<Option<TokenRecord>, StoreError>;
    fn put_token(&self, token: TokenRecord) -> Result<(), StoreError>;
    /// It waits for no other writer, and may then, or after a power cut, be left out; the next
    /// request writes it.
    fn touch_token(&self, prefix: &str, at: Timestamp) -> Result<(), StoreError>;
    fn revoke_token(&self, prefix: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// Stores a one-time sign-in link; earlier ones of the same principal no longer work.
    fn put_sign_in_link(&self, link: SignInLink) -> Result<(), StoreError>;
    /// Uses a link up: it is there exactly once, before its end.
    fn take_sign_in_link(
        &self,
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<SignInLink>, StoreError>;
    fn put_session(&self, session: WebSession) -> Result<(), StoreError>;
    fn session_by_hash(&self, hash: &str) -> Result<Option<WebSession>, StoreError>;
    /// It waits for no other writer, and may then, or after a power cut, be left out; the next
    /// request writes it.
    fn touch_session(&self, hash: &str, at: Timestamp) -> Result<(), StoreError>;
    fn end_session(&self, hash: &str) -> Result<(), StoreError>;

    /// Replaces a named snapshot of derived state (detection) with one that covers the log below
    /// `position`.
    fn put_snapshot(&self, name: &str, position: Sequence, bytes: &[u8]) -> Result<(), StoreError>;
    /// The newest snapshot of that name and the position it covers.
    fn snapshot(&self, name: &str) -> Result<Option<(Sequence, Vec<u8>)>, StoreError>;

    /// Space that everything in it takes, bytes.
    fn stored_bytes(&self) -> Result<u64, StoreError>;

    fn setting(&self, name: &str) -> Result<Option<String>, StoreError>;
    fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreError>;
}
