//! Records that are sent again and again while the server is killed: each content must be in the log
//! once.
//!
//! Clients draw from one stock of records, so that several send the same at the same time, in any
//! order, over every protocol, before and after crashes. A third of the stock has an id of its own; a
//! third comes in pairs, two contents under one id, which are two records; a third has no id and is
//! known by what it says (over the protocols for which that holds). The stock opens as they send: half of what they draw is among the newest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use deedtrail_core::port::log::{EntryKind, EvidenceLog as _};

use crate::process::{Tally, say};
use crate::promise::{open_log, record};
use crate::server::Place;

use super::field::{Field, SILENCE_MAX};
use super::protocol::{self, Line, Protocol, Sender};

const CLIENTS: u64 = 16;
const BATCH_RECORDS_MAX: u64 = 1_000;
/// Sends of each record of the stock, on average.
const SENDS_EACH: u64 = 50;
const STOCK_MAX: u64 = 200_000;
/// Records of the stock that count as the newest.
const NEWEST: u64 = 2_000;
/// Kinds of records, in turn, and which of them has no id.
const KINDS: usize = 3;
const WITHOUT_ID: usize = 2;

/// How much is sent.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Amount {
    /// Records that are sent although they were acknowledged, or while somebody else sends them
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) count: u64,
    #[arg(long, default_value_t = 100)]
    pub(crate) kills: u64,
    /// Seed of what is sent again
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// The records there are, and which of them were acknowledged.
struct Stock {
    records: Vec<String>,
    promised: Vec<AtomicBool>,
    /// Sends that were acknowledged.
    sent: AtomicU64,
    /// Sends in all.
    wanted: u64,
}

impl Stock {
    fn of(retries: u64) -> Self {
        let size = (retries / SENDS_EACH).clamp(3, STOCK_MAX);
        let records: Vec<String> = (0..size).map(content).collect();
        Self {
            promised: records.iter().map(|_| AtomicBool::new(false)).collect(),
            records,
            sent: AtomicU64::new(0),
            wanted: retries + size,
        }
    }

    /// Places of some records, all different: without an id, two of one delivery are two records.
    fn draw(&self, random: &mut fastrand::Rng, protocol: Protocol) -> BTreeSet<usize> {
        let size = self.records.len() as u64;
        let open = (size * self.sent.load(Ordering::Relaxed) / self.wanted.max(1)) + NEWEST;
        let open = open.min(size);
        let count = random.u64(1..=BATCH_RECORDS_MAX);
        let one = |_| {
            let from = if random.bool() {
                open.saturating_sub(NEWEST)
            } else {
                0
            };
            usize::try_from(random.u64(from..open)).unwrap_or(0)
        };
        let drawn = (0..count).map(one);
        let is_known_again = |at: &usize| protocol.knows_contents() || at % KINDS != WITHOUT_ID;
        drawn.filter(is_known_again).collect()
    }
}

/// The record at a place of the stock.
fn content(place: u64) -> String {
    match place % KINDS as u64 {
        0 => record(&format!("own-{place}"), ""),
        1 => record(
            &format!("shared-{}", place / 6),
            &format!("content {}", place % 6),
        ),
        _ => {
            let with_id = record("none", &format!("known by its content, {place}"));
            with_id.replace(",\"eventID\":\"none\"", "")
        }
    }
}

/// What the log has of the stock.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    lost: usize,
    twice: usize,
    foreign: usize,
    records: u64,
}

pub(crate) fn run(binary: &Path, amount: Amount) -> anyhow::Result<Tally> {
    let folder = tempfile::tempdir()?;
    let place = Place::new(binary, folder.path(), &protocol::settings(folder.path())?)?;
    let stock = Arc::new(Stock::of(amount.count));
    let kills = send(&place, &stock, amount)?;
    let events = place.events()?;
    let found = compare(&place, &stock)?;
    let sent = stock.sent.load(Ordering::SeqCst);
    let Found {
        lost,
        twice,
        foreign,
        records,
    } = found;
    say(format_args!(
        "retries: {sent} records sent of a stock of {}, {kills} kills; {records} in the log, {lost} \
         merged wrongly or lost, {twice} duplicated, {foreign} altered; {events} events in the archive",
        stock.records.len()
    ));
    let is_exact = lost + twice + foreign == 0 && records > 0 && events == records;
    Ok(Tally::one(
        is_exact && sent >= stock.wanted && kills == amount.kills,
    ))
}

