//! Who gets in, and who does not.

use axum::body::Body;
use axum::http::StatusCode;
use deedtrail_app::access::{Principal, SESSION_ABSOLUTE_US, SESSION_IDLE_US};
use deedtrail_core::port::store::Scope;
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::{Needs, Transport, WebConfig, endpoints};

use crate::caller::{Answer, Caller, with_headers};

/// An address of an endpoint: every parameter stands for something that does not exist.
fn address(path: &str) -> String {
    path.replace("{secret}", "none")
        .replace("{source}", "okta.system")
        .replace("{name}", "none")
        .replace("{index}", "okta.system")
        .replace("{id}", &"0".repeat(32))
        .replace("{uid}", &"0".repeat(32))
}

/// gRPC tells how a call ended beside the status, transmitters of signals are told 400 of everything
/// (RFC 8935, 2.3).
fn status(answer: &Answer) -> StatusCode {
    if answer.text().starts_with("{\"err\":") {
        return StatusCode::UNAUTHORIZED;
    }
    match answer.header("grpc-status") {
        "16" => StatusCode::UNAUTHORIZED,
        "7" => StatusCode::FORBIDDEN,
        _ => answer.status,
    }
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
        "/services/collector/health",
        // Logs that are witnessed sign what they send, and are told nothing of this one.
        "/v1/witness/add-checkpoint",
        "/v1/witness/{origin_hash}/checkpoint",
        // Whether deliveries are wanted; they need a token.
        "/v1/cloudevents",
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
            assert_eq!(status(&answer), StatusCode::UNAUTHORIZED, "{what}");
            assert!(
                answer.header("www-authenticate").starts_with("Bearer")
                    || !endpoint.path.starts_with("/v1")
                    || endpoint.path.starts_with("/v1/signals"),
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
        assert_eq!(status(&answer), StatusCode::FORBIDDEN, "{}", endpoint.path);
        let authorization = format!("Bearer {}", caller.token(&[needed]));
        let headers = [("authorization", authorization.as_str())];
        let request = with_headers(endpoint.method, &address(endpoint.path), &headers, "");
        let answer = caller.send(request).await;
        let refused = [StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED];
        assert!(
            !refused.contains(&status(&answer)),
            "{} {}",
            endpoint.path,
            answer.status
        );
    }
}

/// Address of a new link for a person.
pub(crate) fn link(caller: &Caller, person: &str, scopes: &[Scope]) -> String {
    let local = Principal::local();
    let secret = caller
        .app
        .create_sign_in_link(&local, person, scopes.to_vec());
    format!("/sign-in/{}", secret.unwrap())
}

/// The session cookie an answer sets.
pub(crate) fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie");
    cookie.split(';').next().unwrap().to_owned()
}

/// How a page answers a browser with this cookie.
pub(crate) async fn visit(caller: &Caller, address: &str, cookie: &str) -> Answer {
    let headers = [("cookie", cookie)];
    caller
        .send(with_headers("GET", address, &headers, ""))
        .await
}

