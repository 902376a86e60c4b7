//! The control plane in memory, with the same contract as the real one.

mod custody;
mod queries;
mod tables;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

use deedtrail_core::behaviour::{BaselineRecord, Forecast, IdentityBehaviour};
use deedtrail_core::charter::CharterRecord;
use deedtrail_core::custody::{CustodyQuery, Subject};
use deedtrail_core::entitlement::{Entitlement, EntitlementImport, ImportName};
use deedtrail_core::exception::RuleException;
use deedtrail_core::finding::{Decision, Finding};
use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::{AliasUid, FindingId, IdentityId, SessionUid, TenantId};
use deedtrail_core::identity::{AliasRecord, CredentialRecord, Declared, Identity, Merge};
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{
    BehaviourOrder, DepartureDay, DepartureFilter, FindingFilter, IdentityFilter, Progress,
    QuarantineFilter, QuarantineReason, Quarantined, RuleFigures, SessionFilter, SignInLink, Store,
    StoreError, TokenRecord, WebSession,
};
use deedtrail_core::session::{BlindSession, Session, SessionJoin};
use deedtrail_core::time::Timestamp;

use queries::is_asked;
use tables::{Derived, Tables, refused};

/// A store that forgets everything when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Tables>);

impl MemoryStore {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Stored<T> = Result<T, StoreError>;

impl Store for MemoryStore {
    fn processed(&self) -> Stored<Sequence> {
        Ok(self.tables().derived.processed)
    }

    fn save(&self, progress: Progress) -> Stored<()> {
        let mut tables = self.tables();
        let mut derived = tables.derived.clone();
        derived.save(&progress);
        if derived.has_loose_end() {
            return Err(refused("FOREIGN KEY constraint failed"));
        }
        tables.derived = derived;
        for identity in progress.identities {
            if progress.declared.contains(&identity.id) {
                tables.declared.insert(identity.id, identity.declared);
            } else if identity.declared != Declared::default() {
                tables
                    .declared
                    .entry(identity.id)
                    .or_insert(identity.declared);
            }
        }
        Ok(())
    }

    fn forget_derived(&self) -> Stored<()> {
        self.tables().derived = Derived::default();
        Ok(())
    }

    fn identities(&self, filter: &IdentityFilter) -> Stored<Vec<Identity>> {
        let list = self
            .tables()
            .matching(filter)
            .into_iter()
            .skip(filter.offset);
        Ok(list.take(filter.limit.unwrap_or(usize::MAX)).collect())
    }

    fn identity_count(&self, filter: &IdentityFilter) -> Stored<u64> {
        Ok(self.tables().matching(filter).len() as u64)
    }

    fn identity(&self, id: IdentityId) -> Stored<Option<Identity>> {
        let tables = self.tables();
        let stored = tables
            .derived
            .identities
            .get(&tables.derived.stands_for(id));
        Ok(stored.map(|identity| tables.identity(identity)))
    }

    fn aliases(&self) -> Stored<Vec<AliasRecord>> {
        Ok(self.tables().derived.aliases.values().cloned().collect())
    }

    fn identities_within(
        &self,
        ids: &RangeInclusive<IdentityId>,
        limit: usize,
    ) -> Stored<Vec<IdentityId>> {
        let tables = self.tables();
        let known = tables.derived.identities.keys().copied();
        let within: BTreeSet<_> = known.filter(|id| ids.contains(id)).collect();
        Ok(within.into_iter().take(limit).collect())
    }

    fn aliases_of(&self, id: IdentityId) -> Stored<Vec<AliasRecord>> {
        let mut list = self.aliases()?;
        list.retain(|alias| alias.identity == id);
        list.sort_by_key(|a| (a.first_seen, a.namespace.clone(), a.value.clone()));
        Ok(list)
    }

    fn alias(&self, uid: AliasUid) -> Stored<Option<AliasRecord>> {
        Ok(self.tables().derived.aliases.get(&uid).cloned())
    }

    fn find_alias(&self, value: &str) -> Stored<Vec<AliasRecord>> {
        let mut list = self.aliases()?;
        list.retain(|alias| alias.value.to_lowercase() == value.to_lowercase());
        list.sort_by_key(|a| (a.namespace.clone(), a.value.clone(), a.uid));
        Ok(list)
    }

    fn credentials(&self) -> Stored<Vec<CredentialRecord>> {
        Ok(self
            .tables()
            .derived
            .credentials
            .values()
            .cloned()
            .collect())
    }

