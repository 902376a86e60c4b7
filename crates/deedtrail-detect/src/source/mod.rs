//! The sources themselves: whether they still deliver, and still say what they used to say.
//!
//! Time is that of the log: when records were received, and ticks. An hour without a tick and
//! without a record is one in which nobody listened; nothing is concluded from it.

mod facts;
mod numbers;
mod rhythm;

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{Event, FACTS};
use deedtrail_core::finding::{FindingDraft, FindingEvent};
use deedtrail_core::health::{GAPS_MAX, Gap, MissingNumbers, Watched};
use deedtrail_core::id::{AliasUid, IdentityId, SourceName, TenantId};
use deedtrail_core::mapping::RecordNumber;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::detector::draft::{UNATTRIBUTED, severity_of};
use crate::limits::SOURCES_MAX;
use crate::{Settings, profile};
use facts::{Share, Worse};
use numbers::Numbers;
use rhythm::Rhythm;

/// Rule of the findings.
pub(crate) const SILENT: &str = "code/source_silent";
pub(crate) const DEGRADED: &str = "code/evidence_degraded";

/// Hours for which it is foretold when silence becomes a finding.
const FORETOLD_HOURS: i64 = 14 * 24;

/// Every source that has delivered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sources {
    watches: BTreeMap<(TenantId, SourceName), Watch>,
    /// The hour under way, counted from 1970.
    hour: Option<i64>,
    /// An hour ended since the last tick.
    ended: bool,
}

/// One source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Watch {
    first: Timestamp,
    last: Timestamp,
    last_event: Option<FindingEvent>,
    rhythm: Rhythm,
    /// Something came in the hour under way.
    delivered: bool,
    /// What the silent hours since `last` add up to, thousandths of a nat.
    surprise: u32,
    /// Its silence is a finding.
    told: bool,
    gaps: Vec<Gap>,
    understood: Share,
    /// One share for each of [`FACTS`].
    facts: BTreeMap<Action, [Share; FACTS.len()]>,
    numbers: Numbers,
    /// Numbers that never came, as many as are remembered, and how many in all.
    missing: Vec<MissingNumbers>,
    missing_total: u64,
    /// Those that are in no finding yet.
    untold: Vec<MissingNumbers>,
}

impl Watch {
    fn new(first: Timestamp) -> Self {
        Self {
            first,
            last: first,
            last_event: None,
            rhythm: Rhythm::default(),
            delivered: false,
            surprise: 0,
            told: false,
            gaps: Vec::new(),
            understood: Share::default(),
            facts: BTreeMap::new(),
            numbers: Numbers::default(),
            missing: Vec::new(),
            missing_total: 0,
            untold: Vec::new(),
        }
    }

    fn delivers(&mut self, received: Timestamp) {
        if self.told {
            self.gaps.push(Gap {
                from: self.last,
                to: received,
            });
            let over = self.gaps.len().saturating_sub(GAPS_MAX);
            self.gaps.drain(..over);
        }
        (self.told, self.surprise, self.delivered) = (false, 0, true);
        self.last = self.last.max(received);
    }

    /// Ends an hour in which the log was open.
    fn end_hour(&mut self, hour: i64) {
        if !self.delivered {
            let surprise = self.rhythm.surprise(hour);
            self.surprise = self.surprise.saturating_add(surprise);
        }
        // The hour of the first record was not heard as a whole.
        if hour > number(self.first) {
            self.rhythm.learn(hour, self.delivered);
        }
        self.delivered = false;
        let missing = self.numbers.end_hour();
        self.missing_total += missing.iter().map(MissingNumbers::count).sum::<u64>();
        self.untold.extend(missing.iter().cloned());
        self.missing.extend(missing);
        keep_newest(&mut self.untold);
        keep_newest(&mut self.missing);
    }

    fn count(&mut self, record: &RecordNumber, time: Timestamp, received: Timestamp) {
        let waited_for = sum(&self.missing);
        self.numbers
            .count(record, time, received, &mut self.missing);
        self.missing_total -= waited_for - sum(&self.missing);
        keep_newest(&mut self.missing);
    }

    /// When silence becomes a finding if nothing comes and the server runs on from the hour under
    /// way; `None` when it is one.
    fn overdue_at(&self, under_way: i64, settings: &Settings) -> Option<Timestamp> {
        if self.told {
            return None;
        }
        let from = under_way.max(number(self.last) + 1);
        let known = number(self.first) + settings.source_history_days * 24;
        let mut surprise = self.surprise;
        let passed = (from - 1..from + FORETOLD_HOURS).find(|hour| {
            if *hour >= from {
                surprise = surprise.saturating_add(self.rhythm.surprise(*hour));
            }
            surprise >= threshold(settings)
        })?;
        let at = (passed + 1).max(known).saturating_mul(Timestamp::HOUR_US);
        Some(Timestamp::from_micros(at))
    }
}

