//! The mapping format: what it can say, and what it says about mistakes.

use std::fs;
use std::path::Path;

use deedtrail_core::port::mapper::Mapper as _;
use deedtrail_sources::{Registry, mapping_schema};

use crate::registries::{registry_with, source};

const HEAD: &str =
    "title = \"T\"\n[identify]\na = \"*\"\n[event]\nsystem = \"'x'\"\noperation = \"a\"\n";

/// The error a mapping gives, without its folder.
fn mistake(mapping: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("x.y");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("mapping.toml"), mapping).unwrap();
    let error = Registry::load(folder.path()).unwrap_err().to_string();
    let (_, message) = error.split_once("x.y/").unwrap();
    message.to_owned()
}

/// Asserts what is said about `line` after [`HEAD`].
fn check(line: &str, message: &str) {
    assert_eq!(mistake(&format!("{HEAD}{line}\n")), message, "{line}");
}

#[test]
fn mistakes_have_a_place_and_a_way_out() {
    check(
        "src_ipp = \"b\"",
        "mapping.toml:7: unknown key `src_ipp`; did you mean `src_ip`?",
    );
    check(
        "plane = \"contol\"",
        "mapping.toml:7: `contol` is not a value of `plane`; did you mean `control`?",
    );
    check(
        "account = \"b..c\"",
        "mapping.toml:7: `b..c` is not a path; constants stand in single quotes",
    );
    check("account = \"b[x\"", "mapping.toml:7: `b[x`: `[` has no `]`");
    check(
        "account = \"$nam\"\n[values]\nname = \"b\"",
        "mapping.toml:7: no [values] entry is called `nam`; did you mean `$name`?",
    );
    check(
        "account = \"$n\"\n[values]\nn = \"$n\"",
        "mapping.toml:7: `$n` leads back to itself",
    );
    check(
        "account = \"at:x\"\n[lookup]\nattr = \"l[k=$].v\"",
        "mapping.toml:7: `at:x`: no [lookup] is called `at`",
    );
    check(
        "account = \"@.x\"",
        "mapping.toml:7: `@.x`: `@` needs `each` under [records]",
    );
    check(
        "account = { from = \"b\", match = '(' }",
        "mapping.toml:7: regex parse error:\n    (\n    ^\nerror: unclosed group",
    );
    check(
        "account = { from = \"b\", befor = \"x\" }",
        "mapping.toml:7: unknown key `befor`; did you mean `before`?",
    );
}

#[test]
fn mistakes_in_patterns_of_time_are_told() {
    check(
        "time = { from = \"b\", format = \"unix_m\" }",
        "mapping.toml:7: `unix_m` is none of rfc3339, unix_s, unix_ms, unix_us, unix_ns, or a pattern such as `%Y-%m-%d %H:%M:%S`",
    );
    check(
        "time = { from = \"b\", format = \"%Y-%m-%d %H:%M %Z\" }",
        "mapping.toml:7: `%Y-%m-%d %H:%M %Z`: strptime parsing failed: parsing time zone abbreviation is not allowed",
    );
    check(
        "time = { from = \"b\", format = \"%H:%M\" }",
        "mapping.toml:7: `%H:%M`: a time in this pattern does not say its year, month and day",
    );
    check(
        "time = { from = \"b\", format = \"%Y-%m-%d %H:%M\", zone = \"Europe/Berln\" }",
        "mapping.toml:7: `Europe/Berln` is no time zone; write one of the IANA names, such as `Europe/Berlin`",
    );
}

