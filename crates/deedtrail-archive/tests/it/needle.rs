//! The index of files: a look-up opens only files that may have the value, and is never wrong.

use std::path::{Path, PathBuf};

use deedtrail_archive::DeltaArchive;
use deedtrail_core::event::Event;
use deedtrail_core::id::{EventUid, ReferenceUid, SessionUid};
use deedtrail_core::port::archive::{Archive as _, ArchiveError, EventFilter, OutputFormat};
use deedtrail_core::port::log::Sequence;

use crate::fixture::{alias_uid, archive, csv, event_by, open};
use crate::layout::files;

/// Rows of a file.
const ROWS: u64 = 20;

/// A row whose values are its file's and no other's.
fn row(file: u64, sequence: Sequence) -> Event {
    let mut event = event_by(sequence, &format!("user{file}@example.com"));
    event.session_uid = Some(SessionUid::derive(&[&file.to_be_bytes()]));
    event.target_uid = Some(ReferenceUid::derive(&[&file.to_be_bytes()]));
    event.source_uid = Some(format!("vendor-{sequence}").as_str().into());
    event.mapped.src_ip = Some(format!("192.0.2.{file}").as_str().into());
    event.mapped.target_ref = Some(format!("arn:aws:s3:::bucket-{file}").as_str().into());
    event
}

fn filled(files: u64) -> (tempfile::TempDir, DeltaArchive) {
    let (folder, archive) = archive();
    for file in 0..files {
        let rows = (file * ROWS..(file + 1) * ROWS).map(|sequence| row(file, sequence));
        archive.add(rows.collect(), (file + 1) * ROWS).unwrap();
        archive.commit().unwrap();
    }
    (folder, archive)
}

fn generation(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("events-000001")
}

