//! Evaluating one event: single rules first, then the correlations they count for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, OutcomeClass};
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::SourceFacts;
use hashbrown::HashMap;
use sonic_rs::Value;

use super::correlation::{CorrelationState, Fired, Match};
use super::record::Record;
use super::sigma::Matching;
use super::{Rule, RuleSet, Subject};
use crate::detector::draft;
use crate::field::View;
use crate::limits::{CORRELATION_DEPTH_MAX, DRAFT_EVENTS_MAX};
use crate::{fact, field, profile};

/// Words of titles that say by themselves that it was in vain.
const IN_VAIN: [&str; 6] = ["denied", "fail", "refus", "tried", "attempt", "blocked"];

/// Rules chosen for all operations together, each counted once for each, and what an operation takes
/// besides; beyond it the choice begins anew.
const CHOSEN_MAX: usize = if cfg!(test) { 2_048 } else { 1 << 20 };
/// Longest operation for which they are, bytes.
const OPERATION_BYTES_MAX: usize = 120;

/// Rules chosen for what they are evaluated on; derived, not part of the state.
#[derive(Debug, Default)]
pub(crate) struct ChosenRules {
    /// Rules on canonical fields, by what they are told apart by.
    canonical: BTreeMap<(Action, ActorKind, OutcomeClass), ByOperation>,
    /// Operations in it, and rules chosen for them.
    chosen: usize,
    /// Rules on vendor names, by source.
    vendor: BTreeMap<SourceName, VendorRules>,
}

/// Places of the rules that may match.
#[derive(Debug, Default)]
struct ByOperation {
    of: HashMap<Box<str>, Vec<usize>>,
    /// Where the operation is too strange to be looked at.
    any: Option<Vec<usize>>,
}

/// The rules on vendor names that apply to one source.
#[derive(Debug)]
struct VendorRules {
    matching: Matching,
    /// Version of the source they were chosen for.
    mapping_version: String,
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
    /// What the rules say about one event, each with the place of its rule in the set.
    pub(crate) fn observe(
        &mut self,
        set: &RuleSet,
        view: &View<'_>,
        state: &mut CorrelationState,
    ) -> Vec<(usize, FindingDraft)> {
        let mut drafts = Vec::new();
        let mut matched = |matchers: &[usize], subject| {
            let mut run = Run {
                set,
                subject,
                view,
                state: &mut *state,
                drafts: &mut drafts,
            };
            run.matched(matchers);
        };
        let subject = Subject::Canonical(*view);
        let may_match = self.canonical(set, view);
        matched(&set.matchers.matching(may_match, &subject), subject);
        let observation = &view.observation;
        let vendor = self.vendor(set, observation.source);
        // Rules on vendor names see the record, not one of its events: once is enough.
        if !vendor.is_empty()
            && observation.event.ordinal == 0
            && let Ok(value) = sonic_rs::from_slice::<Value>(observation.record)
        {
            let aliases = &observation.source.field_aliases;
            let record = Record {
                value: &value,
                aliases,
            };
            let subject = Subject::Vendor(record);
            matched(&vendor.matches(&subject), subject);
        }
        drafts
    }

    /// The rules on canonical fields that may match events such as this one.
    fn canonical(&mut self, set: &RuleSet, view: &View<'_>) -> &[usize] {
        let mapped = &view.observation.event.mapped;
        let (action, kind) = (mapped.action, field::actor_kind(view));
        if self.chosen >= CHOSEN_MAX {
            (self.canonical, self.chosen) = Default::default();
        }
        let key = (action, kind, mapped.outcome);
        let chosen = self.canonical.entry(key).or_default();
        let choose = |operation: Option<&str>| {
            let operation = operation.unwrap_or_default().to_ascii_lowercase();
            let known = [
                ("action", action.name()),
                ("actor_kind", kind.name()),
                ("outcome", mapped.outcome.name()),
                ("operation", &operation),
            ];
            // Of an operation that is left out nothing is known.
            let known = &known[..known.len() - usize::from(operation.is_empty())];
            let singles = set.singles.iter().enumerate();
            let may_match = singles.filter(|(matcher, place)| {
                set.rules[**place].is_canonical() && set.matchers.may_match(*matcher, known)
            });
            may_match.map(|(matcher, _)| matcher).collect::<Vec<_>>()
        };
        let operation = &*mapped.operation;
        if operation.is_empty() || operation.len() > OPERATION_BYTES_MAX || !operation.is_ascii() {
            return chosen.any.get_or_insert_with(|| choose(None));
        }
        if !chosen.of.contains_key(operation) {
            let may_match = choose(Some(operation));
            self.chosen += may_match.len() + operation.len().div_ceil(size_of::<usize>()) + 8;
            chosen.of.insert(operation.into(), may_match);
        }
        chosen.of.get(operation).map_or(&[], Vec::as_slice)
    }

    /// The rules for a source, chosen again when its mapping changed.
    fn vendor(&mut self, set: &RuleSet, source: &SourceFacts) -> &Matching {
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

/// Evaluation of one subject.
struct Run<'r> {
    set: &'r RuleSet,
    subject: Subject<'r>,
    view: &'r View<'r>,
    state: &'r mut CorrelationState,
    drafts: &'r mut Vec<(usize, FindingDraft)>,
}

impl Run<'_> {
    /// What becomes of the rules that match.
    fn matched(&mut self, matchers: &[usize]) {
        for matcher in matchers {
            let place = self.set.singles[*matcher];
            let rule = &self.set.rules[place];
            if !rule.selects(self.view) {
                continue;
            }
            if rule.alone {
                self.drafts.push((place, words(rule, self.view, &[])));
            }
            self.count(place, 0);
        }
    }

