//! A charter made ready to be compared with events.

use std::net::IpAddr;

use deedtrail_core::event::ActorKind;
use deedtrail_core::identity::Identity;
use deedtrail_core::namespace::NAMESPACES;
use ipnet::IpNet;
use jiff::tz::TimeZone;

use crate::document::{Charter, DescribedStep, Grant, Limits, Lines, Step, Written};
use crate::document::{Days, Hours, action_of};
use crate::glob::{Glob, Globs};
use crate::limits::{
    ENTRIES_MAX, IDLE_MINUTES_MAX, NAME_CHARACTERS_MAX, STEPS_MAX, TARGETS_PER_MINUTE_MAX,
    VALUES_MAX,
};
use crate::matcher::{Actions, Matcher};
use crate::subject::{Subject, key};

/// Number of a version of a charter; 0 is a draft.
pub type Version = u32;

/// Namespace under which a charter finds the name of an identity itself.
const IDENTITY: &str = "identity";
/// Minutes without an event after which a run has ended unless the charter says otherwise.
const IDLE_MINUTES: u32 = 60;

/// A place in a charter's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Key(&'static str),
    Below(&'static str, &'static str),
    Entry(&'static str, usize),
}

impl Place {
    pub(crate) fn line(self, lines: Lines<'_>) -> u32 {
        match self {
            Self::Key(key) => lines.key(key),
            Self::Below(key, inner) => lines.below(key, inner),
            Self::Entry(key, place) => lines.entry(key, place),
        }
    }
}

/// What a charter says that cannot be.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) place: Place,
    pub(crate) message: String,
}

impl Mistake {
    fn at(place: Place) -> impl Fn(String) -> Self {
        move |message| Self { place, message }
    }
}

/// One entry of `allow` or `never`.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) matcher: Matcher,
    pub(crate) line: u32,
    /// The entry in words.
    pub(crate) words: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Times {
    pub(crate) days: Vec<Days>,
    pub(crate) hours: Vec<Hours>,
    pub(crate) zone: TimeZone,
    pub(crate) line: u32,
    pub(crate) words: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Origins {
    pub(crate) networks: Vec<IpNet>,
    pub(crate) systems: Vec<i64>,
    pub(crate) workloads: Globs,
    pub(crate) countries: Vec<String>,
    pub(crate) line_networks: u32,
    pub(crate) line_workloads: u32,
    pub(crate) line_countries: u32,
    pub(crate) words_networks: String,
    pub(crate) words_workloads: String,
    pub(crate) words_countries: String,
}

#[derive(Clone, Debug)]
pub(crate) struct FlowStep {
    pub(crate) name: String,
    pub(crate) matcher: Matcher,
    /// A step that is only named: pattern of an operation or tool, beside the action in `matcher`.
    pub(crate) pattern: Option<Glob>,
    pub(crate) optional: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) steps: Vec<FlowStep>,
    /// Place of the step that a run ends with.
    pub(crate) last: Option<usize>,
    pub(crate) strict: bool,
    pub(crate) idle_us: i64,
    pub(crate) line: u32,
    pub(crate) line_end: u32,
}

/// A charter ready to be compared with events.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub(crate) name: String,
    pub(crate) version: Version,
    pub(crate) owner: String,
    identities: Vec<(Glob, Glob)>,
    group: Option<GroupOf>,
    pub(crate) allow: Vec<Rule>,
    pub(crate) never: Vec<Rule>,
    pub(crate) line_allow: u32,
    pub(crate) when: Option<Times>,
    pub(crate) from: Option<Origins>,
    pub(crate) limits: Limits,
    pub(crate) line_limits: [u32; 4],
    pub(crate) flow: Option<Flow>,
    pub(crate) tools: Option<(Globs, u32, String)>,
    pub(crate) ticket: Option<(Actions, u32)>,
    selectors: u64,
}

#[derive(Clone, Debug)]
struct GroupOf {
    departments: Globs,
    kinds: Vec<ActorKind>,
    tags: Vec<(String, Option<String>)>,
}

impl Compiled {
    pub(crate) fn new(written: &Written, version: Version) -> Result<Self, Mistake> {
        let charter = &written.charter;
        let lines = Lines::of(&written.text);
        check_head(charter)?;
        let limits = charter.limits.clone().unwrap_or_default();
        check_limits(&limits)?;
        let tools = match &charter.tools {
            Some(tools) => {
                let globs = Globs::new(tools).map_err(Mistake::at(Place::Key("tools")))?;
                Some((globs, lines.key("tools"), tools.join(", ")))
            }
            None => None,
        };
        let ticket = charter.change_ticket.as_ref().map(|ticket| {
            let actions = Actions::of(ticket.required_for.iter().map(|action| action.0));
            (actions, lines.key("change_ticket"))
        });
        let below = |inner| lines.below("limits", inner);
        Ok(Self {
            name: charter.charter.clone(),
            version,
            owner: charter.owner.trim().to_owned(),
            identities: identities(charter)?,
            group: group(charter)?,
            allow: rules("allow", &charter.allow, lines)?,
            never: rules("never", &charter.never, lines)?,
            line_allow: lines.key("allow"),
            when: times(charter, lines)?,
            from: origins(charter, lines)?,
            line_limits: [
                below("distinct_targets_per_minute"),
                below("events_per_hour"),
                below("bytes_out_per_day"),
                below("audience"),
            ],
            limits,
            flow: flow(charter, lines)?,
            tools,
            ticket,
            selectors: selectors(charter),
        })
    }

