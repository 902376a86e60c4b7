//! C2SP signed notes (c2sp.org/signed-note) with Ed25519, and the checkpoints
//! (c2sp.org/tlog-checkpoint) written on them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::merkle::{Hash, Head};

/// Longest note we parse, bytes; longer text is refused.
pub const NOTE_BYTES_MAX: usize = 64 << 10;
/// Most signatures of a note; more are refused.
pub const SIGNATURES_MAX: usize = 64;
/// Signature type of plain Ed25519 notes.
pub(crate) const ED25519: u8 = 0x01;

/// Why a note, checkpoint or key is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    #[error("not a verifier key (`name+hash+key`): {0}")]
    BadKey(&'static str),
    #[error("no signature by `{0}`")]
    Unsigned(String),
    #[error("the signature by `{0}` is wrong")]
    WrongSignature(String),
}

/// Whether `name` may name a key: not empty, no white space, no `+`, no control characters.
pub fn is_key_name(name: &str) -> bool {
    let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    !name.is_empty() && name.len() <= 255 && name.chars().all(allowed)
}

/// The number that names a key of signature type `kind` beside its name.
pub(crate) fn key_id(kind: u8, name: &str, key: &VerifyingKey) -> u32 {
    let hash = Sha256::new_with_prefix(name.as_bytes())
        .chain_update([b'\n', kind])
        .chain_update(key.as_bytes())
        .finalize();
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

/// `name+hash+key` of a key of signature type `kind`.
pub(crate) fn key_text(kind: u8, name: &str, key: &VerifyingKey) -> String {
    let mut typed = vec![kind];
    typed.extend_from_slice(key.as_bytes());
    let (id, key) = (key_id(kind, name, key), STANDARD.encode(typed));
    format!("{name}+{id:08x}+{key}")
}

/// Name and key of `name+hash+key`, which must be of signature type `kind`.
pub(crate) fn parse_key(kind: u8, text: &str) -> Result<(String, VerifyingKey), NoteError> {
    let (name, rest) = text.split_once('+').ok_or(NoteError::BadKey("no `+`"))?;
    let (id, key) = rest
        .split_once('+')
        .ok_or(NoteError::BadKey("only one `+`"))?;
    if !is_key_name(name) {
        return Err(NoteError::BadKey("bad name"));
    }
    let typed = STANDARD
        .decode(key)
        .map_err(|_| NoteError::BadKey("not base64"))?;
    let key = match typed.split_first() {
        Some((found, key)) if *found == kind => key,
        _ if kind == ED25519 => return Err(NoteError::BadKey("not the Ed25519 key of a log")),
        _ => return Err(NoteError::BadKey("not the Ed25519 key of a witness")),
    };
    let key = <&[u8; 32]>::try_from(key).map_err(|_| NoteError::BadKey("not 32 bytes"))?;
    let key = VerifyingKey::from_bytes(key).map_err(|_| NoteError::BadKey("not a point"))?;
    if id != format!("{:08x}", key_id(kind, name, &key)) {
        return Err(NoteError::BadKey("the hash does not belong to the key"));
    }
    Ok((name.to_owned(), key))
}

/// A signature line: `signature` by the key of that name and number.
pub(crate) fn signature_line(name: &str, id: u32, signature: &[u8]) -> String {
    let encoded = STANDARD.encode([&id.to_be_bytes(), signature].concat());
    format!("\u{2014} {name} {encoded}\n")
}

/// The Ed25519 secret `seed` under a name that a note can hold.
pub(crate) fn named_key(name: &str, seed: &[u8; 32]) -> Result<(String, SigningKey), NoteError> {
    if !is_key_name(name) {
        return Err(NoteError::BadKey(
            "the name is empty, too long, or has a space or `+`",
        ));
    }
    Ok((name.to_owned(), SigningKey::from_bytes(seed)))
}

/// A named signing key.
pub struct NoteSigner {
    name: String,
    key: SigningKey,
}

impl std::fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NoteSigner")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl NoteSigner {
    /// A signer called `name` with the Ed25519 secret `seed`.
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let (name, key) = named_key(name, seed)?;
        Ok(Self { name, key })
    }

    pub fn verifier_key(&self) -> VerifierKey {
        VerifierKey {
            name: self.name.clone(),
            key: self.key.verifying_key(),
        }
    }

    /// Ed25519 over `message` itself.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// `text` (ending in a newline) with our signature line.
    pub fn sign_note(&self, text: &str) -> String {
        let id = key_id(ED25519, &self.name, &self.key.verifying_key());
        let line = signature_line(&self.name, id, &self.sign(text.as_bytes()));
        format!("{text}\n{line}")
    }
}

/// A public key with its name, text form `name+hash+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

impl std::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&key_text(ED25519, &self.name, &self.key))
    }
}

impl std::str::FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, key) = parse_key(ED25519, text)?;
        Ok(Self { name, key })
    }
}

