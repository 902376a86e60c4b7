//! From what a charter says to what is compared with events; what cannot be is a mistake.

use std::net::IpAddr;

use deedtrail_core::namespace::NAMESPACES;
use deedtrail_core::time::Timestamp;
use ipnet::IpNet;
use jiff::tz::TimeZone;

use super::{
    Flow, FlowStep, GroupOf, IDENTITY, Mistake, Origins, Place, Rule, Times, either, words,
};
use crate::document::{Charter, DescribedStep, Grant, Limits, Lines, Step, action_of, nearest};
use crate::glob::{Glob, Globs};
use crate::limits::{
    ENTRIES_MAX, IDLE_MINUTES_MAX, NAME_CHARACTERS_MAX, STEPS_MAX, TARGETS_PER_MINUTE_MAX,
    VALUES_MAX,
};
use crate::matcher::Matcher;
use crate::subject::key;

/// Minutes without an event after which a run has ended unless the charter says otherwise.
const IDLE_MINUTES: u32 = 60;

pub(super) fn selectors(charter: &Charter) -> u64 {
    let group = charter.group.as_ref().map(|group| format!("{group:?}"));
    let texts = charter.identities.iter().chain(&group);
    let texts: Vec<&[u8]> = texts.map(String::as_bytes).collect();
    key(&texts)
}

pub(super) fn check_head(charter: &Charter) -> Result<(), Mistake> {
    let name = &charter.charter;
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let mistake = |key, message: String| Err(Mistake::at(Place::Key(key))(message));
    if name.is_empty() || name.chars().count() > NAME_CHARACTERS_MAX || !name.chars().all(letters) {
        return mistake(
            "charter",
            format!(
                "a name has 1 to {NAME_CHARACTERS_MAX} lower-case letters, digits, `-` and `_`"
            ),
        );
    }
    for (key, value) in [("owner", &charter.owner), ("purpose", &charter.purpose)] {
        if value.trim().is_empty() {
            return mistake(
                key,
                format!("`{key}` is empty; a charter says it in a line"),
            );
        }
    }
    let nobody = charter.group.as_ref().is_none_or(|group| {
        group.department.is_empty() && group.kind.is_empty() && group.tag.is_empty()
    });
    if charter.identities.is_empty() && nobody {
        return mistake(
            "charter",
            "it binds nobody; give `identities` or a `group`".to_owned(),
        );
    }
    for (key, entries) in [("allow", &charter.allow), ("never", &charter.never)] {
        if entries.len() > ENTRIES_MAX {
            return mistake(
                key,
                format!(
                    "{} entries; at most {ENTRIES_MAX} are allowed",
                    entries.len()
                ),
            );
        }
    }
    Ok(())
}

pub(super) fn identities(charter: &Charter) -> Result<Vec<(Glob, Glob)>, Mistake> {
    let at = Mistake::at(Place::Key("identities"));
    if charter.identities.len() > VALUES_MAX {
        let count = charter.identities.len();
        return Err(at(format!(
            "{count} identities; at most {VALUES_MAX} are allowed, use a `group`"
        )));
    }
    let pattern = |text: &String| {
        let (namespace, value) = text.split_once(':').ok_or_else(|| {
            format!("`{text}` is no alias; write `namespace:value`, e.g. `email:ci@example.com`")
        })?;
        if !is_namespace(namespace) {
            let names = NAMESPACES.iter().map(|namespace| namespace.name);
            let last_word = |name: &&str| name.rsplit('.').next() == Some(namespace);
            let near = names
                .clone()
                .find(last_word)
                .or_else(|| nearest(namespace, names.clone()));
            let meant = near.map(|near| format!("; did you mean `{near}`?"));
            return Err(format!(
                "`{namespace}` is no namespace of aliases{}",
                meant.unwrap_or_default()
            ));
        }
        Ok((Glob::new(namespace)?, Glob::new(value)?))
    };
    let patterns = charter.identities.iter().map(pattern);
    patterns.collect::<Result<_, String>>().map_err(at)
}

/// Those that are known, patterns of them, and those of sources of the operator's own.
fn is_namespace(name: &str) -> bool {
    name == IDENTITY
        || name.contains(['*', '.'])
        || NAMESPACES.iter().any(|namespace| namespace.name == name)
}

pub(super) fn group(charter: &Charter) -> Result<Option<GroupOf>, Mistake> {
    let Some(group) = &charter.group else {
        return Ok(None);
    };
    let tag = |tag: &String| match tag.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (tag.clone(), None),
    };
    Ok(Some(GroupOf {
        departments: Globs::new(&group.department).map_err(Mistake::at(Place::Key("group")))?,
        kinds: group.kind.iter().map(|kind| kind.0).collect(),
        tags: group.tag.iter().map(tag).collect(),
    }))
}

pub(super) fn rules(
    key: &'static str,
    entries: &[Grant],
    lines: Lines<'_>,
) -> Result<Vec<Rule>, Mistake> {
    let rule = |(place, grant): (usize, &Grant)| {
        let at = Place::Entry(key, place);
        let matcher = Matcher::new(grant).map_err(Mistake::at(at))?;
        if matcher.is_empty() {
            let message = "an entry without a line matches everything; say what is meant";
            return Err(Mistake::at(at)(message.to_owned()));
        }
        Ok(Rule {
            matcher,
            line: at.line(lines),
            words: words(grant),
        })
    };
    entries.iter().enumerate().map(rule).collect()
}