fn indexes(folder: &tempfile::TempDir) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(generation(folder).join("_needles")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Where file `number` of those that [`filled`] wrote is: the one with that vendor's id.
fn file_of(folder: &tempfile::TempDir, archive: &DeltaArchive, number: u64) -> PathBuf {
    let mut holding = files(&generation(folder)).into_iter().filter(|path| {
        let away = path.with_extension("away");
        std::fs::rename(path, &away).unwrap();
        let found = asked(archive, &format!("source_uid = 'vendor-{}'", number * ROWS));
        std::fs::rename(&away, path).unwrap();
        found.is_err()
    });
    holding.next().unwrap()
}

fn asked(archive: &DeltaArchive, condition: &str) -> Result<String, ArchiveError> {
    let sql = format!("SELECT log_seq FROM events WHERE {condition} ORDER BY log_seq");
    let mut out = Vec::new();
    let (tenant, budget) = Default::default();
    archive.query(&tenant, &sql, OutputFormat::Csv, budget, &mut out)?;
    Ok(String::from_utf8(out).unwrap().replace('\n', " "))
}

/// Files are taken away: what is asked without opening them is answered all the same.
fn hide(paths: &[PathBuf]) {
    for path in paths {
        std::fs::rename(path, path.with_extension("away")).unwrap();
    }
}

fn show(paths: &[PathBuf]) {
    for path in paths {
        std::fs::rename(path.with_extension("away"), path).unwrap();
    }
}

/// What is asked of one user and of one event, while only the third file is there.
fn of_one_user(archive: &DeltaArchive, event: EventUid) {
    let of_user = EventFilter {
        aliases: vec![alias_uid("user3@example.com")],
        ..EventFilter::default()
    };
    assert_eq!(archive.events(&of_user, None, 100).unwrap().len(), 20);
    let counted = archive.histogram(&of_user, 3_600_000_000).unwrap();
    assert_eq!(counted.iter().map(|bucket| bucket.count).sum::<u64>(), 20);
    assert_eq!(archive.actions(&of_user).unwrap()[0].count, 20);
    let by_id = EventFilter {
        uids: vec![event],
        ..EventFilter::default()
    };
    assert_eq!(archive.events(&by_id, None, 1).unwrap()[0].log_seq, 65);
}

#[test]
fn a_look_up_opens_only_the_files_that_hold_the_value() {
    let (folder, archive) = filled(5);
    let third = file_of(&folder, &archive, 3);
    let others: Vec<PathBuf> = files(&generation(&folder));
    let others: Vec<PathBuf> = others.into_iter().filter(|path| *path != third).collect();
    assert_eq!(others.len(), 4);
    hide(&others);
    let session = SessionUid::derive(&[&3_u64.to_be_bytes()]);
    let target = ReferenceUid::derive(&[&3_u64.to_be_bytes()]);
    let event = EventUid::derive(&[&65_u64.to_be_bytes()]);
    let all: Vec<String> = (60..80).map(|n| format!("{n} ")).collect();
    let all = all.concat();
    for (condition, rows) in [
        ("src_ip = '192.0.2.3'".to_owned(), all.as_str()),
        (
            "'192.0.2.3' = src_ip AND outcome = 'success'".to_owned(),
            &all,
        ),
        ("target_ref = 'arn:aws:s3:::bucket-3'".to_owned(), &all),
        (format!("session_uid = '{session}'"), &all),
        (format!("target_uid = '{target}'"), &all),
        (format!("event_uid = '{event}'"), "65 "),
        (
            "source_uid IN ('vendor-61', 'vendor-79', 'none')".to_owned(),
            "61 79 ",
        ),
        (
            "source_uid = 'vendor-61' OR src_ip = '192.0.2.77'".to_owned(),
            "61 ",
        ),
        (
            "src_ip = '192.0.2.1' AND source_uid = 'vendor-61'".to_owned(),
            "",
        ),
        ("src_ip = '198.51.100.9'".to_owned(), ""),
        ("client_fingerprint = 'no file has one'".to_owned(), ""),
    ] {
        let found = asked(&archive, &condition);
        assert_eq!(
            found.expect(&condition),
            format!("log_seq {rows}"),
            "{condition}"
        );
    }
    // What no index knows opens every file, and they are away.
    for condition in [
        "src_ip LIKE '192.0.2.3%'",
        "log_seq + 0 = 65",
        "src_ip <> '192.0.2.3'",
    ] {
        asked(&archive, condition).expect_err(condition);
    }

    of_one_user(&archive, event);
    show(&others);
    assert_eq!(
        csv(&archive, "SELECT sum(log_seq) AS s FROM events"),
        "s\n4950\n"
    );
}

#[test]
fn what_is_not_stored_yet_is_found_beside_the_index() {
    let (_folder, archive) = filled(5);
    archive.add(vec![row(3, 200), row(9, 201)], 202).unwrap();
    let hot = asked(&archive, "src_ip IN ('192.0.2.9') OR log_seq = 200");
    assert_eq!(hot.unwrap(), "log_seq 200 201 ");
    let both = asked(&archive, "src_ip = '192.0.2.3' AND log_seq > 77").unwrap();
    assert_eq!(both, "log_seq 78 79 200 ");
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

/// Missing, cut short, empty, overwritten, of another file: every answer stays what it was, and the
/// next upkeep makes the index as it was.
#[test]
fn a_missing_or_damaged_index_costs_time_and_no_answer() {
    let (folder, archive) = filled(3);
    let paths = indexes(&folder);
    let whole: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    let damage: [&dyn Fn(usize); 6] = [
        &|n| std::fs::remove_file(&paths[n]).unwrap(),
        &|n| change(&paths[n], |bytes| bytes.truncate(600)),
        &|n| change(&paths[n], Vec::clear),
        &|n| change(&paths[n], |bytes| bytes[512..].fill(0)),
        &|n| change(&paths[n], |bytes| bytes[..512].fill(255)),
        &|n| {
            std::fs::copy(&paths[(n + 1) % 3], &paths[n]).unwrap();
        },
    ];
    for damage in damage {
        for (n, whole) in whole.iter().enumerate() {
            damage(n);
            for file in 0..3 {
                let found = asked(&archive, &format!("src_ip = '192.0.2.{file}'")).unwrap();
                assert_eq!(found.split_whitespace().count(), 21, "{found}");
            }
            archive.compact().unwrap();
            assert!(std::fs::read(&paths[n]).unwrap() == *whole);
        }
    }
}

#[test]
fn an_archive_without_indexes_gets_them_by_upkeep() {
    let (folder, archive) = archive();
    archive
        .add((0..ROWS).map(|n| row(0, n)).collect(), ROWS)
        .unwrap();
    archive.commit().unwrap();
    let before = std::fs::read(&indexes(&folder)[0]).unwrap();
    std::fs::remove_dir_all(generation(&folder).join("_needles")).unwrap();
    drop(archive);
    let archive = open(&folder);
    archive.compact().unwrap();
    assert_eq!(std::fs::read(&indexes(&folder)[0]).unwrap(), before);
    hide(&files(&generation(&folder)));
    assert_eq!(
        asked(&archive, "src_ip = '192.0.2.99'").unwrap(),
        "log_seq "
    );
}

#[test]
fn an_index_goes_with_its_file() {
    let (folder, archive) = filled(5);
    let orphan = generation(&folder).join("_needles/part-gone.parquet.needles");
    std::fs::write(&orphan, "x").unwrap();
    archive.compact().unwrap();
    assert!(!orphan.try_exists().unwrap());
    assert_eq!(indexes(&folder).len(), files(&generation(&folder)).len());
}

/// The next number of a fixed sequence, below `limit` (Knuth's MMIX generator).
fn next(state: &mut u64, limit: u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % limit
}

/// A condition of up to three parts over few values, some of which no file has.
fn condition(state: &mut u64) -> String {
    let part = |state: &mut u64| {
        let value = next(state, 9);
        match next(state, 6) {
            0 => format!("src_ip = '192.0.2.{value}'"),
            1 => format!(
                "src_ip IN ('192.0.2.{value}', '192.0.2.{}')",
                next(state, 9)
            ),
            2 => format!("target_ref = 'arn:aws:s3:::bucket-{value}'"),
            3 => format!("target_ref <> 'arn:aws:s3:::bucket-{value}'"),
            4 => format!("NOT (src_ip = '192.0.2.{value}')"),
            _ => format!("log_seq % 9 = {value}"),
        }
    };
    let mut text = part(state);
    for _ in 0..next(state, 3) {
        let both = ["AND", "OR"][usize::from(next(state, 2) == 1)];
        text = format!("({text}) {both} {}", part(state));
    }
    text
}

#[test]
fn answers_with_and_without_an_index_are_the_same() {
    let (folder, archive) = archive();
    let mut state = 7;
    for file in 0..6_u64 {
        let rows = (0..ROWS).map(|n| {
            let mut event = row(next(&mut state, 7), file * ROWS + n);
            let target = format!("arn:aws:s3:::bucket-{}", next(&mut state, 7));
            event.mapped.target_ref = (n % 5 > 0).then(|| target.as_str().into());
            event
        });
        archive.add(rows.collect(), (file + 1) * ROWS).unwrap();
        archive.commit().unwrap();
    }
    let conditions: Vec<String> = (0..60).map(|_| condition(&mut state)).collect();
    let ask_all = || -> Vec<String> {
        let answers = conditions.iter().map(|one| asked(&archive, one).unwrap());
        answers.collect()
    };
    let indexed = ask_all();
    std::fs::remove_dir_all(generation(&folder).join("_needles")).unwrap();
    assert_eq!(indexed, ask_all());
    assert!(indexed.iter().any(|answer| answer.len() > 50));
}
