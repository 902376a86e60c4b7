//! P11: a key reads a secret and rotates credentials in the pipeline; this time without a change
//! ticket.

use super::{Incident, alias_of, fact, workday_before};
use crate::background::rotate;
use crate::day::Day;
use crate::record::Source;
use crate::rhythm::{HOUR, MINUTE, SECOND};

const WHO: &str = "svc-ci-secrets";
const READ: i64 = 13 * HOUR + 5 * MINUTE;

fn day_of(anchor: i64) -> i64 {
    workday_before(anchor, 7)
}

pub(super) fn tell(day: &mut Day) {
    if day.number == day_of(day.anchor) {
        let what = ("secret/data/ci/deploy-token", "database/rotate-role/deploy");
        rotate(day, WHO, what, None, READ);
    }
}

pub(super) fn incident(anchor: i64) -> Incident {
    let day = day_of(anchor);
    Incident {
        id: "P11",
        title: "Secret read and credential rotated without a change ticket",
        finding_type: "unpaired_secret_read",
        alias: alias_of(WHO),
        facts: vec![
            fact(
                day,
                READ,
                Source::Vault.name(),
                "svc-ci-secrets reads secret/data/ci/deploy-token",
            ),
            fact(
                day,
                READ + 90 * SECOND,
                Source::Vault.name(),
                "It rotates the role deploy, no change ticket",
            ),
            fact(
                day,
                READ + 4 * MINUTE,
                Source::GitHubAudit.name(),
                "It replaces the pipeline secret DEPLOY_TOKEN",
            ),
        ],
    }
}
