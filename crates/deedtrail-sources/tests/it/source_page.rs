//! docs/reference/sources.md: every source there is, with the labels shippers know it by.

use std::fmt::Write as _;
use std::path::Path;

use deedtrail_core::port::mapper::Mapper as _;
use deedtrail_sources::Registry;

const HEAD: &str = "# Sources\n\nEvery log that is understood without a mapping of your own. Each README says how to \
switch the feed on at the vendor, how to bring it here, what it contains and what it lacks. *Labels* are what \
shippers call the log: Splunk's source type, Elastic's data set and others; records that come under one are taken as \
of the source. Printed from `crates/deedtrail-sources/sources`; a source of your own: \
[adding a source](../dev/adding-a-source.md).\n\n| source | what it is | planes | labels |\n|---|---|---|---|\n";

fn page(folder: &Path) -> String {
    let mut text = HEAD.to_owned();
    for facts in Registry::built_in().unwrap().sources() {
        let name = facts.name.as_str();
        let mapping = std::fs::read_to_string(folder.join(name).join("mapping.toml")).unwrap();
        let mapping: toml::Table = mapping.parse().unwrap();
        let labels = mapping
            .get("records")
            .and_then(|records| records.get("shipped_as"));
        let labels = labels.and_then(toml::Value::as_array).into_iter().flatten();
        let labels: Vec<String> = labels
            .filter_map(|label| Some(format!("`{}`", label.as_str()?)))
            .collect();
        let planes = facts.planes.join(", ").replace('_', " ");
        let readme = format!("../../crates/deedtrail-sources/sources/{name}/README.md");
        writeln!(
            text,
            "| [`{name}`]({readme}) | {} | {planes} | {} |",
            facts.title.replace('|', "\\|"),
            labels.join(", ")
        )
        .unwrap();
    }
    text
}

#[test]
fn the_page_of_sources_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("../../docs/reference/sources.md");
    let text = page(&root.join("sources"));
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == text, "run the tests once with UPDATE_REFERENCE=1");
}
