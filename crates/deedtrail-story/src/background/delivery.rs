//! The build and release pipeline, which follows people's pushes.

use serde_json::json;

use super::Pushed;
use crate::day::Day;
use crate::organisation::{AWS_PRODUCTION, machine, private_ip};
use crate::record::cloudtrail::{self, Call, Caller};
use crate::record::github_audit::{self, Entry};
use crate::record::github_webhook::{self, Push};
use crate::record::kubernetes::{self, Request};
use crate::record::{Source, vault};
use crate::rhythm::{MINUTE, SECOND, timer};

/// Address of the hosted build runners.
pub(crate) const RUNNERS_IP: &str = "2001:db8:61c::41";
pub(crate) const RUNNER_AGENT: &str =
    "aws-sdk-go-v2/1.39.0 os/linux lang/go#1.25 md/GITHUB_ACTIONS";
pub(crate) const CONTROLLER_AGENT: &str = "deploy-controller/2.14.0";

pub(super) fn tell(day: &mut Day, pushes: &[Pushed]) {
    for (count, pushed) in pushes.iter().enumerate() {
        build(day, *pushed);
        // Every third push to the shop goes to production.
        if count % 3 == 0 && pushed.repository != "infrastructure" {
            release(day, pushed.of_day + 16 * MINUTE);
        }
    }
    let nightly = timer(4, 0, 40, &mut day.chance);
    plan(day, nightly);
}

/// Checkout, secret, image, result.
fn build(day: &mut Day, pushed: Pushed) {
    let start = pushed.of_day + 20 * SECOND + day.chance.between(0, 20 * SECOND);
    let runner = machine("build-runner");
    let ip = private_ip("build-runner", pushed.person.number() as u64);
    day.put(Source::Vault, start + 5 * SECOND, |at, chance| {
        let request = vault::Request {
            machine: runner,
            operation: "read",
            mount_type: "kv",
            path: "secret/data/ci/registry",
            ip: &ip,
            ticket: None,
            error: None,
        };
        vault::entry(at, &request, chance)
    });
    let role = if pushed.repository == "payments" {
        "ci-payments"
    } else {
        "ci-web"
    };
    let session = ["run-", &day.chance.between(10_000, 99_999).to_string()].concat();
    for (seconds, service, name, read_only) in [
        (8, "sts", "GetCallerIdentity", true),
        (11, "ecr", "GetAuthorizationToken", true),
        (140, "ecr", "InitiateLayerUpload", false),
        (171, "ecr", "PutImage", false),
    ] {
        let jitter = day.chance.between(0, 3 * SECOND);
        ci_call(
            day,
            (role, &session),
            (service, name, read_only),
            start + seconds * SECOND + jitter,
        );
    }
    let passed = day.chance.in_thousand(930);
    finish(
        day,
        pushed,
        start + 4 * MINUTE,
        if passed { "success" } else { "failure" },
    );
}

fn finish(day: &mut Day, pushed: Pushed, of_day: i64, conclusion: &str) {
    let login = pushed.person.github_login();
    day.put(Source::GitHubAudit, of_day, |at, chance| {
        let entry = Entry {
            actor: &login,
            action: "workflows.completed_workflow_run",
            repository: pushed.repository,
            ip: RUNNERS_IP,
            country: "DE",
            user_agent: "",
            token: None,
            extra: github_audit::workflow_run(at, "Build", conclusion, chance),
        };
        github_audit::event(at, &entry, chance)
    });
}

