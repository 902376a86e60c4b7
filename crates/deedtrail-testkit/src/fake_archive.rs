//! An archive in memory: every filter is a plain scan.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deedtrail_core::event::Event;
use deedtrail_core::id::{AliasUid, TenantId};
use deedtrail_core::port::archive::{
    ActionCount, Archive, ArchiveError, ArchiveFigures, Bucket, Cursor, Cutoffs, EventFilter,
    Leaving, OutputFormat, QueryBudget, QueryCost,
};
use deedtrail_core::port::log::Sequence;
use deedtrail_core::time::Timestamp;

/// Keeps every event in a vector; `commit` only moves the covered position.
#[derive(Debug, Default)]
pub struct FakeArchive {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    through: Sequence,
    covered: Sequence,
    version: i64,
}

impl FakeArchive {
    /// An archive whose table covers the log below `covered` with these events.
    pub fn holding(events: Vec<Event>, covered: Sequence) -> Self {
        Self {
            state: Mutex::new(State {
                events,
                through: covered,
                covered,
                version: 0,
            }),
        }
    }

    /// The events of the table, those that are only hot left out.
    pub fn stored(&self) -> Vec<Event> {
        let state = self.state();
        let stored = state.events.iter().filter(|it| is_below(it, state.covered));
        stored.cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn matching(&self, filter: &EventFilter) -> Vec<Event> {
        let state = self.state();
        let matching = state.events.iter().filter(|event| matches(event, filter));
        matching.cloned().collect()
    }
}

impl Archive for FakeArchive {
    fn covered(&self) -> Sequence {
        self.state().covered
    }

    fn add(&self, events: Vec<Event>, through: Sequence) -> Result<(), ArchiveError> {
        let mut state = self.state();
        let before = state.through;
        let is_fresh = |event: &Event| !is_below(event, before);
        state.events.extend(events.into_iter().filter(is_fresh));
        state.through = before.max(through);
        Ok(())
    }

    fn commit(&self) -> Result<(), ArchiveError> {
        let mut state = self.state();
        if state.covered < state.through {
            state.covered = state.through;
            state.version += 1;
        }
        Ok(())
    }

    fn compact(&self) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn prune(
        &self,
        cutoffs: &Cutoffs,
        announce: &mut dyn FnMut(&[Leaving]) -> bool,
    ) -> Result<u64, ArchiveError> {
        let mut state = self.state();
        let mut leaving: BTreeMap<_, u64> = BTreeMap::new();
        for event in state.events.iter().filter(|event| cutoffs.is_due(event)) {
            let whose = (event.tenant.clone(), event.source.clone());
            *leaving.entry(whose).or_default() += 1;
        }
        let removed = leaving.values().sum();
        let leaving = leaving
            .into_iter()
            .map(|((tenant, source), events)| Leaving {
                before_day: cutoffs.of(&source).unwrap_or_default(),
                tenant,
                source,
                events,
            });
        let leaving: Vec<Leaving> = leaving.collect();
        if leaving.is_empty() || !announce(&leaving) {
            return Ok(0);
        }
        state.events.retain(|event| !cutoffs.is_due(event));
        Ok(removed)
    }

    fn start_rebuild(&self) -> Result<(), ArchiveError> {
        *self.state() = State::default();
        Ok(())
    }

    fn finish_rebuild(&self) -> Result<(), ArchiveError> {
        self.commit()
    }

    fn events(
        &self,
        filter: &EventFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Vec<Event>, ArchiveError> {
        let mut events = self.matching(filter);
        events.sort_by_key(|event| std::cmp::Reverse((event.time_effective, event.event_uid)));
        let after = |event: &Event| {
            cursor.is_none_or(|c| {
                (event.time_effective, event.event_uid) < (c.time_effective, c.event_uid)
            })
        };
        Ok(events.into_iter().filter(after).take(limit).collect())
    }

    fn histogram(&self, filter: &EventFilter, bucket_us: i64) -> Result<Vec<Bucket>, ArchiveError> {
        let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
        for event in self.matching(filter) {
            let at = event.time_effective.as_micros();
            *counts
                .entry(at.div_euclid(bucket_us) * bucket_us)
                .or_default() += 1;
        }
        let bucket = |(start, count)| Bucket {
            start: Timestamp::from_micros(start),
            count,
        };
        Ok(counts.into_iter().map(bucket).collect())
    }

    fn actions(&self, filter: &EventFilter) -> Result<Vec<ActionCount>, ArchiveError> {
        let mut counts: BTreeMap<&'static str, (u64, Timestamp)> = BTreeMap::new();
        for event in self.matching(filter) {
            let count = counts.entry(event.mapped.action.name()).or_default();
            *count = (count.0 + 1, count.1.max(event.time_effective));
        }
        let row = |(action, (count, last)): (&str, (u64, Timestamp))| ActionCount {
            action: action.to_owned(),
            count,
            last,
        };
        let mut rows: Vec<ActionCount> = counts.into_iter().map(row).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.count));
        Ok(rows)
    }

