//! Evaluating one event: single rules first, then the correlations they count for.

use std::borrow::Cow;

use deedtrail_core::finding::FindingDraft;
use sonic_rs::Value;

use super::choice::ChosenRules;
use super::correlation::{CorrelationState, Fired, Match};
use super::record::Record;
use super::{Rule, RuleSet, Subject};
use crate::detector::draft;
use crate::field::View;
use crate::limits::{CORRELATION_DEPTH_MAX, DRAFT_EVENTS_MAX};
use crate::{fact, profile};

/// Words of titles that say by themselves that it was in vain.
const IN_VAIN: [&str; 6] = ["denied", "fail", "refus", "tried", "attempt", "blocked"];

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
