//! The only module that knows the Sigma engine: parsing, compiling and matching single events.
//!
//! Windows over several events are ours ([`super::correlation`]), because a finding lists the
//! events it rests on and late events must not change what a window counts.

mod foreign;
mod needed;
mod possible;
mod shown;
mod unknown;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use deedtrail_core::finding::Severity;
use deedtrail_core::port::mapper::SigmaLogsource;
use deedtrail_core::time::Timestamp;
use rsigma_eval::{
    CompiledRule, Engine, Event, EventValue, RuleFieldSet, compile_rule, evaluate_rule,
};
use rsigma_parser::{
    ConditionExpr, ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType,
    Detection, FilterRule, FilterRuleTarget, Level, Modifier, SelectorPattern, SigmaCollection,
    SigmaRule, Status, WindowMode,
};

use super::Subject;
use super::correlation::{Comparison, Expression, Measure};
use crate::field::FieldValue;
pub(super) use foreign::Foreign;
use foreign::foreign_values;
use needed::needed_fields;
pub(super) use shown::Shown;
use unknown::UnknownSelection;

/// What rules of every sort say about themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct Header {
    pub id: Option<String>,
    pub name: Option<String>,
    pub title: String,
    pub description: String,
    pub severity: Option<Severity>,
    /// How far the author trusts it, 0 to 1.
    pub confidence: f64,
    pub tags: Vec<String>,
    pub false_positives: Vec<String>,
    /// The `deedtrail:` block as written.
    pub block: Option<serde_json::Value>,
}

#[derive(Debug)]
pub(super) struct ParsedRule {
    pub header: Header,
    pub logsource: SigmaLogsource,
    pub fields: BTreeSet<String>,
    /// Those it cannot match without.
    pub needed: BTreeSet<String>,
    rule: Box<SigmaRule>,
}

impl ParsedRule {
    /// Regular expressions in it.
    pub(super) fn patterns(&self) -> usize {
        self.rule.detection.named.values().map(patterns).sum()
    }

    /// The first name in its conditions that no selection has.
    pub(super) fn unknown_selection(&self) -> Option<UnknownSelection> {
        unknown::selection(&self.rule.detection)
    }

    /// Comparisons of a canonical rule that never hold.
    pub(super) fn foreign_values(&self) -> Vec<Foreign> {
        foreign_values(&self.rule)
    }
}

fn patterns(detection: &Detection) -> usize {
    match detection {
        Detection::AllOf(items) => {
            let items = items
                .iter()
                .filter(|item| item.field.has_modifier(Modifier::Re));
            items.map(|item| item.values.len()).sum()
        }
        Detection::AnyOf(parts) => parts.iter().map(patterns).sum(),
        Detection::ArrayMatch { body, .. } => patterns(body),
        _ => 0,
    }
}

#[derive(Debug)]
pub(super) struct ParsedCorrelation {
    pub header: Header,
    pub measure: Measure,
    /// Ids or names of the rules it counts.
    pub inputs: Vec<String>,
    pub group_by: Vec<String>,
    /// Alias -> input -> field.
    pub aliases: BTreeMap<String, BTreeMap<String, String>>,
    pub window_us: i64,
    pub comparisons: Vec<Comparison>,
    pub value_fields: Vec<String>,
    pub expression: Option<Expression>,
    /// Whether the rules it counts also make findings of their own.
    pub generate: bool,
}

#[derive(Debug)]
pub(super) struct ParsedFilter {
    pub title: String,
    rule: FilterRule,
}

#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub rules: Vec<ParsedRule>,
    pub correlations: Vec<Result<ParsedCorrelation, String>>,
    pub filters: Vec<ParsedFilter>,
    pub errors: Vec<String>,
}

/// Parses the documents of one file.
pub(super) fn parse(text: &str) -> Parsed {
    let mut collection = match rsigma_parser::parse_sigma_yaml(text) {
        Ok(collection) => collection,
        Err(error) => {
            return Parsed {
                errors: vec![error.to_string()],
                ..Parsed::default()
            };
        }
    };
    let filter = |rule: FilterRule| ParsedFilter {
        title: rule.title.clone(),
        rule,
    };
    Parsed {
        errors: std::mem::take(&mut collection.errors),
        rules: collection.rules.into_iter().map(rule).collect(),
        correlations: collection
            .correlations
            .into_iter()
            .map(correlation)
            .collect(),
        filters: collection.filters.into_iter().map(filter).collect(),
    }
}

