//! Webhooks: who may deliver, and what is taken out of a delivery.

use std::collections::BTreeMap;

use deedtrail_app::App;
use deedtrail_app::intake::IngestAnswer;
use deedtrail_app::webhook::{BadSecret, Challenge, Delivered, Scheme, Webhook, WebhookError};
use deedtrail_core::id::SourceName;
use deedtrail_testkit::sample::Sample;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

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
    let both = |name: &str| asks(name).or((name == "authorization").then_some(SECRET));
    assert_eq!(app.webhook_challenge("okta", &both).unwrap(), "c-1");
    assert!(
        app.webhook_challenge("okta", &asks).is_err(),
        "without the secret"
    );
    for other in ["github", "none"] {
        assert!(app.webhook_challenge(other, &both).is_err(), "{other}");
    }
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
    let take = || taken(app.ingest_webhook("okta", &signed, body.as_bytes()));
    assert_eq!((take().accepted, take().duplicates), (2, 2));
    let broken = taken(app.ingest_webhook("okta", &signed, b"{\"data\":"));
    assert_eq!(broken.quarantined, 1);
}

fn taken(answer: Result<Delivered, WebhookError>) -> IngestAnswer {
    match answer {
        Ok(Delivered::Taken(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_question_of_slack_is_answered_and_not_kept() {
    let slack = webhook("okta.system", Scheme::Slack);
    let app = App {
        webhooks: BTreeMap::from([("slack".to_owned(), slack)]),
        ..App::new(ports(&Sample::empty()))
    };
    let body = br#"{"type":"url_verification","challenge":"c-1"}"#;
    let time = (app.ports.clock.now().as_micros() / 1_000_000).to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("v0:{time}:").as_bytes());
    mac.update(body);
    let signature = format!("v0={}", hex::encode(mac.finalize().into_bytes()));
    let header = |name: &str| match name {
        "x-slack-request-timestamp" => Some(time.as_str()),
        "x-slack-signature" => Some(signature.as_str()),
        _ => None,
    };
    let asked = app.ingest_webhook("slack", &header, body).unwrap();
    let challenge = "c-1".to_owned();
    assert!(
        matches!(asked, Delivered::Asked(Challenge::Slack { challenge: told }) if told == challenge)
    );
    assert_eq!(app.ports.log.end(), 0);
    assert!(app.ingest_webhook("slack", &header, b"{}").is_err());
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
