//! Every page rendered from normal, empty, hostile and huge samples.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use deedtrail_app::App;
use deedtrail_app::rule_set::{Current, InForce};
use deedtrail_core::visible::is_deceptive;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::{Transport, WebConfig};

use crate::caller::{Answer, Caller, local};

/// Largest page, bytes: a list that grows with the data would be over it.
const PAGE_BYTES_MAX: usize = 600_000;

/// Every value of an attribute in a page.
fn attributes(html: &str, name: &str) -> BTreeSet<String> {
    let start = format!(" {name}=\"");
    let parts = html.split(&start).skip(1);
    parts
        .filter_map(|part| part.split_once('"'))
        .map(|(value, _)| value.to_owned())
        .collect()
}

async fn page(caller: &Caller, address: &str) -> Answer {
    let answer = caller.get(address).await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "{address}: {}",
        answer.text()
    );
    assert_eq!(
        answer.header("content-type"),
        "text/html; charset=utf-8",
        "{address}"
    );
    assert!(
        answer.body.len() < PAGE_BYTES_MAX,
        "{address}: {} bytes",
        answer.body.len()
    );
    answer
}

/// Follows every link inside the installation, each path once with its first query.
async fn walk(caller: &Caller) -> Vec<(String, String)> {
    let mut waiting = vec!["/".to_owned(), "/identities?offset=100".to_owned()];
    let mut seen = BTreeSet::new();
    let mut pages = Vec::new();
    while let Some(address) = waiting.pop() {
        let path = address.split(['?', '#']).next().unwrap().to_owned();
        let kind = (path.clone(), address.contains("event="));
        if !address.starts_with('/') || path.starts_with("/v1/") || path.starts_with("/assets/") {
            continue;
        }
        if pages.len() > 120 || !seen.insert(kind) {
            continue;
        }
        let address = address.replace("&amp;", "&");
        let address = address.split('#').next().unwrap();
        let html = page(caller, address).await.text().to_owned();
        waiting.extend(attributes(&html, "href"));
        pages.push((address.to_owned(), html));
    }
    pages
}

/// What holds for every page, whatever the data.
fn check_markup(address: &str, html: &str) {
    assert!(html.starts_with("<!doctype html>"), "{address}");
    assert_eq!(html.matches("<h1>").count(), 1, "{address}");
    assert_eq!(html.matches("<main").count(), 1, "{address}");
    assert_eq!(
        html.matches("<script").count(),
        1,
        "{address}: only our own script"
    );
    for inline in [
        "<style",
        " style=\"",
        " onclick",
        " onerror=alert(1)>",
        "javascript:alert(1)\"",
    ] {
        assert!(!html.contains(inline), "{address} has {inline}");
    }
    let hidden = |c: char| is_deceptive(c) && c != '\n' && c != '\t';
    assert!(
        !html.contains(hidden),
        "{address} has a character that steers, reorders or hides"
    );
    assert!(
        !html.contains(&"\u{337}".repeat(5)),
        "{address} has combining marks that cover other lines"
    );
    for id in attributes(html, "id") {
        assert_eq!(
            html.matches(&format!(" id=\"{id}\"")).count(),
            1,
            "{address}: id {id}"
        );
    }
}

#[tokio::test]
async fn every_page_of_every_sample_is_sound() {
    let samples = [
        (Sample::story(), 20),
        (Sample::empty(), 8),
        (Sample::hostile(), 20),
        (Sample::huge(), 100),
    ];
    for (sample, pages_min) in samples {
        let caller = Caller::new(sample);
        let pages = walk(&caller).await;
        assert!(pages.len() >= pages_min, "only {} pages", pages.len());
        for (address, html) in &pages {
            check_markup(address, html);
        }
    }
}

#[tokio::test]
async fn numbers_that_were_not_waited_for_are_not_said_to_have_come() {
    let caller = Caller::new(Sample::huge());
    let html = page(&caller, "/sources/github.audit").await;
    assert!(html.text().contains("more were skipped, too many"));
    assert!(!html.text().contains("every number came"));
    let metrics = caller.get("/metrics").await;
    assert!(
        metrics
            .text()
            .contains("deedtrail_source_forgotten_numbers")
    );
}

