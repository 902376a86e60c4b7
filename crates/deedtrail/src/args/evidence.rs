//! Commands about evidence.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args as ClapArgs, Subcommand};

use super::Range;

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Write a bundle about a finding or an identity that anyone can verify offline
    Export {
        /// Finding id or the first digits of it, or any name of an identity
        #[arg(value_name = "FINDING|IDENTITY")]
        subject: String,
        #[command(flatten)]
        range: Range,
        /// File to write (default: evidence-SUBJECT.zip)
        #[arg(long, short)]
        output: Option<PathBuf>,
        /// Overwrite the file if it is there
        #[arg(long)]
        force: bool,
        /// Also write secrets and tool arguments, which are left out otherwise (their hashes stay)
        #[arg(long)]
        include_secrets: bool,
    },
    /// Verify a bundle: no server, no network, no configuration
    Verify {
        file: PathBuf,
        #[command(flatten)]
        trusted: Trusted,
    },
    /// Print a second verifier of bundles, a program in Python without dependencies
    Verifier,
    /// Print the newest signed checkpoint and the key that verifies it
    Checkpoint,
    /// Show who vouches for this log, and the key under which this installation witnesses others
    Witness {
        /// Ask the witnesses now, instead of telling what they said last
        #[arg(long)]
        ask: bool,
    },
    /// Show when time stamp authorities stamped this log
    Timestamp {
        /// Ask them for a stamp of the newest checkpoint now
        #[arg(long)]
        ask: bool,
    },
    /// Say what is known to be missing: numbers that never came, silences, what was not understood
    Completeness {
        /// Only of this source
        source: Option<String>,
    },
    /// Read everything back: every entry, every hash, against the newest signed checkpoint
    Check,
    /// Accept a copied or restored data folder: a new origin, recorded in the log
    Adopt {
        /// Why it gets a new origin although nothing here tells that it was put back, for example
        /// because a witness saw another history of it; recorded in the log
        #[arg(long, value_name = "REASON", value_parser = NonEmptyStringValueParser::new())]
        because: Option<String>,
    },
}

/// Whom a verifier trusts.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct Trusted {
    /// Key the bundle must be signed with, as `evidence checkpoint` prints it; without it
    /// anybody's key passes
    #[arg(long, value_name = "VERIFIER KEY")]
    pub(crate) key: Option<String>,
    /// Key of a witness that must have cosigned, as `evidence witness` prints it there; repeatable
    #[arg(long = "witness", value_name = "VERIFIER KEY")]
    pub(crate) witnesses: Vec<String>,
    /// How many of these witnesses must have cosigned; all of them unless said
    #[arg(long, value_name = "COUNT", requires = "witnesses")]
    pub(crate) quorum: Option<usize>,
    /// Certificates in PEM of time stamp authorities you trust, one of which must have stamped the log
    #[arg(long, value_name = "FILE")]
    pub(crate) timestamp_ca: Option<PathBuf>,
}
