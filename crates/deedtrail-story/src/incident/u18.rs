//! U18: an application's token is used after 140 silent days, from a network it never used.

use super::{Incident, alias_of, fact};
use crate::background::{app_sign_in, vendor_network};
use crate::day::Day;
use crate::organisation::BRIGHTMOOR;
use crate::record::Source;
use crate::rhythm::{HOUR, MINUTE};

const WHO: &str = "archive-connector";
const STARTED: i64 = 3 * HOUR + 14 * MINUTE;
const SILENT_DAYS: i64 = 140;
const RESOURCES: [(i64, &str); 3] = [
    (0, "Microsoft Graph"),
    (2, "Office 365 Exchange Online"),
    (9, "Office 365 SharePoint Online"),
];

fn day_of(anchor: i64) -> i64 {
    anchor - 1
}

/// The last day of the application's ordinary use.
pub(crate) fn archive_connector_last_day(anchor: i64) -> i64 {
    day_of(anchor) - SILENT_DAYS
}

pub(super) fn tell(day: &mut Day) {
    if day.number == archive_connector_last_day(day.anchor) {
        let home = vendor_network(WHO);
        app_sign_in(day, WHO, &home, "Office 365 Exchange Online", STARTED);
    }
    if day.number == day_of(day.anchor) {
        for (minutes, resource) in RESOURCES {
            let of_day = STARTED + minutes * MINUTE;
            app_sign_in(day, WHO, &BRIGHTMOOR.origin(), resource, of_day);
        }
    }
}

pub(super) fn incident(anchor: i64) -> Incident {
    let last_use = archive_connector_last_day(anchor);
    let mut facts = vec![fact(
        last_use,
        STARTED,
        Source::Entra.name(),
        "Last ordinary sign-in of archive-connector, from AS64505",
    )];
    facts.extend(RESOURCES.iter().map(|(minutes, resource)| {
        let text = ["archive-connector signs in to ", resource, " from AS65540"].concat();
        fact(
            day_of(anchor),
            STARTED + minutes * MINUTE,
            Source::Entra.name(),
            &text,
        )
    }));
    Incident {
        id: "U18",
        title: "Archive application's token is used after 140 silent days from a new network",
        finding_type: "dormant_reactivation",
        alias: alias_of(WHO),
        facts,
    }
}
