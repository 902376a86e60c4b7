//! U12: a token signs in every hour though its workload was deleted sixty days ago. Its records
//! are part of every day's background; only the deletion and the declaration make it an incident.

use super::{Incident, alias_of, fact};
use crate::background::DENSE_DAYS;
use crate::record::Source;
use crate::rhythm::{HOUR, MINUTE};

const WHO: &str = "svc-ledger-sync";

pub(super) fn incident(anchor: i64) -> Incident {
    let deleted = anchor - DENSE_DAYS - 1;
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
