//! What is said about rules: which are in force, reading them again, and trying them over history.

use axum::routing::{get, post};

use deedtrail_core::port::store::Scope;

use super::{PLAIN, READ, WRITE};
use crate::api::rules;
use crate::endpoint::{Answer, Body, Document, Endpoint, Needs};

const LIST: Document = Document {
    summary: "Rules in force, and since when",
    detail: "`digest` is a hash of every rule and unsafe sequence, `since` the entry of the evidence \
             log from which on they judge. `left_out` says of each file with a mistake what is wrong.",
    answer: Answer::Json("RuleSet"),
    ..PLAIN
};

const RELOAD: Document = Document {
    summary: "Read the folders of rules and unsafe sequences again",
    detail: "What they hold is in force from an entry of the evidence log on; `changed` is false when \
             it was already. What has a mistake is left out and told. A correlation that says what it \
             said goes on counting, one that changed begins anew.",
    answer: Answer::Json("RulesReloaded"),
    refusals: &[(
        409,
        "A folder cannot be read; the rules of before stay in force.",
    )],
    ..PLAIN
};

const BACKTEST: Document = Document {
    summary: "What a rule would have found in the history",
    detail: "The log is read once more, for at most 45 s: `complete` is false when it was not read to \
             its end. One backtest at a time; it ends when the caller goes. `exceptions` says of those in \
             force to the rule what they held back and would hold back.",
    body: Some(Body {
        media_types: &["application/json"],
        schema: Some("BacktestAsked"),
    }),
    answer: Answer::Json("Backtest"),
    refusals: &[
        (404, "No rule is called so."),
        (409, "There is no history to read."),
        (413, "The text is over its limit."),
        (
            422,
            "The text has mistakes, or the range is none; the detail says which.",
        ),
        (
            429,
            "Another one is under way; ask again after `Retry-After`.",
        ),
    ],
    ..PLAIN
};

/// Endpoints about rules.
pub(in crate::api) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        path: "/v1/rules",
        route: || get(rules::list),
        document: Some(LIST),
        ..READ
    },
    Endpoint {
        path: "/v1/rules/reload",
        route: || post(rules::reload),
        needs: Needs::Scope(Scope::Admin),
        document: Some(RELOAD),
        ..WRITE
    },
    Endpoint {
        method: "POST",
        path: "/v1/rules/backtest",
        route: || post(rules::backtest),
        document: Some(BACKTEST),
        ..READ
    },
];
