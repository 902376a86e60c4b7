//! docs/reference/rule-fields.md is printed from the table of fields.

#[test]
fn rule_fields_page_is_current() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/rule-fields.md"
    );
    let page = deedtrail_detect::field::reference_page();
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    if stored != page && std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(path, &page).unwrap();
        return;
    }
    assert!(
        stored == page,
        "run the tests with UPDATE_REFERENCE=1 to print {path} again"
    );
}
