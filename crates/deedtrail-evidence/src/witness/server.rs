//! A witness of other logs: one file a log, replaced before anything is answered.

use std::io;
use std::path::{Path, PathBuf};

use deedtrail_core::port::witness::{Refusal, Witness};
use deedtrail_core::port::{Clock, Entropy};
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};

use super::cosignature::Cosigner;
use super::request::AddCheckpoint;
use crate::disk::{Access, Disk, read_file, replace_file};
use crate::identity::signing_seed;
use crate::locked;
use crate::merkle::{self, Head};
use crate::note::{Checkpoint, Note, NoteError, VerifierKey};
use crate::sync::{Arc, Mutex};

/// Why there is no witness.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("cannot read or make the witness's key {path}: {source}")]
    Key { path: String, source: io::Error },
    #[error("the witness's name: {0}")]
    Name(#[from] NoteError),
    #[error("cannot make the folder {path}: {source}")]
    Folder { path: String, source: io::Error },
}

/// A witness of the logs whose keys it knows.
#[derive(Debug)]
pub struct Server {
    cosigner: Cosigner,
    logs: Vec<VerifierKey>,
    /// One file a log: its newest checkpoint, with its signature and ours.
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    /// Held from the comparison with the file until it is replaced.
    saving: Mutex<()>,
}

impl Server {
    /// A witness with the secret in `key_file`, which is made (mode 0600) when it is not there;
    /// without a `name` it gets one from its key.
    pub fn open(
        (folder, key_file): (&Path, &Path),
        name: Option<&str>,
        logs: Vec<VerifierKey>,
        around: (Arc<dyn Disk>, Arc<dyn Clock>, &dyn Entropy),
    ) -> Result<Self, ServerError> {
        let (disk, clock, entropy) = around;
        let seed = signing_seed(&*disk, key_file, entropy);
        let seed = seed.map_err(|source| ServerError::Key {
            path: key_file.display().to_string(),
            source,
        })?;
        let name = name.map_or_else(|| made_name(&seed), str::to_owned);
        let cosigner = Cosigner::new(&name, &seed)?;
        let made = disk.create_folder(folder);
        made.map_err(|source| ServerError::Folder {
            path: folder.display().to_string(),
            source,
        })?;
        Ok(Self {
            cosigner,
            logs,
            folder: folder.to_owned(),
            disk,
            clock,
            saving: Mutex::default(),
        })
    }

    fn path(&self, origin_hash: &str) -> PathBuf {
        self.folder.join(format!("{origin_hash}.checkpoint"))
    }

    /// The newest checkpoint cosigned here. What is there and cannot be read is no empty memory.
    fn newest(&self, origin: &str) -> Result<Option<Head>, Refusal> {
        let path = self.path(&origin_hash(origin));
        let unusable = |reason: String| Refusal::Failed(format!("{}: {reason}", path.display()));
        let read = read_file(&*self.disk, &path).map_err(|error| unusable(error.to_string()))?;
        let Some(bytes) = read else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes).map_err(|error| unusable(error.to_string()))?;
        let parsed = Note::parse(&text).and_then(|note| {
            // Also from before the witness got another name.
            let cosigned = self.cosigner.key().cosigned_once(&note)?;
            let ours = cosigned.ok_or(NoteError::Malformed(
                "this witness's key did not cosign it: put the key back that did, or move the file \
                 away to begin anew",
            ))?;
            tracing::trace!(ours, origin, "the newest checkpoint of a witnessed log");
            Checkpoint::parse_extended(note.text)
        });
        let checkpoint = parsed.map_err(|error| unusable(error.to_string()))?;
        if checkpoint.origin == origin {
            Ok(Some(checkpoint.head))
        } else {
            Err(unusable("it is of another log".to_owned()))
        }
    }

    /// The note with the signature lines of the keys that are trusted for its origin.
    fn signed(&self, note: &Note<'_>, origin: &str) -> Result<String, Refusal> {
        let mut keys = self
            .logs
            .iter()
            .filter(|key| key.name() == origin)
            .peekable();
        if keys.peek().is_none() {
            return Err(Refusal::UnknownLog(origin.to_owned()));
        }
        let (mut lines, mut wrong) = (String::new(), None);
        for key in keys {
            match key.verify_note(note) {
                // One line is enough: who repeats one must not make what is kept unreadable.
                Ok(()) => lines.extend(key.lines(note).split_inclusive('\n').take(1)),
                // Another of the log's keys may have signed.
                Err(NoteError::Unsigned(_)) => {}
                Err(error) => wrong = Some(error),
            }
        }
        if lines.is_empty() {
            let reason = wrong.map_or_else(
                || format!("no signature by `{origin}`"),
                |error| error.to_string(),
            );
            return Err(Refusal::Unsigned(reason));
        }
        Ok(format!("{}\n{lines}", note.text))
    }
}

