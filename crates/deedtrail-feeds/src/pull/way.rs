//! The way of what a puller reads into the log.

use std::borrow::Cow;
use std::fmt::Display;
use std::io;
use std::sync::Arc;

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::feeds::{Behind, FeedError};
use deedtrail_app::intake::{Delivery, IngestAnswer, IngestError, KeyMaker};
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::log::AppendError;
use deedtrail_core::port::mapper::Encoding;
use deedtrail_core::port::store::Scope;

use super::part::Skipped;
use crate::stop::Stop;

/// What one puller takes goes this way.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) app: Arc<App>,
    pub(crate) principal: Principal,
    /// As in the configuration: `folders.audit`.
    pub(crate) feed: String,
    pub(crate) stop: Stop,
}

/// Why something was not taken, and may be later.
#[derive(Debug, thiserror::Error)]
pub enum Untaken {
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error(transparent)]
    Intake(#[from] IngestError),
    #[error("the server stops")]
    Stopped,
}

/// Records as they were read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records<'a> {
    /// `None` where each tells its own.
    pub(crate) source: Option<&'a SourceName>,
    /// Header line, where the rows of a table need one before them.
    pub(crate) header: &'a [u8],
    pub(crate) body: &'a [u8],
    pub(crate) form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// May be cut at line ends.
    Lines,
    Document,
}

impl Way {
    pub(crate) fn new(app: &Arc<App>, feed: String, stop: Stop) -> Self {
        let principal = Principal {
            name: feed.as_str().into(),
            tenant: TenantId::default(),
            scopes: vec![Scope::Ingest],
        };
        app.feeds.begin(&feed);
        Self {
            app: Arc::clone(app),
            principal,
            feed,
            stop,
        }
    }

    /// Takes records in; returns after they are durable. What can never be taken is told, and
    /// passed over. `place` says where the records are from.
    pub(crate) fn take(
        &self,
        records: Records<'_>,
        keys: &mut KeyMaker,
        place: &dyn Display,
    ) -> Result<IngestAnswer, Untaken> {
        if self.stop.is_requested() {
            return Err(Untaken::Stopped);
        }
        let bytes = records.body.len() as u64;
        let answer = take(&self.app, &self.principal, records, keys, &|refused| {
            self.refuse(place, refused);
        })?;
        self.count(answer.records, bytes);
        Ok(answer)
    }

    pub(crate) fn count(&self, records: u64, bytes: u64) {
        let now = self.app.ports.clock.now();
        self.app.feeds.update(&self.feed, |state| {
            state.records += records;
            state.bytes += bytes;
            state.last_success = Some(now);
        });
    }

    /// Tells and counts what can never be taken.
    pub(crate) fn refuse(&self, place: &dyn Display, refused: &Refused<'_>) {
        self.app
            .feeds
            .update(&self.feed, |state| state.refused += 1);
        let counter = &self.app.counters.refused;
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (feed, bytes, hash) = (&self.feed, refused.bytes, refused.hash);
        let reason = refused.reason;
        tracing::error!(%feed, %place, bytes, blake3 = %hash, "refused, and passed over: {reason}");
    }

    pub(crate) fn refuse_line(&self, place: &dyn Display, line: &Skipped) {
        let refused = Refused {
            bytes: line.bytes,
            hash: line.hash,
            reason: &"the line is longer than any record may be",
        };
        self.refuse(place, &refused);
    }

    /// Says that everything there was has been looked at, and what is left.
    pub(crate) fn looked(&self, behind: Behind, error: Option<String>) {
        let now = self.app.ports.clock.now();
        self.app.feeds.update(&self.feed, |state| {
            state.behind = Some(behind);
            if error.is_none() {
                state.last_success = Some(now);
                state.last_error = None;
            }
        });
        if let Some(error) = error {
            self.fail(&error);
        }
    }

