//! Commands about what identities did, may do and are for.

use std::path::PathBuf;

use clap::Subcommand;
use deedtrail_core::time::Timestamp;

use super::{Range, time};

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// List them, the latest active first; with --departing the most unusual first
    List {
        /// Only of this identity: e-mail, ARN, login, name or id
        who: Option<String>,
        /// Only with this verdict, e.g. escalated
        #[arg(long)]
        verdict: Option<String>,
        /// Only with less trust than this, of 100
        #[arg(long, value_parser = clap::value_parser!(u8).range(0..=101))]
        trust_below: Option<u8>,
        /// Only sessions that departed from what is learned of their identity, findings or not: the
        /// most unusual first, of those the latest active
        #[arg(long)]
        departing: bool,
        /// Most sessions printed
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show one with those joined to it: verdict, trust, reach, what was done next
    Show {
        /// Its id, or the first 6 or more digits of it
        id: String,
    },
    /// List sign-ins into systems that say nothing about what happens there
    Blind {
        /// Most rows printed
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum EntitlementCommand {
    /// Take over what a system says identities may do
    Import {
        /// File, or `-`
        file: String,
        /// What it is
        #[arg(long, value_parser = ["aws", "entra", "github", "kubernetes", "list"])]
        kind: String,
        /// Account, cluster, tenant or organisation, where the file does not say
        #[arg(long)]
        account: Option<String>,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// What an identity did, may do and may not do
    Show {
        /// E-mail, ARN, login, name or id
        who: String,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum CharterCommand {
    /// List them: the newest version of each and the one in force
    List,
    /// Print the text of a version
    Show {
        name: String,
        /// Number of the version; the newest if not given
        #[arg(long)]
        number: Option<u32>,
    },
    /// Propose the charter in a file; it binds nobody before it is approved
    Propose { file: PathBuf },
    /// Put a draft in force, in place of the version that is
    Approve {
        name: String,
        /// Number of the version; the newest if not given
        #[arg(long)]
        number: Option<u32>,
    },
    /// Take a version out of force, or withdraw a draft
    Retire {
        name: String,
        /// Number of the version; the one in force if not given
        #[arg(long)]
        number: Option<u32>,
    },
    /// Print a charter proposed from what an identity did
    Learn {
        /// E-mail, ARN, login, name or id
        who: String,
        /// Only events at or after this time or day
        #[arg(long, value_parser = time, value_name = "TIME")]
        from: Option<Timestamp>,
        /// Learn also from the events that open findings rest on
        #[arg(long)]
        include_findings: bool,
    },
    /// Run the charter in a file over history: what it covers and what departs from it
    Check {
        file: PathBuf,
        /// Only events at or after this time or day
        #[arg(long, value_parser = time, value_name = "TIME")]
        from: Option<Timestamp>,
    },
    /// Say what two versions differ in
    Diff {
        name: String,
        /// Number of the older version
        from: u32,
        /// Number of the newer version
        to: u32,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum BehaviourCommand {
    /// How identities stand: how much they do, and how dangerous that is
    List {
        /// Most identities printed
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// How one identity stands: activity, danger with reasons, readiness, drift, baseline
    Show {
        /// E-mail, ARN, login, name or id
        who: String,
    },
    /// Which sources are behavioural telemetry, and what the others lack
    Sources,
    /// What budgets of alerts a day would have let through of the last 30 days
    Budget,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum BaselineCommand {
    /// What an identity usually does, read from its events; nothing is kept
    Show {
        /// E-mail, ARN, login, name or id
        who: String,
        /// Instead an approved baseline, by its number
        #[arg(long, conflicts_with_all = ["from", "to"])]
        number: Option<u32>,
        #[command(flatten)]
        range: Range,
    },
    /// Approve what it does as its next baseline; without a time the 28 days up to its last event
    Approve {
        /// E-mail, ARN, login, name or id, whole: a part of a name is not taken
        who: String,
        #[command(flatten)]
        range: Range,
        /// Approve it although open findings rest on what would be approved
        #[arg(long)]
        accept_open_findings: bool,
    },
    /// Withdraw an approved baseline: nothing is compared with it any more
    Withdraw {
        /// E-mail, ARN, login, name or id, whole: a part of a name is not taken
        who: String,
        /// Number of the baseline
        number: u32,
        /// Why; kept in the evidence log
        #[arg(long)]
        reason: String,
    },
    /// Approved baselines of an identity, the newest first; those withdrawn too
    List {
        /// E-mail, ARN, login, name or id
        who: String,
    },
    /// What changed since a baseline, or from one to another
    Diff {
        /// E-mail, ARN, login, name or id
        who: String,
        /// Number of the older version
        from: u32,
        /// Number of the newer version; without it, what was done since the older one
        to: Option<u32>,
    },
}
