//! A record as a mapping reads it: JSON, or a line of text.

use deedtrail_core::mapping::MapError;

use crate::mapping::plan::Outline;
use crate::record::line::{self, Form, Misfit};
use crate::record::{LineError, Node, Shapes, Tree, View, parse, parse_line};

/// A record as far as it is asked which log it is of, if it can be read.
pub(crate) fn view_of<'a>(
    outline: &Outline,
    record: &'a [u8],
    tree: &'a mut Tree,
) -> Option<View<'a>> {
    let Outline { form, shapes, .. } = outline;
    let view = read((form.as_ref(), shapes), "", record, tree).ok()?;
    matches!(view.root(), Node::Object { .. }).then_some(view)
}

/// Reads a record: JSON, or a line of text where the log has such.
#[inline]
pub(super) fn read<'a>(
    (form, shapes): (Option<&Form>, &Shapes),
    source: &str,
    record: &'a [u8],
    tree: &'a mut Tree,
) -> Result<View<'a>, MapError> {
    match form {
        Some(form) if !line::is_json(record) => {
            parse_line(record, form, shapes, tree).map_err(|error| unread(source, error))
        }
        _ => parse(record, shapes, tree),
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
