//! P9: a documentation account authenticates to the build system and changes a production
//! deployment manifest, which it never did.

use super::{Incident, alias_of, fact, workday_before};
use crate::background::{bot_push, roll_out, token_act};
use crate::day::Day;
use crate::record::Source;
use crate::rhythm::{HOUR, MINUTE, SECOND};

const WHO: &str = "svc-docs-sync";
const SIGNED_IN: i64 = 21 * HOUR + 48 * MINUTE;
const PUSHED: i64 = SIGNED_IN + 5 * MINUTE;
const ROLLED_OUT: i64 = PUSHED + 3 * MINUTE;

fn day_of(anchor: i64) -> i64 {
    workday_before(anchor, 4)
}

pub(super) fn tell(day: &mut Day) {
    if day.number != day_of(day.anchor) {
        return;
    }
    token_act(day, WHO, ("git.clone", "deploy"), SIGNED_IN);
    token_act(day, WHO, ("git.push", "deploy"), PUSHED - SECOND);
    let change = ("deploy", "deploy/prod/app.yaml");
    bot_push(day, WHO, change, "Update image reference", PUSHED);
    roll_out(day, ROLLED_OUT, "shop-app");
}

pub(super) fn incident(anchor: i64) -> Incident {
    let day = day_of(anchor);
    Incident {
        id: "P9",
        title: "Documentation account changes the production deployment manifest",
        finding_type: "deployment_manifest_change",
        alias: alias_of(WHO),
        facts: vec![
            fact(
                day,
                SIGNED_IN,
                Source::GitHubAudit.name(),
                "svc-docs-sync authenticates and clones the deploy repository",
            ),
            fact(
                day,
                PUSHED,
                Source::GitHubWebhook.name(),
                "It pushes a change to deploy/prod/app.yaml",
            ),
            fact(
                day,
                ROLLED_OUT,
                Source::Kubernetes.name(),
                "The deploy controller rolls the change out to production",
            ),
        ],
    }
}
