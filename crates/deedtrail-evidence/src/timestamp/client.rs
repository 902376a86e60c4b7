//! Our own log before time stamp authorities: who is asked, what they answered.

use std::collections::BTreeMap;
use std::path::PathBuf;

use deedtrail_core::port::Entropy;
use deedtrail_core::port::log::EvidenceLog as _;
use deedtrail_core::time::Timestamp;
use der::asn1::ObjectIdentifier;
use sha2::{Digest as _, Sha256};

use super::message;
use super::store::{Stamp, Store};
use super::token::{Authorities, Token, TokenError};
use crate::disk::Disk;
use crate::note::Checkpoint;
use crate::sync::{Arc, Mutex};
use crate::{Log, locked};

/// Most authorities that are asked.
pub const AUTHORITIES_MAX: usize = 8;
/// Bytes of a nonce.
const NONCE_BYTES: usize = 16;
/// Longest name of an authority: it is part of a file's name in bundles.
const NAME_BYTES_MAX: usize = 60;

/// Whether an authority may be called that: letters, digits, `-` and `_`, at most 60.
pub fn is_authority_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

/// Carries a request to an address and brings the answer, at most [`super::ANSWER_BYTES_MAX`]; the
/// reason in words where there is none.
pub trait Carrier: Send + Sync + std::fmt::Debug {
    fn post(&self, address: &str, request: Vec<u8>) -> Result<Vec<u8>, String>;
}

/// An authority that is asked.
#[derive(Debug)]
pub struct Authority {
    /// What the operator calls it; see [`is_authority_name`].
    pub name: String,
    pub url: String,
    /// The policy to stamp under; its own choice without one.
    pub policy: Option<ObjectIdentifier>,
    /// Who has to vouch for its certificate; without them its answer proves only that somebody
    /// signed it.
    pub trusted: Option<Authorities>,
    pub carrier: Box<dyn Carrier>,
}

impl Authority {
    /// The policy of that text, which is numbers with dots.
    pub fn parse_policy(text: &str) -> Result<ObjectIdentifier, TokenError> {
        let policy = ObjectIdentifier::new(text.trim());
        policy.map_err(|_| TokenError::Malformed(format!("`{text}` is no object identifier")))
    }

    /// Checks what an answer says of itself, and of the signer what can be known.
    fn check(&self, answer: &[u8], stamped: &str, nonce: &[u8]) -> Result<Token, TokenError> {
        let token = Token::read(answer)?;
        token.check_imprint(stamped.as_bytes())?;
        token.check_request(nonce, self.policy)?;
        match &self.trusted {
            Some(trusted) => token.check_signer(trusted)?,
            None => token.check_signature()?,
        };
        Ok(token)
    }
}

/// Why there is no stamp.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampFault {
    #[error("no answer: {0}")]
    NoAnswer(String),
    #[error("its answer does not hold: {0}")]
    Answer(#[from] TokenError),
    #[error("the stamp cannot be kept: {0}")]
    Kept(String),
    #[error("the log has no checkpoint: {0}")]
    Log(String),
}

/// What asking one authority brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Batches under the checkpoint.
    pub size: u64,
    /// When it was stamped, by the authority's clock.
    pub time: Timestamp,
    /// False when that very checkpoint had been stamped before, so that nobody was asked.
    pub is_new: bool,
}

/// What is known of one authority.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The newest stamp of the log under its current origin: batches, and when.
    pub newest: Option<(u64, Timestamp)>,
    /// How many are kept.
    pub kept: usize,
    /// Why it did not stamp when it was asked last, since the start.
    pub fault: Option<String>,
}

/// Our own log before time stamp authorities.
#[derive(Debug)]
pub struct Client {
    log: Arc<Log>,
    authorities: Vec<Authority>,
    store: Store,
    entropy: Arc<dyn Entropy>,
    faults: Mutex<BTreeMap<String, String>>,
    /// One after the other.
    rounds: Mutex<()>,
}

