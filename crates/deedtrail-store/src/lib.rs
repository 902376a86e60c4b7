//! The control plane in SQLite: one file, one writer, readers that never wait.
//!
//! Write-ahead logging with `synchronous=FULL`: a call that returned is on disk. Writes share one
//! connection behind a lock; each read takes a connection of its own. When a token or session was last
//! used is noted beside all that: nobody who reads waits for who writes.

mod access;
mod behaviours;
mod charters;
mod columns;
mod connection;
mod custody;
mod entitlements;
mod exceptions;
mod findings;
mod identities;
mod merges;
mod progress;
mod seal;
mod sessions;
mod sources;

use std::ops::RangeInclusive;
use std::path::Path;

use deedtrail_core::behaviour::{BaselineRecord, Forecast, IdentityBehaviour};
use deedtrail_core::charter::CharterRecord;
use deedtrail_core::custody::{CustodyQuery, Subject};
use deedtrail_core::entitlement::{Entitlement, EntitlementImport, ImportName};
use deedtrail_core::exception::RuleException;
use deedtrail_core::finding::{Decision, Finding};
use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::{AliasUid, FindingId, IdentityId, SessionUid, TenantId};
use deedtrail_core::identity::{AliasRecord, CredentialRecord, Identity, Merge};
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{
    BehaviourOrder, DepartureDay, DepartureFilter, FindingFilter, IdentityFilter, Progress,
    QuarantineFilter, QuarantineReason, Quarantined, RuleFigures, SessionFilter, SignInLink, Store,
    StoreError, TokenRecord, WebSession,
};
use deedtrail_core::session::{BlindSession, Session, SessionJoin};
use deedtrail_core::time::Timestamp;

use connection::Connections;

/// The control plane in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    connections: Connections,
}

impl SqliteStore {
    /// Opens the file, makes it when missing (mode 0600), and brings its schema up to date.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Connections::open(path).map(|connections| Self { connections })
    }

    /// Writes what the store holds at this moment to a new file (mode 0600), durably.
    pub fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        self.connections.copy_to(path)
    }

    /// Closes the file for writing and seals it, so that the next start tells what changed in it
    /// meanwhile; false when somebody still reads, and it is left without a seal.
    pub fn seal(&self) -> Result<bool, StoreError> {
        self.connections.seal()
    }

    /// What is wrong with the file's structure, as `SQLite` finds it; reads the whole file.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        self.connections.check()
    }
}

type Stored<T> = Result<T, StoreError>;

impl Store for SqliteStore {
    fn processed(&self) -> Stored<Sequence> {
        self.connections.read(progress::processed)
    }
    fn save(&self, progress: Progress) -> Stored<()> {
        self.connections.write(|tx| progress::save(tx, &progress))
    }
    fn forget_derived(&self) -> Stored<()> {
        self.connections.write(progress::forget_derived)
    }

    fn identities(&self, filter: &IdentityFilter) -> Stored<Vec<Identity>> {
        self.connections.read(|db| identities::list(db, filter))
    }
    fn identity_count(&self, filter: &IdentityFilter) -> Stored<u64> {
        self.connections.read(|db| identities::count(db, filter))
    }
    fn identity(&self, id: IdentityId) -> Stored<Option<Identity>> {
        self.connections.read(|db| identities::one(db, id))
    }
    fn identities_within(
        &self,
        ids: &RangeInclusive<IdentityId>,
        limit: usize,
    ) -> Stored<Vec<IdentityId>> {
        let sql = "SELECT id FROM identities WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3";
        self.connections
            .read(|db| columns::ids_within(db, sql, ids, limit))
    }
    fn aliases(&self) -> Stored<Vec<AliasRecord>> {
        self.connections.read(identities::aliases)
    }
    fn aliases_of(&self, id: IdentityId) -> Stored<Vec<AliasRecord>> {
        self.connections.read(|db| identities::aliases_of(db, id))
    }
    fn alias(&self, uid: AliasUid) -> Stored<Option<AliasRecord>> {
        self.connections.read(|db| identities::alias(db, uid))
    }
    fn find_alias(&self, value: &str) -> Stored<Vec<AliasRecord>> {
        self.connections
            .read(|db| identities::find_alias(db, value))
    }
    fn credentials(&self) -> Stored<Vec<CredentialRecord>> {
        self.connections.read(identities::credentials)
    }
    fn credentials_of(&self, id: IdentityId) -> Stored<Vec<CredentialRecord>> {
        self.connections
            .read(|db| identities::credentials_of(db, id))
    }
    fn merges(&self) -> Stored<Vec<Merge>> {
        self.connections.read(merges::list)
    }

