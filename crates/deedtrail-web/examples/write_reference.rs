//! Writes docs/reference/http-api.md from the table of endpoints.

fn main() -> std::io::Result<()> {
    let page = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/http-api.md"
    );
    std::fs::write(page, deedtrail_web::reference::markdown())
}
