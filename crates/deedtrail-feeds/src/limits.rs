//! Limits of the listeners, with their units and what happens at them.

use std::time::Duration;

/// Longest message, bytes. A longer one is refused and passed over; the connection goes on.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Most digits of an octet count (RFC 6587). With more it is the beginning of a line.
pub const COUNT_DIGITS_MAX: usize = 8;
/// Longest data of a RELP frame that is passed over, bytes. At a longer one the connection ends.
pub const SKIPPED_BYTES_MAX: usize = 64 << 20;
/// Messages after which an append is cut; those that came in one piece with the last are in it.
pub const BATCH_MESSAGES_MAX: usize = 1_000;
/// Bytes after which an append is cut; the message that reaches it is its last.
pub const BATCH_BYTES_MAX: usize = 256 << 10;
/// How long a message waits for others before the append begins. RELP does not wait: its senders do.
pub const BATCH_WAIT_MAX: Duration = Duration::from_millis(20);
/// Appends of all listeners under way at a time; further ones wait.
pub const APPENDS_MAX: usize = 16;
/// Connections of one listener at a time; further ones wait to be accepted.
pub const CONNECTIONS_MAX: usize = 1_024;
/// Connections of one address at a time; further ones are closed at once.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 256;
/// A message that has outgrown this many bytes needs one of the places below.
pub const SMALL_MESSAGE_BYTES: usize = 64 << 10;
/// Large messages being received at a time, over all listeners; further connections wait.
pub const LARGE_MESSAGES_MAX: usize = 64;
/// Longest time for a TLS handshake. Beyond it the connection is closed.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest time from a message's first byte to its last. Beyond it the connection is closed.
pub const MESSAGE_TIME_MAX: Duration = Duration::from_secs(30);
/// Longest silence between messages. Beyond it the connection is closed in order.
pub const IDLE_TIME_MAX: Duration = Duration::from_hours(1);
/// Longest time for a sender to take its answers (RELP). Beyond it the connection is closed.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// How long is read on what is under way after the server's side of a connection was closed.
pub const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);
/// How long an append is tried again after shutdown was asked for.
pub const LAST_APPEND_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest pause before an append is tried again that the log did not take.
pub const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Datagrams that wait for their append, KiB. Beyond it none is read, and the kernel drops them.
pub const DATAGRAMS_KIB_MAX: usize = 16 << 10;
/// Room asked of the kernel for datagrams that wait to be read, bytes (`net.core.rmem_max` bounds it).
pub const DATAGRAM_BUFFER_BYTES: usize = 4 << 20;
/// How often the kernel is asked how many datagrams it dropped.
pub const DROPS_EVERY: Duration = Duration::from_secs(5);
/// Different contents of one sender that are remembered, to tell copies from repetitions.
pub const CONTENTS_REMEMBERED: usize = 2_048;
/// Entries at the end of the log that are looked through at the start, for what senders may send
/// again. What is before them is stored twice if it is sent again.
pub const UNHEARD_ENTRIES: u64 = 4_096;
/// Peers of which it is remembered; with more it is forgotten of all.
pub const UNHEARD_PEERS_MAX: usize = 4_096;
/// Sessions of one peer of which it is remembered; of the oldest it is forgotten.
pub const UNHEARD_SESSIONS_MAX: usize = 16;
/// How long after its beginning a session may send again what an earlier one sent.
pub const SENT_AGAIN_TIME_MAX: Duration = Duration::from_secs(30);
