//! Prints docs/reference/events.md:
//! `cargo run -p deedtrail-archive --example event_reference > docs/reference/events.md`

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(deedtrail_archive::reference().as_bytes())
}
