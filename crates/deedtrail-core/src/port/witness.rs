//! Witnesses (c2sp.org/tlog-witness): of other logs, as those logs ask it, and of our own.

/// Why a witness does not cosign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("not a request to a witness: {0}")]
    Malformed(String),
    #[error("the log `{0}` is not one of those that are witnessed here")]
    UnknownLog(String),
    #[error("the checkpoint is not signed as it must be: {0}")]
    Unsigned(String),
    /// The log's size as last cosigned.
    #[error("the newest checkpoint cosigned here has size {0}")]
    Stale(u64),
    #[error("the checkpoint does not continue the one cosigned here: {0}")]
    Inconsistent(&'static str),
    #[error("the witness cannot keep what it saw: {0}")]
    Failed(String),
}

/// A witness of other logs. Implementations are safe to share between threads.
pub trait Witness: Send + Sync + std::fmt::Debug {
    /// Takes the body of `add-checkpoint`; returns signature lines once the checkpoint is durable.
    fn add_checkpoint(&self, body: &str) -> Result<String, Refusal>;
    /// The newest checkpoint cosigned of the log whose origin has this SHA-256 (lower-case hex);
    /// `None` when there is none.
    fn checkpoint(&self, origin_hash: &str) -> Result<Option<String>, Refusal>;
    /// Public key, `name+hash+key`.
    fn key(&self) -> String;
}

/// The witnesses of our own log. Implementations are safe to share between threads.
pub trait Witnesses: Send + Sync + std::fmt::Debug {
    /// The newest checkpoint that as many of them cosigned as must, with their lines, as far as is
    /// known: nobody is asked. `None` when there is none.
    fn quorate(&self) -> Option<String>;
}
