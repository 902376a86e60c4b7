//! Days and hours of work.

use std::fmt::Display;

use super::{Difference, Direction, Loosened, Other, Tightened, say};
use crate::document::{Days, Hours, List, When};

/// Key of the charter.
const KEY: &str = "when";
const DAYS_OF_WEEK: u8 = 7;
const MINUTES_OF_DAY: u16 = 24 * 60;

/// What two times of work differ in.
pub(super) fn compare(all: &mut Vec<Difference>, (old, new): (Option<&When>, Option<&When>)) {
    match (old, new) {
        (None, Some(new)) => say(
            all,
            Tightened,
            KEY,
            format!("when: only {} now", words(new)),
        ),
        (Some(old), None) => say(
            all,
            Loosened,
            KEY,
            format!("when: at any time now, was only {}", words(old)),
        ),
        (Some(old), Some(new)) => lines(all, old, new),
        (None, None) => {}
    }
}

fn lines(all: &mut Vec<Difference>, old: &When, new: &When) {
    let (was, is) = (every_day(old.days.as_ref()), every_day(new.days.as_ref()));
    if was != is {
        let sentence = format!("when: days were {}, are {}", days(old), days(new));
        say(all, direction(&was, &is), KEY, sentence);
    }
    let (was, is) = (all_day(old.hours.as_ref()), all_day(new.hours.as_ref()));
    if was != is {
        let sentence = format!("when: hours were {}, are {}", hours(old), hours(new));
        say(all, direction(&was, &is), KEY, sentence);
    }
    let (was, is) = (zone(old), zone(new));
    if was != is {
        say(all, Other, KEY, format!("when: zone was {was}, is {is}"));
    }
}

/// More time loosens, less tightens.
fn direction(was: &[bool], is: &[bool]) -> Direction {
    let pairs = || was.iter().zip(is);
    let more = pairs().any(|(was, is)| !was && *is);
    let less = pairs().any(|(was, is)| *was && !is);
    match (more, less) {
        (true, false) => Loosened,
        (false, true) => Tightened,
        _ => Other,
    }
}

fn every_day(days: Option<&List<Days>>) -> Vec<bool> {
    let within = |day: u8, days: &Days| {
        if days.first <= days.last {
            (days.first..=days.last).contains(&day)
        } else {
            day >= days.first || day <= days.last
        }
    };
    let worked = |day| days.is_none_or(|list| list.iter().any(|days| within(day, days)));
    (0..DAYS_OF_WEEK).map(worked).collect()
}

fn all_day(hours: Option<&List<Hours>>) -> Vec<bool> {
    let within = |minute: u16, hours: &Hours| {
        if hours.from < hours.to {
            (hours.from..hours.to).contains(&minute)
        } else {
            minute >= hours.from || minute < hours.to
        }
    };
    let worked = |minute| hours.is_none_or(|list| list.iter().any(|hours| within(minute, hours)));
    (0..MINUTES_OF_DAY).map(worked).collect()
}

fn listed<T: Display>(list: Option<&List<T>>, otherwise: &str) -> String {
    let shown = list.map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>());
    shown.map_or_else(|| otherwise.to_owned(), |shown| shown.join(", "))
}

fn days(when: &When) -> String {
    listed(when.days.as_ref(), "all")
}

fn hours(when: &When) -> String {
    listed(when.hours.as_ref(), "all")
}

fn zone(when: &When) -> &str {
    when.zone.as_deref().unwrap_or("UTC")
}

fn words(when: &When) -> String {
    format!(
        "on {}, {} ({})",
        listed(when.days.as_ref(), "all days"),
        listed(when.hours.as_ref(), "all hours"),
        zone(when)
    )
}
