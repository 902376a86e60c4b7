//! Kills the real server again and again and checks what clients were promised.
//!
//! Sixteen clients send batches, by every protocol over HTTP that acknowledges; each remembers what was acknowledged. The server is killed with
//! SIGKILL at a random moment and started again; clients repeat what was not acknowledged. In the
//! end: every acknowledged record is in the log exactly once, byte-equal, with a valid proof.

mod protocol;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _};

use crate::process::{Tally, say};

use protocol::Protocol;

const CLIENTS: u64 = 16;
const BATCH_RECORDS_MAX: u64 = 200;
/// A restart may take this long until the server answers.
const RESTART_MAX: Duration = Duration::from_secs(5);
/// A client that gets no answer for this long is itself a failure.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// What the clients were promised: id and record.
type Promised = Arc<Mutex<BTreeMap<String, String>>>;

/// What the clients and the killer share.
struct Field {
    /// Address and token; the port changes with every restart.
    server: Mutex<(String, String)>,
    over: AtomicBool,
    sent: AtomicU64,
    promised: Promised,
}

pub(crate) fn run(binary: &Path, cycles: u32, seed: u64) -> anyhow::Result<Tally> {
    let data = tempfile::tempdir()?;
    protocol::configure(data.path())?;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut server = start(binary, data.path())?;
    let token = create_token(binary, data.path())?;
    let field = Arc::new(Field {
        server: Mutex::new((server.address.clone(), token.clone())),
        over: AtomicBool::new(false),
        sent: AtomicU64::new(0),
        promised: Arc::default(),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let field = Arc::clone(&field);
            let seed = seed.wrapping_mul(1000).wrapping_add(number);
            std::thread::spawn(move || client(&field, number, seed))
        })
        .collect();
    let (timer, alarm) = mpsc::channel::<()>();
    let mut slowest = Duration::ZERO;
    for _ in 0..cycles {
        // Nobody sends: the receiver is only a clock that does not busy-wait.
        if alarm
            .recv_timeout(Duration::from_millis(random.u64(50..600)))
            .is_ok()
        {
            break;
        }
        server.process.kill()?;
        server.process.wait()?;
        let begun = Instant::now();
        server = start(binary, data.path())?;
        slowest = slowest.max(begun.elapsed());
        *field.server.lock().unwrap_or_else(PoisonError::into_inner) =
            (server.address.clone(), token.clone());
    }
    drop(timer);
    field.over.store(true, Ordering::SeqCst);
    for client in clients {
        client
            .join()
            .map_err(|_| anyhow::anyhow!("a client panicked"))??;
    }
    server.stop()?;
    let verdict = verify(binary, data.path(), &field)?;
    say(format_args!(
        "crash: {cycles} kills, {} records sent, slowest restart {:.2} s; {verdict}",
        field.sent.load(Ordering::SeqCst),
        slowest.as_secs_f64()
    ));
    let mut tally = Tally::one(verdict.holds());
    tally.add(Tally::one(slowest <= RESTART_MAX));
    Ok(tally)
}

struct Server {
    process: Child,
    address: String,
}

impl Server {
    /// Asks for an orderly end, as an operator would.
    fn stop(&mut self) -> anyhow::Result<()> {
        let ended = Command::new("kill")
            .arg(self.process.id().to_string())
            .status()?;
        anyhow::ensure!(ended.success(), "SIGTERM could not be sent");
        let status = self.process.wait()?;
        anyhow::ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

fn deedtrail(binary: &Path, data: &Path) -> Command {
    let mut command = Command::new(binary);
    command
        .arg("--data")
        .arg(data.join("data"))
        .arg("--config")
        .arg(data.join(protocol::CONFIGURATION))
        .env("XDG_STATE_HOME", data.join("state"));
    command
}

/// Starts the server and waits until it says where it serves.
fn start(binary: &Path, data: &Path) -> anyhow::Result<Server> {
    let mut process = deedtrail(binary, data)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let stderr = process.stderr.take().context("no standard error")?;
    let mut lines = BufReader::new(stderr).lines();
    let mut talk = String::new();
    for line in lines.by_ref() {
        let line = line?;
        if let Some((_, rest)) = line.split_once(" on http://") {
            let address = rest.trim().to_owned();
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(Server { process, address });
        }
        talk.push_str(&line);
        talk.push('\n');
    }
    anyhow::bail!("the server did not start:\n{talk}")
}

fn create_token(binary: &Path, data: &Path) -> anyhow::Result<String> {
    let output = deedtrail(binary, data)
        .args(["token", "create", "crash", "--scope", "ingest"])
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A record in the shape of the first source, unique by `id`.
fn record(id: &str, random: &mut fastrand::Rng) -> String {
    let padding = "x".repeat(random.usize(0..400));
    format!(
        "{{\"eventVersion\":\"1.08\",\"userIdentity\":{{\"type\":\"IAMUser\",\"principalId\":\"AIDAEXAMPLE\",\
         \"arn\":\"arn:aws:iam::111122223333:user/crash\",\"accountId\":\"111122223333\",\"userName\":\"crash\"}},\
         \"eventTime\":\"2026-11-01T00:00:00Z\",\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"PutObject\",\
         \"awsRegion\":\"eu-central-1\",\"sourceIPAddress\":\"192.0.2.7\",\"userAgent\":\"{padding}\",\
         \"requestParameters\":{{\"bucketName\":\"crash\",\"key\":\"{id}\"}},\"eventID\":\"{id}\"}}"
    )
}

/// Sends batches until the end; repeats a batch until it is acknowledged.
fn client(field: &Field, number: u64, seed: u64) -> anyhow::Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(SILENCE_MAX))
        .build()
        .into();
    let protocol = Protocol::of(number);
    let mut batch_number = 0_u64;
    while !field.over.load(Ordering::SeqCst) {
        let count = random.u64(1..=BATCH_RECORDS_MAX);
        let batch: Vec<(String, String)> = (0..count)
            .map(|place| {
                let id = format!("c{number}-b{batch_number}-r{place}");
                let record = record(&id, &mut random);
                (id, record)
            })
            .collect();
        batch_number += 1;
        let records: Vec<&str> = batch.iter().map(|(_, record)| record.as_str()).collect();
        send_until_promised(field, &agent, protocol, &protocol.body(&records))?;
        field.sent.fetch_add(count, Ordering::SeqCst);
        field
            .promised
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(batch);
    }
    Ok(())
}

fn send_until_promised(
    field: &Field,
    agent: &ureq::Agent,
    protocol: Protocol,
    body: &str,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let (address, token) = field
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut request = agent.post(format!("http://{address}{}", protocol.path()));
        for (name, value) in protocol.headers(&token, body) {
            request = request.header(name, value);
        }
        let answer = request.send(body);
        match answer {
            Ok(_) => return Ok(()),
            Err(ureq::Error::StatusCode(status)) if !matches!(status, 429 | 503) => {
                anyhow::bail!("the server answered {status}");
            }
            Err(error) => {
                let waited = begun.elapsed();
                anyhow::ensure!(
                    waited < SILENCE_MAX,
                    "no acknowledgement in {waited:?}: {error}"
                );
                std::thread::yield_now();
            }
        }
    }
}

