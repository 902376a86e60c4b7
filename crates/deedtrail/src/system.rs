//! The real clock and randomness, and our own log output.

use std::io::IsTerminal as _;

use deedtrail_core::port::{Clock, Entropy};
use deedtrail_core::time::Timestamp;
use tracing_subscriber::EnvFilter;

/// The operating system's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the system clock"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let micros = since.map_or_else(
            |before| -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
            |after| i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        );
        Timestamp::from_micros(micros)
    }
}

/// Files and connections that a server may have open, where the system allows that many.
const OPEN_FILES: u64 = 65_536;

/// Raises the process's own limit on open files, which is usually lower than the connections that
/// are taken: a log that cannot open its next file stops.
pub(crate) fn raise_open_files() {
    if let Err(error) = rlimit::increase_nofile_limit(OPEN_FILES) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}

/// Limits on a process's memory below which the server cannot be relied on: their resource, how they
/// are set, and the least it needs, bytes. Idle it has some 450 MiB of data; address space is mostly
/// reserved and never used.
const MEMORY_MIN: [(rlimit::Resource, &str, u64); 2] = [
    (
        rlimit::Resource::DATA,
        "data (`ulimit -d`, `prlimit --data`, `LimitDATA=` of systemd)",
        1 << 30,
    ),
    (
        rlimit::Resource::AS,
        "address space (`ulimit -v`, `prlimit --as`, `LimitAS=` of systemd)",
        4 << 30,
    ),
];

/// Refuses to go on where the system gives this process too little memory: it would run out where
/// nothing can be told, in a thread that does not start.
pub(crate) fn ensure_memory() -> anyhow::Result<()> {
    for (resource, name, least) in MEMORY_MIN {
        match resource.get_soft() {
            Ok(allowed) => ensure_allowed(name, allowed, least)?,
            Err(error) => tracing::debug!(%error, name, "the limit is not known"),
        }
    }
    Ok(())
}

fn ensure_allowed(name: &str, allowed: u64, least: u64) -> anyhow::Result<()> {
    anyhow::ensure!(
        allowed >= least,
        "this process may have {} MiB of {name}, and needs {} MiB at least: raise that limit, or lift \
         it and limit memory by a control group (`MemoryMax=` of systemd)",
        allowed >> 20,
        least >> 20
    );
    Ok(())
}

/// The operating system's random number generator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(
        clippy::panic,
        reason = "without random numbers no key or session is safe"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        if let Err(error) = getrandom::fill(buffer) {
            panic!("the operating system gives no random numbers: {error}");
        }
    }
}

/// Talk goes to standard error; `-v` shows more of it, `DEEDTRAIL_LOG` says exactly what.
pub(crate) fn start_logging(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let default = format!("{level},buoyant_kernel=error,deltalake=error,datafusion=error");
    let filter = EnvFilter::try_from_env("DEEDTRAIL_LOG").unwrap_or_else(|_| default.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_memory_is_refused_in_words() {
        let said = |allowed: u64| {
            let allowed = ensure_allowed("data (`ulimit -d`)", allowed, 1 << 30);
            allowed.map_or_else(|error| error.to_string(), |()| "enough".to_owned())
        };
        let told = said(160 << 20);
        assert!(
            told.starts_with(
                "this process may have 160 MiB of data (`ulimit -d`), and needs 1024 MiB"
            ),
            "{told}"
        );
        assert_eq!(said(1 << 30), "enough");
        assert_eq!(said(rlimit::INFINITY), "enough");
    }
}
