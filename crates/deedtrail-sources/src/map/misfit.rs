//! Why a record is not one of a log: which of the fields that identify the log it lacks.

use super::read::Reader;
use crate::mapping::plan::{Condition, Value};
use crate::record::Node;

/// Most fields that are named.
const NAMED_MAX: usize = 3;

/// One sentence on the condition, which does not hold. Of several alternatives the nearest is told.
pub(super) fn misfit<'a>(reader: &Reader<'a>, identify: &'a Condition) -> String {
    if !matches!(reader.view.root(), Node::Object { .. }) {
        return "it is no object with names and values".to_owned();
    }
    let misfits = misfits(reader, identify);
    let told = misfits.iter().take(NAMED_MAX).map(String::as_str);
    let told = told.collect::<Vec<_>>().join(", ");
    match misfits.len().saturating_sub(NAMED_MAX) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

fn misfits<'a>(reader: &Reader<'a>, condition: &'a Condition) -> Vec<String> {
    let fields = condition.fields.iter();
    let unfit = fields.filter(|(value, patterns)| !reader.fits(value, patterns));
    let mut found: Vec<String> = unfit
        .map(|(value, _)| match (name(value), reader.is_there(value)) {
            (Some(name), true) => format!("`{name}` has a value of another log"),
            (Some(name), false) => format!("`{name}` is missing"),
            (None, _) => "a value that its mapping makes does not fit".to_owned(),
        })
        .collect();
    for all in &condition.all_of {
        if !reader.holds(all) {
            found.extend(misfits(reader, all));
        }
    }
    let any = &condition.any_of;
    if !any.is_empty() && !any.iter().any(|one| reader.holds(one)) {
        let each = any.iter().map(|one| misfits(reader, one));
        found.extend(each.min_by_key(Vec::len).unwrap_or_default());
    }
    for none in &condition.none_of {
        if reader.holds(none) {
            let names = none.fields.iter().filter_map(|(value, _)| name(value));
            let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            found.push(match names.as_slice() {
                [] => "it is of another log".to_owned(),
                names => format!("{} is as another log has it", names.join(" with ")),
            });
        }
    }
    found
}

/// The path of a value that is read as it stands.
fn name(value: &Value) -> Option<&str> {
    match value {
        Value::Path(path) => Some(&path.text),
        Value::First(all) => all.iter().find_map(name),
        _ => None,
    }
}