impl Client {
    /// Stamps are kept below `folder`, whose parent is there.
    pub fn new(
        log: Arc<Log>,
        authorities: Vec<Authority>,
        (disk, folder): (Arc<dyn Disk>, PathBuf),
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            log,
            authorities,
            store: Store::new(disk, folder),
            entropy,
            faults: Mutex::default(),
            rounds: Mutex::default(),
        }
    }

    pub fn authorities(&self) -> &[Authority] {
        &self.authorities
    }

    /// What is known of an authority.
    pub fn standing(&self, authority: &Authority) -> Standing {
        let sizes = self.sizes(authority);
        let newest = sizes.iter().rev().find_map(|size| {
            let stamp = self.kept(authority, *size)?;
            let token = Token::read(&stamp.answer).ok()?;
            Some((*size, token.time()))
        });
        Standing {
            newest,
            kept: sizes.len(),
            fault: locked(&self.faults).get(&authority.name).cloned(),
        }
    }

    /// Asks an authority to stamp the newest checkpoint, unless it has. Blocks on the network;
    /// appends go on.
    pub fn ask(&self, authority: &Authority) -> Result<Asked, TimestampFault> {
        let _round = locked(&self.rounds);
        let asked = self.stamped(authority);
        let mut faults = locked(&self.faults);
        match &asked {
            Ok(_) => faults.remove(&authority.name),
            Err(fault) => faults.insert(authority.name.clone(), fault.to_string()),
        };
        asked
    }

    fn stamped(&self, authority: &Authority) -> Result<Asked, TimestampFault> {
        if let Err(error) = self.log.seal() {
            tracing::warn!(%error, "an older checkpoint is stamped");
        }
        let checkpoint = self.log.checkpoint();
        let signed = Checkpoint::verify(&checkpoint, &self.log.key());
        let size = signed
            .map_err(|error| TimestampFault::Log(error.to_string()))?
            .head
            .size;
        let known = self
            .kept(authority, size)
            .filter(|kept| kept.checkpoint == checkpoint);
        if let Some(token) = known.and_then(|kept| Token::read(&kept.answer).ok()) {
            return Ok(Asked {
                size,
                time: token.time(),
                is_new: false,
            });
        }
        let mut nonce = [0; NONCE_BYTES];
        self.entropy.fill(&mut nonce);
        let hash: [u8; 32] = Sha256::digest(&checkpoint).into();
        let request = message::request(&hash, authority.policy, &nonce);
        let request = request.map_err(|error| TimestampFault::NoAnswer(error.to_string()))?;
        let answer = authority.carrier.post(&authority.url, request);
        let answer = answer.map_err(TimestampFault::NoAnswer)?;
        let token = authority.check(&answer, &checkpoint, &nonce)?;
        let stamp = Stamp {
            authority: authority.name.clone(),
            checkpoint,
            answer,
        };
        let kept = self.store.keep(size, &stamp);
        kept.map_err(|error| TimestampFault::Kept(error.to_string()))?;
        Ok(Asked {
            size,
            time: token.time(),
            is_new: true,
        })
    }

    /// Of each authority the earliest stamp that covers `size` batches. An authority without one is
    /// asked; one that does not answer is left out.
    pub fn covering(&self, size: u64) -> Vec<Stamp> {
        let authorities = self.authorities.iter();
        let stamps = authorities.filter_map(|authority| {
            self.earliest(authority, size).or_else(|| {
                self.ask(authority).ok()?;
                self.earliest(authority, size)
            })
        });
        stamps.collect()
    }

    fn earliest(&self, authority: &Authority, size: u64) -> Option<Stamp> {
        let sizes = self.sizes(authority).into_iter();
        let mut covering = sizes.filter(|of| *of >= size);
        covering.find_map(|of| self.kept(authority, of))
    }

    fn sizes(&self, authority: &Authority) -> Vec<u64> {
        let sizes = self.store.sizes(&authority.name);
        sizes.unwrap_or_else(|error| {
            tracing::warn!(%error, authority = authority.name, "kept time stamps cannot be listed");
            Vec::new()
        })
    }

    /// A stamp that was kept, if it is of this log as it goes on now.
    fn kept(&self, authority: &Authority, size: u64) -> Option<Stamp> {
        let stamp = self.store.read(&authority.name, size);
        let stamp = stamp.unwrap_or_else(|error| {
            tracing::warn!(%error, authority = authority.name, size, "a kept time stamp cannot be read");
            None
        })?;
        let token = Token::read(&stamp.answer).ok()?;
        token.check_imprint(stamp.checkpoint.as_bytes()).ok()?;
        let signed = Checkpoint::verify(&stamp.checkpoint, &self.log.key()).ok()?;
        self.log.continues(signed.head).then_some(stamp)
    }
}
