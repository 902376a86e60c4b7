//! C2SP cosignatures (c2sp.org/tlog-cosignature), Ed25519, version 1: a witness says that it saw a
//! checkpoint, when, and that it continues every other one it saw of that log.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::note::{Note, NoteError, key_id, key_text, named_key, parse_key, signature_line};

/// Signature type of cosignatures with Ed25519.
const COSIGNATURE: u8 = 0x04;
/// Bytes of a cosignature: the time and an Ed25519 signature.
const COSIGNATURE_BYTES: usize = 8 + 64;

/// What is signed: the time, s since 1970, and the text of the checkpoint.
fn message(time_s: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time_s}\n{text}")
}

/// The public key of a witness, text form `name+hash+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessKey {
    name: String,
    key: VerifyingKey,
}

impl std::fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&key_text(COSIGNATURE, &self.name, &self.key))
    }
}

impl std::str::FromStr for WitnessKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, key) = parse_key(COSIGNATURE, text)?;
        Ok(Self { name, key })
    }
}

impl WitnessKey {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether both are the same key, whatever their names.
    pub fn is_same_key(&self, other: &Self) -> bool {
        self.key == other.key
    }

    /// When this witness cosigned the note, s since 1970; the newest time where it did so several
    /// times, `None` where it did not. A line in its name that does not hold is an error.
    pub fn cosigned(&self, note: &Note<'_>) -> Result<Option<u64>, NoteError> {
        let id = key_id(COSIGNATURE, &self.name, &self.key);
        let ours = note
            .signatures
            .iter()
            .filter(|line| line.name == self.name && line.id == id);
        let mut newest = None;
        for line in ours {
            newest = newest.max(Some(self.check(note.text, &line.signature)?));
        }
        Ok(newest)
    }

    /// The same for this key under whatever name it had then.
    pub(crate) fn cosigned_once(&self, note: &Note<'_>) -> Result<Option<u64>, NoteError> {
        let mut newest = None;
        for line in &note.signatures {
            let named = Self {
                name: line.name.to_owned(),
                key: self.key,
            };
            newest = newest.max(named.cosigned(note)?);
        }
        Ok(newest)
    }

    /// The public key, 32 bytes.
    pub fn key_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The lines in the name of this witness, unchecked.
    pub(crate) fn lines(&self, note: &Note<'_>) -> String {
        note.lines_of(&self.name, key_id(COSIGNATURE, &self.name, &self.key))
    }

    fn check(&self, text: &str, cosignature: &[u8]) -> Result<u64, NoteError> {
        let wrong = || NoteError::WrongSignature(self.name.clone());
        let (time, signature) = cosignature.split_first_chunk::<8>().ok_or_else(wrong)?;
        let time_s = u64::from_be_bytes(*time);
        if cosignature.len() != COSIGNATURE_BYTES || time_s == 0 || i64::try_from(time_s).is_err() {
            return Err(wrong());
        }
        let signature = Signature::from_slice(signature).map_err(|_| wrong())?;
        let message = message(time_s, text);
        self.key
            .verify_strict(message.as_bytes(), &signature)
            .map_err(|_| wrong())?;
        Ok(time_s)
    }
}

/// The secret key of a witness.
pub struct Cosigner {
    name: String,
    key: SigningKey,
}

impl std::fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cosigner")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Cosigner {
    /// A witness called `name` with the Ed25519 secret `seed`.
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let (name, key) = named_key(name, seed)?;
        Ok(Self { name, key })
    }

    pub fn key(&self) -> WitnessKey {
        WitnessKey {
            name: self.name.clone(),
            key: self.key.verifying_key(),
        }
    }

    /// The line that cosigns a checkpoint's text at `time_s`, s since 1970.
    pub(crate) fn cosign(&self, text: &str, time_s: u64) -> String {
        let signature = self.key.sign(message(time_s, text).as_bytes()).to_bytes();
        let cosignature = [&time_s.to_be_bytes()[..], &signature].concat();
        let id = key_id(COSIGNATURE, &self.name, &self.key.verifying_key());
        signature_line(&self.name, id, &cosignature)
    }
}
