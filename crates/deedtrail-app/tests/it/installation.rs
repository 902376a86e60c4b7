//! The use cases over a sample's fakes and the real sources.

use std::sync::{Arc, LazyLock};

use deedtrail_app::access::Principal;
use deedtrail_app::intake::Delivery;
use deedtrail_app::pipeline::{Detection, Pipeline};
use deedtrail_app::{App, Ports};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::Encoding;
use deedtrail_detect::{RuleSet, Settings};
use deedtrail_sources::Registry;
use deedtrail_testkit::FakeTables;
use deedtrail_testkit::sample::Sample;

use crate::rules::built_in;

/// The real sources, compiled once.
static SOURCES: LazyLock<Arc<Registry>> = LazyLock::new(|| Arc::new(Registry::built_in().unwrap()));

/// Every port of the sample, except that records are mapped for real.
pub(crate) fn ports(sample: &Sample) -> Ports {
    Ports {
        log: Arc::clone(&sample.log) as _,
        mapper: Arc::clone(&SOURCES) as _,
        tables: Arc::new(FakeTables),
        archive: Arc::clone(&sample.archive) as _,
        store: Arc::clone(&sample.store) as _,
        clock: Arc::clone(&sample.clock) as _,
        entropy: Arc::clone(&sample.entropy) as _,
    }
}

/// The pipeline over them, with what we ship.
pub(crate) fn pipeline(sample: &Sample) -> Pipeline {
    pipeline_with(sample, built_in())
}

/// What detection is made of: these rules, and what is shipped.
pub(crate) fn detection_with(rules: Arc<RuleSet>) -> Detection {
    Detection {
        rules,
        settings: Settings::default(),
        targets: Arc::default(),
        book: Arc::default(),
        sequences: deedtrail_charter::Library::shipped(),
    }
}

/// The same with these rules.
pub(crate) fn pipeline_with(sample: &Sample, rules: Arc<RuleSet>) -> Pipeline {
    Pipeline::open(ports(sample), detection_with(rules), [7; 32]).unwrap()
}

/// Takes in that `who` deletes an object of `bucket` at that minute of 2026-03-02.
pub(crate) fn delete_object(app: &App, who: &str, bucket: &str, minute: u32) {
    let body = serde_json::json!({
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "IAMUser",
            "arn": format!("arn:aws:iam::111122223333:user/{who}"),
            "accountId": "111122223333",
            "principalId": format!("AIDA{who}"),
            "userName": who,
        },
        "eventTime": format!("2026-03-02T10:{minute:02}:00Z"),
        "eventSource": "s3.amazonaws.com",
        "eventName": "DeleteObject",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "192.0.2.1",
        "requestParameters": { "bucketName": bucket, "key": "a.csv" },
        "eventID": format!("event-{who}-{minute}"),
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": false,
        "recipientAccountId": "111122223333",
    });
    let body = body.to_string();
    let delivery = Delivery {
        source: Some(&SourceName::new("aws.cloudtrail").unwrap()),
        encoding: Encoding::Identity,
        body: body.as_bytes(),
    };
    app.ingest(&Principal::local(), delivery).unwrap();
}
