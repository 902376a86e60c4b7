//! `completions`: a script for the user's shell.

use clap::CommandFactory as _;

use super::Ended;
use crate::args::Args;
use crate::output::Console;

pub(super) fn run(shell: clap_complete::Shell, console: &mut Console) -> anyhow::Result<Ended> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "deedtrail", &mut script);
    console.out.write_all(&script)?;
    Ok(Ended::Done)
}
