//! Conditions on one event, compiled: sets are bits, patterns are compared part by part.

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{Environment, MappedEvent};

use crate::document::Grant;
use crate::glob::Globs;
use crate::limits::VALUES_MAX;
use crate::subject::Subject;

/// A set of actions as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Actions(u32);

impl Actions {
    pub(crate) fn of(actions: impl Iterator<Item = Action>) -> Self {
        Self(actions.fold(0, |bits, action| bits | bit(action)))
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn has(self, action: Action) -> bool {
        self.0 & bit(action) != 0
    }
}

const fn bit(action: Action) -> u32 {
    1 << action as u32
}

/// The lines that charters and unsafe sequences share. A line that is not given is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Matcher {
    pub(crate) actions: Actions,
    operations: Globs,
    targets: Globs,
    environments: Vec<Environment>,
    systems: Globs,
    tools: Globs,
}

/// What an environment that nobody knows means for a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    Matches,
    Differs,
}

impl Matcher {
    pub(crate) fn new(grant: &Grant) -> Result<Self, String> {
        let lists = [&grant.operation, &grant.target, &grant.system, &grant.tool];
        let longest = lists.iter().map(|list| list.len()).max().unwrap_or(0);
        if longest > VALUES_MAX {
            return Err(format!(
                "{longest} values in one list; at most {VALUES_MAX} are allowed"
            ));
        }
        Ok(Self {
            actions: Actions::of(grant.action.iter().map(|action| action.0)),
            operations: Globs::new(&grant.operation)?,
            targets: Globs::new(&grant.target)?,
            environments: grant.environment.iter().map(|name| name.0).collect(),
            systems: Globs::new(&grant.system)?,
            tools: Globs::new(&grant.tool)?,
        })
    }

    /// Any event of an action; no line at all without one.
    pub(crate) fn of_action(action: Option<Action>) -> Self {
        Self {
            actions: Actions::of(action.into_iter()),
            ..Self::default()
        }
    }

    /// Whether an event of that action and operation can match, whatever else it says.
    pub(crate) fn may_match(&self, action: Action, operation: &str, is_tool: bool) -> bool {
        (self.actions.is_empty() || self.actions.has(action))
            && (self.operations.is_empty() || self.operations.any(operation))
            && (self.tools.is_empty() || is_tool && self.tools.any(operation))
    }

    /// No line is given.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) const fn names_operations(&self) -> bool {
        !self.operations.is_empty() || !self.tools.is_empty()
    }

    pub(crate) fn matches(&self, subject: &Subject<'_>, unknown: Unknown) -> bool {
        let mapped = &subject.event.mapped;
        (self.actions.is_empty() || self.actions.has(mapped.action))
            && (self.operations.is_empty() || self.operations.any(&mapped.operation))
            && (self.systems.is_empty() || self.systems.any(&mapped.system))
            && (self.tools.is_empty() || subject.tool().is_some_and(|tool| self.tools.any(tool)))
            && self.environment(mapped.target_environment, unknown)
            && (self.targets.is_empty() || target_is(&self.targets, mapped))
    }

    fn environment(&self, environment: Environment, unknown: Unknown) -> bool {
        self.environments.is_empty()
            || self.environments.contains(&environment)
            || environment == Environment::Unknown && unknown == Unknown::Matches
    }
}

/// Whether any name of the target, alone or as `kind:name`, is one of the patterns.
pub(crate) fn target_is(patterns: &Globs, mapped: &MappedEvent) -> bool {
    let named = |namespace: &str, value: &Text| {
        patterns.any(value) || patterns.any(&format!("{namespace}:{value}"))
    };
    let kind = mapped.target_kind.as_deref().unwrap_or_default();
    let names = mapped.target_name.iter().chain(&mapped.target_ref);
    let mut names = names.filter(|name| !name.is_empty());
    names.any(|name| named(kind, name))
        || mapped
            .target_aliases
            .iter()
            .any(|alias| named(&alias.namespace, &alias.value))
}
