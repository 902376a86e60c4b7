//! Every filled field of an event says where it comes from.

use std::sync::Arc;

use deedtrail_app::access::Principal;
use deedtrail_app::provenance::{FieldOrigin, Provenance, Rule};
use deedtrail_app::timeline::EventFile;
use deedtrail_app::{App, Ports};
use deedtrail_core::event::Event;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::archive::{Archive as _, EventFilter};
use deedtrail_core::port::mapper::Mapper;
use deedtrail_sources::Registry;
use deedtrail_testkit::sample::Sample;

use crate::installation::ports;

fn app(sample: &Sample, mapper: Arc<dyn Mapper>) -> App {
    App::new(Ports {
        mapper,
        ..ports(sample)
    })
}

fn newest(sample: &Sample) -> Event {
    let events = sample.archive.events(&EventFilter::default(), None, 1);
    events.unwrap().remove(0)
}

fn field<'a>(provenance: &'a Provenance, name: &str) -> &'a FieldOrigin {
    let mut fields = provenance.fields.iter();
    fields.find(|origin| origin.field == name).unwrap()
}

#[test]
fn every_filled_field_of_a_stored_event_has_an_origin() {
    let sample = Sample::story();
    let app = app(&sample, Arc::clone(&sample.mapper) as _);
    let local = Principal::local();
    let file = app.event_file(&local, newest(&sample).event_uid).unwrap();
    let provenance = app.provenance(&local, &file).unwrap();
    assert_eq!(provenance.problem, None);
    assert_eq!(field(&provenance, "operation").rule, Rule::Record);
    assert_eq!(field(&provenance, "operation").paths, ["eventName"]);
    let action = field(&provenance, "action");
    assert_eq!(
        (action.rule, action.from),
        (Rule::Derived, Some("operation"))
    );
    assert_eq!(action.paths, ["eventName"], "as of the operation");
    assert_eq!(field(&provenance, "time_effective").paths, ["eventTime"]);
    assert_eq!(field(&provenance, "system").rule, Rule::Mapping);
    assert_eq!(field(&provenance, "log_seq").rule, Rule::Receipt);
    assert!(
        provenance.fields.iter().all(|o| o.field != "threat"),
        "not filled"
    );
}

#[test]
fn a_real_mapping_names_its_paths_and_one_that_reads_the_record_no_more_says_so() {
    let sample = Sample::story();
    let registry = Registry::built_in().unwrap();
    let source = SourceName::new("aws.cloudtrail").unwrap();
    let record = br#"{"eventID":"7","eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventTime":"2026-11-18T14:02:11Z","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/a","userName":"a"},"requestParameters":{"userName":"b"}}"#;
    let mapped = registry.map(&source, record).unwrap().events.remove(0);
    let app = app(&sample, Arc::new(registry));
    let mut file = EventFile {
        event: Event {
            source,
            mapped,
            ..newest(&sample)
        },
        record: record.to_vec(),
        proof: None,
    };
    let provenance = app.provenance(&Principal::local(), &file).unwrap();
    assert_eq!(
        field(&provenance, "actor_aliases").paths,
        ["userIdentity.arn"]
    );
    assert_eq!(field(&provenance, "source_uid").paths, ["eventID"]);
    let class = field(&provenance, "class_uid");
    assert_eq!((class.from, class.paths.len()), (Some("action"), 2));

    file.record = b"{}".to_vec();
    let provenance = app.provenance(&Principal::local(), &file).unwrap();
    let problem = provenance.problem.as_deref().unwrap();
    assert!(
        problem.contains("not a record of aws.cloudtrail"),
        "{problem}"
    );
    assert!(provenance.fields.iter().all(|o| o.paths.is_empty()));
}
