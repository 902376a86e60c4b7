//! The list of identities.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_core::event::ActorKind;
use deedtrail_core::finding::{FindingStatus, Severity};
use deedtrail_core::id::IdentityId;
use deedtrail_core::identity::{Identity, IdentityStatus};
use deedtrail_core::port::store::{FindingFilter, IdentityFilter};
use deedtrail_core::time::Timestamp;
use serde::Deserialize;

use super::{Chrome, Failure, Section, query_string, show};
use crate::api::Asked;
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{Badge, Chip, Moment, Shown, ago, grouped};

/// Identities on one page.
const PAGE_ROWS: usize = 100;
/// Open findings of one identity that are counted; beyond it the count says so.
const FINDINGS_COUNTED_MAX: usize = 50;

/// An identity in the list.
#[derive(Debug)]
struct IdentityRow {
    who: Chip,
    href: String,
    owner: Option<Shown>,
    department: Option<Shown>,
    state: &'static str,
    findings: String,
    worst: Option<Badge>,
    last: Option<(Moment, String)>,
}

#[derive(Debug)]
struct KindChoice {
    value: &'static str,
    chosen: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filters {
    kind: String,
    text: String,
    unowned: String,
    offset: Option<usize>,
}

#[derive(Debug, Template)]
#[template(path = "identities.html")]
struct IdentitiesPage {
    chrome: Chrome,
    rows: Vec<IdentityRow>,
    kinds: Vec<KindChoice>,
    text: String,
    unowned: bool,
    filtered: bool,
    range: String,
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

fn load(app: &App, principal: &Principal, filters: Filters) -> Result<IdentitiesPage, Problem> {
    let filter = filters.filter();
    let page = app.identities(principal, &filter)?;
    let now = app.ports.clock.now();
    let mut rows = Vec::with_capacity(page.identities.len());
    for identity in &page.identities {
        rows.push(row(identity, open(app, principal, identity.id)?, now));
    }
    let everyone = IdentityFilter {
        limit: Some(0),
        ..IdentityFilter::default()
    };
    let none_at_all = rows.is_empty() && app.identities(principal, &everyone)?.total == 0;
    let past = filter.offset + rows.len();
    Ok(IdentitiesPage {
        chrome: Chrome::load(app, principal, Section::Identities)?,
        kinds: filters.kinds(),
        unowned: filter.unowned,
        filtered: filters.any(),
        range: range(filter.offset, rows.len(), page.total),
        none_at_all,
        earlier: (filter.offset > 0)
            .then(|| filters.address(filter.offset.saturating_sub(PAGE_ROWS))),
        further: ((past as u64) < page.total && !rows.is_empty()).then(|| filters.address(past)),
        text: filters.text,
        rows,
    })
}

/// Open findings of an identity: how many, and how severe the worst is.
fn open(
    app: &App,
    principal: &Principal,
    identity: IdentityId,
) -> Result<(usize, Option<Severity>), Problem> {
    let filter = FindingFilter {
        identity: Some(identity),
        status: Some(FindingStatus::Open),
        ..FindingFilter::default()
    };
    let findings = app.findings(principal, &filter, FINDINGS_COUNTED_MAX)?;
    Ok((
        findings.len(),
        findings.iter().map(|finding| finding.draft.severity).max(),
    ))
}

fn range(offset: usize, rows: usize, total: u64) -> String {
    match rows {
        0 => String::new(),
        _ => format!("{}–{} of {}", offset + 1, offset + rows, grouped(total)),
    }
}

fn row(
    identity: &Identity,
    (open, worst): (usize, Option<Severity>),
    now: Timestamp,
) -> IdentityRow {
    let who = Chip::of(identity);
    let declared = &identity.declared;
    IdentityRow {
        href: who.href.clone().unwrap_or_default(),
        who,
        owner: declared.owner.as_deref().map(Shown::brief),
        department: declared.department.as_deref().map(Shown::brief),
        state: state(identity),
        findings: match open {
            FINDINGS_COUNTED_MAX.. => format!("{FINDINGS_COUNTED_MAX}+"),
            few => few.to_string(),
        },
        worst: worst.map(Badge::new),
        last: identity
            .last_seen
            .map(|at| (Moment::new(at), ago(now.micros_since(at)))),
    }
}

/// State of an identity in a word or two.
pub(super) fn state(identity: &Identity) -> &'static str {
    match identity.status {
        IdentityStatus::Disabled => "disabled",
        IdentityStatus::Deleted => "deleted",
        IdentityStatus::Active if identity.declared.orphaned_since.is_some() => "orphaned",
        IdentityStatus::Active if identity.discovered => "discovered",
        IdentityStatus::Active => "active",
    }
}

impl Filters {
    fn filter(&self) -> IdentityFilter {
        IdentityFilter {
            kind: ActorKind::from_name(&self.kind).map(|kind| kind.name().to_owned()),
            text: (!self.text.is_empty()).then(|| self.text.clone()),
            unowned: !self.unowned.is_empty(),
            offset: self.offset.unwrap_or(0),
            limit: Some(PAGE_ROWS),
            ..IdentityFilter::default()
        }
    }

    fn any(&self) -> bool {
        [&self.kind, &self.text, &self.unowned]
            .iter()
            .any(|text| !text.is_empty())
    }

    fn kinds(&self) -> Vec<KindChoice> {
        let choice = |kind: &ActorKind| KindChoice {
            value: kind.name(),
            chosen: kind.name() == self.kind,
        };
        ActorKind::ALL.iter().map(choice).collect()
    }

    fn address(&self, offset: usize) -> String {
        let offset = offset.to_string();
        let pairs = [
            ("kind", self.kind.as_str()),
            ("text", &self.text),
            ("unowned", &self.unowned),
            ("offset", &offset),
        ];
        format!("/identities{}", query_string(&pairs))
    }
}