fn rule(mut rule: SigmaRule) -> ParsedRule {
    let block = rule.custom_attributes.remove("deedtrail");
    rule.custom_attributes.clear();
    let one = SigmaCollection {
        rules: vec![rule.clone()],
        ..SigmaCollection::default()
    };
    let named = RuleFieldSet::collect(&one, &[], false);
    // Names under `fields:` are display metadata; only what the detection compares must exist.
    let compared = named.iter().filter(|(_, origin)| {
        origin
            .sources
            .contains(&rsigma_eval::FieldSource::Detection)
    });
    ParsedRule {
        fields: compared.map(|(name, _)| name.to_owned()).collect(),
        needed: needed_fields(&rule),
        logsource: SigmaLogsource {
            product: rule.logsource.product.clone(),
            service: rule.logsource.service.clone(),
            category: rule.logsource.category.clone(),
        },
        header: Header {
            id: rule.id.clone(),
            name: rule.name.clone(),
            title: rule.title.clone(),
            description: rule.description.clone().unwrap_or_default(),
            severity: rule.level.map(severity),
            confidence: confidence(rule.status),
            tags: rule.tags.clone(),
            false_positives: rule.falsepositives.clone(),
            block: block.and_then(|value| serde_json::to_value(value).ok()),
        },
        rule: Box::new(rule),
    }
}

fn correlation(mut rule: CorrelationRule) -> Result<ParsedCorrelation, String> {
    let title = &rule.title;
    if rule.window != WindowMode::Sliding {
        return Err(format!("`{title}`: only sliding windows are supported"));
    }
    let block = rule.custom_attributes.remove("deedtrail");
    let (comparisons, value_fields, percentile, expression) = match &rule.condition {
        CorrelationCondition::Threshold {
            predicates,
            field,
            percentile,
        } => {
            let predicates: Vec<Comparison> = if needs_all(&rule) {
                Vec::new()
            } else {
                let predicates = predicates.iter();
                predicates
                    .map(|(op, value)| comparison(*op, *value))
                    .collect()
            };
            (
                predicates,
                field.clone().unwrap_or_default(),
                *percentile,
                None,
            )
        }
        CorrelationCondition::Extended(condition) => {
            (Vec::new(), Vec::new(), None, Some(expression(condition)?))
        }
    };
    let measure = measure(rule.correlation_type, percentile);
    let takes_field = !matches!(
        measure,
        Measure::EventCount | Measure::Temporal | Measure::TemporalOrdered
    );
    if takes_field && value_fields.is_empty() {
        return Err(format!(
            "`{title}`: a {} needs `field`",
            rule.correlation_type.as_str()
        ));
    }
    let window_us = i64::try_from(rule.timespan.seconds)
        .unwrap_or(i64::MAX)
        .saturating_mul(Timestamp::SECOND_US);
    let alias =
        |alias: rsigma_parser::FieldAlias| (alias.alias, alias.mapping.into_iter().collect());
    Ok(ParsedCorrelation {
        header: Header {
            id: rule.id,
            name: rule.name,
            title: rule.title,
            description: rule.description.unwrap_or_default(),
            severity: rule.level.map(severity),
            confidence: confidence(rule.status),
            tags: rule.tags,
            false_positives: rule.falsepositives,
            block: block.and_then(|value| serde_json::to_value(value).ok()),
        },
        measure,
        inputs: rule.rules,
        group_by: rule.group_by,
        aliases: rule.aliases.into_iter().map(alias).collect(),
        window_us,
        comparisons,
        value_fields,
        expression,
        generate: rule.generate,
    })
}

