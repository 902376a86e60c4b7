//! What identities may do, from an export to the page's answer.

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::entitlement::{
    Basis, EntitlementImportRequest, EntitlementRefusal, EntitlementReport, EntitlementUse,
    ImportKind, Why,
};
use deedtrail_app::intake::Delivery;
use deedtrail_app::pipeline::Pipeline;
use deedtrail_core::entitlement::Entitlement;
use deedtrail_core::finding::{Finding, Severity};
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::log::EvidenceLog as _;
use deedtrail_core::port::mapper::Encoding;
use deedtrail_core::port::store::{FindingFilter, IdentityFilter, Scope, Store as _};
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::sample::Sample;

use crate::installation::{detection_with, ports};
use crate::rules::built_in;

fn pipeline(sample: &Sample) -> Pipeline {
    let detection = detection_with(built_in());
    let mut pipeline = Pipeline::open(ports(sample), detection, [7; 32]).unwrap();
    while pipeline.step().unwrap() {}
    pipeline
}

fn import(sample: &Sample, kind: ImportKind, file: &str, dry_run: bool) -> EntitlementReport {
    let request = EntitlementImportRequest {
        kind,
        account: None,
        file: file.as_bytes(),
        dry_run,
    };
    let app = App::new(ports(sample));
    app.import_entitlements(&Principal::local(), request)
        .unwrap()
}

