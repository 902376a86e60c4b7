//! `deedtrail`: the one binary. Decides nothing; see ARCHITECTURE.md.

mod args;
mod commands;
mod config;
mod event_key;
mod instance;
mod listeners;
mod output;
mod pullers;
mod rules;
mod secret;
mod sequences;
mod server;
mod signals;
mod socket;
mod system;
mod targets;
mod timestamps;
mod tls;
mod warning;
mod webhooks;
mod witnesses;

use std::process::ExitCode;

use clap::Parser as _;

/// Events are made on one thread and let go on another, which the system's allocator does slowly.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let args = args::Args::parse();
    system::start_logging(args.verbose);
    commands::run(&args)
}
