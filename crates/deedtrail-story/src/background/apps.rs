//! OAuth applications signing in to Microsoft 365 on their own behalf.

use crate::day::Day;
use crate::organisation::{Origin, machine};
use crate::record::{Source, entra};
use crate::rhythm::timer;

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

fn app_sign_in(day: &mut Day, app: &str, origin: &Origin, resource: &'static str, of_day: i64) {
    day.put(Source::Entra, of_day, |at, chance| {
        entra::app_sign_in(at, machine(app), origin, resource, chance)
    });
}

pub(super) fn tell(day: &mut Day) {
    let office_hours: &[(&str, &str, i64)] = &[
        ("calendar-sync", "Microsoft Graph", 1),
        ("crm-connector", "Microsoft Graph", 2),
        ("expense-app", "Microsoft Graph", 4),
        ("slide-maker", "Office 365 SharePoint Online", 5),
        ("survey-tool", "Microsoft Graph", 6),
    ];
    for (app, resource, every_hours) in office_hours {
        if !day.is_workday() && *every_hours > 2 {
            continue;
        }
        let origin = vendor_network(app);
        for hour in (6..20).step_by(usize::try_from(*every_hours).unwrap_or(1)) {
            let of_day = timer(hour, 30, 50, &mut day.chance);
            app_sign_in(day, app, &origin, resource, of_day);
        }
    }
}
