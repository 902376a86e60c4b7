//! C13: a click, then six failed sign-ins from another network within twenty minutes.

use super::{Incident, fact, workday_before};
use crate::background::{click, whereabouts};
use crate::day::Day;
use crate::organisation::{VELLUM, person};
use crate::record::defender::Click;
use crate::record::{Source, entra};
use crate::rhythm::{HOUR, MINUTE};

const WHO: &str = "ines.calder";
const CLICKED: i64 = 9 * HOUR + 12 * MINUTE;
/// Minutes after the click.
const FAILURES: [i64; 6] = [6, 8, 9, 12, 15, 18];

fn day_of(anchor: i64) -> i64 {
    workday_before(anchor, 6)
}

pub(super) fn tell(day: &mut Day) {
    if day.number != day_of(day.anchor) {
        return;
    }
    let clerk = person(WHO);
    let message = day.chance.uuid();
    let opened = Click {
        person: clerk,
        url: "https://larkfield-signin.example/office/verify",
        workload: "Email",
        ip: &whereabouts(day, clerk).ip,
        action: "ClickAllowed",
        clicked_through: true,
        threat: "",
        message: &message,
    };
    click(day, &opened, CLICKED);
    for minutes in FAILURES {
        day.put(Source::Entra, CLICKED + minutes * MINUTE, |at, chance| {
            let origin = VELLUM.origin();
            entra::person_sign_in(
                at,
                clerk,
                &origin,
                "Office 365",
                entra::WRONG_PASSWORD,
                chance,
            )
        });
    }
}

pub(super) fn incident(anchor: i64) -> Incident {
    let day = day_of(anchor);
    let mut facts = vec![fact(
        day,
        CLICKED,
        Source::Defender.name(),
        "Ines Calder opens a link to a look-alike sign-in page",
    )];
    facts.extend(FAILURES.map(|minutes| {
        let at = CLICKED + minutes * MINUTE;
        fact(
            day,
            at,
            Source::Entra.name(),
            "Sign-in with a wrong password from AS64511",
        )
    }));
    Incident {
        id: "C13",
        title: "Click, then six failed sign-ins from another network: the password was harvested",
        finding_type: "credential_harvest",
        alias: ["email:", &person(WHO).email()].concat(),
        facts,
    }
}