    fn query(
        &self,
        tenant: &TenantId,
        sql: &str,
        _format: OutputFormat,
        _budget: QueryBudget,
        out: &mut (dyn Write + Send),
    ) -> Result<QueryCost, ArchiveError> {
        if !sql.trim_start().to_ascii_lowercase().starts_with("select") {
            return Err(ArchiveError::NotAllowed(sql.to_owned()));
        }
        let figures = self.figures();
        let filter = EventFilter {
            tenant: tenant.clone(),
            ..EventFilter::default()
        };
        let events = self.matching(&filter);
        let lines = if sql.contains("GROUP BY system, account, operation") {
            deeds(&events, sql)
        } else {
            vec![events.len().to_string()]
        };
        for line in &lines {
            writeln!(out, "{line}").map_err(ArchiveError::Output)?;
        }
        Ok(QueryCost {
            rows: lines.len() as u64,
            elapsed: Duration::ZERO,
            version: figures.version,
            hot_rows: figures.hot_rows,
        })
    }

    fn figures(&self) -> ArchiveFigures {
        let state = self.state();
        let stored = |event: &&Event| event.log_seq < state.covered;
        let rows = state.events.iter().filter(stored).count() as u64;
        ArchiveFigures {
            version: state.version,
            files: u64::from(rows > 0),
            bytes: rows * 200,
            rows,
            hot_rows: state.events.len() as u64 - rows,
        }
    }
}

/// Whether an event came of an entry below `position`.
fn is_below(event: &Event, position: Sequence) -> bool {
    event.log_seq.max(event.derived_at) < position
}

/// What the aliases named in `sql` did between the two instants it names, counted by everything it
/// groups by.
fn deeds(events: &[Event], sql: &str) -> Vec<String> {
    let quoted: Vec<&str> = sql.split('\'').skip(1).step_by(2).collect();
    let times = quoted
        .iter()
        .filter_map(|text| Timestamp::parse_rfc3339(text));
    let times: Vec<Timestamp> = times.collect();
    let mut counted: BTreeMap<String, (u64, Timestamp, Timestamp, String)> = BTreeMap::new();
    for event in events {
        let (mapped, at) = (&event.mapped, event.time_effective);
        let actor = event.actor_alias_uid.map(|uid| uid.to_string());
        let is_asked = actor.is_some_and(|actor| quoted.contains(&actor.as_str()))
            && times.first().is_none_or(|from| at >= *from)
            && times.last().is_none_or(|to| at < *to);
        if !is_asked || !mapped.meaningful {
            continue;
        }
        let decision = mapped.policy_decision.as_ref();
        let key = serde_json::json!({
            "system": mapped.system, "account": mapped.account, "operation": mapped.operation,
            "permission": mapped.permission, "action": mapped.action,
            "target_ref": mapped.target_ref, "outcome": mapped.outcome,
            "policy_allowed": decision.map(|decision| decision.allowed),
            "policy_id": decision.and_then(|decision| decision.policy_id.clone()),
        });
        let uid = event.event_uid.to_string();
        let row = counted.entry(key.to_string());
        let row = row.or_insert((0, at, at, uid.clone()));
        *row = (
            row.0 + 1,
            row.1.min(at),
            row.2.max(at),
            uid.max(row.3.clone()),
        );
    }
    let mut rows: Vec<_> = counted.into_iter().collect();
    rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.0));
    let line = |(key, (count, first, last, uid)): (String, (u64, Timestamp, Timestamp, String))| {
        let key = key.strip_suffix('}').unwrap_or_default();
        format!(r#"{key},"events":{count},"first":"{first}","last":"{last}","event_uid":"{uid}"}}"#)
    };
    rows.into_iter().map(line).collect()
}

fn matches(event: &Event, filter: &EventFilter) -> bool {
    let action = event.mapped.action.name();
    let at = event.time_effective;
    event.tenant == filter.tenant
        && (filter.aliases.is_empty() || touches(event, filter))
        && (filter.uids.is_empty() || filter.uids.contains(&event.event_uid))
        && filter
            .source
            .as_deref()
            .is_none_or(|s| s == event.source.as_str())
        && filter.action.as_deref().is_none_or(|a| a == action)
        && filter.from.is_none_or(|from| at >= from)
        && filter.to.is_none_or(|to| at < to)
        && filter
            .text
            .as_deref()
            .is_none_or(|text| mentions(event, text))
}

/// Actor, on-behalf-of or, unless those are asked for, target is one of the aliases.
fn touches(event: &Event, filter: &EventFilter) -> bool {
    let aliases = &filter.aliases;
    let target = |alias: &deedtrail_core::event::Alias| {
        AliasUid::of(&event.tenant, &alias.namespace, &alias.value)
    };
    let mut parties = event.actor_alias_uid.iter().copied();
    let mut behind = event.on_behalf_of_uid.iter().copied();
    let mut targets = event.mapped.target_aliases.iter().map(target);
    parties.any(|uid| aliases.contains(&uid))
        || behind.any(|uid| aliases.contains(&uid))
        || (!filter.acting && targets.any(|uid| aliases.contains(&uid)))
}

fn mentions(event: &Event, text: &str) -> bool {
    let text = text.to_lowercase();
    let mapped = &event.mapped;
    let fields = [
        Some(&mapped.operation),
        mapped.actor_ref.as_ref(),
        mapped.actor_name.as_ref(),
        mapped.target_ref.as_ref(),
        mapped.target_name.as_ref(),
        mapped.src_ip.as_ref(),
    ];
    fields
        .into_iter()
        .flatten()
        .any(|field| field.to_lowercase().contains(&text))
}
