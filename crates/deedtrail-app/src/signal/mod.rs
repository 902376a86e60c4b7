//! Signals: Security Event Tokens (RFC 8417) that a transmitter of the Shared Signals Framework 1.0
//! pushes (RFC 8935) or that are polled from it (RFC 8936).
//!
//! A token is taken in once it is known who said it, and answered once it is durable. The key that
//! proves it is in the log before it: keys are withdrawn, evidence stays.

mod key;
mod set;
#[cfg(test)]
mod tests;
mod unproven;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;

use deedtrail_core::Text;
use deedtrail_core::id::{BadName, SourceName, TenantId};
use deedtrail_core::mapping::MapError;
use deedtrail_core::port::store::Scope;
use deedtrail_core::time::Timestamp;

use crate::App;
use crate::access::Principal;
use crate::configuration::ConfigurationError;
use crate::feeds::FeedError;
use crate::intake::{IngestError, Shipped, Unread};

pub use key::{BadKeys, FetchError, KEYS_BYTES_MAX, KeySet, KeySource, Keyring};
pub use set::{BadSet, Parties, SET_BYTES_MAX, Set};
pub use unproven::UNPROVEN_TRIES_MAX;

use key::NoKey;
use unproven::{Fate, Unproven};

/// Source of the records.
pub const SOURCE: &str = "ssf.event";
/// What a configuration entry is called that holds a transmitter's key, before the stream's name.
const KEY_NOTE: &str = "signal key";
/// Longest name of a stream that is repeated, characters.
const NAME_CHARS_MAX: usize = 64;

/// One stream of a transmitter.
#[derive(Debug)]
pub struct Stream {
    pub parties: Parties,
    pub delivery: Delivery,
    pub keys: Keyring,
    unproven: Unproven,
}

/// How SETs come.
#[derive(Clone, PartialEq, Eq)]
pub enum Delivery {
    /// With the hash of the `Authorization` header that was agreed, if one was.
    Push {
        authorization: Option<blake3::Hash>,
    },
    Poll,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Push { .. } => "Push",
            Self::Poll => "Poll",
        })
    }
}

impl Delivery {
    /// Pushed, with what `Authorization` has to be.
    pub fn push(authorization: Option<&str>) -> Self {
        let authorization = authorization.map(|text| blake3::hash(text.trim().as_bytes()));
        Self::Push { authorization }
    }
}

impl Stream {
    pub fn new(parties: Parties, delivery: Delivery, source: Box<dyn KeySource>) -> Self {
        Self {
            parties,
            delivery,
            keys: Keyring::new(source),
            unproven: Unproven::default(),
        }
    }
}