impl Witness for Server {
    fn add_checkpoint(&self, body: &str) -> Result<String, Refusal> {
        let malformed = |error: NoteError| Refusal::Malformed(error.to_string());
        let request = AddCheckpoint::parse(body).map_err(malformed)?;
        let note = Note::parse(&request.checkpoint).map_err(malformed)?;
        let checkpoint = Checkpoint::parse_extended(note.text).map_err(malformed)?;
        let signed = self.signed(&note, &checkpoint.origin)?;
        if request.old > checkpoint.head.size {
            let reason = "the old size is larger than the checkpoint's";
            return Err(Refusal::Malformed(reason.to_owned()));
        }
        let _saving = locked(&self.saving);
        let seen = self.newest(&checkpoint.origin)?.unwrap_or(Head {
            size: 0,
            root: merkle::empty_root(),
        });
        if request.old != seen.size {
            return Err(Refusal::Stale(seen.size));
        }
        continues(seen, &checkpoint, &request)?;
        let time_s = self.clock.now().as_micros() / 1_000_000;
        let time_s = u64::try_from(time_s).ok().filter(|time_s| *time_s > 0);
        let time_s =
            time_s.ok_or_else(|| Refusal::Failed("the clock is before 1970".to_owned()))?;
        let line = self.cosigner.cosign(note.text, time_s);
        let path = self.path(&origin_hash(&checkpoint.origin));
        let kept = format!("{signed}{line}");
        // What could not be read again would keep this log from being witnessed for good.
        Note::parse(&kept).map_err(malformed)?;
        replace_file(&*self.disk, &path, Access::Create, kept.as_bytes())
            .map_err(|error| Refusal::Failed(format!("{}: {error}", path.display())))?;
        Ok(line)
    }

    fn checkpoint(&self, origin_hash: &str) -> Result<Option<String>, Refusal> {
        let is_hash = origin_hash.len() == 64
            && origin_hash
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !is_hash {
            return Ok(None);
        }
        let path = self.path(origin_hash);
        let read = read_file(&*self.disk, &path).and_then(|read| {
            let text = read.map(String::from_utf8).transpose();
            text.map_err(io::Error::other)
        });
        read.map_err(|error| Refusal::Failed(format!("{}: {error}", path.display())))
    }

    fn key(&self) -> String {
        self.cosigner.key().to_string()
    }
}

/// Refuses what does not continue the checkpoint that was seen.
fn continues(seen: Head, new: &Checkpoint, request: &AddCheckpoint) -> Result<(), Refusal> {
    let reason = if new.head.size == 0 && new.head.root != merkle::empty_root() {
        "an empty tree has another root"
    } else if merkle::is_consistent(seen, new.head, &request.proof) {
        return Ok(());
    } else if seen.size == 0 {
        "there is nothing to prove for the first one"
    } else if seen.size == new.head.size {
        // c2sp.org/tlog-witness asks for the answer of a conflict here.
        return Err(Refusal::Stale(seen.size));
    } else {
        "the proof does not lead from the one to the other"
    };
    Err(Refusal::Inconsistent(reason))
}

fn origin_hash(origin: &str) -> String {
    hex::encode(Sha256::digest(origin))
}

fn made_name(seed: &[u8; 32]) -> String {
    let key = SigningKey::from_bytes(seed).verifying_key();
    let hash = Sha256::digest(key.as_bytes());
    format!("deedtrail.invalid/witness/{}", hex::encode(&hash[..8]))
}
