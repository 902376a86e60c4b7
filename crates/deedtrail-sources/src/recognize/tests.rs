//! Records without a label, among sources made for it.

use std::fmt::Write as _;

use deedtrail_core::id::SourceName;
use deedtrail_core::mapping::MapError;
use deedtrail_core::port::mapper::Mapper as _;

use crate::Registry;

/// A registry with sources of these names, conditions and ways their records come.
fn registry(sources: &[(&str, &str, &str)]) -> Registry {
    let folder = tempfile::tempdir().unwrap();
    for (name, identify, records) in sources {
        let mut mapping = String::from("title = \"T\"\n");
        writeln!(mapping, "[records]\n{records}\n[identify]\n{identify}").unwrap();
        mapping.push_str("[event]\nsystem = \"'x'\"\noperation = \"zzz\"\n");
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("mapping.toml"), mapping).unwrap();
    }
    Registry::load(folder.path()).unwrap()
}

fn check(registry: &Registry, record: &str, expected: &[&str]) {
    let found = registry.candidates(record.as_bytes());
    let found: Vec<&str> = found.iter().map(|name| name.as_str()).collect();
    assert_eq!(found, expected, "{record}");
}

#[test]
fn a_record_is_told_by_what_its_mapping_reads() {
    let registry = Registry::built_in().unwrap();
    // The mapping keeps the list whole, of which a condition alone would read the first element.
    let of_ecs = r#"{"event":{"category":["","iam"],"type":["user"]}}"#;
    check(&registry, of_ecs, &["generic.ecs"]);
    // A text that the mapping reads as what it holds.
    let message = r#"{"jsonrpc":"2.0","id":1,"result":"[]"}"#;
    for record in [of_ecs, message] {
        for source in registry.candidates(record.as_bytes()) {
            let mapped = registry.map(source, record.as_bytes());
            assert!(
                !matches!(mapped, Err(MapError::WrongSource { .. })),
                "{source}: {record}"
            );
        }
    }
}

