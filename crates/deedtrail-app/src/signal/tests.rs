//! What is a SET, whose keys count, and what is kept.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::Transmitter;
use jsonwebtoken::Algorithm;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// 2026-11-18T14:00:00Z.
const NOW_S: i64 = 1_795_010_400;
const NOW: Timestamp = Timestamp::from_micros(NOW_S * Timestamp::SECOND_US);
const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

fn parties() -> Parties {
    Parties {
        issuer: "https://idp.example.com/".to_owned(),
        audience: "https://rp.example.com".to_owned(),
    }
}

fn payload() -> Value {
    json!({
        "iss": "https://idp.example.com/", "aud": "https://rp.example.com", "iat": NOW_S,
        "jti": "j-1", "txn": "8675309",
        "sub_id": { "format": "email", "email": "ana@example.com" },
        "events": { REVOKED: { "event_timestamp": NOW_S - 5 } },
    })
}

fn without(name: &str) -> Value {
    let mut payload = payload();
    payload.as_object_mut().unwrap().remove(name);
    payload
}

fn with(name: &str, value: Value) -> Value {
    let mut payload = payload();
    payload[name] = value;
    payload
}

fn read(token: &str) -> Result<String, BadSet> {
    let parties = parties();
    let set = Set::read(token.as_bytes(), &parties, NOW)?;
    set.record()?;
    Ok(set.id().to_owned())
}

fn check(payload: &Value, expected: Result<&str, BadSet>) {
    let token = Transmitter::new("k", 1).set(payload);
    assert_eq!(read(&token), expected.map(str::to_owned), "{payload}");
}

#[test]
fn claims_are_what_the_framework_asks_for() {
    check(&payload(), Ok("j-1"));
    let others = json!(["https://other.example", "https://rp.example.com"]);
    check(&with("aud", others), Ok("j-1"));
    check(
        &with("aud", json!("https://rp.example.com/")),
        Err(BadSet::Audience),
    );
    check(&with("aud", json!([])), Err(BadSet::Audience));
    check(&without("aud"), Err(BadSet::Audience));
    check(
        &with("iss", json!("https://idp.example.com")),
        Err(BadSet::Issuer),
    );
    check(&without("iss"), Err(BadSet::Issuer));
    check(&with("iss", json!(7)), Err(BadSet::Payload));
    check(&with("sub", json!("ana")), Err(BadSet::NotASignal));
    check(&with("exp", json!(NOW_S + 60)), Err(BadSet::NotASignal));
    check(&with("iat", json!(NOW_S + 300)), Ok("j-1"));
    check(&with("iat", json!(NOW_S - 999_999)), Ok("j-1"));
    check(&with("iat", json!(NOW_S + 301)), Err(BadSet::Ahead));
    check(&with("iat", json!("yesterday")), Err(BadSet::Payload));
    check(&without("iat"), Err(BadSet::IssuedAt));
    check(&without("jti"), Err(BadSet::Id));
    check(&with("jti", json!("")), Err(BadSet::Id));
    check(&with("jti", json!("x".repeat(1025))), Err(BadSet::Id));
}

#[test]
fn a_set_says_one_thing() {
    check(&without("events"), Err(BadSet::Events));
    check(&with("events", json!({})), Err(BadSet::Events));
    check(&with("events", json!([REVOKED])), Err(BadSet::Events));
    check(
        &with("events", json!({ REVOKED: "yes" })),
        Err(BadSet::Events),
    );
    let two = json!({ REVOKED: {}, "https://schemas.openid.net/secevent/caep/event-type/credential-change": {} });
    check(&with("events", two), Err(BadSet::Events));
    // Two names of the same event are allowed.
    let alternative = json!({ REVOKED: {}, "https://old.example/event-type/session-revoked": {} });
    check(&with("events", alternative), Ok("j-1"));
    let many = (0..9).map(|n| (format!("https://{n}.example/a"), json!({})));
    check(
        &with("events", Value::Object(many.collect())),
        Err(BadSet::Events),
    );
}

#[test]
fn a_header_is_that_of_a_set() {
    let transmitter = Transmitter::new("k", 1);
    let header = |name: &str, value: Value| {
        let mut header = transmitter.header();
        header[name] = value;
        read(&transmitter.sign(&header, &payload().to_string()))
    };
    for fine in ["secevent+jwt", "SecEvent+JWT", "application/secevent+jwt"] {
        assert!(header("typ", json!(fine)).is_ok(), "{fine}");
    }
    for other in [json!("JWT"), json!("at+jwt"), Value::Null] {
        assert_eq!(header("typ", other), Err(BadSet::Type));
    }
    for alg in ["none", "None", "HS256", "HS512", "RS1", "ES384", ""] {
        assert_eq!(header("alg", json!(alg)), Err(BadSet::Algorithm), "{alg}");
    }
    assert_eq!(header("alg", Value::Null), Err(BadSet::Header));
    assert_eq!(header("crit", json!(["b64"])), Err(BadSet::Critical));
    // Where its keys are is never asked of a token.
    assert!(header("jku", json!("https://evil.example/keys")).is_ok());
}

