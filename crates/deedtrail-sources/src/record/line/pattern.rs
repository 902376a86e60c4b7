//! Lines that fit a regular expression with named groups.

use regex::Regex;

use super::{Escapes, Field, Misfit, Name, Pairs};

/// The group that holds `name=value` pairs.
pub(crate) const PAIRS_GROUP: &str = "pairs";

/// A pattern with the names of its groups.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    /// Number and name of each.
    groups: Vec<(usize, String)>,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let regex = Regex::new(text).map_err(|error| error.to_string())?;
        let names = regex.capture_names().enumerate();
        let groups: Vec<(usize, String)> = names
            .filter_map(|(number, name)| Some((number, name?.to_owned())))
            .collect();
        if groups.is_empty() {
            return Err(format!(
                "`{text}` names nothing; write groups as `(?<name>…)`"
            ));
        }
        Ok(Self { regex, groups })
    }

    pub(crate) fn has_group(&self, name: &str) -> bool {
        self.groups.iter().any(|(_, known)| known == name)
    }
}

/// What the groups of the first pattern that fits hold.
pub(super) fn fields<'f>(
    patterns: &'f [Pattern],
    pairs: Option<&Pairs>,
    line: &str,
) -> Result<Vec<Field<'f>>, Misfit> {
    let mut fitting = patterns
        .iter()
        .filter_map(|pattern| Some((pattern, pattern.regex.captures(line)?)));
    let (pattern, found) = fitting
        .next()
        .ok_or(Misfit::Other("no pattern of the mapping fits it"))?;
    let mut fields = Vec::with_capacity(pattern.groups.len());
    for (number, name) in &pattern.groups {
        let Some(group) = found.get(*number) else {
            continue;
        };
        match pairs {
            Some(pairs) if name == PAIRS_GROUP => {
                // None is as good as no pairs.
                fields.extend(pairs.fields(line, group.range()).unwrap_or_default());
            }
            _ => fields.push(Field {
                name: Name::Known(name),
                value: group.range(),
                escapes: Escapes::None,
            }),
        }
    }
    Ok(fields)
}
