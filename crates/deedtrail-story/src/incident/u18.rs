//! U18: a service account's API token is used after 140 silent days, from a network it never
//! used.

use super::{Incident, alias_of, fact};
use crate::day::Day;
use crate::organisation::{BRIGHTMOOR, Origin, PEOPLE, machine};
use crate::record::{Source, okta};
use crate::rhythm::{HOUR, MINUTE, weekday};

const WHO: &str = "svc-profile-sync";
const STARTED: i64 = 3 * HOUR + 14 * MINUTE;
const SILENT_DAYS: i64 = 140;

const UPDATE: okta::Verb = (
    "user.account.update_profile",
    "Update user profile for Okta",
);
/// Minutes after the start, what, to whom.
const ACTS: [(i64, okta::Verb, usize); 4] = [
    (0, UPDATE, 12),
    (
        2,
        ("group.user_membership.add", "Add user to group membership"),
        12,
    ),
    (9, UPDATE, 13),
    (
        11,
        ("group.user_membership.add", "Add user to group membership"),
        13,
    ),
];

fn day_of(anchor: i64) -> i64 {
    anchor - 1
}

/// The last day of its ordinary use.
fn last_day(anchor: i64) -> i64 {
    day_of(anchor) - SILENT_DAYS
}

/// The personnel system's own network.
fn home() -> Origin {
    Origin {
        ip: "2001:db8:9e5::20".to_owned(),
        asn: 64505,
        as_org: "Kellerworks Personnel",
        country: "IE",
        city: "Dublin",
        user_agent: "okta-sdk-python/2.9.8",
        managed: false,
    }
}

fn act(day: &mut Day, origin: &Origin, verb: okta::Verb, target: usize, of_day: i64) {
    let target = &PEOPLE[target % PEOPLE.len()];
    day.put(Source::Okta, of_day, |at, chance| {
        okta::token_event(at, machine(WHO), origin, verb, target, chance)
    });
}

/// Until it fell silent it updated somebody's profile every weekday night.
pub(crate) fn profile_sync_at_work(day: &mut Day) {
    let last = last_day(day.anchor);
    if day.number == last || day.number < last && weekday(day.number) < 5 {
        let target = usize::try_from(day.number % 5).unwrap_or(0);
        act(day, &home(), UPDATE, target, STARTED);
    }
}

pub(super) fn tell(day: &mut Day) {
    if day.number == day_of(day.anchor) {
        for (minutes, verb, target) in ACTS {
            act(
                day,
                &BRIGHTMOOR.origin(),
                verb,
                target,
                STARTED + minutes * MINUTE,
            );
        }
    }
}

pub(super) fn incident(anchor: i64) -> Incident {
    let last_use = last_day(anchor);
    let mut facts = vec![fact(
        last_use,
        STARTED,
        Source::Okta.name(),
        "Last ordinary use of svc-profile-sync's token, from AS64505",
    )];
    facts.extend(ACTS.iter().map(|(minutes, (event_type, _), _)| {
        let text = [
            "svc-profile-sync's token is used from AS65540: ",
            event_type,
        ]
        .concat();
        let at = STARTED + minutes * MINUTE;
        fact(day_of(anchor), at, Source::Okta.name(), &text)
    }));
    Incident {
        id: "U18",
        title: "Service account's token is used after 140 silent days from a new network",
        finding_type: "dormant_reactivation",
        alias: alias_of(WHO),
        facts,
    }
}
