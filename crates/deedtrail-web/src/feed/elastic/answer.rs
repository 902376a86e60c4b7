//! What Elasticsearch would answer.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use deedtrail_app::intake::{Fate, IngestAnswer, Taken};
use serde::Serialize;
use serde_json::json;

use super::decode::{Action, Operation};
use crate::feed::Took;
use crate::problem::Problem;

/// Clients refuse to talk to a server that does not send it.
const PRODUCT: HeaderName = HeaderName::from_static("x-elastic-product");

/// An answer with the header that clients want to see.
pub(super) fn answer(body: impl Serialize) -> Response {
    product(Json(body).into_response())
}

fn product(mut response: Response) -> Response {
    let value = HeaderValue::from_static("Elasticsearch");
    response.headers_mut().insert(PRODUCT, value);
    response
}

/// What is left of an operation once its record is taken.
#[derive(Debug)]
pub(super) struct Asked {
    action: Action,
    index: String,
    id: Option<String>,
    has_record: bool,
}

impl From<&Operation<'_>> for Asked {
    fn from(operation: &Operation<'_>) -> Self {
        Self {
            action: operation.action,
            index: operation.index.clone(),
            id: operation.id.clone(),
            has_record: operation.record.is_some(),
        }
    }
}

/// Answer to a bulk request.
#[derive(Debug, Serialize)]
pub(super) struct Bulk {
    took: u128,
    errors: bool,
    /// One for each operation, in order.
    items: Vec<Item>,
    deedtrail: IngestAnswer,
}

/// The item of one operation, under the operation's name.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Item {
    Create(Outcome),
    Index(Outcome),
    Update(Outcome),
    Delete(Outcome),
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    Stored {
        #[serde(rename = "_index")]
        index: String,
        #[serde(rename = "_id")]
        id: String,
        #[serde(rename = "_version")]
        version: u8,
        result: &'static str,
        #[serde(rename = "_shards")]
        shards: Shards,
        #[serde(rename = "_seq_no")]
        seq_no: u64,
        #[serde(rename = "_primary_term")]
        primary_term: u8,
        status: u16,
    },
    Failed {
        #[serde(rename = "_index")]
        index: String,
        #[serde(rename = "_id")]
        id: Option<String>,
        status: u16,
        error: Failure,
    },
}

#[derive(Debug, Serialize)]
struct Shards {
    total: u8,
    successful: u8,
    failed: u8,
}

#[derive(Debug, Serialize)]
struct Failure {
    r#type: &'static str,
    reason: &'static str,
}

/// Answer to a bulk request.
pub(super) fn bulk(took_ms: u128, took: Took<Vec<Asked>>) -> Bulk {
    let mut taken = took.taken.into_iter();
    let mut errors = false;
    let items = took.memory.into_iter().map(|asked| {
        let taken = if asked.has_record { taken.next() } else { None };
        let action = asked.action;
        let outcome = outcome(asked, taken.as_ref());
        errors |= matches!(outcome, Outcome::Failed { .. });
        match action {
            Action::Create => Item::Create(outcome),
            Action::Index => Item::Index(outcome),
            Action::Update => Item::Update(outcome),
            Action::Delete => Item::Delete(outcome),
        }
    });
    let items = items.collect();
    Bulk {
        took: took_ms,
        errors,
        items,
        deedtrail: took.answer,
    }
}

fn outcome(asked: Asked, taken: Option<&Taken>) -> Outcome {
    let Some(taken) = taken else {
        let reason = "evidence is never changed or removed: use `create` or `index`";
        let kind = "illegal_argument_exception";
        return failed(asked, StatusCode::BAD_REQUEST, kind, reason);
    };
    let is_created = asked.action == Action::Create;
    let (status, result) = match taken.fate {
        Fate::Accepted | Fate::Quarantined => (StatusCode::CREATED, "created"),
        Fate::Duplicate => (StatusCode::OK, "noop"),
        Fate::Conflict if is_created && asked.id.is_some() => {
            let reason =
                "a document of this id has other content; both are kept, this one as a conflict";
            let kind = "version_conflict_engine_exception";
            return failed(asked, StatusCode::CONFLICT, kind, reason);
        }
        Fate::Conflict if is_created => (StatusCode::CREATED, "created"),
        Fate::Conflict => (StatusCode::OK, "updated"),
    };
    Outcome::Stored {
        index: asked.index,
        id: asked.id.unwrap_or_else(|| taken.sequence.to_string()),
        version: 1,
        result,
        shards: Shards {
            total: 1,
            successful: 1,
            failed: 0,
        },
        seq_no: taken.sequence,
        primary_term: 1,
        status: status.as_u16(),
    }
}

fn failed(asked: Asked, status: StatusCode, kind: &'static str, reason: &'static str) -> Outcome {
    Outcome::Failed {
        index: asked.index,
        id: asked.id,
        status: status.as_u16(),
        error: Failure {
            r#type: kind,
            reason,
        },
    }
}

/// A refusal of a whole request.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    kind: &'static str,
    reason: String,
    retry_after_s: Option<u32>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let (status, kind) = match problem.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                (problem.status, "security_exception")
            }
            StatusCode::TOO_MANY_REQUESTS => (problem.status, "es_rejected_execution_exception"),
            StatusCode::PAYLOAD_TOO_LARGE => (problem.status, "content_too_long_exception"),
            // Clients send again after 503, and not all of them after 408 or 507.
            StatusCode::REQUEST_TIMEOUT | StatusCode::INSUFFICIENT_STORAGE => {
                (StatusCode::SERVICE_UNAVAILABLE, "timeout_exception")
            }
            status if status.is_server_error() => (status, "unavailable_shards_exception"),
            status => (status, "illegal_argument_exception"),
        };
        Self {
            status,
            kind,
            reason: problem.detail,
            retry_after_s: problem.retry_after_s,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let cause = json!({ "type": self.kind, "reason": self.reason });
        let body = json!({
            "error": { "root_cause": [cause], "type": self.kind, "reason": self.reason },
            "status": self.status.as_u16(),
        });
        let mut response = product((self.status, Json(body)).into_response());
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("ApiKey");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