fn keep_newest(missing: &mut Vec<MissingNumbers>) {
    let over = missing.len().saturating_sub(GAPS_MAX);
    missing.drain(..over);
}

fn sum(missing: &[MissingNumbers]) -> u64 {
    missing.iter().map(MissingNumbers::count).sum()
}

fn number(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(Timestamp::HOUR_US)
}

/// Thousandths of a nat at which a silence is rarer than the setting says.
fn threshold(settings: &Settings) -> u32 {
    let nats = f64::from(settings.source_silence_one_in.max(2)).ln();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 693 and 22181"
    )]
    let thousandths = (nats * 1_000.0) as u32;
    thousandths
}

impl Sources {
    /// Takes note of a record.
    pub(crate) fn record(
        &mut self,
        tenant: &TenantId,
        source: &SourceName,
        received: Timestamp,
        understood: bool,
    ) -> Vec<FindingDraft> {
        self.move_to(received);
        let key = (tenant.clone(), source.clone());
        if self.watches.len() >= SOURCES_MAX && !self.watches.contains_key(&key) {
            return Vec::new();
        }
        let watch = self.watches.entry(key);
        let watch = watch.or_insert_with(|| Watch::new(received));
        watch.delivers(received);
        let worse = watch.understood.count(!understood);
        let draft = worse.map(|worse| {
            let mut draft = about(tenant, source, "evidence_degraded", DEGRADED, received);
            draft.pattern = Text::new_static("records not understood");
            draft.title = format!(
                "{source} is no longer understood: {} of the last {} records are in quarantine",
                worse.lacks, worse.of
            );
            draft.reasons = vec![
                format!("{} of {} records cannot be mapped", worse.lacks, worse.of),
                before(worse, "records", "could not be mapped"),
                "kept and provable all the same: mend the mapping, then replay".to_owned(),
            ];
            draft.events = watch.last_event.iter().cloned().collect();
            draft
        });
        draft.into_iter().collect()
    }

    /// Takes note of what an event says.
    pub(crate) fn event(&mut self, event: &Event) -> Vec<FindingDraft> {
        let key = (event.tenant.clone(), event.source.clone());
        let Some(watch) = self.watches.get_mut(&key) else {
            return Vec::new();
        };
        let action = event.mapped.action;
        let shares = watch.facts.entry(action).or_default();
        let lacks = event.mapped.lacks(event.source_uid.as_ref());
        let mut drafts = Vec::new();
        for ((share, lacks), fact) in shares.iter_mut().zip(lacks).zip(FACTS) {
            let Some(worse) = share.count(lacks) else {
                continue;
            };
            let source = &event.source;
            let at = event.time_received;
            let mut draft = about(&event.tenant, source, "evidence_degraded", DEGRADED, at);
            let action = action.name();
            draft.pattern = format!("{fact} of {action}").into();
            draft.title = format!(
                "{source} no longer says the {fact} of `{action}`: missing in {} of the last {}",
                worse.lacks, worse.of
            );
            draft.reasons = vec![
                format!(
                    "{fact} missing: {} of {} events of `{action}`",
                    worse.lacks, worse.of
                ),
                before(worse, "events", "lacked it"),
            ];
            draft.events = vec![profile::finding_event(event)];
            drafts.push(draft);
        }
        if watch
            .last_event
            .as_ref()
            .is_none_or(|last| is_later(event, last))
        {
            watch.last_event = Some(profile::finding_event(event));
        }
        drafts
    }

    /// Takes note of the number that a record has, which happened at `time`.
    pub(crate) fn number(
        &mut self,
        (tenant, source): (&TenantId, &SourceName),
        record: &RecordNumber,
        time: Timestamp,
        received: Timestamp,
    ) {
        let key = (tenant.clone(), source.clone());
        if let Some(watch) = self.watches.get_mut(&key) {
            watch.count(record, time, received);
        }
    }

    /// The hour under way, counted from 1970.
    pub(crate) fn hour(&self) -> Option<i64> {
        self.hour
    }

