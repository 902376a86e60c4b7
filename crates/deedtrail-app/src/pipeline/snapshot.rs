//! What the pipeline knows at one position of the log, kept so that a restart goes on from there.
//!
//! Everything an entry's results depend on is in it, so that entries after it give the same rows
//! and findings when they are processed again.

use std::collections::BTreeSet;
use std::io::{BufWriter, Read as _, Write as _};
use std::sync::Arc;

use deedtrail_charter::Library;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{Store, StoreError};
use deedtrail_detect::limits::SNAPSHOT_BYTES_MAX;
use deedtrail_detect::{Detector, RuleSet};

use super::{Detection, PipelineError};
use crate::Ports;
use crate::charter::Book;
use crate::entitlement::InForce;
use crate::identity::Resolver;
use crate::rule_set;

/// Name in the store.
const NAME: &str = "pipeline";
/// First bytes, with the version of the layout as the last; what follows is one frame of zstd.
const HEADER: &[u8; 4] = b"DTP\x07";
/// Level of compression: one that keeps up with the state's being written.
const LEVEL: i32 = 1;
/// Bytes gathered before they are compressed; the state is written in pieces of a few bytes.
const GATHERED_BYTES: usize = 256 << 10;
/// Largest state that is read back, bytes.
const STATE_BYTES_MAX: u64 = 2 * SNAPSHOT_BYTES_MAX as u64;

/// A function of the log below a position, of the rules and of the settings.
#[derive(Debug)]
pub(super) struct State {
    pub(super) resolver: Resolver,
    pub(super) detector: Detector,
    /// Every version of every charter.
    pub(super) charters: Book,
    /// What imports say identities may do.
    pub(super) entitled: InForce,
    /// Entries that wait in quarantine.
    pub(super) set_aside: BTreeSet<Sequence>,
    /// Entries in quarantine that somebody dismissed.
    pub(super) dismissed: BTreeSet<Sequence>,
    /// The entry that put the rules in force; without one they are those of the start.
    pub(super) rules_of: Option<Sequence>,
}

/// What a start goes on from.
pub(super) struct Loaded {
    /// What the state covers.
    pub(super) position: Sequence,
    pub(super) state: State,
    /// The archive lacks events that were in it when the newest state was stored.
    pub(super) is_archive_behind: bool,
}

/// A state in the form it is stored in.
#[derive(Debug)]
pub(super) struct Snapshot {
    position: Sequence,
    bytes: Vec<u8>,
}

impl Snapshot {
    /// Stores it; from then on a restart begins at its position.
    pub(super) fn save(&self, store: &dyn Store) -> Result<(), StoreError> {
        store.put_snapshot(NAME, self.position, &self.bytes)
    }
}

impl State {
    /// Before the first entry.
    pub(super) fn new(detection: &Detection) -> Self {
        Self {
            resolver: Resolver::default(),
            detector: detection.start(),
            charters: Book::default(),
            entitled: InForce::default(),
            set_aside: BTreeSet::new(),
            dismissed: BTreeSet::new(),
            rules_of: None,
        }
    }

    /// The state as it is now, which covers everything below `position`. What was quiet since the last
    /// one is packed.
    pub(super) fn snapshot(&mut self, position: Sequence) -> Result<Snapshot, PipelineError> {
        self.detector.pack_quiet();
        let bytes = self.write().map_err(PipelineError::State)?;
        Ok(Snapshot { position, bytes })
    }

    /// The state's bytes, compressed as they come: they are the largest thing the pipeline makes.
    fn write(&self) -> std::io::Result<Vec<u8>> {
        let mut frame = zstd::Encoder::new(HEADER.to_vec(), LEVEL)?;
        frame.include_checksum(true)?;
        let mut to = BufWriter::with_capacity(GATHERED_BYTES, frame);
        let (set_aside, dismissed) = (listed(&self.set_aside), listed(&self.dismissed));
        let (resolver, charters) = (self.resolver.to_bytes()?, self.charters.to_bytes()?);
        let entitled = self.entitled.to_bytes();
        let rules_of = listed(&self.rules_of.into_iter().collect());
        for section in [
            &set_aside, &dismissed, &rules_of, &resolver, &charters, &entitled,
        ] {
            to.write_all(&(section.len() as u64).to_be_bytes())?;
            to.write_all(section)?;
        }
        self.detector.write_snapshot(&mut to)?;
        let frame = to
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        frame.finish()
    }

