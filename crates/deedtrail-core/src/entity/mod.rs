//! What a text names: addresses, accounts, hosts, paths, numbers and words, as hashes.
//!
//! Where an argument's value came from can be told without keeping any text: the same entity has
//! the same hash in a request, in a tool's output and in an argument. The hashes of guessable
//! values can be guessed too, so they stay inside detection: they are neither stored with the event
//! nor printed (docs/adr/0020-provenance-by-hash.md).

mod extract;
#[cfg(test)]
mod tests;

use std::fmt;

pub use extract::Extractor;

/// What kind of thing a text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    /// An address with `@` and a host.
    Email,
    /// A host with a path or a query; the host is an entity of its own.
    Url,
    Arn,
    /// A path or the name of a file.
    Path,
    Host,
    /// An account number whose check digits are right (ISO 13616).
    Iban,
    /// Letters and digits in one piece: an order, an account with wrong check digits, a key.
    Identifier,
    /// Digits: an amount, a date, a time, a telephone number.
    Number,
    /// One word of free text.
    Word,
}

impl EntityKind {
    /// Every kind, in order.
    pub const ALL: [Self; 9] = [
        Self::Email,
        Self::Url,
        Self::Arn,
        Self::Path,
        Self::Host,
        Self::Iban,
        Self::Identifier,
        Self::Number,
        Self::Word,
    ];

    /// The name as stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Url => "url",
            Self::Arn => "arn",
            Self::Path => "path",
            Self::Host => "host",
            Self::Iban => "iban",
            Self::Identifier => "identifier",
            Self::Number => "number",
            Self::Word => "word",
        }
    }

    /// Whether it points at one thing in the world, as numbers and words do not.
    pub const fn is_reference(self) -> bool {
        !matches!(self, Self::Number | Self::Word)
    }
}

/// One thing that a text names: its kind and 60 bits of a BLAKE3 hash of its canonical form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity(u64);

/// Bits of an [`Entity`] that say its kind.
const KIND_BITS: u32 = 4;

impl Entity {
    /// The entity of that kind and canonical form.
    pub fn new(kind: EntityKind, canonical: &str) -> Self {
        let hash = blake3::hash(canonical.as_bytes());
        let mut first = [0_u8; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        Self(u64::from_le_bytes(first) << KIND_BITS | kind as u64)
    }

    pub fn kind(self) -> EntityKind {
        let place = usize::try_from(self.0 & ((1 << KIND_BITS) - 1)).unwrap_or_default();
        let kind = EntityKind::ALL.get(place);
        kind.copied().unwrap_or(EntityKind::Word)
    }

    /// Kind and hash in one number: equal for equal entities, to be kept inside detection.
    pub const fn key(self) -> u64 {
        self.0
    }
}

/// Shows the kind only: the hash of a guessable value is not for logs.
impl fmt::Debug for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().name())
    }
}

/// Where in a record a text stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// What the user asked the agent for.
    Request,
    /// What a tool answered.
    ToolOutput,
    /// An argument of the call that the event is about.
    Argument,
}

/// The entities of one text of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    pub place: Place,
    /// The argument's name; of an output the tool's name, empty if the record does not tell it.
    pub name: crate::Text,
    /// Distinct and sorted, so that equal texts have equal mentions.
    pub entities: Vec<Entity>,
}
