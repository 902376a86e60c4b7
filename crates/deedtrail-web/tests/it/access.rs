//! Who gets in, and who does not.

use axum::body::Body;
use axum::http::StatusCode;
use deedtrail_app::access::SESSION_ABSOLUTE_US;
use deedtrail_core::port::store::Scope;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::{Needs, Transport, WebConfig, endpoints};

use crate::caller::{Answer, Caller, with_headers};

/// An address of an endpoint: every parameter stands for something that does not exist.
fn address(path: &str) -> String {
    path.replace("{secret}", "none")
        .replace("{source}", "okta.system")
        .replace("{name}", "none")
        .replace("{id}", &"0".repeat(32))
        .replace("{uid}", &"0".repeat(32))
}

#[tokio::test]
async fn no_endpoint_answers_without_a_principal() {
    let caller = Caller::new(Sample::story());
    let open = [
        "/healthz",
        "/readyz",
        "/csp-report",
        "/sign-in/{secret}",
        "/assets/{name}",
    ];
    let mut walked = 0;
    for endpoint in endpoints() {
        if endpoint.needs == Needs::Nothing {
            assert!(open.contains(&endpoint.path), "{} is open", endpoint.path);
            continue;
        }
        let address = address(endpoint.path);
        for headers in [
            &[][..],
            &[("authorization", "Bearer dt_no")],
            &[("cookie", "deedtrail=no")],
        ] {
            let request = with_headers(endpoint.method, &address, headers, Body::empty());
            let answer = caller.send(request).await;
            let what = format!("{} {} {headers:?}", endpoint.method, endpoint.path);
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
            assert!(
                answer.header("www-authenticate").starts_with("Bearer")
                    || !endpoint.path.starts_with("/v1"),
                "{what}"
            );
            assert!(!answer.text().contains("alice"), "{what}");
        }
        walked += 1;
    }
    assert!(walked >= 22, "only {walked} endpoints were walked");
}

#[tokio::test]
async fn every_endpoint_wants_its_own_scope() {
    let caller = Caller::new(Sample::story());
    for endpoint in endpoints() {
        let Needs::Scope(needed) = endpoint.needs else {
            continue;
        };
        let others = [Scope::Ingest, Scope::Read, Scope::Write].into_iter();
        let others: Vec<Scope> = others.filter(|scope| *scope != needed).collect();
        let authorization = format!("Bearer {}", caller.token(&others));
        let headers = [("authorization", authorization.as_str())];
        let request = with_headers(endpoint.method, &address(endpoint.path), &headers, "");
        let answer = caller.send(request).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", endpoint.path);
        let authorization = format!("Bearer {}", caller.token(&[needed]));
        let headers = [("authorization", authorization.as_str())];
        let request = with_headers(endpoint.method, &address(endpoint.path), &headers, "");
        let answer = caller.send(request).await;
        let refused = [StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED];
        assert!(
            !refused.contains(&answer.status),
            "{} {}",
            endpoint.path,
            answer.status
        );
    }
}

async fn redeem(caller: &Caller) -> (String, Answer) {
    let secret = caller.app.create_sign_in_link().unwrap();
    let link = format!("/sign-in/{secret}");
    let fetched = caller.send(with_headers("GET", &link, &[], "")).await;
    assert_eq!(fetched.status, StatusCode::OK);
    assert!(
        fetched.headers.get("set-cookie").is_none(),
        "fetching the link signs nobody in"
    );
    let posted = caller.send(with_headers("POST", &link, &[], "")).await;
    assert_eq!(posted.status, StatusCode::SEE_OTHER);
    (link, posted)
}

#[tokio::test]
async fn a_link_works_once_and_only_by_posting() {
    let caller = Caller::new(Sample::story());
    let (link, posted) = redeem(&caller).await;
    let cookie = posted.header("set-cookie").to_owned();
    assert!(cookie.starts_with("deedtrail="), "{cookie}");
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let again = caller.send(with_headers("POST", &link, &[], "")).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    assert!(again.text().contains("no longer works"));

    let value = cookie.split(';').next().unwrap();
    let page = caller
        .send(with_headers("GET", "/", &[("cookie", value)], ""))
        .await;
    assert_eq!(page.status, StatusCode::OK);
    let out = caller
        .send(with_headers("POST", "/sign-out", &[("cookie", value)], ""))
        .await;
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    let page = caller
        .send(with_headers("GET", "/", &[("cookie", value)], ""))
        .await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn over_https_the_cookie_is_bound_to_the_host() {
    let config = WebConfig {
        transport: Transport::Https,
        ..WebConfig::default()
    };
    let caller = Caller::with_config(Sample::story(), config);
    let (_, posted) = redeem(&caller).await;
    let cookie = posted.header("set-cookie");
    assert!(
        cookie.starts_with("__Host-deedtrail=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
}

#[tokio::test]
async fn a_session_ends() {
    let caller = Caller::new(Sample::story());
    let (_, posted) = redeem(&caller).await;
    let cookie = posted
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    caller.sample.clock.advance(SESSION_ABSOLUTE_US + 1);
    let page = caller
        .send(with_headers("GET", "/", &[("cookie", &cookie)], ""))
        .await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn another_site_cannot_post() {
    let caller = Caller::new(Sample::story());
    let (_, posted) = redeem(&caller).await;
    let cookie = posted
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    for (site, status) in [
        ("cross-site", 403),
        ("same-site", 403),
        ("same-origin", 303),
    ] {
        let headers = [("cookie", cookie.as_str()), ("sec-fetch-site", site)];
        let answer = caller
            .send(with_headers("POST", "/sign-out", &headers, ""))
            .await;
        assert_eq!(answer.status.as_u16(), status, "{site}");
    }
    let foreign = [("host", "localhost:1"), ("origin", "http://evil.example")];
    let answer = caller
        .send(with_headers("POST", "/sign-in/none", &foreign, ""))
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn every_answer_has_the_security_headers_and_an_id() {
    let caller = Caller::new(Sample::story());
    for address in [
        "/",
        "/healthz",
        "/v1/events",
        "/no-such-page",
        "/v1/no-such-thing",
    ] {
        let answer = caller.get(address).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';"), "{address}");
        assert!(!policy.contains("unsafe"), "{address}");
        assert_eq!(
            answer.header("x-content-type-options"),
            "nosniff",
            "{address}"
        );
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{address}");
        assert_eq!(
            answer.header("cross-origin-opener-policy"),
            "same-origin",
            "{address}"
        );
        assert_eq!(answer.header("x-request-id").len(), 16, "{address}");
        assert!(!answer.header("cache-control").is_empty(), "{address}");
    }
    assert_eq!(caller.get("/").await.header("cache-control"), "no-store");
}
