//! From files to a rule set, with every problem named, placed and answered.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::finding::Severity;

use super::block::{Block, BlockError};
use super::correlation::Window;
use super::depth::too_deep;
use super::logsource;
use super::naming::rule_name;
use super::place::{Document, Place, line_of, line_with};
use super::sigma::{self, Compiler, Header, ParsedCorrelation, ParsedFilter, ParsedRule};
use super::{Correlation, ProblemSeverity, Rule, RuleFile, RuleProblem, RuleSet, is_canonical};
use crate::limits::{
    CORRELATION_DEPTH_MAX, RULE_BYTES_MAX, RULE_DEPTH_MAX, RULE_PATTERNS_MAX, RULES_MAX,
};
use crate::profile::key;
use crate::{fact, field};

/// Words of `level` and of `status`, by the Sigma specification 2.0.
const LEVELS: &[&str] = &["informational", "low", "medium", "high", "critical"];
const STATUSES: &[&str] = &[
    "stable",
    "test",
    "experimental",
    "deprecated",
    "unsupported",
];

struct Loader {
    set: RuleSet,
    compiler: Compiler,
    problems: Vec<RuleProblem>,
    /// The document that is being loaded.
    document: Document,
    /// Id or name of a rule -> its place.
    places: BTreeMap<String, usize>,
    /// What each rule is made of, in the order of the set: a hash of its file and of those it counts.
    definitions: Vec<u64>,
    /// Correlations and filters wait until every rule is there.
    correlations: Vec<(usize, ParsedCorrelation)>,
    filters: Vec<(usize, ParsedFilter)>,
}

pub(super) fn load(files: &[RuleFile]) -> (RuleSet, Vec<RuleProblem>) {
    let mut loader = Loader {
        set: RuleSet::default(),
        compiler: Compiler::default(),
        problems: Vec::new(),
        document: Document::default(),
        places: BTreeMap::new(),
        definitions: Vec::new(),
        correlations: Vec::new(),
        filters: Vec::new(),
    };
    let mut order = (0..files.len()).collect::<Vec<_>>();
    order.sort_by_key(|file| &files[*file].path);
    for file in order {
        loader.file(files, file);
    }
    loader.correlations(files);
    let filters = std::mem::take(&mut loader.filters);
    for (file, filter) in &filters {
        loader.filter(&files[*file], filter);
    }
    let texts = filters.iter().map(|(file, _)| files[*file].text.as_str());
    loader.count_anew_with(&texts.collect::<Vec<_>>());
    loader.set.matchers = loader.compiler.finish();
    loader
        .problems
        .sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    (loader.set, loader.problems)
}

impl Loader {
    fn file(&mut self, files: &[RuleFile], place: usize) {
        let file = &files[place];
        self.document = Document::default();
        if file.text.len() > RULE_BYTES_MAX {
            let message = format!("the file is over {RULE_BYTES_MAX} bytes");
            let hint = Some("split it".to_owned());
            return self.problem(file, 1, ProblemSeverity::Error, &message, hint);
        }
        if let Some(line) = too_deep(&file.text) {
            let message = format!("it nests more than {RULE_DEPTH_MAX} levels deep");
            return self.problem(file, line, ProblemSeverity::Error, &message, None);
        }
        let parsed = sigma::parse(&file.text);
        for error in parsed.errors {
            self.parse_error(file, &error);
        }
        for rule in parsed.rules {
            self.rule(file, rule);
        }
        for correlation in parsed.correlations {
            match correlation {
                Ok(correlation) => self.correlations.push((place, correlation)),
                Err(message) => {
                    self.document = Document::titled(&file.text, &quoted(&message), self.document);
                    self.error(file, ("correlation", &[]), &message, None);
                }
            }
        }
        let filters = parsed.filters.into_iter();
        self.filters.extend(filters.map(|filter| (place, filter)));
    }

