//! What the operator says of targets: environment and sensitivity, by inventory and by rules.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::event::{Environment, MappedEvent, Sensitivity};
use glob::Pattern;

/// Rows of the inventory; a larger one is refused.
pub const INVENTORY_ROWS_MAX: usize = 1_000_000;
/// Mistakes of an inventory that are told; reading ends there.
const MISTAKES_MAX: usize = 20;

/// What is said of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classification {
    pub environment: Option<Environment>,
    pub sensitivity: Option<Sensitivity>,
}

/// Targets of which something is said; `None` holds for any value.
#[derive(Clone, Debug, Default)]
pub struct TargetRule {
    pub system: Option<Pattern>,
    pub account: Option<Pattern>,
    pub kind: Option<Pattern>,
    /// Any of them, of the target's reference, name or aliases; empty holds for every target.
    pub names: Vec<Pattern>,
    pub says: Classification,
}

/// Everything that is said of targets: the inventory first, then the rules in order.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    pub inventory: BTreeMap<Text, Classification>,
    pub rules: Vec<TargetRule>,
}

impl Targets {
    /// Adds to an event what is said of its target; it wins over what the mapping says.
    pub fn classify(&self, event: &mut MappedEvent) {
        if self.inventory.is_empty() && self.rules.is_empty() {
            return;
        }
        let says = self.says(event);
        if let Some(environment) = says.environment {
            event.target_environment = environment;
        }
        if let Some(sensitivity) = says.sensitivity {
            event.target_sensitivity = sensitivity;
        }
    }

    fn says(&self, event: &MappedEvent) -> Classification {
        let listed = names(event).filter_map(|name| self.inventory.get(name).copied());
        let rules = self.rules.iter().filter(|rule| rule.holds(event));
        let mut said = listed.chain(rules.map(|rule| rule.says));
        let first = Classification::default();
        said.try_fold(first, |known, next| {
            let known = Classification {
                environment: known.environment.or(next.environment),
                sensitivity: known.sensitivity.or(next.sensitivity),
            };
            let complete = known.environment.is_some() && known.sensitivity.is_some();
            if complete { Err(known) } else { Ok(known) }
        })
        .unwrap_or_else(|known| known)
    }
}

impl TargetRule {
    fn holds(&self, event: &MappedEvent) -> bool {
        let fits = |pattern: &Option<Pattern>, value: Option<&Text>| {
            let fits = |pattern: &Pattern| value.is_some_and(|value| pattern.matches(value));
            pattern.as_ref().is_none_or(fits)
        };
        fits(&self.system, Some(&event.system))
            && fits(&self.account, event.account.as_ref())
            && fits(&self.kind, event.target_kind.as_ref())
            && (self.names.is_empty()
                || names(event).any(|name| self.names.iter().any(|it| it.matches(name))))
    }
}

/// Every name of the target.
fn names(event: &MappedEvent) -> impl Iterator<Item = &Text> {
    let aliases = event.target_aliases.iter().map(|alias| &alias.value);
    let named = event.target_ref.iter().chain(&event.target_name);
    named.chain(aliases)
}

/// A line of an inventory that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct InventoryMistake {
    pub line: u64,
    pub what: String,
}

/// Reads an inventory: CSV with a header that names `target` (a reference, name or alias), and
/// `environment` or `sensitivity` or both; further columns are not looked at.
pub fn read_inventory(
    bytes: &[u8],
) -> Result<BTreeMap<Text, Classification>, Vec<InventoryMistake>> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let mistake = |line, what: String| InventoryMistake { line, what };
    let header = reader.headers().cloned();
    let header = header.map_err(|error| vec![mistake(1, error.to_string())])?;
    let column = |name: &str| header.iter().position(|column| column == name);
    let Some(target) = column("target") else {
        let what = "the header names no column `target`".to_owned();
        return Err(vec![mistake(1, what)]);
    };
    let (environment, sensitivity) = (column("environment"), column("sensitivity"));
    let (mut rows, mut mistakes) = (BTreeMap::new(), Vec::new());
    for row in reader.records() {
        let line = row.as_ref().ok().and_then(csv::StringRecord::position);
        let line = line.map_or(0, csv::Position::line);
        let read = row.map_err(|error| error.to_string()).and_then(|row| {
            let value = |column: Option<usize>| {
                let value = column.and_then(|column| row.get(column));
                value.filter(|value| !value.is_empty())
            };
            let name = value(Some(target)).ok_or("`target` is empty")?;
            let says = Classification {
                environment: value(environment).map(environment_of).transpose()?,
                sensitivity: value(sensitivity).map(sensitivity_of).transpose()?,
            };
            Ok((Text::new(name), says))
        });
        match read {
            Ok((name, says)) => drop(rows.insert(name, says)),
            Err(what) => mistakes.push(mistake(line, what)),
        }
        if rows.len() > INVENTORY_ROWS_MAX {
            mistakes.push(mistake(line, format!("over {INVENTORY_ROWS_MAX} rows")));
        }
        if mistakes.len() >= MISTAKES_MAX || rows.len() > INVENTORY_ROWS_MAX {
            break;
        }
    }
    if mistakes.is_empty() {
        Ok(rows)
    } else {
        Err(mistakes)
    }
}

