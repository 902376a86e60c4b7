//! A feed that stops, from the log's ticks to the finding and the page.

use std::sync::Arc;

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::feed_health::SourceState;
use deedtrail_app::intake::Delivery;
use deedtrail_app::pipeline::Pipeline;
use deedtrail_core::finding::Finding;
use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::Clock as _;
use deedtrail_core::port::mapper::Encoding;
use deedtrail_core::port::store::{FindingFilter, Store as _};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::RuleSet;
use deedtrail_testkit::sample::Sample;

use crate::installation::{detection_with, ports};

const DAYS: i64 = 10;

fn open(sample: &Sample) -> Pipeline {
    let detection = detection_with(Arc::new(RuleSet::default()));
    Pipeline::open(ports(sample), detection, [7; 32]).unwrap()
}

/// A record an hour for ten days, then a day of nothing, then one more; the pipeline is opened anew
/// after `restart_every` hours.
fn lived(restart_every: i64) -> (Sample, Vec<Finding>, SourceHealth) {
    let sample = Sample::empty();
    let app = App::new(ports(&sample));
    let source = SourceName::new("vault.audit").unwrap();
    let mut pipeline = open(&sample);
    for hour in 0..DAYS * 24 + 25 {
        app.tick().unwrap();
        if hour < DAYS * 24 || hour == DAYS * 24 + 24 {
            let record = format!(
                r#"{{"time":"2026-11-01T00:00:00Z","type":"request","auth":{{"entity_id":"e"}},"request":{{"id":"{hour}","operation":"read","path":"secret/data/a"}}}}"#
            );
            let delivery = Delivery {
                source: Some(&source),
                encoding: Encoding::Identity,
                body: record.as_bytes(),
            };
            app.ingest(&Principal::local(), delivery).unwrap();
        }
        if hour % restart_every == 0 {
            pipeline = open(&sample);
        }
        while pipeline.step().unwrap() {}
        sample.clock.advance(Timestamp::HOUR_US);
    }
    let findings = sample.store.findings(&FindingFilter::default(), 9).unwrap();
    let health = sample.store.source_health().unwrap().remove(0);
    (sample, findings, health)
}

#[test]
fn a_feed_that_stops_is_a_finding_however_often_the_server_starts() {
    let (sample, findings, health) = lived(i64::MAX);
    let silent: Vec<_> = findings
        .iter()
        .filter(|it| it.draft.kind == "source_silent")
        .collect();
    let [finding] = silent.as_slice() else {
        panic!("{findings:#?}");
    };
    assert_eq!(
        finding.draft.events.len(),
        1,
        "the last event before the silence"
    );
    let [gap] = health.watched.gaps.as_slice() else {
        panic!("{:?}", health.watched);
    };
    assert_eq!(gap.to.micros_since(gap.from), 25 * Timestamp::HOUR_US);
    assert_eq!(health.hours.at(sample.clock.now()).iter().sum::<u64>(), 1);
    let app = App::new(ports(&sample));
    let state = |app: &App| {
        let reports = app.sources(&Principal::local()).unwrap();
        let report = reports.iter().find(|it| it.name.as_str() == "vault.audit");
        report.unwrap().state
    };
    assert_eq!(state(&app), SourceState::Live);
    sample.clock.advance(2 * Timestamp::DAY_US);
    assert_eq!(state(&app), SourceState::Live, "nobody listened");
    let mut pipeline = open(&sample);
    let silent_after = (0..24).find(|_| {
        app.tick().unwrap();
        while pipeline.step().unwrap() {}
        sample.clock.advance(Timestamp::HOUR_US);
        state(&app) == SourceState::Silent
    });
    assert!(
        silent_after > Some(2),
        "{silent_after:?}: it is new that somebody listens"
    );
    let told = sample.store.findings(&FindingFilter::default(), 9).unwrap();
    assert_eq!(told.len(), findings.len() + 1, "page and finding agree");

    let (_, restarted, same) = lived(7);
    assert_eq!(restarted, findings);
    assert_eq!(same, health);
}