    fn credentials_of(&self, id: IdentityId) -> Stored<Vec<CredentialRecord>> {
        let mut list = self.credentials()?;
        list.retain(|credential| credential.identity == id);
        list.sort_by_key(|credential| (credential.created, credential.reference.clone()));
        Ok(list)
    }

    fn merges(&self) -> Stored<Vec<Merge>> {
        let mut list: Vec<_> = self.tables().derived.merges.values().cloned().collect();
        list.sort_by_key(|merge| (merge.at, merge.merged, merge.kept));
        Ok(list)
    }

    fn entitlements(&self, tenant: &TenantId, import: &ImportName) -> Stored<Vec<Entitlement>> {
        let tables = self.tables();
        let name = (tenant.clone(), import.clone());
        let said = tables.derived.entitlements.get(&name);
        Ok(said.map_or_else(Vec::new, |said| said.entitlements.clone()))
    }

    fn entitlements_of(&self, tenant: &TenantId, holders: &[AliasUid]) -> Stored<Vec<Entitlement>> {
        let tables = self.tables();
        Ok(queries::entitlements_of(&tables.derived, tenant, holders))
    }

    fn entitlement_imports(&self, tenant: &TenantId) -> Stored<Vec<EntitlementImport>> {
        let tables = self.tables();
        let said = tables.derived.entitlements.values();
        let of_tenant = said.filter(|said| said.tenant == *tenant);
        let told = of_tenant.map(|said| EntitlementImport {
            tenant: said.tenant.clone(),
            import: said.import.clone(),
            imported: said.at,
            grants: said.entitlements.len() as u64,
            systems: said.systems(),
        });
        Ok(told.collect())
    }

    fn findings(&self, filter: &FindingFilter, limit: usize) -> Stored<Vec<Finding>> {
        Ok(self.tables().findings(filter, limit))
    }

    fn finding_counts(&self, filter: &FindingFilter) -> Stored<[u64; 5]> {
        let mut counts = [0; 5];
        for finding in self.findings(filter, usize::MAX)? {
            counts[finding.draft.severity as usize] += 1;
        }
        Ok(counts)
    }

    fn finding(&self, id: FindingId) -> Stored<Option<Finding>> {
        let tables = self.tables();
        Ok(tables
            .derived
            .findings
            .get(&id)
            .map(|finding| tables.finding(finding)))
    }

    fn departures(&self, filter: &DepartureFilter<'_>) -> Stored<Vec<DepartureDay>> {
        Ok(self.tables().departures(filter))
    }

    fn rule_figures(&self, tenant: &TenantId) -> Stored<Vec<RuleFigures>> {
        let filter = FindingFilter {
            tenant: tenant.clone(),
            ..FindingFilter::default()
        };
        Ok(queries::rule_figures(&self.findings(&filter, usize::MAX)?))
    }

    fn findings_within(
        &self,
        tenant: &TenantId,
        ids: &RangeInclusive<FindingId>,
        limit: usize,
    ) -> Stored<Vec<FindingId>> {
        let tables = self.tables();
        let findings = tables.derived.findings.values();
        let within: BTreeSet<_> = findings
            .filter(|it| it.draft.tenant == *tenant && ids.contains(&it.id))
            .map(|it| it.id)
            .collect();
        Ok(within.into_iter().take(limit).collect())
    }

    fn decide_finding(&self, id: FindingId, decision: Decision) -> Stored<bool> {
        let mut tables = self.tables();
        let Some(finding) = tables.derived.findings.get(&id) else {
            return Ok(false);
        };
        let covered = finding.newest_position();
        tables.decisions.insert(id, (decision, covered));
        Ok(true)
    }

    fn sessions(&self, filter: &SessionFilter, limit: usize) -> Stored<Vec<Session>> {
        Ok(queries::sessions(&self.tables().derived, filter, limit))
    }

    fn session(&self, tenant: &TenantId, uid: SessionUid) -> Stored<Option<Session>> {
        let tables = self.tables();
        let parts = tables.derived.sessions.values().rev();
        let mut of = parts.filter(|it| it.uid == uid && it.tenant == *tenant);
        Ok(of.next().cloned())
    }

    fn sessions_within(
        &self,
        tenant: &TenantId,
        ids: &RangeInclusive<SessionUid>,
        limit: usize,
    ) -> Stored<Vec<SessionUid>> {
        let tables = self.tables();
        let known = tables.derived.sessions.values();
        let known = known.filter(|it| it.tenant == *tenant && ids.contains(&it.uid));
        let within: BTreeSet<_> = known.map(|it| it.uid).collect();
        Ok(within.into_iter().take(limit).collect())
    }

