//! People at work: signing in, opening applications, files and mail, code.

use super::Pushed;
use crate::chance::Chance;
use crate::day::Day;
use crate::organisation::{Origin, PEOPLE, Person, stable_number};
use crate::record::cloudtrail::{self, Call, Caller};
use crate::record::github_audit::{self, Entry};
use crate::record::github_webhook::{self, Push};
use crate::record::kubernetes::{self, Request};
use crate::record::{Source, entra, m365, okta};
use crate::rhythm::{MINUTE, SECOND, arrival, office_moment};

pub(crate) const APPS: [okta::App; 8] = [
    ("m365", "Microsoft 365"),
    ("github", "GitHub Enterprise"),
    ("wiki", "Handbook"),
    ("aws", "AWS IAM Identity Center"),
    ("crm", "Sales CRM"),
    ("hr", "People Portal"),
    ("expenses", "Expenses"),
    ("tickets", "Service Desk"),
];
pub(crate) const REPOSITORIES: [&str; 5] = ["shop", "payments", "web", "search", "infrastructure"];

const FILES: [(&str, &str); 12] = [
    ("company", "Handbook.docx"),
    ("company", "Holiday plan.xlsx"),
    ("engineering", "Roadmap.pptx"),
    ("engineering", "Incident review.docx"),
    ("finance", "Forecast.xlsx"),
    ("finance", "Invoices open.xlsx"),
    ("sales", "Pipeline.xlsx"),
    ("sales", "Price list.pdf"),
    ("support", "Answers.docx"),
    ("support", "Shift plan.xlsx"),
    ("company", "Travel policy.pdf"),
    ("engineering", "Interfaces.docx"),
];

/// Tells everybody's day and returns the pushes to code repositories, in no order.
pub(super) fn tell(day: &mut Day) -> Vec<Pushed> {
    let mut pushes = Vec::new();
    for person in &PEOPLE {
        let works = if day.is_workday() { 920 } else { 40 };
        if day.chance.in_thousand(works) {
            work(day, person, &mut pushes);
        }
    }
    pushes
}

/// One person's working day.
pub(super) fn work(day: &mut Day, person: &'static Person, pushes: &mut Vec<Pushed>) {
    let origin = whereabouts(day, person);
    let arrives = arrival(person, &mut day.chance);
    sign_in(day, person, &origin, arrives);
    office_work(day, person, &origin, arrives);
    if person.writes_code() {
        code(day, person, &origin, arrives, pushes);
    }
    if person.department == "Platform" {
        operate(day, person, &origin, arrives);
    }
}

/// Office on most workdays, home otherwise; the same place all day.
pub(crate) fn whereabouts(day: &Day, person: &Person) -> Origin {
    let mut chance = Chance::of(stable_number(person.login), day.number);
    if day.is_workday() && chance.in_thousand(650) {
        person.at_office()
    } else {
        person.at_home()
    }
}

/// The person's Okta session of that day.
pub(crate) fn session_of(day: &Day, person: &Person) -> String {
    let number = stable_number(person.login) * 1000 + day.number.cast_unsigned() % 1000;
    ["102", &number.to_string(), "Lk"].concat()
}

pub(super) fn sign_in(day: &mut Day, person: &Person, origin: &Origin, arrives: i64) {
    let session = session_of(day, person);
    // A typing mistake now and then, corrected at once.
    if day.chance.in_thousand(50) {
        day.put(Source::Okta, arrives - 25 * SECOND, |at, chance| {
            okta::event(at, person, origin, &okta::sign_in_failed(), chance)
        });
    }
    day.put(Source::Okta, arrives, |at, chance| {
        okta::event(at, person, origin, &okta::sign_in(&session), chance)
    });
}

fn office_work(day: &mut Day, person: &Person, origin: &Origin, arrives: i64) {
    let session = session_of(day, person);
    for _ in 0..day.chance.between(3, 6) {
        let app = *day.chance.pick_skewed(&APPS);
        let moment = office_moment(person, arrives, &mut day.chance);
        day.put(Source::Okta, moment, |at, chance| {
            okta::event(at, person, origin, &okta::open_app(app, &session), chance)
        });
    }
    day.put(Source::M365, arrives + 40 * SECOND, |at, chance| {
        m365::logged_in(at, person, origin, chance)
    });
    for _ in 0..day.chance.between(1, 4) {
        let moment = office_moment(person, arrives, &mut day.chance);
        day.put(Source::Entra, moment, |at, chance| {
            entra::person_sign_in(at, person, origin, "Office 365", entra::SUCCESS, chance)
        });
    }
    for _ in 0..day.chance.between(2, 6) {
        let moment = office_moment(person, arrives, &mut day.chance);
        document(day, person, origin, moment);
    }
    for _ in 0..day.chance.between(2, 6) {
        let moment = office_moment(person, arrives, &mut day.chance);
        let operation = *day.chance.pick_skewed(&["MailItemsAccessed", "Send"]);
        day.put(Source::M365, moment, |at, chance| {
            m365::mailbox(at, person, origin, operation, chance)
        });
    }
}

