//! What the reference says of sessions.

use super::{LIMIT, PLAIN, parameter};
use crate::api::sessions;
use crate::endpoint::{Answer, Document, Parameter, Shape};

const UID: Parameter = parameter("uid", "Id of the session.", Shape::Id);

pub(super) const LIST: Document = Document {
    summary: "List sessions, latest active first",
    detail: "A session is what one actor did in one go: known by the vendor's id, or by the pauses \
             between its events (`known_by`). `trust` says with every step how far it is trusted, \
             `blast` how far it reached.",
    parameters: &[
        parameter(
            "identity",
            "Only of this identity: id, e-mail, ARN …",
            Shape::Text,
        ),
        parameter(
            "verdict",
            "Only with this verdict.",
            Shape::OneOf(sessions::verdicts),
        ),
        parameter(
            "trust_below",
            "Only those trusted less than this, 0 to 100.",
            Shape::Count,
        ),
        parameter(
            "departing",
            "Only those that departed from what is learned of their identity, findings or not: the most \
             unusual first, of those the latest active.",
            Shape::Flag,
        ),
        parameter("offset", "Skip this many.", Shape::Count),
        LIMIT,
    ],
    answer: Answer::Json("SessionList"),
    refusals: &[
        (400, "A parameter is not understood."),
        (404, "No such identity."),
    ],
    ..PLAIN
};

pub(super) const ONE: Document = Document {
    summary: "One session with those joined to it",
    detail: "Joins say by what two sessions belong together and how sure that is, 0 to 100. Sessions \
             that are joined to joined ones are there too; `more` says that some are left out. `reach` \
             is what imports of entitlements let its identity and those it gained do, the most \
             dangerous first, and how many users it affected. \
             `agents` is there where an agent called another: each below its caller, `by` the tool or \
             operation; `complete` is false where a span above is not known.",
    parameters: &[UID],
    answer: Answer::Json("SessionAnswer"),
    refusals: &[(404, "No such session, or it is no longer kept.")],
    ..PLAIN
};

pub(super) const NEXT: Document = Document {
    summary: "What was done next, over the joined sessions",
    detail: "In order of time; `gap_s` marks a pause of more than five minutes before an action. The \
             same action on the same thing again and again is one entry with `times`.",
    parameters: &[UID],
    answer: Answer::Json("NextAnswer"),
    refusals: &[(404, "No such session, or it is no longer kept.")],
    ..PLAIN
};

pub(super) const BLIND: Document = Document {
    summary: "Who signs in where nothing is seen",
    detail: "Sign-ins that succeeded into a system whose log does not reach us, by identity and \
             system, the gravest first. `silent_since` is `null` where no feed ever delivered.",
    parameters: &[LIMIT],
    answer: Answer::Json("BlindSessions"),
    refusals: &[(400, "A parameter is not understood.")],
    ..PLAIN
};

pub(super) const TODAY: Document = Document {
    summary: "Figures of the first page",
    detail: "Open findings, identities, how many events name nobody who acted \
             (`without_identity`), and the share of high and critical findings of the last days that \
             are about non-human identities (`local`) beside the published one (`benchmark`).",
    answer: Answer::Json("Today"),
    ..PLAIN
};
