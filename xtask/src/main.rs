//! `cargo xtask`: everything that checks the project, in one place.

mod conformance;
mod crash;
mod end_to_end;
mod packages;
mod process;
mod public_rules;
mod recognition;
mod suite;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything: format, lints, tests, tidy, crash cycles, end-to-end
    Test {
        /// Do not install missing system packages; say which and stop
        #[arg(long)]
        no_install: bool,
    },
    /// Kill the real server again and again and check that nothing acknowledged is lost
    Crash {
        #[arg(long, default_value_t = 500)]
        cycles: u32,
        /// Seed of the moments it is killed at
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Use this binary instead of building one
        #[arg(long)]
        binary: Option<PathBuf>,
    },
    /// Open every page of a demo in a real browser
    EndToEnd {
        /// Folder for screenshots
        #[arg(long)]
        screenshots: Option<PathBuf>,
        /// Use this binary instead of building one
        #[arg(long)]
        binary: Option<PathBuf>,
    },
    /// Check sizes, crate edges, documented paths and generated pages
    Tidy,
    /// Score real records that are not part of the project
    Conformance {
        /// Folder with `data` and `checks`
        folder: PathBuf,
        /// Score the tests of public rules alone
        #[arg(long)]
        public_rules: bool,
        /// Use this binary instead of building one
        #[arg(long)]
        binary: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Test { no_install } => suite::run(no_install),
        Command::Crash {
            cycles,
            seed,
            binary,
        } => process::binary(binary).and_then(|binary| crash::run(&binary, cycles, seed)),
        Command::EndToEnd {
            screenshots,
            binary,
        } => process::binary(binary)
            .and_then(|binary| end_to_end::run(&binary, screenshots.as_deref())),
        Command::Tidy => tidy::run(),
        Command::Conformance {
            folder,
            public_rules,
            binary,
        } => process::binary(binary).and_then(|binary| {
            if public_rules {
                public_rules::run(&binary, &folder)
            } else {
                conformance::run(&binary, &folder)
            }
        }),
    };
    match result {
        Ok(tally) => tally.conclude(),
        Err(error) => {
            process::say(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
