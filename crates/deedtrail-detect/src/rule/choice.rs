//! Which rules may match an event, worked out once for all events that are alike in a few fields.

use std::collections::BTreeMap;

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, EventKind, OutcomeClass};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::SourceFacts;
use hashbrown::HashMap;

use super::RuleSet;
use super::sigma::Matching;
use crate::field::{self, View};

/// Rules chosen for all operations together, each counted once for each, and what an operation takes
/// besides; beyond it the choice begins anew.
const CHOSEN_MAX: usize = if cfg!(test) { 2_048 } else { 1 << 20 };
/// Longest operation for which they are, bytes.
const OPERATION_BYTES_MAX: usize = 120;

/// Rules chosen for what they are evaluated on; derived, not part of the state.
#[derive(Debug, Default)]
pub(crate) struct ChosenRules {
    /// Rules on canonical fields, by source and what else they are told apart by.
    canonical: HashMap<SourceName, BTreeMap<Alike, ByOperation>>,
    /// Operations in it, and rules chosen for them.
    chosen: usize,
    /// Rules on vendor names, by source.
    vendor: HashMap<SourceName, VendorRules>,
}

/// The rules on vendor names that apply to one source.
#[derive(Debug)]
struct VendorRules {
    matching: Matching,
    /// Version of the source they were chosen for.
    mapping_version: String,
}

/// What events have in common for which the same rules may match, but for their operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    action: Action,
    actor_kind: ActorKind,
    outcome: OutcomeClass,
    kind: EventKind,
}

/// Places of the rules that may match.
#[derive(Debug, Default)]
struct ByOperation {
    of: HashMap<Box<str>, Vec<usize>>,
    /// Where the operation is too strange to be looked at.
    any: Option<Vec<usize>>,
}

impl Alike {
    fn of(view: &View<'_>) -> Self {
        let mapped = &view.observation.event.mapped;
        Self {
            action: mapped.action,
            actor_kind: field::actor_kind(view),
            outcome: mapped.outcome,
            kind: mapped.kind,
        }
    }

    /// Places of the canonical rules that may match such events; without an operation, whatever that is.
    fn choose(self, set: &RuleSet, source: &SourceName, operation: Option<&str>) -> Vec<usize> {
        let operation = operation.map(str::to_ascii_lowercase);
        let mut known = vec![
            ("action", self.action.name()),
            ("actor_kind", self.actor_kind.name()),
            ("outcome", self.outcome.name()),
            ("kind", self.kind.name()),
            // Names of sources have no capitals.
            ("source", source.as_str()),
        ];
        known.extend(operation.as_deref().map(|it| ("operation", it)));
        let singles = set.singles.iter().enumerate();
        let may_match = singles.filter(|(matcher, place)| {
            set.rules[**place].is_canonical() && set.matchers.may_match(*matcher, &known)
        });
        may_match.map(|(matcher, _)| matcher).collect()
    }
}

impl VendorRules {
    fn new(set: &RuleSet, source: &SourceFacts) -> Self {
        let singles = set.singles.iter().enumerate();
        let served = singles
            .filter(|(_, place)| !set.rules[**place].is_canonical() && set.serves(**place, source));
        Self {
            matching: set.matchers.select(served.map(|(matcher, _)| matcher)),
            mapping_version: source.mapping_version.clone(),
        }
    }
}

impl ChosenRules {
    /// The rules on canonical fields that may match events such as this one.
    pub(super) fn canonical(&mut self, set: &RuleSet, view: &View<'_>) -> &[usize] {
        let event = view.observation.event;
        if self.chosen >= CHOSEN_MAX {
            (self.canonical, self.chosen) = Default::default();
        }
        if !self.canonical.contains_key(&event.source) {
            self.canonical.insert(event.source.clone(), BTreeMap::new());
        }
        let Some(of_source) = self.canonical.get_mut(&event.source) else {
            return &[];
        };
        let alike = Alike::of(view);
        let chosen = of_source.entry(alike).or_default();
        let operation = &*event.mapped.operation;
        if operation.is_empty() || operation.len() > OPERATION_BYTES_MAX || !operation.is_ascii() {
            let any = || {
                let may_match = alike.choose(set, &event.source, None);
                self.chosen += may_match.len() + 8;
                may_match
            };
            return chosen.any.get_or_insert_with(any);
        }
        if !chosen.of.contains_key(operation) {
            let may_match = alike.choose(set, &event.source, Some(operation));
            self.chosen += may_match.len() + operation.len().div_ceil(size_of::<usize>()) + 8;
            chosen.of.insert(operation.into(), may_match);
        }
        chosen.of.get(operation).map_or(&[], Vec::as_slice)
    }

