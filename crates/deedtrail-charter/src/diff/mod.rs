//! What two versions of a charter differ in, in words.

mod group;
mod sequence;
mod when;

use crate::charter::words;
use crate::document::{Bytes, Charter, Grant, Limits, List};

/// What a difference does to the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is allowed than before.
    Loosened,
    /// Less is allowed than before.
    Tightened,
    Other,
}

impl Direction {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loosened => "loosened",
            Self::Tightened => "tightened",
            Self::Other => "other",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Difference {
    pub direction: Direction,
    /// Key of the charter.
    pub key: &'static str,
    pub sentence: String,
}

use Direction::{Loosened, Other, Tightened};

/// What `new` differs from `old` in; what loosens it first.
pub fn diff(old: &Charter, new: &Charter) -> Vec<Difference> {
    let mut all = Vec::new();
    entries(
        &mut all,
        "allow",
        (&old.allow, &new.allow),
        (Loosened, Tightened),
    );
    entries(
        &mut all,
        "never",
        (&old.never, &new.never),
        (Tightened, Loosened),
    );
    // Whom it binds decides over whom it restrains.
    values(
        &mut all,
        "identities",
        (&old.identities, &new.identities),
        (Tightened, Loosened),
    );
    group::compare(&mut all, (old.group.as_ref(), new.group.as_ref()));
    for (key, old, new) in [
        ("purpose", &old.purpose, &new.purpose),
        ("owner", &old.owner, &new.owner),
    ] {
        if old != new {
            say(&mut all, Other, key, format!("{key} was {old}, is {new}"));
        }
    }
    when::compare(&mut all, (old.when.as_ref(), new.when.as_ref()));
    origins(&mut all, old, new);
    limits(&mut all, old, new);
    let runs = (old.sequence.as_ref(), new.sequence.as_ref());
    sequence::compare(&mut all, runs);
    tools(&mut all, old, new);
    let of = |charter: &Charter| {
        let ticket = charter.change_ticket.as_ref();
        let actions = ticket
            .map(|ticket| ticket.required_for.0.as_slice())
            .unwrap_or_default();
        actions
            .iter()
            .map(|action| crate::document::action_name(action.0).to_owned())
            .collect()
    };
    values(
        &mut all,
        "change_ticket",
        (&of(old), &of(new)),
        (Tightened, Loosened),
    );
    all.sort();
    all
}

fn say(all: &mut Vec<Difference>, direction: Direction, key: &'static str, sentence: String) {
    all.push(Difference {
        direction,
        key,
        sentence,
    });
}

/// Entries added and removed; `means` is what an addition and a removal do.
fn entries(
    all: &mut Vec<Difference>,
    key: &'static str,
    (old, new): (&[Grant], &[Grant]),
    means: (Direction, Direction),
) {
    for grant in new.iter().filter(|grant| !old.contains(grant)) {
        // The first entry of `allow` ends that everything is allowed.
        let direction = if key == "allow" && old.is_empty() {
            Tightened
        } else {
            means.0
        };
        say(
            all,
            direction,
            key,
            format!("{key} has a new entry: {}", words(grant)),
        );
    }
    for grant in old.iter().filter(|grant| !new.contains(grant)) {
        let direction = if key == "allow" && new.is_empty() {
            Loosened
        } else {
            means.1
        };
        say(
            all,
            direction,
            key,
            format!("{key} no longer has: {}", words(grant)),
        );
    }
}

/// Values added and removed.
fn values(
    all: &mut Vec<Difference>,
    key: &'static str,
    (old, new): (&List<String>, &List<String>),
    means: (Direction, Direction),
) {
    for value in new.iter().filter(|value| !old.contains(value)) {
        say(all, means.0, key, format!("{key}: {value} is new"));
    }
    for value in old.iter().filter(|value| !new.contains(value)) {
        say(all, means.1, key, format!("{key}: {value} is gone"));
    }
}

fn origins(all: &mut Vec<Difference>, old: &Charter, new: &Charter) {
    let (was, is) = (old.from.clone(), new.from.clone());
    let (was, is) = (was.unwrap_or_default(), is.unwrap_or_default());
    let lists = [
        ("networks", &was.networks, &is.networks),
        ("workloads", &was.workloads, &is.workloads),
        ("countries", &was.countries, &is.countries),
    ];
    for (name, was, is) in lists {
        if was == is {
            continue;
        }
        match (was.is_empty(), is.is_empty()) {
            (true, _) => say(
                all,
                Tightened,
                "from",
                format!("from {name}: only {} now", is.join(", ")),
            ),
            (_, true) => say(
                all,
                Loosened,
                "from",
                format!("from {name}: any now, was only {}", was.join(", ")),
            ),
            _ => values(all, "from", (was, is), (Loosened, Tightened)),
        }
    }
}

fn tools(all: &mut Vec<Difference>, old: &Charter, new: &Charter) {
    match (&old.tools, &new.tools) {
        (Some(old), Some(new)) => values(all, "tools", (old, new), (Loosened, Tightened)),
        (None, Some(new)) => say(
            all,
            Tightened,
            "tools",
            format!("tools: only {} now", new.join(", ")),
        ),
        (Some(_), None) => say(all, Loosened, "tools", "tools: any now".to_owned()),
        (None, None) => {}
    }
}

fn limits(all: &mut Vec<Difference>, old: &Charter, new: &Charter) {
    let (was, is) = (old.limits.clone(), new.limits.clone());
    let (was, is) = (was.unwrap_or_default(), is.unwrap_or_default());
    let bytes = |limits: &Limits| limits.bytes_out_per_day.map(|bytes| bytes.0);
    let amounts = [
        (
            "distinct_targets_per_minute",
            was.distinct_targets_per_minute.map(u64::from),
            is.distinct_targets_per_minute.map(u64::from),
        ),
        ("events_per_hour", was.events_per_hour, is.events_per_hour),
        ("bytes_out_per_day", bytes(&was), bytes(&is)),
        ("audience", was.audience, is.audience),
    ];
    for (name, was, is) in amounts {
        let shown = |amount: u64| match name {
            "bytes_out_per_day" => Bytes(amount).to_string(),
            _ => amount.to_string(),
        };
        let (direction, sentence) = match (was, is) {
            (None, Some(is)) => (Tightened, format!("{name} is limited to {}", shown(is))),
            (Some(was), None) => (
                Loosened,
                format!("{name} has no limit, it was {}", shown(was)),
            ),
            (Some(was), Some(is)) if was != is => (
                if was < is { Loosened } else { Tightened },
                format!("{name} was {}, is {}", shown(was), shown(is)),
            ),
            _ => continue,
        };
        say(all, direction, "limits", sentence);
    }
}
