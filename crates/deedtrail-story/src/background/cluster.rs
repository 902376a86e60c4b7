//! Service accounts at the Kubernetes API and at Vault.

use crate::background::batch::vault_act;
use crate::day::Day;
use crate::organisation::private_ip;
use crate::record::Source;
use crate::record::kubernetes::{self, Request};
use crate::rhythm::{HOUR, MINUTE, SECOND, timer};

/// (namespace, account, verb, version, resource, name)
type Habit = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const HABITS: [Habit; 12] = [
    (
        "shop",
        "payments-api",
        "get",
        "v1",
        "configmaps",
        "payments-config",
    ),
    (
        "shop",
        "web-frontend",
        "get",
        "v1",
        "configmaps",
        "web-config",
    ),
    ("shop", "cart", "get", "v1", "configmaps", "cart-config"),
    (
        "shop",
        "search-indexer",
        "get",
        "v1",
        "configmaps",
        "search-config",
    ),
    (
        "shop",
        "recommendation",
        "get",
        "v1",
        "configmaps",
        "recommendation-config",
    ),
    (
        "shop",
        "fraud-scorer",
        "get",
        "v1",
        "configmaps",
        "fraud-config",
    ),
    ("monitoring", "prometheus", "list", "v1", "pods", ""),
    ("monitoring", "prometheus", "list", "v1", "endpoints", ""),
    (
        "cert-manager",
        "cert-manager",
        "list",
        "cert-manager.io/v1",
        "certificates",
        "",
    ),
    (
        "deploy",
        "deploy-controller",
        "list",
        "apps/v1",
        "deployments",
        "",
    ),
    ("ci", "build-runner", "list", "v1", "pods", ""),
    ("ci", "build-runner", "create", "v1", "pods", "build-job"),
];

pub(super) fn tell(day: &mut Day) {
    for (place, habit) in (0_i64..).zip(&HABITS) {
        for hour in (0..24).step_by(3) {
            let of_day = timer(hour, place % 7 * 8 + 1, 30, &mut day.chance);
            // A conflict or a missing object now and then.
            let code = if day.chance.in_thousand(8) { 404 } else { 200 };
            request(day, habit, code, of_day);
        }
    }
    renew_certificate(day);
    secrets(day);
}

fn request(day: &mut Day, habit: &Habit, code: u16, of_day: i64) {
    let (namespace, account, verb, version, resource, name) = *habit;
    let username = ["system:serviceaccount:", namespace, ":", account].concat();
    let ip = private_ip(account, day.number.cast_unsigned() % 3);
    day.put(Source::Kubernetes, of_day, |at, chance| {
        let request = Request {
            username: &username,
            verb,
            version,
            resource,
            namespace,
            name,
            code: if verb == "create" && code == 200 {
                201
            } else {
                code
            },
            ip: &ip,
            user_agent: "Go-http-client/2.0",
        };
        kubernetes::event(at, &request, chance)
    });
}

fn renew_certificate(day: &mut Day) {
    let of_day = timer(2, 40, 20, &mut day.chance);
    for (seconds, verb) in [(0, "get"), (2, "update")] {
        let habit = (
            "cert-manager",
            "cert-manager",
            verb,
            "v1",
            "secrets",
            "shop-tls",
        );
        request(day, &habit, 200, of_day + seconds * SECOND);
    }
}

/// Services fetch their own secrets when a pod starts and every six hours.
fn secrets(day: &mut Day) {
    for hour in [1, 7, 13, 19] {
        for (minute, name, path) in [
            (12, "payments-api", "secret/data/shop/payments"),
            (18, "fraud-scorer", "secret/data/shop/fraud"),
            (24, "build-runner", "secret/data/ci/registry"),
        ] {
            let of_day = timer(hour, minute, 20, &mut day.chance);
            vault_act(day, name, ("read", "kv", path), None, of_day);
            let renewal = ("update", "token", "auth/token/renew-self");
            vault_act(day, name, renewal, None, of_day + HOUR + MINUTE);
        }
    }
}
