//! The JSON API: filters, cursors, decisions, problems.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use deedtrail_core::limits::NOTE_CHARACTERS_MAX;
use deedtrail_core::port::log::EvidenceLog as _;
use deedtrail_core::port::store::Store as _;
use deedtrail_testkit::sample::Sample;
use serde_json::Value;

use crate::caller::{Answer, Caller, local};

fn list<'a>(answer: &'a Value, name: &str) -> &'a Vec<Value> {
    answer[name].as_array().unwrap()
}

async fn ids(caller: &Caller, address: &str) -> Vec<String> {
    let answer = caller.get(address).await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "{address}: {}",
        answer.text()
    );
    let events = answer.json();
    list(&events, "events")
        .iter()
        .map(|e| e["event_uid"].to_string())
        .collect()
}

#[tokio::test]
async fn pages_of_events_meet_without_gap_or_overlap() {
    let caller = Caller::new(Sample::story());
    let all = ids(&caller, "/v1/events?limit=1000").await;
    let mut walked = Vec::new();
    let mut address = "/v1/events?limit=70".to_owned();
    loop {
        let answer = caller.get(&address).await.json();
        walked.extend(
            list(&answer, "events")
                .iter()
                .map(|e| e["event_uid"].to_string()),
        );
        match answer["next_cursor"].as_str() {
            Some(cursor) => address = format!("/v1/events?limit=70&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(walked, all);
    assert!(all.len() > 300, "{}", all.len());
}

#[tokio::test]
async fn events_are_filtered() {
    let caller = Caller::new(Sample::story());
    for (address, count) in [
        ("/v1/events?source=hashicorp.vault", 3),
        ("/v1/events?action=secret_read", 3),
        ("/v1/events?text=PAYMENTS/stripe", 1),
        ("/v1/events?identity=nightly-export", 7),
        ("/v1/events?identity=nightly-export&from=2026-11-01", 6),
        (
            "/v1/events?identity=nightly-export&to=2026-11-01T00:00:00Z",
            1,
        ),
        ("/v1/identities/nightly-export/timeline?limit=2", 2),
    ] {
        assert_eq!(ids(&caller, address).await.len(), count, "{address}");
    }
}

#[tokio::test]
async fn what_is_not_understood_says_which_part() {
    let caller = Caller::new(Sample::story());
    for (address, status, hint) in [
        ("/v1/events?from=noon", 400, "`from` is `noon`"),
        (
            "/v1/events?from=2026-11-02&to=2026-11-01",
            400,
            "is later than `to`",
        ),
        ("/v1/events?form=2026-11-01", 400, "unknown field `form`"),
        ("/v1/events?cursor=x", 400, "next_cursor"),
        ("/v1/events?limit=many", 400, "invalid digit"),
        ("/v1/events/xyz", 400, "32 lower-case hex digits"),
        ("/v1/findings?severity=worst", 400, "critical"),
        ("/v1/identities?kind=robot", 400, "service_account"),
        ("/v1/identities/nobody@example.com", 404, "nobody is called"),
        ("/v1/identities/a", 409, "identities"),
        ("/v1/sources/okta.sistem/quarantine", 404, "`okta.system`"),
    ] {
        let answer = caller.get(address).await;
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{address}: {}",
            answer.text()
        );
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{address}"
        );
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{address}");
        assert!(
            problem["detail"].as_str().unwrap().contains(hint),
            "{address}: {problem}"
        );
    }
}

#[tokio::test]
async fn an_event_comes_with_its_record_and_proof_when_asked() {
    let caller = Caller::new(Sample::story());
    let events = caller
        .get("/v1/events?source=hashicorp.vault&limit=1")
        .await
        .json();
    let uid = events["events"][0]["event_uid"]
        .as_str()
        .unwrap()
        .to_owned();
    let bare = caller.get(&format!("/v1/events/{uid}")).await.json();
    assert!(bare.get("raw").is_none() && bare.get("proof").is_none());
    let full = caller.get(&format!("/v1/events/{uid}?raw")).await.json();
    let record: Value = serde_json::from_str(full["raw"]["text"].as_str().unwrap()).unwrap();
    assert_eq!(record["eventName"], "vault.read");
    assert_eq!(full["proof"]["sequence"], full["event"]["log_seq"]);
    assert!(full.get("provenance").is_none());
    let address = format!("/v1/events/{uid}?provenance");
    let traced = caller.get(&address).await.json();
    let fields = list(&traced["provenance"], "fields");
    let operation = fields.iter().find(|f| f["field"] == "operation").unwrap();
    assert_eq!(operation["paths"][0], "eventName");
    assert_eq!(operation["value"], traced["event"]["operation"]);
    assert!(traced.get("raw").is_none());
}

#[tokio::test]
async fn secrets_are_revealed_only_in_so_many_words() {
    let caller = Caller::new(Sample::story());
    let uid = ids(&caller, "/v1/events?limit=1").await.remove(0);
    let uid = uid.trim_matches('"');
    let wrong = format!("/v1/events/{uid}?raw&secrets=please");
    assert_eq!(caller.get(&wrong).await.status, StatusCode::BAD_REQUEST);
    let before = caller.sample.log.end();
    let reveal = format!("/v1/events/{uid}?raw&secrets=reveal");
    assert_eq!(caller.get(&reveal).await.status, StatusCode::OK);
    assert_eq!(caller.sample.log.end(), before + 1, "it is recorded");
}

#[tokio::test]
async fn records_that_are_no_text_come_as_base64() {
    let caller = Caller::new(Sample::hostile());
    let events = caller.get("/v1/events").await.json();
    let mut kinds = std::collections::BTreeSet::new();
    for event in list(&events, "events") {
        let uid = event["event_uid"].as_str().unwrap();
        let full = caller.get(&format!("/v1/events/{uid}?raw=1")).await.json();
        kinds.extend(full["raw"].as_object().unwrap().keys().cloned());
    }
    assert!(kinds.contains("text"));
    assert!(kinds.contains("base64"), "{kinds:?}");
}

async fn decide(caller: &Caller, id: &str, body: &str) -> Answer {
    let address = format!("/v1/findings/{id}");
    caller
        .send(local(Method::PATCH, &address, Body::from(body.to_owned())))
        .await
}

#[tokio::test]
async fn a_decision_is_kept_shown_and_recorded() {
    let caller = Caller::new(Sample::story());
    let open = caller
        .get("/v1/findings?severity=critical&status=open")
        .await
        .json();
    assert_eq!(list(&open, "findings").len(), 1);
    let id = open["findings"][0]["id"].as_str().unwrap().to_owned();
    let before = caller.app.figures().unwrap().log_end;

    let wrong = decide(
        &caller,
        &id,
        "{\"status\":\"closed\",\"disposition\":\"fine\"}",
    )
    .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.json()["detail"].as_str().unwrap().contains("benign"));
    let long = "x".repeat(NOTE_CHARACTERS_MAX + 1);
    let long = format!("{{\"status\":\"closed\",\"note\":\"{long}\"}}");
    let wrong = decide(&caller, &id, &long).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let wrong = decide(&caller, &id, "{\"state\":\"closed\"}").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let hasty = decide(&caller, &id, "{\"status\":\"closed\"}").await;
    assert_eq!(hasty.status, StatusCode::UNPROCESSABLE_ENTITY);
    let conclusion = "{\"status\":\"closed\",\"disposition\":\"benign\"}";
    let absent = decide(&caller, &"0".repeat(32), conclusion).await;
    assert_eq!(absent.status, StatusCode::NOT_FOUND);
    assert_eq!(caller.app.figures().unwrap().log_end, before);

    caller.sample.clock.advance(1_000_000);
    let done = decide(
        &caller,
        &id,
        "{\"status\":\"closed\",\"disposition\":\"intrusion\",\"note\":\"asked Ana\"}",
    )
    .await;
    assert_eq!(done.status, StatusCode::OK);
    assert_eq!(done.json()["disposition"], "intrusion");
    assert_eq!(done.json()["analyst"], "local");
    assert_eq!(done.json()["note"], "asked Ana");
    assert_eq!(
        caller.app.figures().unwrap().log_end,
        before + 1,
        "an entry of the log"
    );
    let open = caller
        .get("/v1/findings?severity=critical&status=open")
        .await
        .json();
    assert!(list(&open, "findings").is_empty());
    let feed = caller
        .get("/v1/findings?updated_since=2026-11-18T16:30:01Z")
        .await
        .json();
    assert_eq!(
        list(&feed, "findings").len(),
        1,
        "the change feed shows the decision"
    );
}

