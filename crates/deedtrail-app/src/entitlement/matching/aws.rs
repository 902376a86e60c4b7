//! AWS: `CloudTrail`'s operations as actions of IAM, and ARNs.
//!
//! Most events bear the name of the action. The exceptions are those of the service authorization
//! reference (<https://docs.aws.amazon.com/service-authorization/latest/reference/>) and of the
//! `CloudTrail` logging of Amazon S3.

use deedtrail_core::Text;

use super::{Cover, Exercise, wildcard};

/// Services that `CloudTrail` and IAM name differently.
const SERVICES: [(&str, &str); 8] = [
    ("email", "ses"),
    ("entitlement.marketplace", "aws-marketplace"),
    ("metering.marketplace", "aws-marketplace"),
    ("models.lex", "lex"),
    ("monitoring", "cloudwatch"),
    ("runtime.lex", "lex"),
    ("streams.dynamodb", "dynamodb"),
    ("tagging", "tag"),
];

/// Operations whose action has another name.
const ACTIONS: [(&str, &[&str]); 40] = [
    ("kms:ReEncrypt", &["kms:ReEncryptFrom", "kms:ReEncryptTo"]),
    ("lambda:Invoke", &["lambda:InvokeFunction"]),
    (
        "lambda:InvokeAsync",
        &["lambda:InvokeFunction", "lambda:InvokeAsync"],
    ),
    (
        "lambda:InvokeWithResponseStream",
        &["lambda:InvokeFunction"],
    ),
    ("s3:CompleteMultipartUpload", &["s3:PutObject"]),
    ("s3:CopyObject", &["s3:PutObject"]),
    ("s3:CreateMultipartUpload", &["s3:PutObject"]),
    ("s3:DeleteBucketCors", &["s3:PutBucketCORS"]),
    (
        "s3:DeleteBucketEncryption",
        &["s3:PutEncryptionConfiguration"],
    ),
    (
        "s3:DeleteBucketLifecycle",
        &["s3:PutLifecycleConfiguration"],
    ),
    (
        "s3:DeleteBucketReplication",
        &["s3:PutReplicationConfiguration"],
    ),
    ("s3:DeleteBucketTagging", &["s3:PutBucketTagging"]),
    ("s3:DeleteObjects", &["s3:DeleteObject"]),
    (
        "s3:DeletePublicAccessBlock",
        &["s3:PutBucketPublicAccessBlock"],
    ),
    ("s3:GetBucketEncryption", &["s3:GetEncryptionConfiguration"]),
    ("s3:GetBucketLifecycle", &["s3:GetLifecycleConfiguration"]),
    (
        "s3:GetBucketLifecycleConfiguration",
        &["s3:GetLifecycleConfiguration"],
    ),
    (
        "s3:GetBucketReplication",
        &["s3:GetReplicationConfiguration"],
    ),
    (
        "s3:GetObjectLockConfiguration",
        &["s3:GetBucketObjectLockConfiguration"],
    ),
    (
        "s3:GetPublicAccessBlock",
        &["s3:GetBucketPublicAccessBlock"],
    ),
    ("s3:HeadBucket", &["s3:ListBucket"]),
    ("s3:HeadObject", &["s3:GetObject"]),
    ("s3:InitiateMultipartUpload", &["s3:PutObject"]),
    ("s3:ListBuckets", &["s3:ListAllMyBuckets"]),
    (
        "s3:ListMultipartUploads",
        &["s3:ListBucketMultipartUploads"],
    ),
    ("s3:ListObjectVersions", &["s3:ListBucketVersions"]),
    ("s3:ListObjects", &["s3:ListBucket"]),
    ("s3:ListObjectsV2", &["s3:ListBucket"]),
    ("s3:ListParts", &["s3:ListMultipartUploadParts"]),
    ("s3:PutBucketEncryption", &["s3:PutEncryptionConfiguration"]),
    ("s3:PutBucketLifecycle", &["s3:PutLifecycleConfiguration"]),
    (
        "s3:PutBucketLifecycleConfiguration",
        &["s3:PutLifecycleConfiguration"],
    ),
    (
        "s3:PutBucketReplication",
        &["s3:PutReplicationConfiguration"],
    ),
    (
        "s3:PutObjectLockConfiguration",
        &["s3:PutBucketObjectLockConfiguration"],
    ),
    (
        "s3:PutPublicAccessBlock",
        &["s3:PutBucketPublicAccessBlock"],
    ),
    ("s3:SelectObjectContent", &["s3:GetObject"]),
    ("s3:UploadPart", &["s3:PutObject"]),
    ("s3:UploadPartCopy", &["s3:PutObject"]),
    ("bedrock:Converse", &["bedrock:InvokeModel"]),
    (
        "bedrock:ConverseStream",
        &["bedrock:InvokeModelWithResponseStream"],
    ),
];

