//! Columns of an import: how each is read into, and written from, what is declared.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::event::{ActorKind, Environment};
use deedtrail_core::identity::Declared;
use deedtrail_core::time::Timestamp;

/// Separates several values in one cell.
pub(super) const SEPARATOR: char = ';';

/// A cell that says something; an empty one leaves the field as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// `-` in CSV, `null` in NDJSON: the field is emptied.
    Clear,
    Value(Text),
}

/// A column beside `alias`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    Name,
    Kind,
    Owner,
    BackupOwner,
    Department,
    Environment,
    Purpose,
    Employment,
    Manager,
    DeclaredTools,
    ReadOnly,
    Workload,
    WorkloadGoneSince,
    OrphanedSince,
    Tags,
}

impl Column {
    /// Every column, in the order of the reference page.
    pub const ALL: [Self; 15] = [
        Self::Name,
        Self::Kind,
        Self::Owner,
        Self::BackupOwner,
        Self::Department,
        Self::Environment,
        Self::Purpose,
        Self::Employment,
        Self::Manager,
        Self::DeclaredTools,
        Self::ReadOnly,
        Self::Workload,
        Self::WorkloadGoneSince,
        Self::OrphanedSince,
        Self::Tags,
    ];

    /// The name as the header, the NDJSON key and the reference page write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Kind => "kind",
            Self::Owner => "owner",
            Self::BackupOwner => "backup_owner",
            Self::Department => "department",
            Self::Environment => "environment",
            Self::Purpose => "purpose",
            Self::Employment => "employment",
            Self::Manager => "manager",
            Self::DeclaredTools => "declared_tools",
            Self::ReadOnly => "read_only",
            Self::Workload => "workload",
            Self::WorkloadGoneSince => "workload_gone_since",
            Self::OrphanedSince => "orphaned_since",
            Self::Tags => "tags",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }

    /// Writes a cell into the field. The error says what the cell should be.
    pub(super) fn set(self, declared: &mut Declared, cell: &Cell) -> Result<(), String> {
        let given = match cell {
            Cell::Clear => None,
            Cell::Value(text) => Some(text),
        };
        match self {
            Self::Name => declared.declared_name = given.cloned(),
            Self::Kind => declared.declared_kind = given.map(|text| kind(text)).transpose()?,
            Self::Owner => declared.owner = given.cloned(),
            Self::BackupOwner => declared.backup_owner = given.cloned(),
            Self::Department => declared.department = given.cloned(),
            Self::Environment => {
                declared.environment = given
                    .map(|text| environment(text))
                    .transpose()?
                    .unwrap_or_default();
            }
            Self::Purpose => declared.purpose = given.cloned(),
            Self::Employment => declared.employment = given.cloned(),
            Self::Manager => declared.manager = given.cloned(),
            Self::DeclaredTools => {
                declared.declared_tools = given
                    .map(|text| several(text).map(Text::new).collect())
                    .unwrap_or_default();
            }
            Self::ReadOnly => {
                declared.read_only = given
                    .map(|text| flag(text))
                    .transpose()?
                    .unwrap_or_default();
            }
            Self::Workload => declared.workload = given.cloned(),
            Self::WorkloadGoneSince => {
                declared.workload_gone_since = given.map(|text| instant(text)).transpose()?;
            }
            Self::OrphanedSince => {
                declared.orphaned_since = given.map(|text| instant(text)).transpose()?;
            }
            Self::Tags => {
                declared.tags = given
                    .map(|text| tags(text))
                    .transpose()?
                    .unwrap_or_default();
            }
        }
        Ok(())
    }

    /// The field as a cell would say it; empty when it says nothing.
    pub(super) fn get(self, declared: &Declared) -> String {
        let text = |field: &Option<Text>| field.as_deref().unwrap_or_default().to_owned();
        let time = |field: Option<Timestamp>| field.map(|at| at.to_string()).unwrap_or_default();
        match self {
            Self::Name => text(&declared.declared_name),
            Self::Kind => declared
                .declared_kind
                .map_or("", ActorKind::name)
                .to_owned(),
            Self::Owner => text(&declared.owner),
            Self::BackupOwner => text(&declared.backup_owner),
            Self::Department => text(&declared.department),
            Self::Environment if declared.environment == Environment::Unknown => String::new(),
            Self::Environment => declared.environment.name().to_owned(),
            Self::Purpose => text(&declared.purpose),
            Self::Employment => text(&declared.employment),
            Self::Manager => text(&declared.manager),
            Self::DeclaredTools => joined(declared.declared_tools.iter().map(Text::to_string)),
            Self::ReadOnly => if declared.read_only { "true" } else { "" }.to_owned(),
            Self::Workload => text(&declared.workload),
            Self::WorkloadGoneSince => time(declared.workload_gone_since),
            Self::OrphanedSince => time(declared.orphaned_since),
            Self::Tags => joined(
                declared
                    .tags
                    .iter()
                    .map(|(name, value)| format!("{name}={value}")),
            ),
        }
    }
}

/// The values of a cell with several.
pub(crate) fn several(text: &str) -> impl Iterator<Item = &str> {
    text.split(SEPARATOR)
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(";")
}

fn kind(text: &str) -> Result<ActorKind, String> {
    ActorKind::from_name(text).ok_or_else(|| {
        let names: Vec<_> = ActorKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("`{text}` is no kind; {}", suggestion(text, &names))
    })
}

fn environment(text: &str) -> Result<Environment, String> {
    Environment::from_name(text).ok_or_else(|| {
        let names: Vec<_> = Environment::ALL.iter().map(|e| e.name()).collect();
        format!("`{text}` is no environment; {}", suggestion(text, &names))
    })
}

fn flag(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(format!("`{text}` is neither `true` nor `false`")),
    }
}

/// A day means its first instant (UTC).
pub(crate) fn instant(text: &str) -> Result<Timestamp, String> {
    let day = || Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"));
    Timestamp::parse_rfc3339(text)
        .or_else(day)
        .ok_or_else(|| format!("`{text}` is no date; write 2026-03-31 or 2026-03-31T14:00:00Z"))
}

fn tags(text: &str) -> Result<BTreeMap<Text, Text>, String> {
    let tag = |part: &str| {
        let (name, value) = part
            .split_once('=')
            .ok_or(format!("`{part}` is not `name=value`"))?;
        Ok((Text::new(name.trim()), Text::new(value.trim())))
    };
    several(text).map(tag).collect()
}

/// "did you mean …" with the nearest name, or all names when none is near.
pub(crate) fn suggestion(text: &str, names: &[&str]) -> String {
    match nearest(text, names) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("use one of {}", names.join(", ")),
    }
}

/// The name at most a third of its letters away from `text`.
fn nearest<'n>(text: &str, names: &[&'n str]) -> Option<&'n str> {
    let short: String = text.chars().take(64).collect::<String>().to_lowercase();
    let near = |name: &&'n str| distance(&short, name) <= name.len().div_ceil(3);
    names
        .iter()
        .copied()
        .filter(near)
        .min_by_key(|name| distance(&short, name))
}

/// The name that `text` misspells: one letter wrong, missing or too many, or letters swapped.
pub(super) fn misspelt<'n>(text: &str, names: &[&'n str]) -> Option<&'n str> {
    let letters = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    let short: String = text.chars().take(64).collect();
    let near = |name: &&'n str| {
        name.len() > 3 && (distance(&short, name) == 1 || letters(&short) == letters(name))
    };
    names
        .iter()
        .copied()
        .find(near)
        .filter(|_| !names.contains(&text))
}

/// Levenshtein distance in characters.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}
