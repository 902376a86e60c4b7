//! Names in a condition that no selection has.

use rsigma_parser::{ConditionExpr, Detections};

use crate::field;

/// One such name.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::rule) struct UnknownSelection {
    pub(in crate::rule) name: String,
    /// The selection that was probably meant.
    near: Option<String>,
}

impl UnknownSelection {
    pub(in crate::rule) fn message(&self) -> String {
        format!(
            "the condition names `{}`, which is no selection of the rule",
            self.name
        )
    }

    pub(in crate::rule) fn hint(&self) -> Option<String> {
        let near = self.near.as_ref()?;
        Some(format!("did you mean `{near}`?"))
    }
}

/// The first of them.
pub(super) fn selection(detections: &Detections) -> Option<UnknownSelection> {
    let name = detections
        .conditions
        .iter()
        .find_map(|condition| unknown(condition, detections))?;
    let known = detections.named.keys().map(String::as_str);
    Some(UnknownSelection {
        near: field::nearest(name, known).map(str::to_owned),
        name: name.to_owned(),
    })
}

fn unknown<'c>(condition: &'c ConditionExpr, detections: &Detections) -> Option<&'c str> {
    match condition {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => {
            parts.iter().find_map(|part| unknown(part, detections))
        }
        ConditionExpr::Not(part) => unknown(part, detections),
        ConditionExpr::Identifier(name) => {
            (!detections.named.contains_key(name)).then_some(name.as_str())
        }
        ConditionExpr::Selector { .. } => None,
    }
}
