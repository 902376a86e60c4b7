//! Exceptions to rules by API, and on the page of a finding that their rule raised.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use deedtrail_app::exception::RULE_EXCEPTION;
use deedtrail_core::charter::Signed;
use deedtrail_core::exception::{ExceptionCondition, ExceptionEffect, RuleException};
use deedtrail_core::finding::Finding;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::Clock as _;
use deedtrail_core::port::store::{FindingFilter, Progress, Scope, Store as _};
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::sample::Sample;
use serde_json::{Value, json};

use crate::access::{cookie, link, visit};
use crate::caller::{Answer, Caller, local, with_headers};
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

/// The cookie of a person who signed in with these scopes.
async fn signed_in(caller: &Caller, person: &str, scopes: &[Scope]) -> String {
    let link = link(caller, person, scopes);
    cookie(&caller.send(with_headers("POST", &link, &[], "")).await)
}

/// A form as `application/x-www-form-urlencoded`.
fn encoded(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| -> String {
        let bytes = text.bytes();
        bytes
            .map(|byte| format!("%{byte:02X}"))
            .collect::<Vec<_>>()
            .concat()
    };
    let pairs = fields.iter();
    let pairs = pairs.map(|(name, value)| format!("{name}={}", escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Sends a form of a page, as a browser does, from this site.
async fn submit(caller: &Caller, address: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
    let body = encoded(fields);
    let headers = [
        ("cookie", cookie),
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
    ];
    caller
        .send(with_headers("POST", address, &headers, body))
        .await
}

/// What the form for an exception sends, until 30 days from now.
fn filled(caller: &Caller) -> Vec<(&'static str, String)> {
    let day = caller.sample.clock.now();
    let day = day.plus_micros(30 * Timestamp::DAY_US).to_string();
    vec![
        ("rule", "code/dormant".to_owned()),
        ("condition", "actor=ci-*".to_owned()),
        ("condition", String::new()),
        ("owner", " lead@example.com ".to_owned()),
        ("reason", HOSTILE.to_owned()),
        ("expires", day.chars().take(10).collect()),
    ]
}

/// The form with another value in one of its fields.
fn with(form: &[(&'static str, String)], name: &str, value: &str) -> Vec<(&'static str, String)> {
    let fields = form.iter().map(|(field, known)| {
        let value = if *field == name {
            value
        } else {
            known.as_str()
        };
        (*field, value.to_owned())
    });
    fields.collect()
}

fn as_fields<'a>(form: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    let fields = form.iter();
    fields
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

#[tokio::test]
async fn an_exception_is_made_and_ended_by_the_forms_of_pages() {
    let (caller, _) = caller();
    let ben = signed_in(&caller, "ben", &[Scope::Read, Scope::Write]).await;
    let page = visit(&caller, "/exceptions/3", &ben).await;
    assert!(page.text().contains("End it now"), "{}", page.text());
    let end = caller.app.ports.log.end();
    let form = filled(&caller);
    let made = submit(&caller, "/exceptions", &ben, &as_fields(&form)).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text());
    // Nothing processes the log here: it is listed when it is in force.
    assert_eq!(made.header("location"), "/exceptions");
    let said = |from| {
        let entries = caller.app.ports.log.read(from, 1 << 20).unwrap();
        let entry = entries.iter().find(|it| it.entry.note == RULE_EXCEPTION);
        let said: Value = serde_json::from_slice(&entry.unwrap().bytes()).unwrap();
        said
    };
    let entry = said(end);
    assert_eq!(
        (&entry["change"], &entry["rule"], &entry["by"]),
        (&json!("made"), &json!("code/dormant"), &json!("ben"))
    );
    assert_eq!(
        (&entry["owner"], &entry["reason"]),
        (&json!("lead@example.com"), &json!(HOSTILE))
    );
    let actor = json!([{ "field": "actor", "pattern": "ci-*" }]);
    assert_eq!(entry["conditions"], actor, "the empty one is none");
    let end = caller.app.ports.log.end();
    let ended = submit(&caller, "/exceptions/3/end", &ben, &[]).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER, "{}", ended.text());
    assert_eq!(ended.header("location"), "/exceptions/3");
    let entry = said(end);
    assert_eq!(
        (&entry["change"], &entry["number"], &entry["by"]),
        (&json!("ended"), &json!(3), &json!("ben"))
    );
}

#[tokio::test]
async fn forms_with_mistakes_change_nothing_and_say_what_to_do() {
    let (caller, _) = caller();
    let ben = signed_in(&caller, "ben", &[Scope::Read, Scope::Write]).await;
    let (end, form) = (caller.app.ports.log.end(), filled(&caller));
    for (name, value, status, says) in [
        ("rule", "", 404, "no rule is called"),
        ("rule", "<i>x</i>", 404, "&#60;i&#62;x"),
        (
            "rule",
            "code/dormnat",
            404,
            "did you mean <code>code/dormant</code>?",
        ),
        ("rule", "code/charter", 422, "no single event is excepted"),
        ("condition", "actor", 422, "NAME=VALUE"),
        ("condition", "actor=*", 422, "matches everything"),
        ("owner", "  ", 422, "who answers for it"),
        ("reason", "", 422, "say why"),
        ("expires", "", 422, "until which day"),
        ("expires", "soon", 400, "soon"),
        ("expires", "1999-01-01", 422, "has passed"),
        ("expires", "9999-01-01", 422, "366 days"),
    ] {
        let form = with(&form, name, value);
        let fields = as_fields(&form);
        for address in ["/exceptions", "/exceptions/preview"] {
            let answer = submit(&caller, address, &ben, &fields).await;
            let what = format!("{address} {name}={value}: {}", answer.text());
            assert_eq!(answer.status.as_u16(), status, "{what}");
            assert!(answer.text().contains(says), "{what}");
            assert!(answer.text().contains("<h1>"), "{what}");
        }
    }
    for (address, status) in [("/exceptions/x/end", 400), ("/exceptions/99/end", 404)] {
        let answer = submit(&caller, address, &ben, &[]).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    }
    assert_eq!(caller.app.ports.log.end(), end);
}

#[tokio::test]
async fn who_may_not_decide_and_other_sites_make_and_end_nothing() {
    let (caller, _) = caller();
    let ana = signed_in(&caller, "ana", &[Scope::Read]).await;
    let ben = signed_in(&caller, "ben", &[Scope::Read, Scope::Write]).await;
    let page = visit(&caller, "/exceptions/3", &ana).await;
    assert!(!page.text().contains("End it now"), "{}", page.text());
    let (end, form) = (caller.app.ports.log.end(), filled(&caller));
    let fields = as_fields(&form);
    let body = encoded(&fields);
    for address in ["/exceptions", "/exceptions/preview", "/exceptions/3/end"] {
        let reader = submit(&caller, address, &ana, &fields).await;
        assert_eq!(reader.status, StatusCode::FORBIDDEN, "{address}");
        let nobody = submit(&caller, address, "", &fields).await;
        assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "{address}");
        let headers = [
            ("cookie", ben.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-site", "cross-site"),
        ];
        let elsewhere = with_headers("POST", address, &headers, body.clone());
        let elsewhere = caller.send(elsewhere).await;
        assert_eq!(elsewhere.status, StatusCode::FORBIDDEN, "{address}");
        assert!(elsewhere.text().contains("another site"), "{address}");
    }
    assert_eq!(caller.app.ports.log.end(), end);
}
