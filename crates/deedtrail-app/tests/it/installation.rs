//! The use cases over a sample's fakes and the real sources.

use std::sync::{Arc, LazyLock};

use deedtrail_app::Ports;
use deedtrail_app::pipeline::{Detection, Pipeline};
use deedtrail_detect::Settings;
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
    let detection = Detection {
        rules: built_in(),
        settings: Settings::default(),
        targets: Arc::default(),
        book: Arc::default(),
        sequences: deedtrail_charter::Library::shipped(),
    };
    Pipeline::open(ports(sample), detection, [7; 32]).unwrap()
}
