//! What the pipeline does when the archive fails under it.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use deedtrail_app::access::Principal;
use deedtrail_app::intake::Delivery;
use deedtrail_app::pipeline::{Pipeline, Worker};
use deedtrail_app::{App, Ports};
use deedtrail_core::event::Event;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::archive::{
    ActionCount, Archive, ArchiveError, ArchiveFigures, Bucket, Cursor, Cutoffs, EventFilter,
    Leaving, OutputFormat, QueryBudget, QueryCost,
};
use deedtrail_core::port::log::{EvidenceLog as _, Sequence};
use deedtrail_core::port::mapper::Encoding;
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::sample::Sample;

use crate::installation::{detection_with, ports};
use crate::rules::built_in;

/// Fails so many commits and compactions, then works.
#[derive(Debug)]
struct Failing {
    inner: Arc<dyn Archive>,
    commits: AtomicI64,
    compactions: AtomicI64,
}

fn fail_while_any(left: &AtomicI64) -> Result<(), ArchiveError> {
    if left.fetch_sub(1, Ordering::SeqCst) > 0 {
        return Err(ArchiveError::Failed {
            folder: "archive".into(),
            reason: "the disk is full".into(),
        });
    }
    Ok(())
}

impl Archive for Failing {
    fn covered(&self) -> Sequence {
        self.inner.covered()
    }

    fn add(&self, events: Vec<Event>, through: Sequence) -> Result<(), ArchiveError> {
        self.inner.add(events, through)
    }

    fn commit(&self) -> Result<(), ArchiveError> {
        fail_while_any(&self.commits)?;
        self.inner.commit()
    }

    fn compact(&self) -> Result<(), ArchiveError> {
        fail_while_any(&self.compactions)?;
        self.inner.compact()
    }

    fn prune(
        &self,
        cutoffs: &Cutoffs,
        announce: &mut dyn FnMut(&[Leaving]) -> bool,
    ) -> Result<u64, ArchiveError> {
        self.inner.prune(cutoffs, announce)
    }

    fn start_rebuild(&self) -> Result<(), ArchiveError> {
        self.inner.start_rebuild()
    }

    fn finish_rebuild(&self) -> Result<(), ArchiveError> {
        self.inner.finish_rebuild()
    }

