//! Tools that a record says an agent has.

use std::fs;
use std::path::Path;

use deedtrail_core::event::MappedEvent;
use deedtrail_core::port::mapper::{Encoding, Mapper as _};

use crate::registries::{registry, source};

/// What each event of a fixture tells: whose tools, which list, how much of it, which.
fn told(name: &str, fixture: &str) -> Vec<Option<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("sources")
        .join(name);
    let body = fs::read(folder.join("fixtures").join(fixture)).unwrap();
    let registry = registry();
    let records = registry.frame(&source(name), Encoding::Identity, &body);
    let mapped = records.unwrap().into_iter();
    mapped
        .flat_map(|record| registry.map(&source(name), &record.bytes).unwrap().events)
        .map(|event| line(&event))
        .collect()
}

fn line(event: &MappedEvent) -> Option<String> {
    let told = event.tools_told.as_ref()?;
    let whose = told
        .aliases
        .iter()
        .map(|alias| format!("{}:{}", alias.namespace, alias.value));
    Some(format!(
        "{} {:?} {:?}: {}",
        whose.collect::<Vec<_>>().join(" "),
        told.list,
        told.extent,
        told.tools.join(",")
    ))
}

#[test]
fn an_inventory_tells_the_tools_of_an_agent() {
    let told: Vec<String> = told("m365_defender.event", "events.ndjson")
        .into_iter()
        .flatten()
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"entra.object_id:00000000-0000-4000-8000-000000000067 agent.id:ag-1 "" Whole: send_mail"#);
}

#[test]
fn a_server_tells_its_tools_page_by_page() {
    let told = told("mcp.message", "tools.ndjson").into_iter();
    let told: Vec<String> = told.map(Option::unwrap_or_default).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    agent.id:agent-12 "files" Page: read_file,stat_file
    agent.id:agent-12 "files" LastPage: write_file,<img src=x>
    agent.name:desk-assistant "mail" Whole: send_mail
    agent.id:agent-12 "mail" LastPage: send_mail
    mcp.server:mail "mail" LastPage: send_mail
    "#);
}
