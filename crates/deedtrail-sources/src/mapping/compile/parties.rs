//! Actors, targets, those behind them, and changes.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::entity::Place;
use deedtrail_core::event::{ActorKind, Environment, Sensitivity};

use super::{Compiled, Compiler, names};
use crate::mapping::path;
use crate::mapping::plan::{
    ChangePlan, Choices, DelegationPlan, Interest, Label, MentionPlan, Party, ToolsPlan, Value,
};
use crate::mapping::spec::{
    ActorSpec, AliasSpec, ChangeSpec, DelegationSpec, MentionSpec, PlaceSpec, TargetSpec,
    ToolsSpec, ValueSpec,
};

impl Compiler<'_> {
    pub(super) fn aliases(&mut self, specs: &[AliasSpec]) -> Compiled<Vec<(Text, Value)>> {
        let mut aliases = Vec::new();
        for (namespace, value) in specs.iter().flatten() {
            self.check_namespace(namespace)?;
            aliases.push((namespace.into(), self.value(value)?));
        }
        Ok(aliases)
    }

    /// `email`, `acme.badge_id`: what an alias is of.
    fn check_namespace(&self, namespace: &str) -> Compiled<()> {
        let is_part = |part: &str| {
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            !part.is_empty() && part.bytes().all(plain)
        };
        if namespace.split('.').all(is_part) {
            return Ok(());
        }
        self.wrong(
            namespace,
            format!("`{namespace}` is no namespace; write one such as `email` or `acme.badge_id`: lower-case letters, digits, `_` and `.`"),
        )
    }

    pub(super) fn labels(&mut self, specs: &BTreeMap<String, ValueSpec>) -> Compiled<Vec<Label>> {
        let labels = specs.iter().map(|(name, value)| {
            Ok(Label {
                interest: Interest::ALWAYS,
                name: name.into(),
                value: self.value(value)?,
            })
        });
        labels.collect()
    }

    pub(super) fn actor(&mut self, spec: &ActorSpec) -> Compiled<Party> {
        let kinds = names(ActorKind::ALL, ActorKind::name);
        Ok(Party {
            when: self.when(spec.when.as_ref())?,
            actor_kind: self.answers(
                spec.kind.as_ref(),
                "an actor kind",
                &kinds,
                ActorKind::from_name,
            )?,
            target_kind: None,
            reference: self.optional(spec.reference.as_ref())?,
            name: self.optional(spec.name.as_ref())?,
            aliases: self.aliases(&spec.aliases)?,
            environment: Choices::default(),
            sensitivity: Choices::default(),
        })
    }

    pub(super) fn target(&mut self, spec: &TargetSpec) -> Compiled<Party> {
        Ok(Party {
            when: self.when(spec.when.as_ref())?,
            actor_kind: Choices::default(),
            target_kind: self.optional(spec.kind.as_ref())?,
            reference: self.optional(spec.reference.as_ref())?,
            name: self.optional(spec.name.as_ref())?,
            aliases: self.aliases(&spec.aliases)?,
            environment: self.answers(
                spec.environment.as_ref(),
                "an environment",
                &names(Environment::ALL, Environment::name),
                Environment::from_name,
            )?,
            sensitivity: self.answers(
                spec.sensitivity.as_ref(),
                "a sensitivity",
                &names(Sensitivity::ALL, Sensitivity::name),
                Sensitivity::from_name,
            )?,
        })
    }

    pub(super) fn delegation(&mut self, spec: &DelegationSpec) -> Compiled<DelegationPlan> {
        self.check_namespace(&spec.namespace)?;
        Ok(DelegationPlan {
            interest: Interest::ALWAYS,
            when: self.when(spec.when.as_ref())?,
            relation: spec.relation.as_str().into(),
            namespace: spec.namespace.as_str().into(),
            value: self.value(&spec.value)?,
        })
    }

    pub(super) fn mention(&mut self, spec: &MentionSpec) -> Compiled<MentionPlan> {
        let from = self.value(&spec.from)?;
        self.keep_whole(&from);
        Ok(MentionPlan {
            interest: Interest::ALWAYS,
            when: self.when(spec.when.as_ref())?,
            place: match spec.place {
                PlaceSpec::Request => Place::Request,
                PlaceSpec::ToolOutput => Place::ToolOutput,
            },
            name: self.optional(spec.name.as_ref())?,
            from,
            role: spec.role.as_deref().map(Text::from),
        })
    }

    pub(super) fn tools(&mut self, spec: &ToolsSpec) -> Compiled<ToolsPlan> {
        let from = self.value(&spec.from)?;
        self.keep_whole(&from);
        Ok(ToolsPlan {
            interest: Interest::ALWAYS,
            when: self.when(spec.when.as_ref())?,
            aliases: self.aliases(&spec.aliases)?,
            from,
            list: self.optional(spec.list.as_ref())?,
            continues: self.optional(spec.continues.as_ref())?,
            more: self.optional(spec.more.as_ref())?,
        })
    }

    pub(super) fn change(&mut self, spec: &ChangeSpec) -> Compiled<ChangePlan> {
        let outer = self.levels.len();
        let each = match &spec.each {
            None => None,
            Some(each) => {
                // The elements take the level after the event's own.
                let mut written = self.written(each)?;
                if written.from_element {
                    let mut steps = self.levels.last().cloned().unwrap_or_default();
                    steps.append(&mut written.steps);
                    written.steps = steps;
                }
                let Some((pick, list)) = written.steps.split_last() else {
                    return self.wrong(each, format!("`each = \"{each}\"` names no list"));
                };
                if matches!(pick, path::Step::Key(_)) {
                    return self.wrong(each, format!("`each = \"{each}\"` must end with `[]`"));
                }
                let list = self.steps(each, list)?;
                let (pick, _) = self.step(each, pick, list.shape)?;
                self.levels.push(written.steps.clone());
                u8::try_from(outer).ok().map(|level| (list, pick, level))
            }
        };
        let change = ChangePlan {
            interest: Interest::ALWAYS,
            when: self.when(spec.when.as_ref())?,
            each,
            path: self.value(&spec.path)?,
            before: self.optional(spec.before.as_ref())?,
            after: self.optional(spec.after.as_ref())?,
        };
        self.levels.truncate(outer);
        Ok(change)
    }
}
