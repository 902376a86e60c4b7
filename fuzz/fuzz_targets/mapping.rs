//! Any bytes as a record of any source: no panic, the same answer twice, and no more than the
//! limits allow. The first byte chooses the source.
#![no_main]

use std::sync::LazyLock;

use deedtrail_core::id::SourceName;
use deedtrail_core::limits::{EVENTS_PER_RECORD_MAX, SENSITIVE_RANGES_MAX, UNMAPPED_PATHS_MAX};
use deedtrail_core::port::mapper::Mapper as _;
use deedtrail_sources::Registry;
use libfuzzer_sys::fuzz_target;

static REGISTRY: LazyLock<Registry> =
    LazyLock::new(|| Registry::built_in().expect("the mappings of this build compile"));
static SOURCES: LazyLock<Vec<SourceName>> = LazyLock::new(|| {
    REGISTRY
        .sources()
        .into_iter()
        .map(|source| source.name)
        .collect()
});

fuzz_target!(|data: &[u8]| {
    let Some((choice, record)) = data.split_first() else {
        return;
    };
    let source = &SOURCES[usize::from(*choice) % SOURCES.len()];
    check_sensitive(record);
    let mapped = REGISTRY.map(source, record);
    assert_eq!(
        mapped,
        REGISTRY.map(source, record),
        "mapping is not a function of the bytes"
    );
    let explained = REGISTRY.provenance(source, record);
    assert_eq!(mapped.is_ok(), explained.is_ok());
    let identified = REGISTRY.identify(record);
    assert_eq!(identified, REGISTRY.identify(record));
    let Ok(mapped) = mapped else {
        return;
    };
    assert!((1..=EVENTS_PER_RECORD_MAX).contains(&mapped.events.len()));
    for event in &mapped.events {
        assert!(event.unmapped.len() <= UNMAPPED_PATHS_MAX + 1);
    }
});

/// Parts of a record that lie apart in the log: in order, within it, not too many.
fn check_sensitive(record: &[u8]) {
    let ranges = REGISTRY.sensitive(record);
    assert!(ranges.len() <= SENSITIVE_RANGES_MAX);
    let mut end = 0;
    for (range, _) in ranges {
        assert!(end <= range.start && range.start < range.end && range.end <= record.len());
        end = range.end;
    }
}
