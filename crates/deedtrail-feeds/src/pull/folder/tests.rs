//! Files that grow, are rotated and are read again after a crash: every line once.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::sync::Arc;

use deedtrail_app::Ports;
use deedtrail_core::port::log::EvidenceLog as _;
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::{
    FakeArchive, FakeClock, FakeLog, FakeMapper, FakeTables, MemoryStore, Refusal, SeededEntropy,
};
use proptest::prelude::*;

use super::*;
use crate::pull::limits::SETTLED;

/// A folder of files, one of progress, and a log.
struct Scene {
    files: tempfile::TempDir,
    state: tempfile::TempDir,
    log: Arc<FakeLog>,
    app: Arc<App>,
    folder: Option<Folder>,
}

impl Scene {
    fn new() -> Self {
        let log = Arc::new(FakeLog::default());
        let ports = Ports {
            log: Arc::clone(&log) as _,
            mapper: Arc::new(FakeMapper),
            tables: Arc::new(FakeTables),
            archive: Arc::new(FakeArchive::default()),
            store: Arc::new(MemoryStore::default()),
            clock: Arc::new(FakeClock::at(Timestamp::from_micros(1))),
            entropy: Arc::new(SeededEntropy::new(1)),
        };
        Self {
            files: tempfile::tempdir().unwrap(),
            state: tempfile::tempdir().unwrap(),
            log,
            app: Arc::new(App::new(ports)),
            folder: None,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).open(self.path(name));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// As `logrotate` does with `copytruncate`.
    fn copy_and_cut(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
        let file = OpenOptions::new().write(true).open(self.path(from));
        file.unwrap().set_len(0).unwrap();
    }

    /// Looks once; `settled` is how long files must not have changed to be complete.
    fn look(&mut self, settled: Duration) {
        let folder = self.folder.take();
        let mut folder = folder.unwrap_or_else(|| {
            let settings = FolderSettings {
                name: "test".to_owned(),
                files: vec![self.path("*")],
                source: Some(SourceName::new("aws.cloudtrail").unwrap()),
            };
            // Its end is never asked for: the sender lives as long as the folder.
            let (stopper, stop) = Stop::new();
            std::mem::forget(stopper);
            open(&self.app, self.state.path(), settings, stop).unwrap()
        });
        folder.settled = settled;
        while !folder.look() {}
        self.folder = Some(folder);
    }

    /// The process dies; what was noted last is lost as well when `noted` is given.
    fn crash(&mut self, noted: Option<&[u8]>) {
        self.folder = None;
        if let Some(noted) = noted {
            fs::write(self.noted_at(), noted).unwrap();
        }
    }

    fn noted_at(&self) -> PathBuf {
        self.state.path().join("folders.test.json")
    }

    /// Everything in the log, in order.
    fn records(&self) -> Vec<String> {
        let entries = self.log.read(0, usize::MAX).unwrap();
        let text = |one: &deedtrail_core::port::log::StoredEntry| {
            String::from_utf8(one.bytes().into_owned()).unwrap()
        };
        entries.iter().map(text).collect()
    }

    fn error(&self) -> Option<String> {
        let states = self.app.feeds.all();
        let error = states["folders.test"].last_error.as_ref();
        error.map(|error| error.text.clone())
    }
}

#[test]
fn a_line_waits_for_its_newline() {
    let mut scene = Scene::new();
    scene.append("a.log", "{\"id\":\"1\"}\n{\"id\":");
    scene.look(SETTLED);
    assert_eq!(scene.records(), ["{\"id\":\"1\"}"]);
    scene.look(Duration::ZERO);
    assert_eq!(scene.records().len(), 1);
    scene.append("a.log", "\"2\"}");
    scene.look(SETTLED);
    assert_eq!(scene.records().len(), 1);
    // A whole object is taken once the file stands still, and is not taken again.
    scene.look(Duration::ZERO);
    scene.append("a.log", "\n{\"id\":\"3\"}\n");
    scene.look(SETTLED);
    assert_eq!(scene.records()[1..], ["{\"id\":\"2\"}", "{\"id\":\"3\"}"]);
}

#[test]
fn what_stands_at_the_end_of_a_file_that_was_rotated_away_is_taken() {
    let mut scene = Scene::new();
    scene.append("a.log", "first\nhalf a li");
    scene.look(Duration::ZERO);
    assert_eq!(scene.records(), ["first"]);
    scene.rename("a.log", "a.log.1");
    scene.append("a.log", "next\n");
    scene.look(SETTLED);
    assert_eq!(scene.records(), ["first", "next"]);
    scene.look(Duration::ZERO);
    assert_eq!(scene.records(), ["first", "next", "half a li"]);
    // Also when nothing leads to it any more.
    scene.append("b.log", "one\ntwo\nthr");
    scene.look(SETTLED);
    scene.append("b.log", "ee\nfour");
    fs::remove_file(scene.path("b.log")).unwrap();
    scene.look(SETTLED);
    scene.look(Duration::ZERO);
    assert_eq!(scene.records()[3..], ["one", "two", "three", "four"]);
}

#[test]
fn what_the_log_does_not_take_is_tried_again() {
    let mut scene = Scene::new();
    scene.append("a.log", "{\"id\":\"1\"}\nx\nx\n");
    scene.log.refuse_with(Some(Refusal::DiskFull));
    scene.look(Duration::ZERO);
    assert!(scene.error().unwrap().contains("the disk is full"));
    assert!(!scene.noted_at().try_exists().unwrap());
    scene.log.refuse_with(None);
    scene.crash(None);
    scene.look(Duration::ZERO);
    assert_eq!((scene.records().len(), scene.error()), (3, None));
}

#[test]
fn compressed_files_and_documents_are_taken_whole_once_they_stand_still() {
    let mut scene = Scene::new();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(b"{\"id\":\"1\"}\n{\"id\":\"2\"}").unwrap();
    let packed = packer.finish().unwrap();
    fs::write(scene.path("a.gz"), &packed[..packed.len() - 9]).unwrap();
    scene.look(SETTLED);
    assert!(scene.records().is_empty());
    scene.look(Duration::ZERO);
    assert!(scene.error().unwrap().contains("a.gz"));
    fs::write(scene.path("a.gz"), &packed).unwrap();
    let zstd = zstd::encode_all(&b"{\"id\":\"2\"}\n{\"id\":\"3\"}\n"[..], 1).unwrap();
    fs::write(scene.path("b.zst"), zstd).unwrap();
    scene.crash(None);
    scene.look(Duration::ZERO);
    assert_eq!(scene.records().len(), 3);
    assert_eq!(scene.error(), None);
    let end = scene.app.feeds.all()["folders.test"].records;
    scene.crash(None);
    scene.look(Duration::ZERO);
    assert_eq!(scene.app.feeds.all()["folders.test"].records, end);
}

#[test]
fn tables_are_taken_as_lines_once_they_stand_still() {
    let mut scene = Scene::new();
    fs::write(
        scene.path("a.parquet"),
        b"PAR1\0{\"id\":\"1\"}\n{\"id\":\"2\"}\n",
    )
    .unwrap();
    fs::write(scene.path("b.parquet"), b"PAR1").unwrap();
    scene.append("c.log", "PAR1 is a line of text\n");
    scene.look(SETTLED);
    assert_eq!(scene.records(), ["PAR1 is a line of text"]);
    scene.look(Duration::ZERO);
    assert_eq!(scene.records()[1..], ["{\"id\":\"1\"}", "{\"id\":\"2\"}"]);
    let error = scene.error().unwrap();
    assert!(
        error.contains("b.parquet") && error.contains("fetch or write it again"),
        "{error}"
    );
}

#[test]
fn a_line_over_the_limit_is_passed_over() {
    let mut scene = Scene::new();
    let long = "x".repeat(deedtrail_core::limits::RECORD_BYTES_MAX + 1);
    scene.append("a.log", &format!("before\n{long}"));
    scene.look(SETTLED);
    scene.append("a.log", "x\nafter\n");
    scene.look(SETTLED);
    assert_eq!(scene.records(), ["before", "after"]);
    assert_eq!(scene.app.feeds.all()["folders.test"].refused, 1);
}

#[test]
fn a_record_over_the_limit_changes_no_key_of_those_after_it() {
    let mut scene = Scene::new();
    scene.append("a.log", "begin\nx\nover the limit\nx\nx\n");
    scene.look(SETTLED);
    assert_eq!(scene.records(), ["begin", "x", "x", "x"]);
    assert_eq!(scene.app.feeds.all()["folders.test"].refused, 1);
    // The keys are found again by reading, or made anew from the beginning.
    for noted in [None, Some(&b"{"[..])] {
        scene.crash(noted);
        scene.append("a.log", "x\n");
        scene.look(SETTLED);
        assert_eq!(scene.error(), None);
    }
    assert_eq!(scene.records(), ["begin", "x", "x", "x", "x", "x"]);
}

#[test]
fn several_members_in_one_file_are_one_content() {
    let mut scene = Scene::new();
    let packed = |text: &str| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let frame = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
    let texts = ["one\ntw", "o\n", "three\n"];
    fs::write(scene.path("a.gz"), texts.map(packed).concat()).unwrap();
    scene.look(Duration::ZERO);
    assert_eq!(scene.records(), ["one", "two", "three"]);
    let texts = ["four\nfi", "ve\n"];
    fs::write(scene.path("b.zst"), texts.map(frame).concat()).unwrap();
    scene.look(Duration::ZERO);
    assert_eq!(scene.records()[3..], ["four", "five"]);
    assert_eq!(scene.error(), None);
}

#[test]
fn what_unpacks_to_too_much_is_told_until_it_is_gone_and_keeps_no_other_file_waiting() {
    let mut scene = Scene::new();
    let line = format!("{{\"id\":\"1\",\"text\":\"{}\"}}\n", " ".repeat(1 << 20));
    let mut packer = zstd::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..70 {
        packer.write_all(line.as_bytes()).unwrap();
    }
    fs::write(scene.path("a.zst"), packer.finish().unwrap()).unwrap();
    scene.append("b.log", "{\"id\":\"2\"}\n");
    for _ in 0..2 {
        scene.look(Duration::ZERO);
        let error = scene.error().unwrap();
        assert!(
            error.contains("a.zst") && error.contains("200 times"),
            "{error}"
        );
        assert_eq!(scene.records().len(), 2);
    }
    fs::remove_file(scene.path("a.zst")).unwrap();
    scene.look(Duration::ZERO);
    assert_eq!(scene.error(), None);
}

#[test]
fn progress_of_another_log_is_not_believed() {
    let mut scene = Scene::new();
    scene.append("a.log", "{\"id\":\"1\"}\n");
    scene.look(SETTLED);
    let noted = fs::read_to_string(scene.noted_at()).unwrap();
    let other = noted.replace("deedtrail.example", "elsewhere.example");
    let later = noted.replace("\"end\":1", "\"end\":2");
    for (untrue, taken) in [(other, 2), (later, 2), ("{".to_owned(), 2), (noted, 1)] {
        let before = scene.app.feeds.all()["folders.test"].records;
        scene.crash(Some(untrue.as_bytes()));
        scene.append("a.log", "");
        scene.look(SETTLED);
        let after = scene.app.feeds.all()["folders.test"].records;
        assert_eq!(after - before, taken - 1, "{untrue}");
    }
    assert_eq!(scene.records().len(), 1);
}

/// What happens to a log file.
#[derive(Clone, Debug)]
enum Step {
    Write(Vec<u8>),
    Rename,
    CopyAndCut,
    Look,
    /// Dies; with what was noted last, or with what was noted a while ago.
    Crash {
        late: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop::collection::vec(0..4_u8, 1..5).prop_map(Step::Write),
        1 => Just(Step::Rename),
        1 => Just(Step::CopyAndCut),
        4 => Just(Step::Look),
        1 => any::<bool>().prop_map(|late| Step::Crash { late }),
    ];
    prop::collection::vec(step, 1..40)
}

/// Follows the steps; `line` makes a line of a number and a kind. Gives what was written.
fn follow(scene: &mut Scene, steps: &[Step], line: impl Fn(u32, u8) -> String) -> Vec<String> {
    let mut written = Vec::new();
    let (mut number, mut rotated) = (0, 0);
    let mut is_new = true;
    let mut noted: Option<Vec<u8>> = None;
    for step in steps {
        match step {
            Step::Write(kinds) => {
                for kind in kinds {
                    number += 1;
                    // Files that begin alike would be the same file.
                    let kind = if std::mem::take(&mut is_new) {
                        u8::MAX
                    } else {
                        *kind
                    };
                    let line = line(number, kind);
                    scene.append("a.log", &format!("{line}\n"));
                    written.push(line);
                }
            }
            Step::Rename | Step::CopyAndCut if is_new => {}
            Step::Rename => {
                rotated += 1;
                scene.rename("a.log", &format!("a.log.{rotated}"));
                is_new = true;
            }
            Step::CopyAndCut => {
                rotated += 1;
                scene.copy_and_cut("a.log", &format!("a.log.{rotated}"));
                is_new = true;
            }
            Step::Look => scene.look(SETTLED),
            Step::Crash { late } => {
                let now = fs::read(scene.noted_at()).ok();
                scene.crash(noted.as_deref().filter(|_| *late));
                noted = now;
            }
        }
    }
    scene.look(Duration::ZERO);
    scene.look(Duration::ZERO);
    written.sort();
    written
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_line_is_taken_once_however_files_are_rotated(steps in steps()) {
        let mut scene = Scene::new();
        let written = follow(&mut scene, &steps, |number, _| format!("{{\"id\":\"{number}\"}}"));
        let mut taken = scene.records();
        taken.sort();
        prop_assert_eq!(taken, written);
    }

    /// Records without id and time: only what was before them tells them apart.
    #[test]
    fn twins_stay_two_and_are_not_doubled(steps in steps()) {
        let mut scene = Scene::new();
        let line = |number, kind| match kind {
            u8::MAX => format!("file that begins with line {number}"),
            kind => format!("kind {kind}"),
        };
        let written = follow(&mut scene, &steps, line);
        let mut taken = scene.records();
        taken.sort();
        prop_assert_eq!(taken, written);
    }
}