/// Operations that anybody may do.
const FREE: [&str; 3] = ["sts:GetCallerIdentity", "sts:GetSessionToken", "signin:*"];

/// Actions that `CloudTrail` records as data events only, which a trail has to be told to.
const DATA: [&str; 14] = [
    "bedrock:InvokeModel*",
    "dynamodb:BatchGetItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
    "lambda:InvokeFunction*",
    "s3:AbortMultipartUpload",
    "s3:DeleteObject*",
    "s3:GetObject*",
    "s3:PutObject*",
];

pub(super) fn exercise(operation: &str) -> Exercise {
    if FREE.iter().any(|pattern| wildcard(pattern, operation)) {
        return Exercise::Nothing;
    }
    let Some((service, name)) = operation.split_once(':') else {
        return Exercise::Unknown;
    };
    if service == "insight" {
        return Exercise::Nothing;
    }
    let renamed = SERVICES.iter().find(|(trail, _)| *trail == service);
    let service = renamed.map_or(service, |(_, iam)| iam);
    let plain = format!("{service}:{}", without_version(name));
    let other = ACTIONS.iter().find(|(trail, _)| *trail == plain);
    Exercise::Named(match other {
        Some((_, actions)) => actions
            .iter()
            .map(|action| Text::new_static(action))
            .collect(),
        None => vec![plain.into()],
    })
}

/// `CreateFunction20150331v2` and `CreateDistribution2020_05_31` without the version of the API.
fn without_version(name: &str) -> &str {
    let digits = |byte: char| byte.is_ascii_digit() || matches!(byte, '_' | 'v');
    let plain = name.trim_end_matches(digits);
    let version = name.strip_prefix(plain).unwrap_or_default();
    let is_version = version.starts_with("20") && version.len() >= 8;
    if is_version { plain } else { name }
}

/// Whether only a trail of data events records its use.
pub(in crate::entitlement) fn is_data_permission(pattern: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    let mut data = DATA.iter().map(|action| action.to_ascii_lowercase());
    data.any(|action| wildcard(&action, &pattern))
}

