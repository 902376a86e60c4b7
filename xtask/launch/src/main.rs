//! `cargo xtask`: builds the developers' commands and runs them.
//!
//! Cargo chooses the features of dependencies for what it is asked to build. Asked for `xtask` alone it
//! compiles some 240 of them anew, with fewer features than all other builds; asked for a binary of
//! the whole workspace it takes what the tests take too.

use std::env;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            // Without a standard error nobody can be told.
            drop(writeln!(io::stderr(), "cannot run xtask: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// What the build ended with, where it failed; else this process becomes `xtask`.
fn run() -> io::Result<ExitCode> {
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--workspace", "--bin", "xtask"]);
    // Build scripts that look at what cargo told this process would run again.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    let built = build.status()?;
    if !built.success() {
        let code = built.code().and_then(|code| u8::try_from(code).ok());
        return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
    }
    let mut xtask = Command::new(env::current_exe()?.with_file_name("xtask"));
    xtask.args(env::args_os().skip(1));
    let own = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    if let Some(package) = own.as_deref().and_then(|own| own.parent()) {
        xtask.env("CARGO_MANIFEST_DIR", package);
    }
    Err(xtask.exec())
}
