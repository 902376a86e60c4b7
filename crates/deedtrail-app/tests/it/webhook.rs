//! Webhooks: who may deliver, and what is taken out of a delivery.

use std::collections::BTreeMap;

use deedtrail_app::App;
use deedtrail_app::webhook::{BadSecret, Scheme, Webhook, WebhookError};
use deedtrail_core::id::SourceName;
use deedtrail_testkit::sample::Sample;

use crate::installation::ports;

const SECRET: &str = "0123456789abcdef";

fn webhook(source: &str, scheme: Scheme) -> Webhook {
    Webhook::new(SourceName::new(source).unwrap(), scheme, SECRET).unwrap()
}

fn app() -> App {
    let webhooks = BTreeMap::from([
        ("okta".to_owned(), webhook("okta.system", Scheme::Okta)),
        (
            "github".to_owned(),
            webhook("github.webhook", Scheme::Github),
        ),
    ]);
    App {
        webhooks,
        ..App::new(ports(&Sample::empty()))
    }
}

#[test]
fn an_okta_hook_answers_the_challenge_and_takes_its_events() {
    let app = app();
    let asks = |name: &str| (name == "x-okta-verification-challenge").then_some("c-1");
    assert_eq!(app.webhook_challenge("okta", &asks), Some("c-1"));
    assert_eq!(app.webhook_challenge("github", &asks), None);
    assert_eq!(app.webhook_challenge("none", &asks), None);
    let event = |id: u8| {
        format!(
            r#"{{"uuid":"u-{id}","eventType":"user.session.start","published":"2026-11-18T14:02:11Z","actor":{{"id":"1","type":"User"}}}}"#
        )
    };
    let body = format!(
        r#"{{"eventType":"com.okta.event_hook","eventId":"e","data":{{"events":[{},{}]}}}}"#,
        event(1),
        event(2)
    );
    let signed = |name: &str| (name == "authorization").then_some(SECRET);
    let take = || {
        app.ingest_webhook("okta", &signed, body.as_bytes())
            .unwrap()
    };
    assert_eq!((take().accepted, take().duplicates), (2, 2));
    let broken = app.ingest_webhook("okta", &signed, b"{\"data\":").unwrap();
    assert_eq!(broken.quarantined, 1);
}

#[test]
fn nothing_unsigned_is_kept() {
    let app = app();
    let wrong = |name: &str| (name == "authorization").then_some("0123456789abcdee");
    for name in ["okta", "github", "none"] {
        let refused = app.ingest_webhook(name, &wrong, b"{}");
        assert!(matches!(refused, Err(WebhookError::Refused(_))), "{name}");
    }
    assert_eq!(app.ports.log.end(), 0);
    let refused = &app.counters.refused;
    assert_eq!(refused.load(std::sync::atomic::Ordering::Relaxed), 3);
}

#[test]
fn a_secret_is_long_enough_and_never_shown() {
    let of = |scheme, secret| Webhook::new(SourceName::new("a.b").unwrap(), scheme, secret);
    assert_eq!(
        of(Scheme::Github, "short \n").unwrap_err(),
        BadSecret::Short
    );
    assert_eq!(
        of(Scheme::Standard, "whsec_not base64").unwrap_err(),
        BadSecret::NotBase64
    );
    assert!(!format!("{:?}", webhook("a.b", Scheme::Github)).contains(SECRET));
}
