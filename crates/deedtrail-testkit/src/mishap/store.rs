//! A control plane whose calls fail when they are told to.

use std::ops::RangeInclusive;
use std::sync::Arc;

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

use super::Mishaps;
use crate::MemoryStore;

type Stored<T> = Result<T, StoreError>;

/// A store that outlives the process that calls it.
#[derive(Clone, Debug)]
pub struct FaultyStore {
    pub store: Arc<MemoryStore>,
    pub mishaps: Arc<Mishaps>,
}

impl FaultyStore {
    fn call<T>(&self, work: impl FnOnce(&MemoryStore) -> Stored<T>) -> Stored<T> {
        let failed = || StoreError::Failed {
            path: "memory".to_owned(),
            reason: super::REASON.to_owned(),
        };
        self.mishaps
            .call(|| work(&self.store))
            .unwrap_or_else(|| Err(failed()))
    }
}

impl Store for FaultyStore {
    fn processed(&self) -> Stored<Sequence> {
        self.call(Store::processed)
    }

    fn save(&self, progress: Progress) -> Stored<()> {
        self.call(|store| store.save(progress))
    }

    fn forget_derived(&self) -> Stored<()> {
        self.call(Store::forget_derived)
    }

    fn identities(&self, filter: &IdentityFilter) -> Stored<Vec<Identity>> {
        self.call(|store| store.identities(filter))
    }

    fn identity_count(&self, filter: &IdentityFilter) -> Stored<u64> {
        self.call(|store| store.identity_count(filter))
    }

    fn identity(&self, id: IdentityId) -> Stored<Option<Identity>> {
        self.call(|store| store.identity(id))
    }

    fn identities_within(
        &self,
        ids: &RangeInclusive<IdentityId>,
        limit: usize,
    ) -> Stored<Vec<IdentityId>> {
        self.call(|store| store.identities_within(ids, limit))
    }

    fn aliases(&self) -> Stored<Vec<AliasRecord>> {
        self.call(Store::aliases)
    }

    fn aliases_of(&self, id: IdentityId) -> Stored<Vec<AliasRecord>> {
        self.call(|store| store.aliases_of(id))
    }

    fn alias(&self, uid: AliasUid) -> Stored<Option<AliasRecord>> {
        self.call(|store| store.alias(uid))
    }

    fn find_alias(&self, value: &str) -> Stored<Vec<AliasRecord>> {
        self.call(|store| store.find_alias(value))
    }

    fn credentials(&self) -> Stored<Vec<CredentialRecord>> {
        self.call(Store::credentials)
    }

    fn credentials_of(&self, id: IdentityId) -> Stored<Vec<CredentialRecord>> {
        self.call(|store| store.credentials_of(id))
    }

    fn merges(&self) -> Stored<Vec<Merge>> {
        self.call(Store::merges)
    }

    fn entitlements(&self, tenant: &TenantId, import: &ImportName) -> Stored<Vec<Entitlement>> {
        self.call(|store| store.entitlements(tenant, import))
    }

    fn entitlements_of(&self, tenant: &TenantId, holders: &[AliasUid]) -> Stored<Vec<Entitlement>> {
        self.call(|store| store.entitlements_of(tenant, holders))
    }

    fn entitlement_imports(&self, tenant: &TenantId) -> Stored<Vec<EntitlementImport>> {
        self.call(|store| store.entitlement_imports(tenant))
    }

    fn findings(&self, filter: &FindingFilter, limit: usize) -> Stored<Vec<Finding>> {
        self.call(|store| store.findings(filter, limit))
    }

    fn finding_counts(&self, filter: &FindingFilter) -> Stored<[u64; 5]> {
        self.call(|store| store.finding_counts(filter))
    }

    fn finding(&self, id: FindingId) -> Stored<Option<Finding>> {
        self.call(|store| store.finding(id))
    }

    fn departures(&self, filter: &DepartureFilter<'_>) -> Stored<Vec<DepartureDay>> {
        self.call(|store| store.departures(filter))
    }

    fn rule_figures(&self, tenant: &TenantId) -> Stored<Vec<RuleFigures>> {
        self.call(|store| store.rule_figures(tenant))
    }

    fn findings_within(
        &self,
        tenant: &TenantId,
        ids: &RangeInclusive<FindingId>,
        limit: usize,
    ) -> Stored<Vec<FindingId>> {
        self.call(|store| store.findings_within(tenant, ids, limit))
    }

    fn custody(&self, query: &CustodyQuery<'_>) -> Stored<Vec<Sequence>> {
        self.call(|store| store.custody(query))
    }

    fn last_view(
        &self,
        tenant: &TenantId,
        subject: &Subject,
        who: &str,
    ) -> Stored<Option<Timestamp>> {
        self.call(|store| store.last_view(tenant, subject, who))
    }

    fn custody_due(&self, from: Sequence, limit: usize) -> Stored<Vec<Sequence>> {
        self.call(|store| store.custody_due(from, limit))
    }

    fn decide_finding(&self, id: FindingId, decision: Decision) -> Stored<bool> {
        self.call(|store| store.decide_finding(id, decision))
    }

    fn sessions(&self, filter: &SessionFilter, limit: usize) -> Stored<Vec<Session>> {
        self.call(|store| store.sessions(filter, limit))
    }