    /// Hands a match to the correlations that count it, and their firings to those above.
    fn count(&mut self, place: usize, depth: usize) {
        // Ours count what happened; a rule on vendor names chose its records itself.
        let mapped = &self.view.observation.event.mapped;
        let counts = mapped.meaningful || !self.set.rules[place].is_canonical();
        if depth >= CORRELATION_DEPTH_MAX || !counts {
            return;
        }
        for above in self.set.counted_by.get(&place).into_iter().flatten() {
            let rule = &self.set.rules[*above];
            let Some(fired) = self.add(rule, place) else {
                continue;
            };
            if rule.alone {
                self.drafts
                    .push((*above, correlated(rule, &fired, self.view)));
            }
            self.count(*above, depth + 1);
        }
    }

    fn add(&mut self, rule: &Rule, place: usize) -> Option<Fired> {
        let correlation = rule.correlation.as_ref()?;
        let event = self.view.observation.event;
        if !profile::is_dated(event) {
            return None;
        }
        let input = correlation
            .inputs
            .iter()
            .position(|input| *input == place)?;
        let name = &correlation.window.inputs[input];
        let text = |field: &String| {
            let own = correlation
                .aliases
                .get(field)
                .and_then(|inputs| inputs.get(name));
            let value = self.subject.get(own.unwrap_or(field))?;
            Some(fact::cut(&value.to_text(), 256))
        };
        let group = correlation.group_by.iter().map(text).collect();
        let values = correlation
            .value_fields
            .iter()
            .map(text)
            .collect::<Option<Vec<_>>>();
        let value = values.map(|values| values.join("\u{1f}"));
        if value.is_none() && !correlation.value_fields.is_empty() {
            return None;
        }
        let found = Match {
            time: event.time_effective,
            input: u16::try_from(input).ok()?,
            value,
            event: profile::finding_event(event),
        };
        let key = (correlation.key, event.tenant.clone(), group);
        self.state.add(key, &correlation.window, found)
    }
}

impl Rule {
    /// For canonical rules: `category` is the kind of telemetry, `service` the system.
    fn selects(&self, view: &View<'_>) -> bool {
        let Some(logsource) = self.logsource.as_ref().filter(|_| self.is_canonical()) else {
            return true;
        };
        let mapped = &view.observation.event.mapped;
        let is = |wanted: &Option<String>, given: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(given))
        };
        is(&logsource.category, mapped.kind.name()) && is(&logsource.service, &mapped.system)
    }
}

fn correlated(rule: &Rule, fired: &Fired, view: &View<'_>) -> FindingDraft {
    let window_us = rule.correlation.as_ref().map_or(0, |c| c.window.length_us);
    let extra = [
        ("correlation_value", fired.value.to_string()),
        ("correlation_minutes", (window_us / 60_000_000).to_string()),
    ];
    let mut draft = words(rule, view, &extra);
    let first = fired.events.first().map_or(draft.at, |event| event.time);
    let last = fired.events.last().map_or(draft.at, |event| event.time);
    draft.reasons.push(format!(
        "{} within {} (measure {}, window {})",
        fact::counted(fired.events.len(), "matching event"),
        fact::span(last.micros_since(first)),
        fired.value,
        fact::span(window_us),
    ));
    draft.events = newest(&fired.events);
    draft
}

fn newest(
    events: &[deedtrail_core::finding::FindingEvent],
) -> Vec<deedtrail_core::finding::FindingEvent> {
    events[events.len().saturating_sub(DRAFT_EVENTS_MAX)..].to_vec()
}

/// The draft in the words of the rule's block; public rules speak by their title.
fn words(rule: &Rule, view: &View<'_>, extra: &[(&str, String)]) -> FindingDraft {
    let observation = &view.observation;
    let block = rule.block.as_ref();
    let title = match block.and_then(|block| block.title.as_ref()) {
        Some(template) => template.fill(view, extra),
        None => format!("{}: {}", rule.title, fact::actor_name(observation)),
    };
    let title = if profile::refused(observation.event) && !profile::contains_any(&title, &IN_VAIN) {
        format!("{title} (refused)")
    } else {
        title
    };
    let pattern = pattern(rule, view);
    let mut draft = draft::of(observation, &rule.finding, &rule.name, &pattern);
    draft.title = title;
    draft.severity = rule.severity;
    draft.confidence = rule.confidence;
    draft.techniques.clone_from(&rule.techniques);
    match block.filter(|block| !block.reasons.is_empty()) {
        Some(block) => draft.reasons = block.reasons.iter().map(|r| r.fill(view, extra)).collect(),
        None => draft.reasons = vec![format!("rule `{}`: {}", rule.name, rule.title)],
    }
    draft
}

fn pattern<'r>(rule: &'r Rule, view: &View<'_>) -> Cow<'r, str> {
    let fields = rule.block.as_ref().map_or(&[][..], |block| &block.pattern);
    if fields.is_empty() {
        return Cow::Borrowed(&rule.name);
    }
    let value = |name: &String| {
        view.get(name)
            .map_or_else(String::new, |value| value.to_text())
    };
    let values = fields.iter().map(value).map(|text| fact::cut(&text, 200));
    Cow::Owned(format!(
        "{} {}",
        rule.name,
        values.collect::<Vec<_>>().join(" ")
    ))
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
    use crate::rule::RuleFile;

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