    fn session_joins(&self, tenant: &TenantId, uids: &[SessionUid]) -> Stored<Vec<SessionJoin>> {
        let tables = self.tables();
        let of = |join: &&SessionJoin| {
            join.tenant == *tenant && (uids.contains(&join.from) || uids.contains(&join.to))
        };
        let mut list: Vec<_> = tables.derived.joins.values().filter(of).cloned().collect();
        list.sort_by_key(|join| (Reverse(join.confidence), join.at));
        Ok(list)
    }

    fn blind_sessions(&self, tenant: &TenantId, limit: usize) -> Stored<Vec<BlindSession>> {
        let tables = self.tables();
        let of = |row: &&BlindSession| row.tenant == *tenant;
        let mut list: Vec<_> = tables.derived.blind.values().filter(of).cloned().collect();
        list.sort_by_key(|row| Reverse((row.severity, row.last)));
        list.truncate(limit);
        Ok(list)
    }

    fn source_health(&self) -> Stored<Vec<SourceHealth>> {
        Ok(self.tables().derived.sources.values().cloned().collect())
    }

    fn quarantined(&self, filter: &QuarantineFilter, limit: usize) -> Stored<Vec<Quarantined>> {
        let tables = self.tables();
        let newest_first = tables.derived.quarantine.values().rev();
        let wanted = newest_first.filter(|record| is_asked(record, filter));
        Ok(wanted.take(limit).cloned().collect())
    }

    fn quarantined_from(
        &self,
        filter: &QuarantineFilter,
        from: Sequence,
        limit: usize,
    ) -> Stored<Vec<Quarantined>> {
        let tables = self.tables();
        let oldest_first = tables.derived.quarantine.range(from..);
        let records = oldest_first.map(|(_, record)| record);
        let wanted = records.filter(|record| is_asked(record, filter));
        Ok(wanted.take(limit).cloned().collect())
    }

    fn custody(&self, query: &CustodyQuery<'_>) -> Stored<Vec<Sequence>> {
        Ok(custody::of(&self.tables().derived, query))
    }

    fn last_view(
        &self,
        tenant: &TenantId,
        subject: &Subject,
        who: &str,
    ) -> Stored<Option<Timestamp>> {
        Ok(custody::last_view(
            &self.tables().derived,
            (tenant, subject, who),
        ))
    }

    fn custody_due(&self, from: Sequence, limit: usize) -> Stored<Vec<Sequence>> {
        Ok(custody::due(&self.tables().derived, from, limit))
    }

    fn quarantined_at(&self, tenant: &TenantId, sequence: Sequence) -> Stored<Option<Quarantined>> {
        let tables = self.tables();
        let record = tables.derived.quarantine.get(&sequence);
        Ok(record.filter(|record| record.tenant == *tenant).cloned())
    }

    fn quarantine_reasons(&self, filter: &QuarantineFilter) -> Stored<Vec<QuarantineReason>> {
        Ok(queries::quarantine_reasons(&self.tables().derived, filter))
    }

    fn behaviour(
        &self,
        tenant: &TenantId,
        identity: IdentityId,
    ) -> Stored<Option<IdentityBehaviour>> {
        let tables = self.tables();
        let key = (tenant.clone(), identity);
        Ok(tables.derived.behaviours.get(&key).cloned())
    }

    fn behaviours(
        &self,
        tenant: &TenantId,
        order: BehaviourOrder,
        limit: usize,
    ) -> Stored<Vec<IdentityBehaviour>> {
        let tables = self.tables();
        Ok(queries::behaviours(&tables.derived, tenant, order, limit))
    }

    fn forecast(&self, tenant: &TenantId) -> Stored<Option<Forecast>> {
        Ok(self.tables().derived.forecasts.get(tenant).cloned())
    }

    fn baselines(&self, tenant: &TenantId, identity: IdentityId) -> Stored<Vec<BaselineRecord>> {
        let tables = self.tables();
        let all = tables.derived.baselines.values();
        let of = all.filter(|one| {
            one.tenant == *tenant && tables.derived.stands_for(one.identity) == identity
        });
        let mut list: Vec<BaselineRecord> = of.cloned().collect();
        list.sort_by_key(|one| (Reverse(one.version), one.identity));
        Ok(list)
    }

