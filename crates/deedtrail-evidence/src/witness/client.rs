//! Our own log before its witnesses: who is asked, what they said, which checkpoint they vouch for.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use deedtrail_core::port::log::{EvidenceLog as _, ReadError};
use deedtrail_core::port::witness::Witnesses;
use serde::{Deserialize, Serialize};

use super::cosignature::WitnessKey;
use super::request::AddCheckpoint;
use crate::disk::{Access, Disk, read_file, replace_file};
use crate::merkle::Head;
use crate::note::{Checkpoint, NOTE_BYTES_MAX, Note, NoteError, parse_decimal};
use crate::sync::{Arc, Mutex};
use crate::{Log, locked};

/// Most characters of a witness's own words that are kept.
const WORDS_MAX: usize = 200;
/// Most witnesses of a log: their cosignatures fit into one note.
pub const WITNESSES_MAX: usize = 32;
/// What helps when a witness saw what this log does not continue.
const WAY_OUT: &str = "put the newest state back, or stop the server and give the log a new origin: \
    `deedtrail evidence adopt --because REASON`";
/// Name of the group in the policy's text.
const GROUP: &str = "enough";

/// What an address answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    pub body: String,
}

/// Carries a request to an address; the reason in words where there is no answer.
pub trait Courier: Send + Sync + std::fmt::Debug {
    fn post(&self, address: &str, body: String) -> Result<Reply, String>;
}

/// A witness that is asked.
#[derive(Debug)]
pub struct Witness {
    /// What the operator calls it.
    pub name: String,
    pub key: WitnessKey,
    /// Submission prefix, without a slash at the end.
    pub url: String,
    pub courier: Box<dyn Courier>,
}

/// Who is asked, and how many of them must vouch.
#[derive(Debug)]
pub struct Policy {
    pub witnesses: Vec<Witness>,
    /// At least 1, at most the number of witnesses.
    pub quorum: usize,
}

impl Policy {
    /// What is wrong with it, in words.
    pub fn mistake(&self) -> Option<String> {
        let count = self.witnesses.len();
        if count > WITNESSES_MAX {
            return Some(format!(
                "{count} witnesses, at most {WITNESSES_MAX} are asked"
            ));
        }
        if self.quorum == 0 || self.quorum > count {
            return Some(format!(
                "the quorum is 1 to {count}, the number of witnesses"
            ));
        }
        for (at, one) in self.witnesses.iter().enumerate() {
            if [GROUP, "none"].contains(&one.name.as_str()) {
                return Some(format!("`{}` is no name for a witness", one.name));
            }
            let others = &self.witnesses[..at];
            if let Some(other) = others.iter().find(|other| other.key.is_same_key(&one.key)) {
                return Some(format!("`{}` and `{}` have one key", other.name, one.name));
            }
        }
        None
    }

    /// How many of the witnesses cosigned a note; one whose line does not hold did not.
    fn vouching(&self, note: &str) -> usize {
        let Ok(note) = Note::parse(note) else {
            return 0;
        };
        let cosigned = |witness: &&Witness| matches!(witness.key.cosigned(&note), Ok(Some(_)));
        self.witnesses.iter().filter(cosigned).count()
    }

    /// The policy as others read it (c2sp.org/tlog-policy).
    pub fn to_text(&self, log_key: &str) -> String {
        let mut text = format!("log {log_key}\n");
        // Writing to a String cannot fail.
        for witness in &self.witnesses {
            writeln!(text, "witness {} {}", witness.name, witness.key).unwrap_or_default();
        }
        let names = self.witnesses.iter().map(|witness| witness.name.as_str());
        let names: Vec<&str> = names.collect();
        let (quorum, names) = (self.quorum, names.join(" "));
        writeln!(text, "group {GROUP} {quorum} {names}\nquorum {GROUP}").unwrap_or_default();
        text
    }
}