    fn session(&self, tenant: &TenantId, uid: SessionUid) -> Stored<Option<Session>> {
        self.call(|store| store.session(tenant, uid))
    }

    fn sessions_within(
        &self,
        tenant: &TenantId,
        ids: &RangeInclusive<SessionUid>,
        limit: usize,
    ) -> Stored<Vec<SessionUid>> {
        self.call(|store| store.sessions_within(tenant, ids, limit))
    }

    fn session_joins(&self, tenant: &TenantId, uids: &[SessionUid]) -> Stored<Vec<SessionJoin>> {
        self.call(|store| store.session_joins(tenant, uids))
    }

    fn blind_sessions(&self, tenant: &TenantId, limit: usize) -> Stored<Vec<BlindSession>> {
        self.call(|store| store.blind_sessions(tenant, limit))
    }

    fn source_health(&self) -> Stored<Vec<SourceHealth>> {
        self.call(Store::source_health)
    }

    fn quarantined(&self, filter: &QuarantineFilter, limit: usize) -> Stored<Vec<Quarantined>> {
        self.call(|store| store.quarantined(filter, limit))
    }

    fn quarantined_from(
        &self,
        filter: &QuarantineFilter,
        from: Sequence,
        limit: usize,
    ) -> Stored<Vec<Quarantined>> {
        self.call(|store| store.quarantined_from(filter, from, limit))
    }

    fn quarantined_at(&self, tenant: &TenantId, sequence: Sequence) -> Stored<Option<Quarantined>> {
        self.call(|store| store.quarantined_at(tenant, sequence))
    }

    fn quarantine_reasons(&self, filter: &QuarantineFilter) -> Stored<Vec<QuarantineReason>> {
        self.call(|store| store.quarantine_reasons(filter))
    }

    fn charters(&self, tenant: &TenantId, name: Option<&str>) -> Stored<Vec<CharterRecord>> {
        self.call(|store| store.charters(tenant, name))
    }

    fn exceptions(&self, tenant: &TenantId) -> Stored<Vec<RuleException>> {
        self.call(|store| store.exceptions(tenant))
    }

    fn behaviour(
        &self,
        tenant: &TenantId,
        identity: IdentityId,
    ) -> Stored<Option<IdentityBehaviour>> {
        self.call(|store| store.behaviour(tenant, identity))
    }

    fn behaviours(
        &self,
        tenant: &TenantId,
        order: BehaviourOrder,
        limit: usize,
    ) -> Stored<Vec<IdentityBehaviour>> {
        self.call(|store| store.behaviours(tenant, order, limit))
    }

    fn forecast(&self, tenant: &TenantId) -> Stored<Option<Forecast>> {
        self.call(|store| store.forecast(tenant))
    }

    fn baselines(&self, tenant: &TenantId, identity: IdentityId) -> Stored<Vec<BaselineRecord>> {
        self.call(|store| store.baselines(tenant, identity))
    }

    fn tokens(&self) -> Stored<Vec<TokenRecord>> {
        self.call(Store::tokens)
    }

    fn token_by_hash(&self, hash: &str) -> Stored<Option<TokenRecord>> {
        self.call(|store| store.token_by_hash(hash))
    }

    fn put_token(&self, token: TokenRecord) -> Stored<()> {
        self.call(|store| store.put_token(token))
    }

    fn touch_token(&self, prefix: &str, at: Timestamp) -> Stored<()> {
        self.call(|store| store.touch_token(prefix, at))
    }

    fn revoke_token(&self, prefix: &str, at: Timestamp) -> Stored<bool> {
        self.call(|store| store.revoke_token(prefix, at))
    }

    fn put_sign_in_link(&self, link: SignInLink) -> Stored<()> {
        self.call(|store| store.put_sign_in_link(link))
    }

    fn take_sign_in_link(&self, hash: &str, now: Timestamp) -> Stored<Option<SignInLink>> {
        self.call(|store| store.take_sign_in_link(hash, now))
    }

    fn put_session(&self, session: WebSession) -> Stored<()> {
        self.call(|store| store.put_session(session))
    }

    fn session_by_hash(&self, hash: &str) -> Stored<Option<WebSession>> {
        self.call(|store| store.session_by_hash(hash))
    }

    fn touch_session(&self, hash: &str, at: Timestamp) -> Stored<()> {
        self.call(|store| store.touch_session(hash, at))
    }

    fn end_session(&self, hash: &str) -> Stored<()> {
        self.call(|store| store.end_session(hash))
    }

    fn put_snapshot(&self, name: &str, position: Sequence, bytes: &[u8]) -> Stored<()> {
        self.call(|store| store.put_snapshot(name, position, bytes))
    }

    fn snapshot(&self, name: &str) -> Stored<Option<(Sequence, Vec<u8>)>> {
        self.call(|store| store.snapshot(name))
    }

    fn stored_bytes(&self) -> Stored<u64> {
        self.call(Store::stored_bytes)
    }

    fn setting(&self, name: &str) -> Stored<Option<String>> {
        self.call(|store| store.setting(name))
    }

    fn put_setting(&self, name: &str, value: &str) -> Stored<()> {
        self.call(|store| store.put_setting(name, value))
    }
}
