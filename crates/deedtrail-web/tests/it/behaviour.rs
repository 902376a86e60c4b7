//! Learned behaviour by page and API.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use deedtrail_core::behaviour::{
    ActiveDay, Baseline, BaselineRecord, BudgetForecast, Drift, Forecast, IdentityBehaviour,
    Readiness, Rise, UnusualDay, WeekDistance, Withdrawal,
};
use deedtrail_core::charter::Signed;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::store::{Progress, Scope, Store as _};
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::sample::Sample;
use serde_json::json;

use crate::caller::{Caller, local, with_headers};
use crate::reference::compared;

const WHO: &str = "ci-deployer";

/// The story, in which the deployer drifts to something with markup in its name.
async fn caller() -> Caller {
    let caller = Caller::new(Sample::story());
    let identity = caller.get(&format!("/v1/identities/{WHO}")).await.json();
    let id = identity["identity"]["id"].as_str().unwrap();
    let at = Timestamp::from_micros(1_772_442_000_000_000);
    let known = IdentityBehaviour {
        tenant: TenantId::default(),
        identity: id.parse().unwrap(),
        at,
        days: vec![ActiveDay {
            day: u16::try_from(at.utc_day()).unwrap(),
            events: 12,
        }],
        unusual: vec![UnusualDay {
            day: u16::try_from(at.utc_day()).unwrap(),
            sessions: 2,
        }],
        sources: vec![SourceName::new("aws.cloudtrail").unwrap()],
        chartered: false,
        peer_group: "<i>runners</i>".into(),
        readiness: Readiness {
            sessions: 31,
            sequence: true,
            threshold: true,
            ..Readiness::default()
        },
        drift: Some(Drift {
            score: 0.61,
            noise: 0.1,
            trend: 0.1,
            weeks: [0.2, 0.4, 0.61]
                .map(|distance| WeekDistance {
                    week: 2_930,
                    distance,
                })
                .to_vec(),
            rising: vec![Rise {
                action: "`<script>x`".to_owned(),
                before: 0.0,
                now: 0.4,
            }],
        }),
    };
    let store = &caller.sample.store;
    store
        .save(Progress {
            through: store.processed().unwrap(),
            behaviours: vec![known],
            forecasts: vec![Forecast {
                at,
                days: 30,
                sessions: 900,
                in_force: 2.0,
                budgets: vec![BudgetForecast {
                    per_day: 2,
                    alerts: 55,
                }],
                ..Forecast::default()
            }],
            ..Progress::default()
        })
        .unwrap();
    caller
}

