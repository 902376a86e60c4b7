//! `cargo xtask`: everything that checks the project, in one place.

mod conformance;
mod controls;
mod crash;
mod derived;
mod end_to_end;
mod faults;
mod mutation;
mod packages;
mod process;
mod promise;
mod public_rules;
mod recognition;
mod schedules;
mod server;
mod sim;
mod suite;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use process::Tally;

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
    /// Send the same records again and again while the server is killed: each must be taken once
    Retries {
        #[command(flatten)]
        amount: crash::retries::Amount,
        /// Use this binary instead of building one
        #[arg(long)]
        binary: Option<PathBuf>,
    },
    /// Change every bit of evidence bundles, one at a time: none may still verify
    MutateBundles {
        #[arg(long, default_value_t = 1_000)]
        bundles: u64,
        /// Seed of what the bundles hold
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Take out one safeguard of the log at a time, in a copy of the checkout; the simulation must fail
    Controls,
    /// Flip every bit of a log and random bits of all its files, cut its tail at every byte; flip bits
    /// of the archive and the control store
    Damage(Damage),
    /// Make calls fail, disks run full, clocks go wrong under the real server
    Faults {
        /// A few of each instead of all
        #[arg(long)]
        short: bool,
        /// This part alone
        #[arg(long)]
        only: Option<faults::Part>,
        /// The highest call of a thread that fails
        #[arg(long, default_value_t = 200)]
        calls: u32,
        /// How often the disk is filled
        #[arg(long, default_value_t = 10)]
        fills: u32,
        /// Use this binary instead of building one
        #[arg(long)]
        binary: Option<PathBuf>,
    },
    /// Live whole lives of a log, or of the pipeline above it, on a simulated machine, each drawn from a seed
    Sim {
        #[arg(long, default_value_t = 10_000)]
        seeds: u64,
        /// The first seed; with `--seeds 1` its life is told
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Programs of which each step is cut off by a power cut
        #[arg(long, default_value_t = 20)]
        sweeps: u64,
        /// Lives of the whole pipeline above the log instead
        #[arg(long)]
        pipeline: bool,
    },
    /// Run the log's threads in many orders, each drawn from a seed
    Schedules {
        #[arg(long, default_value_t = 10_000)]
        count: u64,
        /// The first order's seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
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

/// How much is flipped and cut.
#[derive(Debug, clap::Args)]
struct Damage {
    /// KiB of segments of which every bit is flipped
    #[arg(long, default_value_t = 1024)]
    kib: usize,
    /// Random flips over all files, each followed by a start
    #[arg(long, default_value_t = 1_000_000)]
    flips: u64,
    /// Cuts through the last 64 KiB of the newest segment
    #[arg(long, default_value_t = 65_536)]
    cuts: usize,
    /// Random flips over the control store, and over the archive's files
    #[arg(long, default_value_t = 100_000)]
    derived: u64,
    /// Flips after each of which the archive is opened and asked
    #[arg(long, default_value_t = 1_000)]
    starts: u64,
}

impl Damage {
    fn run(&self) -> anyhow::Result<Tally> {
        let mut tally = sim::damage::run(sim::damage::Amount {
            bytes: self.kib << 10,
            flips: self.flips,
            cuts: self.cuts,
        });
        tally.add(derived::run(self.derived, self.starts)?);
        Ok(tally)
    }
}

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(tally) => tally.conclude(),
        Err(error) => {
            process::say(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<Tally> {
    match command {
        Command::Test { no_install } => suite::run(no_install),
        Command::Crash {
            cycles,
            seed,
            binary,
        } => process::binary(binary).and_then(|binary| crash::run(&binary, cycles, seed)),
        Command::Retries { amount, binary } => {
            process::binary(binary).and_then(|binary| crash::retries::run(&binary, amount))
        }
        Command::MutateBundles { bundles, seed } => mutation::run(bundles, seed),
        Command::Controls => controls::run(),
        Command::Damage(damage) => damage.run(),
        Command::Faults {
            short,
            only,
            calls,
            fills,
            binary,
        } => process::binary(binary).map(|binary| {
            let extent = faults::Extent {
                only,
                is_short: short,
                calls,
                fills,
            };
            faults::run(&binary, extent)
        }),
        Command::Sim {
            seeds,
            seed,
            sweeps,
            pipeline,
        } => {
            let lived = if pipeline {
                sim::pipeline::run
            } else {
                sim::run
            };
            Ok(lived(&sim::Plan {
                seeds,
                first: seed,
                sweeps,
            }))
        }
        Command::Schedules { count, seed } => {
            schedules::run(schedules::Plan { count, first: seed })
        }
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
    }
}
