//! One charter: its text, its versions and what they differ in; approving and retiring it.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::charter::{Direction, diff, parse};
use deedtrail_core::charter::{CharterRecord, CharterStatus};
use deedtrail_core::port::store::Scope;
use serde::Deserialize;

use super::charters::{SignedView, Status};
use super::{Chrome, Failure, Section, show};
use crate::api::Asked;
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::Shown;

#[derive(Debug)]
struct VersionRow {
    version: u32,
    status: Status,
    proposed: SignedView,
    approved: Option<SignedView>,
    /// The owner, when somebody else approved it.
    for_owner: Option<Shown>,
    retired: Option<SignedView>,
    may_approve: bool,
    may_retire: bool,
}

#[derive(Debug)]
struct DifferenceRow {
    words: &'static str,
    class: &'static str,
    sentence: Shown,
}

#[derive(Debug, Template)]
#[template(path = "charter.html")]
struct CharterPage {
    chrome: Chrome,
    name: String,
    purpose: Shown,
    owner: Shown,
    version: u32,
    status: Status,
    /// What the shown version differs in from the one it would replace or replaced.
    differences: Vec<DifferenceRow>,
    compared: Option<u32>,
    versions: Vec<VersionRow>,
    text: String,
    may_decide: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct VersionAsked {
    version: Option<u32>,
}

/// What the buttons send.
#[derive(Debug, Deserialize)]
pub(super) struct VersionForm {
    version: u32,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    Asked(asked): Asked<VersionAsked>,
) -> Result<Response, Failure> {
    let load = move |app: &App| load(app, &principal, &name, asked.version);
    let page = shared.attempt(load).await?;
    Ok(show(&page))
}

fn load(
    app: &App,
    principal: &Principal,
    name: &str,
    version: Option<u32>,
) -> Result<CharterPage, Problem> {
    let shown = app.charter_version(principal, name, version)?;
    let versions = app.charter(principal, name)?;
    let may_decide = principal.require(Scope::Write).is_ok();
    let before = before(&versions, &shown);
    Ok(CharterPage {
        chrome: Chrome::load(app, principal, Section::Charters)?,
        name: name.to_owned(),
        purpose: Shown::new(&shown.purpose),
        owner: Shown::new(&shown.owner),
        version: shown.version,
        status: Status::of(shown.status),
        differences: before.map_or_else(Vec::new, |before| differences(before, &shown)),
        compared: before.map(|before| before.version),
        versions: versions
            .iter()
            .map(|record| row(record, may_decide))
            .collect(),
        text: shown.text,
        may_decide,
    })
}

/// The version in force for a draft, else the one before.
fn before<'r>(versions: &'r [CharterRecord], shown: &CharterRecord) -> Option<&'r CharterRecord> {
    let earlier = versions
        .iter()
        .filter(|record| record.version < shown.version);
    let in_force = earlier
        .clone()
        .find(|record| record.status == CharterStatus::InForce);
    in_force.or(earlier.max_by_key(|record| record.version))
}

fn differences(old: &CharterRecord, new: &CharterRecord) -> Vec<DifferenceRow> {
    let read = |record: &CharterRecord| parse(&record.name, &record.text).ok();
    let (Some(old), Some(new)) = (read(old), read(new)) else {
        return Vec::new();
    };
    let rows = diff(&old.charter, &new.charter)
        .into_iter()
        .map(|difference| {
            let (words, class) = match difference.direction {
                Direction::Loosened => ("Loosened", "med"),
                Direction::Tightened => ("Tightened", "low"),
                Direction::Other => ("Changed", "info"),
            };
            DifferenceRow {
                words,
                class,
                sentence: Shown::new(&difference.sentence),
            }
        });
    rows.collect()
}

fn row(record: &CharterRecord, may_decide: bool) -> VersionRow {
    let draft = record.status == CharterStatus::Draft;
    let in_force = record.status == CharterStatus::InForce;
    VersionRow {
        version: record.version,
        status: Status::of(record.status),
        proposed: SignedView::new(&record.proposed),
        approved: record.approved.as_ref().map(SignedView::new),
        for_owner: record
            .approved_for_owner()
            .then(|| Shown::new(&record.owner)),
        retired: record.retired.as_ref().map(SignedView::new),
        may_approve: may_decide && draft,
        may_retire: may_decide && (draft || in_force),
    }
}

pub(super) async fn approve(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    Form(form): Form<VersionForm>,
) -> Result<Response, Failure> {
    let address = address(&name, form.version);
    let approve = move |app: &App| app.approve_charter(&principal, &name, Some(form.version));
    shared.attempt(approve).await?;
    Ok(Redirect::to(&address).into_response())
}

pub(super) async fn retire(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    Form(form): Form<VersionForm>,
) -> Result<Response, Failure> {
    let address = address(&name, form.version);
    let retire = move |app: &App| app.retire_charter(&principal, &name, Some(form.version));
    shared.attempt(retire).await?;
    Ok(Redirect::to(&address).into_response())
}

fn address(name: &str, version: u32) -> String {
    format!("/charters/{name}?version={version}")
}
