//! Rules and unsafe sequences in force: read at the start, and again when somebody asks.
//!
//! Detection goes by the log. Which rules of one's own are in force is an entry of it, with their
//! text: a restart and a rebuild go by the rules that were in force when a record came. What comes
//! with the product is that of the version that runs.

mod folders;

pub use folders::{FileText, FoldersRead, OWN_RULES_BYTES_MAX, OwnRules, RuleFolders};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use deedtrail_charter::Library;
use deedtrail_core::Text;
use deedtrail_core::port::log::{AppendError, StoredEntry};
use deedtrail_core::port::mapper::SourceFacts;
use deedtrail_core::port::store::{Scope, StoreError};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::{ProblemSeverity, RuleFile, RuleProblem, RuleSet};
use serde::{Deserialize, Serialize};

use crate::App;
use crate::access::{Denied, Principal};
use crate::configuration::RULE_SET;
use folders::below;

/// Setting of the store: which rules are in force since when.
const IN_FORCE: &str = "rules in force";
/// How long a change waits to be carried out, so that what comes next is judged by it.
const SETTLED_WITHIN: Duration = Duration::from_secs(2);

/// An entry of the log.
#[derive(Debug, Serialize, Deserialize)]
struct RuleSetEntry {
    digest: String,
    by: Text,
    own: OwnRules,
}

/// Rules and sequences, ready to run.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// Of every rule and sequence, those that come with the product among them.
    pub digest: String,
    pub rules: Arc<RuleSet>,
    pub sequences: Arc<Library>,
    rule_problems: Vec<RuleProblem>,
    sequence_problems: Vec<deedtrail_charter::Problem>,
}

/// The rules that come with the product, to which those of one's own are added.
#[derive(Debug, Default)]
pub struct RuleBook {
    built_in: Vec<RuleFile>,
    /// What was compiled last: a start and a reload compile once.
    newest: Mutex<Option<Compiled>>,
}

impl RuleBook {
    pub const fn new(built_in: Vec<RuleFile>) -> Self {
        Self {
            built_in,
            newest: Mutex::new(None),
        }
    }

    /// Everything in force with these; what has a mistake is left out. Equal texts give equal sets.
    pub fn compile(&self, own: &OwnRules) -> Compiled {
        let digest = self.digest(own);
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = newest.as_ref().filter(|known| known.digest == digest) {
            return known.clone();
        }
        let mut files = self.built_in.clone();
        files.extend(own.rules.iter().map(|file| RuleFile {
            path: file.path.clone(),
            text: file.text.clone(),
        }));
        let (rules, rule_problems) = RuleSet::load(&files);
        let texts = own.sequences.iter();
        let texts = texts.map(|file| (file.path.as_str(), file.text.as_str()));
        let (sequences, sequence_problems) = Library::with(texts);
        let compiled = Compiled {
            digest,
            rules: Arc::new(rules),
            sequences: Arc::new(sequences),
            rule_problems,
            sequence_problems,
        };
        *newest = Some(compiled.clone());
        compiled
    }

