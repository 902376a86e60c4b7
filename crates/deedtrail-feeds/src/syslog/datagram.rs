//! Syslog in datagrams (RFC 5426): a message each, and nobody to slow down.

use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use deedtrail_app::figures::ListenerCounters;
use tokio::net::UdpSocket;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::accept::Allowed;
use crate::door::{Batch, Door};
use crate::limits::{BATCH_WAIT_MAX, DATAGRAMS_KIB_MAX, DROPS_EVERY};
use crate::unheard::keys_of_stream;

/// Longest datagram, bytes.
const DATAGRAM_BYTES_MAX: usize = 64 << 10;
/// Datagrams that are read before it is looked whether to stop.
const DATAGRAMS_AT_A_TIME: usize = 256;
/// Datagrams that are still taken from the kernel when the listener stops.
const LAST_DATAGRAMS_MAX: usize = 10_000;

/// A message, and its share of the memory that all of them have.
type Waiting = (Vec<u8>, OwnedSemaphorePermit);

/// Takes datagrams until told to stop.
pub(crate) async fn serve(socket: UdpSocket, allowed: Allowed, door: Door) {
    let socket = Arc::new(socket);
    let (sender, receiver) = unbounded_channel();
    let taken = async {
        tokio::join!(
            receive(&socket, &allowed, &door, sender),
            append(&door, receiver),
        );
    };
    tokio::select! {
        () = taken => {}
        () = watch_drops(&socket, &door.counters) => {}
    }
    if let Some(drops) = drops(&socket) {
        door.counters.lost.store(drops, Relaxed);
    }
}

/// Reads as long as there is room; beyond it the kernel drops, and counts.
async fn receive(
    socket: &UdpSocket,
    allowed: &Allowed,
    door: &Door,
    sender: UnboundedSender<Waiting>,
) {
    let mut intake = Intake {
        allowed,
        door,
        sender,
        room: Arc::new(Semaphore::new(DATAGRAMS_KIB_MAX)),
        buffer: vec![0; DATAGRAM_BYTES_MAX],
    };
    loop {
        tokio::select! {
            biased;
            () = door.stop.requested() => break,
            // An error shows again when it is read.
            _ = socket.readable() => {}
        }
        for _ in 0..DATAGRAMS_AT_A_TIME {
            match intake.next(socket) {
                Next::None => break,
                Next::Passed => {}
                Next::Message(message, kib) => {
                    let share = Arc::clone(&intake.room).acquire_many_owned(kib).await;
                    if !intake.pass_on(message, share.ok()) {
                        return;
                    }
                }
            }
        }
    }
    for _ in 0..LAST_DATAGRAMS_MAX {
        match intake.next(socket) {
            Next::None => return,
            Next::Passed => {}
            Next::Message(message, kib) => {
                let share = Arc::clone(&intake.room).try_acquire_many_owned(kib);
                if !intake.pass_on(message, share.ok()) {
                    return;
                }
            }
        }
    }
}

struct Intake<'a> {
    allowed: &'a Allowed,
    door: &'a Door,
    sender: UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
    buffer: Vec<u8>,
}

/// What has come.
enum Next {
    None,
    /// A stranger's datagram, or an empty one.
    Passed,
    /// A message, with the room it needs, KiB.
    Message(Vec<u8>, u32),
}

impl Intake<'_> {
    fn next(&mut self, socket: &UdpSocket) -> Next {
        let Ok((bytes, from)) = socket.try_recv_from(&mut self.buffer) else {
            return Next::None;
        };
        if !self.allowed.contains(from.ip()) {
            self.door.deny(from, "its address is not in `allow`");
            return Next::Passed;
        }
        if bytes == 0 {
            return Next::Passed;
        }
        Next::Message(self.buffer[..bytes].to_vec(), kib(bytes))
    }

    /// False when nobody is there to take it.
    fn pass_on(&self, message: Vec<u8>, share: Option<OwnedSemaphorePermit>) -> bool {
        share.is_some_and(|share| self.sender.send((message, share)).is_ok())
    }
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

async fn append(door: &Door, mut receiver: UnboundedReceiver<Waiting>) {
    let mut keys = keys_of_stream(&door.app, &door.principal.name);
    while let Some((message, share)) = receiver.recv().await {
        let (mut batch, mut shares) = (Batch::default(), vec![share]);
        batch.push(message);
        let ends = Instant::now() + BATCH_WAIT_MAX;
        while !batch.is_full() {
            let Ok(Some((message, share))) = timeout_at(ends, receiver.recv()).await else {
                break;
            };
            batch.push(message);
            shares.push(share);
        }
        let count = batch.messages.len();
        if door.append(batch, &mut keys).await.is_err() {
            let listener = &door.principal.name;
            tracing::error!(%listener, count, "datagrams are lost: the log took none of them before the end");
        }
    }
}

/// Asks the kernel now and then how many datagrams it dropped.
async fn watch_drops(socket: &UdpSocket, counters: &ListenerCounters) {
    let mut interval = tokio::time::interval(DROPS_EVERY);
    loop {
        interval.tick().await;
        let Some(now) = drops(socket) else { continue };
        let before = counters.lost.swap(now, Relaxed);
        if now > before {
            let lost = now - before;
            tracing::warn!(
                lost,
                "the kernel dropped datagrams: they came faster than they are stored"
            );
        }
    }
}

/// Datagrams that this socket lost for want of room, as Linux tells; `None` elsewhere.
fn drops(socket: &UdpSocket) -> Option<u64> {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok()?;
    let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
    let tables = ["/proc/self/net/udp", "/proc/self/net/udp6"];
    let tables = tables
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok());
    tables.into_iter().find_map(|table| dropped(&table, inode))
}

/// Last column of the row whose tenth is `inode` (`/proc/net/udp`).
fn dropped(table: &str, inode: &str) -> Option<u64> {
    table.lines().skip(1).find_map(|row| {
        let mut columns = row.split_whitespace().skip(9);
        (columns.next()? == inode).then(|| columns.nth(2)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_of_the_socket_tells_what_was_dropped() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n \
                      7112: 0100007F:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 3\n \
                      7113: 0100007F:0203 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 42\n";
        assert_eq!(dropped(table, "4712"), Some(42));
        assert_eq!(dropped(table, "4710"), None);
    }
}