/// What became of the promises.
#[derive(Debug, Default)]
struct Verdict {
    promised: usize,
    lost: usize,
    twice: usize,
    altered: usize,
    unproven: usize,
    events: u64,
    records: usize,
}

impl Verdict {
    fn holds(&self) -> bool {
        let broken = self.lost + self.twice + self.altered + self.unproven;
        broken == 0 && self.promised > 0 && self.events == self.records as u64
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} acknowledged: {} lost, {} duplicated, {} altered, {} without a valid proof; \
             {} records in the log, {} events in the archive",
            self.promised,
            self.lost,
            self.twice,
            self.altered,
            self.unproven,
            self.records,
            self.events
        )
    }
}

/// Reads the whole log and holds it against the promises.
fn verify(binary: &Path, data: &Path, field: &Field) -> anyhow::Result<Verdict> {
    let events = count_events(binary, data)?;
    let promised = field
        .promised
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let log = open_log(
        &data.join("data"),
        &data.join("state/deedtrail/checkpoints"),
    )?;
    let mut verdict = Verdict {
        promised: promised.len(),
        events,
        ..Verdict::default()
    };
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let key = log.verifier_key();
    let mut next = 0;
    loop {
        let entries = log.read(next, 8 << 20)?;
        let Some(last) = entries.last() else { break };
        next = last.sequence + 1;
        for entry in entries
            .iter()
            .filter(|entry| entry.entry.kind == EntryKind::Record)
        {
            let bytes = entry.bytes();
            let value: serde_json::Value = serde_json::from_slice(&bytes)?;
            let id = value["eventID"]
                .as_str()
                .context("a record without id")?
                .to_owned();
            verdict.records += 1;
            if let Some(record) = promised.get(&id) {
                verdict.altered += usize::from(record.as_bytes() != bytes.as_ref());
                let proof = log.prove(entry.sequence)?;
                let valid = deedtrail_evidence::proof::verify_entry(entry, &proof, &key).is_ok();
                verdict.unproven += usize::from(!valid);
            }
            *seen.entry(id).or_default() += 1;
        }
    }
    verdict.lost = promised.keys().filter(|id| !seen.contains_key(*id)).count();
    verdict.twice = seen.values().filter(|times| **times > 1).count();
    Ok(verdict)
}

fn count_events(binary: &Path, data: &Path) -> anyhow::Result<u64> {
    let output = deedtrail(binary, data)
        .args([
            "query",
            "--format",
            "json",
            "SELECT count(*) AS n FROM events",
        ])
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let row: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    row["n"].as_u64().context("no count")
}

fn open_log(data: &Path, checkpoints: &Path) -> anyhow::Result<deedtrail_evidence::Log> {
    let config = deedtrail_evidence::LogConfig::new(data, checkpoints);
    let log = deedtrail_evidence::Log::open(
        &config,
        Arc::new(deedtrail_evidence::disk::RealDisk),
        Arc::new(Fixed),
        Arc::new(Fixed),
    )?;
    log.seal()?;
    Ok(log)
}

/// A clock that stands still: reading a log needs neither time nor randomness.
#[derive(Debug)]
struct Fixed;

impl deedtrail_core::port::Clock for Fixed {
    fn now(&self) -> deedtrail_core::time::Timestamp {
        deedtrail_core::time::Timestamp::default()
    }
}

impl deedtrail_core::port::Entropy for Fixed {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}