    /// The newest state that fits to the log, the store and the archive; without one everything starts
    /// at the first entry.
    pub(super) fn load(ports: &Ports, detection: &Detection) -> Result<Loaded, PipelineError> {
        let archived = ports.archive.covered();
        let ends = [ports.log.end(), ports.store.processed()?, archived];
        let kept = ports.store.snapshot(NAME)?;
        let is_archive_behind = kept.as_ref().is_some_and(|(at, _)| archived < *at);
        if let Some((position, bytes)) = kept
            && ends.iter().all(|end| position <= *end)
        {
            match Self::parse(&bytes, detection, ports) {
                Ok(state) => {
                    return Ok(Loaded {
                        position,
                        state,
                        is_archive_behind,
                    });
                }
                Err(reason) => tracing::warn!(
                    reason,
                    "the state of before cannot be used: everything is derived again from the log"
                ),
            }
        }
        Ok(Loaded {
            position: 0,
            state: Self::new(detection),
            is_archive_behind,
        })
    }

    fn parse(bytes: &[u8], detection: &Detection, ports: &Ports) -> Result<Self, String> {
        let body = unpacked(bytes)?;
        let (set_aside, rest) = section(&body).ok_or("cut off")?;
        let (dismissed, rest) = section(rest).ok_or("cut off")?;
        let (rules_of, rest) = section(rest).ok_or("cut off")?;
        let (resolver, rest) = section(rest).ok_or("cut off")?;
        let (charters, rest) = section(rest).ok_or("cut off")?;
        let (entitled, detector) = section(rest).ok_or("cut off")?;
        let rules_of = unlisted(rules_of).first().copied();
        let (rules, sequences) = in_force(rules_of, detection, ports)?;
        let restored = Detector::restore(rules, detection.settings.clone(), detector);
        let mut detector = restored.map_err(|error| error.to_string())?;
        detector.replace_library(sequences);
        let resolver = Resolver::from_bytes(resolver).map_err(|error| error.to_string())?;
        let log = ports.log.as_ref();
        let entitled = InForce::from_bytes(entitled, log, &resolver);
        Ok(Self {
            entitled: entitled.map_err(|error| error.to_string())?,
            resolver,
            detector,
            charters: Book::from_bytes(charters).map_err(|error| error.to_string())?,
            set_aside: unlisted(set_aside),
            dismissed: unlisted(dismissed),
            rules_of,
        })
    }
}

/// What stands in a snapshot, without its header.
fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let frame = bytes.strip_prefix(HEADER).ok_or("another format")?;
    let mut body = Vec::new();
    let frame = zstd::Decoder::with_buffer(frame).map_err(|error| error.to_string())?;
    let read = frame.take(STATE_BYTES_MAX).read_to_end(&mut body);
    match read.map_err(|error| format!("cannot be unpacked: {error}"))? as u64 {
        STATE_BYTES_MAX => Err("larger than any state".to_owned()),
        _ => Ok(body),
    }
}

/// The rules and sequences that an entry of the log put in force; without one those of the start.
fn in_force(
    entry: Option<Sequence>,
    detection: &Detection,
    ports: &Ports,
) -> Result<(Arc<RuleSet>, Arc<Library>), String> {
    let Some(sequence) = entry else {
        let sequences = Arc::clone(&detection.sequences);
        return Ok((Arc::clone(&detection.rules), sequences));
    };
    let read = ports.log.read(sequence, 1);
    let entry = read.map_err(|error| error.to_string())?.into_iter().next();
    let own = entry.as_ref().and_then(rule_set::taken_down);
    let own = own.ok_or("the entry with the rules in force is damaged")?;
    let compiled = detection.book.compile(&own);
    Ok((compiled.rules, compiled.sequences))
}

fn listed(sequences: &BTreeSet<Sequence>) -> Vec<u8> {
    let bytes = sequences.iter().flat_map(|sequence| sequence.to_be_bytes());
    bytes.collect()
}

fn unlisted(bytes: &[u8]) -> BTreeSet<Sequence> {
    let (sequences, _) = bytes.as_chunks::<8>();
    let sequences = sequences
        .iter()
        .map(|bytes| Sequence::from_be_bytes(*bytes));
    sequences.collect()
}

fn section(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)
}
