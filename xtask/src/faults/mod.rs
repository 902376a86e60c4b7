//! The real server under faults of the system: calls that fail one at a time, a full disk, a slow
//! one, few file descriptors, little memory, a clock ten years off, and data folders that are not what they seem.
//!
//! What holds everywhere: what was acknowledged is in the log exactly once, byte-equal and proved,
//! after a start without the fault, and the archive has as many events as the log has records.

mod calls;
mod copies;
mod disk;
mod limits;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::{Parts, Tally, say};
use crate::promise::{self, Promised, record};
use crate::server::{Place, Server, agent, answered};

/// Part of the campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Calls of the system that fail, one at a time
    Calls,
    /// A disk that runs full and has space again
    Full,
    /// Syncs that take long
    Slow,
    /// Copied folders, old backups, second processes
    Copies,
    /// Few file descriptors
    Descriptors,
    /// Little memory
    Memory,
    /// A clock ten years off
    Clock,
}

const PARTS: [Part; 7] = [
    Part::Calls,
    Part::Full,
    Part::Slow,
    Part::Copies,
    Part::Descriptors,
    Part::Memory,
    Part::Clock,
];

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// The parts; all when `None`.
    pub(crate) only: Option<Part>,
    /// A few of each instead of all.
    pub(crate) is_short: bool,
    /// The highest call of a thread that fails.
    pub(crate) calls: u32,
    /// How often the disk is filled.
    pub(crate) fills: u32,
}

pub(crate) fn run(binary: &Path, extent: Extent) -> Tally {
    let mut parts = Parts::default();
    for part in PARTS {
        if extent.only.is_some_and(|only| only != part) {
            continue;
        }
        let name = format!("faults, {part:?}");
        if let (true, Some(reason)) = (extent.is_short, refused(part)) {
            say(format_args!(
                "part {name}: NOT RUN, the system refuses: {reason}"
            ));
            continue;
        }
        parts.add(&name, || match part {
            Part::Calls => calls::run(binary, extent),
            Part::Full => disk::full(binary, extent.fills),
            Part::Slow => disk::slow(binary),
            Part::Copies => copies::run(binary),
            Part::Descriptors => limits::descriptors(binary, extent.is_short),
            Part::Memory => limits::memory(binary),
            Part::Clock => limits::clock(binary),
        });
    }
    parts.tally()
}

/// Why this system does not let us do what a part needs: trace a process, mount a disk. Some
/// sandboxes refuse it to root; the long campaign then fails, the short one says so and goes on. A
/// missing program is no refusal.
fn refused(part: Part) -> Option<String> {
    let folder = tempfile::tempdir().ok()?;
    let words: &[&str] = match part {
        Part::Calls | Part::Slow => &["strace", "-f", "-qq", "-o", "/dev/null", "true"],
        Part::Full => &["mount", "-t", "tmpfs", "tmpfs"],
        Part::Copies | Part::Descriptors | Part::Memory | Part::Clock => return None,
    };
    let (program, arguments) = words.split_first()?;
    let mut command = std::process::Command::new(program);
    command.args(arguments);
    if part == Part::Full {
        command.arg(folder.path());
    }
    let tried = command.output().ok()?;
    if part == Part::Full && tried.status.success() {
        let unmounted = std::process::Command::new("umount")
            .arg(folder.path())
            .status();
        return unmounted.err().map(|error| error.to_string());
    }
    let said = String::from_utf8_lossy(&tried.stderr).trim().to_owned();
    let is_refused = ["not permitted", "denied"]
        .iter()
        .any(|it| said.contains(it));
    (!tried.status.success() && is_refused).then_some(said)
}

/// An empty data folder with a token, for copies.
struct Template {
    folder: tempfile::TempDir,
    token: String,
}

impl Template {
    fn new(binary: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let first = folder.path().join("first");
        std::fs::create_dir(&first)?;
        let place = Place::new(binary, &first, "")?;
        place.run(&["init"])?;
        let token = place.token("faults", "ingest")?;
        // The folder that signs is remembered: it must be gone for a copy to be a moved one.
        std::fs::rename(&first, folder.path().join("template"))?;
        Ok(Self { folder, token })
    }

    /// A place of its own that starts as this one.
    fn place(&self, binary: &Path, folder: &Path) -> anyhow::Result<Place> {
        copy_folder(&self.folder.path().join("template"), folder)?;
        Place::new(binary, folder, "")
    }
}

/// Copies a folder with everything in it.
fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    let done = std::process::Command::new("cp")
        .arg("--archive")
        .arg("--no-target-directory")
        .args([from, to])
        .status()?;
    anyhow::ensure!(done.success(), "cannot copy {}", from.display());
    Ok(())
}

/// What a client sent, and what it was promised.
#[derive(Debug, Default)]
struct Client {
    promised: Promised,
    sent: u64,
    /// Statuses of answers that promised nothing; 0 for none at all.
    refused: Vec<u16>,
    name: String,
}

impl Client {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Sends a batch of new records once; its status, 0 when nothing was answered.
    fn send(&mut self, server: &Server, token: &str, (records, padding): (u64, &str)) -> u16 {
        self.send_padded(server, token, records, || padding.to_owned())
    }

    /// As `send`, each record with a padding of its own.
    fn send_padded(
        &mut self,
        server: &Server,
        token: &str,
        records: u64,
        mut padding: impl FnMut() -> String,
    ) -> u16 {
        let batch: Vec<(String, String)> = (0..records)
            .map(|at| {
                let id = format!("{}-{}-{at}", self.name, self.sent);
                let record = record(&id, &padding());
                (id, record)
            })
            .collect();
        self.sent += 1;
        let lines: Vec<&str> = batch.iter().map(|(_, record)| record.as_str()).collect();
        let answer = agent(Duration::from_secs(30))
            .post(format!(
                "http://{}/v1/ingest/aws.cloudtrail",
                server.address
            ))
            .header("Authorization", format!("Bearer {token}"))
            .header("Content-Type", "application/x-ndjson")
            .send(lines.join("\n"));
        match answered(answer) {
            Some((200..300, _)) => {
                self.promised.extend(batch);
                200
            }
            answer => {
                let status = answer.map_or(0, |(status, _)| status);
                self.refused.push(status);
                status
            }
        }
    }
}

/// Starts the server once more without faults, lets it catch up, and holds the log and the archive
/// against the promises; the complaint, if there is one.
fn judge(place: &Place, promised: &Promised) -> anyhow::Result<Option<String>> {
    let verdict = promise::verify(place, promised)?;
    if !verdict.holds() {
        return Ok(Some(verdict.to_string()));
    }
    let mut server = match place.start() {
        Ok(server) => server,
        Err(error) => return Ok(Some(format!("does not start any more: {error}"))),
    };
    server.stop()?;
    let events = place.events()?;
    let complaint = format!(
        "{events} events in the archive of {} records",
        verdict.records
    );
    Ok((events != verdict.records as u64).then_some(complaint))
}

/// A folder below `parent` that is not there yet.
fn subfolder(parent: &Path, name: &str) -> PathBuf {
    parent.join(name)
}
