//! The witness as strangers reach it, and what is told of our own witnesses.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use deedtrail_app::App;
use deedtrail_core::port::witness::{Refusal, Witness, Witnesses};
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::{RemoteAddress, WebConfig};

use crate::caller::{Answer, Caller};

/// Counts what it was asked to cosign.
#[derive(Debug, Default)]
struct Counting(AtomicU32);

impl Witness for Counting {
    fn add_checkpoint(&self, _: &str) -> Result<String, Refusal> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok("cosigned\n".to_owned())
    }

    fn checkpoint(&self, _: &str) -> Result<Option<String>, Refusal> {
        Ok(None)
    }

    fn key(&self) -> String {
        String::new()
    }
}

#[derive(Debug)]
struct Vouched(Option<&'static str>);

impl Witnesses for Vouched {
    fn quorate(&self) -> Option<String> {
        self.0.map(str::to_owned)
    }
}

async fn ask(caller: &Caller, from: [u8; 4]) -> Answer {
    let mut request = Request::post("/v1/witness/add-checkpoint")
        .body(Body::from("old 0\n\n"))
        .unwrap();
    let from = RemoteAddress(IpAddr::from(from));
    request.extensions_mut().insert(from);
    caller.send(request).await
}

#[tokio::test]
async fn strangers_ask_the_witness_so_often_and_no_oftener() {
    let witness = Arc::new(Counting::default());
    let caller = Caller::with(Sample::empty(), WebConfig::default(), |app| App {
        witness: Some(Arc::clone(&witness) as _),
        ..app
    });
    for _ in 0..120 {
        assert_eq!(ask(&caller, [192, 0, 2, 1]).await.status, StatusCode::OK);
    }
    let refused = ask(&caller, [192, 0, 2, 1]).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let seconds: u32 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(witness.0.load(Ordering::Relaxed), 120);
    // Others have their own share, until all of it is taken.
    for last in 2..6 {
        for _ in 0..120 {
            assert_eq!(ask(&caller, [192, 0, 2, last]).await.status, StatusCode::OK);
        }
    }
    let refused = ask(&caller, [192, 0, 2, 9]).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(witness.0.load(Ordering::Relaxed), 600);
    caller.sample.clock.advance(Timestamp::MINUTE_US);
    assert_eq!(ask(&caller, [192, 0, 2, 9]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_newest_checkpoint_comes_with_what_witnesses_say() {
    for said in [None, Some("a note\n\n\u{2014} w sig\n")] {
        let caller = Caller::with(Sample::empty(), WebConfig::default(), |app| App {
            witnesses: Some(Arc::new(Vouched(said))),
            ..app
        });
        let answer = caller.get("/v1/checkpoints").await.json();
        assert_eq!(answer["cosigned"].as_str(), said, "{answer}");
    }
    let alone = Caller::new(Sample::empty());
    let answer = alone.get("/v1/checkpoints").await.json();
    assert!(answer["cosigned"].is_null() && answer.get("cosigned").is_some());
}
