//! U12: a token signs in every hour though its workload was deleted sixty days ago. Its records
//! are part of every day's background; the deletion and the declaration make it an incident.

use super::{Incident, alias_of, fact};
use crate::background::DENSE_DAYS;
use crate::day::Day;
use crate::organisation::person;
use crate::record::Source;
use crate::record::kubernetes::{self, Request};
use crate::rhythm::{HOUR, MINUTE};

const WHO: &str = "svc-ledger-sync";

/// The day its deployment was deleted.
pub(super) fn tell(day: &mut Day) {
    if day.ago() != DENSE_DAYS {
        return;
    }
    let admin = person("mara.lind");
    day.put(Source::Kubernetes, 15 * HOUR, |at, chance| {
        let request = Request {
            username: &admin.email(),
            verb: "delete",
            version: "apps/v1",
            resource: "deployments",
            namespace: "finance",
            name: "ledger-sync",
            code: 200,
            ip: &admin.at_office().ip,
            user_agent: "kubectl/v1.34.1 (linux/amd64)",
        };
        kubernetes::event(at, &request, chance)
    });
}

pub(super) fn incident(anchor: i64) -> Incident {
    let deleted = anchor - DENSE_DAYS;
    let last = anchor - 1;
    let login = "svc-ledger-sync's token signs in, as every hour";
    Incident {
        id: "U12",
        title: "Token signs in every hour for a workload deleted sixty days ago",
        finding_type: "zombie_credential",
        alias: alias_of(WHO),
        facts: vec![
            fact(
                deleted,
                15 * HOUR,
                Source::Kubernetes.name(),
                "The deployment finance/ledger-sync is deleted",
            ),
            fact(last, 23 * HOUR + 7 * MINUTE, Source::Vault.name(), login),
        ],
    }
}
