//! A record as a mapping reads it: JSON, or a line of text.

use deedtrail_core::mapping::MapError;

use crate::mapping::plan::Plan;
use crate::record::line::{self, Misfit};
use crate::record::{LineError, Node, Tree, View, parse, parse_line};

/// A record as the plan reads it, if it can be read.
pub(crate) fn view_of<'a>(plan: &Plan, record: &'a [u8], tree: &'a mut Tree) -> Option<View<'a>> {
    let view = read(plan, "", record, tree).ok()?;
    matches!(view.root(), Node::Object { .. }).then_some(view)
}

/// Reads a record: JSON, or a line of text where the log has such.
#[inline]
pub(super) fn read<'a>(
    plan: &Plan,
    source: &str,
    record: &'a [u8],
    tree: &'a mut Tree,
) -> Result<View<'a>, MapError> {
    match &plan.form {
        Some(form) if !line::is_json(record) => {
            parse_line(record, form, &plan.shapes, tree).map_err(|error| unread(source, error))
        }
        _ => parse(record, &plan.shapes, tree),
    }
}

fn unread(source: &str, error: LineError) -> MapError {
    match error {
        LineError::Record(error) => error,
        LineError::Misfit(Misfit::Other(detail)) => MapError::WrongSource {
            source_name: source.to_owned(),
            detail: detail.to_owned(),
        },
        LineError::Misfit(Misfit::TooLarge(unit, limit)) => MapError::OutOfRange {
            field: "record".into(),
            detail: format!("a line of more than {limit} {unit}"),
        },
    }
}
