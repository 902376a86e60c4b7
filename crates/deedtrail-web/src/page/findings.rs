//! The list of findings.

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_core::finding::{Finding, FindingStatus, Severity, registry};
use deedtrail_core::id::IdentityId;
use deedtrail_core::identity::Identity;
use deedtrail_core::port::store::FindingFilter;
use deedtrail_core::time::Timestamp;
use serde::Deserialize;

use super::{Chrome, Failure, Section, filters, query_string, show};
use crate::api::Asked;
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{Badge, Chip, Moment, Shown, ago};

/// Findings shown at first, and how many more each time.
const STEP: usize = 100;
/// Most findings shown on one page.
const SHOWN_MAX: usize = 1_000;

/// A finding in a list.
#[derive(Debug)]
pub(crate) struct FindingRow {
    pub(crate) href: String,
    pub(crate) badge: Badge,
    pub(crate) title: Shown,
    pub(crate) kind: Shown,
    pub(crate) kind_title: Shown,
    pub(crate) who: Option<Chip>,
    pub(crate) last: Moment,
    pub(crate) ago: String,
    pub(crate) repeats: u32,
    pub(crate) status: &'static str,
    pub(crate) disposition: Option<Shown>,
}

/// An option of a filter.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) value: &'static str,
    pub(crate) word: &'static str,
    pub(crate) chosen: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filters {
    severity: String,
    status: String,
    kind: String,
    text: String,
    show: Option<usize>,
}

#[derive(Debug, Template)]
#[template(path = "findings.html")]
struct FindingsPage {
    chrome: Chrome,
    rows: Vec<FindingRow>,
    severities: Vec<Choice>,
    states: Vec<Choice>,
    kinds: Vec<Choice>,
    text: String,
    filtered: bool,
    /// Nothing was ever found.
    none_at_all: bool,
    more: Option<String>,
}

impl FindingRow {
    pub(crate) fn new(
        finding: &Finding,
        names: &BTreeMap<IdentityId, Identity>,
        now: Timestamp,
    ) -> Self {
        let kind = registry::find(&finding.draft.kind);
        Self {
            href: format!("/findings/{}", finding.id),
            badge: Badge::new(finding.draft.severity),
            title: Shown::new(&finding.draft.title),
            kind: Shown::new(&finding.draft.kind),
            kind_title: Shown::new(kind.map_or(&finding.draft.kind, |kind| kind.title)),
            who: names.get(&finding.draft.identity).map(Chip::of),
            last: Moment::new(finding.last_time),
            ago: ago(now.micros_since(finding.last_time)),
            repeats: finding.repeats,
            status: finding.status.name(),
            disposition: finding.disposition.as_deref().map(Shown::new),
        }
    }
}

impl Filters {
    fn filter(&self) -> FindingFilter {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        FindingFilter {
            severity_min: Severity::from_name(&self.severity),
            status: FindingStatus::from_name(&self.status),
            kind: given(&self.kind),
            text: given(&self.text),
            ..FindingFilter::default()
        }
    }

    fn any(&self) -> bool {
        [&self.severity, &self.status, &self.kind, &self.text]
            .iter()
            .any(|text| !text.is_empty())
    }

    fn more(&self, shown: usize, limit: usize) -> Option<String> {
        let wanted = limit + STEP;
        (shown >= limit && wanted <= SHOWN_MAX).then(|| {
            let wanted = wanted.to_string();
            let pairs = [
                ("severity", self.severity.as_str()),
                ("status", &self.status),
                ("kind", &self.kind),
                ("text", &self.text),
                ("show", &wanted),
            ];
            format!("/findings{}", query_string(&pairs))
        })
    }
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

fn load(app: &App, principal: &Principal, filters: Filters) -> Result<FindingsPage, Problem> {
    let limit = filters.show.unwrap_or(STEP).clamp(1, SHOWN_MAX);
    let findings = app.findings(principal, &filters.filter(), limit)?;
    let names = app.identity_names(principal, findings.iter().map(|f| f.draft.identity))?;
    let now = app.ports.clock.now();
    let none_at_all = findings.is_empty()
        && app
            .findings(principal, &FindingFilter::default(), 1)?
            .is_empty();
    Ok(FindingsPage {
        chrome: Chrome::load(app, principal, Section::Findings)?,
        rows: findings
            .iter()
            .map(|f| FindingRow::new(f, &names, now))
            .collect(),
        severities: severities(&filters.severity),
        states: states(&filters.status),
        kinds: kinds(&filters.kind),
        filtered: filters.any(),
        none_at_all,
        more: filters.more(findings.len(), limit),
        text: filters.text,
    })
}

fn severities(chosen: &str) -> Vec<Choice> {
    let choice = |severity: Severity| {
        let badge = Badge::new(severity);
        Choice {
            value: badge.name,
            word: badge.word,
            chosen: badge.name == chosen,
        }
    };
    Severity::ALL.into_iter().rev().map(choice).collect()
}

fn states(chosen: &str) -> Vec<Choice> {
    let choice = |status: FindingStatus| Choice {
        value: status.name(),
        word: status.name(),
        chosen: status.name() == chosen,
    };
    FindingStatus::ALL.map(choice).into()
}

fn kinds(chosen: &str) -> Vec<Choice> {
    let mut kinds: Vec<Choice> = registry::all()
        .map(|kind| Choice {
            value: kind.id,
            word: kind.title,
            chosen: kind.id == chosen,
        })
        .collect();
    kinds.sort_by_key(|choice| choice.word);
    kinds
}