    /// Says what went wrong; logged unless it went wrong in the same way before.
    pub(crate) fn fail(&self, text: &str) {
        let at = self.app.ports.clock.now();
        let mut is_new = false;
        self.app.feeds.update(&self.feed, |state| {
            is_new = state.last_error.as_ref().map(|error| error.text.as_str()) != Some(text);
            state.last_error = Some(FeedError {
                at,
                text: text.to_owned(),
            });
        });
        if is_new {
            tracing::warn!(feed = %self.feed, "{text}");
        }
    }
}

/// What can never be taken.
#[derive(Clone, Copy)]
pub(crate) struct Refused<'a> {
    pub(crate) bytes: u64,
    pub(crate) hash: blake3::Hash,
    pub(crate) reason: &'a dyn Display,
}

impl Records<'_> {
    /// The rows with their header line.
    fn with_header(&self) -> Cow<'_, [u8]> {
        if self.header.is_empty() {
            Cow::Borrowed(self.body)
        } else {
            Cow::Owned([self.header, b"\n", self.body].concat())
        }
    }

    /// Two parts of them; none of one line, or of what may not be cut.
    fn halves(self) -> Option<[Self; 2]> {
        let is_document = self.form == Form::Document;
        let middle = middle(self.body).filter(|_| !is_document)?;
        let (first, second) = self.body.split_at(middle);
        Some([first, second].map(|body| Self { body, ..self }))
    }
}

/// Lets `keys` count records that [`take`] took, and those alone.
pub(crate) fn recall(app: &App, records: Records<'_>, keys: &mut KeyMaker) {
    let delivery = Delivery {
        source: records.source,
        encoding: Encoding::Identity,
        body: &records.with_header(),
    };
    if app.recall_part(delivery, keys).is_err() {
        for half in records.halves().into_iter().flatten() {
            recall(app, half, keys);
        }
    }
}

/// Takes records in. Of those that cannot be taken together the ones are found that cannot be
/// taken at all.
pub(crate) fn take(
    app: &App,
    principal: &Principal,
    records: Records<'_>,
    keys: &mut KeyMaker,
    refuse: &dyn Fn(&Refused<'_>),
) -> Result<IngestAnswer, IngestError> {
    let delivery = Delivery {
        source: records.source,
        encoding: Encoding::Identity,
        body: &records.with_header(),
    };
    let error = match app.ingest_part(principal, delivery, keys) {
        Err(error) if !is_passing(&error) => error,
        taken => return taken,
    };
    let Some([first, second]) = records.halves() else {
        refuse(&Refused {
            bytes: records.body.len() as u64,
            hash: blake3::hash(records.body),
            reason: &error,
        });
        return Ok(IngestAnswer::default());
    };
    let mut answer = take(app, principal, first, keys, refuse)?;
    answer.absorb(take(app, principal, second, keys, refuse)?);
    Ok(answer)
}

/// A line end near the middle, with lines before and behind it.
fn middle(body: &[u8]) -> Option<usize> {
    let half = body.len() / 2;
    let behind = memchr::memchr(b'\n', &body[half..]).map(|at| half + at + 1);
    let before = memchr::memrchr(b'\n', &body[..half]).map(|at| at + 1);
    behind.filter(|at| *at < body.len()).or(before)
}

/// Whether the same records may be taken later.
pub(crate) fn is_passing(error: &IngestError) -> bool {
    match error {
        IngestError::Append(AppendError::OverLimit { .. }) | IngestError::Frame(_) => false,
        IngestError::Append(_) | IngestError::Denied(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_halved_until_one_is_left() {
        assert_eq!(middle(b"a\nb\n"), Some(2));
        assert_eq!(middle(b"a\nbbbbbbb"), Some(2));
        assert_eq!(middle(b"aaaaaaaa\nb"), Some(9));
        assert_eq!(middle(b"a\n"), None);
        assert_eq!(middle(b"a"), None);
        assert_eq!(middle(b""), None);
    }
}
