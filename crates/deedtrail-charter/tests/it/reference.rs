//! Pages and schemas of docs/reference are made from the code.

fn check(name: &str, content: &str) {
    let path = format!("{}/../../docs/reference/{name}", env!("CARGO_MANIFEST_DIR"));
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    if stored != content && std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, content).unwrap();
        return;
    }
    assert!(
        stored == content,
        "run the tests with UPDATE_REFERENCE=1 to print {path} again"
    );
}

#[test]
fn reference_is_current() {
    check("unsafe-sequences.md", &deedtrail_charter::library::page());
    check("charter.schema.json", &deedtrail_charter::schema());
    check(
        "unsafe-sequence.schema.json",
        &deedtrail_charter::library::sequence_schema(),
    );
}
