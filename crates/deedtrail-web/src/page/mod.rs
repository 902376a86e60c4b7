//! Pages: every one is a view model made from a use case, and a template.

mod backtest_view;
mod baseline;
mod behaviour;
mod blind;
mod charter;
mod charters;
mod coverage;
mod entitlement;
mod exceptions;
pub(crate) mod failure;
mod filters;
mod finding;
mod findings;
mod grades;
mod here;
mod identities;
mod identity;
mod insider_risk;
mod quarantine;
mod quarantine_list;
mod rules;
mod session;
mod session_join;
mod session_view;
mod sessions;
pub(crate) mod sign_in;
mod source;
mod source_view;
mod sources;
mod standing_view;
mod table;
mod today;
mod unsettled_view;
mod way_in;

pub(crate) use table::ENDPOINTS;

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::timeline::ReadingError;

use crate::problem::Problem;
use crate::view::{Shown, grouped};

/// Largest number of open findings the navigation shows as it is.
const OPEN_SHOWN_MAX: u64 = 99;

/// What surrounds every page.
#[derive(Clone, Debug)]
pub(crate) struct Chrome {
    pub(crate) section: Section,
    /// Open findings, `99+` beyond that; empty for none.
    pub(crate) open: String,
    pub(crate) principal: Shown,
    /// Entries that were damaged when they were derived, if any.
    pub(crate) missing: Option<String>,
}

/// Entry of the navigation that is marked as current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Today,
    Findings,
    Identities,
    Sessions,
    Behaviour,
    InsiderRisk,
    Charters,
    Sources,
}

impl Section {
    pub(crate) const ALL: [Self; 8] = [
        Self::Today,
        Self::Findings,
        Self::Identities,
        Self::Sessions,
        Self::Behaviour,
        Self::InsiderRisk,
        Self::Charters,
        Self::Sources,
    ];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Today => "Today",
            Self::Findings => "Findings",
            Self::Identities => "Identities",
            Self::Sessions => "Sessions",
            Self::Behaviour => "Behaviour",
            Self::InsiderRisk => "Insider risk",
            Self::Charters => "Charters",
            Self::Sources => "Sources",
        }
    }

    pub(crate) const fn address(self) -> &'static str {
        match self {
            Self::Today => "/",
            Self::Findings => "/findings",
            Self::Identities => "/identities",
            Self::Sessions => "/sessions",
            Self::Behaviour => "/behaviour",
            Self::InsiderRisk => "/insider-risk",
            Self::Charters => "/charters",
            Self::Sources => "/sources",
        }
    }
}

impl Chrome {
    fn load(app: &App, principal: &Principal, section: Section) -> Result<Self, ReadingError> {
        let open = match app.open_by_severity(principal)?.iter().sum() {
            0 => String::new(),
            few @ ..=OPEN_SHOWN_MAX => few.to_string(),
            _ => format!("{OPEN_SHOWN_MAX}+"),
        };
        let missing = app.passed_over_entries()?;
        Ok(Self {
            section,
            open,
            principal: Shown::new(&principal.name),
            missing: (missing > 0).then(|| grouped(missing)),
        })
    }
}

/// A problem, shown as a page.
#[derive(Debug)]
pub(crate) struct Failure(Problem);

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        failure::page(&self.0)
    }
}

/// Renders a page.
pub(crate) fn show(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            Problem::internal().into_response()
        }
    }
}

/// A query string of the pairs that have a value: `?a=1&b=2`, or nothing.
fn query_string(pairs: &[(&str, &str)]) -> String {
    let given = pairs.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = given
        .map(|(name, value)| {
            let value = askama::filters::urlencode_strict(value);
            let value = value.map(|value| value.to_string()).unwrap_or_default();
            format!("{name}={value}")
        })
        .collect();
    if pairs.is_empty() {
        return String::new();
    }
    format!("?{}", pairs.join("&"))
}