/// Whether a target lies within patterns of ARNs. Only a target that the record names by an ARN of
/// the same service can be compared.
pub(super) fn within(scope: &[Text], target: &str) -> Cover {
    let Some(service) = service_of(target) else {
        return Cover::Unclear;
    };
    let mut comparable = true;
    for pattern in scope {
        let pattern = without_variables(pattern);
        let below = || {
            let rest = pattern.strip_prefix(target);
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        if wildcard(&pattern, target) || below() {
            return Cover::Yes;
        }
        comparable &= service_of(&pattern) == Some(service);
    }
    if comparable {
        Cover::No
    } else {
        Cover::Unclear
    }
}

/// `s3` of `arn:aws:s3:::bucket`.
fn service_of(arn: &str) -> Option<&str> {
    let mut parts = arn.split(':');
    let is_arn = parts.next() == Some("arn");
    parts.nth(1).filter(|_| is_arn)
}

/// A policy variable stands for anything here: its value is not in the record.
fn without_variables(pattern: &str) -> String {
    let mut parts = pattern.split("${");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push('*');
        plain.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(operation: &str) -> String {
        match exercise(operation) {
            Exercise::Named(names) => names.join(" "),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn operations_are_told_as_actions() {
        for (operation, actions) in [
            ("iam:CreateUser", "iam:CreateUser"),
            ("s3:ListBuckets", "s3:ListAllMyBuckets"),
            ("s3:HeadObject", "s3:GetObject"),
            ("s3:DeleteObjects", "s3:DeleteObject"),
            ("s3:GetObject", "s3:GetObject"),
            ("lambda:CreateFunction20150331v2", "lambda:CreateFunction"),
            ("lambda:Invoke", "lambda:InvokeFunction"),
            (
                "cloudfront:CreateDistribution2020_05_31",
                "cloudfront:CreateDistribution",
            ),
            ("monitoring:PutMetricAlarm", "cloudwatch:PutMetricAlarm"),
            ("ses:SendEmail", "ses:SendEmail"),
            ("kms:ReEncrypt", "kms:ReEncryptFrom kms:ReEncryptTo"),
            ("s3:ListObjectsV2", "s3:ListBucket"),
            ("dynamodb:Query", "dynamodb:Query"),
            ("sts:GetCallerIdentity", "Nothing"),
            ("signin:ConsoleLogin", "Nothing"),
            ("UpdateInstanceInformation", "Unknown"),
        ] {
            assert_eq!(named(operation), actions, "{operation}");
        }
    }

    #[test]
    fn no_operation_is_in_a_table_twice() {
        let names: std::collections::BTreeSet<_> = ACTIONS.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), ACTIONS.len());
        assert!(SERVICES.is_sorted_by(|left, right| left.0 < right.0));
    }

    #[test]
    fn the_reference_page_has_every_row() {
        let page = include_str!("../../../../../docs/reference/entitlement-import.md");
        let row = |cell: &str| {
            page.lines()
                .find(|line| line.contains(&format!("`{cell}`")))
        };
        for (operation, actions) in ACTIONS {
            let row = row(operation).unwrap();
            let told = |action: &&str| row.contains(&format!("`{action}`"));
            assert!(actions.iter().all(told), "{operation}");
        }
        for (trail, iam) in SERVICES {
            assert!(row(&format!("{trail}:*")).unwrap().contains(iam), "{trail}");
        }
        assert!(FREE.iter().all(|operation| row(operation).is_some()));
    }

    #[test]
    fn targets_are_compared_as_far_as_they_can_be() {
        let check = |scope: &str, target: &str, expected: Cover| {
            assert_eq!(
                within(&[scope.into()], target),
                expected,
                "{scope} {target}"
            );
        };
        check("arn:aws:s3:::a/*", "arn:aws:s3:::a/k", Cover::Yes);
        check("arn:aws:s3:::a/*", "arn:aws:s3:::a", Cover::Yes);
        check("arn:aws:s3:::a/*", "arn:aws:s3:::b/k", Cover::No);
        check("arn:aws:s3:::a", "arn:aws:s3:::ab", Cover::No);
        check(
            "arn:aws:s3:::home/${aws:username}/*",
            "arn:aws:s3:::home/ana/x",
            Cover::Yes,
        );
        check("arn:aws:iam::1:user/ana", "ana", Cover::Unclear);
        check("arn:aws:kms:*:*:key/1", "arn:aws:s3:::a", Cover::Unclear);
    }

    #[test]
    fn data_permissions_are_known_whatever_their_letters() {
        assert!(is_data_permission("s3:getobject"));
        assert!(is_data_permission("s3:GetObject*"));
        assert!(!is_data_permission("s3:*"));
        assert!(!is_data_permission("iam:CreateUser"));
    }
}