/// A user `reader` and what a policy of theirs allows and denies.
fn account(actions: &[&str]) -> String {
    serde_json::json!({
        "UserDetailList": [
            {"Arn": "arn:aws:iam::123456789012:user/reader", "GroupList": [],
             "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": {"Statement": [
                {"Effect": "Allow", "Action": actions, "Resource": "*"},
                {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"}]}}]},
            {"Arn": "arn:aws:iam::123456789012:user/never-seen",
             "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": {"Statement": [
                {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}}]}],
        "GroupDetailList": [], "RoleDetailList": [], "Policies": [],
    })
    .to_string()
}

/// Something the user `reader` did, as `aws.cloudtrail` logs it.
fn deed(number: u32, service: &str, name: &str, error: Option<&str>) -> String {
    serde_json::json!({
        "eventVersion": "1.10",
        "eventID": format!("e-{number}"),
        "eventTime": format!("2026-11-{:02}T10:00:00Z", number + 1),
        "eventSource": format!("{service}.amazonaws.com"),
        "eventName": name,
        "awsRegion": "eu-central-1",
        "recipientAccountId": "123456789012",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-sdk",
        "errorCode": error,
        "requestParameters": {"bucketName": "orders"},
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAREADER",
            "arn": "arn:aws:iam::123456789012:user/reader",
            "accountId": "123456789012",
            "accessKeyId": "AKIAREADER",
            "userName": "reader"
        }
    })
    .to_string()
}

fn ingest(sample: &Sample) {
    let records = [
        deed(0, "s3", "ListBuckets", None),
        deed(1, "s3", "PutBucketPolicy", None),
        deed(2, "s3", "DeleteBucket", None),
        deed(3, "iam", "CreateUser", Some("AccessDenied")),
        deed(4, "sts", "GetCallerIdentity", None),
    ];
    let body = records.join("\n");
    let delivery = Delivery {
        source: Some(&SourceName::new("aws.cloudtrail").unwrap()),
        encoding: Encoding::Identity,
        body: body.as_bytes(),
    };
    let app = App::new(ports(sample));
    app.ingest(&Principal::local(), delivery).unwrap();
}

fn used(sample: &Sample) -> EntitlementUse {
    let app = App::new(ports(sample));
    let local = Principal::local();
    let file = app
        .find_identity(&local, "arn:aws:iam::123456789012:user/reader")
        .unwrap();
    app.entitlement_use(&local, &file, (None, None)).unwrap()
}

/// What is stored of the account.
fn stored(sample: &Sample) -> Vec<Entitlement> {
    let tenant = TenantId::default();
    let imports = sample.store.entitlement_imports(&tenant).unwrap();
    let import = &imports[0].import;
    sample.store.entitlements(&tenant, import).unwrap()
}

#[test]
fn who_holds_too_much_to_be_watched_is_told() {
    let sample = Sample::empty();
    let policies: Vec<_> = (0..1_001)
        .map(|number| {
            serde_json::json!({"PolicyName": format!("p{number}"), "PolicyDocument": {"Statement": [
                {"Effect": "Allow", "Action": "s3:List*", "Resource": format!("arn:aws:s3:::b{number}")}]}})
        })
        .collect();
    let account = |policies: &[serde_json::Value]| {
        serde_json::json!({
            "UserDetailList": [{"Arn": "arn:aws:iam::123456789012:user/reader", "GroupList": [],
                                "UserPolicyList": policies}],
            "GroupDetailList": [], "RoleDetailList": [], "Policies": [],
        })
        .to_string()
    };
    import(&sample, ImportKind::Aws, &account(&policies), false);
    drop(pipeline(&sample));
    let told = used(&sample);
    assert_eq!(
        (told.entitlements, &told.not_watched[..]),
        (1_001, &["aws".into()][..])
    );
    let words = told.not_watched_in_words().unwrap();
    assert!(words.contains("more than 1000 grants in aws"), "{words}");
    import(&sample, ImportKind::Aws, &account(&policies[1..]), false);
    drop(pipeline(&sample));
    let told = used(&sample);
    assert_eq!(
        (told.entitlements, told.not_watched_in_words()),
        (1_000, None)
    );
}

#[test]
fn did_may_and_may_not_come_from_one_import_and_one_feed() {
    let sample = Sample::empty();
    let report = import(
        &sample,
        ImportKind::Aws,
        &account(&["s3:List*", "ec2:RunInstances"]),
        false,
    );
    assert_eq!(report.import.account, "123456789012");
    assert_eq!((report.diff.added_total, report.new_identities), (4, 3));
    ingest(&sample);
    drop(pipeline(&sample));

    let used = used(&sample);
    let did: Vec<_> = used
        .did
        .iter()
        .map(|row| (row.deeds.operation.as_str(), row.basis))
        .collect();
    assert_eq!(
        did,
        [
            ("s3:ListBuckets", Basis::Granted),
            ("sts:GetCallerIdentity", Basis::NoneNeeded)
        ]
    );
    assert_eq!(used.did[0].deeds.permissions, ["s3:ListAllMyBuckets"]);
    let may_not: Vec<_> = used
        .may_not
        .iter()
        .map(|row| (row.why, row.deeds.operation.as_str()))
        .collect();
    assert_eq!(
        may_not,
        [
            (Why::AgainstDeny, "s3:DeleteBucket"),
            (Why::WithoutEntitlement, "s3:PutBucketPolicy"),
            (Why::Denied, "iam:CreateUser")
        ]
    );
    assert_eq!(used.may.len(), 1);
    assert_eq!(used.may[0].unused, ["ec2:RunInstances"]);
    assert!(used.may[0].watched_since.is_some(), "{:?}", used.may[0]);
    assert!(used.complete);
}

#[test]
fn who_was_never_seen_is_discovered() {
    let sample = Sample::empty();
    import(&sample, ImportKind::Aws, &account(&["s3:*"]), false);
    drop(pipeline(&sample));
    let people = sample.store.identities(&IdentityFilter::default()).unwrap();
    let found = people.iter().find(|one| one.name.ends_with("never-seen"));
    let found = found.unwrap();
    assert!(found.discovered && found.first_seen.is_none());
    let aliases = sample.store.aliases_of(found.id).unwrap();
    assert_eq!(aliases[0].evidence, "entitlement import");
}

#[test]
fn groups_are_nobody() {
    let sample = Sample::empty();
    let file = "alias,system,permission\nk8s.group:devs,kubernetes,get pods\n";
    let report = import(&sample, ImportKind::List, file, false);
    assert_eq!((report.groups, report.new_identities), (1, 0));
    drop(pipeline(&sample));
    let everybody = IdentityFilter::default();
    assert_eq!(sample.store.identities(&everybody).unwrap(), []);
    assert_eq!(stored(&sample).len(), 1);
}

#[test]
fn an_import_is_shown_before_it_applies_and_is_idempotent() {
    let sample = Sample::empty();
    let (first, second) = (account(&["s3:*"]), account(&["s3:Get*"]));
    let shown = import(&sample, ImportKind::Aws, &first, true);
    assert_eq!((shown.diff.added_total, shown.applied), (4, None));
    assert_eq!(sample.log.end(), 0);
    assert!(
        import(&sample, ImportKind::Aws, &first, false)
            .applied
            .is_some()
    );
    drop(pipeline(&sample));
    let again = import(&sample, ImportKind::Aws, &first, false);
    assert_eq!((again.applied, again.diff.unchanged_total), (None, 4));
    assert_eq!(sample.log.end(), 1);

    let changed = import(&sample, ImportKind::Aws, &second, false);
    let field = &changed.diff.changed[0].fields[0];
    assert_eq!(
        (field.field, &*field.before, &*field.after),
        ("permissions", "s3:*", "s3:Get*")
    );
    assert_eq!(changed.diff.changed_total, 1);
    drop(pipeline(&sample));
    assert_eq!(stored(&sample).len(), 4);
    let nobody =
        r#"{"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}"#;
    let request = EntitlementImportRequest {
        kind: ImportKind::Aws,
        account: Some("123456789012"),
        file: nobody.as_bytes(),
        dry_run: false,
    };
    let app = App::new(ports(&sample));
    let gone = app.import_entitlements(&Principal::local(), request);
    assert_eq!(gone.unwrap().diff.removed_total, 4);
    drop(pipeline(&sample));
    assert_eq!(stored(&sample), []);
}

#[test]
fn a_rebuild_gives_the_same_entitlements() {
    let sample = Sample::empty();
    import(&sample, ImportKind::Aws, &account(&["s3:*"]), false);
    ingest(&sample);
    let mut pipeline = pipeline(&sample);
    import(&sample, ImportKind::Aws, &account(&["s3:Get*"]), false);
    while pipeline.step().unwrap() {}
    let before = (stored(&sample), used(&sample));
    assert!(pipeline.rebuild(&mut |_| true).unwrap());
    assert_eq!((stored(&sample), used(&sample)), before);
}

#[test]
fn an_import_takes_the_scope_to_write() {
    let sample = Sample::empty();
    let app = App::new(ports(&sample));
    let reader = Principal {
        scopes: vec![Scope::Read],
        ..Principal::local()
    };
    let file = account(&["s3:*"]);
    let request = |dry_run| EntitlementImportRequest {
        kind: ImportKind::Aws,
        account: None,
        file: file.as_bytes(),
        dry_run,
    };
    assert!(app.import_entitlements(&reader, request(true)).is_ok());
    let refused = app.import_entitlements(&reader, request(false));
    assert!(matches!(refused, Err(EntitlementRefusal::Denied(_))));
    assert_eq!(sample.log.end(), 0);
}

/// Something that was done a number of minutes ago.
fn done(sample: &Sample, who: &str, (number, minutes_ago): (u32, i64), operation: (&str, &str)) {
    let app = App::new(ports(sample));
    let now = app.ports.clock.now();
    let at = now.plus_micros(-minutes_ago * Timestamp::MINUTE_US);
    let record = deed(number, operation.0, operation.1, None);
    let mut record: serde_json::Value = serde_json::from_str(&record).unwrap();
    record["eventTime"] = at.to_string().into();
    record["userIdentity"]["arn"] = format!("arn:aws:iam::123456789012:user/{who}").into();
    record["userIdentity"]["principalId"] = format!("AIDA{who}").into();
    record["userIdentity"]["userName"] = who.into();
    record["userIdentity"]["accessKeyId"] = format!("AKIA{who}").into();
    let body = record.to_string();
    let delivery = Delivery {
        source: Some(&SourceName::new("aws.cloudtrail").unwrap()),
        encoding: Encoding::Identity,
        body: body.as_bytes(),
    };
    app.ingest(&Principal::local(), delivery).unwrap();
}

fn beyond(sample: &Sample) -> Vec<Finding> {
    let filter = FindingFilter {
        kind: Some("unentitled_use".to_owned()),
        ..FindingFilter::default()
    };
    sample.store.findings(&filter, 99).unwrap()
}

/// What the user `reader` and one whom no import names did; restarted after each if wanted.
fn day_of_two(restarts: bool) -> Vec<Finding> {
    let sample = Sample::empty();
    import(&sample, ImportKind::Aws, &account(&["s3:List*"]), false);
    let deeds = [
        ("reader", 5, ("s3", "ListBuckets")),
        ("reader", 4, ("ec2", "RunInstances")),
        ("reader", 3, ("ec2", "RunInstances")),
        ("stranger", 3, ("ec2", "RunInstances")),
        ("stranger", 2, ("iam", "CreateAccessKey")),
        ("reader", 2 * 24 * 60, ("ec2", "StopInstances")),
        ("reader", 1, ("sts", "GetCallerIdentity")),
    ];
    for (number, (who, minutes, operation)) in (0..).zip(deeds) {
        done(&sample, who, (number, minutes), operation);
        if restarts {
            drop(pipeline(&sample));
        }
    }
    drop(pipeline(&sample));
    let found = beyond(&sample);
    for finding in &found {
        let session = finding.draft.session.unwrap();
        let session = sample.store.session(&TenantId::default(), session);
        let named = session.unwrap().unwrap().findings;
        assert!(named.iter().any(|it| it.id == finding.id), "{named:?}");
    }
    found
}

#[test]
fn what_goes_beyond_what_was_imported_is_one_finding_a_day_of_those_it_names() {
    let told = day_of_two(false);
    assert_eq!(told.len(), 1, "{told:?}");
    let draft = &told[0].draft;
    assert_eq!(draft.severity, Severity::Low);
    assert_eq!(draft.events.len(), 2, "{:?}", draft.events);
    assert!(
        draft.title.starts_with("reader did ec2:RunInstances"),
        "{}",
        draft.title
    );
    assert!(
        draft.title.ends_with("without being entitled to it"),
        "{}",
        draft.title
    );
    let entitled = &draft.reasons[1];
    assert!(
        entitled.contains("none covers ec2:RunInstances"),
        "{entitled}"
    );
    assert!(
        entitled.contains("the import aws 123456789012 of "),
        "{entitled}"
    );
    assert_eq!(day_of_two(true), told, "whatever is restarted");
}

#[test]
fn secrets_rights_and_denies_beyond_what_was_imported_are_graver_and_a_new_import_ends_it() {
    let sample = Sample::empty();
    import(&sample, ImportKind::Aws, &account(&["s3:List*"]), false);
    done(&sample, "reader", (0, 3), ("s3", "DeleteBucket"));
    drop(pipeline(&sample));
    let told = beyond(&sample);
    assert!(
        told[0].draft.title.ends_with("although it is denied"),
        "{told:?}"
    );
    done(
        &sample,
        "reader",
        (1, 2),
        ("secretsmanager", "GetSecretValue"),
    );
    drop(pipeline(&sample));
    let told = beyond(&sample);
    assert_eq!((told.len(), told[0].draft.severity), (1, Severity::High));
    let more = account(&["s3:List*", "secretsmanager:*", "ec2:*"]);
    import(&sample, ImportKind::Aws, &more, false);
    done(&sample, "reader", (2, 1), ("ec2", "RunInstances"));
    drop(pipeline(&sample));
    assert_eq!(
        beyond(&sample)[0].draft.events.len(),
        2,
        "it is entitled now"
    );
}

#[test]
fn a_right_that_may_come_by_a_group_is_not_held_against_anybody() {
    let sample = Sample::empty();
    let file = "alias,system,permission\n\
        aws.arn:arn:aws:iam::123456789012:user/reader,aws,s3:List*\n\
        aws.group:operators,aws,ec2:*\n";
    import(&sample, ImportKind::List, file, false);
    done(&sample, "reader", (0, 2), ("ec2", "RunInstances"));
    drop(pipeline(&sample));
    assert_eq!(beyond(&sample), []);
    done(&sample, "reader", (1, 1), ("sqs", "PurgeQueue"));
    drop(pipeline(&sample));
    assert_eq!(beyond(&sample).len(), 1, "no group has that right");
}

#[test]
fn a_dry_run_names_whom_it_would_make_known_and_whom_it_concerns() {
    let sample = Sample::empty();
    let first = account(&["s3:List*"]);
    let dry = import(&sample, ImportKind::Aws, &first, true);
    let created = "aws.arn:arn:aws:iam::123456789012:user/never-seen";
    assert!(
        dry.created.iter().any(|it| it == created),
        "{:?}",
        dry.created
    );
    assert_eq!((dry.new_identities, dry.updated_identities), (3, 0));
    import(&sample, ImportKind::Aws, &first, false);
    drop(pipeline(&sample));
    let dry = import(&sample, ImportKind::Aws, &account(&["s3:Get*"]), true);
    assert_eq!((dry.new_identities, dry.created.len()), (0, 0));
    let reader = "(aws.arn:arn:aws:iam::123456789012:user/reader)";
    assert_eq!(dry.updated.len(), 1, "{:?}", dry.updated);
    assert!(dry.updated[0].ends_with(reader), "{:?}", dry.updated);
}