/// Lets the clients send until it is enough; the server dies so often meanwhile.
fn send(place: &Place, stock: &Arc<Stock>, amount: Amount) -> anyhow::Result<u64> {
    let mut server = place.start()?;
    let token = place.token("retries", "ingest")?;
    let field = Arc::new(Field::of(Line::to(&server, &token)));
    let (tell, told) = mpsc::channel();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (field, stock, tell) = (Arc::clone(&field), Arc::clone(stock), tell.clone());
            let seed = amount.seed.wrapping_mul(1000).wrapping_add(number);
            std::thread::spawn(move || client(&field, &stock, (number, seed), &tell))
        })
        .collect();
    drop(tell);
    let mut kills = 0;
    // Ends as well when no client is left.
    while let Ok(sent) = told.recv() {
        if sent >= stock.wanted {
            break;
        }
        if sent > (kills + 1) * stock.wanted / (amount.kills + 1) {
            kills += 1;
            server.kill()?;
            server = place.start()?;
            field.moved(&server);
        }
    }
    field.end();
    drop(told);
    for client in clients {
        let ended = client.join();
        ended.map_err(|_| anyhow::anyhow!("a client panicked"))??;
    }
    server.stop()?;
    Ok(kills)
}

fn client(
    field: &Field,
    stock: &Stock,
    (number, seed): (u64, u64),
    tell: &mpsc::Sender<u64>,
) -> anyhow::Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let protocol = Protocol::of(number);
    let mut sender = Sender::new(protocol, SILENCE_MAX);
    while !field.is_over() {
        let mut drawn: Vec<usize> = stock.draw(&mut random, protocol).into_iter().collect();
        random.shuffle(&mut drawn);
        let records: Vec<&str> = drawn.iter().map(|at| stock.records[*at].as_str()).collect();
        field.send_until_promised(&mut sender, &records)?;
        for at in &drawn {
            stock.promised[*at].store(true, Ordering::Relaxed);
        }
        let count = drawn.len() as u64;
        let before = stock.sent.fetch_add(count, Ordering::SeqCst);
        if tell.send(before + count).is_err() {
            break;
        }
    }
    Ok(())
}

/// Reads the whole log and counts each content of the stock.
fn compare(place: &Place, stock: &Stock) -> anyhow::Result<Found> {
    let log = open_log(&place.data(), &place.checkpoints())?;
    let places = stock.records.iter().enumerate();
    let places: BTreeMap<&[u8], usize> = places.map(|(at, r)| (r.as_bytes(), at)).collect();
    let mut times = vec![0_u32; stock.records.len()];
    let mut found = Found::default();
    let mut next = 0;
    loop {
        let entries = log.read(next, 8 << 20)?;
        let Some(last) = entries.last() else { break };
        next = last.sequence + 1;
        let records = entries
            .iter()
            .filter(|entry| entry.entry.kind == EntryKind::Record);
        for entry in records {
            found.records += 1;
            match places.get(entry.bytes().as_ref()) {
                Some(at) => times[*at] += 1,
                None => found.foreign += 1,
            }
        }
    }
    let promised = stock.promised.iter().map(|it| it.load(Ordering::SeqCst));
    found.lost = promised.zip(&times).filter(|it| it.0 && *it.1 == 0).count();
    found.twice = times.iter().filter(|times| **times > 1).count();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_contents_differ_and_pairs_share_an_id() {
        let all: Vec<String> = (0..600).map(content).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 600);
        let id = |record: &String| {
            let value: serde_json::Value = serde_json::from_str(record).unwrap();
            value["eventID"].as_str().map(str::to_owned)
        };
        assert_eq!(id(&all[1]), id(&all[4]));
        assert_ne!(id(&all[4]), id(&all[7]));
        assert_eq!(id(&all[2]), None);
        let ids: BTreeSet<_> = all.iter().filter_map(id).collect();
        assert_eq!(ids.len(), 300);
    }
}
