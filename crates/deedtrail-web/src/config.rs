//! Limits and settings of the HTTP surface.

use std::time::Duration;

use deedtrail_core::limits::{BODY_PAUSE_MAX, BODY_RATE_GRACE, REQUEST_BYTES_MAX};

use crate::gate::PerMinute;

/// How browsers reach the server; decides the name and the attributes of the session cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Plain HTTP on loopback.
    #[default]
    LoopbackHttp,
    /// HTTPS, here or at a proxy in front.
    Https,
}

/// Settings of the HTTP surface.
#[derive(Clone, Copy, Debug)]
pub struct WebConfig {
    pub transport: Transport,
    /// Deliveries that are read and appended at the same time; further ones wait
    /// `ingest_wait_max` and are then answered 429.
    pub ingest_concurrent_max: usize,
    /// How long a delivery waits for its turn.
    pub ingest_wait_max: Duration,
    /// Largest body of a delivery as sent (still compressed), bytes. Beyond it: 413.
    pub ingest_bytes_max: usize,
    /// Longest pause within a body. Beyond it: 408, nothing of it stored.
    pub body_pause_max: Duration,
    /// After this time a body has to have come at `BODY_BYTES_PER_SECOND_MIN`. Beyond it: 408.
    pub body_rate_grace: Duration,
    /// An answer takes at most this long, the body of the request included. Beyond it: 408; a delivery may be sent again safely.
    pub request_time_max: Duration,
    /// `/readyz` fails while more log entries than this wait for the pipeline.
    pub ready_lag_max: u64,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            transport: Transport::LoopbackHttp,
            ingest_concurrent_max: 8,
            ingest_wait_max: Duration::from_millis(500),
            ingest_bytes_max: REQUEST_BYTES_MAX,
            body_pause_max: BODY_PAUSE_MAX,
            body_rate_grace: BODY_RATE_GRACE,
            request_time_max: Duration::from_mins(1),
            ready_lag_max: 1_000_000,
        }
    }
}

/// Deliveries to one webhook, or signals to one stream, that are taken in at the same time; each has
/// come as a whole by then.
pub(crate) const PUSHES_CONCURRENT_MAX: usize = 8;
/// What may be read of such a delivery without room for it, bytes: most are no longer, and who sends
/// is not proven before the end.
pub(crate) const PUSH_BYTES_SMALL: usize = 64 << 10;
/// Room for what is longer, of one webhook or stream, bytes: what came of the bodies that arrive or
/// are taken in. A delivery that finds none left waits for it as for a turn: 429. A stranger keeps it
/// for `request_time_max`, and at `BODY_BYTES_PER_SECOND_MIN` less than 1 MiB of it. So strangers
/// make the server hold at most this for each name and [`PUSH_BYTES_SMALL`] for each request.
pub(crate) const PUSH_ROOM_BYTES: usize = 200 << 20;
/// A delivery that has outgrown this many bytes, as sent, needs one of the places below.
pub(crate) const BODY_BYTES_SMALL: usize = 1 << 20;
/// Large deliveries that are read and appended at the same time; further ones wait as for a turn.
/// Each may hold some 140 MiB while it is taken in.
pub(crate) const LARGE_BODIES_MAX: usize = 16;
/// Largest body of any request that is not a delivery, bytes. Beyond it: 413.
pub(crate) const FORM_BYTES_MAX: usize = 64 << 10;
/// Checkpoints that anybody may ask the witness to cosign within a minute; each may cost a write that
/// is waited for. Beyond it: 429. A log asks once a minute, and at most twice then.
pub(crate) const WITNESSING: PerMinute = PerMinute {
    per_address: 120,
    in_all: 600,
};
/// Most rows one list answers with; a larger `limit` is cut to it.
pub(crate) const LIST_MAX: usize = 1_000;
/// Rows a list of the API answers with when it does not say.
pub(crate) const LIST_DEFAULT: usize = 100;