    fn rule(&mut self, file: &RuleFile, parsed: ParsedRule) {
        self.document = Document::titled(&file.text, &parsed.header.title, self.document);
        if self.set.rules.len() >= RULES_MAX {
            let message = format!("more than {RULES_MAX} rules; this one is not loaded");
            return self.error(file, ("title", &[]), &message, None);
        }
        if parsed.patterns() > RULE_PATTERNS_MAX {
            let message = format!("more than {RULE_PATTERNS_MAX} regular expressions in one rule");
            let hint = Some("split the rule".to_owned());
            return self.error(file, ("detection", &[]), &message, hint);
        }
        let canonical = is_canonical(&parsed.logsource);
        if canonical && !self.fields_exist(file, "detection", parsed.fields.iter()) {
            return;
        }
        if canonical {
            self.doubt(file, &parsed);
        }
        let Ok(block) = self.block(file, &parsed.header) else {
            return;
        };
        if let Some(unknown) = parsed.unknown_selection() {
            let path: [&str; 2] = ["condition", &unknown.name];
            return self.error(
                file,
                ("detection", &path),
                &unknown.message(),
                unknown.hint(),
            );
        }
        if let Err(message) = self.compiler.add(&parsed) {
            return self.error(file, ("detection", &[&quoted(&message)]), &message, None);
        }
        let place = self.set.rules.len();
        self.set.singles.push(place);
        let header = &parsed.header;
        let mut rule = described(file, header, block);
        rule.logsource = Some(parsed.logsource);
        rule.logsource_line = self.line(file, ("logsource", &[]));
        rule.fields = parsed.fields;
        rule.needed = parsed.needed;
        self.name(file, header, place);
        self.set.rules.push(rule);
        self.definitions.push(key(&[&file.text]));
    }

    /// Tells what a rule asks for and can never come. It stays in force, as it was before anybody told:
    /// what else it asks for may still come, and a rebuild judges by the rules of then.
    fn doubt(&mut self, file: &RuleFile, parsed: &ParsedRule) {
        let severity = ProblemSeverity::Warning;
        if let Some(unknown) = logsource::unknown_kind(&parsed.logsource) {
            let line = self.line(file, ("logsource", &["category"]));
            let suggestion = Some(unknown.suggestion);
            self.problem(file, line, severity, &unknown.message, suggestion);
        }
        for told in parsed.foreign_values() {
            let path: [&str; 3] = [&told.selection, &told.field, &told.value];
            let line = self.line(file, ("detection", &path));
            self.problem(file, line, severity, &told.message, Some(told.suggestion));
        }
    }