/// One call by a pipeline's role; the parameters follow from the call.
pub(crate) fn ci_call(
    day: &mut Day,
    (role, session): (&str, &str),
    (service, name, read_only): (&'static str, &'static str, bool),
    of_day: i64,
) {
    let (parameters, resource) = match service {
        "ecr" => (
            json!({ "repositoryName": "shop", "registryId": AWS_PRODUCTION }),
            Some(("AWS::ECR::Repository", arn("ecr", "repository/shop"))),
        ),
        "ecs" => (
            json!({ "cluster": "production", "service": "shop" }),
            Some(("AWS::ECS::Service", arn("ecs", "service/production/shop"))),
        ),
        "eks" => (
            json!({ "name": "production" }),
            Some(("AWS::EKS::Cluster", arn("eks", "cluster/production"))),
        ),
        _ => (serde_json::Value::Null, None),
    };
    day.put(Source::CloudTrail, of_day, |at, chance| {
        let call = Call {
            service,
            name,
            read_only,
            parameters,
            error: None,
            resource,
            ip: RUNNERS_IP,
            user_agent: RUNNER_AGENT,
        };
        cloudtrail::record(at, &Caller::Role(machine(role), session), &call, chance)
    });
}

fn arn(service: &str, resource: &str) -> String {
    [
        "arn:aws:",
        service,
        ":eu-central-1:",
        AWS_PRODUCTION,
        ":",
        resource,
    ]
    .concat()
}

/// The release: pipeline calls, manifest change by the release bot, roll-out by the controller.
pub(crate) fn release(day: &mut Day, start: i64) {
    let session = ["deploy-", &day.chance.between(10_000, 99_999).to_string()].concat();
    for (seconds, service, name, read_only) in [
        (0, "sts", "GetCallerIdentity", true),
        (4, "ecr", "DescribeImages", true),
        (9, "eks", "DescribeCluster", true),
        (15, "ecs", "DescribeTaskDefinition", true),
        (60, "ecs", "UpdateService", false),
        (95, "ecs", "DescribeServices", true),
    ] {
        let jitter = day.chance.between(0, 2 * SECOND);
        let of_day = start + seconds * SECOND + jitter;
        ci_call(
            day,
            ("ci-deployer", &session),
            (service, name, read_only),
            of_day,
        );
    }
    day.put(Source::GitHubWebhook, start + 30 * SECOND, |at, chance| {
        let push = Push {
            login: "release-bot",
            sender_kind: "Bot",
            repository: "deploy",
            branch: "main",
            message: "Release shop to production",
            added: &[],
            modified: &["deploy/prod/app.yaml"],
        };
        github_webhook::push(at, &push, chance)
    });
    roll_out(day, start + 75 * SECOND, "shop-app");
}

/// The deploy controller reads and patches one deployment.
pub(crate) fn roll_out(day: &mut Day, start: i64, deployment: &str) {
    let ip = private_ip("deploy-controller", 0);
    for (seconds, verb) in [(0, "get"), (1, "patch")] {
        day.put(
            Source::Kubernetes,
            start + seconds * SECOND,
            |at, chance| {
                let request = Request {
                    username: "system:serviceaccount:deploy:deploy-controller",
                    verb,
                    version: "apps/v1",
                    resource: "deployments",
                    namespace: "shop",
                    name: deployment,
                    code: 200,
                    ip: &ip,
                    user_agent: CONTROLLER_AGENT,
                };
                kubernetes::event(at, &request, chance)
            },
        );
    }
}

/// An infrastructure plan lists and reads roles every time: that is its job.
fn plan(day: &mut Day, start: i64) {
    const STEPS: [(&str, &str, bool); 9] = [
        ("sts", "GetCallerIdentity", true),
        ("iam", "ListRoles", true),
        ("iam", "GetRole", true),
        ("iam", "GetRole", true),
        ("iam", "GetRole", true),
        ("iam", "ListRolePolicies", true),
        ("ec2", "DescribeVpcs", true),
        ("ec2", "DescribeSubnets", true),
        ("rds", "DescribeDBInstances", true),
    ];
    let session = ["plan-", &day.chance.between(10_000, 99_999).to_string()].concat();
    let mut of_day = start;
    for step in STEPS {
        of_day += SECOND + day.chance.between(0, 2 * SECOND);
        ci_call(day, ("ci-terraform", &session), step, of_day);
    }
}
