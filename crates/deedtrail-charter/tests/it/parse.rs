//! Texts of charters: what is read, and how mistakes are told.

use deedtrail_charter::document::{Comments, write};
use deedtrail_charter::parse;
use proptest::prelude::*;

pub(crate) const EXAMPLE: &str = include_str!("../../examples/ci-deployer.yaml");

#[test]
fn the_example_survives_being_written() {
    let written = parse("ci-deployer.yaml", EXAMPLE).unwrap();
    let text = write(&written.charter, &Comments::new());
    insta::assert_snapshot!("example", text);
    assert_eq!(parse("again", &text).unwrap().charter, written.charter);
}

#[test]
fn mistakes_are_told_with_their_place_and_what_was_meant() {
    let check = |from: &str, to: &str| {
        let text = EXAMPLE.replacen(from, to, 1);
        assert_ne!(text, EXAMPLE, "{from} is in the example");
        parse("ci.yaml", &text).unwrap_err().to_string()
    };
    let all = [
        check("purpose:", "purpos:"),
        check("action: [read, deploy", "action: [read, deplyo"),
        check("Europe/Berlin", "Europe/Berlinn"),
        check("AS64500", "64500"),
        check("06:00-20:00", "06:00-26:00"),
        check("2GiB", "two"),
        check("mon-fri", "mon-fry"),
        check("aws.arn:arn", "arn"),
        check("must_end_with: verify", "must_end_with: verfy"),
        check("charter: ci-deployer", "charter: CI Deployer"),
        check(
            "distinct_targets_per_minute: 20",
            "distinct_targets_per_minute: 99999",
        ),
        check("owner: platform@example.com", "owner: \"\""),
    ];
    insta::assert_snapshot!("mistakes", all.join("\n"));
}

#[test]
fn a_text_over_the_limit_is_refused() {
    let long = format!(
        "{EXAMPLE}# {}",
        "x".repeat(deedtrail_charter::limits::TEXT_BYTES_MAX)
    );
    assert!(
        parse("x", &long)
            .unwrap_err()
            .message
            .contains("at most 65536")
    );
    let nested = format!("charter: x\npurpose: {}", "[".repeat(5_000));
    assert!(parse("x", &nested).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(at in 0..EXAMPLE.len(), text in "[\\PC\n:\\-\\[{&*!]{0,12}") {
        let mut changed = EXAMPLE.to_owned();
        if changed.is_char_boundary(at) {
            changed.insert_str(at, &text);
        }
        if let Err(problem) = parse("x", &changed) {
            prop_assert!(problem.line >= 1 && !problem.message.is_empty());
        }
    }
}
