//! The command line. Standard output is data, standard error is talk.

#![expect(clippy::doc_markdown, reason = "these comments are the help texts")]

mod conduct;
mod evidence;
mod rule;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use deedtrail_app::findings::DISPOSITIONS;
use deedtrail_core::event::ActorKind;
use deedtrail_core::finding::{FindingStatus, Severity, registry};
use deedtrail_core::time::Timestamp;

pub(crate) use conduct::{
    BaselineCommand, BehaviourCommand, CharterCommand, EntitlementCommand, SessionCommand,
};
pub(crate) use evidence::{EvidenceCommand, Trusted};
pub(crate) use rule::{Backtest, Coverage, Except, RuleCommand};

/// Turns audit logs, agent traces and link clicks into one tamper-evident trail per identity.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "deedtrail",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(
    after_help = "Exit codes: 0 done · 1 failed, or a check found something · 2 wrong usage · \
                  3 records were taken, but none was understood"
)]
pub(crate) struct Args {
    /// Data folder (default: deedtrail in the user's data directory; also DEEDTRAIL_DATA)
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Configuration file (default: deedtrail.toml in the data folder)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print NDJSON, one object per line; what goes wrong stays a sentence on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more on standard error (twice for debugging)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the server: intake, detection, API and pages
    Serve(Serve),
    /// Fill a data folder with a bundled story, then serve it
    Demo(Demo),
    /// Make a data folder and a commented configuration file
    Init,
    /// Check sources, disk, clock, keys and checkpoint, and say what is wrong
    Doctor,
    /// Configuration: check the file, show what is in force, print its schema
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Take files in (NDJSON, JSON, gzip, zstd; `-` is standard input); safe to repeat
    ///
    /// The usual data folder is made if it is not there; another needs `deedtrail init` first, so that a
    /// mistyped one is not made.
    Ingest(Ingest),
    /// Sources: what is understood, and trying out a mapping
    #[command(subcommand)]
    Source(SourceCommand),
    /// Identities: list, show, declare owners and purposes
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// Events of one identity, newest first
    Timeline(Timeline),
    /// Sessions over all systems: what was done next, how far it reached, how far it is trusted
    #[command(subcommand)]
    Session(SessionCommand),
    /// What identities may do: import it, compare it with what they did
    #[command(subcommand)]
    Entitlement(EntitlementCommand),
    /// Learned behaviour: how identities stand, which sources can be judged, budgets of alerts
    #[command(subcommand)]
    Behaviour(BehaviourCommand),
    /// Baselines, what identities usually do: show, approve, list, diff
    #[command(subcommand)]
    Baseline(BaselineCommand),
    /// Findings: list, show, explain, decide
    #[command(subcommand)]
    Finding(FindingCommand),
    /// Read-only SQL over the table `events`
    Query(Query),
    /// Detection rules: list, test, backtest, explain, exceptions, coverage, scorecard
    #[command(subcommand)]
    Rule(RuleCommand),
    /// Evidence: export a bundle, verify one, checkpoints
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Charters, the declared use of identities: list, show, propose, approve, learn, check, diff
    #[command(subcommand)]
    Charter(CharterCommand),
    /// Records that wait because they were not understood
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// Map quarantined records again, after their mapping was fixed
    Replay(Replay),
    /// Derive everything anew from the evidence log, after reading all of it back
    Rebuild(Rebuild),
    /// Copy everything of the data folder that cannot be derived into a new one, also while the server runs
    Backup {
        /// Folder to make; what is in it can be started after `evidence adopt`
        folder: PathBuf,
    },
    /// Print a link that signs a person in to the pages, once
    SignIn(SignIn),
    /// API tokens: create, list, revoke
    #[command(subcommand)]
    Token(TokenCommand),
    /// Print a completion script for your shell
    Completions { shell: clap_complete::Shell },
    /// Write the manual pages (man 1) into a folder
    Man { folder: PathBuf },
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Serve {
    /// Address to listen on (default 127.0.0.1:8650)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<std::net::SocketAddr>,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Demo {
    /// Address to listen on (default 127.0.0.1:8650)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// Fill the data folder and end, without serving
    #[arg(long)]
    pub(crate) no_serve: bool,
    /// Tell the story as if it were this day, YYYY-MM-DD (default: today): the same day tells the
    /// same story
    #[arg(long, value_parser = time, value_name = "DAY")]
    pub(crate) as_of: Option<Timestamp>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Read the configuration, the sources, rules and sequences it names, and report every mistake
    Check,
    /// Show the values in force
    Show,
    /// Print the JSON Schema of the configuration file
    Schema,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Ingest {
    /// Source the records belong to, e.g. aws.cloudtrail (see `source list`); without it each
    /// record tells its own
    #[arg(long, short)]
    pub(crate) source: Option<String>,
    /// Files, globs or `-`
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SourceCommand {
    /// List the sources that are understood
    List,
    /// Run a source folder's fixtures and show what its mapping covers
    Test { folder: PathBuf },
    /// Map records and print one JSON object per record
    Map {
        source: String,
        /// Files, globs or `-`
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
    },
    /// Before a SaaS is adopted: which of its logs are understood, what they do not tell, and whether
    /// that suffices
    Readiness {
        /// Name of the vendor or product, e.g. slack or "Google Workspace"
        name: String,
    },
    /// Say of which source records are that nobody labelled
    Detect {
        /// Files, globs or `-`
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// List identities
    List {
        /// Only this kind
        #[arg(long, value_parser = actor_kinds())]
        kind: Option<String>,
        /// Only those whose name, alias or owner contains this
        #[arg(long)]
        text: Option<String>,
        /// Only those without an owner
        #[arg(long)]
        unowned: bool,
    },
    /// Show one identity: owner, aliases, credentials, findings
    Show { who: String },
    /// Declare identities and owners from CSV or NDJSON
    ///
    /// CSV needs a header with the column `alias` (`email:ana@example.com`); `name`, `kind`, `owner`,
    /// `backup_owner`, `department`, `environment`, `purpose`, `manager`, `tags` and others may
    /// follow: docs/reference/identity-import.md says what each means.
    Import {
        /// The file, or `-` for standard input
        #[arg(value_name = "FILE|-")]
        file: String,
        /// Show what would change and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Import the good lines even if others are bad
        #[arg(long)]
        skip_bad: bool,
    },
}

fn actor_kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(ActorKind::ALL.iter().map(|kind| kind.name()))
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Timeline {
    /// E-mail, ARN, login, name or id
    pub(crate) who: String,
    #[command(flatten)]
    pub(crate) range: Range,
    /// Most events printed
    #[arg(long, default_value_t = 200)]
    pub(crate) limit: usize,
}

#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct Range {
    /// Not before this time (RFC 3339 or YYYY-MM-DD)
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub(crate) from: Option<Timestamp>,
    /// Before this time (RFC 3339 or YYYY-MM-DD)
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub(crate) to: Option<Timestamp>,
}

/// A time as typed: RFC 3339, or a day (midnight UTC).
fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text)
        .or_else(|| Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| "no time; write 2026-11-18 or 2026-11-18T14:02:00Z".to_owned())
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum FindingCommand {
    /// List findings, newest first
    List {
        /// This severity and above
        #[arg(long, value_parser = severities())]
        severity: Option<String>,
        /// Only in this state
        #[arg(long, value_parser = statuses())]
        status: Option<String>,
        /// Only this type, e.g. credential_harvest
        #[arg(long, value_parser = finding_types(), hide_possible_values = true)]
        kind: Option<String>,
        /// Most findings printed
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show one finding with its reasons, what to do and the events it rests on
    Show {
        /// Its id, or the first 6 or more digits of it
        id: String,
    },
    /// Say what raised a finding, what it was judged against, and what an answer changes
    Explain {
        /// Its id, or the first 6 or more digits of it
        id: String,
    },
    /// Record what you concluded about a finding; the decision is an entry of the evidence log
    Decide {
        /// Its id, or the first 6 or more digits of it
        id: String,
        /// How far you are with it
        #[arg(long, value_parser = statuses(), default_value = FindingStatus::Closed.name())]
        status: String,
        /// What it was; needed to close it
        #[arg(long, value_parser = PossibleValuesParser::new(DISPOSITIONS))]
        disposition: Option<String>,
        /// Why, in your words (at most 2000 characters); kept with this decision
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
}

fn severities() -> PossibleValuesParser {
    Severity::ALL.map(Severity::name).into()
}

fn statuses() -> PossibleValuesParser {
    FindingStatus::ALL.map(FindingStatus::name).into()
}

fn finding_types() -> PossibleValuesParser {
    PossibleValuesParser::new(registry::all().map(|kind| kind.id))
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Table,
    Json,
    Csv,
    Parquet,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Query {
    /// One SELECT; the columns are listed in docs/reference/events.md
    pub(crate) sql: String,
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Memory the query may use, MiB
    #[arg(long)]
    pub(crate) memory: Option<usize>,
    /// Time the query may take, seconds
    #[arg(long)]
    pub(crate) timeout: Option<u64>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// List them with the reason, newest first
    List {
        /// Only of this source
        #[arg(long, short)]
        source: Option<String>,
        /// Those that were dismissed, instead of those that wait
        #[arg(long)]
        dismissed: bool,
        /// Most records printed
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Print one as it came in, secrets masked
    Show {
        /// Its number in the list, with or without `#`
        #[arg(value_name = "ENTRY")]
        entry: String,
    },
    /// Take records out of the counts that nobody needs; they stay evidence
    Dismiss {
        #[command(flatten)]
        which: Quarantined,
        /// Why, for whoever looks next
        #[arg(long)]
        reason: String,
    },
    /// Let dismissed records wait again
    Restore {
        #[command(flatten)]
        which: Quarantined,
    },
}

/// One record, or all of a source.
#[derive(Clone, Debug, ClapArgs)]
#[group(required = true)]
pub(crate) struct Quarantined {
    /// Its number in the list, with or without `#`
    #[arg(value_name = "ENTRY")]
    pub(crate) entry: Option<String>,
    /// All of this source
    #[arg(long, short, conflicts_with = "entry")]
    pub(crate) source: Option<String>,
    /// Only those of the source that wait for this reason, e.g. `not_json`
    #[arg(long, requires = "source")]
    pub(crate) code: Option<String>,
}

/// Options of `rebuild`.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub(crate) struct Rebuild {
    /// Go on although entries of the log are damaged: what was derived of them earlier goes
    #[arg(long)]
    pub(crate) without_damaged: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Replay {
    /// Only this source
    #[arg(long)]
    pub(crate) source: Option<String>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token; it is shown once
    Create {
        /// What it is for
        name: String,
        /// ingest, read, write or admin; may be repeated
        #[arg(long, required = true)]
        scope: Vec<String>,
        /// Days until it expires
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=36_500))]
        days: u32,
    },
    /// List tokens (never their secret)
    List,
    /// End a token
    Revoke { prefix: String },
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct SignIn {
    /// Name of the person: what they do is recorded under it
    pub(crate) name: String,
    /// What they may do
    #[arg(long, value_enum, default_value_t)]
    pub(crate) scope: Rights,
}

/// Rights of a person who signs in.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Rights {
    /// Read everything
    Read,
    /// Also decide about findings
    #[default]
    Write,
    /// Everything there is
    Admin,
}
