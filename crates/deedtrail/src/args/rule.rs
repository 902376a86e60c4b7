//! Commands about rules.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use deedtrail_core::exception::ExceptionCondition;
use deedtrail_core::time::Timestamp;

use super::{Range, time};

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RuleCommand {
    /// List the rules in force
    List,
    /// Run rule folders' fires/quiet fixtures (default: all built-in rules)
    Test {
        /// Folders with `rule.yml`, `fires.ndjson` and `quiet.ndjson`: records on which the rule must
        /// fire, and records that look alike and on which it must not; or folders of such folders
        folders: Vec<PathBuf>,
    },
    /// Put each record of files through mapping and the rules in force, by itself and without
    /// history: what a rule sees of it, and what comes of it
    Try {
        /// Files of records, as a feed delivers them
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Source of the records (default: known by what each looks like)
        #[arg(long)]
        source: Option<String>,
    },
    /// Read the history of the data folder once more and say what rules would have found in it,
    /// before they are enabled; nothing is changed
    Backtest(Backtest),
    /// Say what a rule looks at, when it fires and what it means
    Explain {
        /// As `rule list` or a finding names it; its path below the folder of rules, or its Sigma id
        #[arg(value_name = "NAME")]
        id: String,
    },
    /// Except what somebody answers for from a rule, until a day: it is counted and not told
    ///
    /// Takes effect with the next event; what was found before stays. The exception and whoever made
    /// it are entries of the evidence log.
    Except(Except),
    /// List exceptions with what they held back, the newest first
    Exceptions {
        /// Only those to this rule or code detector
        rule: Option<String>,
        /// List the newest matches that the exception of this number held back
        #[arg(long, value_name = "NUMBER", conflicts_with = "rule")]
        held: Option<u32>,
    },
    /// End an exception before its day: the rule tells everything again
    EndException {
        /// Its number in the list
        number: u32,
    },
    /// Read the folders of rules and unsafe sequences again; a running server takes them up at once
    ///
    /// What is new holds from an entry of the evidence log on. What has a mistake is left out and told
    /// (exit code 1). The same on SIGHUP to a server without a terminal.
    Reload,
    /// Say which techniques the rules cover, and whether their sources deliver
    Coverage(Coverage),
    /// Say of each rule how it does: matches, findings, how they were decided, and what to tune
    Scorecard {
        /// Only those with something to tune
        #[arg(long)]
        tune: bool,
    },
}

impl RuleCommand {
    /// Whether it needs a data folder.
    pub(crate) const fn is_on_data(&self) -> bool {
        match self {
            Self::List | Self::Test { .. } | Self::Try { .. } | Self::Explain { .. } => false,
            Self::Backtest(_)
            | Self::Except(_)
            | Self::Exceptions { .. }
            | Self::EndException { .. }
            | Self::Reload
            | Self::Coverage(_)
            | Self::Scorecard { .. } => true,
        }
    }
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Backtest {
    /// File of rules, or folder of such files, to test alone (default: the rules in force)
    #[arg(value_name = "PATH")]
    pub(crate) own: Option<PathBuf>,
    /// Count the findings of this rule in force, code detector or `sequence/ID` only
    #[arg(long, conflicts_with = "own", value_name = "NAME")]
    pub(crate) rule: Option<String>,
    #[command(flatten)]
    pub(crate) range: Range,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Except {
    /// Rule or code detector, as `rule list` or a finding names it
    pub(crate) rule: String,
    /// Who answers for it
    #[arg(long)]
    pub(crate) owner: String,
    /// Why (at most 2000 characters)
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// From then on everything is told again (RFC 3339 or YYYY-MM-DD; at most 366 days away)
    #[arg(long, value_parser = time, value_name = "DATE")]
    pub(crate) expires: Timestamp,
    /// What it covers: actor, resource, source or a field of docs/reference/rule-fields.md, and a
    /// value with `*` for anything; may be repeated (default: every match of the rule)
    #[arg(long = "where", value_parser = condition, value_name = "NAME=VALUE")]
    pub(crate) conditions: Vec<ExceptionCondition>,
}

#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Coverage {
    /// Write a layer of ATT&CK techniques for the ATT&CK Navigator
    #[arg(long, value_name = "FILE")]
    pub(crate) navigator: Option<PathBuf>,
    /// Write a layer of ATLAS techniques for the ATLAS Navigator
    #[arg(long, value_name = "FILE")]
    pub(crate) atlas_navigator: Option<PathBuf>,
    /// Read the history once more and say which fields of each rule it fills
    #[arg(long, conflicts_with_all = ["navigator", "atlas_navigator"])]
    pub(crate) fields: bool,
    /// With --fields: only this rule
    #[arg(long, requires = "fields", value_name = "NAME")]
    pub(crate) rule: Option<String>,
    /// With --fields: what is read before only tells what was known by then
    #[command(flatten)]
    pub(crate) range: Range,
}

/// `NAME=VALUE`.
fn condition(text: &str) -> Result<ExceptionCondition, String> {
    let (field, pattern) = text
        .split_once('=')
        .ok_or_else(|| "write NAME=VALUE, as in actor=ci-*".to_owned())?;
    Ok(ExceptionCondition {
        field: field.trim().into(),
        pattern: pattern.trim().into(),
    })
}
