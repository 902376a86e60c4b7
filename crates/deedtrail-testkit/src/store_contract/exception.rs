//! Exceptions to rules.

use deedtrail_core::charter::Signed;
use deedtrail_core::exception::{ExceptionCondition, ExceptionEffect, RuleException};
use deedtrail_core::id::TenantId;
use deedtrail_core::port::store::{Progress, Store};

use super::{Outcome, second};

fn exception(tenant: &str, number: u32) -> RuleException {
    RuleException {
        tenant: tenant.to_owned().try_into().unwrap_or_default(),
        number,
        rule: "area/rule".into(),
        conditions: vec![ExceptionCondition {
            field: "actor".into(),
            pattern: "ci-* 'quoted' é".into(),
        }],
        owner: "owner@example.com".into(),
        reason: "nightly".into(),
        made: Signed {
            by: "ana".into(),
            at: second(1),
        },
        expires: second(100),
        ended: None,
        effect: ExceptionEffect::default(),
    }
}

/// They come back the newest first; a change of one replaces it; a rebuild forgets.
pub(super) fn exceptions_are_kept(store: &dyn Store) -> Outcome {
    let save = |exceptions: Vec<RuleException>| {
        store.save(Progress {
            through: 1,
            exceptions,
            ..Progress::default()
        })
    };
    let (first, second_one) = (exception("default", 1), exception("default", 2));
    let elsewhere = exception("elsewhere", 1);
    save(vec![first.clone(), second_one.clone(), elsewhere.clone()])?;
    let tenant = TenantId::default();
    assert_eq!(
        store.exceptions(&tenant)?,
        [second_one.clone(), first.clone()]
    );
    assert_eq!(store.exceptions(&elsewhere.tenant)?, [elsewhere]);
    let held = RuleException {
        effect: ExceptionEffect {
            held_back: 7,
            first: Some(second(2)),
            last: Some(second(9)),
            last_event: None,
            newest: Vec::new(),
        },
        ..first
    };
    save(vec![held.clone()])?;
    assert_eq!(store.exceptions(&tenant)?, [second_one, held]);
    store.forget_derived()?;
    assert_eq!(store.exceptions(&tenant)?, []);
    Ok(())
}
