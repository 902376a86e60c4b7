//! `limits`: how much is done.

use deedtrail_core::finding::Severity;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Said;
use crate::charter::Compiled;
use crate::departure::Departure;
use crate::document::Bytes;
use crate::limits::SUMS_MAX;
use crate::subject::{Subject, key};

/// What was done lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Amounts {
    /// Targets by hash, with the newest time of each.
    targets: Vec<(u64, Timestamp)>,
    /// Events by hour since 1970.
    hours: Vec<(i64, u64)>,
    /// Bytes by day since 1970.
    days: Vec<(i64, u64)>,
}

/// How often a limit is said to be exceeded: at it, at twice as much, four times and so on.
fn level(amount: u64, limit: u64) -> u32 {
    match amount.checked_sub(limit) {
        None | Some(0) => 0,
        Some(_) => 1 + ((amount - 1) / limit.max(1)).max(1).ilog2(),
    }
}

impl Amounts {
    /// Different targets in the minute before `time`, without and with this one.
    fn target(&mut self, target: u64, time: Timestamp, limit: u32) -> (u64, u64) {
        let from = time.plus_micros(-Timestamp::MINUTE_US);
        let known = self.targets.iter().position(|(known, _)| *known == target);
        let recent = |(_, at): &&(u64, Timestamp)| from < *at && *at <= time;
        let before = self.targets.iter().filter(recent).count() as u64;
        let again = known.is_some_and(|place| recent(&&self.targets[place]));
        match known {
            Some(place) => self.targets[place].1 = self.targets[place].1.max(time),
            None => self.targets.push((target, time)),
        }
        let newest = self.targets.iter().map(|(_, at)| *at).max().unwrap_or(time);
        let oldest = newest.plus_micros(-2 * Timestamp::MINUTE_US);
        self.targets.retain(|(_, at)| *at > oldest);
        let room = 64 + 2 * usize::try_from(limit).unwrap_or(0);
        if self.targets.len() > room {
            let oldest = (0..self.targets.len()).min_by_key(|place| self.targets[*place].1);
            self.targets.remove(oldest.unwrap_or(0));
        }
        (before, before + u64::from(!again))
    }
}

/// Adds to the sum of an hour or day; the sum before and after.
fn add(sums: &mut Vec<(i64, u64)>, of: i64, amount: u64) -> (u64, u64) {
    let place = sums.partition_point(|(known, _)| *known < of);
    if sums.get(place).is_none_or(|(known, _)| *known != of) {
        sums.insert(place, (of, 0));
    }
    let before = sums[place].1;
    let after = before.saturating_add(amount);
    sums[place].1 = after;
    if sums.len() > SUMS_MAX {
        sums.remove(0);
    }
    (before, after)
}

impl Compiled {
    pub(super) fn amounts(
        &self,
        subject: &Subject<'_>,
        amounts: &mut Amounts,
        to: &mut Vec<Departure>,
    ) {
        let [line_targets, line_events, line_bytes, line_audience] = self.line_limits;
        let mapped = &subject.event.mapped;
        let time = subject.event.time_effective;
        let mut check = |name: &str, line, limit: u64, (before, after): (u64, u64), show: Show| {
            if level(after, limit) > level(before, limit) {
                let said = self.exceeded(name, line, (show(after), show(limit)));
                to.push(self.departs(subject, said));
            }
        };
        if let Some(limit) = self.limits.distinct_targets_per_minute
            && let Some(name) = mapped.target_ref.as_ref().or(mapped.target_name.as_ref())
        {
            let target = key(&[mapped.system.as_bytes(), name.as_bytes()]);
            let counts = amounts.target(target, time, limit);
            let limit = u64::from(limit);
            check(
                "distinct_targets_per_minute",
                line_targets,
                limit,
                counts,
                plain,
            );
        }
        if let Some(limit) = self.limits.events_per_hour {
            let hour = time.as_micros().div_euclid(Timestamp::HOUR_US);
            let counts = add(&mut amounts.hours, hour, 1);
            check("events_per_hour", line_events, limit, counts, plain);
        }
        let sent = mapped.bytes_out.and_then(|bytes| u64::try_from(bytes).ok());
        if let (Some(limit), Some(bytes)) = (self.limits.bytes_out_per_day, sent) {
            let sums = add(&mut amounts.days, time.utc_day(), bytes);
            check("bytes_out_per_day", line_bytes, limit.0, sums, in_bytes);
        }
        let audience = mapped
            .audience_count
            .and_then(|count| u64::try_from(count).ok());
        if let (Some(limit), Some(audience)) = (self.limits.audience, audience) {
            check("audience", line_audience, limit, (0, audience), plain);
        }
    }

    fn exceeded(&self, name: &str, line: u32, (seen, limit): (String, String)) -> Said {
        let words = name.replace('_', " ");
        Said {
            line,
            rule: format!("limits: {name} {limit}"),
            pattern: format!("limit {name}"),
            title: format!(
                "exceeded a limit of its charter {}: {seen} {words}",
                self.name
            ),
            observed: format!("{words}: {seen}"),
            expected: format!("{words}: at most {limit}"),
            severity: Severity::Medium,
        }
    }
}

type Show = fn(u64) -> String;

fn plain(amount: u64) -> String {
    amount.to_string()
}

/// Bytes as people read them, rounded down.
fn in_bytes(amount: u64) -> String {
    match amount {
        0..1024 => format!("{amount} B"),
        bytes if Bytes(bytes).to_string().contains('i') => Bytes(bytes).to_string(),
        bytes if bytes >= 1 << 30 => format!("{} MiB", bytes >> 20),
        bytes => format!("{} KiB", bytes >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excess_is_said_at_each_doubling() {
        let mut said = Vec::new();
        for amount in 1..=1000 {
            if level(amount, 10) > level(amount - 1, 10) {
                said.push(amount);
            }
        }
        assert_eq!(said, [11, 21, 41, 81, 161, 321, 641]);
        assert_eq!(level(0, 0), 0);
        assert_eq!(level(1, 0), 1);
    }

    #[test]
    fn targets_are_counted_over_any_minute() {
        let mut amounts = Amounts::default();
        let at = |second: i64| Timestamp::from_micros(second * Timestamp::SECOND_US);
        assert_eq!(amounts.target(1, at(0), 5), (0, 1));
        assert_eq!(amounts.target(2, at(40), 5), (1, 2));
        assert_eq!(amounts.target(2, at(50), 5), (1 + 1, 2));
        assert_eq!(
            amounts.target(3, at(70), 5),
            (1, 2),
            "the first is over a minute ago"
        );
        for target in 10..10_000 {
            amounts.target(target, at(71), 5);
        }
        assert!(amounts.targets.len() <= 74);
    }
}
