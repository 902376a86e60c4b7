//! The use cases over a sample's fakes and the real sources.

use std::sync::Arc;

use deedtrail_app::Ports;
use deedtrail_sources::Registry;
use deedtrail_testkit::sample::Sample;

/// Every port of the sample, except that records are mapped for real.
pub(crate) fn ports(sample: &Sample) -> Ports {
    Ports {
        log: Arc::clone(&sample.log) as _,
        mapper: Arc::new(Registry::built_in().unwrap()),
        archive: Arc::clone(&sample.archive) as _,
        store: Arc::clone(&sample.store) as _,
        clock: Arc::clone(&sample.clock) as _,
        entropy: Arc::clone(&sample.entropy) as _,
    }
}