#[tokio::test]
async fn an_event_on_a_timeline_says_where_its_fields_came_from() {
    let caller = Caller::new(Sample::story());
    let events = caller
        .get("/v1/events?identity=nightly-export&limit=1")
        .await
        .json();
    let uid = events["events"][0]["event_uid"].as_str().unwrap();
    let address = format!("/identities/nightly-export?event={uid}");
    let html = page(&caller, &address).await.text().to_owned();
    for words in [
        "Where each field came from",
        "<code>sourceIPAddress</code>",
        "made from operation",
        "given on receipt",
    ] {
        assert!(html.contains(words), "`{words}` is missing");
    }
}

#[tokio::test]
async fn empty_pages_say_why_and_what_next() {
    let caller = Caller::new(Sample::empty());
    // Signing in leaves an entry in the log; it is still nothing to judge.
    let secret = caller.app.first_sign_in_link().unwrap().unwrap();
    caller.app.redeem_sign_in_link(&secret).unwrap();
    for (address, words) in [
        ("/", "No record has come in"),
        ("/findings", "Nothing has been found"),
        ("/findings?status=closed", "Nothing has been found"),
        ("/identities", "Nobody is known yet"),
        ("/sources", "No source has delivered yet"),
        ("/sources/okta.system", "Send the first record"),
        ("/quarantine", "Nothing has come in, so nothing waits"),
    ] {
        let html = page(&caller, address).await;
        assert!(
            html.text().contains(words),
            "{address} does not say `{words}`"
        );
    }
    let caller = Caller::new(Sample::story());
    let none = page(&caller, "/findings?text=no-such").await;
    assert!(none.text().contains("No finding matches these filters"));
}

#[tokio::test]
async fn today_shows_the_worst_first() {
    let caller = Caller::new(Sample::story());
    let html = page(&caller, "/").await.text().to_owned();
    assert!(html.contains("3 findings need you now"));
    let place = |text: &str| {
        html.find(text)
            .unwrap_or_else(|| panic!("{text} is not there"))
    };
    assert!(place("Factor reset by helpdesk-api") < place("nightly-export woke up"));
    assert!(place("nightly-export woke up") < place("legacy-crm-sync has had"));
    assert!(
        html.contains("<a href=\"/sources/proofpoint.tap\">"),
        "the silent feed is named"
    );
}

#[tokio::test]
async fn today_shows_which_rules_a_mistake_keeps_out() {
    let caller = Caller::new(Sample::story());
    let app = Arc::new(App {
        current: Current::new(InForce {
            rules_left_out: (1..=7).map(|n| format!("r{n}.yml:1: <b>wrong")).collect(),
            ..InForce::default()
        }),
        ..App::new(caller.app.ports.clone())
    });
    let before = page(&caller, "/").await.text().to_owned();
    assert!(!before.contains("<h2>Rules</h2>"), "nothing is wrong");
    let caller = Caller {
        router: deedtrail_web::router(Arc::clone(&app), WebConfig::default()),
        app,
        ..caller
    };
    let html = page(&caller, "/").await.text().to_owned();
    assert!(html.contains("r5.yml:1: ") && !html.contains("r6.yml"));
    assert!(html.contains("and 2 more") && !html.contains("<b>wrong"));
}

async fn first_finding(caller: &Caller) -> String {
    let findings = caller.get("/v1/findings?severity=critical").await.json();
    format!(
        "/findings/{}",
        findings["findings"][0]["id"].as_str().unwrap()
    )
}

