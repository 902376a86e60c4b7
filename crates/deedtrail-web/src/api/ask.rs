//! Reading what a caller asks for: query strings, ids, times, cursors.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use deedtrail_core::event::Event;
use deedtrail_core::id::Id;
use deedtrail_core::port::archive::Cursor;
use deedtrail_core::time::Timestamp;
use serde::de::DeserializeOwned;

use crate::config::{LIST_DEFAULT, LIST_MAX};
use crate::problem::Problem;

/// A query string as a struct; what does not fit is a 400 that says which part.
#[derive(Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let asked = Query::try_from_uri(&parts.uri);
        let Query(asked) = asked.map_err(|error| {
            Problem::bad_request(format!("{}; see /v1/openapi.json", error.body_text()))
        })?;
        Ok(Self(asked))
    }
}

/// The id a path or parameter holds.
pub(crate) fn id<K>(text: &str) -> Result<Id<K>, Problem> {
    let wrong = |error| Problem::bad_request(format!("`{}`: {error}", shortened(text)));
    text.parse().map_err(wrong)
}

/// The body as JSON; `example` is what could have been sent.
pub(crate) fn said<T: DeserializeOwned>(body: &[u8], example: &str) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::invalid(format!("{error}; send {example}")))
}

/// A time parameter: RFC 3339, or a day; empty counts as absent.
pub(crate) fn time(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    // A bare day is what people type.
    let at = Timestamp::parse_rfc3339(text)
        .or_else(|| Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z")));
    at.map(Some).ok_or_else(|| {
        Problem::bad_request(format!(
            "`{name}` is `{}`; write an RFC 3339 time such as 2026-11-18T14:02:11Z, or a day",
            shortened(text)
        ))
    })
}

/// The parameters `from` and `to`.
pub(super) fn window(
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
    let (from, to) = (time("from", from)?, time("to", to)?);
    if to.is_some() && from > to {
        return Err(Problem::bad_request("`from` is later than `to`"));
    }
    Ok((from, to))
}

/// A parameter that must be one of a list's names; empty counts as absent.
pub(super) fn one_of<T>(
    name: &str,
    text: Option<&str>,
    from_name: impl Fn(&str) -> Option<T>,
    names: &[&str],
) -> Result<Option<T>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    from_name(text).map(Some).ok_or_else(|| {
        let names = names.join(", ");
        Problem::bad_request(format!(
            "`{name}` is `{}`; use one of {names}",
            shortened(text)
        ))
    })
}

/// How many rows to answer with.
pub(super) fn limit(asked: Option<usize>) -> usize {
    asked.unwrap_or(LIST_DEFAULT).clamp(1, LIST_MAX)
}

/// A cursor as the API writes it: `<µs>-<event uid>`.
pub(crate) fn cursor(text: Option<&str>) -> Result<Option<Cursor>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let parsed = text.rsplit_once('-').and_then(|(micros, uid)| {
        Some(Cursor {
            time_effective: Timestamp::from_micros(micros.parse().ok()?),
            event_uid: uid.parse().ok()?,
        })
    });
    parsed.map(Some).ok_or_else(|| {
        Problem::bad_request("`cursor` is none of ours; use `next_cursor` of the page before")
    })
}

/// Cursor after the last of a full page; `None` when the page is the last one.
pub(crate) fn next_cursor(events: &[Event], limit: usize) -> Option<String> {
    let last = events.last().filter(|_| events.len() >= limit)?;
    Some(format!(
        "{}-{}",
        last.time_effective.as_micros(),
        last.event_uid
    ))
}

/// Start of a text that an error repeats.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_may_be_days() {
        let day = time("from", Some("2026-11-18")).unwrap().unwrap();
        assert_eq!(day.to_string(), "2026-11-18T00:00:00.000000Z");
        assert_eq!(time("from", Some("")).unwrap(), None);
        let refused = time("from", Some("noon")).unwrap_err();
        assert!(
            refused.detail.contains("`from` is `noon`"),
            "{}",
            refused.detail
        );
    }

    #[test]
    fn cursors_round_trip_also_before_1970() {
        let text = format!("-5-{}", "0a".repeat(16));
        let parsed = cursor(Some(&text)).unwrap().unwrap();
        assert_eq!(parsed.time_effective.as_micros(), -5);
        for wrong in ["5", "x-y", "5-0A", &"9".repeat(99)] {
            assert!(cursor(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
