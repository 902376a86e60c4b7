//! Records that were sent again, by tenant and source.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use deedtrail_core::id::{SourceName, TenantId};

type Counts = BTreeMap<TenantId, BTreeMap<SourceName, u64>>;

/// How many came since they were last noted in the log.
#[derive(Debug, Default)]
pub struct Repeats(Mutex<Counts>);

impl Repeats {
    pub(crate) fn count(&self, tenant: &TenantId, source: &SourceName, records: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_tenant = counts.entry(tenant.clone()).or_default();
        *of_tenant.entry(source.clone()).or_default() += records;
    }

    pub(crate) fn take(&self) -> Counts {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
