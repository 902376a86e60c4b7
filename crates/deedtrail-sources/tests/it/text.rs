//! Records that are lines of text.

use deedtrail_core::event::MappedEvent;
use deedtrail_core::port::mapper::{Encoding, Mapper as _};
use deedtrail_sources::Registry;

use crate::registries::{registry_with, source};

/// A registry with the source `test.text`, whose records are read as `text` says.
fn reads(text: &str, rest: &str) -> Registry {
    let mapping = format!("title = \"T\"\n[records]\ntext = {text}\n{rest}");
    registry_with("test.text", &mapping)
}

fn events(registry: &Registry, body: &str) -> Vec<MappedEvent> {
    let source = source("test.text");
    let framed = registry
        .frame(&source, Encoding::Identity, body.as_bytes())
        .unwrap();
    let mapped = framed
        .iter()
        .map(|one| registry.map(&source, &one.bytes).unwrap());
    mapped.flat_map(|record| record.events).collect()
}

fn code(registry: &Registry, record: &str) -> &'static str {
    let refused = registry.map(&source("test.text"), record.as_bytes());
    refused.unwrap_err().code()
}

const OF_AN_AUTHORISER: &str = r#"
[identify]
principal = "*"
[event]
time = { from = "time", format = "%Y-%m-%d %H:%M:%S,%f" }
system = "'kafka'"
operation = "operation"
src_ip = "host"
[[outcome]]
of = "decision"
is = { success = "Allowed", denied = "Denied" }
[[actor]]
ref = "principal"
"#;

#[test]
fn a_line_that_fits_a_pattern_is_a_record() {
    let registry = reads(
        r"{ pattern = '^\[(?<time>[^\]]+)\] \w+ Principal = (?<principal>\S+) is (?<decision>\w+) Operation = (?<operation>\w+) from host = (?<host>\S+)' }",
        OF_AN_AUTHORISER,
    );
    let line = "[2026-11-18 14:02:11,123] INFO Principal = User:ana is Denied Operation = Describe from host = 192.0.2.4 on resource = Topic:LITERAL:x (kafka.authorizer.logger)";
    let found = events(&registry, &format!("{line}\n{line}\n"));
    assert_eq!(found.len(), 2);
    let event = &found[0];
    assert_eq!(event.operation, "Describe");
    assert_eq!(event.outcome.name(), "denied");
    assert_eq!(event.actor_ref.as_deref(), Some("User:ana"));
    assert_eq!(event.src_ip.as_deref(), Some("192.0.2.4"));
    assert_eq!(
        event.time.unwrap().to_rfc3339_millis(),
        "2026-11-18T14:02:11.123Z"
    );
    let json = r#"{"principal":"User:ana","decision":"Allowed","operation":"Read"}"#;
    assert_eq!(events(&registry, json)[0].outcome.name(), "success");
    assert_eq!(
        code(&registry, "[2026-11-18 14:02:11,123] started"),
        "wrong_source"
    );
}

const OF_LOGINS: &str = r#"
[identify]
type = "*"
[event]
id = "id"
system = "'x'"
operation = "type"
account = "realm"
command = "details.query"
"#;

#[test]
fn pairs_may_stand_behind_something_else() {
    let registry = reads(
        r#"{ pattern = '^(?<time>\S+ \S+) +(?<level>\w+) .*?(?<pairs>type=.*)$', pairs = ", " }"#,
        OF_LOGINS,
    );
    let line = r#"2026-11-18 14:02:11,123 WARN  [events] (thread-1) type="LOGIN_ERROR", realm="main", details={"query":"x"}, other=1"#;
    let event = &events(&registry, line)[0];
    assert_eq!(event.operation, "LOGIN_ERROR");
    assert_eq!(event.account.as_deref(), Some("main"));
    assert_eq!(
        event.command.as_deref(),
        Some("x"),
        "JSON in a value is read"
    );
    assert_eq!(event.unmapped, ["time", "level", "other"]);
    assert_eq!(
        code(&registry, &format!("{line}, type=LOGIN")),
        "duplicate_key"
    );
    assert_eq!(
        code(&registry, &format!("{line}, other=2")),
        "duplicate_key"
    );
    let provenance = registry.provenance(&source("test.text"), line.as_bytes());
    assert!(provenance.unwrap()[0].contains(&("account".into(), "realm".into())));
}

#[test]
fn rows_of_a_table_are_records() {
    let registry = reads("{ csv = \",\" }", OF_LOGINS);
    let found = events(&registry, "id,type,realm\n1,\"a \"\"b\"\"\",x\n2,c,\n");
    assert_eq!(found[0].operation, "a \"b\"");
    assert_eq!(
        (found[1].operation.as_str(), &found[1].account),
        ("c", &None)
    );
    for (record, reason) in [
        ("id,type", "wrong_source"),
        ("id,type\n1,2,3", "wrong_source"),
        ("id,type,type\n1,2,3", "duplicate_key"),
        ("id,kind\n1,2", "wrong_source"),
    ] {
        assert_eq!(code(&registry, record), reason, "{record}");
    }
    let named = reads("{ csv = \";\", columns = [\"id\", \"type\"] }", OF_LOGINS);
    assert_eq!(events(&named, "1;login\n2;logout")[1].operation, "logout");
    assert_eq!(events(&named, "type;id\nlogin;1")[0].operation, "login");
}

#[test]
fn a_line_of_any_bytes_is_mapped_or_refused() {
    let registry = reads(
        "\"cef\"",
        "[identify]\n\"cef.name\" = \"*\"\n[event]\nsystem = \"cef.deviceVendor\"\noperation = \"cef.name\"\nuser_agent = \"suser\"\n",
    );
    let event = &events(&registry, "<1>x CEF:0|v|p|1|c|n|3|suser=a\\=b c x=1")[0];
    assert_eq!(
        (event.system.as_str(), event.operation.as_str()),
        ("v", "n")
    );
    assert_eq!(event.user_agent.as_deref(), Some("a=b c"));
    assert_eq!(
        code(&registry, "CEF:0|v|p|1|c|n|3|a=1 a=2"),
        "duplicate_key"
    );
    assert_eq!(code(&registry, "CEF:0|v|p"), "wrong_source");
    assert_eq!(code(&registry, "{\"a\""), "not_json");
    let long = format!("CEF:0|v|p|1|c|n|3|a={}", "x".repeat(1 << 20));
    assert_eq!(code(&registry, &long), "out_of_range");
    let latin = registry.map(&source("test.text"), b"CEF:0|v|p|1|c|\xE9|3|");
    assert_eq!(latin.unwrap_err().code(), "not_utf8");
}