/// Why a witness did not vouch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessFault {
    #[error("no answer: {0}")]
    NoAnswer(String),
    #[error(
        "it does not know this log, or is not there: give its operator the log's verifier key, or \
         mend `url`"
    )]
    UnknownLog,
    #[error(
        "it saw {seen} batches of this log, which has {size}: the log was rolled back, or a copy \
         of it signs as well; {WAY_OUT}"
    )]
    Ahead { seen: u64, size: u64 },
    #[error("it saw another history of this log: {0}; {WAY_OUT}")]
    Forked(String),
    #[error("it answered {status}: {words}")]
    Refused { status: u16, words: String },
    #[error("its cosignature does not hold: {0}")]
    Cosignature(#[from] NoteError),
    #[error("the log cannot prove how it continues: {0}")]
    Log(String),
}

/// What one round of asking brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Size of the checkpoint they were asked about.
    pub size: u64,
    /// How many vouch for it.
    pub vouching: usize,
    /// Who does not, and why.
    pub faults: Vec<(String, WitnessFault)>,
}

/// What is remembered of one witness.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Size of the newest checkpoint it cosigned.
    pub size: u64,
    /// When it did, s since 1970; 0 when it never did.
    pub cosigned_s: u64,
    /// Why it did not when it was asked last.
    pub fault: Option<String>,
    /// The key this is about; empty in files of earlier versions.
    #[serde(default)]
    pub key: String,
}

/// What is remembered, as it is on disk.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Memory {
    /// Newest checkpoint that enough witnesses cosigned.
    quorate: Option<String>,
    /// Newest one that any cosigned.
    latest: Option<String>,
    witnesses: BTreeMap<String, Standing>,
}

impl Memory {
    /// Forgets what does not count any more: of another origin, from before a folder was adopted,
    /// or of witnesses that the policy does not name; a quorum is what the policy asks for now.
    fn fit(&mut self, log: &Log, policy: &Policy) {
        let notes = [self.quorate.take(), self.latest.take()];
        let counted = notes.into_iter().flatten().filter_map(|note| {
            let size = own(log, &note)?.head.size;
            Some((size, policy.vouching(&note), note))
        });
        let mut counted: Vec<(u64, usize, String)> = counted.collect();
        counted.sort_unstable();
        for (_, vouching, note) in counted {
            if vouching >= policy.quorum {
                self.quorate = Some(note.clone());
            }
            if vouching > 0 {
                self.latest = Some(note);
            }
        }
        self.witnesses.retain(|name, standing| {
            let mut known = policy.witnesses.iter();
            let witness = known.find(|witness| witness.name == *name);
            witness.is_some_and(|it| standing.key.is_empty() || standing.key == it.key.to_string())
        });
    }
}

/// What is on disk of what witnesses said.
fn remembered(disk: &dyn Disk, file: &Path) -> Memory {
    let read = read_file(disk, file).and_then(|read| {
        let memory = read.map(|bytes| serde_json::from_slice(&bytes));
        Ok(memory.transpose()?.unwrap_or_default())
    });
    read.unwrap_or_else(|error| {
        let aside = file.with_extension("unreadable");
        let path = file.display();
        match disk.rename(file, &aside) {
            Ok(()) => tracing::error!(
                %error, %path, aside = %aside.display(),
                "what witnesses said cannot be read and was put aside; they are asked anew"
            ),
            Err(kept) => tracing::error!(
                %error, %kept, %path,
                "what witnesses said cannot be read; they are asked anew"
            ),
        }
        Memory::default()
    })
}

/// Our own log before its witnesses.
#[derive(Debug)]
pub struct Client {
    log: Arc<Log>,
    policy: Policy,
    disk: Arc<dyn Disk>,
    file: PathBuf,
    memory: Mutex<Memory>,
    /// One round at a time.
    rounds: Mutex<()>,
}

/// The checkpoint of a note that our log signed.
fn own(log: &Log, note: &str) -> Option<Checkpoint> {
    Checkpoint::verify(note, &log.key()).ok()
}