    fn entitlements(&self, tenant: &TenantId, import: &ImportName) -> Stored<Vec<Entitlement>> {
        self.connections
            .read(|db| entitlements::of_import(db, tenant, import))
    }
    fn entitlements_of(&self, tenant: &TenantId, holders: &[AliasUid]) -> Stored<Vec<Entitlement>> {
        self.connections
            .read(|db| entitlements::of_holders(db, tenant, holders))
    }
    fn entitlement_imports(&self, tenant: &TenantId) -> Stored<Vec<EntitlementImport>> {
        self.connections
            .read(|db| entitlements::imports(db, tenant))
    }

    fn findings(&self, filter: &FindingFilter, limit: usize) -> Stored<Vec<Finding>> {
        self.connections
            .read(|db| findings::list(db, filter, limit))
    }
    fn finding_counts(&self, filter: &FindingFilter) -> Stored<[u64; 5]> {
        self.connections.read(|db| findings::counts(db, filter))
    }
    fn finding(&self, id: FindingId) -> Stored<Option<Finding>> {
        self.connections.read(|db| findings::one(db, id))
    }
    fn departures(&self, filter: &DepartureFilter<'_>) -> Stored<Vec<DepartureDay>> {
        self.connections.read(|db| findings::departures(db, filter))
    }

    fn rule_figures(&self, tenant: &TenantId) -> Stored<Vec<RuleFigures>> {
        self.connections
            .read(|db| findings::rule_figures(db, tenant))
    }
    fn findings_within(
        &self,
        tenant: &TenantId,
        ids: &RangeInclusive<FindingId>,
        limit: usize,
    ) -> Stored<Vec<FindingId>> {
        let sql = "SELECT id FROM findings WHERE id BETWEEN ?1 AND ?2 AND tenant = ?4 \
            ORDER BY id LIMIT ?3";
        self.connections
            .read(|db| columns::own_ids_within(db, sql, (tenant, ids), limit))
    }
    fn decide_finding(&self, id: FindingId, decision: Decision) -> Stored<bool> {
        self.connections
            .write(|tx| findings::decide(tx, id, &decision))
    }

    fn sessions(&self, filter: &SessionFilter, limit: usize) -> Stored<Vec<Session>> {
        self.connections
            .read(|db| sessions::list(db, filter, limit))
    }
    fn session(&self, tenant: &TenantId, uid: SessionUid) -> Stored<Option<Session>> {
        self.connections.read(|db| sessions::one(db, tenant, uid))
    }
    fn sessions_within(
        &self,
        tenant: &TenantId,
        ids: &RangeInclusive<SessionUid>,
        limit: usize,
    ) -> Stored<Vec<SessionUid>> {
        let sql = "SELECT DISTINCT uid FROM sessions WHERE uid BETWEEN ?1 AND ?2 AND tenant = ?4 \
            ORDER BY uid LIMIT ?3";
        self.connections
            .read(|db| columns::own_ids_within(db, sql, (tenant, ids), limit))
    }
    fn session_joins(&self, tenant: &TenantId, uids: &[SessionUid]) -> Stored<Vec<SessionJoin>> {
        self.connections
            .read(|db| sessions::joins(db, tenant, uids))
    }
    fn blind_sessions(&self, tenant: &TenantId, limit: usize) -> Stored<Vec<BlindSession>> {
        self.connections
            .read(|db| sessions::blind(db, tenant, limit))
    }

    fn source_health(&self) -> Stored<Vec<SourceHealth>> {
        self.connections.read(sources::health)
    }
    fn custody(&self, query: &CustodyQuery<'_>) -> Stored<Vec<Sequence>> {
        self.connections.read(|db| custody::of(db, query))
    }
    fn last_view(
        &self,
        tenant: &TenantId,
        subject: &Subject,
        who: &str,
    ) -> Stored<Option<Timestamp>> {
        self.connections
            .read(|db| custody::last_view(db, tenant, subject, who))
    }
    fn custody_due(&self, from: Sequence, limit: usize) -> Stored<Vec<Sequence>> {
        self.connections.read(|db| custody::due(db, from, limit))
    }
    fn quarantined(&self, filter: &QuarantineFilter, limit: usize) -> Stored<Vec<Quarantined>> {
        self.connections
            .read(|db| sources::quarantined(db, filter, limit))
    }
    fn quarantined_from(
        &self,
        filter: &QuarantineFilter,
        from: Sequence,
        limit: usize,
    ) -> Stored<Vec<Quarantined>> {
        self.connections
            .read(|db| sources::quarantined_from(db, filter, from, limit))
    }
    fn quarantined_at(&self, tenant: &TenantId, sequence: Sequence) -> Stored<Option<Quarantined>> {
        self.connections
            .read(|db| sources::quarantined_at(db, tenant, sequence))
    }
    fn quarantine_reasons(&self, filter: &QuarantineFilter) -> Stored<Vec<QuarantineReason>> {
        self.connections
            .read(|db| sources::quarantine_reasons(db, filter))
    }

