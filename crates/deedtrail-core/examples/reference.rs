//! Writes the reference pages on findings, controls and actions into docs/reference.

use std::fs;
use std::path::Path;

use deedtrail_core::reference::{actions_page, controls_page, findings_page};

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("findings.md"), findings_page())?;
    fs::write(folder.join("controls.md"), controls_page())?;
    fs::write(folder.join("actions.md"), actions_page())
}