/// One file of the person's department or the company is opened, changed or fetched.
fn document(day: &mut Day, person: &Person, origin: &Origin, moment: i64) {
    let department = person.department.to_lowercase();
    let own: Vec<(&str, &str)> = FILES
        .iter()
        .copied()
        .filter(|(site, _)| *site == "company" || *site == department)
        .collect();
    let file = *day.chance.pick(&own);
    let operation = *day
        .chance
        .pick_skewed(&["FileAccessed", "FileModified", "FileDownloaded"]);
    day.put(Source::M365, moment, |at, chance| {
        m365::file(at, person, origin, operation, file, chance)
    });
}

/// The two repositories a person works on.
fn repositories_of(person: &Person) -> [&'static str; 2] {
    if person.department == "Platform" {
        ["infrastructure", "shop"]
    } else {
        let first = person.number() % 4;
        [REPOSITORIES[first], REPOSITORIES[(first + 1) % 4]]
    }
}

fn code(
    day: &mut Day,
    person: &'static Person,
    origin: &Origin,
    arrives: i64,
    pushes: &mut Vec<Pushed>,
) {
    let repositories = repositories_of(person);
    for _ in 0..day.chance.between(1, 4) {
        let repository = *day.chance.pick_skewed(&repositories);
        let moment = office_moment(person, arrives, &mut day.chance);
        let action = *day
            .chance
            .pick_skewed(&["git.fetch", "git.clone", "pull_request.create"]);
        github_act(day, person, origin, (action, repository), moment);
    }
    if day.chance.in_thousand(700) {
        let repository = *day.chance.pick_skewed(&repositories);
        let of_day = office_moment(person, arrives, &mut day.chance);
        push(day, person, repository, of_day);
        github_act(day, person, origin, ("git.push", repository), of_day);
        pushes.push(Pushed {
            of_day,
            person,
            repository,
        });
    }
}

fn github_act(
    day: &mut Day,
    person: &Person,
    origin: &Origin,
    (action, repository): (&'static str, &'static str),
    moment: i64,
) {
    let login = person.github_login();
    day.put(Source::GitHubAudit, moment, |at, chance| {
        let entry = Entry {
            actor: &login,
            action,
            repository,
            ip: &origin.ip,
            country: origin.country,
            user_agent: "git/2.51.0",
            token: None,
            extra: serde_json::json!({
                "external_identity_nameid": person.email(), "external_identity_username": login,
                "transport_protocol_name": "ssh"
            }),
        };
        github_audit::event(at, &entry, chance)
    });
}

fn push(day: &mut Day, person: &Person, repository: &'static str, of_day: i64) {
    let login = person.github_login();
    let file = match repository {
        "infrastructure" => "modules/network/main.tf",
        "web" => "pages/basket.tsx",
        "search" => "indexer/ranking.py",
        _ => *day
            .chance
            .pick(&["service/orders.go", "service/prices.go", "README.md"]),
    };
    day.put(Source::GitHubWebhook, of_day + SECOND, |at, chance| {
        let push = Push {
            login: &login,
            sender_kind: "User",
            repository,
            branch: "main",
            message: "Handle orders without a delivery date",
            added: &[],
            modified: &[file],
        };
        github_webhook::push(at, &push, chance)
    });
}

/// Platform engineers look at the cloud account and the cluster.
fn operate(day: &mut Day, person: &Person, origin: &Origin, arrives: i64) {
    const CALLS: [(&str, &str); 5] = [
        ("ec2", "DescribeInstances"),
        ("logs", "FilterLogEvents"),
        ("rds", "DescribeDBInstances"),
        ("cloudwatch", "GetMetricData"),
        ("elasticloadbalancing", "DescribeTargetHealth"),
    ];
    for _ in 0..day.chance.between(3, 7) {
        let (service, name) = *day.chance.pick_skewed(&CALLS);
        let moment = office_moment(person, arrives, &mut day.chance);
        day.put(Source::CloudTrail, moment, |at, chance| {
            let call = Call {
                service,
                name,
                read_only: true,
                parameters: serde_json::json!({ "maxResults": 50 }),
                error: None,
                resource: None,
                ip: &origin.ip,
                user_agent: origin.user_agent,
            };
            cloudtrail::record(at, &Caller::SignedOn(person, "Operator"), &call, chance)
        });
    }
    let username = person.email();
    for _ in 0..day.chance.between(3, 6) {
        let (verb, resource) =
            *day.chance
                .pick_skewed(&[("list", "pods"), ("get", "deployments"), ("get", "pods")]);
        let moment = office_moment(person, arrives, &mut day.chance) + MINUTE;
        day.put(Source::Kubernetes, moment, |at, chance| {
            let request = Request {
                username: &username,
                verb,
                version: if resource == "pods" { "v1" } else { "apps/v1" },
                resource,
                namespace: "shop",
                name: if verb == "list" { "" } else { "cart" },
                code: 200,
                ip: &origin.ip,
                user_agent: "kubectl/v1.34.1 (linux/amd64)",
            };
            kubernetes::event(at, &request, chance)
        });
    }
}