/// Whether it counts rules and says nothing of how many: then every one of them must match. The parser
/// writes "at least one" into it, which any match by itself would fulfil.
fn needs_all(rule: &CorrelationRule) -> bool {
    let says_nothing = matches!(
        &rule.condition,
        CorrelationCondition::Threshold { predicates, .. }
            if matches!(predicates[..], [(ConditionOperator::Gte, 1)])
    );
    let counts_rules = matches!(
        rule.correlation_type,
        CorrelationType::Temporal | CorrelationType::TemporalOrdered
    );
    counts_rules && says_nothing
}

const fn measure(kind: CorrelationType, percentile: Option<u64>) -> Measure {
    match kind {
        CorrelationType::EventCount => Measure::EventCount,
        CorrelationType::ValueCount => Measure::ValueCount,
        CorrelationType::Temporal => Measure::Temporal,
        CorrelationType::TemporalOrdered => Measure::TemporalOrdered,
        CorrelationType::ValueSum => Measure::ValueSum,
        CorrelationType::ValueAvg => Measure::ValueAverage,
        CorrelationType::ValueMedian => Measure::ValuePercentile(50),
        CorrelationType::ValuePercentile => Measure::ValuePercentile(match percentile {
            Some(rank) if rank <= 100 => rank,
            Some(_) => 100,
            None => 50,
        }),
    }
}

#[expect(clippy::cast_precision_loss, reason = "thresholds are far below 2^52")]
const fn comparison(operator: ConditionOperator, value: u64) -> Comparison {
    let value = value as f64;
    match operator {
        ConditionOperator::Lt => Comparison::Below(value),
        ConditionOperator::Lte => Comparison::AtMost(value),
        ConditionOperator::Gt => Comparison::Above(value),
        ConditionOperator::Gte => Comparison::AtLeast(value),
        ConditionOperator::Eq => Comparison::Equal(value),
        ConditionOperator::Neq => Comparison::Unequal(value),
    }
}

fn expression(condition: &ConditionExpr) -> Result<Expression, String> {
    let many = |parts: &[ConditionExpr]| parts.iter().map(expression).collect::<Result<_, _>>();
    Ok(match condition {
        ConditionExpr::And(parts) => Expression::All(many(parts)?),
        ConditionExpr::Or(parts) => Expression::Any(many(parts)?),
        ConditionExpr::Not(part) => Expression::Not(Box::new(expression(part)?)),
        ConditionExpr::Identifier(name) => Expression::Seen(name.clone()),
        ConditionExpr::Selector {
            pattern: SelectorPattern::Them,
            ..
        }
        | ConditionExpr::Selector { .. } => {
            return Err("a correlation's condition names its rules one by one".to_owned());
        }
    })
}

const fn severity(level: Level) -> Severity {
    match level {
        Level::Informational => Severity::Info,
        Level::Low => Severity::Low,
        Level::Medium => Severity::Medium,
        Level::High => Severity::High,
        Level::Critical => Severity::Critical,
    }
}

const fn confidence(status: Option<Status>) -> f64 {
    match status {
        Some(Status::Stable) => 0.8,
        Some(Status::Experimental) => 0.5,
        Some(Status::Deprecated | Status::Unsupported) => 0.3,
        Some(Status::Test) | None => 0.6,
    }
}

/// Collects rules; filters change those already there.
#[derive(Default)]
pub(super) struct Compiler {
    engine: Engine,
    parsed: Vec<SigmaRule>,
}

impl Compiler {
    /// Adds a rule; its matches carry its place among the rules added so far.
    pub(super) fn add(&mut self, parsed: &ParsedRule) -> Result<(), String> {
        let mut numbered = compile_rule(&parsed.rule).map_err(|error| error.to_string())?;
        numbered.id = Some(self.engine.rule_count().to_string());
        self.engine.add_compiled_rule(numbered);
        self.parsed.push(SigmaRule::clone(&parsed.rule));
        Ok(())
    }

