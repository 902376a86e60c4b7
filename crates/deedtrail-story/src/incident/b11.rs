//! B11: the deploy account follows its steps, but enumerates cloud roles fourteen times.

use super::{Incident, alias_of, fact, workday_before};
use crate::background::{ci_call, release};
use crate::day::Day;
use crate::record::Source;
use crate::rhythm::{HOUR, SECOND};

const WHO: &str = "ci-deployer";
const DEPLOYED: i64 = 16 * HOUR;
const ENUMERATED: i64 = DEPLOYED + 110 * SECOND;
const CALLS: i64 = 14;
/// Seconds between two calls.
const PACE: i64 = 23;

fn day_of(anchor: i64) -> i64 {
    workday_before(anchor, 2)
}

fn name_of(call: i64) -> &'static str {
    if call % 5 == 4 {
        "ListAttachedRolePolicies"
    } else {
        "ListRoles"
    }
}

pub(super) fn tell(day: &mut Day) {
    if day.number != day_of(day.anchor) {
        return;
    }
    release(day, DEPLOYED);
    for call in 0..CALLS {
        let of_day = ENUMERATED + call * PACE * SECOND;
        ci_call(
            day,
            (WHO, "deploy-77120"),
            ("iam", name_of(call), true),
            of_day,
        );
    }
}

pub(super) fn incident(anchor: i64) -> Incident {
    let day = day_of(anchor);
    Incident {
        id: "B11",
        title: "Deploy account enumerates cloud roles fourteen times beside its steps",
        finding_type: "enumeration",
        alias: alias_of(WHO),
        facts: (0..CALLS)
            .map(|call| {
                let at = ENUMERATED + call * PACE * SECOND;
                let text = ["ci-deployer calls iam:", name_of(call)].concat();
                fact(day, at, Source::CloudTrail.name(), &text)
            })
            .collect(),
    }
}
