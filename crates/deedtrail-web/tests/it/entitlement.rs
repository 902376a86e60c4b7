//! What identities may do: import, answer, section of the page.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use deedtrail_core::port::log::EvidenceLog as _;
use deedtrail_core::port::store::{Scope, Store as _};
use deedtrail_testkit::sample::Sample;
use deedtrail_testkit::store_contract::{batch, identity};
use deedtrail_web::reference::schemas;

use crate::caller::{Answer, Caller, local, with_headers};
use crate::reference::compare;

const LIST: &str = "alias,system,permission\nemail:alice@example.com,shop,orders:read\n";

async fn import(caller: &Caller, query: &str, file: &str) -> Answer {
    let address = format!("/v1/entitlements/import{query}");
    let request = local(Method::POST, &address, Body::from(file.to_owned()));
    caller.send(request).await
}

#[tokio::test]
async fn an_import_says_what_it_changes_and_is_one_entry() {
    let caller = Caller::new(Sample::story());
    let before = caller.sample.log.end();
    let shown = import(&caller, "?kind=list&dry_run", LIST).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text());
    assert_eq!(caller.sample.log.end(), before);
    let applied = import(&caller, "?kind=list&account=shop-eu", LIST)
        .await
        .json();
    assert_eq!(applied["import"]["account"], "shop-eu");
    assert_eq!(applied["diff"]["added"][0]["what"], "allow orders:read");
    assert_eq!(applied["applied"], before + 1);
    assert_eq!(applied["new_identities"], 0);
    let mut wrong = Vec::new();
    compare(
        &applied,
        &schemas()["EntitlementReport"],
        "report",
        &mut wrong,
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said() {
    let caller = Caller::new(Sample::story());
    for (query, file, status, hint) in [
        ("", LIST, 400, "use one of aws, entra, github"),
        ("?kind=azure", LIST, 400, "`kind` is `azure`"),
        ("?kind=list&dryrun", LIST, 400, "dryrun"),
        (
            "?kind=list",
            "alias,sistem\n",
            422,
            "line 1: no column is called `sistem`",
        ),
        ("?kind=aws", LIST, 422, "line 1, column 1"),
    ] {
        let answer = import(&caller, query, file).await;
        assert_eq!(answer.status.as_u16(), status, "{query}: {}", answer.text());
        assert!(answer.text().contains(hint), "{query}: {}", answer.text());
    }
    let packed = [("content-encoding", "gzip")];
    let address = "/v1/entitlements/import?kind=list";
    let authorization = format!("Bearer {}", caller.token(&[Scope::Write]));
    let headers = [packed[0], ("authorization", &authorization)];
    let answer = caller
        .send(with_headers("POST", address, &headers, LIST))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
}

#[tokio::test]
async fn the_answer_has_what_the_identity_did_and_may() {
    let caller = Caller::new(Sample::story());
    let told = caller
        .get("/v1/identities/nightly-export/entitlements")
        .await
        .json();
    assert_eq!(told["entitlements"], 1);
    let why = |row: &serde_json::Value| row["why"].as_str().unwrap().to_owned();
    let may_not: Vec<_> = told["may_not"]
        .as_array()
        .unwrap()
        .iter()
        .map(why)
        .collect();
    assert!(
        may_not.contains(&"without_entitlement".to_owned()),
        "{told:#}"
    );
    assert_eq!(told["may"][0]["unused"][0], "s3:PutObject");
    let later = caller
        .get("/v1/identities/nightly-export/entitlements?from=2026-11-18&to=2026-11-01")
        .await;
    assert_eq!(later.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_page_shows_did_may_and_may_not() {
    let caller = Caller::new(Sample::story());
    let page = caller.get("/identities/nightly-export").await;
    let html = page.text();
    for words in [
        "What it used of its rights",
        "done without entitlement",
        "not in the feed",
        "2 of 2",
        "on <bdi>arn:aws:s3:::exports/*</bdi>",
        "expires in 30 d",
        "not used; watched since",
        "It did nothing else",
    ] {
        assert!(html.contains(words), "`{words}` is missing");
    }
}

#[tokio::test]
async fn without_an_import_the_page_says_how_to_make_one() {
    let caller = Caller::new(Sample::empty());
    let ana = identity("ana@example.com", 1);
    caller.sample.store.save(batch([ana])).unwrap();
    let page = caller.get("/identities/ana@example.com").await;
    let html = page.text();
    assert!(html.contains("Nothing has been imported yet"), "{html}");
    assert!(!html.contains("Rights not used, or only in part"));
}
