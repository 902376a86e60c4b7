//! The told story.

mod cast;
mod words;

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::entitlement::{Effect, Grant};
use deedtrail_core::event::{Environment, OutcomeClass};
use deedtrail_core::finding::{FindingEvent, Severity};
use deedtrail_core::health::MissingNumbers;
use deedtrail_core::identity::Declared;
use deedtrail_core::time::Timestamp;

use super::builder::{Builder, Deed, Target, draft};
use super::{NOW, Sample};
use cast::{Cast, cast};
use words::{away, clock, fact, hypothesis, texts};

pub(super) fn tell() -> Sample {
    let cast = cast();
    let mut builder = Builder::new();
    introduce(&mut builder, &cast);
    entitlements(&mut builder, &cast);
    calm_days(&mut builder, &cast);
    reset(&mut builder, &cast);
    reactivation(&mut builder, &cast);
    secrets(&mut builder, &cast);
    small_things(&mut builder, &cast);
    feeds(&mut builder);
    super::session::tell(&mut builder, [&cast.alice, &cast.deployer, &cast.admin]);
    builder.finish()
}

/// What the account of AWS says its users and roles may do.
fn entitlements(builder: &mut Builder, cast: &Cast) {
    let grant = |key: &str, permissions: &[&str]| Grant {
        key: key.into(),
        system: "aws".into(),
        permissions: permissions.iter().copied().map(Text::new).collect(),
        via: Some(format!("policy {key}").into()),
        ..Grant::default()
    };
    let exports = Grant {
        scope: vec!["arn:aws:s3:::exports/*".into()],
        expires: Some(NOW.plus_micros(30 * Timestamp::DAY_US)),
        ..grant("nightly-exports", &["s3:PutObject", "s3:ListBucket"])
    };
    let keys = Grant {
        effect: Effect::Deny,
        ..grant("no-keys", &["iam:CreateAccessKey"])
    };
    builder.entitle(
        "aws",
        vec![
            (&cast.export, exports),
            (
                &cast.deployer,
                grant("deploy", &["ecs:*", "ecr:*", "sts:AssumeRole"]),
            ),
            (&cast.deployer, keys),
        ],
    );
}

fn introduce(builder: &mut Builder, cast: &Cast) {
    let owned = |owner: &str, department: &str, purpose: &str| Declared {
        owner: Some(owner.into()),
        department: Some(department.into()),
        purpose: Some(purpose.into()),
        environment: Environment::Production,
        ..Declared::default()
    };
    let human = Declared {
        employment: Some("employee".into()),
        manager: Some("dana@example.com".into()),
        ..owned(
            "alice@example.com",
            "Payments",
            "Engineer in the payments team.",
        )
    };
    builder.person(&cast.alice, human);
    builder.alias(&cast.alice, "okta.id", "00u1alice", "same verified e-mail");
    builder.alias(
        &cast.alice,
        "github.login",
        "alice-example",
        "import of 3 November",
    );
    let helpdesk = owned(
        "it@example.com",
        "IT",
        "Resets passwords and factors on request.",
    );
    builder.person(&cast.helpdesk, helpdesk);
    let deploys = owned(
        "platform@example.com",
        "Platform",
        "Deploys the payments service.",
    );
    builder.person(&cast.deployer, deploys);
    builder.credential(&cast.deployer, "AKIAEXAMPLEDEPLOYER1", 31);
    builder.person(
        &cast.admin,
        owned("platform@example.com", "Platform", "Break-glass role."),
    );
    let agent = Declared {
        declared_tools: vec!["tickets".into(), "pull_requests".into()],
        ..owned(
            "support@example.com",
            "Support",
            "Answers tickets and prepares pull requests.",
        )
    };
    builder.person(&cast.agent, agent);
    let export = owned(
        "data@example.com",
        "Data",
        "Copied sales figures to the warehouse.",
    );
    builder.person(&cast.export, export);
    builder.credential(&cast.export, "AKIAEXAMPLEEXPORT001", 412);
    builder.person(&cast.sync, Declared::default());
}

/// Seventy-two hours of ordinary work before the story.
fn calm_days(builder: &mut Builder, cast: &Cast) {
    let quiet = |hour: i64, salt: i64| (hour * 7 + salt * 13) % 5;
    for hour in (2..72).rev() {
        let at = NOW.plus_micros(-hour * Timestamp::HOUR_US);
        let workers = [
            (
                &cast.alice,
                "github.audit",
                "git.push",
                Action::CodeChange,
                "acme/payments",
            ),
            (
                &cast.deployer,
                "aws.cloudtrail",
                "UpdateService",
                Action::Deploy,
                "payments-prod",
            ),
            (
                &cast.agent,
                "otel.genai",
                "tickets.search",
                Action::Enumerate,
                "support queue",
            ),
        ];
        for (salt, (actor, source, operation, action, target)) in (1..).zip(workers) {
            for repeat in 0..quiet(hour, salt) {
                builder.deed(&Deed {
                    at: at.plus_micros(repeat * 7 * Timestamp::MINUTE_US),
                    source,
                    actor,
                    operation,
                    action,
                    target: Some(Target::Thing("resource", target)),
                    outcome: OutcomeClass::Success,
                    from: Some(("198.51.100.24", 64_500)),
                });
            }
        }
    }
}