#[tokio::test]
async fn a_finding_says_why_what_to_do_and_how_to_prove_it() {
    let caller = Caller::new(Sample::story());
    let address = first_finding(&caller).await;
    let html = page(&caller, &address).await.text().to_owned();
    for words in [
        "9 denied pushes in 4 minutes",
        "What to do first",
        "compromise <span class=\"muted\">86 %",
        "4m 37s without matching events",
        "deedtrail evidence export",
        "class=\"bar hot\"",
        "Who acted on whom",
        "Control references",
        "Where each field came from",
    ] {
        assert!(html.contains(words), "`{words}` is missing");
    }
    let body = Body::from("status=acknowledged&disposition=intrusion&note=%3Cb%3Easked%0D%0AAna");
    let mut request = local(Method::POST, &address, body);
    let form = "application/x-www-form-urlencoded".parse().unwrap();
    request.headers_mut().insert("content-type", form);
    let saved = caller.send(request).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text());
    let html = page(&caller, &address).await.text().to_owned();
    assert!(html.contains("acknowledged: intrusion"));
    assert!(html.contains("asked") && !html.contains("<b>asked"));
}

#[tokio::test]
async fn what_does_not_exist_is_said_in_the_same_look() {
    let caller = Caller::new(Sample::story());
    for (address, status) in [
        ("/no-such-page", 404),
        ("/sources/none", 404),
        ("/identities/nobody", 404),
        ("/findings/xyz", 400),
        ("/sessions/xyz", 400),
        ("/sessions/00000000000000000000000000000000", 404),
        ("/sessions?identity=nobody", 404),
        ("/assets/none", 404),
    ] {
        let answer = caller.get(address).await;
        assert_eq!(answer.status.as_u16(), status, "{address}");
        assert!(answer.text().contains("/assets/"), "{address} has no style");
        assert!(answer.text().contains("Back to Today"), "{address}");
    }
}

#[tokio::test]
async fn commands_to_copy_name_this_server() {
    let https = WebConfig {
        transport: Transport::Https,
        ..WebConfig::default()
    };
    for (config, host, shown) in [
        (WebConfig::default(), "127.0.0.1:9", "http://127.0.0.1:9"),
        (https, "trail.example", "https://trail.example"),
        (WebConfig::default(), "evil\"><b>", "http://localhost"),
    ] {
        let caller = Caller::with_config(Sample::empty(), config);
        for address in ["/", "/sources/okta.system"] {
            let mut request = local(Method::GET, address, Body::empty());
            request.headers_mut().insert("host", host.parse().unwrap());
            let html = caller.send(request).await.text().to_owned();
            let command = format!(" {shown}/v1/ingest/");
            assert!(html.contains(&command), "{address} does not say {command}");
        }
    }
}

#[tokio::test]
async fn sources_say_what_they_are_worth_before_they_count() {
    let caller = Caller::new(Sample::story());
    let html = page(&caller, "/sources").await.text().to_owned();
    let place = |heading: &str| html.find(heading).unwrap();
    for counts in [">Other<", ">Quarantined<", ">Records<", ">Events<"] {
        assert!(place(">Evidence grades<") < place(counts), "{counts}");
    }
    assert!(html.contains("lacks target 35.1"));
}

async fn post(caller: &Caller, address: &str, form: &'static str) -> Answer {
    let mut request = local(Method::POST, address, Body::from(form));
    let kind = "application/x-www-form-urlencoded".parse().unwrap();
    request.headers_mut().insert("content-type", kind);
    caller.send(request).await
}

