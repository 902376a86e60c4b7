//! What records come to one by one: each is mapped and put through detection by itself, with no
//! history, as the first event of whoever acts.

use std::sync::Arc;

use deedtrail_core::event::MappedEvent;
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Encoding, Mapper, Sorted};
use deedtrail_detect::RuleSet;
use serde::Serialize;

use crate::rule_test::{Trial, TrialError};

/// What one record, by itself, comes to.
#[derive(Debug, Serialize)]
pub struct Tried {
    /// 1-based line or element of the file.
    pub line: u64,
    /// Given, or found by what the record looks like; `None` when nothing in it tells.
    pub source: Option<SourceName>,
    /// Why the record could not be mapped.
    pub unmapped: Option<String>,
    /// Its canonical events, with the fields a canonical rule sees.
    pub events: Vec<MappedEvent>,
    /// Repeats are not merged.
    pub findings: Vec<FindingDraft>,
}

/// Tries every record of a file by itself. Without a source, that of each record is found as intake
/// finds it.
///
/// # Errors
///
/// When the file cannot be cut into records.
pub fn try_each(
    mapper: &dyn Mapper,
    rules: &Arc<RuleSet>,
    source: Option<&SourceName>,
    body: &[u8],
) -> Result<Vec<Tried>, TrialError> {
    let sorted = match source {
        Some(source) => {
            let framed = mapper.frame(source, Encoding::Identity, body)?;
            let named = framed.into_iter().map(|record| Sorted {
                source: Some(source.clone()),
                record,
            });
            named.collect()
        }
        None => mapper.frame_unlabelled(body)?,
    };
    let tried = sorted.iter().map(|record| try_one(mapper, rules, record));
    Ok(tried.collect())
}

fn try_one(mapper: &dyn Mapper, rules: &Arc<RuleSet>, sorted: &Sorted<'_>) -> Tried {
    let (line, bytes) = (sorted.record.line, &sorted.record.bytes);
    let source = sorted.source.clone();
    let (mut unmapped, mut events, mut findings) = (None, Vec::new(), Vec::new());
    match &source {
        None => {
            unmapped = Some("no source is known by it; name one with --source".to_owned());
        }
        Some(name) => match mapper.map(name, bytes) {
            Ok(mapped) => {
                events = mapped.events;
                findings = Trial::of_record(mapper, rules, name, bytes).drafts;
            }
            Err(error) => unmapped = Some(error.to_string()),
        },
    }
    Tried {
        line,
        source,
        unmapped,
        events,
        findings,
    }
}
