//! Problem details (RFC 9457): what went wrong and what to do about it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use deedtrail_app::access::{AccessError, Denied};
use deedtrail_app::behaviour::BaselineError;
use deedtrail_app::charter::CharterError;
use deedtrail_app::configuration::ConfigurationError;
use deedtrail_app::entitlement::EntitlementRefusal;
use deedtrail_app::exception::ExceptionError;
use deedtrail_app::intake::IngestError;
use deedtrail_app::quarantine::QuarantineError;
use deedtrail_app::rule_backtest::BacktestError;
use deedtrail_app::rule_set::ReloadError;
use deedtrail_app::timeline::ReadingError;
use deedtrail_app::webhook::WebhookError;
use deedtrail_core::port::archive::ArchiveError;
use deedtrail_core::port::log::{AppendError, ReadError};
use deedtrail_core::port::mapper::FrameError;
use deedtrail_core::port::store::StoreError;
use serde::Serialize;

/// An error answer. `detail` says what to do next.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// Short stable name; `type` is `urn:deedtrail:problem:<kind>`.
    pub(crate) kind: &'static str,
    pub(crate) title: &'static str,
    pub(crate) detail: String,
    pub(crate) retry_after_s: Option<u32>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            kind,
            title,
            detail: detail.into(),
            retry_after_s: None,
        }
    }

    pub(crate) fn retry_after(self, seconds: u32) -> Self {
        Self {
            retry_after_s: Some(seconds),
            ..self
        }
    }

    /// Something of ours failed; the cause is in our log, not in the answer.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The server failed",
            "Look in the server's log for the request id of this answer, then run `deedtrail doctor`.",
        )
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "The request is not understood",
            detail,
        )
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            "A value is not allowed",
            detail,
        )
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    pub(crate) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "Over a size limit",
            detail,
        )
    }

    pub(crate) fn busy(retry_after_s: u32) -> Self {
        let detail = format!(
            "Too many deliveries are being written; send this one again in {retry_after_s} s. \
             Nothing of it was stored."
        );
        Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", "Busy", detail).retry_after(retry_after_s)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            r#type: format!("urn:deedtrail:problem:{}", self.kind),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
        };
        let text = serde_json::to_string(&body).unwrap_or_default();
        let mut response = (self.status, text).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"deedtrail\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let detail = denied.to_string();
        match denied {
            Denied::UnknownToken => {
                let title = "Unknown token";
                Self::new(StatusCode::UNAUTHORIZED, "unknown-token", title, detail)
            }
            Denied::NotSignedIn => {
                let title = "Not signed in";
                Self::new(StatusCode::UNAUTHORIZED, "not-signed-in", title, detail)
            }
            Denied::Scope { .. } => {
                let title = "Not allowed";
                Self::new(StatusCode::FORBIDDEN, "missing-scope", title, detail)
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull { .. } => disk_full(error.to_string()),
            error => failed(&error),
        }
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        let detail = error.to_string();
        match error {
            AccessError::Denied(denied) => denied.into(),
            AccessError::Person(_) => Self::invalid(detail),
            AccessError::Store(error) => error.into(),
            AccessError::Append(error) => append_problem(&error),
        }
    }
}

impl From<QuarantineError> for Problem {
    fn from(error: QuarantineError) -> Self {
        let detail = error.to_string();
        match error {
            QuarantineError::Denied(denied) => denied.into(),
            QuarantineError::Store(error) => error.into(),
            QuarantineError::Read(error) => ReadingError::from(error).into(),
            QuarantineError::Append(error) => append_problem(&error),
            QuarantineError::UnknownSource(_) => Self::not_found(detail),
            QuarantineError::NoReason => Self::invalid(detail),
        }
    }
}

impl From<ConfigurationError> for Problem {
    fn from(error: ConfigurationError) -> Self {
        match error {
            ConfigurationError::Denied(denied) => denied.into(),
            ConfigurationError::Store(error) => error.into(),
            ConfigurationError::Append(error) => append_problem(&error),
        }
    }
}

impl From<EntitlementRefusal> for Problem {
    fn from(refusal: EntitlementRefusal) -> Self {
        match refusal {
            EntitlementRefusal::Denied(denied) => denied.into(),
            EntitlementRefusal::Store(error) => error.into(),
            EntitlementRefusal::Append(error) => error.into(),
            EntitlementRefusal::Mistakes(mistakes) => {
                let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
                Self::invalid(format!("Nothing was imported. {}", lines.join("; ")))
            }
        }
    }
}

