//! Baselines: what an identity usually does, approved by somebody, and what changed since.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::behaviour::{Baseline, BaselineRecord};
use deedtrail_core::charter::Signed;
use deedtrail_core::event::Event;
use deedtrail_core::id::AliasUid;
use deedtrail_core::port::archive::ArchiveError;
use deedtrail_core::port::log::AppendError;
use deedtrail_core::port::store::{Scope, StoreError};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::fact;
use serde::Serialize;

use crate::App;
use crate::access::{Denied, Principal};
use crate::timeline::{IdentityFile, ReadingError};

/// Note of an entry that carries a [`BaselineRecord`] as JSON.
pub const BASELINE: &str = "baseline";
/// Days a baseline is of, where nobody says otherwise.
const DAYS: i64 = 28;
/// Lines of one kind in a baseline; what is rarer is counted together.
const LINES_MAX: usize = 200;
/// Lines of one kind that are told apart while events are read.
const LINES_COUNTED_MAX: usize = 10_000;
/// Name of what is counted together.
const FURTHER: &str = "further";
/// A share changed when it is this many times as large or as small …
const FACTOR_MIN: f64 = 2.0;
/// … and by at least this much.
const SHARE_MIN: f64 = 0.02;
/// How long an approval waits to be carried out, so that whoever looks next sees it.
const SETTLED_WITHIN: std::time::Duration = std::time::Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Reading(#[from] ReadingError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("{name} did nothing from {from} to {until}; name another time with --from and --to")]
    Nothing {
        name: Text,
        from: Timestamp,
        until: Timestamp,
    },
    #[error("{name} has no baseline {version}; `deedtrail baseline list` names those there are")]
    NoVersion { name: Text, version: u32 },
}

/// A baseline read from history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BaselineText {
    #[serde(flatten)]
    pub baseline: Baseline,
    /// There were more events; the newest are in it.
    pub cut: bool,
}

/// What the page of an identity's baselines shows.
#[derive(Clone, Debug, PartialEq)]
pub struct BaselineOverview {
    /// Of the 28 days up to its last event; `None` when it did nothing in them.
    pub usual: Option<BaselineText>,
    /// Approved ones, the newest first.
    pub versions: Vec<BaselineRecord>,
    /// Since the newest was approved; `None` without one, or when nothing was done since.
    pub changes: Option<Vec<Change>>,
}

/// One thing that differs between two baselines.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// `action`, `network`, `hour` or `volume`.
    pub of: &'static str,
    pub name: Text,
    /// Shares of events, 0 to 1; of a volume, events a day.
    pub before: f64,
    pub after: f64,
}

impl Change {
    /// What changed, in a sentence.
    pub fn sentence(&self) -> String {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let (before, after) = (percent(self.before), percent(self.after));
        match self.of {
            "volume" => format!(
                "events on {}: {:.0}, before {:.0}",
                self.name, self.after, self.before
            ),
            of if self.before == 0.0 => format!("new {of}: {} ({after})", self.name),
            of if self.after == 0.0 => format!("{of} gone: {} (was {before})", self.name),
            of => format!("{of} {}: {after}, before {before}", self.name),
        }
    }

    /// How much it matters: what is new first, then what is gone, then by how far it moved.
    fn rank(&self) -> (u8, f64) {
        let kind = match (self.of, self.before == 0.0, self.after == 0.0) {
            ("volume", ..) => 1,
            (_, true, _) => 3,
            (_, _, true) => 2,
            _ => 1,
        };
        (kind, (self.after - self.before).abs())
    }
}

impl App {
    /// Approved baselines of an identity, the newest first.
    pub fn baselines(
        &self,
        principal: &Principal,
        file: &IdentityFile,
    ) -> Result<Vec<BaselineRecord>, BaselineError> {
        principal.require(Scope::Read)?;
        let store = &self.ports.store;
        Ok(store.baselines(&principal.tenant, file.identity.id)?)
    }

