//! `when` and `from` from history.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::time::Timestamp;

use crate::document::{Comments, Days, From, Hours, List, When};
use crate::subject::Subject;

/// Days with events before hours are proposed.
const DAYS_MIN: usize = 10;
/// Longest span of the day that says something, hours.
const SPAN_MAX: usize = 18;
/// What less than one in this many events shows is rare.
const RARE: usize = 200;
/// Values listed; with more, nothing is said.
const VALUES_MAX: usize = 8;

/// Hours and days of the week (UTC) on which nearly all events lie, with an hour to spare.
pub(super) fn times(history: &[Subject<'_>], days: usize, comments: &mut Comments) -> Option<When> {
    let dated: Vec<Timestamp> = history
        .iter()
        .filter(|subject| subject.dated())
        .map(|subject| subject.event.time_effective)
        .collect();
    if days < DAYS_MIN || dated.len() < 2 * DAYS_MIN {
        return None;
    }
    let (mut hours, mut weekdays) = ([0_usize; 24], [0_usize; 7]);
    for time in &dated {
        let hour = time.as_micros().rem_euclid(Timestamp::DAY_US) / Timestamp::HOUR_US;
        // 1970-01-01 was a Thursday; Monday is 0.
        let weekday = (time.utc_day() + 3).rem_euclid(7);
        hours[usize::try_from(hour).unwrap_or(0)] += 1;
        weekdays[usize::try_from(weekday).unwrap_or(0)] += 1;
    }
    let rare = |count: usize| count * RARE <= dated.len();
    let left = hours.iter().filter(|count| rare(**count)).sum::<usize>();
    let weekend = weekdays[5] + weekdays[6];
    let week = rare(weekend).then(|| List(vec![Days { first: 0, last: 4 }]));
    let weekend = if week.is_some() { weekend } else { 0 };
    let span = span(&hours.map(|count| !rare(count))).map(|hours| List(vec![hours]));
    if left + weekend > 0 && (span.is_some() || week.is_some()) {
        comments.push((
            "when",
            format!(
                "Left out as rare: {left} of {} events by their hour, {weekend} at weekends.",
                dated.len()
            ),
        ));
    }
    (span.is_some() || week.is_some()).then_some(When {
        days: week,
        hours: span,
        zone: Some("UTC".to_owned()),
    })
}

/// The shortest span that holds every busy hour, an hour wider on both sides.
fn span(busy: &[bool; 24]) -> Option<Hours> {
    // The span begins after the longest pause.
    let pause = |start: usize| (0..24).take_while(|n| !busy[(start + n) % 24]).count();
    let (length, start) = (0..24)
        .map(|start| (pause(start), start))
        .max_by_key(|(length, start)| (*length, std::cmp::Reverse(*start)))?;
    if length == 24 || 24 - length + 2 > SPAN_MAX {
        return None;
    }
    let from = (start + length + 23) % 24;
    let to = (start + 1) % 24;
    let minutes = |hour: usize| u16::try_from(hour * 60).unwrap_or(0);
    Some(Hours {
        from: minutes(from),
        to: if to == 0 { 24 * 60 } else { minutes(to) },
    })
}

/// Networks, workloads and countries of nearly all events.
pub(super) fn origins(history: &[Subject<'_>], comments: &mut Comments) -> Option<From> {
    let mut say = |text: String| comments.push(("from", text));
    let of = |value: &dyn Fn(&Subject<'_>) -> Option<String>| {
        let mut counts = BTreeMap::<String, usize>::new();
        for value in history.iter().filter_map(value) {
            *counts.entry(value).or_default() += 1;
        }
        counts
    };
    let text = |text: &Option<Text>| text.as_ref().map(|text| crate::subject::cut(text, 100));
    let systems = of(&|subject| subject.event.mapped.src_asn.map(|asn| format!("AS{asn}")));
    let blocks = of(&|subject| block(subject.event.mapped.src_ip.as_deref()?));
    let networks = if systems.values().sum::<usize>() >= blocks.values().sum() {
        systems
    } else {
        blocks
    };
    let networks = common("networks", networks, &mut say);
    let workloads = of(&|subject| text(&subject.event.mapped.workload));
    let workloads = common("workloads", workloads, &mut say);
    let countries = of(&|subject| text(&subject.event.mapped.src_country));
    let countries = common("countries", countries, &mut say);
    let countries: BTreeSet<String> = countries.into_iter().filter(|c| c.len() == 2).collect();
    let from = From {
        networks: List(networks),
        workloads: List(workloads),
        countries: countries.into_iter().collect(),
    };
    (from != From::default()).then_some(from)
}

/// The values that are not rare, if they are few; says which were left out.
fn common(key: &str, counts: BTreeMap<String, usize>, say: &mut impl FnMut(String)) -> Vec<String> {
    let all: usize = counts.values().sum();
    let (rare, common): (Vec<_>, Vec<_>) = counts
        .into_iter()
        .partition(|(_, count)| count * RARE <= all);
    if common.len() > VALUES_MAX {
        return Vec::new();
    }
    if !rare.is_empty() {
        let shown = rare
            .iter()
            .take(VALUES_MAX)
            .map(|(value, count)| format!("{value} ({count})"));
        say(format!(
            "Left out of {key}, seen rarely: {}.",
            shown.collect::<Vec<_>>().join(", ")
        ));
    }
    common.into_iter().map(|(value, _)| value).collect()
}

/// The /24 or /48 around an address.
fn block(address: &str) -> Option<String> {
    let address = address.parse::<std::net::IpAddr>().ok()?;
    let length = if address.is_ipv4() { 24 } else { 48 };
    let block = ipnet::IpNet::new(address, length).ok()?;
    Some(block.trunc().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(busy: std::ops::Range<usize>) -> Option<String> {
        let mut hours = [false; 24];
        busy.for_each(|hour| hours[hour % 24] = true);
        span(&hours).map(|hours| hours.to_string())
    }

    #[test]
    fn the_span_of_busy_hours_may_go_over_midnight() {
        assert_eq!(check(9..17).as_deref(), Some("08:00-18:00"));
        assert_eq!(check(22..27).as_deref(), Some("21:00-04:00"));
        assert_eq!(check(14..23).as_deref(), Some("13:00-24:00"));
        assert_eq!(check(2..3).as_deref(), Some("01:00-04:00"));
        assert_eq!(check(0..20), None);
        assert_eq!(check(0..0), None);
    }
}
