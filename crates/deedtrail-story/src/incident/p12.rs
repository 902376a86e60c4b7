//! P12: a workload identity is used from another service and reads outside its usual pattern.

use super::{Incident, alias_of, fact, workday_before};
use crate::background::data_call;
use crate::day::Day;
use crate::organisation::{machine, private_ip};
use crate::record::Source;
use crate::record::cloudtrail::{self, Caller};
use crate::rhythm::{HOUR, MINUTE};

const WHO: &str = "search-indexer";
/// The service that borrows the identity.
const BORROWER: &str = "report-preview";
const STARTED: i64 = 14 * HOUR + 20 * MINUTE;
const READS: [(i64, &str, &str, &str); 8] = [
    (0, "dynamodb", "DescribeTable", "customers"),
    (1, "dynamodb", "Scan", "customers"),
    (3, "dynamodb", "Scan", "customers"),
    (6, "dynamodb", "GetItem", "payment-methods"),
    (7, "dynamodb", "GetItem", "payment-methods"),
    (11, "s3", "GetObject", "customer-exports/all.csv"),
    (15, "s3", "GetObject", "customer-exports/addresses.csv"),
    (21, "dynamodb", "Scan", "payment-methods"),
];

fn day_of(anchor: i64) -> i64 {
    workday_before(anchor, 5)
}

pub(super) fn tell(day: &mut Day) {
    if day.number != day_of(day.anchor) {
        return;
    }
    let ip = private_ip(BORROWER, 4);
    for (minutes, service, name, target) in READS {
        day.put(
            Source::CloudTrail,
            STARTED + minutes * MINUTE,
            |at, chance| {
                let mut call = data_call((service, name, true), target, &ip);
                call.user_agent =
                    "Boto3/1.34.9 md/Botocore#1.34.9 ua/2.0 os/linux lang/python#3.11";
                let caller = Caller::Role(machine(WHO), BORROWER);
                cloudtrail::record(at, &caller, &call, chance)
            },
        );
    }
}

pub(super) fn incident(anchor: i64) -> Incident {
    let day = day_of(anchor);
    Incident {
        id: "P12",
        title: "Search indexer's identity is used by another service and reads customer data",
        finding_type: "new_resource_class",
        alias: alias_of(WHO),
        facts: READS
            .iter()
            .map(|(minutes, service, name, target)| {
                let text = [
                    BORROWER,
                    " as search-indexer: ",
                    service,
                    ":",
                    name,
                    " on ",
                    target,
                ];
                let at = STARTED + minutes * MINUTE;
                fact(day, at, Source::CloudTrail.name(), &text.concat())
            })
            .collect(),
    }
}
