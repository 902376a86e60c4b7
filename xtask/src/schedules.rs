//! The log's threads in orders that seeds draw: the production code, built with locks, channels and
//! threads of a scheduler (`crates/deedtrail-evidence/src/sync.rs`).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::{Tally, root, say};

/// What takes the place of `std::sync`.
const FLAG: &str = "--cfg deedtrail_schedules";
const EXAMPLE: &str = "schedules";

/// How many orders, and the first one's seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) count: u64,
    pub(crate) first: u64,
}

pub(crate) fn run(plan: Plan) -> anyhow::Result<Tally> {
    let build = crate::process::target().join(EXAMPLE);
    let (ok, text) = in_checkout(&root(), &build, plan)?;
    for line in text.lines() {
        say(line);
    }
    Ok(Tally::one(ok))
}

/// Builds the program of a checkout and runs it: whether all orders held, and what it says.
pub(crate) fn in_checkout(
    checkout: &Path,
    build: &Path,
    plan: Plan,
) -> anyhow::Result<(bool, String)> {
    let given = std::env::var_os("RUSTFLAGS").and_then(|flags| flags.into_string().ok());
    let flags = given.map_or_else(|| FLAG.to_owned(), |given| format!("{given} {FLAG}"));
    let built = Command::new("cargo")
        .args([
            "build",
            "--quiet",
            "--package",
            "deedtrail-evidence",
            "--example",
            EXAMPLE,
        ])
        .current_dir(checkout)
        .env("CARGO_TARGET_DIR", build)
        .env("RUSTFLAGS", flags)
        // What the flag leaves out is no matter for lints.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .stdin(Stdio::null())
        .output()?;
    anyhow::ensure!(
        built.status.success(),
        "the schedules do not build: {}",
        String::from_utf8_lossy(&built.stderr)
    );
    let program: PathBuf = build.join("debug/examples").join(EXAMPLE);
    let output = Command::new(program)
        .args([plan.count.to_string(), plan.first.to_string()])
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .output()?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        // Why an order failed.
        let errors = String::from_utf8_lossy(&output.stderr);
        let told = errors
            .lines()
            .filter(|line| line.contains("deadlock") || line.contains("panicked"));
        for line in told.take(6) {
            text.push_str(line);
            text.push('\n');
        }
    }
    Ok((output.status.success(), text))
}
