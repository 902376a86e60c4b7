//! Whatever comes in: no panic, nothing lost, the same answer again.

use deedtrail_core::port::mapper::{Encoding, Mapper as _};
use proptest::prelude::*;

use crate::registries::{registry, source};

/// JSON values with keys that mappings read among others.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<i32>().prop_map(|n| (f64::from(n) / 8.0).into()),
        "[ -~\\n\"\\\\é\u{0}]{0,12}".prop_map(Into::into),
        Just("2026-11-18T14:02:11Z".into()),
        Just("{\"id\":[1]}".into()),
    ];
    let key = prop_oneof![
        "[a-z.\"\\[]{0,4}",
        prop::sample::select(vec![
            "eventSource",
            "eventName",
            "eventTime",
            "userIdentity",
            "type",
            "arn",
            "action",
            "actor",
            "target",
            "id",
            "verb",
            "objectRef",
            "resource",
            "auditID",
            "eventType",
            "outcome",
            "result",
            "created_at",
            "requestParameters",
            "sourceIPAddress",
            "user",
            "username",
            "properties",
            "log",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 48, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map(key.clone(), inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let registry = registry();
        for facts in registry.sources() {
            let _mapped = registry.map(&facts.name, &bytes);
            let framed = registry.frame(&facts.name, Encoding::Identity, &bytes);
            prop_assert!(framed.is_ok());
        }
    }

    #[test]
    fn no_json_makes_it_panic_and_answers_repeat(value in json()) {
        let registry = registry();
        let text = value.to_string();
        for facts in registry.sources() {
            let mapped = registry.map(&facts.name, text.as_bytes());
            prop_assert_eq!(&mapped, &registry.map(&facts.name, text.as_bytes()));
            if let Ok(record) = mapped {
                prop_assert!(!record.events.is_empty());
                let provenance = registry.provenance(&facts.name, text.as_bytes()).unwrap();
                prop_assert_eq!(provenance.len(), record.events.len());
            }
        }
    }

    #[test]
    fn framing_gives_back_the_records(values in prop::collection::vec(json(), 0..6), pretty in any::<bool>()) {
        let registry = registry();
        let records: Vec<serde_json::Value> = values
            .into_iter()
            .map(|value| serde_json::json!({ "record": value }))
            .collect();
        let written = |value: &serde_json::Value| {
            if pretty {
                serde_json::to_string_pretty(value).unwrap()
            } else {
                value.to_string()
            }
        };
        let lines = records.iter().map(written).collect::<Vec<_>>().join("\n");
        let array = written(&records.clone().into());
        let envelope = written(&serde_json::json!({ "a": {"Records": 1}, "Records": records }));
        for body in [lines, array, envelope] {
            let framed = registry
                .frame(&source("aws.cloudtrail"), Encoding::Identity, body.as_bytes())
                .unwrap();
            let back: Vec<serde_json::Value> = framed
                .iter()
                .map(|one| serde_json::from_slice(&one.bytes).unwrap())
                .collect();
            prop_assert_eq!(&back, &records, "{}", body);
        }
    }

    #[test]
    fn framing_loses_no_bytes(text in "[{}\\[\\],:\"a1 \\n\\\\]{0,60}") {
        let framed = registry()
            .frame(&source("github.audit"), Encoding::Identity, text.as_bytes())
            .unwrap();
        let kept: usize = framed.iter().flat_map(|one| one.bytes.iter()).filter(|b| !b.is_ascii_whitespace()).count();
        let given = text.bytes().filter(|b| !b.is_ascii_whitespace()).count();
        let separators = text.bytes().filter(|b| matches!(b, b'[' | b']' | b',')).count();
        prop_assert!(kept <= given && kept + separators >= given, "{text:?} -> {framed:?}");
    }
}
