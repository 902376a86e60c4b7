//! B12: a read-only integration fails to change a configuration, then tries to write.

use super::{Incident, alias_of, fact, workday_before};
use crate::background::data_call;
use crate::day::Day;
use crate::organisation::{machine, private_ip};
use crate::record::Source;
use crate::record::cloudtrail::{self, Caller};
use crate::rhythm::{HOUR, MINUTE, SECOND};

const WHO: &str = "inventory-reader";
const STARTED: i64 = 15 * HOUR + 31 * MINUTE;

struct Attempt {
    after: i64,
    call: (&'static str, &'static str, bool),
    target: &'static str,
    refused: bool,
    text: &'static str,
}

const ATTEMPTS: [Attempt; 5] = [
    Attempt {
        after: 0,
        call: ("rds", "ModifyDBInstance", false),
        target: "orders",
        refused: true,
        text: "inventory-reader fails to change the settings of database orders",
    },
    Attempt {
        after: 95 * SECOND,
        call: ("dynamodb", "PutItem", false),
        target: "stock",
        refused: true,
        text: "It tries to write to table stock: refused",
    },
    Attempt {
        after: 130 * SECOND,
        call: ("dynamodb", "UpdateItem", false),
        target: "stock",
        refused: true,
        text: "It tries again: refused",
    },
    Attempt {
        after: 170 * SECOND,
        call: ("dynamodb", "BatchWriteItem", false),
        target: "prices",
        refused: true,
        text: "It tries to write to table prices: refused",
    },
    Attempt {
        after: 260 * SECOND,
        call: ("s3", "PutObject", false),
        target: "partner-portal/stock.json",
        refused: false,
        text: "It writes partner-portal/stock.json: nobody had refused that",
    },
];

fn day_of(anchor: i64) -> i64 {
    workday_before(anchor, 9)
}

pub(super) fn tell(day: &mut Day) {
    if day.number != day_of(day.anchor) {
        return;
    }
    let ip = private_ip(WHO, 1);
    for attempt in &ATTEMPTS {
        day.put(Source::CloudTrail, STARTED + attempt.after, |at, chance| {
            let mut call = data_call(attempt.call, attempt.target, &ip);
            call.error = attempt.refused.then_some("AccessDenied");
            let caller = Caller::Role(machine(WHO), "inventory-reader-1");
            cloudtrail::record(at, &caller, &call, chance)
        });
    }
}

pub(super) fn incident(anchor: i64) -> Incident {
    let day = day_of(anchor);
    Incident {
        id: "B12",
        title: "Read-only integration tries to write after a failed configuration change",
        finding_type: "control_gap",
        alias: alias_of(WHO),
        facts: ATTEMPTS
            .iter()
            .map(|attempt| {
                let at = STARTED + attempt.after;
                fact(day, at, Source::CloudTrail.name(), attempt.text)
            })
            .collect(),
    }
}