impl From<CharterError> for Problem {
    fn from(error: CharterError) -> Self {
        let detail = error.to_string();
        match error {
            CharterError::Denied(denied) => denied.into(),
            CharterError::Store(error) => error.into(),
            CharterError::Archive(error) => archive_problem(&error),
            CharterError::Append(error) => append_problem(&error),
            CharterError::Reading(error) => error.into(),
            CharterError::Text(_) => Self::invalid(detail),
            CharterError::Unknown(_) | CharterError::NoVersion { .. } => Self::not_found(detail),
            CharterError::NoDraft { .. } | CharterError::Over { .. } => {
                Self::new(StatusCode::CONFLICT, "decided", "Decided already", detail)
            }
        }
    }
}

impl From<ExceptionError> for Problem {
    fn from(error: ExceptionError) -> Self {
        let detail = error.to_string();
        match error {
            ExceptionError::Denied(denied) => denied.into(),
            ExceptionError::Store(error) => error.into(),
            ExceptionError::Append(error) => append_problem(&error),
            ExceptionError::UnknownRule(_) | ExceptionError::Unknown(_) => Self::not_found(detail),
            ExceptionError::Reading(error) => error.into(),
            ExceptionError::Double(_) => {
                Self::new(StatusCode::CONFLICT, "in-force", "In force already", detail)
            }
            ExceptionError::Full => Self::new(
                StatusCode::CONFLICT,
                "full",
                "Too many are in force",
                detail,
            ),
            ExceptionError::Over(..) => {
                Self::new(StatusCode::CONFLICT, "decided", "Decided already", detail)
            }
            ExceptionError::Condition(_)
            | ExceptionError::NotByEvent(_)
            | ExceptionError::Owner
            | ExceptionError::Reason
            | ExceptionError::Past { .. }
            | ExceptionError::TooLong { .. } => Self::invalid(detail),
        }
    }
}

impl From<ReloadError> for Problem {
    fn from(error: ReloadError) -> Self {
        let detail = error.to_string();
        match error {
            ReloadError::Denied(denied) => denied.into(),
            ReloadError::Store(error) => error.into(),
            ReloadError::Append(error) => append_problem(&error),
            ReloadError::Folder(_) | ReloadError::Nowhere => Self::new(
                StatusCode::CONFLICT,
                "not-read",
                "The rules cannot be read",
                detail,
            ),
        }
    }
}

impl From<BacktestError> for Problem {
    fn from(error: BacktestError) -> Self {
        let detail = error.to_string();
        match error {
            BacktestError::Denied(denied) => denied.into(),
            BacktestError::Store(error) => error.into(),
            BacktestError::Exception(error) => error.into(),
            BacktestError::Pipeline(error) => failed(&error),
            BacktestError::Unknown(_) => Self::not_found(detail),
            BacktestError::Long => Self::too_large(detail),
            BacktestError::ByOthers(_)
            | BacktestError::Mistakes(_)
            | BacktestError::Empty
            | BacktestError::Range { .. } => Self::invalid(detail),
            BacktestError::Busy => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                Self::new(status, "busy", "Busy", detail).retry_after(10)
            }
            BacktestError::Nowhere => Self::new(
                StatusCode::CONFLICT,
                "no-history",
                "There is no history",
                detail,
            ),
        }
    }
}

impl From<BaselineError> for Problem {
    fn from(error: BaselineError) -> Self {
        let detail = error.to_string();
        match error {
            BaselineError::Denied(denied) => denied.into(),
            BaselineError::Store(error) => error.into(),
            BaselineError::Append(error) => append_problem(&error),
            BaselineError::Reading(error) => error.into(),
            BaselineError::Archive(error) => ReadingError::from(error).into(),
            BaselineError::Nothing { .. } | BaselineError::NoReason => Self::invalid(detail),
            BaselineError::OpenFindings { .. } => Self::new(
                StatusCode::CONFLICT,
                "open-findings",
                "Open findings rest on it",
                detail,
            ),
            BaselineError::Withdrawn { .. } => {
                Self::new(StatusCode::CONFLICT, "decided", "Decided already", detail)
            }
            BaselineError::NoVersion { .. } => Self::not_found(detail),
        }
    }
}

