//! What people decide about who is one identity: entries of the log, like imports.

use serde::{Deserialize, Serialize};

use deedtrail_core::Text;
use deedtrail_core::id::IdentityId;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::time::Timestamp;

use super::Resolver;
use crate::App;
use crate::access::Principal;
use crate::configuration::ConfigurationError;

/// Note of an entry that carries a [`MergeDecision`] as JSON.
pub const IDENTITY_MERGE: &str = "identity merge";

/// Two identities are one, or are not after all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case", deny_unknown_fields)]
pub enum MergeDecision {
    Merge {
        left: IdentityId,
        right: IdentityId,
        /// Who says so and why.
        reason: Text,
    },
    /// Undoes the merge of this identity into another.
    Unmerge { merged: IdentityId },
}

impl App {
    /// Appends a decision to the log; it takes effect when the pipeline reaches it. Returns one past
    /// its sequence.
    pub fn decide_merge(
        &self,
        principal: &Principal,
        decision: &MergeDecision,
    ) -> Result<Sequence, ConfigurationError> {
        let content = serde_json::json!(decision).to_string();
        self.append_configuration(principal, IDENTITY_MERGE, content.into_bytes())
    }
}

impl Resolver {
    /// Carries out a [`MergeDecision`]. False when it changes nothing: unknown identities, one
    /// already, or not merged.
    pub fn apply_decision(&mut self, content: &[u8], at: Timestamp) -> bool {
        match serde_json::from_slice(content) {
            Ok(MergeDecision::Merge {
                left,
                right,
                reason,
            }) => self.merge(left, right, reason, at).is_some(),
            Ok(MergeDecision::Unmerge { merged }) => self.unmerge(merged, at),
            Err(_) => false,
        }
    }
}
