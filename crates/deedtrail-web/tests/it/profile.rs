//! Sessions with their joins and identities with their habits, as pages.

use axum::http::StatusCode;
use deedtrail_core::port::store::{Progress, Store as _};
use deedtrail_core::session::SessionJoin;
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::sample::Sample;

use crate::caller::Caller;

async fn html(caller: &Caller, address: &str) -> String {
    let answer = caller.get(address).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.text().to_owned()
}

async fn session_of(caller: &Caller, who: &str) -> serde_json::Value {
    let list = caller.get(&format!("/v1/sessions?identity={who}")).await;
    list.json()["sessions"][0].clone()
}

#[tokio::test]
async fn weak_joins_are_one_line_and_not_drawn() {
    let sample = Sample::story();
    let caller = Caller::new(sample);
    let uid = session_of(&caller, "role/prod-admin").await["uid"].clone();
    let address = format!("/sessions/{}", uid.as_str().unwrap());
    let joins = caller.get(&format!("/v1{address}")).await.json()["joins"].clone();
    let weak = |join: SessionJoin| SessionJoin {
        reason: "<b>the same identity</b> within 15 minutes".into(),
        confidence: 50,
        from: join.to,
        to: join.from,
        ..join
    };
    let joins: Vec<SessionJoin> = serde_json::from_value(joins).unwrap();
    assert_eq!(joins.len(), 2);
    let store = &caller.sample.store;
    let progress = Progress {
        through: store.processed().unwrap(),
        session_joins: joins.into_iter().map(weak).collect(),
        ..Progress::default()
    };
    store.save(progress).unwrap();
    let html = html(&caller, &address).await;
    let line = "<summary>1 weak join, 50 % sure: &#60;b&#62;the same identity";
    assert!(html.contains(line), "{html}");
    assert_eq!(
        html.matches("class=\"link\"").count(),
        3,
        "two joins and trust"
    );
}

#[tokio::test]
async fn weak_joins_lead_no_further_than_one_step() {
    let caller = Caller::new(Sample::story());
    let uid = |session: &serde_json::Value| session["uid"].as_str().unwrap().to_owned();
    let alone = session_of(&caller, "ci-deployer").await;
    let role = session_of(&caller, "role/prod-admin").await;
    let known = caller.get(&format!("/v1/sessions/{}", uid(&role))).await;
    let joins: Vec<SessionJoin> = serde_json::from_value(known.json()["joins"].clone()).unwrap();
    let sure = joins
        .into_iter()
        .find(|join| join.to.to_string() != uid(&role));
    let sure = sure.unwrap();
    let okta = sure.from;
    let store = &caller.sample.store;
    let progress = Progress {
        through: store.processed().unwrap(),
        session_joins: vec![SessionJoin {
            from: uid(&alone).parse().unwrap(),
            to: okta,
            confidence: 50,
            ..sure
        }],
        ..Progress::default()
    };
    store.save(progress).unwrap();
    for (session, joined) in [(uid(&role), 2), (okta.to_string(), 3), (uid(&alone), 3)] {
        let file = caller.get(&format!("/v1/sessions/{session}")).await.json();
        assert_eq!(file["joined"].as_array().unwrap().len(), joined, "{file}");
    }
}

#[tokio::test]
async fn joins_of_an_earlier_part_are_not_those_of_the_one_shown() {
    let caller = Caller::new(Sample::story());
    let role = session_of(&caller, "role/prod-admin").await;
    let address = format!("/v1/sessions/{}", role["uid"].as_str().unwrap());
    let known = caller.get(&address).await.json();
    let joins: Vec<SessionJoin> = serde_json::from_value(known["joins"].clone()).unwrap();
    let store = &caller.sample.store;
    for (hours, joined) in [(11, 2), (13, 0)] {
        let earlier = |join: &SessionJoin| SessionJoin {
            at: join.at.plus_micros(-hours * Timestamp::HOUR_US),
            ..join.clone()
        };
        let progress = Progress {
            through: store.processed().unwrap(),
            session_joins: joins.iter().map(earlier).collect(),
            ..Progress::default()
        };
        store.save(progress).unwrap();
        let file = caller.get(&address).await.json();
        assert_eq!(
            file["joined"].as_array().unwrap().len(),
            joined,
            "{hours} h"
        );
        assert_eq!(file["joins"].as_array().unwrap().len(), joined, "{hours} h");
        assert_eq!(file["more"], false);
    }
}

#[tokio::test]
async fn actions_lead_to_their_event_on_the_timeline() {
    let caller = Caller::new(Sample::story());
    let session = session_of(&caller, "ci-deployer").await;
    let text = |name: &str| session[name].as_str().unwrap().to_owned();
    let html = html(&caller, &format!("/sessions/{}", text("uid"))).await;
    let event = session["next"][0]["event_uid"].as_str().unwrap();
    let at = session["next"][0]["at"].as_str().unwrap();
    let (day, _) = at.split_once('T').unwrap();
    let address = format!("/identities/{}?from={day}", text("identity"));
    assert!(html.contains(&address), "{address}");
    assert!(html.contains(&format!("event={event}")), "{event}");
}

#[tokio::test]
async fn an_identity_shows_its_hours_and_what_it_does_against_before() {
    let caller = Caller::new(Sample::story());
    let page = html(&caller, "/identities/nightly-export").await;
    for words in [
        "6 events, most on Wednesday at 11:00 (6)",
        "Wednesday 11:00 to 12:00 UTC: 6 events in 12 weeks",
        "class=\"heat h5\"",
        "There is nothing to compare with.",
    ] {
        assert!(page.contains(words), "`{words}` is missing");
    }
    assert_eq!(page.matches("<rect class=\"heat").count(), 7 * 24);
}