    /// A hash of what is in force: 64 hex digits.
    fn digest(&self, own: &OwnRules) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut add = |what: &str, path: &str, text: &[u8]| {
            for part in [what.as_bytes(), path.as_bytes(), text] {
                hasher.update(&(part.len() as u64).to_be_bytes());
                hasher.update(part);
            }
        };
        for file in &self.built_in {
            add("built-in rule", &file.path, file.text.as_bytes());
        }
        for form in Library::shipped().forms() {
            let text = serde_json::to_vec(form).unwrap_or_default();
            add("built-in sequence", &form.id, &text);
        }
        for file in &own.rules {
            add("rule", &file.path, file.text.as_bytes());
        }
        for file in &own.sequences {
            add("sequence", &file.path, file.text.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// The rules of one's own that an entry of the log puts in force.
pub(crate) fn taken_down(entry: &StoredEntry) -> Option<OwnRules> {
    let is_rules = entry.entry.note == RULE_SET;
    let entry: RuleSetEntry = serde_json::from_slice(&entry.bytes()).ok()?;
    is_rules.then_some(entry.own)
}

/// What is in force, and since when.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    pub rules: Arc<RuleSet>,
    pub sequences: Arc<Library>,
    /// 64 hex digits; empty where nobody read any.
    pub digest: String,
    /// Who put it in force and when; `None` where that is not known.
    pub since: Option<Since>,
    /// Rules of one's own that have a mistake and are left out: file, line, what is wrong.
    pub rules_left_out: Vec<String>,
    /// Files of unsafe sequences that have one.
    pub sequences_left_out: Vec<String>,
    /// Doubts about rules that are in force.
    pub warnings: Vec<String>,
}

/// When rules came in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    pub at: Timestamp,
    pub by: Text,
    /// Entry of the log from which on they judge.
    pub sequence: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    digest: String,
    since: Since,
}

impl InForce {
    fn new(
        compiled: &Compiled,
        read: &FoldersRead,
        since: Option<Since>,
        sources: &[SourceFacts],
    ) -> Self {
        let is_own = |path: &str| read.own.rules.iter().any(|file| file.path == path);
        let (mut left_out, mut warnings) = (read.rules_unread.clone(), Vec::new());
        let without_source = compiled.rules.check_sources(sources, &BTreeMap::new());
        for problem in compiled.rule_problems.iter().chain(&without_source) {
            let mut problem = problem.clone();
            if is_own(&problem.path) {
                problem.path = below(&read.rules_at, &problem.path);
            }
            match problem.severity {
                ProblemSeverity::Error => left_out.push(problem.to_string()),
                ProblemSeverity::Warning => warnings.push(problem.to_string()),
            }
        }
        let mut sequences_left_out = read.sequences_unread.clone();
        sequences_left_out.extend(compiled.sequence_problems.iter().map(|problem| {
            let mut problem = problem.clone();
            problem.file = below(&read.sequences_at, &problem.file);
            problem.to_string()
        }));
        Self {
            rules: Arc::clone(&compiled.rules),
            sequences: Arc::clone(&compiled.sequences),
            digest: compiled.digest.clone(),
            since,
            rules_left_out: left_out,
            sequences_left_out,
            warnings,
        }
    }

    /// These rules by themselves, e.g. in tests.
    pub fn of(rules: Arc<RuleSet>) -> Self {
        Self {
            rules,
            sequences: Library::shipped(),
            ..Self::default()
        }
    }
}

/// What is in force at the moment.
#[derive(Debug)]
pub struct Current {
    in_force: RwLock<Arc<InForce>>,
    /// Held while rules are taken up: two at once would contradict each other.
    changing: Mutex<()>,
}

impl Current {
    pub fn new(in_force: InForce) -> Self {
        Self {
            in_force: RwLock::new(Arc::new(in_force)),
            changing: Mutex::default(),
        }
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        let changing = self.changing.lock();
        changing.unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, in_force: InForce) -> Arc<InForce> {
        let in_force = Arc::new(in_force);
        let mut current = self
            .in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Arc::clone(&in_force);
        in_force
    }
}

impl Default for Current {
    fn default() -> Self {
        Self::new(InForce::of(Arc::default()))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("{0}; nothing is changed, the rules of before stay in force")]
    Folder(String),
    #[error("this process read no configuration, so that there are no rules to read again")]
    Nowhere,
}

/// What came of reading the rules again.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// False when the folders hold what was in force already.
    pub changed: bool,
    /// Other rules or sequences of one's own were in force before.
    pub replaced: bool,
    pub in_force: Arc<InForce>,
}

impl App {
    /// Rules and sequences in force.
    pub fn in_force(&self) -> Arc<InForce> {
        let current = self.current.in_force.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }

    /// Rules in force.
    pub fn rules(&self) -> Arc<RuleSet> {
        Arc::clone(&self.in_force().rules)
    }

    /// Unsafe sequences in force.
    pub fn sequences(&self) -> Arc<Library> {
        Arc::clone(&self.in_force().sequences)
    }

    /// Reads the folders of rules and sequences again and puts what they hold in force, from an entry
    /// of the log on. What has a mistake is left out, as at a start.
    pub fn reload_rules(&self, principal: &Principal) -> Result<Reloaded, ReloadError> {
        principal.require(Scope::Admin)?;
        let folders = self.own_rules.as_ref().ok_or(ReloadError::Nowhere)?;
        // From the reading on one at a time, or what was read first could be put in force last.
        let changing = self.current.changing();
        let read = folders.read().map_err(ReloadError::Folder)?;
        self.audit_other(principal, ("rules reloaded", ""), &[])?;
        let reloaded = self.put_in_force(principal, &read)?;
        drop(changing);
        if reloaded.changed {
            let end = self.ports.log.end();
            self.processing.wait_at_most(end, SETTLED_WITHIN);
        }
        Ok(reloaded)
    }