#[test]
fn mistakes_in_lists_and_tables_are_told() {
    check(
        "account = \"l.x\"\nsrc_ip = \"l[type=User].ip\"",
        "mapping.toml:8: `l` is read with brackets (`l[].x`) and without (`l.x`); write all its paths with brackets, a single object is then a list of one",
    );
    check(
        "[[actor]]\nkind = \"human\"\naliases = [{ \"Acme Person\" = \"b\" }]",
        "mapping.toml:9: `Acme Person` is no namespace; write one such as `email` or `acme.badge_id`: lower-case letters, digits, `_` and `.`",
    );
    check(
        "[[action]]\nis = { raed = \"x\" }",
        "mapping.toml:8: `raed` is not an action; did you mean `read`?",
    );
    check(
        "[[action]]\nuse = \"http_metod\"",
        "mapping.toml:8: no table is called `http_metod`; did you mean `http_method`?",
    );
    check(
        "[[action]]\nis = { read = \"x\", write = \"x\" }",
        "mapping.toml:8: `x` has two answers",
    );
    check(
        "[records]\neach = \"a[].b\"",
        "mapping.toml:8: `each = \"a[].b\"` must end with `[]`",
    );
}

#[test]
fn a_mapping_by_another_name_is_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("x.y");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("maping.toml"), HEAD).unwrap();
    let error = Registry::load(folder.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("maping.toml: the folder has no mapping.toml; is this meant to be it?"),
        "{error}"
    );
}

#[test]
fn mistakes_about_text_are_named_too() {
    let check = |line: &str, message: &str| {
        let mapping = format!("{HEAD}[records]\n{line}\n");
        assert_eq!(mistake(&mapping), message, "{line}");
    };
    check(
        "text = \"leef\"",
        "mapping.toml:8: `leef` is not `cef`, nor a table with `pattern`, `pairs` or `csv`",
    );
    check(
        "text = { pair = \",\" }",
        "mapping.toml:8: unknown key `pair`; did you mean `pairs`?",
    );
    check(
        "text = { csv = \",\", pairs = \",\" }",
        "mapping.toml:8: `text` is one of `pattern`, `pairs` and `csv`; only `pattern` and `pairs` go together",
    );
    check(
        "text = { csv = \"ab\" }",
        "mapping.toml:8: `csv = \"ab\"` is not one ASCII character",
    );
    check(
        "text = { pattern = '^(a)' }",
        "mapping.toml:8: `^(a)` names nothing; write groups as `(?<name>…)`",
    );
    check(
        "text = { pattern = '^(?<a>.)', pairs = \" \" }",
        "mapping.toml:8: no pattern has a group `(?<pairs>…)` for the pairs",
    );
}

#[test]
fn values_say_what_the_reference_promises() {
    let mapping = r#"
title = "Everything"
[records]
each = "batch[].events[]"
[identify]
batch = "*"
[lookup]
attr = ["@.attributes[key=$].value.stringValue", "@.attributes[key=$].value.intValue"]
[values]
host = { from = "service", before = "." }
[event]
id = "id"
time = { from = "@.at", format = ["unix_ms", "%d/%m/%Y %H:%M:%S"] }
system = "'test'"
operation = "{$host}:{@.name}"
account = ["missing", "batch[].account"]
session_ref = "\"a.b\".c[1]"
permission = { from = "embedded.list[kind=x|y].id", as = "upper" }
workload = { from = "attr:job.name", match = '^(\w+)-' }
threat = { from = "@.level", table = { "1" = "low", "2" = "high" }, default = "none" }
user_agent = { when = { "@.name" = "b*" }, from = "'only b'" }
url = "@.url"
src_ip = "@.peer"
object_count = { from = "@.attributes", as = "count" }
approver = { from = "@.approvers", as = "join" }
change_ticket = { from = "@.tickets[].id", as = "join", match = 'T-\w+ (.*)' }
outcome_detail = { from = "@.tickets", as = "count" }
duration_ms = { from = "@.took", as = "seconds_to_ms" }
tool_arguments = "@.arguments"
command = "@.command"
[[action]]
is = { read = "svc:a", write = "svc:*" }
[[outcome]]
of = "@.ok"
is = { success = "true", failure = "false" }
[[changes]]
each = "@.changes[]"
path = "@.path"
before = "@.old"
after = "@.new"
"#;
    let record = r#"{"id":"1","service":"svc.example","a.b":{"c":["p","q"]},"embedded":"{\"list\":[{\"kind\":\"w\",\"id\":\"no\"},{\"kind\":\"y\",\"id\":\"yes\"}]}",
        "batch":[
            {"account":"one","events":[
                {"name":"a","at":1583364251067,"ok":true,"level":2,"peer":"[2001:db8::1]:443","took":1.5,"url":"https://u:p@Evil.example/x?token=1",
                 "attributes":[{"key":"other","value":{"stringValue":"no"}},{"key":"job.name","value":{"stringValue":"build-17"}}],
                 "approvers":["x",null,7],"tickets":[{"id":"T-1"},{"no":1},{"id":"T-2"}],"arguments":"{\"to\":\"a@b.example\",\"n\":3}","command":"login --password hunter2"},
                {"name":"b","at":"18/11/2026 14:02:11","ok":false,"changes":[{"path":"p","old":1,"new":2},{"path":"q"},{"path":"r","new":"x"}]}]},
            {"account":"two","events":[{"name":"c","peer":"localhost"}]}]}"#;
    let registry = registry_with("test.everything", mapping);
    let mapped = registry
        .map(&source("test.everything"), record.as_bytes())
        .unwrap();
    assert_eq!(mapped.source_uid.as_deref(), Some("1"));
    insta::assert_json_snapshot!(mapped.events);
}

