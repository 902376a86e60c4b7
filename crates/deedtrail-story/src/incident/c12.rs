//! C12: a contractor opens a link with a token in it, then a sensitive portal refuses the account
//! from a network it was never seen on.

use super::{Fact, Incident, fact, workday_before};
use crate::background::{click, session_of, whereabouts};
use crate::day::Day;
use crate::organisation::{QUAYMARK, person};
use crate::record::defender::Click;
use crate::record::{Source, okta};
use crate::rhythm::{HOUR, MINUTE};

const WHO: &str = "tomas.reyl";
const CLICKED: i64 = 10 * HOUR;
const REFUSED: i64 = 10 * HOUR + 7 * MINUTE;

fn day_of(anchor: i64) -> i64 {
    workday_before(anchor, 8)
}

pub(super) fn tell(day: &mut Day) {
    if day.number != day_of(day.anchor) {
        return;
    }
    let contractor = person(WHO);
    let message = day.chance.uuid();
    let url = [
        "https://session-portal.example/start?token=",
        &day.chance.hex(40),
    ]
    .concat();
    let opened = Click {
        person: contractor,
        url: &url,
        workload: "Email",
        ip: &whereabouts(day, contractor).ip,
        action: "ClickAllowed",
        clicked_through: true,
        threat: "",
        message: &message,
    };
    click(day, &opened, CLICKED);
    let session = session_of(day, contractor);
    day.put(Source::Okta, REFUSED, |at, chance| {
        let act = okta::app_refused(("treasury", "Treasury Portal"), &session);
        okta::event(at, contractor, &QUAYMARK.origin(), &act, chance)
    });
}

pub(super) fn incident(anchor: i64) -> Incident {
    let day = day_of(anchor);
    Incident {
        id: "C12",
        title: "Contractor opens a token-bearing link, then the treasury portal refuses the account from an unknown network",
        finding_type: "token_link_use",
        alias: ["email:", &person(WHO).email()].concat(),
        facts: facts(day),
    }
}

fn facts(day: i64) -> Vec<Fact> {
    vec![
        fact(
            day,
            CLICKED,
            Source::Defender.name(),
            "Tomas Reyl opens a link that carries a token",
        ),
        fact(
            day,
            REFUSED,
            Source::Okta.name(),
            "Treasury Portal refuses access (403) from AS64510, never seen for this account",
        ),
    ]
}