    /// Applies a filter to the rules it names; `place` finds a rule by id or name.
    pub(super) fn filter(
        &mut self,
        filter: &ParsedFilter,
        place: impl Fn(&str) -> Option<usize>,
    ) -> Result<(), String> {
        let mut rule = filter.rule.clone();
        if let FilterRuleTarget::Specific(names) = &mut rule.rules {
            for name in names {
                let missing =
                    || format!("`{}` filters `{name}`, which is not loaded", filter.title);
                *name = place(name).ok_or_else(missing)?.to_string();
            }
        }
        self.engine
            .apply_filter(&rule)
            .map_err(|error| error.to_string())
    }

    pub(super) fn finish(self) -> Matchers {
        Matchers {
            rules: self.engine.rules().to_vec(),
            parsed: self.parsed,
        }
    }
}

/// Compiled rules, in the order they were added.
#[derive(Debug, Default)]
pub(super) struct Matchers {
    rules: Vec<CompiledRule>,
    /// The same as written, without what filters add: those only narrow a rule.
    parsed: Vec<SigmaRule>,
}

impl Matchers {
    /// An index over the rules at those places.
    pub(super) fn select(&self, places: impl Iterator<Item = usize>) -> Matching {
        let mut engine = Engine::new();
        engine.extend_compiled_rules(places.filter_map(|place| self.rules.get(place)).cloned());
        Matching { engine }
    }

    /// Which of the rules at those places match.
    pub(super) fn matching(&self, places: &[usize], subject: &Subject<'_>) -> Vec<usize> {
        let matches = |place: &&usize| {
            let rule = self.rules.get(**place);
            rule.is_some_and(|rule| evaluate_rule(rule, subject).is_some())
        };
        places.iter().filter(matches).copied().collect()
    }

    /// What the rule at a place asks for.
    pub(super) fn shown(&self, place: usize) -> Option<Shown> {
        self.parsed.get(place).map(shown::shown)
    }

    /// Whether the rule at a place may match an event with these values of fields, ASCII in lower
    /// case.
    pub(super) fn may_match(&self, place: usize, known: &[(&str, &str)]) -> bool {
        let parsed = self.parsed.get(place);
        parsed.is_none_or(|rule| possible::may_match(rule, known))
    }
}

/// An index over some rules.
pub(super) struct Matching {
    engine: Engine,
}

impl fmt::Debug for Matching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Matching({} rules)", self.engine.rule_count())
    }
}

impl Matching {
    pub(super) fn is_empty(&self) -> bool {
        self.engine.rule_count() == 0
    }

    /// Places of the rules that match, ascending.
    pub(super) fn matches(&self, subject: &Subject<'_>) -> Vec<usize> {
        let results = self.engine.evaluate(subject);
        let place = |id: &Option<String>| id.as_deref().and_then(|id| id.parse().ok());
        let mut places = results
            .iter()
            .filter_map(|result| place(&result.header.rule_id))
            .collect::<Vec<_>>();
        places.sort_unstable();
        places
    }
}

impl Event for Subject<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        self.get(path).map(event_value)
    }

    fn any_string_value(&self, wanted: &dyn Fn(&str) -> bool) -> bool {
        let mut found = false;
        self.visit_texts(&mut |text| found = found || wanted(text));
        found
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let mut all = Vec::new();
        self.visit_texts(&mut |text| all.push(Cow::Owned(text.to_owned())));
        all
    }

    fn visit_string_values(&self, visit: &mut dyn FnMut(&str)) {
        self.visit_texts(visit);
    }

    /// Only the engine's own correlations ask for this, and they are not used.
    fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn visit_top_level_keys(&self, visit: &mut dyn FnMut(&str)) -> bool {
        self.visit_keys(visit)
    }
}

fn event_value(value: FieldValue<'_>) -> EventValue<'_> {
    match value {
        FieldValue::Text(text) => EventValue::Str(text),
        FieldValue::Integer(number) => EventValue::Int(number),
        FieldValue::Decimal(number) => EventValue::Float(number),
        FieldValue::Boolean(truth) => EventValue::Bool(truth),
        FieldValue::Null => EventValue::Null,
        FieldValue::List(items) => EventValue::Array(items.into_iter().map(event_value).collect()),
        FieldValue::Map(entries) => EventValue::Map(
            entries
                .into_iter()
                .map(|(name, inner)| (name, event_value(inner)))
                .collect(),
        ),
    }
}