/// A factor is reset, a session starts elsewhere, a credential is planted and used.
fn reset_events(builder: &mut Builder, cast: &Cast) -> Vec<FindingEvent> {
    let (okta, aws) = ("okta.system", "aws.cloudtrail");
    let verify = ("user.authentication.verify", Action::Authenticate);
    let deactivate = ("user.mfa.factor.deactivate", Action::IdentityChange);
    let start = ("user.session.start", Action::Authenticate);
    let create = ("CreateAccessKey", Action::CredentialCreate);
    let add = ("repo.add_deploy_key", Action::CredentialCreate);
    let assume = ("AssumeRole", Action::SessionChange);
    let alice = Some(Target::Person(&cast.alice));
    let deployer = Some(Target::Person(&cast.deployer));
    let infra = Some(Target::Thing("repository", "acme/infra-prod"));
    let admin = Some(Target::Person(&cast.admin));
    let denied = Deed {
        outcome: OutcomeClass::Denied,
        ..away(clock(14, 2, 11), okta, &cast.alice, verify, None)
    };
    let steps = [
        (denied, "denied push × 9 in 4 minutes"),
        (
            away(clock(14, 6, 48), okta, &cast.helpdesk, deactivate, alice),
            "factor of alice removed by an application, first time in 90 days",
        ),
        (
            away(clock(14, 7, 2), okta, &cast.alice, start, None),
            "session started from AS14061, never seen for alice",
        ),
        (
            away(clock(14, 9, 30), aws, &cast.alice, create, deployer),
            "new access key for ci-deployer, which alice never managed before",
        ),
        (
            away(clock(14, 31, 5), "github.audit", &cast.deployer, add, infra),
            "deploy key with write access on acme/infra-prod",
        ),
        (
            away(clock(14, 33, 40), aws, &cast.deployer, assume, admin),
            "ci-deployer took over role/prod-admin",
        ),
    ];
    steps
        .iter()
        .map(|(deed, words)| fact(builder.deed(deed), words))
        .collect()
}

fn reset(builder: &mut Builder, cast: &Cast) {
    let events = reset_events(builder, cast);
    let title = "Factor reset by helpdesk-api, then a session from a new network planted a key";
    let mut finding = draft(
        "credential_planted",
        &cast.alice,
        Severity::Critical,
        title,
        events,
    );
    finding.reasons = texts(&[
        "9 denied pushes in 4 minutes (usual: 0 per day)",
        "Factor removed by a non-human actor 9 seconds after the last push",
        "Session from AS14061: 0 of alice's 1 204 sessions in 90 days came from there",
        "Key created for an identity alice does not own",
    ]);
    finding.allowed = texts(&["CreateAccessKey by the group payments-admins"]);
    finding.refused = texts(&["9 sign-in pushes, by the factor policy"]);
    finding.hypotheses = vec![
        hypothesis(
            "compromise",
            0.86,
            &[
                "new network right after the reset",
                "key for a foreign identity",
            ],
            &["helpdesk ticket open for alice"],
        ),
        hypothesis(
            "misuse",
            0.10,
            &["alice may create keys"],
            &["session not from her device"],
        ),
        hypothesis(
            "ownership_gap",
            0.04,
            &[],
            &["ci-deployer has an active owner"],
        ),
    ];
    finding.techniques = vec!["T1098.001".into(), "T1621".into()];
    builder.finding(finding);
}

