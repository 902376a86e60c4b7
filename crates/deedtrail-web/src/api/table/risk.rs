//! What the reference says of insider risk.

use super::{PLAIN, parameter};
use crate::endpoint::{Answer, Body, Document, Shape};

pub(super) const LIST: Document = Document {
    summary: "People whose work departs from what is usual or declared for them, the most points first",
    detail: "Without names: `person` is a pseudonym of this installation. Open findings of the last \
             90 days count, per kind with the points of the gravest and 2 for each further day.",
    answer: Answer::Json("InsiderRisk"),
    ..PLAIN
};

pub(super) const REVEAL: Document = Document {
    summary: "Say who one person of the list is",
    detail: "Who asked, whom for and why becomes an entry of the evidence log first.",
    parameters: &[parameter(
        "person",
        "Pseudonym as the list has it.",
        Shape::Text,
    )],
    body: Some(Body {
        media_types: &["application/json"],
        schema: Some("RevealReason"),
    }),
    answer: Answer::Json("RevealedPerson"),
    refusals: &[
        (404, "Nobody in the list is called so."),
        (422, "There is no reason, or it is too long."),
    ],
};