    /// Whether every field that a part of the rule names exists among the canonical ones.
    fn fields_exist<'n>(
        &mut self,
        file: &RuleFile,
        part: &str,
        names: impl Iterator<Item = &'n String>,
    ) -> bool {
        let mut sound = true;
        for name in names.filter(|name| field::find(name).is_none()) {
            sound = false;
            self.block_error(file, part, BlockError::unknown_field(name));
        }
        sound
    }

    /// The block, if there is one; `Err` when it is wrong, which is a problem.
    fn block(&mut self, file: &RuleFile, header: &Header) -> Result<Option<Block>, ()> {
        let block = header.block.clone().map(Block::read).transpose();
        block.map_err(|error| self.block_error(file, "deedtrail", error))
    }

    /// Makes a rule known by its id and name.
    fn name(&mut self, file: &RuleFile, header: &Header, place: usize) {
        for name in [&header.id, &header.name].into_iter().flatten() {
            if self.places.insert(name.clone(), place).is_some() {
                let message =
                    format!("`{name}` names more than one rule; references mean this one");
                let line = self.line(file, ("id", &[]));
                self.problem(file, line, ProblemSeverity::Warning, &message, None);
            }
        }
    }

    /// Loads correlations, those first whose inputs are all there, so that chains resolve.
    fn correlations(&mut self, files: &[RuleFile]) {
        let mut waiting = std::mem::take(&mut self.correlations);
        for _ in 0..CORRELATION_DEPTH_MAX {
            let known = |input: &String| self.places.contains_key(input);
            let (ready, rest) = waiting
                .into_iter()
                .partition::<Vec<_>, _>(|(_, c)| c.inputs.iter().all(known));
            waiting = rest;
            for (file, correlation) in ready {
                self.correlation(&files[file], correlation);
            }
        }
        for (file, correlation) in waiting {
            let missing = correlation
                .inputs
                .iter()
                .find(|input| !self.places.contains_key(*input));
            let name = missing.cloned().unwrap_or_default();
            let message = format!("no loaded rule has the id or name `{name}`");
            let hint = field::nearest(&name, self.places.keys().map(String::as_str))
                .map(|near| format!("did you mean `{near}`?"));
            let file = &files[file];
            let title = &correlation.header.title;
            self.document = Document::titled(&file.text, title, Document::default());
            self.error(file, ("correlation", &["rules", &name]), &message, hint);
        }
    }

    fn correlation(&mut self, file: &RuleFile, parsed: ParsedCorrelation) {
        let title = &parsed.header.title;
        self.document = Document::titled(&file.text, title, Document::default());
        let inputs = parsed
            .inputs
            .iter()
            .filter_map(|name| self.places.get(name))
            .copied();
        let inputs = inputs.collect::<Vec<_>>();
        let canonical = inputs.iter().all(|input| self.is_canonical(*input));
        let aliased = |name: &&String| !parsed.aliases.contains_key(*name);
        let grouped = parsed
            .group_by
            .iter()
            .filter(aliased)
            .chain(&parsed.value_fields);
        if canonical && !self.fields_exist(file, "correlation", grouped) {
            return;
        }
        if let Some(unknown) = unknown_name(&parsed) {
            let message = format!("the condition names `{unknown}`, which is not under `rules`");
            let path: [&str; 2] = ["condition", &unknown];
            return self.error(file, ("correlation", &path), &message, None);
        }
        let Ok(block) = self.block(file, &parsed.header) else {
            return;
        };
        let place = self.set.rules.len();
        for input in &inputs {
            self.set.rules[*input].alone &= parsed.generate;
            let counted_by = self.set.counted_by.entry(*input).or_default();
            if !counted_by.contains(&place) {
                counted_by.push(place);
            }
        }
        let mut rule = described(file, &parsed.header, block);
        let own = parsed.header.id.as_deref().unwrap_or(&parsed.header.title);
        let counted = inputs
            .iter()
            .map(|input| self.definitions[*input].to_string())
            .collect::<Vec<_>>();
        // A correlation that says something else than before counts anew.
        let definition = key(&[&rule.name, own, &file.text, &counted.join(" ")]);
        rule.fields = parsed
            .group_by
            .iter()
            .chain(&parsed.value_fields)
            .cloned()
            .collect();
        rule.correlation = Some(Correlation {
            key: definition,
            inputs,
            group_by: parsed.group_by,
            aliases: parsed.aliases,
            value_fields: parsed.value_fields,
            window: Window {
                measure: parsed.measure,
                inputs: parsed.inputs,
                length_us: parsed.window_us,
                comparisons: parsed.comparisons,
                expression: parsed.expression,
            },
        });
        self.name(file, &parsed.header, place);
        self.set.rules.push(rule);
        self.definitions.push(definition);
    }

    /// Which rules a filter narrows is the engine's: with other filters every correlation counts
    /// anew.
    fn count_anew_with(&mut self, filters: &[&str]) {
        if filters.is_empty() {
            return;
        }
        let filters = key(filters).to_string();
        let rules = self.set.rules.iter_mut();
        for correlation in rules.filter_map(|rule| rule.correlation.as_mut()) {
            correlation.key = key(&[&correlation.key.to_string(), &filters]);
        }
    }

    fn is_canonical(&self, place: usize) -> bool {
        let rule = &self.set.rules[place];
        match &rule.correlation {
            Some(correlation) => correlation
                .inputs
                .iter()
                .all(|input| self.is_canonical(*input)),
            None => rule.is_canonical(),
        }
    }

    fn filter(&mut self, file: &RuleFile, filter: &ParsedFilter) {
        let singles = &self.set.singles;
        let place = |name: &str| {
            let rule = self.places.get(name)?;
            singles.iter().position(|single| single == rule)
        };
        if let Err(message) = self.compiler.filter(filter, place) {
            let line = line_with(&file.text, &quoted(&message));
            self.problem(file, line, ProblemSeverity::Error, &message, None);
        }
    }

    fn block_error(&mut self, file: &RuleFile, part: &str, error: BlockError) {
        let path: [&str; 1] = [&error.needle];
        self.error(file, (part, &path), &error.message, error.suggestion);
    }

    /// A wrong level or status is left out, and the rule is loaded without.
    fn parse_error(&mut self, file: &RuleFile, error: &str) {
        let word = quoted(error);
        let line = told_line(error, &file.text).unwrap_or_else(|| line_with(&file.text, &word));
        let left_out = [
            ("invalid level", "medium", LEVELS),
            ("invalid status", "test", STATUSES),
        ];
        for (message, instead, known) in left_out {
            if error.contains(message) {
                let hint = match field::nearest(&word, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`? Until then it is `{instead}`"),
                    None => format!("one of {}; until then it is `{instead}`", known.join(", ")),
                };
                return self.problem(file, line, ProblemSeverity::Warning, error, Some(hint));
            }
        }
        self.problem(file, line, ProblemSeverity::Error, error, None);
    }

    /// The line of a part of the document that is being loaded, and of what is below it.
    fn line(&self, file: &RuleFile, (part, path): (&str, &[&str])) -> usize {
        let document = self.document;
        let place = Place {
            document,
            part,
            path,
        };
        line_of(&file.text, &place)
    }

    fn error(
        &mut self,
        file: &RuleFile,
        place: (&str, &[&str]),
        message: &str,
        hint: Option<String>,
    ) {
        let line = self.line(file, place);
        self.problem(file, line, ProblemSeverity::Error, message, hint);
    }

    fn problem(
        &mut self,
        file: &RuleFile,
        line: usize,
        severity: ProblemSeverity,
        message: &str,
        suggestion: Option<String>,
    ) {
        self.problems.push(RuleProblem {
            path: file.path.clone(),
            line,
            severity,
            message: fact::cut(message, 400),
            suggestion,
        });
    }
}

/// The rule as far as its header tells.
fn described(file: &RuleFile, header: &Header, block: Option<Block>) -> Rule {
    let finding = block.as_ref().map_or("sigma_rule", |block| &block.finding);
    Rule {
        name: rule_name(&file.path),
        sigma_id: header.id.clone(),
        sigma_name: header.name.clone(),
        title: fact::cut(&header.title, 200),
        description: header.description.clone(),
        severity: header.severity.unwrap_or(Severity::Medium),
        finding: Text::new(finding),
        techniques: techniques(&header.tags),
        false_positives: header.false_positives.clone(),
        logsource: None,
        path: file.path.clone(),
        logsource_line: 1,
        fields: BTreeSet::new(),
        needed: BTreeSet::new(),
        confidence: block
            .as_ref()
            .and_then(|b| b.confidence)
            .unwrap_or(header.confidence),
        block,
        alone: true,
        correlation: None,
    }
}

/// The line that the parser tells of: of broken YAML where what it was reading begins, of a condition that
/// of the first.
fn told_line(error: &str, text: &str) -> Option<usize> {
    if error.starts_with("Condition parse error") {
        return Some(line_with(text, "condition"));
    }
    let (_, after) = error.rsplit_once(" at line ")?;
    let digits = after.find(|c: char| !c.is_ascii_digit());
    after.get(..digits.unwrap_or(after.len()))?.parse().ok()
}

/// What stands in quotes in a message: the word to look for in the file.
fn quoted(message: &str) -> String {
    let mut parts = message.split(['\'', '`', '"']);
    parts.nth(1).unwrap_or_default().to_owned()
}

/// `attack.t1098.001` and `atlas.aml.t0051` as `T1098.001` and `AML.T0051`; tactics are left out.
fn techniques(tags: &[String]) -> Vec<Text> {
    let technique = |tag: &String| {
        let lower = tag.to_ascii_lowercase();
        let id = lower
            .strip_prefix("attack.")
            .or_else(|| lower.strip_prefix("atlas."))?;
        let number = id.strip_prefix("aml.").unwrap_or(id).strip_prefix('t')?;
        number
            .starts_with(|c: char| c.is_ascii_digit())
            .then(|| Text::from(id.to_ascii_uppercase()))
    };
    tags.iter().filter_map(technique).collect()
}

/// A name in the condition that is no input.
fn unknown_name(parsed: &ParsedCorrelation) -> Option<String> {
    let mut names = BTreeSet::new();
    parsed.expression.as_ref()?.names(&mut names);
    names.into_iter().find(|name| !parsed.inputs.contains(name))
}
