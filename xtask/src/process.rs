//! Running commands, counting what passed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::Context as _;

/// How many checks passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    pub(crate) fn one(passed: bool) -> Self {
        Self {
            passed: u64::from(passed),
            failed: u64::from(!passed),
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Prints the closing line; fails when a check failed or none ran.
    pub(crate) fn conclude(self) -> ExitCode {
        say(format_args!(
            "{} passed, {} failed",
            self.passed, self.failed
        ));
        if self.failed == 0 && self.passed > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Parts of a run. One that cannot run counts as failed, and the others go on: what is wrong is
/// told in one run.
#[derive(Default)]
pub(crate) struct Parts {
    tally: Tally,
}

impl Parts {
    /// Runs a part and says in one line, which begins with `part`, what came of it.
    pub(crate) fn add(&mut self, name: &str, run: impl FnOnce() -> anyhow::Result<Tally>) {
        let begun = Instant::now();
        let (tally, complaint) = match run() {
            Ok(tally) => (tally, String::new()),
            Err(error) => (Tally::one(false), format!(": {error:#}")),
        };
        say(format_args!(
            "part {name}: {} passed, {} failed, {:.0} s{complaint}",
            tally.passed,
            tally.failed,
            begun.elapsed().as_secs_f64()
        ));
        self.tally.add(tally);
    }

    /// What all came to.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }
}

/// Prints a line for the person who watches.
pub(crate) fn say(line: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    // A closed pipe is the watcher's choice; the exit code still tells the result.
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// The checkout. Cargo says where it is when it runs this; the place of the build may be another,
/// when two checkouts share a target folder.
pub(crate) fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR");
    let package = package.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package)
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default()
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A command that runs in the checkout, without what cargo told this process about itself: some
/// build scripts look at it, and would build their crates anew.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    }) {
        command.env_remove(name);
    }
    command
}

/// Runs a command in the checkout, its output passed through; true when it succeeded.
pub(crate) fn passes(program: &str, arguments: &[&str]) -> anyhow::Result<bool> {
    goes_well(command(program), program, arguments)
}

/// The same for cargo with clippy as the compiler of our own crates, as `cargo clippy` calls it; a warning
/// is an error. `cargo clippy` itself checks all dependencies once more, beside the tests' build.
pub(crate) fn linted(arguments: &[&str]) -> anyhow::Result<bool> {
    goes_well(clippy(), "cargo", arguments)
}

/// Runs cargo with what [`linted`] built; what it printed, passed through as well.
pub(crate) fn tested(arguments: &[&str]) -> anyhow::Result<(bool, String)> {
    told(clippy(), "cargo", arguments)
}

fn clippy() -> Command {
    let mut cargo = command("cargo");
    cargo.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
    let deny = "--deny__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__";
    cargo.env("CLIPPY_ARGS", deny);
    cargo
}

fn goes_well(mut command: Command, program: &str, arguments: &[&str]) -> anyhow::Result<bool> {
    say(format_args!("$ {program} {}", arguments.join(" ")));
    let status = command
        .args(arguments)
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    Ok(status.success())
}

/// Runs a command in the checkout and returns what it printed, passing it through as well.
pub(crate) fn prints(program: &str, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
    told(command(program), program, arguments)
}

fn told(mut command: Command, program: &str, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
    say(format_args!("$ {program} {}", arguments.join(" ")));
    let output = command
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    say(&text);
    Ok((output.status.success(), text))
}

/// The given binary, else the one that the README's command builds.
pub(crate) fn binary(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(path) = given {
        return path
            .canonicalize()
            .with_context(|| format!("{}", path.display()));
    }
    let arguments = [
        "build",
        "--quiet",
        "--package",
        "deedtrail",
        "--message-format=json-render-diagnostics",
    ];
    let output = command("cargo")
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    anyhow::ensure!(output.status.success(), "the binary does not build");
    let text = String::from_utf8_lossy(&output.stdout);
    let executable = text.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    executable.context("cargo named no executable")
}
