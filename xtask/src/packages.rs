//! System packages that the tests need.

use std::process::{Command, Stdio};

use crate::process::say;

/// Program with options that make it say its version, and the Debian package that brings it. A
/// package without a program of its own is asked for by name.
const NEEDED: [(&str, &str, &str); 14] = [
    ("chromium", "--version", "chromium"),
    ("curl", "--version", "curl"),
    ("faketime", "--version", "faketime"),
    ("logger", "--version", "bsdutils"),
    ("make", "--version", "make"),
    ("nats-server", "--version", "nats-server"),
    ("node", "--version", "nodejs"),
    ("npm", "--version", "npm"),
    ("openssl", "version", "openssl"),
    ("python3", "--version", "python3-venv"),
    ("rsyslogd", "-v", "rsyslog-elasticsearch"),
    ("dpkg-query", "--status rsyslog-gnutls", "rsyslog-gnutls"),
    ("dpkg-query", "--status rsyslog-relp", "rsyslog-relp"),
    ("strace", "--version", "strace"),
];

fn missing() -> Vec<&'static str> {
    let there = |program: &str, options: &str| {
        Command::new(program)
            .args(options.split(' '))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    NEEDED
        .iter()
        .filter(|(program, options, _)| !there(program, options))
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
