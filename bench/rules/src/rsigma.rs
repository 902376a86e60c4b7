//! The engine as its daemon uses it: one line of JSON parsed, then evaluated against all rules.

use deedtrail_core::port::mapper::SigmaLogsource;
use deedtrail_detect::RuleFile;
use rsigma_eval::{Engine, JsonEvent};
use rsigma_parser::LogSource;
use serde_json::Value;

pub struct Rules {
    engine: Engine,
}

impl Rules {
    pub fn load(files: &[RuleFile]) -> Self {
        let mut engine = Engine::new();
        for file in files {
            let Ok(collection) = rsigma_parser::parse_sigma_yaml(&file.text) else {
                continue;
            };
            engine.add_rules(&collection.rules);
        }
        Self { engine }
    }

    pub fn count(&self) -> usize {
        self.engine.rule_count()
    }

    /// Matches of all records; with the log source the engine leaves out rules of others.
    pub fn run(&self, records: &[Vec<u8>], logsource: Option<&SigmaLogsource>) -> usize {
        let logsource = logsource.map(|source| LogSource {
            product: source.product.clone(),
            service: source.service.clone(),
            category: source.category.clone(),
            ..LogSource::default()
        });
        let matches = |record: &Vec<u8>| {
            let Ok(value) = serde_json::from_slice::<Value>(record) else {
                return 0;
            };
            let event = JsonEvent::borrow(&value);
            match &logsource {
                Some(logsource) => self.engine.evaluate_pruned(&event, logsource).len(),
                None => self.engine.evaluate(&event).len(),
            }
        };
        records.iter().map(matches).sum()
    }
}
