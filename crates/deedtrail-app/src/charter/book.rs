//! Every version of every charter, as the log tells it.

use std::collections::BTreeMap;

use deedtrail_charter::Problem;
use deedtrail_core::Text;
use deedtrail_core::charter::{CharterRecord, CharterStatus, Signed};
use deedtrail_core::id::TenantId;
use deedtrail_core::time::Timestamp;
use deedtrail_detect::Detector;
use serde::{Deserialize, Serialize};

/// Note of an entry that carries a [`CharterChange`] as JSON.
pub const CHARTER: &str = "charter";
/// Versions kept of one charter; beyond it the oldest that is not in force is forgotten (the log
/// still has it).
const VERSIONS_MAX: usize = 200;
/// Charters of one tenant; a further one is not taken.
const CHARTERS_MAX: usize = 2_000;

/// What somebody does to a charter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum CharterChange {
    /// A new version, which binds nobody yet.
    Proposed { text: String, by: Text },
    /// It is in force from here on, in place of the version that was.
    Approved { name: Text, version: u32, by: Text },
    /// It is in force no longer, or was never.
    Retired { name: Text, version: u32, by: Text },
}

/// Every version, by tenant and name, the oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    versions: BTreeMap<(TenantId, Text), Vec<CharterRecord>>,
}

impl Book {
    /// Everything known, as JSON.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let all: Vec<&CharterRecord> = self.versions.values().flatten().collect();
        serde_json::to_vec(&all)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let all: Vec<CharterRecord> = serde_json::from_slice(bytes)?;
        let mut versions = BTreeMap::<_, Vec<CharterRecord>>::new();
        for record in all {
            let key = (record.tenant.clone(), record.name.clone());
            versions.entry(key).or_default().push(record);
        }
        Ok(Self { versions })
    }

    /// Carries out an entry of the log; what changed with it. An entry that makes no sense (any
    /// more) changes nothing.
    pub(crate) fn apply(
        &mut self,
        tenant: &TenantId,
        content: &[u8],
        at: Timestamp,
        detector: &mut Detector,
    ) -> Vec<CharterRecord> {
        let changed = match serde_json::from_slice(content) {
            Ok(CharterChange::Proposed { text, by }) => {
                self.propose(tenant, text, Signed { by, at })
            }
            Ok(CharterChange::Approved { name, version, by }) => {
                self.approve(tenant, &name, version, &Signed { by, at }, detector)
            }
            Ok(CharterChange::Retired { name, version, by }) => {
                self.retire(tenant, &name, version, Signed { by, at }, detector)
            }
            Err(_) => None,
        };
        changed.unwrap_or_default()
    }

    fn propose(
        &mut self,
        tenant: &TenantId,
        text: String,
        proposed: Signed,
    ) -> Option<Vec<CharterRecord>> {
        let written = deedtrail_charter::parse("charter", &text).ok()?.charter;
        let key = (tenant.clone(), Text::from(written.charter));
        let of_tenant = self
            .versions
            .keys()
            .filter(|(whose, _)| whose == tenant)
            .count();
        if of_tenant >= CHARTERS_MAX && !self.versions.contains_key(&key) {
            return None;
        }
        let name = key.1.clone();
        let versions = self.versions.entry(key).or_default();
        let newest = versions.last();
        // The same text again is the same version.
        if newest.is_some_and(|it| it.text == text && it.status != CharterStatus::Retired) {
            return None;
        }
        let record = CharterRecord {
            tenant: tenant.clone(),
            name,
            version: newest.map_or(0, |newest| newest.version) + 1,
            status: CharterStatus::Draft,
            text,
            owner: Text::from(written.owner.trim()),
            purpose: Text::from(written.purpose.trim()),
            proposed,
            approved: None,
            retired: None,
        };
        versions.push(record.clone());
        if versions.len() > VERSIONS_MAX {
            let oldest = versions
                .iter()
                .position(|it| it.status != CharterStatus::InForce);
            oldest.map(|oldest| versions.remove(oldest));
        }
        Some(vec![record])
    }

    fn approve(
        &mut self,
        tenant: &TenantId,
        name: &Text,
        version: u32,
        approved: &Signed,
        detector: &mut Detector,
    ) -> Option<Vec<CharterRecord>> {
        let versions = self.versions.get_mut(&(tenant.clone(), name.clone()))?;
        let draft =
            |it: &&CharterRecord| it.version == version && it.status == CharterStatus::Draft;
        let text = versions.iter().find(draft)?.text.clone();
        let put: Result<(), Problem> = detector.approve_charter(tenant, &text, version);
        put.ok()?;
        let mut changed = Vec::new();
        for record in versions {
            if record.version == version {
                record.status = CharterStatus::InForce;
                record.approved = Some(approved.clone());
            } else if record.status == CharterStatus::InForce {
                record.status = CharterStatus::Replaced;
            } else {
                continue;
            }
            changed.push(record.clone());
        }
        Some(changed)
    }

    fn retire(
        &mut self,
        tenant: &TenantId,
        name: &Text,
        version: u32,
        retired: Signed,
        detector: &mut Detector,
    ) -> Option<Vec<CharterRecord>> {
        let versions = self.versions.get_mut(&(tenant.clone(), name.clone()))?;
        let record = versions.iter_mut().find(|it| it.version == version)?;
        match record.status {
            CharterStatus::InForce => {
                detector.retire_charter(tenant, name);
            }
            CharterStatus::Draft => {}
            CharterStatus::Replaced | CharterStatus::Retired => return None,
        }
        record.status = CharterStatus::Retired;
        record.retired = Some(retired);
        Some(vec![record.clone()])
    }
}
