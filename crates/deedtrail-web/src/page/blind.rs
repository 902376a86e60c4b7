//! The map of blind sessions: who signs in where nothing is seen.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::timeline::ReadingError;
use deedtrail_core::session::BlindSession;
use deedtrail_core::time::Timestamp;

use super::session_view::Tab;
use super::{Chrome, Failure, Section, show};
use crate::state::Shared;
use crate::view::{Badge, Moment, Shown, ago, grouped};

/// Rows of the map on the page; the API answers with more.
const ROWS_MAX: usize = 200;

#[derive(Debug)]
struct BlindRow {
    badge: Badge,
    who: Shown,
    href: String,
    system: Shown,
    why: String,
    privilege: Shown,
    sign_ins: String,
    last: Moment,
    ago: String,
}

#[derive(Debug, Template)]
#[template(path = "blind.html")]
struct BlindPage {
    chrome: Chrome,
    tab: Tab,
    systems: Vec<(Shown, usize)>,
    rows: Vec<BlindRow>,
    full: bool,
    /// Why there is no row; empty when there are some.
    nothing: &'static str,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Result<Response, Failure> {
    let page = shared.attempt(move |app| load(app, &principal)).await?;
    Ok(show(&page))
}

fn load(app: &App, principal: &Principal) -> Result<BlindPage, ReadingError> {
    let map = app.blind_map(principal, ROWS_MAX)?;
    let now = app.ports.clock.now();
    let nothing = if map.rows.is_empty() {
        app.nothing_blind(principal)?.words()
    } else {
        ""
    };
    let systems = map.systems.iter();
    Ok(BlindPage {
        chrome: Chrome::load(app, principal, Section::Sessions)?,
        tab: Tab::Blind,
        systems: systems
            .map(|(system, count)| (Shown::cut(system, 60), *count))
            .collect(),
        full: map.rows.len() >= ROWS_MAX,
        nothing,
        rows: map.rows.iter().map(|blind| row(blind, now)).collect(),
    })
}

fn row(blind: &BlindSession, now: Timestamp) -> BlindRow {
    BlindRow {
        badge: Badge::new(blind.severity),
        who: Shown::cut(&blind.actor, 48),
        href: format!("/identities/{}", blind.identity),
        system: Shown::cut(&blind.system, 60),
        why: match blind.silent_since {
            None => "never delivered".to_owned(),
            Some(since) => format!("silent since {}", Moment::new(since).full),
        },
        privilege: Shown::new(&blind.privilege),
        sign_ins: grouped(blind.sign_ins),
        last: Moment::new(blind.last),
        ago: ago(now.micros_since(blind.last)),
    }
}
