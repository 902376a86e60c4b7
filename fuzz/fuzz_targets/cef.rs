//! Any bytes as a line in Common Event Format: no panic, the same answer twice, and secrets within
//! the record.
#![no_main]

use std::sync::LazyLock;

use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::Mapper as _;
use deedtrail_sources::Registry;
use libfuzzer_sys::fuzz_target;

static REGISTRY: LazyLock<Registry> =
    LazyLock::new(|| Registry::built_in().expect("the mappings of this build compile"));
static CEF: LazyLock<SourceName> =
    LazyLock::new(|| SourceName::new("generic.cef").expect("a source is called so"));

fuzz_target!(|data: &[u8]| {
    let line = [b"CEF:0|a|b|c|d|e|1|", data].concat();
    for record in [data, line.as_slice()] {
        let mapped = REGISTRY.map(&CEF, record);
        assert_eq!(mapped, REGISTRY.map(&CEF, record));
        assert_eq!(mapped.is_ok(), REGISTRY.provenance(&CEF, record).is_ok());
        let mut end = 0;
        for (range, _) in REGISTRY.sensitive(record) {
            assert!(end <= range.start && range.start < range.end && range.end <= record.len());
            end = range.end;
        }
        assert_eq!(REGISTRY.identify(record), REGISTRY.identify(record));
    }
});