    /// What an identity did in a stretch of time; without one, in the 28 days up to its last event.
    pub fn learn_baseline(
        &self,
        principal: &Principal,
        file: &IdentityFile,
        window: (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<BaselineText, BaselineError> {
        principal.require(Scope::Read)?;
        let window = self.stretch(file, window);
        let [learned] = self.summed_up(principal, file, [window])?;
        learned.ok_or_else(|| BaselineError::Nothing {
            name: file.identity.name.clone(),
            from: window.0,
            until: window.1,
        })
    }

    /// What an identity did in the 28 days up to its last event, and what changed since its newest
    /// baseline was approved: both from one reading of its events.
    pub fn baseline_overview(
        &self,
        principal: &Principal,
        file: &IdentityFile,
    ) -> Result<BaselineOverview, BaselineError> {
        let versions = self.baselines(principal, file)?;
        let usual = self.stretch(file, (None, None));
        let newest = versions.first().map(|newest| &newest.baseline);
        let since = newest.map_or(usual, |it| self.stretch(file, (Some(it.until), None)));
        let [usual, since] = self.summed_up(principal, file, [usual, since])?;
        let changes = newest.zip(since);
        Ok(BaselineOverview {
            usual,
            changes: changes.map(|(newest, since)| compare(newest, &since.baseline)),
            versions,
        })
    }

    /// The stretch of time that is meant, where it is not said: the 28 days up to the last event.
    fn stretch(
        &self,
        file: &IdentityFile,
        (from, until): (Option<Timestamp>, Option<Timestamp>),
    ) -> (Timestamp, Timestamp) {
        let last = file.identity.last_seen;
        let last = last.unwrap_or_else(|| self.ports.clock.now());
        let until = until.unwrap_or(last.plus_micros(1));
        let from = from.unwrap_or_else(|| until.plus_micros(-DAYS * Timestamp::DAY_US));
        (from, until)
    }

    /// What an identity did in each of these stretches of time, read once and a page at a time;
    /// `None` where it did nothing.
    fn summed_up<const N: usize>(
        &self,
        principal: &Principal,
        file: &IdentityFile,
        windows: [(Timestamp, Timestamp); N],
    ) -> Result<[Option<BaselineText>; N], BaselineError> {
        let actors: BTreeSet<AliasUid> = file.aliases.iter().map(|alias| alias.uid).collect();
        let from = windows.iter().map(|(from, _)| *from).min();
        let until = windows.iter().map(|(_, until)| *until).max();
        let mut sums = windows.map(|(from, until)| Sum::new(from, until));
        let cut = self.each_deed(principal, &actors, (from, until), &mut |event| {
            for sum in &mut sums {
                sum.take(&event);
            }
        })?;
        Ok(sums.map(|sum| {
            let cut = cut.is_some_and(|newest| newest >= sum.baseline.from);
            let baseline = sum.finish();
            (baseline.events > 0).then_some(BaselineText { baseline, cut })
        }))
    }

    /// Approves what an identity did in a stretch of time as its next baseline. `None` while
    /// processing is behind: it is in the log and comes with its number when that has caught up.
    pub fn approve_baseline(
        &self,
        principal: &Principal,
        file: &IdentityFile,
        window: (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<Option<BaselineRecord>, BaselineError> {
        principal.require(Scope::Write)?;
        let reading = principal.reading();
        let learned = self.learn_baseline(&reading, file, window)?;
        let approval = BaselineRecord {
            tenant: principal.tenant.clone(),
            identity: file.identity.id,
            version: 0,
            owner: file.identity.declared.owner.clone(),
            approved: Signed {
                by: principal.name.clone(),
                at: self.ports.clock.now(),
            },
            baseline: learned.baseline,
        };
        let content = serde_json::json!(approval).to_string().into_bytes();
        let end = self.append_plain(principal, BASELINE, content)?;
        self.processing.wait_at_most(end, SETTLED_WITHIN);
        let mut stored = self.baselines(&reading, file)?.into_iter();
        Ok(stored.find(|it| it.approved == approval.approved))
    }

    /// What changed from one version to another, or to what the identity did since it was approved.
    pub fn baseline_diff(
        &self,
        principal: &Principal,
        file: &IdentityFile,
        (old, new): (u32, Option<u32>),
    ) -> Result<Vec<Change>, BaselineError> {
        let all = self.baselines(principal, file)?;
        let of = |version: u32| {
            let found = all.iter().find(|record| record.version == version);
            found.ok_or_else(|| BaselineError::NoVersion {
                name: file.identity.name.clone(),
                version,
            })
        };
        let old = of(old)?;
        let new = if let Some(version) = new {
            of(version)?.baseline.clone()
        } else {
            let since = (Some(old.baseline.until), None);
            self.learn_baseline(principal, file, since)?.baseline
        };
        Ok(compare(&old.baseline, &new))
    }
}

/// What was done in a stretch of time, counted event by event.
struct Sum {
    baseline: Baseline,
    days: BTreeMap<i64, u64>,
}

impl Sum {
    fn new(from: Timestamp, until: Timestamp) -> Self {
        let baseline = Baseline {
            from,
            until,
            ..Baseline::default()
        };
        Self {
            baseline,
            days: BTreeMap::new(),
        }
    }

    fn take(&mut self, event: &Event) {
        let (mapped, at) = (&event.mapped, event.time_effective);
        let baseline = &mut self.baseline;
        if at < baseline.from || at >= baseline.until {
            return;
        }
        let (source, action) = (&event.source, mapped.action.name());
        let deed = match &mapped.target_kind {
            Some(kind) => Text::from(format!("{source} {action} on {}", fact::cut(kind, 60))),
            None => Text::from(format!("{source} {action}")),
        };
        count(&mut baseline.actions, deed);
        let network = match mapped.src_asn {
            Some(asn) => Some(Text::from(format!("AS{asn}"))),
            None => fact::network(event),
        };
        if let Some(network) = network {
            count(&mut baseline.networks, network);
        }
        let hour = at.as_micros().rem_euclid(Timestamp::DAY_US) / Timestamp::HOUR_US;
        if let Some(hour) = baseline.hours.get_mut(usize::try_from(hour).unwrap_or(0)) {
            *hour += 1;
        }
        *self.days.entry(at.utc_day()).or_default() += 1;
        baseline.events += 1;
    }

    fn finish(self) -> Baseline {
        let mut baseline = self.baseline;
        let mut sizes: Vec<u64> = self.days.into_values().collect();
        sizes.sort_unstable();
        let at = |share: usize| sizes.get(sizes.len() * share / 100).copied().unwrap_or(0);
        baseline.events_per_day = (at(50), at(95));
        baseline.active_days = u32::try_from(sizes.len()).unwrap_or(u32::MAX);
        shorten(&mut baseline.actions);
        shorten(&mut baseline.networks);
        baseline
    }
}

/// Counts a line; a new one of too many counts among the rare ones.
fn count(lines: &mut BTreeMap<Text, u64>, name: Text) {
    let is_kept = lines.len() < LINES_COUNTED_MAX || lines.contains_key(&name);
    let name = if is_kept {
        name
    } else {
        Text::new_static(FURTHER)
    };
    *lines.entry(name).or_default() += 1;
}

/// Keeps the most frequent lines and counts the others together.
fn shorten(lines: &mut BTreeMap<Text, u64>) {
    if lines.len() <= LINES_MAX {
        return;
    }
    let rare = lines.remove(FURTHER).unwrap_or_default();
    let mut by_count: Vec<(u64, Text)> = std::mem::take(lines)
        .into_iter()
        .map(|(name, count)| (count, name))
        .collect();
    by_count.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
    let further = by_count.split_off(LINES_MAX - 1);
    *lines = by_count
        .into_iter()
        .map(|(count, name)| (name, count))
        .collect();
    let further: u64 = further.into_iter().map(|(count, _)| count).sum();
    lines.insert(Text::new_static(FURTHER), rare + further);
}

/// What differs and matters, the gravest first.
#[expect(clippy::cast_precision_loss, reason = "shares and numbers for people")]
pub fn compare(old: &Baseline, new: &Baseline) -> Vec<Change> {
    let mut changes = Vec::new();
    let share = |count: u64, of: &Baseline| count as f64 / of.events.max(1) as f64;
    let mut note = |of, name: &Text, before: u64, after: u64, further: [bool; 2]| {
        // What a side counts together may have been there all the same.
        let unknown = (before == 0 && further[0]) || (after == 0 && further[1]);
        if name == FURTHER || unknown {
            return;
        }
        let (before, after) = (share(before, old), share(after, new));
        let (less, more) = (before.min(after), before.max(after));
        // What never came before is told however rare it is; what went away only if it was usual.
        let appeared = before == 0.0 && after > 0.0;
        if appeared || (more >= FACTOR_MIN * less && more - less >= SHARE_MIN) {
            changes.push(Change {
                of,
                name: name.clone(),
                before,
                after,
            });
        }
    };
    for (of, old, new) in [
        ("action", &old.actions, &new.actions),
        ("network", &old.networks, &new.networks),
    ] {
        let further = [old, new].map(|side| side.contains_key(FURTHER));
        let names: BTreeSet<&Text> = old.keys().chain(new.keys()).collect();
        for name in names {
            let count = |of: &BTreeMap<Text, u64>| of.get(name).copied().unwrap_or(0);
            note(of, name, count(old), count(new), further);
        }
    }
    for (hour, (before, after)) in old.hours.iter().zip(new.hours).enumerate() {
        let name = Text::from(format!("{hour:02}:00 UTC"));
        note("hour", &name, *before, after, [false; 2]);
    }
    let volumes = [
        ("a median day", old.events_per_day.0, new.events_per_day.0),
        ("a busy day", old.events_per_day.1, new.events_per_day.1),
    ];
    for (name, before, after) in volumes {
        let (before, after) = (before as f64, after as f64);
        if before.max(after) >= FACTOR_MIN * before.min(after) {
            changes.push(Change {
                of: "volume",
                name: Text::new_static(name),
                before,
                after,
            });
        }
    }
    changes.sort_by(|one, other| {
        let (one, other) = (one.rank(), other.rank());
        other.0.cmp(&one.0).then(other.1.total_cmp(&one.1))
    });
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(actions: &[(&'static str, u64)], hours: &[(usize, u64)]) -> Baseline {
        let mut baseline = Baseline {
            events: actions.iter().map(|(_, count)| count).sum(),
            events_per_day: (10, 20),
            ..Baseline::default()
        };
        let actions = actions
            .iter()
            .map(|(name, count)| (Text::new(name), *count));
        baseline.actions = actions.collect();
        for (hour, count) in hours {
            baseline.hours[*hour] = *count;
        }
        baseline
    }

    #[test]
    fn the_same_again_differs_in_nothing() {
        let one = of(&[("aws read", 90), ("aws write", 10)], &[(9, 100)]);
        let twice = of(&[("aws read", 180), ("aws write", 20)], &[(9, 200)]);
        assert_eq!(compare(&one, &twice), []);
    }

    #[test]
    fn what_is_new_is_told_however_rare_and_small_moves_are_not() {
        let old = of(&[("aws read", 900), ("aws write", 100)], &[(9, 1_000)]);
        let new = of(
            &[
                ("aws read", 880),
                ("aws write", 119),
                ("vault secret_read", 1),
            ],
            &[(9, 700), (3, 300)],
        );
        let told: Vec<String> = compare(&old, &new).iter().map(Change::sentence).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        new hour: 03:00 UTC (30.0 %)
        new action: vault secret_read (0.1 %)
        ");
    }

    #[test]
    fn lines_beyond_those_told_apart_are_counted_all_the_same() {
        let mut lines = BTreeMap::new();
        for number in 0..LINES_COUNTED_MAX + 5 {
            count(&mut lines, Text::from(format!("action {number:06}")));
        }
        count(&mut lines, Text::new_static("action 000000"));
        assert_eq!(lines.len(), LINES_COUNTED_MAX + 1);
        assert_eq!((lines["action 000000"], lines[FURTHER]), (2, 5));
        shorten(&mut lines);
        assert_eq!(lines.len(), LINES_MAX);
        assert_eq!(lines.values().sum::<u64>(), LINES_COUNTED_MAX as u64 + 6);
        assert!(lines.contains_key("action 000000"));
    }

    #[test]
    fn rare_lines_are_counted_together() {
        let mut lines: BTreeMap<Text, u64> = (0..300_u64)
            .map(|number| (Text::from(format!("action {number:03}")), number + 1))
            .collect();
        let all: u64 = lines.values().sum();
        shorten(&mut lines);
        assert_eq!(lines.len(), LINES_MAX);
        assert_eq!(lines.values().sum::<u64>(), all);
        assert!(lines.contains_key("action 299") && !lines.contains_key("action 000"));
    }
}
