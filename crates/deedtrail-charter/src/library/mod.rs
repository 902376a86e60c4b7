//! The library of unsafe sequences: steps that are allowed one by one and unsafe together, as data.

mod compile;
mod fixture;
mod form;
mod page;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use deedtrail_core::finding::{FindingEvent, Severity};
use deedtrail_core::time::Timestamp;
use include_dir::{Dir, include_dir};

use crate::document::{Problem, parse_yaml};
use crate::limits::{MEMO_MAX, SEQUENCES_MAX};
use crate::subject::{Subject, key};
pub use compile::CompiledSequence;
use compile::StepOf;
pub use fixture::{Fixture, events_of};
pub use form::{Binding, Clause, Follows, Outcome, SequenceStep, UnsafeSequence, Within};
pub use page::{page, sequence_schema};
pub use watch::{Planted, Watch};

/// The sequences that come with the product.
static SHIPPED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/sequences");

/// Unsafe sequences ready to be looked for.
#[derive(Clone, Debug, Default)]
pub struct Library {
    sequences: Vec<CompiledSequence>,
}

/// Places of a sequence in the library and of a step in it.
type Place = (usize, usize);

/// Which steps an event may be by its action and operation, so that patterns are compared once for
/// each operation and not for each event. Belongs to one library; no part of any state.
#[derive(Clone, Debug, Default)]
pub struct Memo {
    steps: BTreeMap<u64, Arc<[Place]>>,
}

/// A sequence that came about.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Match {
    pub id: String,
    pub title: String,
    pub meaning: String,
    pub severity: Severity,
    /// Type of finding it is.
    pub finding: String,
    /// What makes two findings of that type on one identity the same.
    pub pattern: String,
    pub references: Vec<String>,
    pub steps: Vec<MatchedStep>,
    /// From the first step to the last, µs.
    pub took_us: i64,
    /// Time within which the steps come, µs.
    pub within_us: i64,
    pub at: Timestamp,
}

/// One event of a sequence that came about.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct MatchedStep {
    pub name: String,
    /// Whether it was permitted, and what says so.
    pub permitted: String,
    /// What was permitted, or refused: operation and target.
    pub what: String,
    pub refused: bool,
    pub event: FindingEvent,
}

impl Library {
    /// The sequences that come with the product.
    pub fn shipped() -> Arc<Self> {
        static LIBRARY: LazyLock<Arc<Library>> = LazyLock::new(|| {
            let files = shipped_files();
            let texts = files.iter().map(|(path, text)| (path.as_str(), *text));
            Arc::new(Library::load(texts).0)
        });
        Arc::clone(&LIBRARY)
    }

    /// Reads sequences; what is wrong with some keeps none of the others out. Of two with one id
    /// the later one counts, so that an operator's own replaces one of ours.
    pub fn load<'t>(files: impl IntoIterator<Item = (&'t str, &'t str)>) -> (Self, Vec<Problem>) {
        let (mut sequences, mut problems) = (Vec::<CompiledSequence>::new(), Vec::new());
        for (file, text) in files {
            match read(file, text) {
                Ok(sequence) => {
                    sequences.retain(|known| known.form.id != sequence.form.id);
                    sequences.push(sequence);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if sequences.len() > SEQUENCES_MAX {
            problems.push(Problem {
                file: sequences[SEQUENCES_MAX].form.id.clone(),
                line: 1,
                column: 1,
                message: format!(
                    "{} sequences; those after the first {SEQUENCES_MAX} are left out",
                    sequences.len()
                ),
            });
            sequences.truncate(SEQUENCES_MAX);
        }
        sequences.sort_by(|a, b| a.form.id.cmp(&b.form.id));
        (Self::of(sequences), problems)
    }

    /// The shipped sequences and those of an operator's folder, given as (path, text).
    pub fn with<'t>(own: impl IntoIterator<Item = (&'t str, &'t str)>) -> (Self, Vec<Problem>) {
        let files = shipped_files();
        let shipped = files.iter().map(|(path, text)| (path.as_str(), *text));
        Self::load(shipped.chain(own))
    }

    fn of(sequences: Vec<CompiledSequence>) -> Self {
        Self { sequences }
    }

    /// Steps that an event may be by its action and operation.
    fn candidates(&self, subject: &Subject<'_>, memo: &mut Memo) -> Arc<[Place]> {
        let mapped = &subject.event.mapped;
        let is_tool = subject.tool().is_some();
        let operation = mapped.operation.as_bytes();
        let of = key(&[&[mapped.action as u8, u8::from(is_tool)], operation]);
        if let Some(known) = memo.steps.get(&of) {
            return Arc::clone(known);
        }
        let found = self
            .sequences
            .iter()
            .enumerate()
            .flat_map(|(place, sequence)| {
                let steps = sequence.steps.iter().enumerate();
                let may_be = move |(_, step): &(usize, &StepOf)| {
                    step.may_be(mapped.action, &mapped.operation, is_tool)
                };
                steps.filter(may_be).map(move |(step, _)| (place, step))
            });
        let found: Arc<[Place]> = found.collect();
        if memo.steps.len() >= MEMO_MAX {
            memo.steps.clear();
        }
        memo.steps.insert(of, Arc::clone(&found));
        found
    }

    /// What each sequence says, by id.
    pub fn forms(&self) -> impl Iterator<Item = &UnsafeSequence> {
        self.sequences.iter().map(|sequence| &sequence.form)
    }

    /// What the sequence of that id says; `None` when it is not in force.
    pub fn form(&self, id: &str) -> Option<&UnsafeSequence> {
        self.forms().find(|form| form.id == id)
    }

    /// That in words and steps, for people (Markdown).
    pub fn text_of(&self, id: &str) -> Option<String> {
        self.form(id).map(page::text_of)
    }

    /// Whether the sequence of that id is an operator's own: of another id than ours, or in place of
    /// one of ours.
    pub fn is_own(&self, id: &str) -> bool {
        let form = self.form(id);
        form.is_some() && form != Self::shipped().form(id)
    }
}

fn read(file: &str, text: &str) -> Result<CompiledSequence, Problem> {
    let form: UnsafeSequence = parse_yaml(file, text)?;
    CompiledSequence::new(form).map_err(|(line_key, message)| Problem {
        file: file.to_owned(),
        line: crate::document::Lines::of(text).key(line_key),
        column: 1,
        message,
    })
}

/// Path and text of every shipped sequence, by path.
fn shipped_files() -> &'static [(String, &'static str)] {
    static FILES: LazyLock<Vec<(String, &'static str)>> = LazyLock::new(yaml_files);
    &FILES
}

fn yaml_files() -> Vec<(String, &'static str)> {
    let yaml = |file: &'static include_dir::File<'static>| {
        let path = file.path();
        let is_yaml = path
            .extension()
            .is_some_and(|extension| extension == "yaml");
        let text = file.contents_utf8().filter(|_| is_yaml)?;
        Some((format!("sequences/{}", path.display()), text))
    };
    let mut files: Vec<_> = SHIPPED.files().filter_map(yaml).collect();
    files.sort();
    files
}

/// A file that stands beside a shipped sequence, e.g. `x.fires.json`.
pub fn shipped_fixture(name: &str) -> Option<&'static str> {
    SHIPPED.get_file(name)?.contents_utf8()
}