impl From<ReadingError> for Problem {
    fn from(error: ReadingError) -> Self {
        let detail = error.to_string();
        match error {
            ReadingError::Denied(denied) => denied.into(),
            ReadingError::Nobody { .. }
            | ReadingError::NotQuarantined(_)
            | ReadingError::NoEvent(_)
            | ReadingError::NoEvents { .. }
            | ReadingError::NoFinding(_)
            | ReadingError::NoSession { .. }
            | ReadingError::NoIdBegins { .. }
            | ReadingError::NoPerson(_)
            | ReadingError::PartOfName { .. }
            | ReadingError::Log(ReadError::Missing(_)) => Self::not_found(detail),
            ReadingError::Ambiguous { .. } | ReadingError::ManyIdsBegin { .. } => {
                Self::new(StatusCode::CONFLICT, "ambiguous", "Several match", detail)
            }
            ReadingError::Unnamed | ReadingError::NotAnId { .. } => Self::bad_request(detail),
            ReadingError::UnknownDisposition(_)
            | ReadingError::NoDisposition
            | ReadingError::LongNote
            | ReadingError::NoReason => Self::invalid(detail),
            ReadingError::TooMany { .. } => Self::too_large(detail),
            ReadingError::Append(error) => append_problem(&error),
            ReadingError::Log(ReadError::Damaged { .. }) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "damaged",
                "Part of the evidence log is damaged",
                detail,
            ),
            ReadingError::Archive(error) => archive_problem(&error),
            other => failed(&other),
        }
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Denied(denied) => denied.into(),
            IngestError::Frame(error) => frame_problem(&error),
            IngestError::Append(error) => append_problem(&error),
        }
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        let detail = error.to_string();
        match error {
            WebhookError::Refused(_) => {
                let title = "Not signed";
                Self::new(StatusCode::UNAUTHORIZED, "not-signed", title, detail)
            }
            WebhookError::Ingest(error) => error.into(),
        }
    }
}

fn frame_problem(error: &FrameError) -> Problem {
    let detail = error.to_string();
    match error {
        FrameError::TooLarge { .. } | FrameError::RecordTooLarge { .. } => {
            Problem::too_large(format!("{detail}. Nothing of this delivery was stored."))
        }
        FrameError::Compression(_) | FrameError::Table(_) => Problem::bad_request(detail),
        FrameError::UnknownSource(_) => unknown_source(detail),
    }
}

/// No such source; `detail` names the ones that come close.
pub(crate) fn unknown_source(detail: String) -> Problem {
    let title = "No such source";
    Problem::new(StatusCode::NOT_FOUND, "unknown-source", title, detail)
}

fn disk_full(detail: String) -> Problem {
    let status = StatusCode::INSUFFICIENT_STORAGE;
    Problem::new(status, "disk-full", "The disk is full", detail).retry_after(30)
}

fn append_problem(error: &AppendError) -> Problem {
    let detail = error.to_string();
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    match error {
        AppendError::Busy { retry_after_s } => Problem::busy(*retry_after_s),
        AppendError::DiskFull { .. } => disk_full(detail),
        AppendError::ReadOnly { .. } => {
            Problem::new(unavailable, "read-only", "The log is read-only", detail).retry_after(60)
        }
        AppendError::OverLimit { .. } => Problem::too_large(detail),
        AppendError::Failed { .. } => {
            Problem::new(unavailable, "log-failed", "The log failed", detail).retry_after(60)
        }
    }
}

/// Which file it is stands in our log only.
fn archive_problem(error: &ArchiveError) -> Problem {
    let ArchiveError::Damaged { .. } = error else {
        return failed(error);
    };
    tracing::error!(%error, "a request met a damaged file of the archive");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "damaged",
        "Part of the archive is damaged",
        "A file of the archive is not what was written. `deedtrail doctor` and the server's log name it; \
         `deedtrail rebuild` makes the archive anew from the log.",
    )
}

fn failed(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "a request failed");
    Problem::internal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_archive_is_told_without_naming_its_files() {
        let damage = "/data/archive/events-000001/a.parquet is damaged: it has 1 byte".to_owned();
        let error = ReadingError::Archive(ArchiveError::Damaged { damage });
        let problem = Problem::from(error);
        assert_eq!(problem.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(problem.kind, "damaged");
        assert!(problem.detail.contains("archive") && problem.detail.contains("doctor"));
        assert!(!problem.detail.contains("/data"), "{}", problem.detail);
    }
}
