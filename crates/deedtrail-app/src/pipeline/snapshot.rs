//! What the pipeline knows at one position of the log, kept so that a restart goes on from there.
//!
//! Everything an entry's results depend on is in it, so that entries after it give the same rows
//! and findings when they are processed again.

use std::collections::BTreeSet;
use std::sync::Arc;

use deedtrail_charter::Library;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{Store, StoreError};
use deedtrail_detect::{Detector, RuleSet};

use super::{Detection, PipelineError};
use crate::Ports;
use crate::charter::Book;
use crate::entitlement::InForce;
use crate::identity::Resolver;
use crate::rule_set;

/// Name in the store.
const NAME: &str = "pipeline";
/// First bytes, with the version of the layout as the last.
const HEADER: &[u8; 4] = b"DTP\x05";

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

    /// The state as it is now, which covers everything below `position`.
    pub(super) fn snapshot(&self, position: Sequence) -> Result<Snapshot, PipelineError> {
        let mut bytes = HEADER.to_vec();
        let (set_aside, dismissed) = (listed(&self.set_aside), listed(&self.dismissed));
        let resolver = self.resolver.to_bytes().map_err(PipelineError::State)?;
        let charters = self.charters.to_bytes().map_err(PipelineError::State)?;
        let entitled = self.entitled.to_bytes();
        let rules_of = listed(&self.rules_of.into_iter().collect());
        for section in [
            &set_aside, &dismissed, &rules_of, &resolver, &charters, &entitled,
        ] {
            bytes.extend((section.len() as u64).to_be_bytes());
            bytes.extend_from_slice(section);
        }
        bytes.extend(self.detector.snapshot());
        Ok(Snapshot { position, bytes })
    }

    /// The newest state that fits to the log, the store and the archive, and the position it
    /// covers; without one everything starts at the first entry.
    pub(super) fn load(
        ports: &Ports,
        detection: &Detection,
    ) -> Result<(Sequence, Self), PipelineError> {
        let ends = [
            ports.log.end(),
            ports.store.processed()?,
            ports.archive.covered(),
        ];
        if let Some((position, bytes)) = ports.store.snapshot(NAME)?
            && ends.iter().all(|end| position <= *end)
        {
            match Self::parse(&bytes, detection, ports) {
                Ok(state) => return Ok((position, state)),
                Err(reason) => tracing::info!(reason, "processing starts anew from the log"),
            }
        }
        Ok((0, Self::new(detection)))
    }

    fn parse(bytes: &[u8], detection: &Detection, ports: &Ports) -> Result<Self, String> {
        let body = bytes.strip_prefix(HEADER).ok_or("another format")?;
        let (set_aside, rest) = section(body).ok_or("cut off")?;
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
