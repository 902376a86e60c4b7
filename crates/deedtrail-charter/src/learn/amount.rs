//! `limits` from history: twice the most that was seen.

use std::collections::BTreeMap;

use deedtrail_core::time::Timestamp;

use crate::document::{Bytes, Comments, Limits};
use crate::limits::TARGETS_PER_MINUTE_MAX;
use crate::subject::Subject;

/// Events before a limit is proposed.
const EVENTS_MIN: usize = 30;

pub(super) fn limits(history: &[Subject<'_>], comments: &mut Comments) -> Option<Limits> {
    if history.len() < EVENTS_MIN {
        return None;
    }
    let (mut hours, mut days) = (BTreeMap::<i64, u64>::new(), BTreeMap::<i64, u64>::new());
    let mut audience = None;
    for subject in history {
        let (time, mapped) = (subject.event.time_effective, &subject.event.mapped);
        *hours
            .entry(time.as_micros().div_euclid(Timestamp::HOUR_US))
            .or_default() += 1;
        if let Some(bytes) = mapped.bytes_out.and_then(|bytes| u64::try_from(bytes).ok()) {
            *days.entry(time.utc_day()).or_default() += bytes;
        }
        let reached = mapped
            .audience_count
            .and_then(|count| u64::try_from(count).ok());
        audience = audience.max(reached);
    }
    let targets = targets_per_minute(history);
    let twice = |most: u64| rounded(most.saturating_mul(2));
    comments.push(("limits", "Twice the most that was seen.".to_owned()));
    let most = |sums: BTreeMap<i64, u64>| sums.into_values().max().filter(|most| *most > 0);
    let targets = u32::try_from(twice(targets)).unwrap_or(u32::MAX);
    Some(Limits {
        distinct_targets_per_minute: (1..=TARGETS_PER_MINUTE_MAX)
            .contains(&targets)
            .then_some(targets),
        events_per_hour: most(hours).map(twice),
        bytes_out_per_day: most(days).map(|most| Bytes(megabytes(twice(most)))),
        audience: audience.map(twice),
    })
}

/// Most different targets within 60 seconds.
fn targets_per_minute(history: &[Subject<'_>]) -> u64 {
    let target = |subject: &Subject<'_>| {
        let mapped = &subject.event.mapped;
        let name = mapped.target_ref.as_ref().or(mapped.target_name.as_ref())?;
        Some((
            subject.event.time_effective,
            (mapped.system.clone(), name.clone()),
        ))
    };
    let mut uses: Vec<_> = history.iter().filter_map(target).collect();
    uses.sort();
    let (mut counts, mut start, mut most) = (BTreeMap::new(), 0, 0);
    for (time, name) in &uses {
        while uses
            .get(start)
            .is_some_and(|(old, _)| time.micros_since(*old) >= Timestamp::MINUTE_US)
        {
            let old = &uses[start].1;
            if let Some(count) = counts.get_mut(old) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(old);
                }
            }
            start += 1;
        }
        *counts.entry(name).or_insert(0_usize) += 1;
        most = most.max(counts.len());
    }
    most as u64
}

/// Rounded up to two digits.
fn rounded(amount: u64) -> u64 {
    let mut unit = 1_u64;
    while amount / unit >= 100 {
        unit *= 10;
    }
    amount.div_ceil(unit).saturating_mul(unit)
}

/// Bytes rounded up to a whole MB where there is one.
const fn megabytes(bytes: u64) -> u64 {
    if bytes < 1_000_000 {
        return bytes;
    }
    bytes.div_ceil(1_000_000).saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_up() {
        assert_eq!([0, 7, 99, 101, 1_234].map(rounded), [0, 7, 99, 110, 1_300]);
    }
}