    /// A charter in force in that version. Its text has been checked by [`crate::parse`].
    pub fn of(written: &Written, version: Version) -> Option<Self> {
        Self::new(written, version).ok()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub const fn version(&self) -> Version {
        self.version
    }

    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Whether it says which tools may be called.
    pub const fn names_tools(&self) -> bool {
        self.tools.is_some()
    }

    /// A hash of whom it binds: an identity once found to be bound stays so while it is the same.
    pub const fn selectors(&self) -> u64 {
        self.selectors
    }

    /// Whether it binds the actor of an event, by its aliases on the record or by its group.
    pub fn binds(&self, subject: &Subject<'_>) -> bool {
        let aliases = &subject.event.mapped.actor_aliases;
        aliases
            .iter()
            .any(|alias| self.names(&alias.namespace, &alias.value))
            || subject
                .identity
                .is_some_and(|identity| self.binds_identity(identity))
    }

    /// Whether it binds an identity by its own name or by its group.
    pub fn binds_identity(&self, identity: &Identity) -> bool {
        let group = self.group.as_ref();
        self.names(IDENTITY, &identity.name) || group.is_some_and(|group| group.has(identity))
    }

    /// Whether it names an alias.
    pub fn names(&self, namespace: &str, value: &str) -> bool {
        let named = |(namespaces, values): &(Glob, Glob)| {
            namespaces.matches(namespace) && values.matches(value)
        };
        self.identities.iter().any(named)
    }
}

impl GroupOf {
    fn has(&self, identity: &Identity) -> bool {
        let declared = &identity.declared;
        let department = declared.department.as_deref().unwrap_or_default();
        let tag = |(name, value): &(String, Option<String>)| {
            let held = declared.tags.get(name.as_str());
            held.is_some_and(|held| value.as_ref().is_none_or(|value| held.as_str() == value))
        };
        (self.departments.is_empty() || self.departments.any(department))
            && (self.kinds.is_empty() || self.kinds.contains(&identity.kind))
            && (self.tags.is_empty() || self.tags.iter().any(tag))
    }
}

fn selectors(charter: &Charter) -> u64 {
    let group = charter.group.as_ref().map(|group| format!("{group:?}"));
    let texts = charter.identities.iter().chain(&group);
    let texts: Vec<&[u8]> = texts.map(|text| text.as_bytes()).collect();
    key(&texts)
}

fn check_head(charter: &Charter) -> Result<(), Mistake> {
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

fn identities(charter: &Charter) -> Result<Vec<(Glob, Glob)>, Mistake> {
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
                .or_else(|| crate::document::nearest(namespace, names.clone()));
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

fn group(charter: &Charter) -> Result<Option<GroupOf>, Mistake> {
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

fn rules(key: &'static str, entries: &[Grant], lines: Lines<'_>) -> Result<Vec<Rule>, Mistake> {
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

/// An entry in words: `action privilege_grant or secret_read; target repo:acme/*`.
pub(crate) fn words(grant: &Grant) -> String {
    let action = grant
        .action
        .iter()
        .map(|name| crate::document::action_name(name.0).to_owned());
    let environment = grant
        .environment
        .iter()
        .map(|name| name.0.name().to_owned());
    let lines: [(&str, Vec<String>); 6] = [
        ("action", action.collect()),
        ("operation", grant.operation.to_vec()),
        ("target", grant.target.to_vec()),
        ("environment", environment.collect()),
        ("system", grant.system.to_vec()),
        ("tool", grant.tool.to_vec()),
    ];
    let given = lines.into_iter().filter(|(_, values)| !values.is_empty());
    let said = given.map(|(line, values)| format!("{line} {}", either(&values)));
    said.collect::<Vec<_>>().join("; ")
}

/// Values joined with commas and `or`, the first eight of them.
pub(crate) fn either(values: &[String]) -> String {
    const SHOWN: usize = 8;
    match values {
        [] => String::new(),
        [only] => only.clone(),
        [some @ .., last] if values.len() <= SHOWN => format!("{} or {last}", some.join(", ")),
        _ => format!(
            "{} or {} more",
            values[..SHOWN].join(", "),
            values.len() - SHOWN
        ),
    }
}

fn times(charter: &Charter, lines: Lines<'_>) -> Result<Option<Times>, Mistake> {
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

fn origins(charter: &Charter, lines: Lines<'_>) -> Result<Option<Origins>, Mistake> {
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

fn check_limits(limits: &Limits) -> Result<(), Mistake> {
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

fn flow(charter: &Charter, lines: Lines<'_>) -> Result<Option<Flow>, Mistake> {
    let Some(sequence) = &charter.sequence else {
        return Ok(None);
    };
    let at = Mistake::at(Place::Below("sequence", "steps"));
    let count = sequence.steps.len();
    if count < 2 || count > STEPS_MAX {
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
                let near = crate::document::nearest(name, names);
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
        idle_us: i64::from(idle) * deedtrail_core::time::Timestamp::MINUTE_US,
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