    fn events(
        &self,
        filter: &EventFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Vec<Event>, ArchiveError> {
        self.inner.events(filter, cursor, limit)
    }

    fn histogram(&self, filter: &EventFilter, bucket: i64) -> Result<Vec<Bucket>, ArchiveError> {
        self.inner.histogram(filter, bucket)
    }

    fn actions(&self, filter: &EventFilter) -> Result<Vec<ActionCount>, ArchiveError> {
        self.inner.actions(filter)
    }

    fn query(
        &self,
        tenant: &TenantId,
        sql: &str,
        format: OutputFormat,
        budget: QueryBudget,
        out: &mut (dyn Write + Send),
    ) -> Result<QueryCost, ArchiveError> {
        self.inner.query(tenant, sql, format, budget, out)
    }

    fn figures(&self) -> ArchiveFigures {
        self.inner.figures()
    }
}

/// An installation whose archive fails so many commits and compactions, and its pipeline.
fn failing(sample: &Sample, commits: i64, compactions: i64) -> (App, Pipeline) {
    let ports: Ports = ports(sample);
    let archive = Failing {
        inner: Arc::clone(&ports.archive),
        commits: commits.into(),
        compactions: compactions.into(),
    };
    let ports = Ports {
        archive: Arc::new(archive),
        ..ports
    };
    let detection = detection_with(built_in());
    let pipeline = Pipeline::open(ports.clone(), detection, [7; 32]).unwrap();
    (App::new(ports), pipeline)
}

/// Takes in records of so many events each.
fn send(app: &App, records: usize, events: usize) {
    let events = vec!["{}"; events].join(",");
    let record = |n| {
        format!(
            "{{\"kind\":\"admin#reports#activity\",\"id\":{{\"time\":\"2026-11-18T08:40:57.123Z\",\
             \"uniqueQualifier\":\"{n}\",\"applicationName\":\"admin\",\"customerId\":\"C0\"}},\
             \"events\":[{events}]}}\n"
        )
    };
    let body: String = (0..records).map(record).collect();
    let delivery = Delivery {
        source: Some(&SourceName::new("google_workspace.admin").unwrap()),
        encoding: Encoding::Identity,
        body: body.as_bytes(),
    };
    let answer = app.ingest(&Principal::local(), delivery).unwrap();
    assert_eq!(answer.accepted, records as u64);
}

#[test]
fn a_failed_commit_is_told_though_nothing_more_comes_in() {
    let sample = Sample::empty();
    let (app, mut pipeline) = failing(&sample, 1, 0);
    send(&app, 1, 1);
    while pipeline.step().unwrap() {}
    sample.clock.advance(10 * Timestamp::MINUTE_US);
    let told = (0..).find_map(|_| {
        std::thread::yield_now();
        pipeline.commit_when_due().err()
    });
    assert!(told.unwrap().to_string().contains("the disk is full"));
}

#[test]
fn stopping_ends_and_tells_though_the_last_commit_failed() {
    let sample = Sample::empty();
    let (app, pipeline) = failing(&sample, 1, 0);
    let worker = Worker::start(pipeline, &app.processing).unwrap();
    send(&app, 1, 1);
    worker.wait_through(sample.log.end()).unwrap();
    let told = worker.stop().unwrap_err();
    assert!(told.to_string().contains("the disk is full"), "{told}");
}

#[test]
fn stopping_when_the_trouble_is_over_is_no_failure() {
    let sample = Sample::empty();
    let (app, pipeline) = failing(&sample, 1, 0);
    let worker = Worker::start(pipeline, &app.processing).unwrap();
    send(&app, 1, 1);
    worker.wait_through(sample.log.end()).unwrap();
    sample.clock.advance(10 * Timestamp::MINUTE_US);
    while app.processing.error().is_none() {
        std::thread::yield_now();
    }
    worker.stop().unwrap();
    assert_eq!(app.processing.error().map(|error| error.to_string()), None);
    assert_eq!(sample.archive.covered(), sample.log.end());
}

#[test]
fn stopping_while_the_trouble_lasts_tells_it() {
    let sample = Sample::empty();
    let (app, pipeline) = failing(&sample, i64::MAX, 0);
    let worker = Worker::start(pipeline, &app.processing).unwrap();
    send(&app, 1, 1);
    worker.wait_through(sample.log.end()).unwrap();
    sample.clock.advance(10 * Timestamp::MINUTE_US);
    while app.processing.error().is_none() {
        std::thread::yield_now();
    }
    let told = worker.stop().unwrap_err();
    assert!(told.to_string().contains("the disk is full"), "{told}");
}

#[test]
fn an_archive_that_cannot_be_written_is_told_until_it_is() {
    let sample = Sample::empty();
    let (app, pipeline) = failing(&sample, 1, 0);
    let worker = Worker::start(pipeline, &app.processing).unwrap();
    send(&app, 1, 1);
    worker.wait_through(sample.log.end()).unwrap();
    let told_until = |is_told: &dyn Fn(&str) -> bool| loop {
        let says = app.figures().unwrap().stopped.unwrap_or_default();
        if is_told(&says) {
            break;
        }
        std::thread::yield_now();
    };
    sample.clock.advance(10 * Timestamp::MINUTE_US);
    told_until(&|says| says.contains("the disk is full"));
    // The thread goes on, and the next commit is not due yet.
    told_until(&|says| !says.starts_with("processing stopped"));
    let says = app.figures().unwrap().stopped.unwrap();
    assert!(
        says.starts_with("the archive could not be written: ") && says.contains("the disk is full"),
        "{says}"
    );
    assert!(sample.archive.covered() < sample.log.end());
    sample.clock.advance(10 * Timestamp::MINUTE_US);
    told_until(&str::is_empty);
    assert_eq!(sample.archive.covered(), sample.log.end());
    worker.stop().unwrap();
}

#[test]
fn closing_tries_a_failed_commit_once_more() {
    let sample = Sample::empty();
    let (app, mut pipeline) = failing(&sample, 1, 0);
    send(&app, 1, 1);
    while pipeline.step().unwrap() {}
    sample.clock.advance(10 * Timestamp::MINUTE_US);
    pipeline.commit_when_due().unwrap();
    pipeline.close().unwrap();
    assert_eq!(sample.archive.covered(), sample.log.end());
}

#[test]
fn a_backlog_is_processed_though_compaction_fails() {
    let sample = Sample::empty();
    let (app, mut pipeline) = failing(&sample, 0, i64::MAX);
    send(&app, 26, 9_999);
    while pipeline.step().unwrap() {}
    pipeline.close().unwrap();
    assert_eq!(pipeline.position(), sample.log.end());
    assert_eq!(sample.archive.covered(), sample.log.end());
}