#[test]
fn the_surest_wins_and_equals_are_undecided() {
    let registry = registry(&[
        ("zz.presence", "zzz = \"*\"\nzzq = \"!*\"", ""),
        (
            "zz.twin",
            "zzz = \"*\"\nzzq = \"!*\"\nnone_of = [{ yyy = \"no\" }]",
            "",
        ),
        ("zz.glob", "zzz = \"abcd*\"\nzzq = \"!*\"", ""),
        ("zz.exact", "zzz = [\"abcd\", \"ac\"]\nzzq = \"!*\"", ""),
        ("zz.deep", "zzz = \"*\"\n\"yyy.x.y\" = \"*\"", ""),
        (
            "zz.twice",
            "zzz = \"q*\"\nzzq = \"!*\"\nany_of = [{ zzz = \"qq\" }, { zzz = \"*\" }]",
            "",
        ),
        ("zz.list", "\"zzl[kind=a].id\" = \"*\"", ""),
        ("zz.plain", "zzl = \"*\"\nany_of = [{ zzm = \"!*\" }]", ""),
    ]);
    check(&registry, r#"{"zzz":"b","yyy":"no"}"#, &["zz.presence"]);
    check(&registry, r#"{"zzz":"b"}"#, &["zz.twin"]);
    check(&registry, r#"{"zzz":"abcd"}"#, &["zz.exact"]);
    check(&registry, r#"{"zzz":"abcdx"}"#, &["zz.glob", "zz.twin"]);
    check(
        &registry,
        r#"{"zzz":"b","yyy":{"x":{"y":1}}}"#,
        &["zz.deep"],
    );
    check(&registry, r#"{"zzz":"qq"}"#, &["zz.twice"]);
    check(
        &registry,
        r#"{"zzl":[{"kind":"b"},{"kind":"a","id":1}]}"#,
        &["zz.list"],
    );
    check(&registry, r#"{"zzl":[{"kind":"b","id":1}]}"#, &["zz.plain"]);
    for nothing in [
        r#"{"zzz":null}"#,
        r#"{"zzz":" "}"#,
        "{}",
        "[]",
        "",
        "{",
        "zzz",
    ] {
        check(&registry, nothing, &[]);
    }
}

#[test]
fn lines_of_text_are_asked_of_sources_that_read_text() {
    let cef = "text = \"cef\"";
    let registry = registry(&[
        ("zz.any", "\"cef.deviceVendor\" = \"*\"", cef),
        ("zz.gate", "\"cef.deviceVendor\" = \"ZZ\"", cef),
        ("zz.pairs", "zzz = \"*\"", "text = { pairs = \" \" }"),
        ("zz.json", "zzz = \"*\"\nyyy = \"*\"", ""),
    ]);
    let line = |vendor: &str| format!("<1>x CEF:0|{vendor}|p|1|c|n|3|zzy=1");
    check(&registry, &line("ZZ"), &["zz.gate"]);
    assert!(!registry.candidates(line("other").as_bytes()).is_empty());
    check(&registry, "a zzz=1 b", &["zz.pairs"]);
    check(&registry, "zzz=1 yyy=1", &["zz.pairs"]);
    check(&registry, r#"{"zzz":1}"#, &["zz.pairs"]);
    check(&registry, r#"{"zzz":1,"yyy":1}"#, &["zz.json"]);
}

#[test]
fn one_key_of_a_usual_kind_is_no_sign() {
    let registry = registry(&[
        ("zz.key", "zzz = \"*\"", ""),
        ("zz.dotted", "zzz = \"*.*\"", ""),
        ("zz.word", "zzz = \"*.login\"", ""),
    ]);
    check(&registry, r#"{"zzz":"a.b"}"#, &[]);
    check(&registry, r#"{"zzz":"a.login"}"#, &["zz.word"]);
}

#[test]
fn some_come_last_and_some_never() {
    let registry = registry(&[
        ("zz.other", "zzz = \"*\"\nzzq = \"!*\"", ""),
        (
            "zz.last",
            "zzz = \"*\"\nyyy = \"one\"",
            "unlabelled = \"last\"",
        ),
        (
            "zz.later",
            "yyy = \"*\"\nzzq = \"!*\"",
            "unlabelled = \"last\"",
        ),
        (
            "zz.never",
            "zzz = \"exactly\"\nxxx = \"*\"",
            "unlabelled = \"never\"",
        ),
    ]);
    check(
        &registry,
        r#"{"zzz":"exactly","yyy":"one","xxx":1}"#,
        &["zz.other"],
    );
    check(&registry, r#"{"zzz":null,"yyy":"one"}"#, &["zz.later"]);
    let last = |name: &str| registry.comes_last(&SourceName::new(name).unwrap());
    assert!(last("zz.last") && !last("zz.other") && !last("zz.never") && !last("no.such"));
}

/// Compares what a delivery is cut into: line, source and bytes.
fn check_sorted(registry: &Registry, body: &str, expected: &[(u64, Option<&str>, &str)]) {
    let sorted = registry.frame_unlabelled(body.as_bytes()).unwrap();
    let found: Vec<(u64, Option<&str>, &str)> = sorted
        .iter()
        .map(|one| {
            let text = std::str::from_utf8(&one.record.bytes).unwrap();
            let source = one.source.as_ref().map(SourceName::as_str);
            (one.record.line, source, text)
        })
        .collect();
    assert_eq!(found, expected, "{body}");
}

#[test]
fn a_delivery_without_a_label_is_sorted() {
    let registry = registry(&[
        (
            "zz.one",
            "zzz = \"*\"\nzzq = \"!*\"",
            "envelope = [\"zzones\", \"zzboth\"]",
        ),
        (
            "zz.two",
            "zzz = \"*\"\nzzq = \"!*\"",
            "envelope = [\"zztwos\", \"zzboth\"]",
        ),
        ("zz.three", "zzthree = \"*\"\nzzq = \"!*\"", ""),
    ]);
    let check = |body: &str, expected: &[(u64, Option<&str>, &str)]| {
        check_sorted(&registry, body, expected);
    };
    let (z, three) = (r#"{"zzz":1}"#, r#"{"zzthree":1}"#);
    check(
        &format!("{{\"zztwos\":[{z},{three},{{}}]}}\n{three}\n{z}\nx"),
        &[
            (1, Some("zz.two"), z),
            (1, Some("zz.three"), three),
            (1, None, "{}"),
            (2, Some("zz.three"), three),
            (3, None, z),
            (4, None, "x"),
        ],
    );
    // One document alone is numbered by its records.
    check(
        &format!("{{\"zztwos\":[{z},{{}}]}}"),
        &[(1, Some("zz.two"), z), (2, None, "{}")],
    );
    for unknown in [
        format!("{{\"zzboth\":[{z}]}}"),
        format!("{{\"zzother\":[{three}]}}"),
        r#"{"zzones":[],"more":1}"#.to_owned(),
        r#"{"zzother":[]}"#.to_owned(),
    ] {
        check(&unknown, &[(1, None, &unknown)]);
    }
    check(r#"{"zzones":[]}"#, &[]);
    check("", &[]);
}

#[test]
fn a_table_without_a_label_is_known_by_its_header_and_first_rows() {
    let registry = registry(&[(
        "zz.table",
        "ZZ_TYPE = \"*\"\nZZ_ID = \"*\"",
        "text = { csv = \",\" }",
    )]);
    let check = |body: &str, expected: &[(u64, Option<&str>, &str)]| {
        check_sorted(&registry, body, expected);
    };
    check(
        "ZZ_TYPE,ZZ_ID\na,1\nb,2\n",
        &[
            (2, Some("zz.table"), "ZZ_TYPE,ZZ_ID\na,1"),
            (3, Some("zz.table"), "ZZ_TYPE,ZZ_ID\nb,2"),
        ],
    );
    // A row that lacks what tells them is one of them all the same.
    check(
        "ZZ_TYPE,ZZ_ID\n,1\nb,2\n",
        &[
            (2, Some("zz.table"), "ZZ_TYPE,ZZ_ID\n,1"),
            (3, Some("zz.table"), "ZZ_TYPE,ZZ_ID\nb,2"),
        ],
    );
}
