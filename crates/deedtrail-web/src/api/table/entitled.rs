//! What is said about entitlements.

use super::{FROM, IDENTITY, PLAIN, TO, WHO_PATH, entitlements, parameter};
use crate::endpoint::{Answer, Body, Document, Shape};
use crate::refusal;

pub(super) const IMPORT: Document = Document {
    summary: "Import what identities may do",
    detail: "The body is the file, as the system exports it: docs/reference/entitlement-import.md. It \
             replaces what an import of the same kind and account said before, as one entry of the \
             evidence log; an import that changes nothing is not appended. The answer says what \
             changes.",
    parameters: &[
        parameter(
            "kind",
            "What the file is. Required.",
            Shape::OneOf(entitlements::kinds),
        ),
        parameter(
            "account",
            "The account, cluster, tenant or organisation, where the file does not say it.",
            Shape::Text,
        ),
        parameter("dry_run", "Only say what would change.", Shape::Flag),
    ],
    body: Some(Body {
        media_types: &["application/octet-stream"],
        schema: None,
    }),
    answer: Answer::Json("EntitlementReport"),
    refusals: &[
        (400, "A parameter is not understood."),
        refusal::SLOW,
        refusal::OVER_LIMIT,
        (
            422,
            "The file is not as it should be; the detail says where.",
        ),
        refusal::BUSY,
        refusal::LOG_CLOSED,
        refusal::DISK_FULL,
    ],
};

pub(super) const OF_IDENTITY: Document = Document {
    summary: "What an identity did, may do and did not, and may not do and tried or did",
    detail: "Over the last 90 days unless told. `basis` says on what grounds something was done, `why` \
             what is wrong with it; `unknown` why it cannot be told whether something was used.",
    parameters: &[WHO_PATH, FROM, TO],
    answer: Answer::Json("EntitlementUse"),
    refusals: IDENTITY.refusals,
    ..PLAIN
};
