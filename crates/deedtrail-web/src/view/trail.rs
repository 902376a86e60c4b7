//! A timeline as rows: days, gaps, events.

use std::collections::BTreeMap;

use deedtrail_core::event::{Event, OutcomeClass};
use deedtrail_core::finding::{Finding, Severity};
use deedtrail_core::id::EventUid;

use super::{Badge, Chip, Moment, People, Shown, grouped, span};

/// Which way a timeline reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    OldestFirst,
    NewestFirst,
}

/// What a timeline marks.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    pub(crate) people: &'a People,
    /// Worst severity of the findings an event belongs to, and the sentence they have about it.
    pub(crate) marks: BTreeMap<EventUid, (Severity, &'a str)>,
    pub(crate) selected: Option<EventUid>,
    /// Start of the address that selects an event; the event's id is appended.
    pub(crate) address: String,
    /// A silence longer than this gets a row, µs.
    pub(crate) gap_us: i64,
}

/// One row of a timeline.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    Day(String),
    Gap(String),
    Event(Box<EventRow>),
}

/// An event as a row.
#[derive(Clone, Debug)]
pub(crate) struct EventRow {
    pub(crate) time: Moment,
    pub(crate) badge: Option<Badge>,
    pub(crate) source: Shown,
    pub(crate) actor: Option<Chip>,
    pub(crate) operation: Shown,
    pub(crate) sentence: Shown,
    pub(crate) sequence: String,
    pub(crate) href: String,
    pub(crate) selected: bool,
}

impl<'a> Selection<'a> {
    /// Marks from the findings that rest on an event.
    pub(crate) fn marks_of(findings: &'a [Finding]) -> BTreeMap<EventUid, (Severity, &'a str)> {
        let mut marks: BTreeMap<EventUid, (Severity, &str)> = BTreeMap::new();
        for finding in findings {
            for event in &finding.draft.events {
                let mark = (finding.draft.severity, event.fact.as_str());
                let best = marks.entry(event.event_uid).or_insert(mark);
                if mark.0 > best.0 {
                    *best = mark;
                }
            }
        }
        marks
    }

    /// Class of a dot for this event.
    pub(crate) fn class(&self, event: &Event) -> &'static str {
        let mark = self.marks.get(&event.event_uid);
        mark.map_or("", |(severity, _)| Badge::new(*severity).class)
    }
}

/// Rows for `events`, which are in `order` already.
pub(crate) fn rows(events: &[Event], selection: &Selection<'_>, order: Order) -> Vec<Row> {
    let mut rows = Vec::with_capacity(events.len() * 2);
    let mut before: Option<&Event> = None;
    for event in events {
        let day = event.time_effective.utc_day();
        let new_day = before.is_none_or(|b| b.time_effective.utc_day() != day);
        if let Some(before) = before {
            let (late, early) = match order {
                Order::OldestFirst => (event, before),
                Order::NewestFirst => (before, event),
            };
            let gap = late.time_effective.micros_since(early.time_effective);
            if gap > selection.gap_us {
                rows.push(Row::Gap(format!("⋯ {} without matching events", span(gap))));
            }
        }
        if new_day {
            rows.push(Row::Day(Moment::new(event.time_effective).heading));
        }
        rows.push(Row::Event(Box::new(row(event, selection))));
        before = Some(event);
    }
    rows
}

fn row(event: &Event, selection: &Selection<'_>) -> EventRow {
    let mark = selection.marks.get(&event.event_uid);
    let fact = mark.map(|(_, fact)| *fact).filter(|fact| !fact.is_empty());
    let own = || sentence(event, selection.people);
    EventRow {
        time: Moment::new(event.time_effective),
        badge: mark.map(|(severity, _)| Badge::new(*severity)),
        source: Shown::new(event.source.as_str()),
        actor: Chip::actor(event, selection.people),
        operation: Shown::cut(&event.mapped.operation, 80),
        sentence: fact.map_or_else(own, Shown::new),
        sequence: grouped(event.log_seq),
        href: format!("{}{}#selected", selection.address, event.event_uid),
        selected: selection.selected == Some(event.event_uid),
    }
}

/// What an event says, in one line: target, outcome, from where.
fn sentence(event: &Event, people: &People) -> Shown {
    let mapped = &event.mapped;
    let mut parts: Vec<String> = Vec::new();
    if let Some(target) = Chip::target(event, people) {
        parts.push(target.name.to_string());
    }
    parts.push(match mapped.outcome {
        OutcomeClass::Unknown => "outcome unknown".to_owned(),
        outcome => outcome.name().to_owned(),
    });
    if let Some(count) = mapped.audience_count {
        parts.push(format!("to {count} people"));
    }
    if let Some(ip) = &mapped.src_ip {
        let asn = mapped
            .src_asn
            .map(|asn| format!(" (AS{asn})"))
            .unwrap_or_default();
        parts.push(format!("from {ip}{asn}"));
    }
    Shown::new(&parts.join(" · "))
}
