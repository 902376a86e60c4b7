//! Learned behaviour, forecasts and baselines.

use deedtrail_core::behaviour::{
    ActiveDay, Baseline, BaselineRecord, BaselineWithdrawal, BudgetForecast, Drift, Forecast,
    IdentityBehaviour, Readiness, Rise, UnusualDay, WeekDistance, Withdrawal,
};
use deedtrail_core::charter::Signed;
use deedtrail_core::id::{FindingId, IdentityId, TenantId};
use deedtrail_core::identity::Merge;
use deedtrail_core::port::store::{BehaviourOrder, Progress, Store};

use super::{Outcome, identity, second};

fn known(number: u8, score: f64, ready: bool) -> IdentityBehaviour {
    let weeks = [0.1, 0.2, score];
    IdentityBehaviour {
        tenant: TenantId::default(),
        identity: IdentityId::from_bytes([number; 16]),
        at: second(i64::from(number)),
        days: vec![ActiveDay {
            day: 20_000,
            events: 3,
        }],
        unusual: vec![UnusualDay {
            day: 20_000,
            sessions: 2,
        }],
        sources: vec![],
        chartered: false,
        peer_group: "service 'quoted' é".into(),
        readiness: Readiness {
            sessions: 21,
            sequence: ready,
            threshold: ready,
            ..Readiness::default()
        },
        drift: Some(Drift {
            score,
            noise: 0.1,
            trend: 0.05,
            weeks: (2_900..)
                .zip(weeks)
                .map(|(week, distance)| WeekDistance { week, distance })
                .collect(),
            rising: vec![Rise {
                action: "aws secret_read".to_owned(),
                before: 0.0,
                now: 0.5,
            }],
        }),
    }
}

/// What is known is replaced; who drifts farthest comes first; a rebuild forgets.
pub(super) fn behaviour_is_replaced(store: &dyn Store) -> Outcome {
    let tenant = TenantId::default();
    let all = [
        known(1, 0.3, true),
        known(2, 0.15, true),
        known(3, 0.6, false),
    ];
    let forecast = Forecast {
        at: second(9),
        days: 30,
        sessions: 900,
        in_force: 2.0,
        budgets: vec![BudgetForecast {
            per_day: 1,
            alerts: 20,
        }],
        ..Forecast::default()
    };
    store.save(Progress {
        through: 1,
        behaviours: all.to_vec(),
        forecasts: vec![forecast.clone()],
        ..Progress::default()
    })?;
    let [first, second, third] = all;
    assert_eq!(
        store.behaviour(&tenant, first.identity)?,
        Some(first.clone())
    );
    assert_eq!(
        store.behaviours(&tenant, BehaviourOrder::Drifting, 9)?,
        [third.clone(), first.clone()]
    );
    assert_eq!(
        store.behaviours(&tenant, BehaviourOrder::Drifting, 1)?,
        std::slice::from_ref(&third)
    );
    let newest = store.behaviours(&tenant, BehaviourOrder::Newest, 2)?;
    assert_eq!(newest, [third.clone(), second.clone()]);
    assert_eq!(store.forecast(&tenant)?, Some(forecast));
    let settled = known(1, 0.15, true);
    store.save(Progress {
        through: 2,
        behaviours: vec![settled.clone()],
        ..Progress::default()
    })?;
    assert_eq!(store.behaviour(&tenant, first.identity)?, Some(settled));
    assert_eq!(
        store
            .behaviours(&tenant, BehaviourOrder::Drifting, 9)?
            .len(),
        1
    );
    let elsewhere: TenantId = "elsewhere".to_owned().try_into().unwrap_or_default();
    assert_eq!(store.behaviour(&elsewhere, first.identity)?, None);
    assert_eq!(store.forecast(&elsewhere)?, None);
    let listed = store.behaviours(&elsewhere, BehaviourOrder::Newest, 9)?;
    assert_eq!(listed, []);
    store.forget_derived()?;
    assert_eq!(store.behaviour(&tenant, first.identity)?, None);
    assert_eq!(store.forecast(&tenant)?, None);
    Ok(())
}

/// What was learned of the one merged is told of the other, also when the merge was undone in the
/// same batch: otherwise it would matter where the log was cut into batches.
pub(super) fn behaviour_goes_with_a_merge(store: &dyn Store) -> Outcome {
    let tenant = TenantId::default();
    let [kept, merged] = ["kept", "merged"].map(|name| identity(name, 1));
    let ids = [kept.0.id, merged.0.id];
    let of = |id| IdentityBehaviour {
        identity: id,
        ..known(1, 0.1, true)
    };
    store.save(Progress {
        through: 1,
        identities: vec![kept.0, merged.0],
        aliases: vec![kept.1, merged.1],
        behaviours: ids.map(of).to_vec(),
        ..Progress::default()
    })?;
    store.save(Progress {
        through: 2,
        merges: vec![Merge {
            kept: ids[0],
            merged: ids[1],
            reason: "one person".into(),
            at: second(5),
            aliases: vec![],
            credentials: vec![],
            undone: Some(second(6)),
        }],
        ..Progress::default()
    })?;
    assert_eq!(store.behaviour(&tenant, ids[0])?, Some(of(ids[0])));
    assert_eq!(store.behaviour(&tenant, ids[1])?, None);
    Ok(())
}

/// They are numbered in the order of the log, and the newest comes first.
pub(super) fn baselines_are_kept(store: &dyn Store) -> Outcome {
    let version = |version, by: &str| BaselineRecord {
        tenant: TenantId::default(),
        identity: IdentityId::from_bytes([1; 16]),
        version,
        owner: Some("ana".into()),
        approved: Signed {
            by: by.into(),
            at: second(3),
        },
        baseline: Baseline {
            events: 7,
            actions: [("aws read".into(), 7)].into(),
            ..Baseline::default()
        },
        accepted_findings: vec![FindingId::from_bytes([9; 16])],
        withdrawn: None,
    };
    let unnumbered = |record: &BaselineRecord| BaselineRecord {
        version: 0,
        ..record.clone()
    };
    let (first, second) = (version(1, "ana"), version(2, "ben"));
    store.save(Progress {
        through: 1,
        baselines: vec![unnumbered(&first), unnumbered(&second)],
        ..Progress::default()
    })?;
    let tenant = TenantId::default();
    assert_eq!(
        store.baselines(&tenant, first.identity)?,
        [second.clone(), first.clone()]
    );
    let withdrawn = |version, reason: &str| BaselineWithdrawal {
        tenant: tenant.clone(),
        identity: first.identity,
        version,
        withdrawal: Withdrawal {
            signed: Signed {
                by: "cem".into(),
                at: self::second(4),
            },
            reason: reason.into(),
        },
    };
    for (through, reason) in [(2, "an 'intrusion'"), (3, "again")] {
        store.save(Progress {
            through,
            baselines_withdrawn: vec![withdrawn(2, reason), withdrawn(7, "not there")],
            ..Progress::default()
        })?;
    }
    let gone = BaselineRecord {
        withdrawn: Some(withdrawn(2, "an 'intrusion'").withdrawal),
        ..second
    };
    assert_eq!(
        store.baselines(&tenant, first.identity)?,
        [gone, first.clone()]
    );
    let other = IdentityId::from_bytes([2; 16]);
    assert_eq!(store.baselines(&tenant, other)?, []);
    let elsewhere: TenantId = "elsewhere".to_owned().try_into().unwrap_or_default();
    assert_eq!(store.baselines(&elsewhere, first.identity)?, []);
    store.forget_derived()?;
    assert_eq!(store.baselines(&tenant, first.identity)?, []);
    Ok(())
}
