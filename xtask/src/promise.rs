//! What clients were promised, held against the log of a server that has ended.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _};

use crate::server::Place;

/// Id and bytes of every record whose sender got its answer.
pub(crate) type Promised = BTreeMap<String, String>;

/// A record in the shape of the first source, unique by `id`.
pub(crate) fn record(id: &str, padding: &str) -> String {
    format!(
        "{{\"eventVersion\":\"1.08\",\"userIdentity\":{{\"type\":\"IAMUser\",\"principalId\":\"AIDAEXAMPLE\",\
         \"arn\":\"arn:aws:iam::111122223333:user/crash\",\"accountId\":\"111122223333\",\"userName\":\"crash\"}},\
         \"eventTime\":\"2026-11-01T00:00:00Z\",\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"PutObject\",\
         \"awsRegion\":\"eu-central-1\",\"sourceIPAddress\":\"192.0.2.7\",\"userAgent\":\"{padding}\",\
         \"requestParameters\":{{\"bucketName\":\"crash\",\"key\":\"{id}\"}},\"eventID\":\"{id}\"}}"
    )
}

/// What became of the promises.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) promised: usize,
    lost: usize,
    twice: usize,
    altered: usize,
    unproven: usize,
    /// Records in the log.
    pub(crate) records: usize,
}

impl Verdict {
    /// Every acknowledged record is there exactly once, byte-equal, with a valid proof.
    pub(crate) fn holds(&self) -> bool {
        self.lost + self.twice + self.altered + self.unproven == 0
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} acknowledged: {} lost, {} duplicated, {} altered, {} without a valid proof; \
             {} records in the log",
            self.promised, self.lost, self.twice, self.altered, self.unproven, self.records
        )
    }
}

/// Reads the whole log and holds it against the promises.
pub(crate) fn verify(place: &Place, promised: &Promised) -> anyhow::Result<Verdict> {
    let log = open_log(&place.data(), &place.checkpoints())?;
    let mut verdict = Verdict {
        promised: promised.len(),
        ..Verdict::default()
    };
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let key = log.verifier_key();
    let mut next = 0;
    loop {
        let entries = log.read(next, 8 << 20)?;
        let Some(last) = entries.last() else { break };
        next = last.sequence + 1;
        for entry in entries
            .iter()
            .filter(|entry| entry.entry.kind == EntryKind::Record)
        {
            let bytes = entry.bytes();
            let value: serde_json::Value = serde_json::from_slice(&bytes)?;
            let id = value["eventID"]
                .as_str()
                .context("a record without id")?
                .to_owned();
            verdict.records += 1;
            if let Some(record) = promised.get(&id) {
                verdict.altered += usize::from(record.as_bytes() != bytes.as_ref());
                let proof = log.prove(entry.sequence)?;
                let valid = deedtrail_evidence::proof::verify_entry(entry, &proof, &key).is_ok();
                verdict.unproven += usize::from(!valid);
            }
            *seen.entry(id).or_default() += 1;
        }
    }
    verdict.lost = promised.keys().filter(|id| !seen.contains_key(*id)).count();
    verdict.twice = seen.values().filter(|times| **times > 1).count();
    Ok(verdict)
}

/// Opens a log that no server has open, with a checkpoint over all of it.
pub(crate) fn open_log(data: &Path, checkpoints: &Path) -> anyhow::Result<deedtrail_evidence::Log> {
    let config = deedtrail_evidence::LogConfig::new(data, checkpoints);
    let log = deedtrail_evidence::Log::open(
        &config,
        Arc::new(deedtrail_evidence::disk::RealDisk),
        Arc::new(Fixed),
        Arc::new(Fixed),
    )?;
    log.seal()?;
    Ok(log)
}

/// A clock that stands still: reading a log needs neither time nor randomness.
#[derive(Debug)]
struct Fixed;

impl deedtrail_core::port::Clock for Fixed {
    fn now(&self) -> deedtrail_core::time::Timestamp {
        deedtrail_core::time::Timestamp::default()
    }
}

impl deedtrail_core::port::Entropy for Fixed {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}
