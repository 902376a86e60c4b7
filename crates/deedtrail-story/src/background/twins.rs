//! Look-alikes: days on which something resembles an incident and is none.

use serde_json::json;

use crate::background::clicks::{click, share_link};
use crate::background::people::{session_of, whereabouts};
use crate::day::Day;
use crate::organisation::{Origin, person};
use crate::record::cloudtrail::{self, Call, Caller};
use crate::record::defender::Click;
use crate::record::{Source, entra, okta};
use crate::rhythm::{HOUR, MINUTE, SECOND, weekday};

pub(super) fn tell(day: &mut Day) {
    if !day.is_workday() {
        return;
    }
    if weekday(day.number) == 3 {
        config_change_second_try(day);
    }
    match day.ago() % 20 {
        4 => contractor_opens_portal(day),
        9 => click_then_typing_mistake(day),
        13 => travel(day),
        _ => {}
    }
}

/// A human administrator's change fails for want of the right role, then succeeds.
fn config_change_second_try(day: &mut Day) {
    let admin = person("jonas.weil");
    let start = 13 * HOUR + day.chance.between(0, HOUR);
    let origin = whereabouts(day, admin);
    for (wait, role, error) in [
        (0, "Operator", Some("AccessDenied")),
        (4 * MINUTE, "Administrator", None),
    ] {
        day.put(Source::CloudTrail, start + wait, |at, chance| {
            let call = Call {
                service: "rds",
                name: "ModifyDBInstance",
                read_only: false,
                parameters: json!({ "dBInstanceIdentifier": "orders", "backupRetentionPeriod": 14 }),
                error,
                resource: None,
                ip: &origin.ip,
                user_agent: origin.user_agent,
            };
            cloudtrail::record(at, &Caller::SignedOn(admin, role), &call, chance)
        });
    }
}

/// A contractor opens a shared link, then the portal, from the same place, and is let in.
fn contractor_opens_portal(day: &mut Day) {
    let contractor = person("ana.sorel");
    let origin = whereabouts(day, contractor);
    let url = share_link(contractor);
    token_click(day, (contractor.login, &url), &origin, 11 * HOUR);
    let session = session_of(day, contractor);
    day.put(Source::Okta, 11 * HOUR + 6 * MINUTE, |at, chance| {
        let act = okta::open_app(("wiki", "Handbook"), &session);
        okta::event(at, contractor, &origin, &act, chance)
    });
}

/// A link, two typing mistakes from the same laptop, then in.
fn click_then_typing_mistake(day: &mut Day) {
    let clicker = person("greta.mohn");
    let origin = whereabouts(day, clicker);
    token_click(
        day,
        (clicker.login, "https://invoices.example/open/5530"),
        &origin,
        9 * HOUR,
    );
    for (wait, status) in [
        (2 * MINUTE, entra::WRONG_PASSWORD),
        (2 * MINUTE + 20 * SECOND, entra::WRONG_PASSWORD),
        (3 * MINUTE, entra::SUCCESS),
    ] {
        day.put(Source::Entra, 9 * HOUR + wait, |at, chance| {
            entra::person_sign_in(at, clicker, &origin, "Office 365", status, chance)
        });
    }
}

/// A salesman signs in from a hotel with the company laptop.
fn travel(day: &mut Day) {
    let traveller = person("noel.varga");
    let hotel = Origin {
        ip: "2001:db8:407e:1::9".to_owned(),
        asn: 64507,
        as_org: "Lanternhouse Hotels",
        country: "FR",
        city: "Lyon",
        ..traveller.at_office()
    };
    let session = [&session_of(day, traveller), "h"].concat();
    day.put(Source::Okta, 15 * HOUR, |at, chance| {
        okta::event(at, traveller, &hotel, &okta::sign_in(&session), chance)
    });
    day.put(Source::Entra, 15 * HOUR + MINUTE, |at, chance| {
        entra::person_sign_in(at, traveller, &hotel, "Office 365", entra::SUCCESS, chance)
    });
}

fn token_click(day: &mut Day, (login, url): (&str, &str), origin: &Origin, of_day: i64) {
    let message = day.chance.uuid();
    let opened = Click {
        person: person(login),
        url,
        workload: "Email",
        ip: &origin.ip,
        action: "ClickAllowed",
        clicked_through: true,
        threat: "",
        message: &message,
    };
    click(day, &opened, of_day);
}