/// A job quiet for 140 days pulls data from a new network.
fn reactivation(builder: &mut Builder, cast: &Cast) {
    let base = Deed {
        at: clock(9, 12, 0).plus_micros(-140 * Timestamp::DAY_US),
        source: "aws.cloudtrail",
        actor: &cast.export,
        operation: "s3:GetObject",
        action: Action::Read,
        target: Some(Target::Thing("bucket", "sales-figures")),
        outcome: OutcomeClass::Success,
        from: Some(("198.51.100.9", 64_500)),
    };
    let before = fact(builder.deed(&base), "last use before the gap");
    let mut events = vec![before];
    for minute in 0..6 {
        let deed = Deed {
            at: clock(11, 40 + minute, 3),
            target: Some(Target::Thing("bucket", "customer-contracts")),
            from: Some(("203.0.113.140", 64_511)),
            ..base.clone()
        };
        events.push(fact(
            builder.deed(&deed),
            "read 1 GiB of customer-contracts from AS64511",
        ));
    }
    let title = "nightly-export woke up after 140 days and read customer-contracts from AS64511";
    let mut finding = draft(
        "dormant_reactivation",
        &cast.export,
        Severity::High,
        title,
        events,
    );
    finding.reasons = texts(&[
        "No use for 140 days (usual: every night)",
        "Network AS64511 is new (usual: AS64500)",
        "Bucket customer-contracts is new (usual: sales-figures)",
    ]);
    finding.hypotheses = vec![
        hypothesis("compromise", 0.62, &["new network", "new bucket"], &[]),
        hypothesis(
            "reactivated_automation",
            0.27,
            &["same key"],
            &["no change ticket"],
        ),
        hypothesis(
            "ownership_gap",
            0.11,
            &["owner last attested 412 days ago"],
            &[],
        ),
    ];
    builder.finding(finding);
}

/// An agent for tickets reads production secrets.
fn secrets(builder: &mut Builder, cast: &Cast) {
    let mut events = Vec::new();
    for (minute, secret) in (0..).zip(["prod/payments/db", "prod/payments/stripe", "prod/mail"]) {
        let deed = Deed {
            at: clock(15, 20 + minute, 41),
            source: "hashicorp.vault",
            actor: &cast.agent,
            operation: "vault.read",
            action: Action::SecretRead,
            target: Some(Target::Thing("secret", secret)),
            outcome: if minute == 2 {
                OutcomeClass::Denied
            } else {
                OutcomeClass::Success
            },
            from: Some(("198.51.100.60", 64_500)),
        };
        events.push(fact(
            builder.deed(&deed),
            &format!("read of {secret} by a ticket agent"),
        ));
    }
    let title = "support-agent read 2 production secrets; it is for tickets and pull requests";
    let mut finding = draft(
        "agent_resource_use",
        &cast.agent,
        Severity::High,
        title,
        events,
    );
    finding.reasons = texts(&[
        "Declared tools: tickets, pull_requests; used: vault.read × 3",
        "First secret read of this agent in 200 days",
    ]);
    finding.allowed = texts(&["2 reads, by the policy support-default"]);
    finding.refused = texts(&["1 read of prod/mail"]);
    builder.finding(finding);
}

fn small_things(builder: &mut Builder, cast: &Cast) {
    let deed = Deed {
        at: clock(3, 14, 0),
        source: "github.audit",
        actor: &cast.deployer,
        operation: "git.push",
        action: Action::CodeChange,
        target: Some(Target::Thing("repository", "acme/payments")),
        outcome: OutcomeClass::Success,
        from: Some(("198.51.100.24", 64_500)),
    };
    let night = fact(builder.deed(&deed), "push at 03:14, outside 06:00 to 20:00");
    let title = "ci-deployer pushed at 03:14, outside its hours";
    builder.finding(draft(
        "off_hours",
        &cast.deployer,
        Severity::Medium,
        title,
        vec![night],
    ));
    let title = "legacy-crm-sync has had no owner for 61 days";
    builder.finding(draft(
        "orphaned_identity",
        &cast.sync,
        Severity::Low,
        title,
        Vec::new(),
    ));
    let title = "An old key of nightly-export was used 12 days after its replacement";
    builder.finding(draft(
        "old_key_used",
        &cast.export,
        Severity::Medium,
        title,
        Vec::new(),
    ));
}

fn feeds(builder: &mut Builder) {
    builder.quarantined(
        "github.audit",
        "not_json",
        "not JSON at byte 912: end of file in a string",
    );
    builder.quarantined("github.audit", "duplicate_key", "duplicate key `actor`");
    builder.quarantined("github.audit", "not_json", "not JSON at byte 0");
    builder.dismiss_last("ana@example.com", "cut by the load test of 1 November");
    let three_days_ago = NOW.plus_micros(-3 * Timestamp::DAY_US);
    if let Some(silent) = builder.health("proofpoint.tap", three_days_ago) {
        silent.records = 18_204;
        silent.events = 18_204;
        silent.bytes = 31 << 20;
        silent.grades = [11_204, 6_000, 1_000, 0];
        silent.missing = [("target".into(), 6_400), ("source_uid".into(), 1_600)].into();
        silent.other_actions = 41;
        silent.duplicates = 1_204;
        silent.watched.silent = true;
        silent.watched.numbered = true;
        silent.watched.missing = vec![MissingNumbers {
            within: "cluster-1".into(),
            first: 412,
            last: 431,
            noticed: three_days_ago,
        }];
        silent.watched.missing_total = 20;
    }
}
