//! Kills the real server again and again and checks what clients were promised.
//!
//! Sixteen clients send batches, by every protocol that acknowledges; each remembers what was
//! acknowledged. The server is killed with SIGKILL at a random moment and started again; clients
//! repeat what was not acknowledged, and now and then what was. In the end: every acknowledged record
//! is in the log exactly once, byte-equal, with a valid proof, and the archive has as many events.

mod protocol;
mod relp;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::process::{Tally, say};
use crate::promise::{self, Promised, record};
use crate::server::{Place, Server};

use protocol::{Line, Protocol, Sender};

const CLIENTS: u64 = 16;
const BATCH_RECORDS_MAX: u64 = 200;
/// Of this many batches a client sends one again that was acknowledged.
const REPEATED_ONE_IN: u64 = 8;
/// A restart may take this long until the server answers.
const RESTART_MAX: Duration = Duration::from_secs(5);
/// A client that was not acknowledged tries again after this long.
const REPEAT_AFTER: Duration = Duration::from_millis(50);
/// A client that gets no answer for this long is itself a failure.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// What the clients and the killer share.
struct Field {
    /// Where the server is; its ports change with every restart.
    line: Mutex<Line>,
    /// Tells clients that wait for it that the server is somewhere else.
    has_moved: Condvar,
    over: AtomicBool,
    sent: AtomicU64,
    repeated: AtomicU64,
    promised: Mutex<Promised>,
}

impl Field {
    fn line(&self) -> Line {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.clone()
    }

    fn moved(&self, server: &Server, token: &str) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        *line = Line::to(server, token);
        self.has_moved.notify_all();
    }

    /// Waits until the server has moved, or for [`REPEAT_AFTER`]: clients that try again at once
    /// would take the cores from a server that starts.
    fn wait(&self) {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.has_moved.wait_timeout(line, REPEAT_AFTER));
    }
}

pub(crate) fn run(binary: &Path, cycles: u32, seed: u64) -> anyhow::Result<Tally> {
    let folder = tempfile::tempdir()?;
    let place = Place::new(binary, folder.path(), &protocol::settings(folder.path())?)?;
    let mut server = place.start()?;
    let token = place.token("crash", "ingest")?;
    let field = Arc::new(Field {
        line: Mutex::new(Line::to(&server, &token)),
        has_moved: Condvar::new(),
        over: AtomicBool::new(false),
        sent: AtomicU64::new(0),
        repeated: AtomicU64::new(0),
        promised: Mutex::default(),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let field = Arc::clone(&field);
            let seed = seed.wrapping_mul(1000).wrapping_add(number);
            std::thread::spawn(move || client(&field, number, seed))
        })
        .collect();
    let slowest = kill_cycles(&place, &mut server, &field, (cycles, seed))?;
    field.over.store(true, Ordering::SeqCst);
    for client in clients {
        client
            .join()
            .map_err(|_| anyhow::anyhow!("a client panicked"))??;
    }
    server.stop()?;
    let events = place.events()?;
    let promised = field
        .promised
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let verdict = promise::verify(&place, &promised)?;
    say(format_args!(
        "crash: {cycles} kills, {} records sent and {} sent again, slowest restart {:.2} s; {verdict}, \
         {events} events in the archive",
        field.sent.load(Ordering::SeqCst),
        field.repeated.load(Ordering::SeqCst),
        slowest.as_secs_f64()
    ));
    let is_whole = verdict.promised > 0 && events == verdict.records as u64;
    let mut tally = Tally::one(verdict.holds() && is_whole);
    tally.add(Tally::one(slowest <= RESTART_MAX));
    Ok(tally)
}

/// Kills and starts the server; how long the slowest start took.
fn kill_cycles(
    place: &Place,
    server: &mut Server,
    field: &Field,
    (cycles, seed): (u32, u64),
) -> anyhow::Result<Duration> {
    let token = field.line().token;
    let mut random = fastrand::Rng::with_seed(seed);
    let (_timer, alarm) = mpsc::channel::<()>();
    let mut slowest = Duration::ZERO;
    for _ in 0..cycles {
        // Nobody sends: the receiver is only a clock that does not busy-wait.
        if alarm
            .recv_timeout(Duration::from_millis(random.u64(50..600)))
            .is_ok()
        {
            break;
        }
        server.kill()?;
        let begun = Instant::now();
        *server = place.start()?;
        slowest = slowest.max(begun.elapsed());
        field.moved(server, &token);
    }
    Ok(slowest)
}

/// Sends batches until the end; repeats a batch until it is acknowledged, and some once more.
fn client(field: &Field, number: u64, seed: u64) -> anyhow::Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut sender = Sender::new(Protocol::of(number), SILENCE_MAX);
    let mut batch_number = 0_u64;
    while !field.over.load(Ordering::SeqCst) {
        let count = random.u64(1..=BATCH_RECORDS_MAX);
        let batch: Vec<(String, String)> = (0..count)
            .map(|place| {
                let id = format!("c{number}-b{batch_number}-r{place}");
                let record = record(&id, &"x".repeat(random.usize(0..400)));
                (id, record)
            })
            .collect();
        batch_number += 1;
        let records: Vec<&str> = batch.iter().map(|(_, record)| record.as_str()).collect();
        send_until_promised(field, &mut sender, &records)?;
        field.sent.fetch_add(count, Ordering::SeqCst);
        if random.u64(0..REPEATED_ONE_IN) == 0 {
            send_until_promised(field, &mut sender, &records)?;
            field.repeated.fetch_add(count, Ordering::SeqCst);
        }
        field
            .promised
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(batch);
    }
    Ok(())
}

fn send_until_promised(field: &Field, sender: &mut Sender, records: &[&str]) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        match sender.send(&field.line(), records) {
            Some(200..300) => return Ok(()),
            Some(status) if !matches!(status, 429 | 503) => {
                anyhow::bail!("the server answered {status}");
            }
            _ => {
                let waited = begun.elapsed();
                anyhow::ensure!(waited < SILENCE_MAX, "no acknowledgement in {waited:?}");
                field.wait();
            }
        }
    }
}
