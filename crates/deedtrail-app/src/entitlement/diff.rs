//! What an import would change, before it does.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use deedtrail_core::Text;
use deedtrail_core::entitlement::{Entitlement, Grant};
use deedtrail_core::event::Alias;

use crate::identity::FieldChange;

/// Changes of a kind that are listed; all are counted.
const LISTED_MAX: usize = 500;
/// Values of a field that a change names.
const NAMED_MAX: usize = 8;

/// What an import changes of what the one before it said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EntitlementDiff {
    /// The first 500 of each kind.
    pub added: Vec<GrantChange>,
    pub removed: Vec<GrantChange>,
    pub changed: Vec<GrantChange>,
    pub added_total: u64,
    pub removed_total: u64,
    pub changed_total: u64,
    pub unchanged_total: u64,
}

/// A grant that comes, goes or changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GrantChange {
    pub key: Text,
    pub system: Text,
    /// Effect, permissions and scope in a few words.
    pub what: String,
    pub via: Option<Text>,
    /// How many hold it.
    pub holders: u64,
    /// What changes; empty for one that comes or goes.
    pub fields: Vec<FieldChange>,
}

impl EntitlementDiff {
    /// Whether the import changes nothing.
    pub const fn is_empty(&self) -> bool {
        self.added_total + self.removed_total + self.changed_total == 0
    }
}

/// Compares what is stored of an import with what its file says now.
pub(super) fn diff(before: &[Entitlement], now: &[Grant]) -> EntitlementDiff {
    let mut gone: BTreeMap<&str, &Grant> = BTreeMap::new();
    for entitlement in before {
        gone.insert(&entitlement.grant.key, &entitlement.grant);
    }
    let mut diff = EntitlementDiff::default();
    for grant in now {
        match gone.remove(grant.key.as_str()) {
            None => {
                diff.added_total += 1;
                list(&mut diff.added, || change(grant, Vec::new()));
            }
            Some(before) => {
                let fields = fields(before, grant);
                if fields.is_empty() {
                    diff.unchanged_total += 1;
                } else {
                    diff.changed_total += 1;
                    list(&mut diff.changed, || change(grant, fields));
                }
            }
        }
    }
    diff.removed_total = gone.len() as u64;
    for grant in gone.values() {
        list(&mut diff.removed, || change(grant, Vec::new()));
    }
    diff
}

/// Who holds something that comes, goes or changes.
pub(super) fn concerned(before: &[Entitlement], now: &[Grant]) -> BTreeSet<Alias> {
    let mut gone: BTreeMap<&str, &Grant> = BTreeMap::new();
    for entitlement in before {
        gone.insert(&entitlement.grant.key, &entitlement.grant);
    }
    let mut concerned = BTreeSet::new();
    for grant in now {
        let Some(before) = gone.remove(grant.key.as_str()) else {
            concerned.extend(grant.holders.iter().cloned());
            continue;
        };
        let changes = fields(before, grant);
        if changes.iter().any(|change| change.field != "holders") {
            concerned.extend(before.holders.iter().chain(&grant.holders).cloned());
        } else if !changes.is_empty() {
            let held = |side: &Grant, other: &Grant| -> Vec<Alias> {
                let only = side.holders.iter().filter(|it| !other.holders.contains(it));
                only.cloned().collect()
            };
            concerned.extend(held(before, grant));
            concerned.extend(held(grant, before));
        }
    }
    let lost = gone
        .values()
        .flat_map(|grant| grant.holders.iter().cloned());
    concerned.extend(lost);
    concerned
}

fn list(changes: &mut Vec<GrantChange>, change: impl FnOnce() -> GrantChange) {
    if changes.len() < LISTED_MAX {
        changes.push(change());
    }
}

fn change(grant: &Grant, fields: Vec<FieldChange>) -> GrantChange {
    GrantChange {
        key: grant.key.clone(),
        system: grant.system.clone(),
        what: what(grant),
        via: grant.via.clone(),
        holders: grant.holders.len() as u64,
        fields,
    }
}

/// Effect, permissions and scope in a few words.
pub(super) fn what(grant: &Grant) -> String {
    let except = |flag: bool| if flag { "everything but " } else { "" };
    let scope = if grant.scope.is_empty() {
        String::new()
    } else {
        let listed = few(grant.scope.iter().map(Text::to_string));
        format!(" on {}{listed}", except(grant.scope_except))
    };
    let permissions = few(grant.permissions.iter().map(Text::to_string));
    let effect = grant.effect.name();
    format!(
        "{effect} {}{permissions}{scope}",
        except(grant.permissions_except)
    )
}

/// The first of several, and how many more there are.
fn few(values: impl Iterator<Item = String>) -> String {
    let values: Vec<String> = values.collect();
    let shown = values.iter().take(NAMED_MAX).cloned();
    let shown = shown.collect::<Vec<_>>().join(", ");
    match values.len().saturating_sub(NAMED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn fields(before: &Grant, now: &Grant) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    let texts = |list: &[Text]| list.iter().map(Text::to_string).collect::<BTreeSet<_>>();
    let holders = |list: &[Alias]| {
        let shown = list.iter().map(|a| format!("{}:{}", a.namespace, a.value));
        shown.collect::<BTreeSet<_>>()
    };
    let lists = [
        (
            "permissions",
            texts(&before.permissions),
            texts(&now.permissions),
        ),
        (
            "operations",
            texts(&before.operations),
            texts(&now.operations),
        ),
        ("scope", texts(&before.scope), texts(&now.scope)),
        (
            "conditions",
            texts(&before.conditions),
            texts(&now.conditions),
        ),
        ("holders", holders(&before.holders), holders(&now.holders)),
    ];
    for (field, before, after) in lists {
        if before != after {
            changes.push(FieldChange {
                field,
                before: few(before.difference(&after).cloned()),
                after: few(after.difference(&before).cloned()),
            });
        }
    }
    let plain = |grant: &Grant| {
        let text = |text: &Option<Text>| text.as_deref().unwrap_or_default().to_owned();
        let time = |at: Option<deedtrail_core::time::Timestamp>| {
            at.map(|at| at.to_string()).unwrap_or_default()
        };
        let except = |flag: bool| if flag { "all but these" } else { "these" }.to_owned();
        [
            ("system", grant.system.to_string()),
            ("effect", grant.effect.name().to_owned()),
            ("permissions_except", except(grant.permissions_except)),
            ("scope_except", except(grant.scope_except)),
            ("via", text(&grant.via)),
            ("granted", time(grant.granted)),
            ("granted_by", text(&grant.granted_by)),
            ("justification", text(&grant.justification)),
            ("expires", time(grant.expires)),
        ]
    };
    for ((field, before), (_, after)) in plain(before).into_iter().zip(plain(now)) {
        if before != after {
            changes.push(FieldChange {
                field,
                before,
                after,
            });
        }
    }
    changes
}
