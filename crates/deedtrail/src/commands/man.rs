//! `man`: the manual pages, one for each command.

use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::Ended;
use crate::args::Args;
use crate::output::Console;

pub(super) fn run(folder: &Path, console: &mut Console) -> anyhow::Result<Ended> {
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Args::command(), folder))
        .with_context(|| format!("cannot write manual pages to {}", folder.display()))?;
    console.line(folder.join("deedtrail.1").display())?;
    Ok(Ended::Done)
}
