//! Other engines open the archive and count the same rows: Python's `deltalake` and `DuckDB`.
//!
//! The test makes its own virtual environment and installs both by name, so it needs Python 3
//! with `venv` and a package index; it fails, and says so, without them. `DuckDB` reads the Parquet
//! files that deltalake lists, because its own Delta extension is not on the package index.

use std::path::Path;
use std::process::Command;

use deedtrail_core::port::archive::Archive as _;
use deedtrail_testkit::python::{output, python_with};

use crate::fixture::{archive, events, full_event};

#[test]
fn deltalake_and_duckdb_count_the_same_rows() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let python = python_with(folder, &["deltalake==1.6.6", "duckdb==2.0.0"]);
    let (folder, archive) = archive();
    for first in (0..50).step_by(10) {
        archive.add(events(first..first + 10), first + 10).unwrap();
        archive.commit().unwrap();
    }
    archive.compact().unwrap();
    archive.add(vec![full_event()], 100).unwrap();
    archive.commit().unwrap();

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/count.py");
    let counted = output(
        Command::new(python)
            .arg(script)
            .arg(folder.path().join("events")),
    );
    let counted: serde_json::Value = serde_json::from_str(&counted).unwrap();
    let figures = archive.figures();
    let expected = serde_json::json!({
        "version": figures.version,
        "columns": deedtrail_archive::columns().len(),
        "partitions": ["tenant", "event_month"],
        "deltalake": [51, 49],
        "duckdb": 51,
        "identities": 8,
        "newest": crate::fixture::START_US + 49_000_000,
        "aliases": 52,
    });
    assert_eq!(figures.rows, 51);
    assert_eq!(counted, expected);
}
