//! The list of sessions.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_core::port::store::SessionFilter;
use deedtrail_core::session::SessionVerdict;
use serde::Deserialize;

use super::findings::Choice;
use super::session_view::{SessionRow, Tab, verdict_badge};
use super::{Chrome, Failure, Section, query_string, show};
use crate::api::Asked;
use crate::problem::Problem;
use crate::state::Shared;

/// Sessions on one page.
const PAGE_ROWS: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filters {
    identity: String,
    verdict: String,
    trust_below: String,
    departing: String,
    offset: Option<usize>,
}

#[derive(Debug, Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    chrome: Chrome,
    tab: Tab,
    rows: Vec<SessionRow>,
    verdicts: Vec<Choice>,
    identity: String,
    trust_below: String,
    departing: bool,
    filtered: bool,
    none_at_all: bool,
    earlier: Option<String>,
    further: Option<String>,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Asked(filters): Asked<Filters>,
) -> Result<Response, Failure> {
    let page = shared
        .attempt(move |app| load(app, &principal, filters))
        .await?;
    Ok(show(&page))
}

fn load(app: &App, principal: &Principal, filters: Filters) -> Result<SessionsPage, Problem> {
    let offset = filters.offset.unwrap_or(0);
    let who = filters.identity.trim();
    let identity = match who {
        "" => None,
        who => Some(app.find_identity(principal, who)?.identity.id),
    };
    let filter = SessionFilter {
        identity,
        verdict: SessionVerdict::from_name(&filters.verdict),
        trust_below: filters.trust_below.trim().parse().ok(),
        departing: !filters.departing.is_empty(),
        offset,
        ..SessionFilter::default()
    };
    // One more than is shown tells whether there is a next page.
    let mut sessions = app.sessions(principal, &filter, PAGE_ROWS + 1)?;
    let further = sessions.len() > PAGE_ROWS;
    sessions.truncate(PAGE_ROWS);
    let now = app.ports.clock.now();
    let none_at_all = sessions.is_empty()
        && app
            .sessions(principal, &SessionFilter::default(), 1)?
            .is_empty();
    Ok(SessionsPage {
        chrome: Chrome::load(app, principal, Section::Sessions)?,
        tab: Tab::All,
        rows: sessions
            .iter()
            .map(|session| SessionRow::new(session, now))
            .collect(),
        verdicts: verdicts(&filters.verdict),
        filtered: filters.any(),
        none_at_all,
        earlier: (offset > 0).then(|| filters.address(offset.saturating_sub(PAGE_ROWS))),
        further: further.then(|| filters.address(offset.saturating_add(PAGE_ROWS))),
        identity: filters.identity,
        trust_below: filters.trust_below,
        departing: !filters.departing.is_empty(),
    })
}

fn verdicts(chosen: &str) -> Vec<Choice> {
    let choice = |verdict: &SessionVerdict| Choice {
        value: verdict.name(),
        word: verdict_badge(*verdict).word,
        chosen: verdict.name() == chosen,
    };
    SessionVerdict::ALL.iter().map(choice).collect()
}

impl Filters {
    fn any(&self) -> bool {
        let all = [
            &self.identity,
            &self.verdict,
            &self.trust_below,
            &self.departing,
        ];
        all.iter().any(|text| !text.is_empty())
    }

    fn address(&self, offset: usize) -> String {
        let offset = offset.to_string();
        let pairs = [
            ("identity", self.identity.as_str()),
            ("verdict", &self.verdict),
            ("trust_below", &self.trust_below),
            ("departing", &self.departing),
            ("offset", &offset),
        ];
        format!("/sessions{}", query_string(&pairs))
    }
}
