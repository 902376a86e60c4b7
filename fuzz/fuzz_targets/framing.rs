//! Any bytes as a delivery in any encoding: no panic, and what comes out is bounded by the limits.
//! The first byte chooses the source, the second the encoding.
#![no_main]

use std::sync::LazyLock;

use deedtrail_core::id::SourceName;
use deedtrail_core::limits::{RECORD_BYTES_MAX, REQUEST_BYTES_MAX};
use deedtrail_core::port::mapper::{Encoding, Framed, Mapper as _};
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
    let [choice, encoding, body @ ..] = data else {
        return;
    };
    let source = &SOURCES[usize::from(*choice) % SOURCES.len()];
    let encoding = [Encoding::Identity, Encoding::Gzip, Encoding::Zstd][usize::from(*encoding % 3)];
    let Ok(framed) = REGISTRY.frame(source, encoding, body) else {
        return;
    };
    let total: usize = framed.iter().map(|one| one.bytes.len()).sum();
    assert!(total <= REQUEST_BYTES_MAX);
    assert!(
        framed
            .iter()
            .all(|one| one.bytes.len() <= RECORD_BYTES_MAX && one.line > 0)
    );
    assert!(framed.windows(2).all(|pair| pair[0].line <= pair[1].line));
    let packed = [&[0x1f, 0x8b, 0x08][..], &[0x28, 0xb5, 0x2f, 0xfd]];
    if encoding == Encoding::Identity && !packed.iter().any(|magic| body.starts_with(magic)) {
        assert!(total <= body.len());
        assert!(framed.iter().all(|one| lies_within(one, body)));
    }
});

/// Whether the record is a piece of the body, not a copy.
fn lies_within(one: &Framed<'_>, body: &[u8]) -> bool {
    one.bytes.is_empty() || body.as_ptr_range().contains(&one.bytes.as_ptr())
}