/// Why a SET is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    #[error(transparent)]
    Refused(#[from] BadSet),
    #[error("the transmitter's keys cannot be looked up now; send the SET again")]
    KeysUnavailable { retry_after_s: u32 },
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error(transparent)]
    Record(#[from] ConfigurationError),
    #[error(transparent)]
    Source(#[from] BadName),
}

/// What became of the SETs of a poll.
#[derive(Debug, Default)]
pub struct Polled {
    /// Durable, as signals or in quarantine: to be acknowledged.
    pub taken: Vec<String>,
    /// To be reported.
    pub refused: BTreeMap<String, BadSet>,
    /// Not proven yet, which may change: left with the transmitter, to be asked for again.
    pub waiting: BTreeMap<String, BadSet>,
    /// Why others are left with the transmitter, to be asked for again.
    pub postponed: Option<SignalError>,
}

/// A SET whose sender is proven.
struct Proven {
    /// Issuer and `jti`: unique among all transmitters.
    id: Text,
    record: Vec<u8>,
}

impl App {
    /// Refuses what cannot be pushed to a stream, by its name and header alone.
    pub fn expect_pushed_signal(
        &self,
        name: &str,
        authorization: Option<&str>,
    ) -> Result<&Stream, BadSet> {
        let Some((stream, agreed)) = self.signals.get(name).and_then(pushed) else {
            return Err(self.refuse_signal(name, BadSet::NoStream));
        };
        let told = authorization.map(|told| blake3::hash(told.trim().as_bytes()));
        // Equality of these hashes does not depend on where they differ.
        if agreed.is_some() && agreed != told {
            return Err(self.refuse_signal(name, BadSet::Authorization));
        }
        Ok(stream)
    }

    /// Takes a pushed SET in. Returns after it is durable.
    pub fn ingest_pushed_signal(
        &self,
        name: &str,
        authorization: Option<&str>,
        body: &[u8],
    ) -> Result<(), SignalError> {
        let stream = self.expect_pushed_signal(name, authorization)?;
        match self.take_signals(name, stream, vec![(None, body)]) {
            Polled {
                postponed: Some(error),
                ..
            } => Err(error),
            Polled { refused, .. } => refused
                .into_values()
                .next()
                .map_or(Ok(()), |one| Err(one.into())),
        }
    }

    /// Takes the SETs of a poll in, by `jti`. Returns after those taken are durable.
    pub fn ingest_polled_signals(&self, name: &str, sets: &BTreeMap<String, String>) -> Polled {
        let Some(stream) = self.signals.get(name) else {
            return Polled::default();
        };
        let sets = sets.iter();
        let sets = sets.map(|(id, set)| (Some(id.as_str()), set.as_bytes()));
        self.take_signals(name, stream, sets.collect())
    }

    fn take_signals(
        &self,
        name: &str,
        stream: &Stream,
        sets: Vec<(Option<&str>, &[u8])>,
    ) -> Polled {
        let now = self.ports.clock.now();
        let mut polled = Polled::default();
        let mut ids = Vec::with_capacity(sets.len());
        let mut proven = Vec::with_capacity(sets.len());
        let mut aside = Vec::new();
        for (id, set) in sets {
            let told = id.unwrap_or_default().to_owned();
            let error = match self.prove(name, stream, (id, set), now) {
                Ok(one) => {
                    ids.push(told);
                    proven.push(one);
                    continue;
                }
                Err(error) => error,
            };
            match Fate::of(stream, id, error, now) {
                Fate::Refused(refused) => {
                    self.refuse_signal(name, refused);
                    polled.refused.insert(told, refused);
                }
                Fate::Unexpected(reason) => {
                    self.refuse_signal(name, reason);
                    aside.push((told, set, reason, true));
                }
                Fate::Waits(reason) => {
                    polled.waiting.insert(told, reason);
                }
                Fate::Kept(reason) => aside.push((told, set, reason, false)),
                Fate::Postponed(error) => polled.postponed = Some(error),
            }
        }
        let bytes: usize = proven.iter().map(|one| one.record.len()).sum();
        match self.append_signals(name, proven) {
            Ok(()) => polled.taken = ids,
            Err(error) => polled.postponed = Some(error),
        }
        match self.set_aside(name, stream, &aside) {
            Ok(()) => {
                for (id, _, reason, is_reported) in aside {
                    if is_reported {
                        polled.refused.insert(id, reason);
                    } else {
                        polled.taken.push(id);
                    }
                }
            }
            Err(error) => polled.postponed = Some(error),
        }
        for id in polled.taken.iter().chain(polled.refused.keys()) {
            stream.unproven.settle(id);
        }
        self.note_signals(name, &polled, bytes, now);
        polled
    }

    fn note_signals(&self, name: &str, polled: &Polled, bytes: usize, now: Timestamp) {
        let waits = polled.waiting.values().next().map(|reason| {
            let count = polled.waiting.len();
            format!("{count} SETs cannot be proven and are asked for again: {reason}")
        });
        let error = polled.postponed.as_ref().map(ToString::to_string).or(waits);
        self.feeds.update(&feed(name), |state| {
            if !polled.taken.is_empty() {
                state.last_success = Some(now);
                state.last_error = None;
                state.records += polled.taken.len() as u64;
                state.bytes += bytes as u64;
            }
            state.refused += polled.refused.len() as u64;
            if let Some(text) = error {
                state.last_error = Some(FeedError { at: now, text });
            }
        });
    }

    /// Keeps SETs of polls that are not proven as evidence, in quarantine.
    fn set_aside(
        &self,
        name: &str,
        stream: &Stream,
        sets: &[(String, &[u8], BadSet, bool)],
    ) -> Result<(), SignalError> {
        if sets.is_empty() {
            return Ok(());
        }
        let source = SourceName::new(SOURCE)?;
        let records = sets.iter().map(|(id, set, reason, _)| {
            tracing::warn!(?name, id, %reason, "a signal is kept unproven, in quarantine");
            let content = blake3::hash(set).to_hex();
            Unread {
                id: format!("unproven {} {id} {content}", stream.parties.issuer).into(),
                bytes: set,
                reason: MapError::Unproven {
                    detail: reason.to_string(),
                },
            }
        });
        let records: Vec<_> = records.collect();
        Ok(self.keep_unread(&TenantId::default(), &source, &records)?)
    }

    /// Checks one SET, and sees to it that the log holds the key that proves it.
    fn prove(
        &self,
        name: &str,
        stream: &Stream,
        (told, set): (Option<&str>, &[u8]),
        now: Timestamp,
    ) -> Result<Proven, SignalError> {
        let set = Set::read(set, &stream.parties, now)?;
        if told.is_some_and(|told| told != set.id()) {
            return Err(BadSet::OtherId.into());
        }
        let record = set.record()?;
        let keys = stream.keys.keys_with(set.kid(), set.algorithm(), now);
        let keys = keys.map_err(|missing| match missing {
            NoKey::Unknown => BadSet::UnknownKey.into(),
            NoKey::Unavailable { retry_after_s } => SignalError::KeysUnavailable { retry_after_s },
        })?;
        let key = keys.find(set.kid(), set.algorithm());
        let key = key.ok_or(BadSet::UnknownKey)?;
        if !set.is_signed_by(key) {
            return Err(BadSet::Signature.into());
        }
        let note = format!("{KEY_NOTE} {name}");
        let principal = Principal {
            name: format!("signals:{name}").into(),
            tenant: TenantId::default(),
            scopes: vec![Scope::Write],
        };
        stream.keys.record_once(key, |text| {
            self.record_configuration(&principal, &note, text.as_bytes().to_vec())
        })?;
        let id = format!("{} {}", stream.parties.issuer, set.id()).into();
        Ok(Proven { id, record })
    }

    fn append_signals(&self, name: &str, proven: Vec<Proven>) -> Result<(), SignalError> {
        if proven.is_empty() {
            return Ok(());
        }
        let source = SourceName::new(SOURCE)?;
        let principal = Principal {
            name: format!("signals:{name}").into(),
            tenant: TenantId::default(),
            scopes: vec![Scope::Ingest],
        };
        let records = (1..).zip(proven).map(|(line, one)| Shipped {
            line,
            labels: vec![SOURCE.to_owned()],
            id: Some(one.id),
            bytes: one.record.into(),
            around: None,
        });
        self.ingest_shipped(&principal, &source, records.collect())?;
        Ok(())
    }

    fn refuse_signal(&self, name: &str, refused: BadSet) -> BadSet {
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        tracing::warn!(?name, reason = %refused, "a signal was refused");
        self.counters.refused.fetch_add(1, Relaxed);
        refused
    }
}

/// Under this name the state of a stream is kept.
pub fn feed(name: &str) -> String {
    format!("signals.{name}")
}

/// A stream to which SETs are pushed, with what `Authorization` has to be.
fn pushed(stream: &Stream) -> Option<(&Stream, Option<blake3::Hash>)> {
    match stream.delivery {
        Delivery::Push { authorization } => Some((stream, authorization)),
        Delivery::Poll => None,
    }
}
