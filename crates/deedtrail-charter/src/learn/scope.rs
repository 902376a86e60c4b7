//! `allow`, `never`, `tools` and `change_ticket` from history.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::action::Action;
use deedtrail_core::event::Environment;

use super::is_work;
use crate::document::{
    ActionName, ChangeTicket, Comments, EnvironmentName, Grant, List, action_name,
};
use crate::subject::{Subject, cut};

/// An operation used less often than this is left out, once there are [`EVENTS_MIN`] events.
const USES_MIN: usize = 3;
const EVENTS_MIN: usize = 30;
/// Targets listed one by one; more are grouped by how they begin.
const TARGETS_LISTED: usize = 6;
/// Groups of targets listed; with more, any target is allowed.
const GROUPS_MAX: usize = 8;
/// Shortest beginning that makes a group, characters.
const PREFIX_MIN: usize = 4;
/// Operations named in a comment.
const COMMENTED: usize = 12;

/// What no identity should do unless its charter says so.
const SENSITIVE: [Action; 8] = [
    Action::PrivilegeGrant,
    Action::CredentialCreate,
    Action::SecretRead,
    Action::IdentityCreate,
    Action::ConsentGrant,
    Action::Export,
    Action::Destroy,
    Action::LoggingChange,
];

#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) allow: Vec<Grant>,
    pub(super) never: Vec<Grant>,
    pub(super) tools: Option<List<String>>,
    pub(super) change_ticket: Option<ChangeTicket>,
}

#[derive(Debug, Default)]
struct Use {
    count: usize,
    targets: BTreeSet<String>,
    /// Without a target at least once.
    bare: bool,
    environments: BTreeSet<Environment>,
}

pub(super) fn learn(history: &[Subject<'_>], comments: &mut Comments) -> Scope {
    let mut uses = BTreeMap::<(String, String), Use>::new();
    let mut tools = BTreeMap::<String, usize>::new();
    let mut seen = BTreeSet::new();
    for subject in history.iter().filter(|subject| is_work(subject.event)) {
        let mapped = &subject.event.mapped;
        seen.insert(mapped.action);
        if let Some(tool) = subject.tool() {
            *tools.entry(cut(tool, 200)).or_default() += 1;
            continue;
        }
        let key = (cut(&mapped.system, 100), cut(&mapped.operation, 200));
        let of = uses.entry(key).or_default();
        of.count += 1;
        of.environments.insert(mapped.target_environment);
        match mapped.target_name.as_ref().or(mapped.target_ref.as_ref()) {
            Some(target) if of.targets.len() < 4_096 => {
                of.targets.insert(cut(target, 200));
            }
            Some(_) => {}
            None => of.bare = true,
        }
    }
    let rare = |count: usize| history.len() >= EVENTS_MIN && count < USES_MIN;
    leave_out(&uses, &tools, rare, comments);
    uses.retain(|_, of| !rare(of.count));
    tools.retain(|_, count| !rare(*count));
    let never: List<ActionName> = SENSITIVE
        .into_iter()
        .filter(|action| !seen.contains(action))
        .map(ActionName)
        .collect();
    Scope {
        allow: grants(uses),
        never: vec![Grant {
            action: never,
            ..Grant::default()
        }],
        tools: (!tools.is_empty()).then(|| tools.into_keys().collect()),
        change_ticket: tickets(history),
    }
}

/// Says what was too rare to be called use.
fn leave_out(
    uses: &BTreeMap<(String, String), Use>,
    tools: &BTreeMap<String, usize>,
    rare: impl Fn(usize) -> bool,
    comments: &mut Comments,
) {
    let operations = uses.iter().map(|((_, name), of)| (name, of.count));
    let mut say = |key: &'static str, counts: Vec<(&String, usize)>| {
        let left: Vec<String> = counts
            .into_iter()
            .filter(|(_, count)| rare(*count))
            .map(|(name, count)| format!("{name} ({count})"))
            .collect();
        if !left.is_empty() {
            let more = left.len().saturating_sub(COMMENTED);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let shown = left[..left.len().min(COMMENTED)].join(", ");
            comments.push((
                key,
                format!("Left out, seen fewer than {USES_MIN} times: {shown}{more}."),
            ));
        }
    };
    say("allow", operations.collect());
    say(
        "tools",
        tools.iter().map(|(name, count)| (name, *count)).collect(),
    );
}