    /// Takes a tick: tells which source is silent against its own rhythm, and where records are
    /// missing.
    pub(crate) fn tick(&mut self, now: Timestamp, settings: &Settings) -> Vec<FindingDraft> {
        self.move_to(now);
        if !std::mem::take(&mut self.ended) {
            return Vec::new();
        }
        let history_us = settings
            .source_history_days
            .saturating_mul(Timestamp::DAY_US);
        let mut drafts = Vec::new();
        for ((tenant, source), watch) in &mut self.watches {
            let untold = std::mem::take(&mut watch.untold);
            if !untold.is_empty() {
                let mut draft = missing(tenant, source, &untold, now);
                draft.events = watch.last_event.iter().cloned().collect();
                drafts.push(draft);
            }
            let young = now.micros_since(watch.first) < history_us;
            if watch.told || young || watch.surprise < threshold(settings) {
                continue;
            }
            watch.told = true;
            let mut draft = about(tenant, source, "source_silent", SILENT, now);
            let hours = now.micros_since(watch.last) / Timestamp::HOUR_US;
            draft.title = format!("{source} has been silent for {hours} h");
            draft.reasons = vec![
                format!("nothing since {}; the server was listening", watch.last),
                format!(
                    "by its own rhythm so long a silence is rarer than one in {}",
                    settings.source_silence_one_in
                ),
                format!("rhythm learned since {}", watch.first),
            ];
            draft.events = watch.last_event.iter().cloned().collect();
            drafts.push(draft);
        }
        drafts
    }

    /// What is known of a source.
    pub(crate) fn watched(
        &self,
        tenant: &TenantId,
        source: &SourceName,
        settings: &Settings,
    ) -> Watched {
        let key = (tenant.clone(), source.clone());
        let Some(watch) = self.watches.get(&key) else {
            return Watched::default();
        };
        let understood = watch.understood.is_worse();
        let understood = understood.then_some(Text::new_static("mapping of records"));
        let facts = watch.facts.iter().flat_map(|(action, shares)| {
            let worse = FACTS
                .iter()
                .zip(shares)
                .filter(|(_, share)| share.is_worse());
            worse.map(|(fact, _)| format!("{fact} of {}", action.name()).into())
        });
        Watched {
            silent: watch.told,
            overdue_at: watch.overdue_at(self.hour.unwrap_or_default(), settings),
            gaps: watch.gaps.clone(),
            degraded: understood.into_iter().chain(facts).collect(),
            numbered: !watch.numbers.is_empty(),
            missing: watch.missing.clone(),
            missing_total: watch.missing_total,
            skipped_forgotten: watch.numbers.forgotten(),
        }
    }

    /// Ends the hour under way if `at` is in a later one.
    fn move_to(&mut self, at: Timestamp) {
        let hour = number(at);
        let ended = self.hour.filter(|under_way| hour > *under_way);
        if let Some(ended) = ended {
            self.watches
                .values_mut()
                .for_each(|watch| watch.end_hour(ended));
            self.ended = true;
        }
        self.hour = Some(self.hour.map_or(hour, |under_way| under_way.max(hour)));
    }
}

fn is_later(event: &Event, than: &FindingEvent) -> bool {
    event.log_seq > than.log_seq
}

/// Numbers that never came.
fn missing(
    tenant: &TenantId,
    source: &SourceName,
    gaps: &[MissingNumbers],
    at: Timestamp,
) -> FindingDraft {
    let mut draft = about(tenant, source, "evidence_degraded", DEGRADED, at);
    draft.pattern = Text::new_static("records missing");
    draft.title = match sum(gaps) {
        1 => format!("one record of {source} never came: its number is skipped"),
        count => format!("{count} records of {source} never came: their numbers are skipped"),
    };
    let named = gaps.iter().map(|gap| {
        let stream = match gap.within.as_str() {
            "" => String::new(),
            within => format!(" of {within}"),
        };
        let MissingNumbers { first, last, .. } = gap;
        if first == last {
            format!("number {first}{stream} is missing")
        } else {
            format!("numbers {first} to {last}{stream} are missing")
        }
    });
    draft.reasons = named.collect();
    draft.reasons.push(
        "the vendor numbers them without gaps, and they were waited for: they were lost on the way, \
         held back, or wait in quarantine because their number cannot be read"
            .to_owned(),
    );
    draft
}

fn before(worse: Worse, what: &str, lacked: &str) -> String {
    format!(
        "before: {} of {} {what} {lacked}",
        worse.lacked, worse.events
    )
}

/// A draft about a source: its subject is whoever it speaks of without a name.
fn about(
    tenant: &TenantId,
    source: &SourceName,
    kind: &'static str,
    rule: &'static str,
    at: Timestamp,
) -> FindingDraft {
    let alias = AliasUid::of(tenant, UNATTRIBUTED, source.as_str());
    FindingDraft {
        kind: Text::new_static(kind),
        rule: Text::new_static(rule),
        tenant: tenant.clone(),
        identity: IdentityId::discovered(alias),
        first_alias: alias,
        pattern: Text::new_static("source"),
        session: None,
        severity: severity_of(kind),
        confidence: 0.9,
        title: String::new(),
        reasons: Vec::new(),
        events: Vec::new(),
        allowed: Vec::new(),
        refused: Vec::new(),
        hypotheses: Vec::new(),
        techniques: Vec::new(),
        at,
    }
}
