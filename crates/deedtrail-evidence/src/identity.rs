//! Who a log is: its origins, its random number, its signing key, and the newest checkpoint as
//! remembered outside of the data folder.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deedtrail_core::port::Entropy;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::disk::{Access, Disk, read_file, replace_file};

/// Version of the data layout below the log's folder.
pub(crate) const FORMAT: u32 = 1;
/// What is said of a file that holds something else.
const NO_KEY: &str = "not a Deedtrail signing key; restore it from a backup";
const KEY_FIRST_LINE: &str = "deedtrail-signing-key-v1";

/// A name the log signs under, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    pub origin: String,
    /// First batch that was signed under it.
    pub from_batch: u64,
    pub since: Timestamp,
    /// Why the log was taken over under a new origin; empty for the first.
    pub reason: String,
}

/// A new name for a log whose history cannot be continued under the old one.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// The new name.
    pub origin: String,
    /// Goes into the log.
    pub reason: String,
    pub grounds: Grounds,
}

/// What says that the history cannot be continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grounds {
    /// The log and its checkpoint store.
    Found,
    /// The operator: folder and store may have been put back together.
    Said,
}

/// Content of `identity.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    pub format: u32,
    /// Random number in every segment and frame header, hex.
    pub log_id: String,
    /// Oldest first; the last is current.
    pub origins: Vec<Origin>,
}

/// `identity.json` as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityFile {
    format: u32,
    log_id: String,
    origins: Vec<Origin>,
    /// First 16 bytes of SHA-256 over the other fields as compact JSON, hex. Nothing else would tell
    /// that a name changed. Missing in files that older versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<String>,
}

impl Identity {
    pub(crate) fn create(origin: Option<&str>, now: Timestamp, entropy: &dyn Entropy) -> Self {
        let mut random = [0; 16];
        entropy.fill(&mut random);
        let (log_id, name) = random.split_at(8);
        let origin = match origin {
            Some(origin) => origin.to_owned(),
            None => format!("deedtrail.invalid/{}", hex::encode(name)),
        };
        let first = Origin {
            origin,
            from_batch: 0,
            since: now,
            reason: String::new(),
        };
        Self {
            format: FORMAT,
            log_id: hex::encode(log_id),
            origins: vec![first],
        }
    }

    /// Its file below a log's folder.
    pub(crate) fn path(folder: &Path) -> PathBuf {
        folder.join("identity.json")
    }

    pub(crate) fn load(disk: &dyn Disk, path: &Path) -> io::Result<Option<Self>> {
        let Some(bytes) = read_file(disk, path)? else {
            return Ok(None);
        };
        sync_name(disk, path)?;
        let file: IdentityFile = serde_json::from_slice(&bytes).map_err(|error| {
            let reason = format!("{error}; restore it from a backup");
            io::Error::new(io::ErrorKind::InvalidData, reason)
        })?;
        let identity = Self {
            format: file.format,
            log_id: file.log_id,
            origins: file.origins,
        };
        if file
            .check
            .is_some_and(|check| Some(check) != identity.check().ok())
        {
            let reason = "its check does not fit what it says; restore it from a backup";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        Ok(Some(identity))
    }

    fn check(&self) -> io::Result<String> {
        let hash = Sha256::digest(serde_json::to_vec(self)?);
        Ok(hex::encode(&hash[..16]))
    }

    pub(crate) fn save(&self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        let file = IdentityFile {
            format: self.format,
            log_id: self.log_id.clone(),
            origins: self.origins.clone(),
            check: Some(self.check()?),
        };
        let mut bytes = serde_json::to_vec_pretty(&file)?;
        bytes.push(b'\n');
        replace_file(disk, path, Access::Create, &bytes)
    }

    pub(crate) fn adopt(&mut self, adoption: &Adoption, from_batch: u64, since: Timestamp) {
        self.origins.push(Origin {
            origin: adoption.origin.clone(),
            from_batch,
            since,
            reason: adoption.reason.clone(),
        });
    }

    pub(crate) fn log_id(&self) -> Option<u64> {
        u64::from_str_radix(&self.log_id, 16).ok()
    }

    pub(crate) fn current(&self) -> &str {
        self.origins
            .last()
            .map_or("", |origin| origin.origin.as_str())
    }
}

/// The Ed25519 secret in `path`, created (mode 0600) when there is none yet.
pub(crate) fn signing_seed(
    disk: &dyn Disk,
    path: &Path,
    entropy: &dyn Entropy,
) -> io::Result<[u8; 32]> {
    if let Some(bytes) = read_file(disk, path)? {
        sync_name(disk, path)?;
        return parse_key(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, NO_KEY));
    }
    let mut seed = [0; 32];
    entropy.fill(&mut seed);
    let text = format!("{KEY_FIRST_LINE}\n{}\n", STANDARD.encode(seed));
    replace_file(disk, path, Access::CreateSecret, text.as_bytes())?;
    Ok(seed)
}

/// The public key of the Ed25519 secret in `path`, 32 bytes; `None` when there is none yet.
pub fn public_key(disk: &dyn Disk, path: &Path) -> io::Result<Option<[u8; 32]>> {
    let Some(bytes) = read_file(disk, path)? else {
        return Ok(None);
    };
    let seed =
        parse_key(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, NO_KEY))?;
    let key = ed25519_dalek::SigningKey::from_bytes(&seed);
    Ok(Some(key.verifying_key().to_bytes()))
}

/// The process that wrote the file may have ended before its name was durable. A name that goes
/// with the next power cut would leave checkpoints behind that nobody can continue.
fn sync_name(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    disk.sync_folder(path.parent().unwrap_or(Path::new(".")))
}

fn parse_key(bytes: &[u8]) -> Option<[u8; 32]> {
    let text = std::str::from_utf8(bytes).ok()?;
    let key = text
        .strip_prefix(KEY_FIRST_LINE)?
        .strip_prefix('\n')?
        .strip_suffix('\n')?;
    STANDARD.decode(key).ok()?.try_into().ok()
}
