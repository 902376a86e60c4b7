//! A charter made ready to be compared with events.

mod read;

use deedtrail_core::event::ActorKind;
use deedtrail_core::identity::Identity;
use ipnet::IpNet;
use jiff::tz::TimeZone;

use crate::document::{Days, Grant, Hours, Limits, Lines, Written};
use crate::glob::{Glob, Globs};
use crate::matcher::{Actions, Matcher};
use crate::subject::Subject;

/// Number of a version of a charter; 0 is a draft.
pub type Version = u32;

/// Namespace under which a charter finds the name of an identity itself.
const IDENTITY: &str = "identity";

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
    pub(crate) purpose: String,
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
        read::check_head(charter)?;
        let limits = charter.limits.clone().unwrap_or_default();
        read::check_limits(&limits)?;
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
            purpose: charter.purpose.trim().to_owned(),
            identities: read::identities(charter)?,
            group: read::group(charter)?,
            allow: read::rules("allow", &charter.allow, lines)?,
            never: read::rules("never", &charter.never, lines)?,
            line_allow: lines.key("allow"),
            when: read::times(charter, lines)?,
            from: read::origins(charter, lines)?,
            line_limits: [
                below("distinct_targets_per_minute"),
                below("events_per_hour"),
                below("bytes_out_per_day"),
                below("audience"),
            ],
            limits,
            flow: read::flow(charter, lines)?,
            tools,
            ticket,
            selectors: read::selectors(charter),
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
