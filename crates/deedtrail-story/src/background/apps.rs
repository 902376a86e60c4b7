//! OAuth applications signing in to Microsoft 365 on their own behalf.

use crate::day::Day;
use crate::organisation::{Origin, machine};
use crate::record::{Source, entra, m365};
use crate::rhythm::{SECOND, timer};

/// The network a vendor's application comes from.
fn vendor_network(app: &str) -> Origin {
    let (ip, asn, as_org) = match app {
        "calendar-sync" => ("2001:db8:ca1::20", 64504, "Calendarium"),
        "crm-connector" => ("2001:db8:c73::20", 64506, "Salesmoor"),
        _ => ("2001:db8:5aa5::20", 64508, "Broadloom Hosting"),
    };
    Origin {
        ip: ip.to_owned(),
        asn,
        as_org,
        country: "IE",
        city: "Dublin",
        user_agent: "msal-node/3.8.0",
        managed: false,
    }
}

/// What an application does each time: resource it signs in to, hours between two times, and the
/// file it works on; two applications sign in and do nothing.
struct Habit {
    app: &'static str,
    resource: &'static str,
    every_hours: usize,
    work: Option<(&'static str, (&'static str, &'static str))>,
}

const HABITS: [Habit; 5] = [
    Habit {
        app: "calendar-sync",
        resource: "Microsoft Graph",
        every_hours: 1,
        work: Some(("FileModified", ("company", "Room calendar.ics"))),
    },
    Habit {
        app: "crm-connector",
        resource: "Microsoft Graph",
        every_hours: 2,
        work: Some(("FileAccessed", ("sales", "Contacts.xlsx"))),
    },
    Habit {
        app: "expense-app",
        resource: "Microsoft Graph",
        every_hours: 4,
        work: Some(("FileModified", ("finance", "Expenses.xlsx"))),
    },
    Habit {
        app: "slide-maker",
        resource: "Office 365 SharePoint Online",
        every_hours: 5,
        work: None,
    },
    Habit {
        app: "survey-tool",
        resource: "Microsoft Graph",
        every_hours: 6,
        work: None,
    },
];

pub(super) fn tell(day: &mut Day) {
    for habit in &HABITS {
        if !day.is_workday() && habit.every_hours > 2 {
            continue;
        }
        let app = machine(habit.app);
        let origin = vendor_network(habit.app);
        for hour in (6..20).step_by(habit.every_hours) {
            let of_day = timer(hour, 30, 50, &mut day.chance);
            day.put(Source::Entra, of_day, |at, chance| {
                entra::app_sign_in(at, app, &origin, habit.resource, chance)
            });
            if let Some((operation, file)) = habit.work {
                day.put(Source::M365, of_day + 2 * SECOND, |at, chance| {
                    m365::app_file(at, app, &origin, operation, file, chance)
                });
            }
        }
    }
}