#[tokio::test]
async fn a_finding_names_its_controls_and_how_soon_to_act() {
    let caller = Caller::new(Sample::story());
    let found = caller.get("/v1/findings?severity=critical").await.json();
    let id = found["findings"][0]["id"].as_str().unwrap();
    let one = caller.get(&format!("/v1/findings/{id}")).await.json();
    assert_eq!(one, found["findings"][0]);
    assert_eq!(one["priority"], 1);
    let controls = list(&one, "mapped_ref");
    assert!(controls.iter().any(|id| id == "NHI7:2025"), "{controls:?}");
    let printed = list(&one, "seed_ref");
    assert!(
        printed.iter().any(|id| id == "NIST CSF 2.0 DE.CM"),
        "{printed:?}"
    );
    assert!(!list(&one, "response").is_empty());
    assert!(!one["meaning"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn an_unchanged_answer_is_not_sent_again() {
    let caller = Caller::new(Sample::story());
    let first = caller.get("/v1/sources").await;
    let tag = first.header("etag").to_owned();
    assert_eq!(tag.len(), 34, "{tag}");
    let mut request = local(Method::GET, "/v1/sources", Body::empty());
    request
        .headers_mut()
        .insert("if-none-match", tag.parse().unwrap());
    let second = caller.send(request).await;
    assert_eq!(second.status, StatusCode::NOT_MODIFIED);
    assert!(second.body.is_empty());
}

#[tokio::test]
async fn what_is_missing_since_it_was_damaged_is_told() {
    let sample = Sample::story();
    let ranges = r#"[{"first":3,"last":4},{"first":9,"last":9}]"#;
    sample.store.put_setting("passed_over", ranges).unwrap();
    let caller = Caller::new(sample);
    let page = caller.get("/").await;
    let says = "Entries that were damaged when they were derived: 3.";
    assert!(page.text().contains(says), "{}", page.text());
    let metrics = caller.get("/metrics").await;
    let line = "deedtrail_log_passed_over_entries 3\n";
    assert!(metrics.text().contains(line), "{}", metrics.text());
}

#[tokio::test]
async fn metrics_count_what_came_in_and_what_is_open() {
    let caller = Caller::new(Sample::story());
    let answer = caller.get("/metrics").await;
    assert!(
        answer
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    let text = answer.text();
    for line in [
        "deedtrail_findings_open{severity=\"critical\"} 1",
        "deedtrail_findings_open{severity=\"high\"} 2",
        "deedtrail_source_records_total{source=\"proofpoint.tap\"} 18204",
        "deedtrail_source_quarantined{source=\"github.audit\"} 2",
        "deedtrail_lag_entries 0",
        "deedtrail_log_damaged 0",
        "deedtrail_log_passed_over_entries 0",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is missing in\n{text}"
        );
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(
            name.starts_with("deedtrail_") && value.parse::<u64>().is_ok(),
            "{line}"
        );
    }
}

#[tokio::test]
async fn health_needs_nobody_and_says_nothing_about_anybody() {
    let caller = Caller::new(Sample::story());
    assert_eq!(caller.get("/healthz").await.json()["status"], "ok");
    assert_eq!(caller.get("/readyz").await.json()["status"], "ready");
}
