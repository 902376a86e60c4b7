//! Versions of charters.

use deedtrail_core::charter::{CharterRecord, CharterStatus, Signed};
use deedtrail_core::id::TenantId;
use deedtrail_core::port::store::{Progress, Store};

use super::{Outcome, second};

fn version(tenant: &str, name: &str, version: u32, status: CharterStatus) -> CharterRecord {
    let signed = |at: i64| Signed {
        by: "ana".into(),
        at: second(at),
    };
    CharterRecord {
        tenant: tenant.to_owned().try_into().unwrap_or_default(),
        name: name.into(),
        version,
        status,
        text: format!("charter: {name}\n# 'quoted' \"twice\" é\n"),
        owner: "owner@example.com".into(),
        purpose: "Deploys.".into(),
        proposed: signed(1),
        approved: (status != CharterStatus::Draft).then(|| signed(2)),
        retired: None,
    }
}

/// Versions come back by name, the newest first; a change of one replaces it; a rebuild forgets.
pub(super) fn versions_are_kept(store: &dyn Store) -> Outcome {
    let draft = version("default", "ci", 2, CharterStatus::Draft);
    let all = [
        version("default", "ci", 1, CharterStatus::InForce),
        draft.clone(),
        version("default", "agent", 1, CharterStatus::Draft),
        version("elsewhere", "ci", 1, CharterStatus::InForce),
    ];
    let save = |charters: Vec<CharterRecord>| {
        store.save(Progress {
            through: 1,
            charters,
            ..Progress::default()
        })
    };
    save(all.to_vec())?;
    let tenant = TenantId::default();
    let [first, _, agent, elsewhere] = all;
    assert_eq!(tenant, first.tenant);
    assert_eq!(
        store.charters(&tenant, None)?,
        [agent, draft.clone(), first.clone()]
    );
    assert_eq!(store.charters(&elsewhere.tenant, None)?, [elsewhere]);
    let replaced = CharterRecord {
        status: CharterStatus::Replaced,
        ..first
    };
    let approved = version("default", "ci", 2, CharterStatus::InForce);
    save(vec![replaced.clone(), approved.clone()])?;
    assert_eq!(store.charters(&tenant, Some("ci"))?, [approved, replaced]);
    assert_eq!(store.charters(&tenant, Some("unknown"))?, []);
    store.forget_derived()?;
    assert_eq!(store.charters(&tenant, None)?, []);
    Ok(())
}