#[test]
fn what_is_no_token_is_refused() {
    let token = Transmitter::new("k", 1).set(&payload());
    let (message, _) = token.rsplit_once('.').unwrap();
    let padded = format!("{token}=");
    let four = format!("{token}.AA");
    let unsigned = format!("{message}.");
    for other in [
        "", ".", "..", "a.b", message, &unsigned, "{}", "é.é.é", &padded, &four,
    ] {
        assert_eq!(read(other), Err(BadSet::NotCompact), "{other}");
    }
    assert_eq!(read(&"a".repeat(SET_BYTES_MAX + 1)), Err(BadSet::TooLarge));
    let text = |text: &str| URL_SAFE_NO_PAD.encode(text);
    assert_eq!(read(&format!("{}.AA.AA", text("[]"))), Err(BadSet::Header));
    let head = text(&Transmitter::new("k", 1).header().to_string());
    for payload in [
        "",
        "[]",
        "7",
        r#"{"iss":"a","iss":"b"}"#,
        "{\"iss\":\"\u{1}\"}",
    ] {
        assert_eq!(
            read(&format!("{head}.{}.AA", text(payload))),
            Err(BadSet::Payload)
        );
    }
    let deep = format!(r#"{{"a":{}"#, "[".repeat(50_000));
    assert_eq!(
        read(&format!("{head}.{}.AA", text(&deep))),
        Err(BadSet::Payload)
    );
}

#[test]
fn the_record_holds_the_token_and_what_it_says() {
    let token = Transmitter::new("k", 1).set(&payload());
    let parties = parties();
    let set = Set::read(token.as_bytes(), &parties, NOW).unwrap();
    let record: Value = serde_json::from_slice(&set.record().unwrap()).unwrap();
    let expected = json!({
        "event": { "type": REVOKED, "claims": { "event_timestamp": NOW_S - 5 } },
        "claims": {
            "iss": "https://idp.example.com/", "aud": "https://rp.example.com", "iat": NOW_S,
            "jti": "j-1", "txn": "8675309",
            "sub_id": { "format": "email", "email": "ana@example.com" },
        },
        "header": { "alg": "EdDSA", "typ": "secevent+jwt", "kid": "k" },
        "set": token,
    });
    assert_eq!(record, expected);
}

#[test]
fn only_the_named_key_proves_a_set() {
    let transmitter = Transmitter::new("k", 1);
    let parties = parties();
    let token = transmitter.set(&payload());
    let set = Set::read(token.as_bytes(), &parties, NOW).unwrap();
    let proven = |keys: &str, kid: Option<&str>| {
        let keys = KeySet::parse(keys.as_bytes()).unwrap();
        let key = keys.find(kid, Algorithm::EdDSA)?;
        Some(set.is_signed_by(key))
    };
    assert_eq!(proven(&transmitter.keys(), Some("k")), Some(true));
    assert_eq!(proven(&transmitter.keys(), None), Some(true));
    assert_eq!(proven(&transmitter.keys(), Some("l")), None);
    let stranger = Transmitter::new("k", 2);
    assert_eq!(proven(&stranger.keys(), Some("k")), Some(false));
    let both = json!({ "keys": [stranger.key(), transmitter.key()] }).to_string();
    assert_eq!(proven(&both, Some("k")), None);
    assert_eq!(proven(&both, None), None);
    let other = Transmitter::new("l", 2);
    let two = json!({ "keys": [other.key(), transmitter.key()] }).to_string();
    assert_eq!(proven(&two, Some("k")), Some(true));
    // A key of one kind never checks an algorithm of another.
    let keys = KeySet::parse(transmitter.keys().as_bytes()).unwrap();
    for algorithm in [
        Algorithm::RS256,
        Algorithm::PS256,
        Algorithm::ES256,
        Algorithm::HS256,
    ] {
        assert!(keys.find(Some("k"), algorithm).is_none(), "{algorithm:?}");
    }
}

#[test]
fn keys_for_other_uses_are_left_out() {
    let refused = |keys: &str| KeySet::parse(keys.as_bytes()).unwrap_err();
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
        assert_eq!(refused(text), BadKeys::NotAKeySet, "{text}");
    }
    assert_eq!(refused(&" ".repeat(KEYS_BYTES_MAX + 1)), BadKeys::TooLarge);
    let good = Transmitter::new("k", 1).key();
    let changed = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        json!({ "keys": [key] }).to_string()
    };
    let short_rsa = json!({ "keys": [{ "kty": "RSA", "n": "AQAB".repeat(32), "e": "AQAB" }] });
    for text in [
        r#"{"keys":[]}"#.to_owned(),
        r#"{"keys":[7,{"kty":"oct","k":"AAAA"}]}"#.to_owned(),
        changed("use", json!("enc")),
        changed("alg", json!("ES256")),
        changed("key_ops", json!(["sign"])),
        changed("crv", json!("Ed448")),
        changed("x", json!("AAAA")),
        short_rsa.to_string(),
    ] {
        assert_eq!(refused(&text), BadKeys::Unusable, "{text}");
    }
    let many: Vec<Value> = (0..200).map(|_| json!({ "kty": "oct" })).collect();
    let mut late = many;
    late.push(good);
    assert_eq!(
        refused(&json!({ "keys": late }).to_string()),
        BadKeys::Unusable
    );
}

