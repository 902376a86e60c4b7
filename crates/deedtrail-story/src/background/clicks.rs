//! Links people open in mail and chat, and the scanner that opens them first.

use crate::background::people::{session_of, whereabouts};
use crate::day::Day;
use crate::organisation::{PEOPLE, Person, stable_hex};
use crate::record::defender::{self, Click};
use crate::record::{Source, okta};
use crate::rhythm::{MINUTE, SECOND, arrival, office_moment};

const LINKS: [&str; 8] = [
    "https://handbook.larkfield.example/travel",
    "https://calendar.larkfield.example/room/3",
    "https://suppliers.example/offer/2231",
    "https://news.example/logistics/week",
    "https://parcel.example/track/88121",
    "https://survey.example/s/team",
    "https://invoices.example/open/5512",
    "https://training.example/course/7",
];
/// The mail scanner's address.
const SCANNER_IP: &str = "2001:db8:5ca::17";

pub(super) fn tell(day: &mut Day) {
    let clicks = if day.is_workday() {
        day.chance.between(12, 22)
    } else {
        day.chance.between(0, 3)
    };
    for _ in 0..clicks {
        let person = day.chance.pick(&PEOPLE);
        ordinary(day, person);
    }
    if day.is_workday() {
        let person = day.chance.pick(&PEOPLE);
        token_link(day, person);
    }
}

/// An opened link; every sixth was opened by the scanner seconds after delivery.
fn ordinary(day: &mut Day, person: &'static Person) {
    let url = *day.chance.pick_skewed(&LINKS);
    let workload = *day.chance.pick_skewed(&["Email", "Teams", "Office"]);
    let arrives = arrival(person, &mut day.chance);
    let moment = office_moment(person, arrives, &mut day.chance);
    let ip = whereabouts(day, person).ip;
    let message = day.chance.uuid();
    if day.chance.in_thousand(170) {
        let delivered = moment - day.chance.between(2, 40) * MINUTE;
        let scan = Click {
            person,
            url,
            workload: "Email",
            ip: SCANNER_IP,
            action: "ClickAllowed",
            clicked_through: false,
            threat: "",
            message: &message,
        };
        click(day, &scan, delivered + 2 * SECOND);
    }
    let blocked = day.chance.in_thousand(25);
    let seen = Click {
        person,
        url: if blocked {
            "https://parcel-fee.example/pay"
        } else {
            url
        },
        workload,
        ip: &ip,
        action: if blocked {
            "ClickBlocked"
        } else {
            "ClickAllowed"
        },
        clicked_through: false,
        threat: if blocked { "Phish" } else { "" },
        message: &message,
    };
    click(day, &seen, moment);
}

pub(crate) fn click(day: &mut Day, click: &Click<'_>, of_day: i64) {
    day.put(Source::Defender, of_day, |at, chance| {
        defender::row(at, click, chance)
    });
}

/// The address of a person's share at the forwarder: always the same, with a token in it.
pub(super) fn share_link(person: &Person) -> String {
    [
        "https://files.example/share?token=",
        &stable_hex(person.login, 32),
    ]
    .concat()
}

/// A link with a token in it, then an ordinary sign-in from the same place: harmless.
pub(super) fn token_link(day: &mut Day, person: &'static Person) {
    let arrives = arrival(person, &mut day.chance);
    let moment = office_moment(person, arrives, &mut day.chance);
    let origin = whereabouts(day, person);
    let url = share_link(person);
    let message = day.chance.uuid();
    let opened = Click {
        person,
        url: &url,
        workload: "Email",
        ip: &origin.ip,
        action: "ClickAllowed",
        clicked_through: true,
        threat: "",
        message: &message,
    };
    click(day, &opened, moment);
    let session = session_of(day, person);
    day.put(Source::Okta, moment + 3 * MINUTE, |at, chance| {
        let app = super::people::APPS[0];
        okta::event(at, person, &origin, &okta::open_app(app, &session), chance)
    });
}
