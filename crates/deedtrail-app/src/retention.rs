//! How long events stay in the archive. The evidence log keeps their records: what leaves here is
//! no longer seen by queries, and is proved as before.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::custody::Act;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::archive::{ArchiveError, Cutoffs, Leaving};
use deedtrail_core::port::log::{AppendError, NewEntry};
use deedtrail_core::port::store::StoreError;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Ports;
use crate::custody::{Deed, entry_by};

/// Note of the audit entry of events that leave.
pub const LEFT: &str = "removed events from the archive";
/// Who the entry names.
const WHO: Text = Text::new_static("retention");
/// Setting of the store: the day and the retention that were applied last.
const APPLIED: &str = "retention.applied";
/// Setting of the store: what left last.
const LAST: &str = "retention.last";

/// Days after which events leave, by their own time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Retention {
    /// Of sources that are not named; `None`: they stay.
    pub days: Option<u32>,
    /// By source; 0: they stay.
    pub sources: BTreeMap<SourceName, u32>,
}

/// What left the archive when something last did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    pub at: Timestamp,
    pub events: u64,
    /// The sources of those, and by which setting, in words.
    pub of: String,
}

/// Events that are due stay, until the next try.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("what is to leave cannot be noted in the log: {0}")]
    Log(#[from] AppendError),
}

impl Retention {
    /// Whether every event stays.
    pub fn is_endless(&self) -> bool {
        self.days.is_none() && self.sources.values().all(|days| *days == 0)
    }

    /// What leaves on the day of `now`: events that are older than so many whole UTC days.
    pub fn cutoffs(&self, now: Timestamp) -> Cutoffs {
        let first = |days: u32| now.utc_day() - i64::from(days);
        let named = self.sources.iter();
        let named = named.map(|(source, days)| (source.clone(), (*days > 0).then(|| first(*days))));
        Cutoffs {
            sources: named.collect(),
            others: self.days.map(first),
        }
    }

    /// The setting that a source's events leave by, with its value.
    fn setting(&self, source: &SourceName) -> String {
        match (self.sources.get(source), self.days) {
            (Some(days), _) => format!("retention.sources.\"{source}\" = {days}"),
            (None, Some(days)) => format!("retention.days = {days}"),
            (None, None) => String::new(),
        }
    }
}

/// Removes what is due today, once a day and after each change of the setting. Before anything
/// leaves, an audit entry of each tenant says what and why. A process that is killed in between
/// does the rest, and says so, when it is asked again.
pub fn apply(ports: &Ports, retention: &Retention) -> Result<(), RetentionError> {
    let now = ports.clock.now();
    let today = serde_json::json!([now.utc_day(), retention]).to_string();
    if retention.is_endless() || ports.store.setting(APPLIED)?.as_deref() == Some(&today) {
        return Ok(());
    }
    let mut told = Ok(());
    let mut left = None;
    let removed = ports
        .archive
        .prune(&retention.cutoffs(now), &mut |leaving| {
            let entries = entries(retention, leaving, now);
            told = ports.log.append(entries).map(drop);
            left = Some(of_all(retention, leaving));
            told.is_ok()
        })?;
    told?;
    if let Some(of) = left {
        let left = Left {
            at: now,
            events: removed,
            of,
        };
        tracing::info!(events = removed, of = left.of, "events left the archive");
        let left = serde_json::json!(left).to_string();
        ports.store.put_setting(LAST, &left)?;
    }
    Ok(ports.store.put_setting(APPLIED, &today)?)
}

/// What left last; `None` when nothing ever did.
pub fn last(ports: &Ports) -> Result<Option<Left>, StoreError> {
    let left = ports.store.setting(LAST)?;
    Ok(left.and_then(|left| serde_json::from_str(&left).ok()))
}

