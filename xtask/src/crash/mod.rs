//! Kills the real server again and again and checks what clients were promised.
//!
//! Sixteen clients send batches, by every protocol that acknowledges; each remembers what was
//! acknowledged. The server is killed with SIGKILL at a random moment and started again; clients
//! repeat what was not acknowledged, and now and then what was. In the end: every acknowledged record
//! is in the log exactly once, byte-equal, with a valid proof, and the archive has as many events.

mod field;
mod protocol;
mod relp;
pub(crate) mod retries;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::process::{Tally, say};
use crate::promise::{self, Promised, record};
use crate::server::{Place, Server};

use field::{Field, SILENCE_MAX};
use protocol::{Line, Protocol, Sender};

const CLIENTS: u64 = 16;
/// Records of a batch; of more kills than [`FULL_BATCH_KILLS`] fewer, so that a run of a thousand ends with
/// as many records to remember, read back and prove.
const BATCH_RECORDS_MAX: u64 = 200;
const BATCH_RECORDS_MIN: u64 = 10;
const FULL_BATCH_KILLS: u64 = 50;
/// Of this many batches a client sends one again that was acknowledged.
const REPEATED_ONE_IN: u64 = 8;
/// A restart may take this long until the server answers.
const RESTART_MAX: Duration = Duration::from_secs(5);
/// What the clients remember.
#[derive(Default)]
struct Memory {
    sent: AtomicU64,
    repeated: AtomicU64,
    promised: Mutex<Promised>,
}

pub(crate) fn run(binary: &Path, cycles: u32, seed: u64) -> anyhow::Result<Tally> {
    let folder = tempfile::tempdir()?;
    let place = Place::new(binary, folder.path(), &protocol::settings(folder.path())?)?;
    let mut server = place.start()?;
    let token = place.token("crash", "ingest")?;
    let field = Arc::new(Field::of(Line::to(&server, &token)));
    let memory = Arc::new(Memory::default());
    let batch_max = batch_records_max(cycles.into());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (field, memory) = (Arc::clone(&field), Arc::clone(&memory));
            let seed = seed.wrapping_mul(1000).wrapping_add(number);
            std::thread::spawn(move || client(&field, &memory, (number, seed), batch_max))
        })
        .collect();
    let slowest = kill_cycles(&place, &mut server, &field, (cycles, seed))?;
    field.end();
    for client in clients {
        client
            .join()
            .map_err(|_| anyhow::anyhow!("a client panicked"))??;
    }
    server.stop()?;
    let events = place.events()?;
    let promised = memory
        .promised
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let verdict = promise::verify(&place, &promised)?;
    say(format_args!(
        "crash: {cycles} kills, {} records sent and {} sent again, slowest restart {:.2} s; {verdict}, \
         {events} events in the archive",
        memory.sent.load(Ordering::SeqCst),
        memory.repeated.load(Ordering::SeqCst),
        slowest.as_secs_f64()
    ));
    let is_whole = verdict.promised > 0 && events == verdict.records as u64;
    let mut tally = Tally::one(verdict.holds() && is_whole);
    tally.add(Tally::one(slowest <= RESTART_MAX));
    Ok(tally)
}

fn batch_records_max(kills: u64) -> u64 {
    let share = BATCH_RECORDS_MAX * FULL_BATCH_KILLS / kills.max(1);
    share.clamp(BATCH_RECORDS_MIN, BATCH_RECORDS_MAX)
}

/// Kills and starts the server; how long the slowest start took.
fn kill_cycles(
    place: &Place,
    server: &mut Server,
    field: &Field,
    (cycles, seed): (u32, u64),
) -> anyhow::Result<Duration> {
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
        field.moved(server);
    }
    Ok(slowest)
}

/// Sends batches until the end; repeats a batch until it is acknowledged, and some once more.
fn client(
    field: &Field,
    memory: &Memory,
    (number, seed): (u64, u64),
    batch_max: u64,
) -> anyhow::Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut sender = Sender::new(Protocol::of(number), SILENCE_MAX);
    let mut batch_number = 0_u64;
    while !field.is_over() {
        let count = random.u64(1..=batch_max);
        let batch: Vec<(String, String)> = (0..count)
            .map(|place| {
                let id = format!("c{number}-b{batch_number}-r{place}");
                let record = record(&id, &"x".repeat(random.usize(0..400)));
                (id, record)
            })
            .collect();
        batch_number += 1;
        let records: Vec<&str> = batch.iter().map(|(_, record)| record.as_str()).collect();
        field.send_until_promised(&mut sender, &records)?;
        memory.sent.fetch_add(count, Ordering::SeqCst);
        if random.u64(0..REPEATED_ONE_IN) == 0 {
            field.send_until_promised(&mut sender, &records)?;
            memory.repeated.fetch_add(count, Ordering::SeqCst);
        }
        memory
            .promised
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(batch);
    }
    Ok(())
}
