//! Charters as kept: every version with who proposed, approved and retired it.

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::id::TenantId;
use crate::time::Timestamp;

/// What a version of a charter is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CharterStatus {
    /// Proposed and not approved: it binds nobody.
    #[default]
    Draft,
    InForce,
    /// A later version is in force.
    Replaced,
    Retired,
}

impl CharterStatus {
    pub const ALL: [Self; 4] = [Self::Draft, Self::InForce, Self::Replaced, Self::Retired];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::InForce => "in_force",
            Self::Replaced => "replaced",
            Self::Retired => "retired",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    pub by: Text,
    pub at: Timestamp,
}

/// One version of a charter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CharterRecord {
    pub tenant: TenantId,
    pub name: Text,
    /// Counted from 1 for each name.
    pub version: u32,
    pub status: CharterStatus,
    /// As written; docs/reference/charters.md says how to read it.
    pub text: String,
    /// Who answers for the identity, as the text says.
    pub owner: Text,
    pub purpose: Text,
    pub proposed: Signed,
    pub approved: Option<Signed>,
    /// Taken out of force, or withdrawn before it was.
    pub retired: Option<Signed>,
}

impl CharterRecord {
    /// Whether somebody other than the owner approved it.
    pub fn approved_for_owner(&self) -> bool {
        let approver = self.approved.as_ref().map(|approved| &approved.by);
        approver.is_some_and(|by| !by.eq_ignore_ascii_case(&self.owner))
    }
}
