//! S7, S10, S11, S12: what an event costs, in processor time, memory and bytes, when more and more are
//! stored; how long a page of an identity takes; how soon a server that is started again answers.
//!
//! `cargo run --release --bin growth -- DEEDTRAIL FOLDER [RECORDS] [STAGES] [COMPANIES] [EVERY]`, where `FOLDER`
//! does not exist yet and `RECORDS` are those of one stage. Each of the `COMPANIES`, one unless said, has about 70
//! identities. With `EVERY` only every so many-th record of a story is sent: many identities with few
//! records. Records are made while they are sent.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use deedtrail_bench_server::Done;
use deedtrail_bench_server::server::Server;
use deedtrail_bench_server::story::{Batch, Batches};

const USAGE: &str = "usage: growth DEEDTRAIL FOLDER [RECORDS] [STAGES] [COMPANIES] [EVERY]";
const RECORDS: usize = 1_000_000;
const STAGES: usize = 10;
const CLIENTS: usize = 4;
/// Batches that wait to be sent.
const WAITING: usize = 64;
/// How often a page is asked for.
const PAGES: usize = 15;

fn main() -> Done {
    let mut arguments = std::env::args().skip(1);
    let binary = PathBuf::from(arguments.next().ok_or(USAGE)?);
    let folder = PathBuf::from(arguments.next().ok_or(USAGE)?);
    let number = |given: Option<String>, usual| given.map_or(Ok(usual), |given| given.parse());
    let records = number(arguments.next(), RECORDS)?;
    let stages = number(arguments.next(), STAGES)?;
    let companies = number(arguments.next(), 1)? as u64;
    let every = number(arguments.next(), 1)?;
    fs::create_dir(&folder)?;
    let data = folder.join("data");
    let mut server = Server::start(&binary, &data)?;
    let mut batches = Batches::new(companies)?.thinned(every);
    let mut sent = 0;
    println!(
        "records | identities | processed/s | processor time a record | resident | largest | timeline, newest 200 | an address | start | log and archive, bytes a record"
    );
    for _ in 0..stages {
        let before = server.processor_time()?;
        let begun = Instant::now();
        let (count, received) = send(&server, &mut batches, records)?;
        sent += count;
        server.wait_until_processed(sent)?;
        let (wall, processor) = (begun.elapsed(), server.processor_time()? - before);
        let (resident, largest) = (server.resident_memory()?, server.peak_memory()?);
        let timeline = page(&server, &timeline_path(&server)?)?;
        let address = page(&server, "/v1/events?text=203.0.113.77&limit=200")?;
        let start = server.restart()?;
        println!(
            "{sent} | {} | {:.0} | {:.1} µs | {} MiB | {} MiB | {} | {} | {:.1} s | {:.0} + {:.0} of {:.0}",
            identities(&server)?,
            count as f64 / wall.as_secs_f64(),
            processor.as_secs_f64() * 1e6 / count as f64,
            resident >> 20,
            largest >> 20,
            milliseconds(&timeline),
            milliseconds(&address),
            start.as_secs_f64(),
            size(&data.join("log"))? as f64 / sent as f64,
            size(&data.join("archive"))? as f64 / sent as f64,
            received as f64 / count as f64,
        );
    }
    server.stop()
}

/// Sends about this many records; how many, and their bytes.
fn send(server: &Server, batches: &mut Batches, records: usize) -> Done<(usize, usize)> {
    let (give, take) = mpsc::sync_channel::<Batch>(WAITING);
    let take = Arc::new(Mutex::new(take));
    std::thread::scope(|scope| {
        let client = |take: Arc<Mutex<mpsc::Receiver<Batch>>>| -> Done {
            loop {
                let next = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
                match next {
                    Ok(batch) => server.post(&batch)?,
                    Err(_) => return Ok(()),
                }
            }
        };
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| Arc::clone(&take))
            .map(|take| scope.spawn(move || client(take)))
            .collect();
        // When every client has failed, nobody takes any more.
        drop(take);
        let (mut count, mut bytes) = (0, 0);
        while count < records {
            let batch = batches.next()?;
            let (of_batch, bytes_of_batch) = (batch.records, batch.body.len());
            if give.send(batch).is_err() {
                break;
            }
            count += of_batch;
            bytes += bytes_of_batch;
        }
        drop(give);
        for client in clients {
            client.join().map_err(|_| "a client panicked")??;
        }
        Ok((count, bytes))
    })
}

/// The timeline of the identity that was seen last.
fn timeline_path(server: &Server) -> Done<String> {
    let list: serde_json::Value = serde_json::from_str(&server.get("/v1/identities?limit=1")?)?;
    let id = list["identities"][0]["id"].as_str().ok_or("no identity")?;
    Ok(format!("/v1/identities/{id}/timeline?limit=200"))
}

/// How many identities the server knows.
fn identities(server: &Server) -> Done<u64> {
    let list: serde_json::Value = serde_json::from_str(&server.get("/v1/identities?limit=1")?)?;
    Ok(list["total"].as_u64().ok_or("no total")?)
}

/// How long each of some requests took, sorted.
fn page(server: &Server, path: &str) -> Done<Vec<Duration>> {
    let mut took = Vec::new();
    for _ in 0..PAGES {
        let begun = Instant::now();
        server.get(path)?;
        took.push(begun.elapsed());
    }
    took.sort();
    Ok(took)
}

/// Median and largest.
fn milliseconds(took: &[Duration]) -> String {
    let at = |place: usize| took.get(place).map_or(0.0, |one| one.as_secs_f64() * 1e3);
    format!("{:.0}, {:.0} ms", at(took.len() / 2), at(took.len() - 1))
}

/// Bytes on disk of everything in a folder.
fn size(folder: &Path) -> Done<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() {
            size(&entry.path())?
        } else {
            meta.blocks() * 512
        };
    }
    Ok(bytes)
}
