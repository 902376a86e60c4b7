//! Timed jobs: exact to the second but for start-up.

use serde_json::{Value, json};

use crate::day::Day;
use crate::organisation::{AWS_PRODUCTION, machine, private_ip};
use crate::record::cloudtrail::{self, Call, Caller};
use crate::record::github_audit::{self, Entry};
use crate::record::github_webhook::{self, Push};
use crate::record::{Source, vault};
use crate::rhythm::{HOUR, MINUTE, SECOND, timer, weekday};

/// Address from which the company's own servers reach the cloud.
pub(crate) const SERVERS_IP: &str = "192.0.2.200";
const CLI_AGENT: &str = "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux#6.12 lang/python#3.13";
/// Days before the anchor on which the quarterly figures were built: draft, correction, final.
const QUARTERS: [i64; 9] = [3, 4, 5, 94, 95, 96, 185, 186, 187];

pub(super) fn tell(day: &mut Day) {
    backup(day);
    billing_export(day);
    docs_sync(day);
    status_page(day);
    rotation(day);
    quarterly_report(day);
}

/// One call on data with its target.
pub(crate) fn data_call<'a>(
    (service, name, read_only): (&'static str, &'static str, bool),
    target: &str,
    ip: &'a str,
) -> Call<'a> {
    let (parameters, resource) = target_of(service, target);
    Call {
        service,
        name,
        read_only,
        parameters,
        error: None,
        resource: Some(resource),
        ip,
        user_agent: CLI_AGENT,
    }
}