    /// Whether what is in force is what the folders hold now; true where nobody read any. Fails with the
    /// reason why a folder cannot be read.
    pub fn are_rules_as_in_folders(&self) -> Result<bool, String> {
        let Some(folders) = &self.own_rules else {
            return Ok(true);
        };
        let read = folders.read()?;
        Ok(self.book.digest(&read.own) == self.in_force().digest)
    }

    /// Shows what was read as in force without an entry of the log, which takes none.
    pub fn show_rules(&self, read: &FoldersRead) -> Arc<InForce> {
        let compiled = self.book.compile(&read.own);
        let in_force = InForce::new(&compiled, read, None, &self.ports.mapper.sources());
        self.current.set(in_force)
    }

    /// Puts what was read in force. The entry of the log is made where it differs from what the last
    /// such entry says.
    pub fn take_up_rules(
        &self,
        principal: &Principal,
        read: &FoldersRead,
    ) -> Result<Reloaded, ReloadError> {
        let _changing = self.current.changing();
        self.put_in_force(principal, read)
    }

    fn put_in_force(
        &self,
        principal: &Principal,
        read: &FoldersRead,
    ) -> Result<Reloaded, ReloadError> {
        let compiled = self.book.compile(&read.own);
        let sources = self.ports.mapper.sources();
        let known = self.ports.store.setting(IN_FORCE)?;
        let known = known.and_then(|known| serde_json::from_str::<Remembered>(&known).ok());
        let before = known.and_then(|known| Some((self.entry_of(&known)?, known)));
        // The digest is of the built-in ones too, which an upgrade changes.
        let replaced = before
            .as_ref()
            .is_some_and(|(entry, _)| entry.own != read.own);
        let known = before.filter(|(_, known)| known.digest == compiled.digest);
        if let Some((_, known)) = known {
            let in_force = InForce::new(&compiled, read, Some(known.since), &sources);
            return Ok(Reloaded {
                changed: false,
                replaced: false,
                in_force: self.current.set(in_force),
            });
        }
        let entry = RuleSetEntry {
            digest: compiled.digest.clone(),
            by: principal.name.clone(),
            own: read.own.clone(),
        };
        let content = serde_json::json!(entry).to_string().into_bytes();
        let at = self.ports.clock.now();
        let end = self.append_plain(principal, RULE_SET, content)?;
        let since = Since {
            at,
            by: principal.name.clone(),
            sequence: end.saturating_sub(1),
        };
        let remembered = Remembered {
            digest: compiled.digest.clone(),
            since: since.clone(),
        };
        let remembered = serde_json::json!(remembered).to_string();
        self.ports.store.put_setting(IN_FORCE, &remembered)?;
        let in_force = InForce::new(&compiled, read, Some(since), &sources);
        let in_force = self.current.set(in_force);
        Ok(Reloaded {
            changed: true,
            replaced,
            in_force,
        })
    }

    /// The entry that is remembered, if it is there: a log that lost its end may have another one in
    /// its place.
    fn entry_of(&self, known: &Remembered) -> Option<RuleSetEntry> {
        let entries = self.ports.log.read(known.since.sequence, 1).ok()?;
        let entry = entries.into_iter().next()?;
        let said = serde_json::from_slice::<RuleSetEntry>(&entry.bytes()).ok()?;
        (entry.entry.note == RULE_SET && said.digest == known.digest).then_some(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_digest_and_are_compiled_once() {
        let book = RuleBook::default();
        let own = |text: &str| OwnRules {
            rules: vec![FileText {
                path: "a.yml".to_owned(),
                text: text.to_owned(),
            }],
            sequences: Vec::new(),
        };
        let first = book.compile(&own("title: a"));
        let again = book.compile(&own("title: a"));
        assert!(Arc::ptr_eq(&first.rules, &again.rules));
        let other = book.compile(&own("title: b"));
        assert_ne!(first.digest, other.digest);
        assert_eq!(first.digest.len(), 64);
    }
}
