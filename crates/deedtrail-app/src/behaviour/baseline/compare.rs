//! What an identity does in shares and lists, and what two such summaries differ in.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::behaviour::Baseline;
use deedtrail_core::event::Event;
use deedtrail_core::time::Timestamp;
use deedtrail_detect::fact;
use serde::Serialize;

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

/// What was done in a stretch of time, counted event by event.
pub(super) struct Sum {
    pub(super) baseline: Baseline,
    days: BTreeMap<i64, u64>,
}

impl Sum {
    pub(super) fn new(from: Timestamp, until: Timestamp) -> Self {
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

    pub(super) fn take(&mut self, event: &Event) {
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

    pub(super) fn finish(self) -> Baseline {
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
