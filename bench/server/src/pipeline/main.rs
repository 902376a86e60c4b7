//! S3: the whole pipeline, as a server runs it. Batches of the story's records, sources mixed, are
//! posted by several clients: framed, mapped, made durable, resolved, judged, archived.
//!
//! `cargo run --release --bin pipeline -- DEEDTRAIL FOLDER [RECORDS]`, where `DEEDTRAIL` is the
//! binary to measure and `FOLDER` does not exist yet.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use deedtrail_bench_server::Done;
use deedtrail_bench_server::server::Server;
use deedtrail_bench_server::story::{Batch, Batches};

const USAGE: &str = "usage: pipeline DEEDTRAIL FOLDER [RECORDS]";
const RECORDS: usize = 600_000;
const CLIENTS: usize = 4;

fn main() -> Done {
    let mut arguments = std::env::args().skip(1);
    let binary = PathBuf::from(arguments.next().ok_or(USAGE)?);
    let folder = PathBuf::from(arguments.next().ok_or(USAGE)?);
    let wanted = arguments
        .next()
        .map_or(Ok(RECORDS), |count| count.parse())?;
    fs::create_dir(&folder)?;
    let batches = Batches::new(1)?.take(wanted)?;
    let records: usize = batches.iter().map(|batch| batch.records).sum();
    let bytes: usize = batches.iter().map(|batch| batch.body.len()).sum();
    println!(
        "{records} records, {bytes} bytes, in {} batches; {CLIENTS} clients",
        batches.len()
    );

    let server = Server::start(&binary, &folder.join("data"))?;
    let before = server.processor_time()?;
    let started = Instant::now();
    post_all(&server, &batches)?;
    show("durable and acknowledged", records, started.elapsed());
    server.wait_until_processed(records)?;
    show("processed", records, started.elapsed());
    let (processor, memory) = (server.processor_time()? - before, server.peak_memory()?);
    server.stop()?;
    show("archived, stopped", records, started.elapsed());
    show(
        "server's processor time until processed",
        records,
        processor,
    );
    println!("server's largest memory: {} MiB", memory >> 20);
    Ok(())
}

fn post_all(server: &Server, batches: &[Batch]) -> Done {
    let next = AtomicUsize::new(0);
    let client = || -> Done {
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            server.post(batch)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().try_for_each(|client| {
            client.join().map_err(|_| "a client panicked")??;
            Ok(())
        })
    })
}

fn show(what: &str, records: usize, took: Duration) {
    let (count, seconds) = (records as f64, took.as_secs_f64());
    println!("{what}: {seconds:.1} s, {:.0} records/s", count / seconds);
}
