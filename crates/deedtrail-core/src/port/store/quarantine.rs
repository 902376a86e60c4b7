//! Records that could not be understood and wait.

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::id::{SourceName, TenantId};
use crate::port::log::Sequence;
use crate::time::Timestamp;

/// That a record in quarantine needs nobody's attention any more. It stays evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dismissal {
    pub by: Text,
    pub at: Timestamp,
    pub reason: Text,
}

/// A record in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    pub sequence: Sequence,
    pub tenant: TenantId,
    pub source: SourceName,
    /// Short name of the reason.
    pub code: Text,
    /// The reason in words.
    pub reason: Text,
    pub received: Timestamp,
    pub bytes: u64,
    /// `None` while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dismissal: Option<Dismissal>,
}

/// Which records of quarantine are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuarantineFilter {
    /// Whose: there is no "any". Use cases set it from the principal.
    pub tenant: TenantId,
    pub source: Option<SourceName>,
    /// Short name of the reason.
    pub code: Option<Text>,
    /// Those that were dismissed; else those that wait.
    pub dismissed: bool,
}

/// Records of one source that are in quarantine for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineReason {
    pub source: SourceName,
    /// Short name of the reason.
    pub code: Text,
    pub records: u64,
    /// The newest of them.
    pub newest: Sequence,
    /// When that came.
    pub received: Timestamp,
}
