//! System packages that the tests need.

use std::process::{Command, Stdio};

use crate::process::say;

/// Program with an option that makes it say its version, and the Debian package that brings it.
const NEEDED: [(&str, &str, &str); 5] = [
    ("chromium", "--version", "chromium"),
    ("node", "--version", "nodejs"),
    ("npm", "--version", "npm"),
    ("python3", "--version", "python3-venv"),
    ("rsyslogd", "-v", "rsyslog-elasticsearch"),
];

fn missing() -> Vec<&'static str> {
    let there = |program: &str, option: &str| {
        Command::new(program)
            .arg(option)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    NEEDED
        .iter()
        .filter(|(program, option, _)| !there(program, option))
        .map(|(_, _, package)| *package)
        .collect()
}

/// Installs what is missing, or says it in one line and fails.
pub(crate) fn ensure(no_install: bool) -> anyhow::Result<()> {
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    anyhow::ensure!(!no_install, "missing packages: {}", packages.join(" "));
    say(format_args!("installing {}", packages.join(" ")));
    let apt = |arguments: &[&str]| -> anyhow::Result<()> {
        let done = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        anyhow::ensure!(
            done.success(),
            "apt-get failed; install these yourself: {}",
            packages.join(" ")
        );
        Ok(())
    };
    apt(&["update", "-q"])?;
    let mut install = vec!["install", "-y", "-q", "--no-install-recommends"];
    install.extend(&packages);
    apt(&install)?;
    let left = missing();
    anyhow::ensure!(
        left.is_empty(),
        "still missing after installation: {}",
        left.join(" ")
    );
    Ok(())
}