#[tokio::test]
async fn the_page_tells_who_drifts_what_a_budget_costs_and_which_sources_are_judged() {
    let caller = caller().await;
    let html = caller.get("/behaviour").await.text().to_owned();
    for words in [
        "0.20 0.40 0.61",
        "&#60;script&#62;",
        "In force",
        "Behavioural",
        ">55<",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    assert!(!html.contains("<script>x"), "{html}");
    let identity = caller.get(&format!("/identities/{WHO}")).await;
    let html = identity.text();
    assert!(
        html.contains("Its sessions are judged: 31 sessions"),
        "{html}"
    );
    assert!(
        html.contains("Its work has been changing for weeks"),
        "{html}"
    );
    assert!(!html.contains("<i>runners"), "{html}");
}

#[tokio::test]
async fn a_baseline_is_approved_by_who_may_decide_and_by_nobody_else() {
    let caller = caller().await;
    let address = format!("/v1/identities/{WHO}/baselines");
    let (reader, writer) = (caller.token(&[Scope::Read]), caller.token(&[Scope::Write]));
    let end = caller.app.ports.log.end();
    let post = async |token: &str, body: &'static str| {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        caller
            .send(with_headers("POST", &address, &headers, body))
            .await
    };
    assert_eq!(post(&reader, "{}").await.status, StatusCode::FORBIDDEN);
    let barred = post(&writer, "{}").await;
    assert_eq!(barred.status, StatusCode::CONFLICT);
    compared(&barred.json(), "Problem");
    let detail = barred.json()["detail"].to_string();
    assert!(detail.contains("accept_open_findings"), "{detail}");
    assert_eq!(caller.app.ports.log.end(), end);
    let approved = post(&writer, r#"{"accept_open_findings": true}"#).await;
    compared(&approved.json(), "BaselineApproved");
    // Nothing processes the log here.
    assert_eq!(approved.json()["baseline"], serde_json::Value::Null);
    assert_eq!(caller.app.ports.log.end(), end + 1, "an entry of the log");
    let form = local(
        Method::POST,
        &format!("/identities/{WHO}/baseline"),
        Body::from("accept_open_findings=yes"),
    );
    let mut form = form;
    let kind = "application/x-www-form-urlencoded".parse().unwrap();
    form.headers_mut().insert("content-type", kind);
    let answer = caller.send(form).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
}

#[tokio::test]
async fn answers_have_the_fields_their_schemas_name() {
    let caller = caller().await;
    let finding = caller.get("/v1/findings").await.json()["findings"][0]["id"].clone();
    for (address, schema) in [
        ("/v1/behaviour".to_owned(), "BehaviourOverview"),
        ("/v1/standings".to_owned(), "Standings"),
        (format!("/v1/identities/{WHO}/standing"), "Standing"),
        (format!("/v1/identities/{WHO}/baseline"), "Baseline"),
        (format!("/v1/identities/{WHO}/baselines"), "BaselineList"),
        (
            format!("/v1/findings/{}/explanation", finding.as_str().unwrap()),
            "Explanation",
        ),
        ("/v1/identities/nobody/standing".to_owned(), "Problem"),
        (
            format!("/v1/identities/{WHO}/baselines/diff?from=7"),
            "Problem",
        ),
    ] {
        compared(&caller.get(&address).await.json(), schema);
    }
    let behaviour = caller.get("/v1/behaviour").await.json();
    assert_eq!(behaviour["drifting"][0]["readiness"]["sessions"], 31);
    assert_eq!(
        behaviour["forecast"]["budgets"],
        json!([{ "per_day": 2, "alerts": 55 }])
    );
}

/// A baseline of the deployer that somebody withdrew, and one that holds.
async fn with_baselines() -> Caller {
    let caller = caller().await;
    let identity = caller.get(&format!("/v1/identities/{WHO}")).await.json();
    let id = identity["identity"]["id"].as_str().unwrap();
    let signed = |by: &str| Signed {
        by: by.into(),
        at: Timestamp::from_micros(1_772_442_000_000_000),
    };
    let record = |by: &str, withdrawn: Option<&str>| BaselineRecord {
        tenant: TenantId::default(),
        identity: id.parse().unwrap(),
        version: 0,
        owner: None,
        approved: signed(by),
        baseline: Baseline {
            events: 7,
            actions: [("aws.cloudtrail <b>read".into(), 7)].into(),
            ..Baseline::default()
        },
        accepted_findings: Vec::new(),
        withdrawn: withdrawn.map(|reason| Withdrawal {
            signed: signed("<b>cem"),
            reason: reason.into(),
        }),
    };
    let store = &caller.sample.store;
    let baselines = vec![record("ana", None), record("ben", Some("<script>why"))];
    store
        .save(Progress {
            through: store.processed().unwrap(),
            baselines,
            ..Progress::default()
        })
        .unwrap();
    caller
}

#[tokio::test]
async fn an_approved_baseline_is_shown_by_its_number_and_withdrawn_with_a_reason() {
    let caller = with_baselines().await;
    let page = format!("/identities/{WHO}/baseline");
    let shown = caller.get(&page).await;
    let html = shown.text();
    assert!(
        html.contains("Withdrawn</span> <bdi>&#60;b&#62;cem</bdi>"),
        "{html}"
    );
    assert!(!html.contains("<script>why"), "{html}");
    assert!(
        html.contains("aria-label=\"Withdraw baseline 1\""),
        "{html}"
    );
    assert!(
        !html.contains("aria-label=\"Withdraw baseline 2\""),
        "{html}"
    );
    let shown = caller.get(&format!("{page}?number=1")).await;
    let one = shown.text();
    assert!(one.contains("Baseline 1 of"), "{one}");
    assert!(one.contains("aws.cloudtrail &#60;b&#62;read"), "{one}");
    assert_eq!(
        caller.get(&format!("{page}?number=9")).await.status,
        StatusCode::NOT_FOUND
    );

    let baselines = format!("/v1/identities/{WHO}/baselines");
    let second = caller.get(&format!("{baselines}/2")).await.json();
    compared(&second, "BaselineRecord");
    assert_eq!(second["withdrawn"]["reason"], "<script>why");
    let bearer = format!("Bearer {}", caller.token(&[Scope::Write]));
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let withdraw = async |version: u8, body: &'static str| {
        let address = format!("{baselines}/{version}/withdraw");
        caller
            .send(with_headers("POST", &address, &headers, body))
            .await
    };
    let answer = withdraw(1, r#"{"reason": " "}"#).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let answer = withdraw(2, r#"{"reason": "again"}"#).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    let end = caller.app.ports.log.end();
    let answer = withdraw(1, r#"{"reason": "not what it is for"}"#).await;
    compared(&answer.json(), "BaselineWithdrawn");
    assert_eq!(caller.app.ports.log.end(), end + 1, "an entry of the log");
}
