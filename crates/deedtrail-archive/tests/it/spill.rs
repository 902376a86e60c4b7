//! Queries that need more memory than they have.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use deedtrail_archive::DeltaArchive;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::archive::{Archive as _, ArchiveError, OutputFormat, QueryBudget};

use crate::fixture::{ORIGIN, events};

/// 22^4 rows of 150 bytes: 35 MB to sort.
const SORT: &str = "SELECT md5(a.event_uid || b.event_uid || c.event_uid || d.event_uid) AS one, \
     a.event_uid AS two, b.event_uid AS three, c.event_uid AS four \
     FROM events a, events b, events c, events d ORDER BY one";
/// As many groups as rows.
const GROUP: &str = "SELECT md5(a.event_uid || b.event_uid || c.event_uid || d.event_uid) AS one, \
     count(*) AS n, max(a.event_uid) AS two \
     FROM events a, events b, events c, events d GROUP BY one ORDER BY one";

fn filled(folder: &Path, spill_bytes_max: u64) -> DeltaArchive {
    let archive = DeltaArchive::open_with(folder, ORIGIN, spill_bytes_max).unwrap();
    archive.add(events(0..22), 22).unwrap();
    archive.commit().unwrap();
    archive
}

fn asked(archive: &DeltaArchive, sql: &str, mib: usize) -> Result<Vec<u8>, ArchiveError> {
    let mut out = Vec::new();
    ask(archive, sql, mib, &mut out)?;
    Ok(out)
}

fn ask(
    archive: &DeltaArchive,
    sql: &str,
    mib: usize,
    out: &mut (dyn Write + Send),
) -> Result<(), ArchiveError> {
    let budget = QueryBudget {
        memory_bytes_max: mib << 20,
        time_max: Duration::from_mins(10),
        ..QueryBudget::default()
    };
    let tenant = TenantId::default();
    archive.query(&tenant, sql, OutputFormat::Csv, budget, out)?;
    Ok(())
}

/// Counts lines and keeps the first text of the last one; all of them have to come in order.
#[derive(Debug, Default)]
struct InOrder {
    lines: usize,
    last: Vec<u8>,
    line: Vec<u8>,
}

impl Write for InOrder {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend(&part[..part.len().min(40)]);
            if part.ends_with(b"\n") {
                self.line.truncate(32);
                // After the names of the columns.
                assert!(self.lines < 2 || self.last <= self.line, "{}", self.lines);
                self.last = std::mem::take(&mut self.line);
                self.lines += 1;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Files below the folder of what is put aside.
fn left(folder: &Path) -> usize {
    let spill = std::fs::read_dir(folder.join("spill")).unwrap();
    let files = spill.flat_map(|one| std::fs::read_dir(one.unwrap().path()).unwrap());
    files.count()
}

#[test]
fn what_does_not_fit_into_memory_is_put_aside_and_the_answer_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let archive = filled(folder.path(), 1 << 30);
    for sql in [SORT, GROUP] {
        let large = asked(&archive, sql, 1024).unwrap();
        assert_eq!(large.split(|byte| *byte == b'\n').count(), 234_258);
        for mib in [4, 16, 40] {
            let small = asked(&archive, sql, mib);
            let small = small.unwrap_or_else(|error| panic!("{mib} MiB: {error}\n{sql}"));
            assert!(small == large, "{mib} MiB: {sql}");
        }
    }
    assert_eq!(left(folder.path()), 0, "nothing of a query stays");
}

/// 22^4 rows of about `width` bytes each, by a short key.
fn wide_sort(width: usize) -> String {
    let texts = vec!["a.event_uid || b.event_uid || c.event_uid"; width / 96].join(" || ");
    format!(
        "SELECT md5(a.event_uid || b.event_uid || c.event_uid || d.event_uid) AS one, {texts} AS two \
         FROM events a, events b, events c, events d ORDER BY one"
    )
}

#[test]
fn a_sort_of_wide_rows_is_put_aside_where_two_partitions_run_out() {
    let folder = tempfile::tempdir().unwrap();
    let archive = filled(folder.path(), 8 << 30);
    let mut out = InOrder::default();
    ask(&archive, &wide_sort(1536), 256, &mut out).unwrap();
    assert_eq!(out.lines, 234_257);
    assert_eq!(left(folder.path()), 0, "nothing of a query stays");
}

#[test]
fn a_full_area_is_told_and_left_empty() {
    let folder = tempfile::tempdir().unwrap();
    let archive = filled(folder.path(), 1 << 20);
    let error = asked(&archive, SORT, 4).unwrap_err();
    assert!(matches!(error, ArchiveError::OverSpill { .. }), "{error:?}");
    assert!(error.to_string().contains("`query_spill_mib`"), "{error}");
    assert_eq!(left(folder.path()), 0);
    assert_eq!(asked(&archive, "SELECT 1 AS one", 4).unwrap(), b"one\n1\n");
}

#[test]
fn what_cannot_be_put_aside_ends_with_the_setting_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let archive = filled(folder.path(), 1 << 30);
    let all = format!("SELECT length(string_agg(one, ',')) FROM ({SORT})");
    let error = asked(&archive, &all, 4).unwrap_err();
    assert!(
        matches!(error, ArchiveError::OverMemory { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("`query_memory_mib`"), "{error}");
}

#[test]
fn what_a_killed_process_put_aside_goes_with_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let dead = folder.path().join("spill/datafusion-x");
    std::fs::create_dir_all(&dead).unwrap();
    std::fs::write(dead.join("half"), "x").unwrap();
    let archive = filled(folder.path(), 1 << 20);
    assert!(!dead.try_exists().unwrap());
    drop(archive);
}
