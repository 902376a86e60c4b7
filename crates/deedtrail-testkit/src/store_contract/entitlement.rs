//! What identities may do.

use deedtrail_core::entitlement::{Effect, Entitlement, Grant, ImportName};
use deedtrail_core::event::Alias;
use deedtrail_core::id::{AliasUid, TenantId};
use deedtrail_core::port::store::{ImportedEntitlements, Progress, Store};

use super::{Outcome, second};

fn alias(value: &str) -> Alias {
    Alias {
        namespace: "email".into(),
        value: value.into(),
    }
}

fn uid(value: &str) -> AliasUid {
    AliasUid::of(&TenantId::default(), "email", value)
}

fn name(account: &str) -> ImportName {
    ImportName {
        kind: "list".into(),
        account: account.into(),
    }
}

/// What an import of `account` says at `at`: keys and who holds each.
fn said(account: &str, at: i64, grants: &[(&str, &[&str])]) -> ImportedEntitlements {
    let tenant = TenantId::default();
    let entitlement = |(key, holders): &(&str, &[&str])| Entitlement {
        id: Entitlement::id_of(&tenant, &name(account), key),
        tenant: tenant.clone(),
        import: name(account),
        first_imported: second(at),
        imported: second(at),
        grant: Grant {
            key: (*key).into(),
            system: "shop".into(),
            permissions: vec!["orders:read".into(), "orders:*".into()],
            scope: vec!["eu".into()],
            effect: Effect::Deny,
            expires: Some(second(99)),
            holders: holders.iter().map(|holder| alias(holder)).collect(),
            ..Grant::default()
        },
    };
    ImportedEntitlements {
        tenant: tenant.clone(),
        import: name(account),
        at: second(at),
        entitlements: grants.iter().map(entitlement).collect(),
    }
}

fn saved(said: Vec<ImportedEntitlements>) -> Progress {
    Progress {
        entitlements: said,
        ..Progress::default()
    }
}

pub(super) fn imports_replace_each_other(store: &dyn Store) -> Outcome {
    let tenant = TenantId::default();
    assert_eq!(store.entitlement_imports(&tenant)?, []);
    let first = said("a", 1, &[("k1", &["ana", "Bo"]), ("k2", &["ana"])]);
    let elsewhere = said("b", 2, &[("k1", &["bo"])]);
    store.save(saved(vec![first.clone(), elsewhere.clone()]))?;
    assert_eq!(store.entitlements(&tenant, &name("a"))?, first.entitlements);
    let held = store.entitlements_of(&tenant, &[uid("bo"), uid("nobody")])?;
    let mut of_bo = first.entitlements[0].clone();
    of_bo.grant.holders = vec![alias("Bo")];
    assert_eq!(held, [of_bo, elsewhere.entitlements[0].clone()]);

    let second_time = said("a", 5, &[("k1", &["bo"]), ("k3", &["cy"])]);
    store.save(saved(vec![second_time.clone()]))?;
    let mut now = second_time.entitlements;
    now[0].first_imported = second(1);
    assert_eq!(store.entitlements(&tenant, &name("a"))?, now);
    assert_eq!(store.entitlements_of(&tenant, &[uid("ana")])?, []);
    let imports = store.entitlement_imports(&tenant)?;
    let told = imports
        .iter()
        .map(|told| (&*told.import.account, told.imported, told.grants));
    assert!(told.eq([("a", second(5), 2), ("b", second(2), 1)]));
    assert_eq!(imports[0].systems, ["shop"]);

    let other = TenantId::new("other").unwrap_or_default();
    assert_eq!(store.entitlements(&other, &name("a"))?, []);
    assert_eq!(store.entitlements_of(&other, &[uid("bo")])?, []);
    assert_eq!(store.entitlement_imports(&other)?, []);
    store.save(saved(vec![said("a", 6, &[])]))?;
    assert_eq!(store.entitlements(&tenant, &name("a"))?, []);
    assert_eq!(store.entitlement_imports(&tenant)?.len(), 2);
    store.forget_derived()?;
    assert_eq!(store.entitlement_imports(&tenant)?, []);
    assert_eq!(store.entitlements_of(&tenant, &[uid("bo")])?, []);
    Ok(())
}