impl Client {
    /// `file` is where is remembered what witnesses said; its folder is there. A file that cannot be
    /// read is put aside: the witnesses are asked anew.
    pub fn open(log: Arc<Log>, policy: Policy, disk: Arc<dyn Disk>, file: PathBuf) -> Self {
        let mut memory = remembered(&*disk, &file);
        memory.fit(&log, &policy);
        Self {
            log,
            policy,
            disk,
            file,
            memory: Mutex::new(memory),
            rounds: Mutex::default(),
        }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The policy as others read it.
    pub fn policy_text(&self) -> String {
        self.policy.to_text(&self.log.verifier_key())
    }

    /// Every witness with what is remembered of it.
    pub fn standings(&self) -> Vec<(&Witness, Standing)> {
        let memory = locked(&self.memory);
        let of = |witness: &Witness| memory.witnesses.get(&witness.name).cloned();
        let all = self.policy.witnesses.iter();
        all.map(|witness| (witness, of(witness).unwrap_or_default()))
            .collect()
    }

    /// The newest checkpoint of at least `size` batches that enough witnesses vouch for; if there
    /// is none, they are asked. Then the one that at least some vouch for; `None` when nobody does.
    pub fn vouched(&self, size: u64) -> Option<String> {
        self.quorate(size).or_else(|| {
            self.ask();
            self.quorate(size)
                .or_else(|| self.covering(size, |memory| &memory.latest))
        })
    }

    fn quorate(&self, size: u64) -> Option<String> {
        self.covering(size, |memory| &memory.quorate)
    }

    fn covering(&self, size: u64, which: impl Fn(&Memory) -> &Option<String>) -> Option<String> {
        let note = which(&locked(&self.memory)).clone()?;
        let covers = own(&self.log, &note).is_some_and(|own| own.head.size >= size);
        covers.then_some(note)
    }

    /// Asks every witness to cosign the newest checkpoint, also one it has cosigned: only so a log
    /// that was put back is noticed before it grows. Blocks on the network; appends go on.
    pub fn ask(&self) -> Asked {
        let _round = locked(&self.rounds);
        if let Err(error) = self.log.seal() {
            tracing::warn!(%error, "witnesses are asked about an older checkpoint");
        }
        let note = self.log.checkpoint();
        let Some(checkpoint) = own(&self.log, &note).filter(|own| own.head.size > 0) else {
            return Asked::default();
        };
        let head = checkpoint.head;
        let answers = self.answers(&note, head);
        let earlier = self.covering(head.size, |memory| &memory.latest);
        let earlier = earlier.filter(|earlier| earlier.starts_with(&note));
        let mut cosigned = note;
        let mut asked = Asked {
            size: head.size,
            ..Asked::default()
        };
        for (witness, answer) in self.policy.witnesses.iter().zip(answers) {
            let lines = answer.unwrap_or_else(|fault| {
                asked.faults.push((witness.name.clone(), fault));
                said_before(witness, earlier.as_deref())
            });
            asked.vouching += usize::from(!lines.is_empty());
            cosigned.push_str(&lines);
        }
        self.remember(cosigned, &asked);
        asked
    }

    /// Of each witness the lines it adds to `note`.
    fn answers(&self, note: &str, head: Head) -> Vec<Result<String, WitnessFault>> {
        std::thread::scope(|scope| {
            let witnesses = self.policy.witnesses.iter();
            let asking =
                witnesses.map(|witness| scope.spawn(move || self.answer(witness, note, head)));
            let asking: Vec<_> = asking.collect();
            let panicked =
                || WitnessFault::NoAnswer("asking it ended without an answer".to_owned());
            let answers = asking.into_iter().map(std::thread::ScopedJoinHandle::join);
            answers
                .map(|answer| answer.unwrap_or_else(|_| Err(panicked())))
                .collect()
        })
    }

    fn answer(&self, witness: &Witness, note: &str, head: Head) -> Result<String, WitnessFault> {
        let standing = locked(&self.memory).witnesses.get(&witness.name).cloned();
        let mut old = standing.map_or(0, |standing| standing.size).min(head.size);
        let address = format!("{}/add-checkpoint", witness.url);
        let mut stale = None;
        // The second time with the size that it named.
        for _ in 0..2 {
            let proof = self.log.consistency(old, head.size);
            let request = AddCheckpoint {
                old,
                proof: proof.map_err(|error: ReadError| WitnessFault::Log(error.to_string()))?,
                checkpoint: note.to_owned(),
            };
            let reply = witness.courier.post(&address, request.to_text());
            let reply = reply.map_err(WitnessFault::NoAnswer)?;
            match reply.status {
                200 => return cosignature(witness, note, &reply.body),
                409 => match stale_size(&reply, head.size)? {
                    seen if seen == old => return Err(same_size(seen)),
                    seen => old = seen,
                },
                _ => return Err(refused(&reply)),
            }
            stale = Some(reply);
        }
        Err(stale.map_or(WitnessFault::UnknownLog, |reply| refused(&reply)))
    }

    fn remember(&self, note: String, asked: &Asked) {
        let mut memory = locked(&self.memory);
        for witness in &self.policy.witnesses {
            let standing = memory.witnesses.entry(witness.name.clone()).or_default();
            standing.key = witness.key.to_string();
            let mut faults = asked.faults.iter();
            let fault = faults.find(|(name, _)| *name == witness.name);
            standing.fault = fault.map(|(_, fault)| fault.to_string());
            let cosigned = Note::parse(&note).and_then(|note| witness.key.cosigned(&note));
            if let Ok(Some(time_s)) = cosigned {
                (standing.size, standing.cosigned_s) = (asked.size, time_s);
            }
        }
        if asked.vouching >= self.policy.quorum {
            memory.quorate = Some(note.clone());
        }
        if asked.vouching > 0 {
            memory.latest = Some(note);
        }
        let bytes = serde_json::to_vec_pretty(&*memory).unwrap_or_default();
        drop(memory);
        if let Err(error) = replace_file(&*self.disk, &self.file, Access::Create, &bytes) {
            tracing::warn!(%error, path = %self.file.display(), "what witnesses said is not kept");
        }
    }
}

impl Witnesses for Client {
    fn quorate(&self) -> Option<String> {
        self.quorate(0)
    }
}

/// The lines by which a witness cosigned the same checkpoint earlier; none where it did not.
fn said_before(witness: &Witness, earlier: Option<&str>) -> String {
    let Some(Ok(earlier)) = earlier.map(Note::parse) else {
        return String::new();
    };
    match witness.key.cosigned(&earlier) {
        Ok(Some(_)) => witness.key.lines(&earlier),
        Ok(None) | Err(_) => String::new(),
    }
}

/// The lines of an answer that cosign `note` with the witness's key.
fn cosignature(witness: &Witness, note: &str, body: &str) -> Result<String, WitnessFault> {
    if body.len() > NOTE_BYTES_MAX {
        return Err(NoteError::Malformed("the answer is longer than 64 KiB").into());
    }
    let joined = format!("{note}{body}");
    let joined = Note::parse(&joined)?;
    match witness.key.cosigned(&joined)? {
        Some(_) => Ok(witness.key.lines(&joined)),
        None => Err(NoteError::Unsigned(witness.key.name().to_owned()).into()),
    }
}

/// The size a witness names as the one it saw.
fn stale_size(reply: &Reply, size: u64) -> Result<u64, WitnessFault> {
    let seen = reply.body.strip_suffix('\n').and_then(parse_decimal);
    match seen {
        Some(seen) if seen > size => Err(WitnessFault::Ahead { seen, size }),
        Some(seen) => Ok(seen),
        None => Err(refused(reply)),
    }
}

/// It names the size it was asked about, and so saw another tree of that size.
fn same_size(seen: u64) -> WitnessFault {
    WitnessFault::Forked(format!("another tree of size {seen}"))
}

fn refused(reply: &Reply) -> WitnessFault {
    let words: String = reply.body.trim().chars().take(WORDS_MAX).collect();
    match reply.status {
        404 => WitnessFault::UnknownLog,
        422 => WitnessFault::Forked(words),
        status => WitnessFault::Refused { status, words },
    }
}