    /// The rules for a source, chosen again when its mapping changed.
    pub(super) fn vendor(&mut self, set: &RuleSet, source: &SourceFacts) -> &Matching {
        let known = self.vendor.get(&source.name);
        if known.is_none_or(|rules| rules.mapping_version != source.mapping_version) {
            let chosen = VendorRules::new(set, source);
            self.vendor.insert(source.name.clone(), chosen);
        }
        let chosen = self.vendor.entry(source.name.clone());
        &chosen
            .or_insert_with(|| VendorRules::new(set, source))
            .matching
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use deedtrail_core::action::ACTIONS;
    use deedtrail_core::event::{Event, EvidenceGrade, MappedEvent, TimeQuality};
    use deedtrail_core::id::{EventUid, TenantId};
    use deedtrail_core::time::Timestamp;

    use super::*;
    use crate::Observation;
    use crate::profile::Facts;
    use crate::rule::{RuleFile, Subject};

    fn read(folder: &Path, files: &mut Vec<RuleFile>) {
        let entries = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        for path in entries {
            if path.is_dir() {
                read(&path, files);
            } else if path.extension().is_some_and(|name| name == "yml") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.display().to_string();
                files.push(RuleFile { path, text });
            }
        }
    }

    fn event(mapped: MappedEvent) -> Event {
        Event {
            event_uid: EventUid::from_bytes([0; 16]),
            log_origin: "log".into(),
            log_seq: 1,
            ordinal: 0,
            mapping_version: "1".into(),
            derived_at: 1,
            tenant: TenantId::default(),
            source: SourceName::new("test.one").unwrap(),
            source_uid: None,
            time_received: Timestamp::default(),
            time_effective: Timestamp::default(),
            time_quality: TimeQuality::Vendor,
            actor_alias_uid: None,
            on_behalf_of_uid: None,
            credential_uid: None,
            session_uid: None,
            target_uid: None,
            device_uid: None,
            message_uid: None,
            link_uid: None,
            risk_decision: None,
            id_conflict: false,
            evidence_grade: EvidenceGrade::A,
            mapped,
        }
    }

    /// What stands in the rules' lists, which operations do too, and strange ones.
    fn operations(files: &[RuleFile]) -> Vec<String> {
        let lines = files.iter().flat_map(|file| file.text.lines());
        let items = lines.filter_map(|line| line.trim().strip_prefix("- "));
        let items = items.map(|item| item.trim_matches(['\'', '"']).to_owned());
        let mut operations: Vec<String> = items.collect();
        operations.sort_unstable();
        operations.dedup();
        let around = operations.iter().flat_map(|it| {
            let upper = it.to_ascii_uppercase();
            [format!("x{it}x"), upper]
        });
        let around: Vec<String> = around.collect();
        operations.extend(around);
        operations.extend(["", "löschen", "İam:Delete"].map(str::to_owned));
        operations.push("o".repeat(OPERATION_BYTES_MAX + 1));
        operations
    }

    #[test]
    fn what_is_chosen_finds_what_all_rules_would() {
        let mut files = Vec::new();
        read(Path::new("../../rules"), &mut files);
        let (set, problems) = RuleSet::load(&files);
        assert_eq!(problems, []);
        let singles = set.singles.iter().enumerate();
        let canonical = singles.filter(|(_, place)| set.rules[**place].is_canonical());
        let all: Vec<usize> = canonical.map(|(matcher, _)| matcher).collect();
        let source = SourceFacts {
            name: SourceName::new("test.one").unwrap(),
            title: String::new(),
            sigma: Vec::new(),
            mapping_version: "1".into(),
            planes: Vec::new(),
            system: None,
            field_aliases: Vec::new(),
        };
        let facts = Facts::default();
        let (mut chosen, mut found, mut left_out) = (ChosenRules::default(), 0, 0);
        for (number, operation) in operations(&files).into_iter().enumerate() {
            for turn in 0..4 {
                let pick = number * 7 + turn * 11;
                let outcome = OutcomeClass::ALL[pick % OutcomeClass::ALL.len()];
                let event = event(MappedEvent {
                    action: ACTIONS[pick % ACTIONS.len()].action,
                    actor_kind: ActorKind::ALL[(pick / 3) % ActorKind::ALL.len()],
                    outcome,
                    operation: operation.as_str().into(),
                    kind: EventKind::ALL[(pick / 2) % EventKind::ALL.len()],
                    meaningful: true,
                    ..MappedEvent::default()
                });
                let view = View {
                    observation: Observation {
                        event: &event,
                        identity: None,
                        credential: None,
                        record: b"{}",
                        source: &source,
                    },
                    facts: &facts,
                };
                let subject = Subject::Canonical(view);
                let expected = set.matchers.matching(&all, &subject);
                let may_match = chosen.canonical(&set, &view);
                assert_eq!(
                    set.matchers.matching(may_match, &subject),
                    expected,
                    "{event:?}"
                );
                (found, left_out) = (
                    found + expected.len(),
                    left_out + all.len() - may_match.len(),
                );
            }
        }
        assert!(found > 100, "{found}: too few to say anything");
        assert!(left_out > found, "{left_out}: nothing is left out");
    }
}
