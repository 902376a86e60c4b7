//! Exceptions to rules by API, and on the page of a finding that their rule raised.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use deedtrail_core::charter::Signed;
use deedtrail_core::exception::{ExceptionCondition, ExceptionEffect, RuleException};
use deedtrail_core::finding::Finding;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::store::{FindingFilter, Progress, Store as _};
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::sample::Sample;
use serde_json::{Value, json};

use crate::caller::{Answer, Caller, local};
use crate::reference::compared;

const HOSTILE: &str = "<b>nightly</b>\u{202e}";

/// The story, a finding of it, and an exception to the rule that raised it.
fn caller() -> (Caller, Finding) {
    let sample = Sample::story();
    let findings = sample.store.findings(&FindingFilter::default(), 1).unwrap();
    let finding = findings.into_iter().next().unwrap();
    let exception = RuleException {
        tenant: TenantId::default(),
        number: 3,
        rule: finding.draft.rule.clone(),
        conditions: vec![ExceptionCondition {
            field: "actor".into(),
            pattern: "ci-*".into(),
        }],
        owner: "lead@example.com".into(),
        reason: HOSTILE.into(),
        made: Signed {
            by: "ana".into(),
            at: Timestamp::from_micros(1),
        },
        expires: Timestamp::from_micros(i64::MAX),
        ended: None,
        effect: ExceptionEffect {
            held_back: 1_234,
            last: Some(Timestamp::from_micros(1_772_442_000_000_000)),
            ..ExceptionEffect::default()
        },
    };
    let progress = Progress {
        through: sample.store.processed().unwrap(),
        exceptions: vec![exception],
        ..Progress::default()
    };
    sample.store.save(progress).unwrap();
    (Caller::new(sample), finding)
}

async fn post(caller: &Caller, address: &str, body: &Value) -> Answer {
    let mut request = local(Method::POST, address, Body::from(body.to_string()));
    let json = "application/json".parse().unwrap();
    request.headers_mut().insert("content-type", json);
    caller.send(request).await
}

#[tokio::test]
async fn exceptions_are_listed_with_what_they_held_back() {
    let (caller, finding) = caller();
    let answer = caller.get("/v1/rule-exceptions").await.json();
    compared(&answer, "RuleExceptionList");
    let one = &answer["exceptions"][0];
    assert_eq!(
        (&one["status"], &one["number"]),
        (&json!("in_force"), &json!(3))
    );
    assert_eq!(one["effect"]["held_back"], 1_234);
    let rule = &finding.draft.rule;
    let of_rule = caller
        .get(&format!("/v1/rule-exceptions?rule={rule}"))
        .await;
    assert_eq!(of_rule.json()["exceptions"].as_array().unwrap().len(), 1);
    let unknown = caller.get("/v1/rule-exceptions?rule=code%2Fdormat").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(
        unknown.text().contains("did you mean `code/dormant`?"),
        "{}",
        unknown.text()
    );
}

#[tokio::test]
async fn what_cannot_be_excepted_is_refused_in_words() {
    let (caller, _) = caller();
    let draft = |rule: &str, field: &str, expires: &str| {
        json!({
            "rule": rule,
            "conditions": [{ "field": field, "pattern": "x" }],
            "owner": "ana", "reason": "nightly", "expires": expires,
        })
    };
    let address = "/v1/rule-exceptions";
    for (body, status, says) in [
        (
            draft("nothing", "actor", "9999-01-01"),
            StatusCode::NOT_FOUND,
            "no rule is called",
        ),
        (
            draft("code/dormant", "actr", "9999-01-01"),
            StatusCode::UNPROCESSABLE_ENTITY,
            "actr",
        ),
        (
            draft("code/dormant", "actor", "1999-01-01"),
            StatusCode::UNPROCESSABLE_ENTITY,
            "has passed",
        ),
        (
            draft("code/dormant", "actor", "9999-01-01"),
            StatusCode::UNPROCESSABLE_ENTITY,
            "366 days",
        ),
        (
            draft("code/dormant", "actor", "soon"),
            StatusCode::BAD_REQUEST,
            "`expires` is `soon`",
        ),
        (
            json!({ "rule": "code/dormant" }),
            StatusCode::UNPROCESSABLE_ENTITY,
            "missing field",
        ),
    ] {
        let answer = post(&caller, address, &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(answer.text().contains(says), "{body}: {}", answer.text());
    }
    let none = post(&caller, "/v1/rule-exceptions/99/end", &json!({})).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    let none = post(&caller, "/v1/rule-exceptions/x/end", &json!({})).await;
    assert_eq!(none.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_exception_is_made_and_ended_by_the_log() {
    let (caller, _) = caller();
    // Nothing processes the log here: the entry is there, its effect comes later.
    let ended = post(&caller, "/v1/rule-exceptions/3/end", &json!({})).await;
    assert_eq!(ended.status, StatusCode::OK, "{}", ended.text());
    compared(&ended.json(), "RuleExceptionEnded");
}

#[tokio::test]
async fn a_finding_names_the_exceptions_to_its_rule() {
    let (caller, finding) = caller();
    let page = caller.get(&format!("/findings/{}", finding.id)).await;
    let html = page.text();
    for words in [
        "Exceptions to this rule",
        "<code>actor=ci-*</code>",
        "lead@example.com",
        "Held back 1\u{202f}234",
    ] {
        assert!(html.contains(words), "`{words}` is missing");
    }
    assert!(!html.contains("<b>nightly"), "text from outside is escaped");
    let told = caller
        .get(&format!("/v1/findings/{}/explanation", finding.id))
        .await;
    let exceptions = &told.json()["exceptions"];
    assert!(
        exceptions[0].as_str().unwrap().contains("held back 1234"),
        "{exceptions}"
    );
}
