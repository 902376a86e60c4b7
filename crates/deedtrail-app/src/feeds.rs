//! How the feeds do that this server fetches itself (folders, buckets, queues), and those that are
//! pushed to it and signed (webhooks, signals).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use deedtrail_core::time::Timestamp;
use serde::Serialize;

/// What is known of one feed since the server started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FeedState {
    /// When everything there was had last been taken, or a part of it was.
    pub last_success: Option<Timestamp>,
    /// What went wrong last, unless something was taken since.
    pub last_error: Option<FeedError>,
    /// Records that are durable, those that came again included.
    pub records: u64,
    /// Bytes of those as they were read, after decompression.
    pub bytes: u64,
    /// Pieces over a limit, which are not taken.
    pub refused: u64,
    /// Deliveries whose sender did not prove itself, which are not taken.
    pub denied: u64,
    /// What is there and was not taken yet, as far as it is known.
    pub behind: Option<Behind>,
}

impl FeedState {
    /// How it does, in words; what is wrong first.
    pub fn summary(&self) -> String {
        let mut parts = Vec::new();
        if let Some(error) = &self.last_error {
            parts.push(format!("{} ({})", error.text, error.at));
        }
        parts.push(format!("{} records, {} bytes", self.records, self.bytes));
        if self.refused > 0 {
            parts.push(format!("{} refused at a limit", self.refused));
        }
        if self.denied > 0 {
            parts.push(format!(
                "{} deliveries refused, not signed as agreed",
                self.denied
            ));
        }
        parts.extend(self.behind.map(|behind| format!("{behind} behind")));
        parts.push(match self.last_success {
            Some(at) => format!("last success {at}"),
            None => "nothing taken since the start".to_owned(),
        });
        parts.join("; ")
    }

    /// A delivery was taken in.
    pub(crate) fn take(&mut self, now: Timestamp, records: u64, bytes: usize) {
        self.last_success = Some(now);
        self.last_error = None;
        self.records += records;
        self.bytes += bytes as u64;
    }

    /// A delivery was refused, because its sender did not prove itself.
    pub(crate) fn deny(&mut self, at: Timestamp, text: String) {
        self.denied += 1;
        self.last_error = Some(FeedError { at, text });
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FeedError {
    pub at: Timestamp,
    pub text: String,
}

/// How much waits to be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Behind {
    Bytes(u64),
    Objects(u64),
    Messages(u64),
}

/// State of every feed, by `KIND.NAME` as in the configuration (`folders.audit`).
#[derive(Debug, Default)]
pub struct FeedStates(Mutex<BTreeMap<String, FeedState>>);

impl FeedStates {
    /// There is such a feed from now on.
    pub fn begin(&self, feed: &str) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.entry(feed.to_owned()).or_default();
    }

    /// Changes the state of a feed there is.
    pub fn update(&self, feed: &str, change: impl FnOnce(&mut FeedState)) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.get_mut(feed).map(change);
    }

    pub fn all(&self) -> BTreeMap<String, FeedState> {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.clone()
    }
}

impl std::fmt::Display for Behind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (amount, unit) = match self {
            Self::Bytes(amount) => (amount, "bytes"),
            Self::Objects(amount) => (amount, "objects"),
            Self::Messages(amount) => (amount, "messages"),
        };
        write!(f, "{amount} {unit}")
    }
}
