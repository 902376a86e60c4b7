//! Whether use of an entitlement would have been seen.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::entitlement::Grant;
use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::TenantId;
use deedtrail_core::time::Timestamp;

use crate::entitlement::matching::{is_data_permission, is_same_system};

/// Since when feeds show a system, and which planes of it.
#[derive(Debug)]
pub(in crate::entitlement) struct Watched {
    /// By system and plane: the oldest event of the feeds, and the newest.
    planes: BTreeMap<(Text, Text), (Timestamp, Timestamp)>,
    from: Timestamp,
}

impl Watched {
    pub(in crate::entitlement) fn of(
        health: &[SourceHealth],
        tenant: &TenantId,
        from: Timestamp,
    ) -> Self {
        let mut planes: BTreeMap<(Text, Text), (Timestamp, Timestamp)> = BTreeMap::new();
        for source in health.iter().filter(|source| source.tenant == *tenant) {
            let (first, last) = (
                source.first_event.or(source.first_received),
                source.last_event.max(source.last_received),
            );
            let Some((first, last)) = first.zip(last) else {
                continue;
            };
            for (system, seen) in &source.systems {
                for (plane, seen) in seen {
                    let last = seen.last.unwrap_or(last);
                    let known = planes.entry((system.clone(), plane.clone()));
                    let known = known.or_insert((first, last));
                    *known = (known.0.min(first), known.1.max(last));
                }
            }
        }
        Self { planes, from }
    }

    /// Since when the use of a grant would have been seen, or why that is not known.
    pub(in crate::entitlement) fn since(&self, grant: &Grant) -> Result<Timestamp, String> {
        let system = &grant.system;
        if system == "entra" {
            return Err("records of Entra seldom name the permission that was used".to_owned());
        }
        let data = needs_data(grant);
        let seen = self
            .planes
            .iter()
            .filter(|((of, plane), _)| is_same_system(system, of) && (!data || plane == "data"));
        let seen = seen.map(|(_, seen)| *seen);
        let seen = seen.reduce(|left, right| (left.0.min(right.0), left.1.max(right.1)));
        let what = if data { "data events" } else { "events" };
        match seen {
            None => Err(format!("no feed brings {what} of {system}")),
            Some((_, last)) if last < self.from => {
                Err(format!("no feed brought {what} of {system} in this time"))
            }
            Some((first, _)) => Ok(first),
        }
    }
}

/// Whether only events of the data plane show its use.
fn needs_data(grant: &Grant) -> bool {
    let mut permissions = grant.permissions.iter();
    match grant.system.as_str() {
        "aws" if !grant.permissions_except => permissions.all(|name| is_data_permission(name)),
        "github" => permissions.all(|name| name.starts_with("contents:")),
        _ => false,
    }
}
