//! The sparse months before: enough to know who was there and when.

use super::{DENSE_DAYS, batch, people};
use crate::background::apps::{app_sign_in, vendor_network};
use crate::day::Day;
use crate::incident;
use crate::organisation::PEOPLE;
use crate::record::Source;
use crate::record::kubernetes::{self, Request};
use crate::rhythm::{HOUR, arrival, timer, weekday};

pub(super) fn tell(day: &mut Day) {
    if day.is_workday() {
        for _ in 0..4 {
            let person = day.chance.pick(&PEOPLE);
            let origin = people::whereabouts(day, person);
            let arrives = arrival(person, &mut day.chance);
            people::sign_in(day, person, &origin, arrives);
        }
    }
    batch::backup(day);
    batch::quarterly_report(day);
    if day.number <= incident::archive_connector_last_day(day.anchor) && weekday(day.number) < 5 {
        let of_day = timer(1, 0, 30, &mut day.chance);
        let origin = vendor_network("archive-connector");
        app_sign_in(
            day,
            "archive-connector",
            &origin,
            "Office 365 Exchange Online",
            of_day,
        );
    }
    if day.ago() == DENSE_DAYS + 1 {
        retire_ledger_sync(day);
    }
}

/// The day its deployment was deleted.
fn retire_ledger_sync(day: &mut Day) {
    day.put(Source::Kubernetes, 15 * HOUR, |at, chance| {
        let request = Request {
            username: "mara.lind@larkfield.example",
            verb: "delete",
            version: "apps/v1",
            resource: "deployments",
            namespace: "finance",
            name: "ledger-sync",
            code: 200,
            ip: "192.0.2.16",
            user_agent: "kubectl/v1.34.1 (linux/amd64)",
        };
        kubernetes::event(at, &request, chance)
    });
}