    fn charters(&self, tenant: &TenantId, name: Option<&str>) -> Stored<Vec<CharterRecord>> {
        let tables = self.tables();
        let of_tenant = tables.derived.charters.values();
        let mut list: Vec<CharterRecord> = of_tenant
            .filter(|charter| charter.tenant == *tenant)
            .filter(|charter| name.is_none_or(|name| charter.name == name))
            .cloned()
            .collect();
        list.sort_by_key(|charter| (charter.name.clone(), Reverse(charter.version)));
        Ok(list)
    }

    fn exceptions(&self, tenant: &TenantId) -> Stored<Vec<RuleException>> {
        let tables = self.tables();
        let all = tables.derived.exceptions.values().rev();
        Ok(all.filter(|it| it.tenant == *tenant).cloned().collect())
    }

    fn tokens(&self) -> Stored<Vec<TokenRecord>> {
        let mut list: Vec<_> = self.tables().tokens.values().cloned().collect();
        list.sort_by_key(|token| (Reverse(token.created), token.prefix.clone()));
        Ok(list)
    }

    fn token_by_hash(&self, hash: &str) -> Stored<Option<TokenRecord>> {
        Ok(self
            .tables()
            .tokens
            .values()
            .find(|token| token.hash == hash)
            .cloned())
    }

    fn put_token(&self, token: TokenRecord) -> Stored<()> {
        let mut tables = self.tables();
        if tables.tokens.contains_key(&token.prefix) {
            return Err(refused("UNIQUE constraint failed: tokens.prefix"));
        }
        tables.tokens.insert(token.prefix.clone(), token);
        Ok(())
    }

    fn touch_token(&self, prefix: &str, at: Timestamp) -> Stored<()> {
        if let Some(token) = self.tables().tokens.get_mut(prefix) {
            token.last_used = token.last_used.max(Some(at));
        }
        Ok(())
    }

    fn revoke_token(&self, prefix: &str, at: Timestamp) -> Stored<bool> {
        let mut tables = self.tables();
        let good = tables
            .tokens
            .get_mut(prefix)
            .filter(|token| token.revoked.is_none());
        Ok(good.map(|token| token.revoked = Some(at)).is_some())
    }

    fn put_sign_in_link(&self, link: SignInLink) -> Stored<()> {
        let links = &mut self.tables().sign_in_links;
        links.retain(|_, known| known.principal != link.principal);
        links.insert(link.hash.clone(), link);
        Ok(())
    }

    fn take_sign_in_link(&self, hash: &str, now: Timestamp) -> Stored<Option<SignInLink>> {
        let link = self.tables().sign_in_links.remove(hash);
        Ok(link.filter(|link| now < link.ends))
    }

    fn put_session(&self, session: WebSession) -> Stored<()> {
        self.tables().sessions.insert(session.hash.clone(), session);
        Ok(())
    }

    fn session_by_hash(&self, hash: &str) -> Stored<Option<WebSession>> {
        Ok(self.tables().sessions.get(hash).cloned())
    }

    fn touch_session(&self, hash: &str, at: Timestamp) -> Stored<()> {
        if let Some(session) = self.tables().sessions.get_mut(hash) {
            session.last_used = session.last_used.max(at);
        }
        Ok(())
    }

    fn end_session(&self, hash: &str) -> Stored<()> {
        self.tables().sessions.remove(hash);
        Ok(())
    }

    fn put_snapshot(&self, name: &str, position: Sequence, bytes: &[u8]) -> Stored<()> {
        let snapshot = (position, bytes.to_vec());
        self.tables()
            .derived
            .snapshots
            .insert(name.to_owned(), snapshot);
        Ok(())
    }

    fn snapshot(&self, name: &str) -> Stored<Option<(Sequence, Vec<u8>)>> {
        Ok(self.tables().derived.snapshots.get(name).cloned())
    }

    fn stored_bytes(&self) -> Stored<u64> {
        let tables = self.tables();
        let snapshots = tables.derived.snapshots.values();
        Ok(snapshots.map(|(_, bytes)| bytes.len() as u64).sum())
    }

    fn setting(&self, name: &str) -> Stored<Option<String>> {
        Ok(self.tables().settings.get(name).cloned())
    }

    fn put_setting(&self, name: &str, value: &str) -> Stored<()> {
        self.tables()
            .settings
            .insert(name.to_owned(), value.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_contract() {
        crate::store_contract::check(&|| Box::new(MemoryStore::default()));
    }
}
