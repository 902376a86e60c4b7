//! Queue workers and the shop's services at their data, all day long.

use crate::background::batch::data_call;
use crate::day::Day;
use crate::organisation::{machine, private_ip};
use crate::record::Source;
use crate::record::cloudtrail::{self, Caller};
use crate::rhythm::{HOUR, SECOND};

type Step = (&'static str, &'static str, bool, &'static str);

struct Worker {
    name: &'static str,
    /// Rounds on a workday; two thirds of it at the weekend.
    rounds: i64,
    steps: &'static [Step],
}

const WORKERS: [Worker; 10] = [
    Worker {
        name: "svc-order-worker",
        rounds: 11,
        steps: &[
            ("sqs", "ReceiveMessage", false, "orders"),
            ("dynamodb", "PutItem", false, "bookings"),
            ("sqs", "DeleteMessage", false, "orders"),
        ],
    },
    Worker {
        name: "svc-invoice-worker",
        rounds: 7,
        steps: &[
            ("sqs", "ReceiveMessage", false, "invoices"),
            ("s3", "PutObject", false, "invoices/invoice.pdf"),
        ],
    },
    Worker {
        name: "svc-notify-worker",
        rounds: 7,
        steps: &[
            ("sqs", "ReceiveMessage", false, "notices"),
            ("ses", "SendEmail", false, "larkfield.example"),
        ],
    },
    Worker {
        name: "svc-image-worker",
        rounds: 5,
        steps: &[
            ("s3", "GetObject", true, "pictures/original.png"),
            ("s3", "PutObject", false, "pictures/small.png"),
        ],
    },
    Worker {
        name: "payments-api",
        rounds: 8,
        steps: &[
            ("dynamodb", "GetItem", true, "payment-methods"),
            ("dynamodb", "PutItem", false, "payments"),
        ],
    },
    Worker {
        name: "web-frontend",
        rounds: 8,
        steps: &[("s3", "GetObject", true, "catalogue/pages.json")],
    },
    Worker {
        name: "cart",
        rounds: 8,
        steps: &[
            ("dynamodb", "GetItem", true, "baskets"),
            ("dynamodb", "UpdateItem", false, "baskets"),
        ],
    },
    Worker {
        name: "search-indexer",
        rounds: 8,
        steps: &[
            ("dynamodb", "Query", true, "products"),
            ("s3", "GetObject", true, "catalogue/products.json"),
            ("s3", "PutObject", false, "search-index/segment.bin"),
        ],
    },
    Worker {
        name: "fraud-scorer",
        rounds: 7,
        steps: &[
            ("dynamodb", "GetItem", true, "orders"),
            ("dynamodb", "UpdateItem", false, "scores"),
        ],
    },
    Worker {
        name: "inventory-reader",
        rounds: 10,
        steps: &[
            ("dynamodb", "GetItem", true, "stock"),
            ("dynamodb", "Query", true, "stock"),
        ],
    },
];

pub(super) fn tell(day: &mut Day) {
    for worker in &WORKERS {
        let rounds = if day.is_workday() {
            worker.rounds + day.chance.between(-2, 3)
        } else {
            worker.rounds * 2 / 3
        };
        for _ in 0..rounds {
            let start = demand(day);
            round(day, worker, start);
        }
    }
}

/// Customers are awake from 07:00 to 22:00 UTC, most of them in the afternoon.
fn demand(day: &mut Day) -> i64 {
    if day.chance.in_thousand(400) {
        day.chance.between(7 * HOUR, 22 * HOUR)
    } else {
        7 * HOUR + day.chance.hump(15 * HOUR)
    }
}

fn round(day: &mut Day, worker: &Worker, start: i64) {
    let pod = day.chance.next() % 3;
    let ip = private_ip(worker.name, pod);
    let session = [worker.name, "-", &pod.to_string()].concat();
    for (place, (service, name, read_only, target)) in (0_i64..).zip(worker.steps) {
        let error = slip(day, name);
        day.put(Source::CloudTrail, start + place * SECOND, |at, chance| {
            let mut call = data_call((service, name, *read_only), target, &ip);
            call.error = error;
            call.user_agent = "Boto3/1.40.3 md/Botocore#1.40.3 ua/2.1 os/linux lang/python#3.13";
            let caller = Caller::Role(machine(worker.name), &session);
            cloudtrail::record(at, &caller, &call, chance)
        });
    }
}

/// Throttling and missing objects at the usual rate.
fn slip(day: &mut Day, name: &str) -> Option<&'static str> {
    if name == "GetObject" && day.chance.in_thousand(15) {
        Some("NoSuchKey")
    } else if day.chance.in_thousand(6) {
        Some("ThrottlingException")
    } else {
        None
    }
}
