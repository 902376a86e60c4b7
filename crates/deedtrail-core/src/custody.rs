//! Custody: what people and tokens did with findings, identities, sessions and events, as audit
//! entries of the log say it.

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::id::TenantId;
use crate::port::log::Sequence;
use crate::time::Timestamp;

/// Kind of a thing that audit entries are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    Finding,
    Identity,
    Session,
    Event,
    /// Somebody in the list of insider risk, by pseudonym.
    Person,
    /// An API token, by its public prefix.
    Token,
    /// Somebody who signs in, by name.
    User,
}

impl SubjectKind {
    pub const ALL: [Self; 7] = [
        Self::Finding,
        Self::Identity,
        Self::Session,
        Self::Event,
        Self::Person,
        Self::Token,
        Self::User,
    ];

    /// As it is written in an audit entry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Identity => "identity",
            Self::Session => "session",
            Self::Event => "event",
            Self::Person => "person",
            Self::Token => "token",
            Self::User => "user",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A thing that an audit entry is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    pub kind: SubjectKind,
    /// Of findings, identities, sessions and events 32 hex digits.
    pub id: Text,
}

impl Subject {
    pub fn new(kind: SubjectKind, id: impl std::fmt::Display) -> Self {
        let id = Text::from(id.to_string());
        Self { kind, id }
    }
}

/// What somebody did, as far as custody tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Opened it.
    View,
    /// Took it out as a bundle.
    Export,
    /// Saw what is kept from others: secrets, or who somebody is.
    Reveal,
    /// Concluded something about it.
    Decision,
    /// Anything else.
    Other,
}

impl Act {
    pub const ALL: [Self; 5] = [
        Self::View,
        Self::Export,
        Self::Reveal,
        Self::Decision,
        Self::Other,
    ];
    /// All but looking at it.
    pub const DEEDS: [Self; 4] = [Self::Export, Self::Reveal, Self::Decision, Self::Other];

    /// As it is written in an audit entry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Export => "export",
            Self::Reveal => "reveal",
            Self::Decision => "decision",
            Self::Other => "other",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.name() == name)
    }
}

/// An audit entry of the log and one of the things it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CustodyEntry {
    pub tenant: TenantId,
    pub subject: Subject,
    pub act: Act,
    pub sequence: Sequence,
    /// Who did it: `local`, a person's name, or `token:<prefix>`.
    pub who: Text,
    /// When the entry was received.
    pub at: Timestamp,
}

/// Which audit entries are asked for.
#[derive(Clone, Copy, Debug)]
pub struct CustodyQuery<'q> {
    pub tenant: &'q TenantId,
    /// About any of these.
    pub subjects: &'q [Subject],
    /// By which any of this was done.
    pub acts: &'q [Act],
    /// At most so many, the newest.
    pub limit: usize,
}