#[test]
fn a_vendors_number_is_the_records_and_has_a_stream() {
    let mapping = format!("{HEAD}sequence = {{ value = \"n\", within = [\"s\", \"h\"] }}\n");
    let registry = registry_with("test.numbered", &mapping);
    let number = |record: &str| {
        let mapped = registry.map(&source("test.numbered"), record.as_bytes());
        let number = mapped.unwrap().number?;
        Some((number.number, number.within.to_string()))
    };
    assert_eq!(number(r#"{"a":1,"n":7,"s":"x"}"#), Some((7, "x".into())));
    assert_eq!(number(r#"{"a":1,"n":"0","h":"y"}"#), Some((0, "y".into())));
    assert_eq!(number(r#"{"a":1,"n":7}"#), Some((7, String::new())));
    for none in [
        r#"{"a":1}"#,
        r#"{"a":1,"n":-1}"#,
        r#"{"a":1,"n":1.5}"#,
        r#"{"a":1,"n":"x"}"#,
    ] {
        assert_eq!(number(none), None, "{none}");
    }
    let plain = registry_with("test.plain", HEAD);
    let mapped = plain.map(&source("test.plain"), br#"{"a":1,"n":7}"#);
    assert_eq!(mapped.unwrap().number, None);
    let missing = "[event]\nsystem = \"'x'\"\noperation = \"a\"\nsequence = { within = \"s\" }\n";
    let told = mistake(&format!("title = \"T\"\n[identify]\na = \"*\"\n{missing}"));
    assert!(told.contains("value"), "{told}");
}

#[test]
fn operators_win_by_name() {
    let mapping =
        format!("{HEAD}account = \"'mine'\"\n").replace("title = \"T\"", "title = \"Mine\"");
    let registry = registry_with("aws.cloudtrail", &mapping);
    let facts = registry.sources();
    let mine = facts
        .iter()
        .find(|facts| facts.name == source("aws.cloudtrail"))
        .unwrap();
    assert_eq!(mine.title, "Mine");
    let mapped = registry.map(&mine.name, br#"{"a":"b"}"#).unwrap();
    assert_eq!(mapped.events[0].account.as_deref(), Some("mine"));
}

#[test]
fn the_published_schema_is_the_code() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/mapping.schema.json");
    let schema = serde_json::to_string_pretty(&mapping_schema()).unwrap() + "\n";
    let published = fs::read_to_string(&file).unwrap_or_default();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&file, &schema).unwrap();
        return;
    }
    assert_eq!(
        published, schema,
        "run the tests once with UPDATE_REFERENCE=1"
    );
}
