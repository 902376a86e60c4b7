//! `/v1/events`: canonical events, and one with its raw record, proof and provenance.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deedtrail_app::access::Principal;
use deedtrail_app::provenance::Provenance;
use deedtrail_app::timeline::{ReadingError, alias_uids};
use deedtrail_core::event::Event;
use deedtrail_core::port::archive::{Cursor, EventFilter};
use deedtrail_core::port::log::EntryProof;
use deedtrail_core::port::store::Scope;
use serde::{Deserialize, Serialize};

use super::Answer;
use super::ask::{self, Asked, next_cursor};
use crate::problem::Problem;
use crate::state::Shared;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EventsAsked {
    pub(super) identity: Option<String>,
    source: Option<String>,
    action: Option<String>,
    from: Option<String>,
    to: Option<String>,
    text: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct EventList {
    events: Vec<Event>,
    next_cursor: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EventAsked {
    raw: Option<String>,
    /// `reveal` shows the secrets of the raw record.
    secrets: Option<String>,
    provenance: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct EventAnswer {
    event: Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<Provenance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<RawRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<EntryProof>,
}

/// The record's bytes: as text when they are UTF-8, else as base64.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum RawRecord {
    Text(String),
    Base64(String),
}

/// A page of a list, as asked for.
struct Page {
    filter: EventFilter,
    cursor: Option<Cursor>,
    limit: usize,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Asked(asked): Asked<EventsAsked>,
) -> Answer<EventList> {
    let page = page(&asked)?;
    let identity = asked.identity.filter(|who| !who.is_empty());
    let read = move |app: &deedtrail_app::App| -> Result<EventList, ReadingError> {
        let mut filter = page.filter;
        if let Some(who) = identity {
            filter.aliases = alias_uids(&app.open_identity(&principal, &who)?);
        }
        let events = app.events(&principal, &filter, page.cursor, page.limit)?;
        Ok(EventList {
            next_cursor: next_cursor(&events, page.limit),
            events,
        })
    };
    shared.attempt(read).await.map(Json)
}

fn page(asked: &EventsAsked) -> Result<Page, Problem> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (from, to) = ask::window(asked.from.as_deref(), asked.to.as_deref())?;
    Ok(Page {
        filter: EventFilter {
            source: given(&asked.source),
            action: given(&asked.action),
            from,
            to,
            text: given(&asked.text),
            ..EventFilter::default()
        },
        cursor: ask::cursor(asked.cursor.as_deref())?,
        limit: ask::limit(asked.limit),
    })
}

pub(super) async fn one(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(uid): Path<String>,
    Asked(asked): Asked<EventAsked>,
) -> Answer<EventAnswer> {
    let uid = ask::id(&uid)?;
    let reveal = match asked.secrets.as_deref() {
        None | Some("") => false,
        Some("reveal") => true,
        Some(_) => {
            return Err(Problem::bad_request(
                "`secrets` can only be `reveal`".to_owned(),
            ));
        }
    };
    let read = move |app: &deedtrail_app::App| -> Result<EventAnswer, ReadingError> {
        if reveal {
            // Who is refused has seen nothing.
            principal.require(Scope::Admin)?;
        }
        let file = app.event_file(&principal, uid)?;
        let provenance = match asked.provenance {
            Some(_) => Some(app.provenance(&principal, &file)?),
            None => None,
        };
        let raw = match asked.raw {
            Some(_) if reveal => Some(app.reveal(&principal, &file)?.to_vec()),
            Some(_) => Some(app.masked(&file.record)),
            None => None,
        };
        Ok(EventAnswer {
            proof: file.proof.filter(|_| raw.is_some()),
            raw: raw.map(raw_record),
            event: file.event,
            provenance,
        })
    };
    shared.attempt(read).await.map(Json)
}

fn raw_record(bytes: Vec<u8>) -> RawRecord {
    match String::from_utf8(bytes) {
        Ok(text) => RawRecord::Text(text),
        Err(error) => RawRecord::Base64(STANDARD.encode(error.as_bytes())),
    }
}
