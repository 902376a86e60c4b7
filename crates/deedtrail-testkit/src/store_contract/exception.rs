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

/// They come back the newest first; a change of one replaces it; one that was over for long goes; a
/// rebuild forgets.
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
    assert_eq!(
        store.exceptions(&elsewhere.tenant)?,
        std::slice::from_ref(&elsewhere)
    );
    let held = RuleException {
        effect: ExceptionEffect {
            held_back: 7,
            first: Some(second(2)),
            last: Some(second(9)),
            last_event: None,
            newest: Vec::new(),
        },
        ..first.clone()
    };
    save(vec![held.clone()])?;
    assert_eq!(
        store.exceptions(&tenant)?,
        [second_one.clone(), held.clone()]
    );
    let ended = RuleException {
        ended: Some(Signed {
            by: "ana".into(),
            at: second(50),
        }),
        ..held
    };
    save(vec![ended.clone()])?;
    let left_over = |before| {
        store.save(Progress {
            through: 1,
            exceptions_over_before: Some(second(before)),
            ..Progress::default()
        })?;
        store.exceptions(&tenant)
    };
    assert_eq!(left_over(50)?, [second_one.clone(), ended]);
    assert_eq!(left_over(51)?, std::slice::from_ref(&second_one));
    assert_eq!(left_over(100)?, [second_one]);
    assert_eq!(store.exceptions(&elsewhere.tenant)?.len(), 1);
    assert_eq!(left_over(101)?, []);
    assert_eq!(store.exceptions(&elsewhere.tenant)?, []);
    save(vec![first])?;
    store.forget_derived()?;
    assert_eq!(store.exceptions(&tenant)?, []);
    Ok(())
}
