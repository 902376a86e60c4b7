//! The data folder: who makes it, and who is told.

use crate::command::{Folder, cloudtrail, there};

#[test]
fn the_usual_data_folder_is_made_by_the_first_records_and_told() {
    let folder = Folder::bare();
    let records = folder.write("a.ndjson", cloudtrail("e-1", "ListUsers"));
    let ingest = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_deedtrail"));
        command
            .env("XDG_DATA_HOME", folder.path("home"))
            .env("XDG_STATE_HOME", folder.path("state"));
        let output = command.arg("ingest").arg(&records).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let usual = folder.path("home/deedtrail");
    let says = format!("there is no installation in {} yet", usual.display());
    let said = ingest();
    assert!(said.contains(&says), "{said}");
    assert!(there(&usual));
    let said = ingest();
    assert!(!said.contains("no installation"), "{said}");
}

#[test]
fn a_server_that_makes_a_data_folder_tells_it() {
    for (folder, makes) in [(Folder::bare(), true), (Folder::new(), false)] {
        let mut command = folder.command();
        // An address that nobody has: it ends at once.
        command.args(["serve", "--listen", "192.0.2.1:1"]);
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.contains("no installation in "), makes, "{said}");
    }
}