    fn charters(&self, tenant: &TenantId, name: Option<&str>) -> Stored<Vec<CharterRecord>> {
        self.connections.read(|db| charters::list(db, tenant, name))
    }
    fn exceptions(&self, tenant: &TenantId) -> Stored<Vec<RuleException>> {
        self.connections.read(|db| exceptions::list(db, tenant))
    }

    fn behaviour(
        &self,
        tenant: &TenantId,
        identity: IdentityId,
    ) -> Stored<Option<IdentityBehaviour>> {
        self.connections
            .read(|db| behaviours::of(db, tenant, identity))
    }
    fn behaviours(
        &self,
        tenant: &TenantId,
        order: BehaviourOrder,
        limit: usize,
    ) -> Stored<Vec<IdentityBehaviour>> {
        self.connections
            .read(|db| behaviours::list(db, tenant, order, limit))
    }
    fn forecast(&self, tenant: &TenantId) -> Stored<Option<Forecast>> {
        self.connections.read(|db| behaviours::forecast(db, tenant))
    }
    fn baselines(&self, tenant: &TenantId, identity: IdentityId) -> Stored<Vec<BaselineRecord>> {
        self.connections
            .read(|db| behaviours::baselines(db, tenant, identity))
    }

    fn tokens(&self) -> Stored<Vec<TokenRecord>> {
        self.connections.read(access::tokens)
    }
    fn token_by_hash(&self, hash: &str) -> Stored<Option<TokenRecord>> {
        self.connections.read(|db| access::token_by_hash(db, hash))
    }
    fn put_token(&self, token: TokenRecord) -> Stored<()> {
        self.connections.write(|tx| access::put_token(tx, &token))
    }
    fn touch_token(&self, prefix: &str, at: Timestamp) -> Stored<()> {
        self.connections
            .note(|tx| access::touch_token(tx, prefix, at))
    }
    fn revoke_token(&self, prefix: &str, at: Timestamp) -> Stored<bool> {
        self.connections
            .write(|tx| access::revoke_token(tx, prefix, at))
    }

    fn put_sign_in_link(&self, link: SignInLink) -> Stored<()> {
        self.connections
            .write(|tx| access::put_sign_in_link(tx, &link))
    }
    fn take_sign_in_link(&self, hash: &str, now: Timestamp) -> Stored<Option<SignInLink>> {
        self.connections
            .write(|tx| access::take_sign_in_link(tx, hash, now))
    }
    fn put_session(&self, session: WebSession) -> Stored<()> {
        self.connections
            .write(|tx| access::put_session(tx, &session))
    }
    fn session_by_hash(&self, hash: &str) -> Stored<Option<WebSession>> {
        self.connections
            .read(|db| access::session_by_hash(db, hash))
    }
    fn touch_session(&self, hash: &str, at: Timestamp) -> Stored<()> {
        self.connections
            .note(|tx| access::touch_session(tx, hash, at))
    }
    fn end_session(&self, hash: &str) -> Stored<()> {
        self.connections.write(|tx| access::end_session(tx, hash))
    }

    fn put_snapshot(&self, name: &str, position: Sequence, bytes: &[u8]) -> Stored<()> {
        self.connections
            .write(|tx| progress::put_snapshot(tx, name, position, bytes))
    }
    fn stored_bytes(&self) -> Stored<u64> {
        self.connections.read(progress::stored_bytes)
    }
    fn snapshot(&self, name: &str) -> Stored<Option<(Sequence, Vec<u8>)>> {
        self.connections.read(|db| progress::snapshot(db, name))
    }

    fn setting(&self, name: &str) -> Stored<Option<String>> {
        self.connections.read(|db| access::setting(db, name))
    }
    fn put_setting(&self, name: &str, value: &str) -> Stored<()> {
        self.connections
            .write(|tx| access::put_setting(tx, name, value))
    }
}
