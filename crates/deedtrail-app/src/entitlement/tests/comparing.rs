//! What was done beside what may be done.

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::entitlement::{Effect, Entitlement, EntitlementImport, Grant, ImportName};
use deedtrail_core::event::OutcomeClass;
use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::{EventUid, SourceName, TenantId};
use deedtrail_core::time::Timestamp;

use crate::entitlement::matching::Deed;
use crate::entitlement::observed::Observed;
use crate::entitlement::usage::compare::{Compared, compare};
use crate::entitlement::usage::coverage::Watched;
use crate::entitlement::{Basis, May, UsedInPart, Why};

fn at(day: i64) -> Timestamp {
    Timestamp::from_micros(day * Timestamp::DAY_US)
}

fn entitlement(key: &str, permissions: &[&str]) -> Entitlement {
    let import = ImportName {
        kind: "aws".into(),
        account: "1".into(),
    };
    Entitlement {
        id: Entitlement::id_of(&TenantId::default(), &import, key),
        tenant: TenantId::default(),
        import,
        first_imported: at(100),
        imported: at(100),
        grant: Grant {
            key: key.into(),
            system: "aws".into(),
            permissions: permissions.iter().map(Text::new).collect(),
            via: Some(format!("policy {key}").into()),
            ..Grant::default()
        },
    }
}

fn with(entitlement: Entitlement, change: impl FnOnce(&mut Grant)) -> Entitlement {
    let mut changed = entitlement;
    change(&mut changed.grant);
    changed
}

fn imports() -> Vec<EntitlementImport> {
    vec![EntitlementImport {
        tenant: TenantId::default(),
        import: entitlement("", &[]).import,
        imported: at(100),
        grants: 1,
        systems: vec!["aws".into()],
    }]
}

fn seen(operation: &str, target: Option<&str>) -> Observed {
    Observed {
        deed: Deed {
            system: "aws".into(),
            account: Some("1".into()),
            operation: operation.into(),
            action: Action::Read,
            target: target.map(Text::new),
            ..Deed::default()
        },
        outcome: OutcomeClass::Success,
        policy_allowed: None,
        policy_id: None,
        events: 2,
        first: at(110),
        last: at(111),
        event_uid: EventUid::derive(&[operation.as_bytes()]),
    }
}

/// Each row as `verdict operation events by`.
fn told(compared: &Compared) -> Vec<String> {
    let name = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let did = compared.did.iter().map(|row| {
        let basis = name(serde_json::json!(row.basis));
        format!(
            "{basis} {} {} {}",
            row.deeds.operation,
            row.deeds.events,
            row.by.join("+")
        )
    });
    let may_not = compared.may_not.iter().map(|row| {
        let why = name(serde_json::json!(row.why));
        format!(
            "{why} {} {} {}",
            row.deeds.operation,
            row.deeds.events,
            row.by.join("+")
        )
    });
    did.chain(may_not).collect()
}