/// The environment of that name.
pub fn environment_of(name: &str) -> Result<Environment, String> {
    let known = || Environment::ALL.iter().map(|it| it.name());
    Environment::from_name(name).ok_or_else(|| unknown(name, "environment", known()))
}

/// The sensitivity of that name.
pub fn sensitivity_of(name: &str) -> Result<Sensitivity, String> {
    let known = || Sensitivity::ALL.iter().map(|it| it.name());
    Sensitivity::from_name(name).ok_or_else(|| unknown(name, "sensitivity", known()))
}

fn unknown<'a>(name: &str, what: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known = known.collect::<Vec<_>>().join(", ");
    let name: String = name.chars().take(40).collect();
    format!("`{name}` is no {what}; there are {known}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(name: &str, account: &str) -> MappedEvent {
        MappedEvent {
            system: "aws".into(),
            account: Some(account.into()),
            target_kind: Some("bucket".into()),
            target_ref: Some(format!("arn:aws:s3:::{name}").into()),
            target_name: Some(name.into()),
            ..MappedEvent::default()
        }
    }

    fn classified(targets: &Targets, mut event: MappedEvent) -> (Environment, Sensitivity) {
        targets.classify(&mut event);
        (event.target_environment, event.target_sensitivity)
    }

    #[test]
    fn the_inventory_comes_first_then_the_rules_in_order() {
        let inventory = b"target,owner,environment,sensitivity\nblue,x,staging,\n";
        let pattern = |text: &str| Pattern::new(text).unwrap();
        let rule = |names: &[&str], account: Option<&str>, says| TargetRule {
            system: Some(pattern("aws")),
            account: account.map(pattern),
            names: names.iter().map(|name| pattern(name)).collect(),
            says,
            ..TargetRule::default()
        };
        let production = Classification {
            environment: Some(Environment::Production),
            sensitivity: None,
        };
        let secret = Classification {
            environment: Some(Environment::Development),
            sensitivity: Some(Sensitivity::Confidential),
        };
        let targets = Targets {
            inventory: read_inventory(inventory).unwrap(),
            rules: vec![
                rule(&[], Some("1111*"), production),
                rule(&["*:payroll-*"], None, secret),
            ],
        };
        let unknown = Sensitivity::Unknown;
        for (name, account, expected) in [
            ("blue", "1111", (Environment::Staging, unknown)),
            ("red", "1111", (Environment::Production, unknown)),
            (
                "payroll-1",
                "1111",
                (Environment::Production, Sensitivity::Confidential),
            ),
            (
                "payroll-1",
                "2222",
                (Environment::Development, Sensitivity::Confidential),
            ),
            ("red", "2222", (Environment::Unknown, unknown)),
        ] {
            assert_eq!(
                classified(&targets, bucket(name, account)),
                expected,
                "{name} {account}"
            );
        }
        let other = MappedEvent {
            system: "gcp".into(),
            ..bucket("payroll-1", "1111")
        };
        assert_eq!(classified(&targets, other), (Environment::Unknown, unknown));
    }

    #[test]
    fn mistakes_of_an_inventory_are_told_by_line() {
        let told = |text: &str| -> Vec<String> {
            let mistakes = read_inventory(text.as_bytes()).unwrap_err();
            mistakes.iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            told("name\nx\n"),
            ["line 1: the header names no column `target`"]
        );
        assert_eq!(
            told("target,environment\na,prod\n,staging\nb,staging\n"),
            [
                "line 2: `prod` is no environment; there are production, staging, development, unknown",
                "line 3: `target` is empty"
            ]
        );
    }
}