/// One entry for all operations on the same targets.
fn grants(uses: BTreeMap<(String, String), Use>) -> Vec<Grant> {
    type Shape = (String, Vec<String>, Vec<Environment>);
    let mut shapes = BTreeMap::<Shape, Vec<String>>::new();
    for ((system, operation), of) in uses {
        let targets = if of.bare {
            Vec::new()
        } else {
            targets(&of.targets)
        };
        let known = !of.environments.contains(&Environment::Unknown);
        let environments = of.environments.into_iter().filter(|_| known).collect();
        let shape = (system, targets, environments);
        shapes.entry(shape).or_default().push(operation);
    }
    let grants = shapes
        .into_iter()
        .map(|((system, targets, environments), operations)| Grant {
            operation: operations
                .into_iter()
                .filter(|name| !name.is_empty())
                .collect(),
            target: List(targets),
            environment: environments.into_iter().map(EnvironmentName).collect(),
            system: Some(system)
                .filter(|name| !name.is_empty())
                .into_iter()
                .collect(),
            ..Grant::default()
        });
    grants.filter(|grant| *grant != Grant::default()).collect()
}

/// Patterns that cover the targets: each of a few, else how they begin, else nothing (any).
fn targets(targets: &BTreeSet<String>) -> Vec<String> {
    if targets.len() <= TARGETS_LISTED {
        return targets.iter().cloned().collect();
    }
    let groups: BTreeSet<String> = targets.iter().map(|target| beginning(target)).collect();
    let named = groups
        .iter()
        .all(|group| group.chars().count() >= PREFIX_MIN);
    if named && groups.len() <= GROUPS_MAX {
        return groups
            .into_iter()
            .map(|group| format!("{group}*"))
            .collect();
    }
    let common = common_beginning(targets);
    if common.chars().count() >= PREFIX_MIN {
        return vec![format!("{common}*")];
    }
    Vec::new()
}

/// A target up to its last separator: those that share it are of one group.
fn beginning(target: &str) -> String {
    let separator = target
        .rfind(['/', ':', '#'])
        .or_else(|| target.rfind(['-', '_', '.']));
    let end = separator.map_or(0, |at| at + 1);
    target.get(..end).unwrap_or_default().to_owned()
}

/// What all targets begin with, up to a separator.
fn common_beginning(targets: &BTreeSet<String>) -> String {
    let (Some(first), Some(last)) = (targets.first(), targets.last()) else {
        return String::new();
    };
    // They are sorted: what the first and the last share, all share.
    let same = first.chars().zip(last.chars()).take_while(|(a, b)| a == b);
    let shared: String = same.map(|(letter, _)| letter).collect();
    beginning(&shared)
}

/// Actions that never came without a change ticket.
fn tickets(history: &[Subject<'_>]) -> Option<ChangeTicket> {
    let mut counts = BTreeMap::<Action, (usize, usize)>::new();
    for subject in history {
        let mapped = &subject.event.mapped;
        let count = counts.entry(mapped.action).or_default();
        count.0 += 1;
        count.1 += usize::from(mapped.change_ticket.is_some());
    }
    let always = counts
        .into_iter()
        .filter(|(_, (all, with))| *all >= USES_MIN && all == with);
    let mut actions: Vec<Action> = always.map(|(action, _)| action).collect();
    actions.sort_by_key(|action| action_name(*action));
    (!actions.is_empty()).then(|| ChangeTicket {
        required_for: actions.into_iter().map(ActionName).collect(),
    })
}