/// Feeds of AWS that show these planes since day 50.
fn watched(planes: &[&'static str]) -> Watched {
    let source = SourceName::new("aws.cloudtrail").unwrap();
    let mut health = SourceHealth::new(TenantId::default(), source);
    health.first_event = Some(at(50));
    health.last_event = Some(at(111));
    for plane in planes {
        health.count_plane(&"aws".into(), plane, at(111));
    }
    Watched::of(&[health], &TenantId::default(), at(30))
}

#[test]
fn deeds_are_sorted_by_what_allows_them() {
    let held = [
        entitlement("read", &["s3:Get*", "s3:ListAllMyBuckets"]),
        with(entitlement("orders", &["s3:PutObject"]), |grant| {
            grant.scope = vec!["arn:aws:s3:::orders/*".into()];
        }),
        with(entitlement("mfa", &["iam:CreateUser"]), |grant| {
            grant.conditions = vec!["aws:MultiFactorAuthPresent Bool true".into()];
        }),
        with(entitlement("never", &["s3:GetBucketPolicy"]), |grant| {
            grant.effect = Effect::Deny;
        }),
        with(entitlement("perhaps never", &["s3:GetObject"]), |grant| {
            grant.effect = Effect::Deny;
            grant.conditions = vec!["aws:SourceIp NotIpAddress 10.0.0.0/8".into()];
        }),
        with(entitlement("over", &["ec2:*"]), |grant| {
            grant.expires = Some(at(110));
        }),
    ];
    let elsewhere = Observed {
        deed: Deed {
            account: Some("2".into()),
            ..seen("sns:Publish", None).deed
        },
        ..seen("sns:Publish", None)
    };
    let denied = Observed {
        outcome: OutcomeClass::Denied,
        ..seen("s3:GetObject", Some("arn:aws:s3:::orders/a"))
    };
    let failed = Observed {
        outcome: OutcomeClass::Failure,
        ..seen("ec2:RunInstances", None)
    };
    let observed = [
        seen("s3:GetObject", Some("arn:aws:s3:::orders/a")),
        seen("s3:GetObject", Some("arn:aws:s3:::orders/b")),
        seen("s3:ListBuckets", None),
        seen("s3:PutObject", Some("arn:aws:s3:::orders/a")),
        seen("s3:PutObject", Some("arn:aws:s3:::salaries/a")),
        seen("iam:CreateUser", None),
        seen("s3:GetBucketPolicy", None),
        seen("ec2:DescribeInstances", None),
        seen("sts:GetCallerIdentity", None),
        elsewhere,
        denied,
        failed,
    ];
    let compared = compare(&held, &imports(), &observed);
    assert_eq!(
        told(&compared),
        [
            "granted s3:GetObject 4 policy read",
            "granted s3:PutObject 2 policy orders",
            "granted s3:ListBuckets 2 policy read",
            "conditional iam:CreateUser 2 policy mfa",
            "none_needed sts:GetCallerIdentity 2 ",
            "uncompared sns:Publish 2 ",
            "against_deny s3:GetBucketPolicy 2 policy never",
            "without_entitlement ec2:DescribeInstances 2 ",
            "without_entitlement s3:PutObject 2 ",
            "denied s3:GetObject 2 policy read",
        ]
    );
    assert_eq!(compared.did[0].deeds.targets, 2);
    assert_eq!(compared.did[0].basis, Basis::Granted);
}

#[test]
fn a_deny_wins_over_any_allow() {
    let deny = |grant: &mut Grant| grant.effect = Effect::Deny;
    let held = [
        entitlement("all", &["*"]),
        entitlement("iam", &["iam:*"]),
        with(entitlement("no", &["IAM:create*"]), deny),
    ];
    let compared = compare(&held, &imports(), &[seen("iam:CreateUser", None)]);
    assert_eq!(compared.may_not[0].why, Why::AgainstDeny);
    assert_eq!(compared.may_not[0].by, ["policy no"]);
    let compared = compare(&held[..2], &imports(), &[seen("iam:CreateUser", None)]);
    assert_eq!(compared.did[0].by, ["policy all", "policy iam"]);
}

#[test]
fn without_an_import_nothing_is_said_against_it() {
    let compared = compare(&[], &[], &[seen("iam:CreateUser", None)]);
    assert_eq!(told(&compared), ["uncompared iam:CreateUser 2 "]);
    let compared = compare(&[], &imports(), &[seen("iam:CreateUser", None)]);
    assert_eq!(told(&compared), ["without_entitlement iam:CreateUser 2 "]);
}

#[test]
fn what_the_feed_says_allowed_it_is_told() {
    let of_cluster = |policy: Option<&str>| Observed {
        deed: Deed {
            system: "kubernetes".into(),
            ..seen("get pods", Some("pods/shop/web")).deed
        },
        policy_allowed: Some(true),
        policy_id: policy.map(Text::new),
        ..seen("get pods", None)
    };
    let mut imports = imports();
    imports[0].systems = vec!["kubernetes".into()];
    let observed = [of_cluster(Some("RoleBinding \"a/shop\"")), of_cluster(None)];
    let compared = compare(&[], &imports, &observed);
    assert_eq!(
        told(&compared),
        ["policy get pods 2 ", "without_entitlement get pods 2 "]
    );
    let decision = compared.did[0].deeds.policy_decision.as_ref().unwrap();
    assert!(decision.allowed);
}

#[test]
fn unused_is_told_as_far_as_a_feed_would_show_it() {
    let held = [
        entitlement(
            "mixed",
            &["s3:GetObject", "iam:CreateUser", "iam:DeleteUser"],
        ),
        entitlement("data", &["s3:GetObject", "dynamodb:GetItem"]),
        with(entitlement("deny", &["iam:*"]), |grant| {
            grant.effect = Effect::Deny;
        }),
        with(entitlement("other system", &["x"]), |grant| {
            grant.system = "shop".into();
        }),
        with(entitlement("by operation", &["approver"]), |grant| {
            grant.operations = vec!["iam:Get*".into()];
        }),
    ];
    let observed = [seen("iam:CreateUser", None), seen("iam:GetUser", None)];
    let compared = compare(&held, &imports(), &observed);
    let line = |may: &May| {
        let since = may.watched_since.map(Timestamp::utc_day);
        let unused = may.unused.join("+");
        format!(
            "{unused} {}/{} {since:?} {}",
            may.unused_total, may.permissions_total, may.unknown
        )
    };
    let lines = |planes: &[&'static str]| {
        let may = compared.unused(&held, &watched(planes));
        may.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(
        lines(&["control"]),
        [
            "s3:GetObject+dynamodb:GetItem 2/2 None no feed brings data events of aws",
            "x 1/1 None no feed brings events of shop",
            "s3:GetObject+iam:DeleteUser 2/3 Some(50) ",
        ]
    );
    assert!(lines(&["control", "data"])[0].contains("Some(50)"));
    assert!(lines(&[])[2].contains("no feed brings events of aws"));
}

#[test]
fn a_pattern_is_used_in_part_by_the_deeds_it_allowed() {
    let held = [
        entitlement("wide", &["s3:*", "iam:GetUser"]),
        with(entitlement("verbs", &["* secrets"]), |grant| {
            grant.system = "kubernetes".into();
        }),
    ];
    let of_cluster = |operation: &str| {
        let mut seen = seen(operation, None);
        seen.deed.system = "kubernetes".into();
        seen
    };
    let observed = [
        seen("s3:GetBucketPolicy", None),
        seen("s3:GetBucketAcl", None),
        seen("iam:GetUser", None),
        of_cluster("list secrets"),
    ];
    let compared = compare(&held, &imports(), &observed);
    let may = compared.unused(&held, &watched(&["control"]));
    let sentences = may.iter().flat_map(|may| {
        assert_eq!((may.unused_total, may.use_in_words()), (0, "used in part"));
        may.used_in_part.iter().map(UsedInPart::sentence)
    });
    let mut sentences: Vec<String> = sentences.collect();
    sentences.sort();
    assert_eq!(
        sentences,
        [
            "* secrets: used in part: 1 of 8 actions (list secrets)",
            "s3:*: used in part, 2 actions seen (s3:GetBucketAcl, s3:GetBucketPolicy)",
        ]
    );
}