#[tokio::test]
async fn quarantine_of_every_source_is_replayed_dismissed_and_put_back() {
    let caller = Caller::new(Sample::story());
    let html = page(&caller, "/quarantine").await.text().to_owned();
    for words in [
        "2 records wait in quarantine",
        "duplicate_key",
        "cut by the load test of 1 November",
        "ana@example.com",
        "Put back",
    ] {
        assert!(html.contains(words), "`{words}` is missing");
    }
    let today = page(&caller, "/").await.text().to_owned();
    assert!(today.contains("<a href=\"/quarantine\">2 records wait"));
    let of = "source=github.audit&code=not_json";
    for (what, form, done) in [
        (
            "dismiss",
            "source=github.audit&code=not_json&reason=x",
            "dismissed=1",
        ),
        ("restore", of, "restored=1"),
        ("replay", of, "released=1&waiting=0"),
    ] {
        let answer = post(&caller, &format!("/quarantine/{what}"), form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        let address = answer.header("location").to_owned();
        assert_eq!(address, format!("/quarantine?{done}"));
        assert!(
            page(&caller, &address)
                .await
                .text()
                .contains("role=\"status\"")
        );
    }
    let unexplained = post(&caller, "/quarantine/dismiss", of).await;
    assert_eq!(unexplained.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unexplained.text().contains("say why"));
}

#[tokio::test]
async fn a_source_says_which_numbers_were_skipped_and_what_came_again() {
    let caller = Caller::new(Sample::story());
    let html = page(&caller, "/sources/proofpoint.tap")
        .await
        .text()
        .to_owned();
    for words in [
        "412 to 431",
        "cluster-1",
        "<dt>Sent again</dt><dd>1 204</dd>",
    ] {
        let words = words.replace("1 204", "1\u{202f}204");
        assert!(html.contains(&words), "`{words}` is missing");
    }
}

#[tokio::test]
async fn a_session_shows_what_was_done_next_how_far_it_reached_and_why_it_is_trusted() {
    let caller = Caller::new(Sample::story());
    let list = caller
        .get("/v1/sessions?identity=role/prod-admin")
        .await
        .json();
    let session = &list["sessions"][0];
    let address = format!("/sessions/{}", session["uid"].as_str().unwrap());
    let html = page(&caller, &address).await.text().to_owned();
    for words in [
        "over this and 2 joined sessions",
        "without an action</td>",
        "12 actions of role/prod-admin in aws",
        "<b>crossed 70</b>",
        "and 8 times something else",
        "1\u{202f}240 people by 1 message</bdi>",
        "first abused 2026-11-18",
        "delegation: assumed role: alice stands behind it",
        "<title>1: 75 % sure: ",
        "15m without an action</title>",
        "No finding names it",
    ] {
        let absent = words == "No finding names it";
        assert_eq!(html.contains(words), !absent, "`{words}`");
    }
    let next = caller.get(&format!("/v1{address}/next")).await.json();
    let steps = next["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["gap_s"].as_i64() > Some(300)));
    assert!(steps.is_sorted_by_key(|step| step["at"].as_str().unwrap()));
}

#[tokio::test]
async fn lists_of_sessions_are_filtered_and_say_when_they_are_empty() {
    let caller = Caller::new(Sample::story());
    let all = page(&caller, "/sessions").await.text().to_owned();
    assert_eq!(all.matches("href=\"/sessions/").count(), 4);
    for (query, count) in [
        ("verdict=in_scope", 1),
        ("identity=ci-deployer", 1),
        ("trust_below=1", 0),
        ("trust_below=x", 4),
        ("departing=yes", 3),
    ] {
        let html = page(&caller, &format!("/sessions?{query}")).await;
        let found = html.text().matches("href=\"/sessions/").count();
        assert_eq!(found, count, "{query}");
    }
    let huge = Caller::new(Sample::huge());
    let html = page(&huge, "/sessions?offset=200").await.text().to_owned();
    assert!(html.contains("offset=100\">Back") && !html.contains(">Next<"));
    let map = page(&caller, "/blind-sessions").await.text().to_owned();
    assert!(map.contains("1 system where nobody sees") && map.contains("Salesforce"));
    let empty = Caller::new(Sample::empty());
    for (address, words) in [
        ("/sessions", "There is no session yet"),
        (
            "/blind-sessions",
            "No record has come in yet, so there is no sign-in to follow",
        ),
    ] {
        let html = page(&empty, address).await;
        assert!(html.text().contains(words), "{address}");
    }
}

#[tokio::test]
async fn assets_are_there_and_cacheable() {
    let caller = Caller::new(Sample::story());
    let html = page(&caller, "/").await.text().to_owned();
    let mut addresses = attributes(&html, "href");
    addresses.extend(attributes(&html, "src"));
    let assets: Vec<&String> = addresses
        .iter()
        .filter(|a| a.starts_with("/assets/"))
        .collect();
    assert_eq!(assets.len(), 3);
    for asset in assets {
        let answer = caller.get(asset).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(
            answer.header("cache-control").contains("immutable"),
            "{asset}"
        );
    }
}