fn entries(retention: &Retention, leaving: &[Leaving], now: Timestamp) -> Vec<NewEntry> {
    let tenants: BTreeSet<&TenantId> = leaving.iter().map(|one| &one.tenant).collect();
    let of_tenant = |tenant: &TenantId| {
        let theirs = leaving.iter().filter(|one| one.tenant == *tenant);
        let deed = Deed {
            act: Act::Other,
            what: LEFT,
            on: &in_words(retention, theirs),
            about: &[],
        };
        entry_by((tenant, &WHO), &deed, now)
    };
    tenants.into_iter().map(of_tenant).collect()
}

fn of_all(retention: &Retention, leaving: &[Leaving]) -> String {
    let mut sources: BTreeMap<&SourceName, Leaving> = BTreeMap::new();
    for one in leaving {
        let of_source = sources.entry(&one.source).or_insert_with(|| Leaving {
            events: 0,
            ..one.clone()
        });
        of_source.events += one.events;
    }
    in_words(retention, sources.values())
}

fn in_words<'a>(retention: &Retention, leaving: impl Iterator<Item = &'a Leaving>) -> String {
    let parts = leaving.map(|one| {
        let Leaving { source, events, .. } = one;
        let before = Timestamp::from_micros(one.before_day.saturating_mul(Timestamp::DAY_US));
        let before = before.to_string();
        let day = before.split('T').next().unwrap_or_default();
        let setting = retention.setting(source);
        format!("{events} of {source} before {day} ({setting})")
    });
    parts.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str) -> SourceName {
        SourceName::new(name).unwrap()
    }

    fn day(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(&format!("{text}T23:59:59Z")).unwrap()
    }

    #[test]
    fn whole_days_are_counted_from_today() {
        let retention = Retention {
            days: Some(30),
            sources: [(source("a.log"), 400), (source("b.log"), 0)].into(),
        };
        let cutoffs = retention.cutoffs(day("2026-11-22"));
        assert_eq!(cutoffs.others, Some(day("2026-10-23").utc_day()));
        assert_eq!(
            cutoffs.of(&source("a.log")),
            Some(day("2025-10-18").utc_day())
        );
        assert_eq!(cutoffs.of(&source("b.log")), None);
        assert_eq!(cutoffs.of(&source("c.log")), cutoffs.others);
    }

    #[test]
    fn nothing_set_or_only_zeros_is_endless() {
        assert!(Retention::default().is_endless());
        let zero = Retention {
            days: None,
            sources: [(source("a.log"), 0)].into(),
        };
        assert!(zero.is_endless());
        let one = Retention {
            sources: [(source("a.log"), 1)].into(),
            ..zero
        };
        assert!(!one.is_endless());
    }

    #[test]
    fn it_is_said_what_leaves_and_by_which_setting() {
        let retention = Retention {
            days: Some(30),
            sources: [(source("a.log"), 400)].into(),
        };
        let leaving = |name: &str, tenant: &str, events| Leaving {
            tenant: TenantId::new(tenant).unwrap(),
            source: source(name),
            before_day: retention
                .cutoffs(day("2026-11-22"))
                .of(&source(name))
                .unwrap(),
            events,
        };
        let all = [
            leaving("a.log", "x", 2),
            leaving("b.log", "x", 3),
            leaving("b.log", "y", 4),
        ];
        assert_eq!(
            of_all(&retention, &all),
            "2 of a.log before 2025-10-18 (retention.sources.\"a.log\" = 400); \
             7 of b.log before 2026-10-23 (retention.days = 30)"
        );
        let entries = entries(&retention, &all, day("2026-11-22"));
        let texts: Vec<_> = entries
            .iter()
            .map(|entry| String::from_utf8_lossy(&entry.parts[0].bytes).into_owned())
            .collect();
        assert_eq!(
            texts[1],
            "retention removed events from the archive: \
             4 of b.log before 2026-10-23 (retention.days = 30)"
        );
        assert_eq!(entries.len(), 2);
    }
}