impl VerifierKey {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key, 32 bytes.
    pub fn key_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// Checks an Ed25519 signature over `message` itself.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), NoteError> {
        let wrong = || NoteError::WrongSignature(self.name.clone());
        let signature = Signature::from_slice(signature).map_err(|_| wrong())?;
        self.key
            .verify_strict(message, &signature)
            .map_err(|_| wrong())
    }

    /// The signature lines of this key, unchecked.
    pub(crate) fn lines(&self, note: &Note<'_>) -> String {
        let id = key_id(ED25519, &self.name, &self.key);
        note.lines_of(&self.name, id)
    }

    /// Checks that `note` is signed by this key; signatures of other keys are ignored.
    pub fn verify_note(&self, note: &Note<'_>) -> Result<(), NoteError> {
        let id = key_id(ED25519, &self.name, &self.key);
        let mut ours = note
            .signatures
            .iter()
            .filter(|s| s.name == self.name && s.id == id);
        let first = ours
            .next()
            .ok_or_else(|| NoteError::Unsigned(self.name.clone()))?;
        self.verify(note.text.as_bytes(), &first.signature)?;
        ours.try_for_each(|s| self.verify(note.text.as_bytes(), &s.signature))
    }
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature<'a> {
    pub name: &'a str,
    pub id: u32,
    pub signature: Vec<u8>,
}

/// A parsed note whose signatures have **not** been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// What is signed, with its final newline.
    pub text: &'a str,
    pub signatures: Vec<NoteSignature<'a>>,
}

impl<'a> Note<'a> {
    /// The signature lines in this name with this number, unchecked.
    pub(crate) fn lines_of(&self, name: &str, id: u32) -> String {
        let lines = self.signatures.iter();
        let lines = lines.filter(|line| line.name == name && line.id == id);
        lines
            .map(|line| signature_line(line.name, line.id, &line.signature))
            .collect()
    }

    /// Splits a note into text and signature lines.
    pub fn parse(note: &'a str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Malformed("longer than 64 KiB"));
        }
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Malformed("control character"));
        }
        let blank = note
            .rfind("\n\n")
            .ok_or(NoteError::Malformed("no blank line"))?;
        let (text, rest) = note.split_at(blank + 1);
        let lines = rest.strip_prefix('\n').and_then(|r| r.strip_suffix('\n'));
        let lines = lines.ok_or(NoteError::Malformed("no newline at the end"))?;
        if lines.split('\n').count() > SIGNATURES_MAX {
            return Err(NoteError::Malformed("more than 64 signatures"));
        }
        let signatures = lines
            .split('\n')
            .map(parse_signature)
            .collect::<Result<_, _>>()?;
        Ok(Self { text, signatures })
    }
}

fn parse_signature(line: &str) -> Result<NoteSignature<'_>, NoteError> {
    let bad = NoteError::Malformed("bad signature line");
    let rest = line.strip_prefix("\u{2014} ").ok_or_else(|| bad.clone())?;
    let (name, encoded) = rest.split_once(' ').ok_or_else(|| bad.clone())?;
    let bytes = STANDARD.decode(encoded).map_err(|_| bad.clone())?;
    match bytes.split_first_chunk::<4>() {
        Some((id, signature)) if is_key_name(name) && !signature.is_empty() => {
            let signature = signature.to_vec();
            Ok(NoteSignature {
                name,
                id: u32::from_be_bytes(*id),
                signature,
            })
        }
        _ => Err(bad),
    }
}

/// A tree head under the name of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub head: Head,
}

impl Checkpoint {
    /// The note text: origin, size, root.
    pub fn to_text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.head.size,
            STANDARD.encode(self.head.root)
        )
    }

    /// Parses a note text; extension lines are refused, since we never write any.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        match text.matches('\n').count() {
            3 => Self::parse_extended(text),
            _ => Err(NoteError::Malformed("not a checkpoint of three lines")),
        }
    }

    /// Parses the note text of another log, which may have extension lines.
    pub(crate) fn parse_extended(text: &str) -> Result<Self, NoteError> {
        let bad = NoteError::Malformed("not a checkpoint");
        let body = text.strip_suffix('\n').ok_or_else(|| bad.clone())?;
        let lines: Vec<&str> = body.split('\n').collect();
        let [origin, size, root, extensions @ ..] = lines.as_slice() else {
            return Err(bad);
        };
        if extensions.iter().any(|line| line.is_empty()) {
            return Err(bad);
        }
        let size = parse_decimal(size).ok_or_else(|| bad.clone())?;
        let root = STANDARD.decode(root).map_err(|_| bad.clone())?;
        let root: Hash = root.try_into().map_err(|_| bad.clone())?;
        if origin.is_empty() {
            return Err(bad);
        }
        Ok(Self {
            origin: (*origin).to_owned(),
            head: Head { size, root },
        })
    }

    /// Parses a signed checkpoint and checks that `key`, named as its origin, signed it.
    pub fn verify(note: &str, key: &VerifierKey) -> Result<Self, NoteError> {
        let parsed = Note::parse(note)?;
        key.verify_note(&parsed)?;
        let checkpoint = Self::parse(parsed.text)?;
        if checkpoint.origin == key.name {
            Ok(checkpoint)
        } else {
            Err(NoteError::Unsigned(checkpoint.origin))
        }
    }
}

/// ASCII decimal without leading zeroes or sign.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if canonical && digits {
        text.parse().ok()
    } else {
        None
    }
}