pub(super) fn times(charter: &Charter, lines: Lines<'_>) -> Result<Option<Times>, Mistake> {
    let Some(when) = &charter.when else {
        return Ok(None);
    };
    let name = when.zone.as_deref().unwrap_or("UTC");
    let zone = TimeZone::get(name).map_err(|_| {
        Mistake::at(Place::Below("when", "zone"))(format!(
            "`{name}` is no time zone; write one of the IANA list, e.g. `Europe/Berlin`"
        ))
    })?;
    let days = when.days.as_deref().unwrap_or_default().to_vec();
    let hours = when.hours.as_deref().unwrap_or_default().to_vec();
    let said = |values: Vec<String>, all: &str| {
        if values.is_empty() {
            all.to_owned()
        } else {
            values.join(", ")
        }
    };
    let words = format!(
        "{} {} ({name})",
        said(days.iter().map(ToString::to_string).collect(), "every day"),
        said(
            hours.iter().map(ToString::to_string).collect(),
            "at any hour"
        ),
    );
    Ok(Some(Times {
        days,
        hours,
        zone,
        line: lines.key("when"),
        words,
    }))
}

pub(super) fn origins(charter: &Charter, lines: Lines<'_>) -> Result<Option<Origins>, Mistake> {
    let Some(from) = &charter.from else {
        return Ok(None);
    };
    let at = Mistake::at(Place::Below("from", "networks"));
    let (mut networks, mut systems) = (Vec::new(), Vec::new());
    for network in &from.networks.0 {
        let number = network
            .strip_prefix("AS")
            .and_then(|number| number.parse().ok());
        let address = || network.parse::<IpAddr>().ok().map(IpNet::from);
        match (number, network.parse().ok().or_else(address)) {
            (Some(number), _) => systems.push(number),
            (None, Some(block)) => networks.push(block),
            (None, None) => {
                return Err(at(format!(
                    "`{network}` is no network; write `192.0.2.0/24` or `AS64500`"
                )));
            }
        }
    }
    if let Some(country) = from.countries.iter().find(|country| country.len() != 2) {
        return Err(Mistake::at(Place::Below("from", "countries"))(format!(
            "`{country}` is no country; write its two letters, e.g. `DE`"
        )));
    }
    Ok(Some(Origins {
        networks,
        systems,
        workloads: Globs::new(&from.workloads)
            .map_err(Mistake::at(Place::Below("from", "workloads")))?,
        countries: from.countries.to_vec(),
        line_networks: lines.below("from", "networks"),
        line_workloads: lines.below("from", "workloads"),
        line_countries: lines.below("from", "countries"),
        words_networks: either(&from.networks),
        words_workloads: either(&from.workloads),
        words_countries: either(&from.countries),
    }))
}

pub(super) fn check_limits(limits: &Limits) -> Result<(), Mistake> {
    match limits.distinct_targets_per_minute {
        Some(targets) if targets > TARGETS_PER_MINUTE_MAX => Err(Mistake::at(Place::Below(
            "limits",
            "distinct_targets_per_minute",
        ))(format!(
            "{targets} targets a minute; at most {TARGETS_PER_MINUTE_MAX} can be counted"
        ))),
        _ => Ok(()),
    }
}

pub(super) fn flow(charter: &Charter, lines: Lines<'_>) -> Result<Option<Flow>, Mistake> {
    let Some(sequence) = &charter.sequence else {
        return Ok(None);
    };
    let at = Mistake::at(Place::Below("sequence", "steps"));
    let count = sequence.steps.len();
    if !(2..=STEPS_MAX).contains(&count) {
        return Err(at(format!(
            "{count} steps; a sequence has 2 to {STEPS_MAX}"
        )));
    }
    let steps = sequence.steps.iter().map(flow_step);
    let steps: Vec<FlowStep> = steps.collect::<Result<_, _>>().map_err(&at)?;
    for (place, step) in steps.iter().enumerate() {
        if steps[..place]
            .iter()
            .any(|earlier| earlier.name == step.name)
        {
            return Err(at(format!("two steps are called `{}`", step.name)));
        }
    }
    let last = match &sequence.must_end_with {
        Some(name) => {
            let place = steps.iter().position(|step| step.name == *name);
            Some(place.ok_or_else(|| {
                let names = steps.iter().map(|step| step.name.as_str());
                let near = nearest(name, names);
                let meant = near.map(|near| format!("; did you mean `{near}`?"));
                let place = Place::Below("sequence", "must_end_with");
                Mistake::at(place)(format!("`{name}` is no step{}", meant.unwrap_or_default()))
            })?)
        }
        None => None,
    };
    let idle = sequence.idle.unwrap_or(IDLE_MINUTES);
    if idle == 0 || idle > IDLE_MINUTES_MAX {
        return Err(Mistake::at(Place::Below("sequence", "idle"))(format!(
            "{idle} minutes; 1 to {IDLE_MINUTES_MAX} are allowed"
        )));
    }
    Ok(Some(Flow {
        steps,
        last,
        strict: sequence.strict,
        idle_us: i64::from(idle) * Timestamp::MINUTE_US,
        line: lines.below("sequence", "steps"),
        line_end: lines.below("sequence", "must_end_with"),
    }))
}

fn flow_step(step: &Step) -> Result<FlowStep, String> {
    match step {
        Step::Name(name) => Ok(FlowStep {
            name: name.clone(),
            matcher: Matcher::of_action(action_of(name)),
            pattern: Some(Glob::new(name)?),
            optional: false,
        }),
        Step::Described(described) => {
            let DescribedStep { name, optional, .. } = described;
            let matcher = Matcher::new(&described.grant())?;
            if matcher.is_empty() {
                return Err(format!("the step `{name}` does not say what it is"));
            }
            Ok(FlowStep {
                name: name.clone(),
                matcher,
                pattern: None,
                optional: *optional,
            })
        }
    }
}
