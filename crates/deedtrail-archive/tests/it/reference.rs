//! docs/reference/events.md is what the columns say.

use std::path::Path;

#[test]
fn the_reference_page_is_up_to_date() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/events.md");
    let stored = std::fs::read_to_string(&page).unwrap();
    assert!(
        stored == deedtrail_archive::reference(),
        "run: cargo run -p deedtrail-archive --example event_reference > docs/reference/events.md"
    );
}