/// Parameters and resource of a call: `bucket/key`, table, queue, topic or database.
fn target_of(service: &str, target: &str) -> (Value, (&'static str, String)) {
    let regional = |kind: &str| {
        [
            "arn:aws:",
            service,
            ":eu-central-1:",
            AWS_PRODUCTION,
            ":",
            kind,
            target,
        ]
        .concat()
    };
    match service {
        "s3" => {
            let (bucket, key) = target.split_once('/').unwrap_or((target, ""));
            let parameters = json!({ "bucketName": bucket, "key": key, "Host": "s3.eu-central-1.amazonaws.com" });
            (
                parameters,
                ("AWS::S3::Object", ["arn:aws:s3:::", target].concat()),
            )
        }
        "dynamodb" => {
            let parameters = json!({ "tableName": target });
            (parameters, ("AWS::DynamoDB::Table", regional("table/")))
        }
        "sqs" => {
            let url = [
                "https://sqs.eu-central-1.amazonaws.com/",
                AWS_PRODUCTION,
                "/",
                target,
            ]
            .concat();
            (
                json!({ "queueUrl": url }),
                ("AWS::SQS::Queue", regional("")),
            )
        }
        "ses" => (
            json!({ "source": "orders@larkfield.example", "destination": { "toAddresses": ["HIDDEN"] } }),
            ("AWS::SES::Identity", regional("identity/")),
        ),
        _ => {
            let parameters = json!({ "dBInstanceIdentifier": target });
            (parameters, ("AWS::RDS::DBInstance", regional("db:")))
        }
    }
}

fn backup(day: &mut Day) {
    let mut of_day = timer(1, 30, 6, &mut day.chance);
    for database in ["orders", "customers", "ledger"] {
        for step in [
            ("rds", "DescribeDBInstances", true),
            ("rds", "CreateDBSnapshot", false),
        ] {
            of_day += 2 * SECOND + day.chance.between(0, SECOND);
            day.put(Source::CloudTrail, of_day, |at, chance| {
                let call = data_call(step, database, SERVERS_IP);
                let caller = Caller::Role(machine("svc-backup"), "nightly-backup");
                cloudtrail::record(at, &caller, &call, chance)
            });
        }
    }
}

fn billing_export(day: &mut Day) {
    let mut of_day = timer(2, 10, 4, &mut day.chance);
    for (name, read_only, target) in [
        ("GetObject", true, "billing-source/usage.parquet"),
        ("GetObject", true, "billing-source/prices.json"),
        ("PutObject", false, "billing-export/daily.csv"),
        ("PutObject", false, "billing-export/manifest.json"),
    ] {
        of_day += 3 * SECOND + day.chance.between(0, 2 * SECOND);
        day.put(Source::CloudTrail, of_day, |at, chance| {
            let call = data_call(("s3", name, read_only), target, SERVERS_IP);
            cloudtrail::record(
                at,
                &Caller::User(machine("svc-billing-export")),
                &call,
                chance,
            )
        });
    }
}

/// Clones the handbook and pushes documentation pages, every night at 03:20.
fn docs_sync(day: &mut Day) {
    let of_day = timer(3, 20, 5, &mut day.chance);
    token_act(day, "svc-docs-sync", ("git.clone", "handbook"), of_day);
    if day.chance.in_thousand(700) {
        let page = *day
            .chance
            .pick(&["docs/onboarding.md", "docs/travel.md", "docs/security.md"]);
        token_act(
            day,
            "svc-docs-sync",
            ("git.push", "docs"),
            of_day + 20 * SECOND,
        );
        bot_push(
            day,
            "svc-docs-sync",
            ("docs", page),
            "Copy the handbook",
            of_day + 21 * SECOND,
        );
    }
}

/// One audit event of a machine that uses a personal access token.
pub(crate) fn token_act(
    day: &mut Day,
    login: &str,
    (action, repository): (&'static str, &str),
    of_day: i64,
) {
    day.put(Source::GitHubAudit, of_day, |at, chance| {
        let entry = Entry {
            actor: login,
            action,
            repository,
            ip: SERVERS_IP,
            country: "DE",
            user_agent: "git/2.47.3",
            token: Some("Fine-grained personal access token"),
            extra: json!({ "transport_protocol_name": "http" }),
        };
        github_audit::event(at, &entry, chance)
    });
}

/// A machine's push that changes one file.
pub(crate) fn bot_push(
    day: &mut Day,
    login: &str,
    (repository, file): (&str, &str),
    message: &str,
    of_day: i64,
) {
    day.put(Source::GitHubWebhook, of_day, |at, chance| {
        let push = Push {
            login,
            sender_kind: "User",
            repository,
            branch: "main",
            message,
            added: &[],
            modified: &[file],
        };
        github_webhook::push(at, &push, chance)
    });
}

fn status_page(day: &mut Day) {
    for hour in [0, 6, 12, 18] {
        let of_day = timer(hour, 5, 3, &mut day.chance);
        token_act(day, "svc-status-page", ("git.fetch", "status-page"), of_day);
    }
}

/// Signs in every hour. The work ended with its deployment, the signing in did not.
pub(super) fn ledger_sync(day: &mut Day) {
    for hour in 0..24 {
        let of_day = timer(hour, 7, 2, &mut day.chance);
        vault_act(
            day,
            "svc-ledger-sync",
            ("update", "approle", "auth/approle/login"),
            None,
            of_day,
        );
    }
}

/// One Vault request by a machine from its own subnet.
pub(crate) fn vault_act(
    day: &mut Day,
    name: &str,
    (operation, mount_type, path): (&'static str, &'static str, &str),
    ticket: Option<&str>,
    of_day: i64,
) {
    let ip = private_ip(name, day.number.cast_unsigned() % 3);
    day.put(Source::Vault, of_day, |at, chance| {
        let request = vault::Request {
            machine: machine(name),
            operation,
            mount_type,
            path,
            ip: &ip,
            ticket,
            error: None,
        };
        vault::entry(at, &request, chance)
    });
}

/// Secret read, credential rotated, pipeline secret renewed: under a change ticket.
fn rotation(day: &mut Day) {
    let ticket = ["CHG-", &(4000 + day.number % 1000).to_string()].concat();
    match weekday(day.number) {
        1 => {
            let start = timer(6, 15, 20, &mut day.chance);
            rotate(
                day,
                "svc-rotator",
                ("secret/data/database/orders", "database/rotate-role/orders"),
                Some(&ticket),
                start,
            );
        }
        2 => {
            let start = timer(5, 45, 20, &mut day.chance);
            rotate(
                day,
                "svc-ci-secrets",
                ("secret/data/ci/deploy-token", "database/rotate-role/deploy"),
                Some(&ticket),
                start,
            );
        }
        _ => {}
    }
}

pub(crate) fn rotate(
    day: &mut Day,
    name: &str,
    (secret, role): (&str, &str),
    ticket: Option<&str>,
    start: i64,
) {
    vault_act(day, name, ("read", "kv", secret), ticket, start);
    vault_act(
        day,
        name,
        ("update", "database", role),
        ticket,
        start + 90 * SECOND,
    );
    let message = ticket.unwrap_or_default();
    day.put(Source::GitHubAudit, start + 4 * MINUTE, |at, chance| {
        let entry = Entry {
            actor: name,
            action: "repo.update_actions_secret",
            repository: "deploy",
            ip: SERVERS_IP,
            country: "DE",
            user_agent: "credential-rotator/3.2",
            token: Some("Fine-grained personal access token"),
            extra: json!({ "key": "DEPLOY_TOKEN", "visibility": "private", "change_ticket": message }),
        };
        github_audit::event(at, &entry, chance)
    });
}

/// Four times a year, always the same: rare is not dormant.
fn quarterly_report(day: &mut Day) {
    if !QUARTERS.contains(&day.ago()) {
        return;
    }
    let mut of_day = 5 * HOUR;
    for (name, read_only, target) in [
        ("GetObject", true, "ledger-archive/january.parquet"),
        ("GetObject", true, "ledger-archive/february.parquet"),
        ("GetObject", true, "ledger-archive/march.parquet"),
        ("PutObject", false, "quarterly-report/figures.xlsx"),
    ] {
        of_day += 20 * SECOND;
        day.put(Source::CloudTrail, of_day, |at, chance| {
            let call = data_call(("s3", name, read_only), target, SERVERS_IP);
            let caller = Caller::Role(machine("svc-quarterly-report"), "quarterly");
            cloudtrail::record(at, &caller, &call, chance)
        });
    }
}