async fn redeem(caller: &Caller) -> (String, Answer) {
    let link = link(caller, "ana", &[Scope::Admin]);
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
async fn a_session_in_use_ends_at_its_absolute_limit() {
    let caller = Caller::new(Sample::story());
    let (_, posted) = redeem(&caller).await;
    let cookie = cookie(&posted);
    for _ in 1..SESSION_ABSOLUTE_US / Timestamp::HOUR_US {
        caller.sample.clock.advance(Timestamp::HOUR_US);
        let page = visit(&caller, "/sources", &cookie).await;
        assert_eq!(page.status, StatusCode::OK);
    }
    caller.sample.clock.advance(Timestamp::HOUR_US);
    let page = visit(&caller, "/sources", &cookie).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_idle_session_ends() {
    let caller = Caller::new(Sample::story());
    for (silence_us, status) in [
        (SESSION_IDLE_US, StatusCode::OK),
        (SESSION_IDLE_US + 1, StatusCode::UNAUTHORIZED),
    ] {
        let (_, posted) = redeem(&caller).await;
        caller.sample.clock.advance(silence_us);
        let page = visit(&caller, "/sources", &cookie(&posted)).await;
        assert_eq!(page.status, status, "{silence_us}");
    }
}

#[tokio::test]
async fn people_sign_in_under_their_own_name_and_scopes() {
    let caller = Caller::new(Sample::story());
    let findings = caller.get("/v1/findings?severity=critical").await.json();
    let id = findings["findings"][0]["id"].as_str().unwrap();
    let address = format!("/findings/{id}");
    for (person, scopes, status) in [
        ("ana reader", &[Scope::Read][..], StatusCode::FORBIDDEN),
        ("ben", &[Scope::Read, Scope::Write], StatusCode::SEE_OTHER),
    ] {
        let link = link(&caller, person, scopes);
        let posted = caller.send(with_headers("POST", &link, &[], "")).await;
        let cookie = cookie(&posted);
        let page = visit(&caller, &address, &cookie).await;
        assert!(page.text().contains(person));
        let offered = page.text().contains("Save decision");
        assert_eq!(offered, status == StatusCode::SEE_OTHER, "{person}");
        let form = "application/x-www-form-urlencoded";
        let headers = [("cookie", cookie.as_str()), ("content-type", form)];
        let decision = with_headers(
            "POST",
            &address,
            &headers,
            "status=closed&disposition=drift",
        );
        assert_eq!(caller.send(decision).await.status, status, "{person}");
    }
    let decided = caller.get(&format!("/v1/findings/{id}")).await.json();
    assert_eq!(decided["analyst"], "ben");
}

#[tokio::test]
async fn a_newer_link_ends_the_older_one_of_the_same_person() {
    let caller = Caller::new(Sample::story());
    let older = link(&caller, "ana", &[Scope::Read]);
    let other = link(&caller, "ben", &[Scope::Read]);
    let newer = link(&caller, "ana", &[Scope::Read]);
    for (link, status) in [(older, 401), (newer, 303), (other, 303)] {
        let posted = caller.send(with_headers("POST", &link, &[], "")).await;
        assert_eq!(posted.status.as_u16(), status, "{link}");
    }
}

#[tokio::test]
async fn the_first_link_is_made_until_somebody_has_signed_in() {
    let caller = Caller::new(Sample::empty());
    let first = caller.app.first_sign_in_link().unwrap().unwrap();
    let second = caller.app.first_sign_in_link().unwrap().unwrap();
    assert!(caller.app.redeem_sign_in_link(&first).is_err());
    caller.app.redeem_sign_in_link(&second).unwrap();
    assert_eq!(caller.app.first_sign_in_link().unwrap(), None);
}

#[tokio::test]
async fn nobody_signs_in_as_the_owner_a_token_or_a_disguise() {
    let caller = Caller::new(Sample::empty());
    let long = "x".repeat(81);
    for name in ["", " ", "local", "token:dt_1", "an\u{202e}a", "a\nb", &long] {
        let made = caller
            .app
            .create_sign_in_link(&Principal::local(), name, vec![Scope::Read]);
        assert!(made.is_err(), "{name:?}");
    }
    let reader = Principal {
        scopes: vec![Scope::Read],
        ..Principal::local()
    };
    let made = caller
        .app
        .create_sign_in_link(&reader, "ana", vec![Scope::Admin]);
    assert!(made.is_err(), "only an admin makes links");
}

#[tokio::test]
async fn reports_of_browsers_do_not_fill_the_log() {
    let caller = Caller::new(Sample::empty());
    let report = || with_headers("POST", "/csp-report", &[], "{}");
    for _ in 0..10 {
        assert_eq!(caller.send(report()).await.status, StatusCode::NO_CONTENT);
    }
    let refused = caller.send(report()).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.header("retry-after"), "60");
    caller.sample.clock.advance(Timestamp::MINUTE_US);
    assert_eq!(caller.send(report()).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn another_site_cannot_post() {
    let caller = Caller::new(Sample::story());
    let (_, posted) = redeem(&caller).await;
    let cookie = cookie(&posted);
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
