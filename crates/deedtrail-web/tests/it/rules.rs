//! Rules and exceptions on pages and by API: what is in force, and what cannot be done.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use deedtrail_app::App;
use deedtrail_app::rule_backtest::Trials;
use deedtrail_app::rule_set::{FoldersRead, RuleFolders};
use deedtrail_core::port::store::Scope;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::WebConfig;
use serde_json::json;

use crate::caller::{Answer, Caller, local, with_headers};
use crate::reference::compared;

#[derive(Debug)]
struct Empty;

impl RuleFolders for Empty {
    fn read(&self) -> Result<FoldersRead, String> {
        Ok(FoldersRead {
            rules_unread: vec!["/rules/<b>bad.yml:1: a mistake".to_owned()],
            ..FoldersRead::default()
        })
    }
}

fn caller() -> Caller {
    Caller::with(Sample::story(), WebConfig::default(), |app| App {
        own_rules: Some(Arc::new(Empty)),
        trials: Some(Trials::new(Arc::default(), [7; 32])),
        ..app
    })
}

async fn form(caller: &Caller, address: &str, body: &str) -> Answer {
    let mut request = local(Method::POST, address, Body::from(body.to_owned()));
    let form = "application/x-www-form-urlencoded".parse().unwrap();
    request.headers_mut().insert("content-type", form);
    caller.send(request).await
}

#[tokio::test]
async fn a_reload_tells_what_is_in_force_and_needs_an_administrator() {
    let caller = caller();
    let token = caller.token(&[Scope::Read, Scope::Write]);
    let header = format!("Bearer {token}");
    let request = with_headers(
        "POST",
        "/v1/rules/reload",
        &[("authorization", header.as_str())],
        Body::empty(),
    );
    let denied = caller.send(request).await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN, "{}", denied.text());
    let answer = caller
        .send(local(Method::POST, "/v1/rules/reload", Body::empty()))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let answer = answer.json();
    compared(&answer, "RulesReloaded");
    assert_eq!(answer["changed"], true);
    let list = caller.get("/v1/rules").await.json();
    compared(&list, "RuleSet");
    assert_eq!(list["digest"], answer["digest"]);
    let page = caller.get("/rules").await;
    let html = page.text();
    assert!(
        html.contains("/rules/&#60;b&#62;bad.yml:1: a mistake"),
        "{html}"
    );
    assert!(html.contains("by <b><bdi>"), "{html}");
    let digest = answer["digest"].as_str().unwrap();
    assert!(html.contains(digest.get(..16).unwrap()), "{html}");
}

#[tokio::test]
async fn a_rule_is_tried_over_history_and_mistakes_come_back_with_the_text() {
    let caller = caller();
    let tried = form(&caller, "/rule", "name=code%2Fdormant&from=&to=").await;
    assert_eq!(tried.status, StatusCode::OK, "{}", tried.text());
    assert!(tried.text().contains("findings in"), "{}", tried.text());
    let unknown = form(&caller, "/rule", "name=code%2Fdormat").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let wrong = form(&caller, "/rules/draft", "text=title%3A+%5B&name=").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text().contains("title: ["), "{}", wrong.text());
    assert!(wrong.text().contains("Not a rule"), "{}", wrong.text());
    let range = form(
        &caller,
        "/rule",
        "name=code%2Fdormant&from=2026-02-02&to=2026-02-01",
    );
    assert_eq!(range.await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut asked = local(
        Method::POST,
        "/v1/rules/backtest",
        Body::from(json!({ "rule": "code/dormant" }).to_string()),
    );
    let json_type = "application/json".parse().unwrap();
    asked.headers_mut().insert("content-type", json_type);
    let answer = caller.send(asked).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    compared(&answer.json(), "Backtest");
    assert_eq!(answer.json()["complete"], true);
}

#[tokio::test]
async fn an_exception_is_measured_before_it_is_made() {
    let caller = caller();
    let day = "expires=9999-01-01";
    let wanted = "rule=code%2Fdormant&condition=actor%3Dci-*&condition=&owner=lead&reason=known&";
    let far = form(&caller, "/exceptions/preview", &format!("{wanted}{day}")).await;
    assert_eq!(far.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(far.text().contains("366 days"), "{}", far.text());
    let wrong = form(
        &caller,
        "/exceptions/preview",
        "rule=code%2Fdormant&condition=actor&owner=lead&reason=known&expires=2026-12-31",
    );
    assert!(wrong.await.text().contains("NAME=VALUE"));
    let none = caller.get("/exceptions").await;
    assert!(none.text().contains("Nobody has made an exception"));
    let unknown = caller.get("/exceptions/9").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let unknown = caller.get("/v1/rule-exceptions/9/held-back").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_name_that_is_no_rules_is_told_what_comes_near() {
    let caller = Caller::new(Sample::story());
    for (name, says) in [
        (
            "code/dormnat",
            "did you mean <code>code/dormant</code>? The list",
        ),
        (
            "dormant",
            "did you mean <code>code/dormant</code>? The list",
        ),
        (
            "nothing+of+the+kind",
            "<code>nothing of the kind</code>. The list",
        ),
    ] {
        let page = caller.get(&format!("/rule?name={name}")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{name}");
        assert!(page.text().contains(says), "{name}: {}", page.text());
    }
}
