//! What a session heard of, as hashes: the request, tools' outputs and arguments meet.

use std::fs;
use std::path::Path;

use deedtrail_core::entity::{Entity, EntityKind, Place};
use deedtrail_core::event::MappedEvent;
use deedtrail_core::port::mapper::{Encoding, Mapper as _};

use crate::registries::{registry, source};

/// The events of a source's fixture `provenance.ndjson`.
fn events(name: &str) -> Vec<MappedEvent> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("sources")
        .join(name);
    let body = fs::read(folder.join("fixtures/provenance.ndjson")).unwrap();
    let registry = registry();
    let records = registry.frame(&source(name), Encoding::Identity, &body);
    let mapped = records.unwrap().into_iter();
    mapped
        .flat_map(|record| registry.map(&source(name), &record.bytes).unwrap().events)
        .collect()
}

fn mentions(event: &MappedEvent, place: Place, name: &str, kind: EntityKind, text: &str) -> bool {
    let wanted = Entity::new(kind, text);
    let fitting = |one: &&deedtrail_core::entity::Mention| one.place == place && one.name == name;
    let mut found = event.mentions.iter().filter(fitting);
    found.any(|one| one.entities.contains(&wanted))
}

#[test]
fn a_value_is_the_same_in_a_request_an_output_and_an_argument() {
    let events = events("otel.genai");
    let [chat, read, pay] = events.as_slice() else {
        panic!("{} events", events.len());
    };
    let iban = "DE89370400440532013000";
    assert!(mentions(
        chat,
        Place::Request,
        "",
        EntityKind::Path,
        "bill-june.txt"
    ));
    assert!(mentions(
        read,
        Place::Argument,
        "file_path",
        EntityKind::Path,
        "bill-june.txt"
    ));
    assert!(mentions(
        read,
        Place::ToolOutput,
        "read_file",
        EntityKind::Iban,
        iban
    ));
    assert!(mentions(
        pay,
        Place::Argument,
        "recipient",
        EntityKind::Iban,
        iban
    ));
    assert!(mentions(
        chat,
        Place::Request,
        "",
        EntityKind::Number,
        "98.7"
    ));
    assert!(mentions(
        pay,
        Place::Argument,
        "amount",
        EntityKind::Number,
        "98.7"
    ));
    assert!(mentions(
        pay,
        Place::Argument,
        "notify",
        EntityKind::Email,
        "jo@example.com"
    ));
    // What only the system prompt names is not what the user asked for.
    assert!(!mentions(
        chat,
        Place::Request,
        "",
        EntityKind::Email,
        "ops@example.com"
    ));
    assert!(!mentions(chat, Place::Request, "", EntityKind::Iban, iban));
}

#[test]
fn openinference_and_mcp_say_it_too() {
    let spans = events("openinference.span");
    assert!(mentions(
        &spans[0],
        Place::Request,
        "",
        EntityKind::Email,
        "ana@example.com"
    ));
    assert!(mentions(
        &spans[1],
        Place::ToolOutput,
        "lookup_order",
        EntityKind::Host,
        "www.example.org"
    ));
    assert!(mentions(
        &spans[2],
        Place::Argument,
        "url",
        EntityKind::Host,
        "www.example.org"
    ));

    let messages = events("mcp.message");
    let eve = "eve@example.net";
    assert!(mentions(
        &messages[0],
        Place::ToolOutput,
        "read_file",
        EntityKind::Email,
        eve
    ));
    assert!(mentions(
        &messages[1],
        Place::Argument,
        "to",
        EntityKind::Email,
        eve
    ));
    assert!(mentions(
        &messages[2],
        Place::ToolOutput,
        "",
        EntityKind::Host,
        "db.example.com"
    ));
}

#[test]
fn langfuse_says_it_too() {
    let trace = events("langfuse.trace");
    assert!(mentions(
        &trace[0],
        Place::Request,
        "",
        EntityKind::Email,
        "jo@example.com"
    ));
    assert!(mentions(
        &trace[1],
        Place::Request,
        "",
        EntityKind::Email,
        "jo@example.com"
    ));
    assert!(!mentions(
        &trace[1],
        Place::Request,
        "",
        EntityKind::Email,
        "ops@example.com"
    ));
    assert!(mentions(
        &trace[2],
        Place::ToolOutput,
        "search_files",
        EntityKind::Path,
        "report-2026.pdf"
    ));
}

#[test]
fn hashes_are_never_written() {
    for name in ["otel.genai", "openinference.span", "mcp.message"] {
        for event in events(name) {
            assert!(!event.mentions.is_empty() || event.tool_arguments.is_empty());
            let written = serde_json::to_string(&event).unwrap();
            assert!(!written.contains("mentions"), "{written}");
            for one in event.mentions.iter().flat_map(|mention| &mention.entities) {
                let key = one.key();
                let shown = format!("{one:?}{written}");
                assert!(!shown.contains(&key.to_string()) && !shown.contains(&format!("{key:x}")));
            }
        }
    }
}
