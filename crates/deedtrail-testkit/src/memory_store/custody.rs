//! Audit entries by what they are about.

use std::collections::BTreeSet;

use deedtrail_core::custody::{Act, CustodyQuery, Subject};
use deedtrail_core::id::TenantId;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::time::Timestamp;

use super::MemoryStore;
use super::tables::Derived;

impl MemoryStore {
    /// Makes the custody of these entries due, as an upgrade does.
    pub fn make_custody_due(&self, sequences: impl IntoIterator<Item = Sequence>) {
        let mut tables = self.tables();
        tables.derived.custody.clear();
        tables.derived.custody_due.extend(sequences);
    }
}

pub(super) fn of(derived: &Derived, query: &CustodyQuery<'_>) -> Vec<Sequence> {
    let of = derived.custody.iter().filter(|entry| {
        entry.tenant == *query.tenant
            && query.subjects.contains(&entry.subject)
            && query.acts.contains(&entry.act)
    });
    let sequences: BTreeSet<Sequence> = of.map(|entry| entry.sequence).collect();
    sequences.into_iter().rev().take(query.limit).collect()
}

pub(super) fn last_view(
    derived: &Derived,
    (tenant, subject, who): (&TenantId, &Subject, &str),
) -> Option<Timestamp> {
    let views = derived.custody.iter().filter(|entry| {
        entry.act == Act::View
            && entry.tenant == *tenant
            && entry.subject == *subject
            && entry.who == who
    });
    let newest = views.max_by_key(|entry| entry.sequence);
    newest.map(|entry| entry.at)
}

pub(super) fn due(derived: &Derived, from: Sequence, limit: usize) -> Vec<Sequence> {
    let due = derived.custody_due.range(from..).copied();
    due.take(limit).collect()
}
