//! How the files on disk look, before and after compaction.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use deedtrail_archive::DeltaArchive;
use deedtrail_core::port::archive::Archive as _;
use deltalake::parquet::basic::Compression;
use deltalake::parquet::file::reader::{FileReader as _, SerializedFileReader};
use deltalake::parquet::record::RowAccessor as _;

use crate::fixture::{archive, counts, events, open};

/// All Parquet files of the table, oldest path first.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("_delta_log") {
            found.extend(files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "parquet")
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn has_layout(file: &Path) {
    let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
    let group = reader.metadata().row_group(0);
    assert_eq!(group.sorting_columns().unwrap().len(), 2);
    for column in group.columns() {
        let name = column.column_path().string();
        let searched = [
            "event_uid",
            "session_uid",
            "target_uid",
            "target_alias_uid",
            "on_behalf_of_uid",
            "credential_uid",
            "src_ip",
            "link_uid",
        ];
        assert_eq!(
            column.bloom_filter_offset().is_some(),
            searched.contains(&name.as_str()),
            "{name}"
        );
        assert!(
            matches!(column.compression(), Compression::ZSTD(_)),
            "{name}"
        );
    }
    let schema = reader.metadata().file_metadata().schema_descr();
    let index = |name: &str| {
        schema
            .columns()
            .iter()
            .position(|c| c.path().string() == name)
            .unwrap()
    };
    let (actor, time) = (index("actor_alias_uid"), index("time_effective"));
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        let row = row.unwrap();
        (
            row.get_string(actor).unwrap().clone(),
            row.get_timestamp_micros(time).unwrap(),
        )
    });
    let rows: Vec<_> = rows.collect();
    assert!(rows.len() > 1 && rows.is_sorted(), "{rows:?}");
}

fn filled() -> (tempfile::TempDir, DeltaArchive) {
    let (folder, archive) = archive();
    for first in (0..80).step_by(20) {
        archive.add(events(first..first + 20), first + 20).unwrap();
        archive.commit().unwrap();
    }
    (folder, archive)
}

#[test]
fn files_are_sorted_compressed_and_searchable_before_and_after_compaction() {
    let (folder, archive) = filled();
    let before = files(&folder.path().join("events-000001"));
    assert_eq!(before.len(), 4);
    for file in &before {
        has_layout(file);
    }
    archive.compact().unwrap();
    let after = files(&folder.path().join("events-000001"));
    let fresh: Vec<_> = after.iter().filter(|file| !before.contains(file)).collect();
    assert_eq!(
        (after.len(), fresh.len()),
        (5, 1),
        "replaced files stay a day for open queries"
    );
    has_layout(fresh[0]);
}

#[test]
fn files_of_failed_commits_go_after_a_day() {
    let (folder, archive) = filled();
    let used = files(&folder.path().join("events-000001"));
    let old = used[0].with_file_name("part-00000-old.parquet");
    let young = used[0].with_file_name("part-00000-young.parquet");
    std::fs::copy(&used[0], &old).unwrap();
    std::fs::copy(&used[0], &young).unwrap();
    let age = |path: &Path| {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    };
    age(&old);
    for file in &used {
        age(file);
    }
    archive.compact().unwrap();
    assert!(!old.try_exists().unwrap());
    assert!(young.try_exists().unwrap());
    assert_eq!(counts(&archive), (80, 80));

    age(&young);
    archive.compact().unwrap();
    assert!(
        young.try_exists().unwrap(),
        "they were looked for less than an hour ago"
    );
    drop(archive);
    open(&folder).compact().unwrap();
    assert!(!young.try_exists().unwrap());
}