/// What a transmitter publishes at the moment; counts how often it is asked.
#[derive(Clone, Debug, Default)]
struct Published {
    keys: Arc<Mutex<Option<String>>>,
    asked: Arc<AtomicUsize>,
}

impl Published {
    fn set(&self, keys: Option<String>) {
        *self.keys.lock().unwrap() = keys;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl KeySource for Published {
    fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let keys = self.keys.lock().unwrap().clone();
        let keys = keys.ok_or_else(|| FetchError("not there".to_owned()))?;
        Ok(keys.into_bytes())
    }
}

#[test]
fn keys_are_looked_up_when_needed_and_not_too_often() {
    let published = Published::default();
    let keyring = Keyring::new(Box::new(published.clone()));
    let at = |seconds: i64| NOW.plus_micros(seconds * Timestamp::SECOND_US);
    let there = |kid: &str, seconds| {
        let found = keyring.keys_with(Some(kid), Algorithm::EdDSA, at(seconds));
        found.map(|_| ())
    };
    let wait = |retry_after_s| Err(NoKey::Unavailable { retry_after_s });
    let (first, second) = (Transmitter::new("a", 1), Transmitter::new("b", 2));
    assert_eq!(published.asked(), 0);
    assert_eq!(there("a", 0), wait(61));
    assert_eq!((there("a", 10), published.asked()), (wait(51), 1));
    published.set(Some(first.keys()));
    assert_eq!((there("a", 60), published.asked()), (Ok(()), 2));
    // An unknown name makes nobody ask more than once a minute.
    for seconds in 61..119 {
        assert!(matches!(
            there("b", seconds),
            Err(NoKey::Unavailable { .. })
        ));
    }
    assert_eq!(
        (there("b", 120), published.asked()),
        (Err(NoKey::Unknown), 3)
    );
    published.set(Some(second.keys()));
    assert_eq!((there("b", 180), published.asked()), (Ok(()), 4));
    // A withdrawn key counts no more.
    assert!(matches!(there("a", 181), Err(NoKey::Unavailable { .. })));
    // Known keys are looked up again after an hour; while that fails they count for a day.
    published.set(None);
    assert_eq!((there("b", 3779), published.asked()), (Ok(()), 4));
    assert_eq!((there("b", 3780), published.asked()), (Ok(()), 5));
    assert_eq!((there("b", 3790), published.asked()), (Ok(()), 5));
    assert_eq!(there("b", 180 + 86_399), Ok(()));
    assert_eq!(there("b", 180 + 86_460), wait(61));
    published.set(Some("{\"keys\":[]}".to_owned()));
    assert_eq!(there("b", 180 + 86_520), wait(61));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let parties = parties();
        if let Ok(set) = Set::read(&bytes, &parties, NOW) {
            prop_assert!(set.record().is_ok());
        }
        prop_assert!(KeySet::parse(&bytes).is_err());
    }

    /// No change of a token leaves it proven.
    #[test]
    fn a_changed_token_is_not_proven(at in 0_usize..400, flip in 1_u8..=127) {
        let transmitter = Transmitter::new("k", 1);
        let mut token = transmitter.set(&payload()).into_bytes();
        let at = at % token.len();
        token[at] ^= flip;
        let keys = KeySet::parse(transmitter.keys().as_bytes()).unwrap();
        let parties = parties();
        let proven = Set::read(&token, &parties, NOW).is_ok_and(|set| {
            keys.find(set.kid(), set.algorithm()).is_some_and(|key| set.is_signed_by(key))
        });
        prop_assert!(!proven);
    }
}
