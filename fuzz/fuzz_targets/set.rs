//! Any bytes as a Security Event Token, and as a JWK Set: no panic, no stranger's token is taken
//! for signed, and the record of one that is read is a record the source understands.
//! A zero byte parts header from payload, which are then encoded; else the bytes are the token.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deedtrail_app::signal::{KeySet, Parties, SOURCE, Set};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::Mapper as _;
use deedtrail_core::time::Timestamp;
use deedtrail_sources::Registry;
use libfuzzer_sys::fuzz_target;

static REGISTRY: LazyLock<Registry> =
    LazyLock::new(|| Registry::built_in().expect("the mappings of this build compile"));

fuzz_target!(|data: &[u8]| {
    let _any = KeySet::parse(data);
    let parties = Parties {
        issuer: "https://idp.example.com".to_owned(),
        audience: "rp".to_owned(),
    };
    let now = Timestamp::from_micros(1_795_010_400_000_000);
    let mut halves = data.splitn(2, |byte| *byte == 0);
    let token = match (halves.next(), halves.next()) {
        (Some(header), Some(payload)) => {
            let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
            format!("{}.{}.AAAA", encode(header), encode(payload)).into_bytes()
        }
        _ => data.to_vec(),
    };
    let Ok(set) = Set::read(&token, &parties, now) else {
        return;
    };
    assert!(!set.id().is_empty());
    let (Ok(record), Ok(again)) = (set.record(), set.record()) else {
        return;
    };
    assert_eq!(record, again);
    let source = SourceName::new(SOURCE).expect("a name");
    // It may be nested too deeply or say a thing twice, as any record.
    if let Ok(mapped) = REGISTRY.map(&source, &record) {
        assert_eq!(mapped.events.len(), 1);
        let id = format!("{} {}", parties.issuer, set.id());
        // A mapping trims what it reads, and a dash is nothing to it; intake then goes by the token.
        let told = mapped.source_uid.as_deref().unwrap_or(&id);
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        assert!(bare(&id).starts_with(&bare(told)));
    }
});
