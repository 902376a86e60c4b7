//! SETs that a poll brings before they can be proven.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use deedtrail_app::App;
use deedtrail_app::signal::{
    BadSet, Delivery, FetchError, KeySource, Parties, Polled, Stream, UNPROVEN_TRIES_MAX,
};
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _};
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::sample::{NOW, Sample};
use deedtrail_testkit::{Refusal, Transmitter};
use serde_json::{Value, json};

use crate::installation::ports;

const ISSUER: &str = "https://idp.example.com/";
const AUDIENCE: &str = "https://rp.example.com";
const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

/// What the transmitter publishes at the moment.
#[derive(Clone, Debug, Default)]
struct Published(Arc<Mutex<Option<String>>>);

impl KeySource for Published {
    fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        let keys = self.0.lock().unwrap().clone();
        let keys = keys.ok_or_else(|| FetchError("gone".to_owned()))?;
        Ok(keys.into_bytes())
    }
}

struct Polls {
    sample: Sample,
    published: Published,
    app: App,
}

impl Polls {
    fn new() -> Self {
        let sample = Sample::empty();
        let published = Published::default();
        let parties = Parties {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
        };
        let stream = Stream::new(parties, Delivery::Poll, Box::new(published.clone()));
        let app = App {
            signals: BTreeMap::from([("idp".to_owned(), stream)]),
            ..App::new(ports(&sample))
        };
        let polls = Self {
            sample,
            published,
            app,
        };
        polls.publish(Some(&Transmitter::new("a", 1)));
        polls
    }

    fn publish(&self, transmitter: Option<&Transmitter>) {
        *self.published.0.lock().unwrap() = transmitter.map(Transmitter::keys);
    }

    /// What becomes of these SETs, which the transmitter holds under the ids they have.
    fn poll(&self, sets: &[(&str, &str)]) -> Polled {
        let owned = |(id, set): &(&str, &str)| (String::from(*id), String::from(*set));
        let sets = sets.iter().map(owned).collect();
        self.app.ingest_polled_signals("idp", &sets)
    }

    fn minutes(&self, minutes: i64) {
        self.sample.clock.advance(minutes * Timestamp::MINUTE_US);
    }

    /// Kind and content of what is in the log, the keys of the transmitter aside.
    fn stored(&self) -> Vec<(EntryKind, String)> {
        let entries = self.sample.log.read(0, usize::MAX).unwrap();
        let kept = entries
            .iter()
            .filter(|entry| entry.entry.kind != EntryKind::Configuration);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        kept.map(|one| (one.entry.kind, text(&one.bytes())))
            .collect()
    }
}

fn payload(id: &str, minutes_ahead: i64) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "jti": id,
        "iat": NOW.as_micros() / Timestamp::SECOND_US + minutes_ahead * 60,
        "sub_id": { "format": "email", "email": "ana@example.com" },
        "events": { REVOKED: {} },
    })
}

fn is_untold(polled: &Polled) -> bool {
    polled.taken.is_empty() && polled.refused.is_empty()
}

#[test]
fn a_set_whose_key_is_not_published_yet_waits_with_the_transmitter() {
    let polls = Polls::new();
    let late = Transmitter::new("b", 2);
    let (early, sets) = (Transmitter::new("a", 1), late.set(&payload("j-1", 0)));
    for _ in 0..3 {
        let sound = early.set(&payload("j-0", 0));
        let polled = polls.poll(&[("j-0", &sound), ("j-1", &sets)]);
        assert_eq!(polled.taken, ["j-0"]);
        assert!(polled.refused.is_empty() && polled.postponed.is_none());
        assert_eq!(polled.waiting["j-1"], BadSet::UnknownKey);
        polls.minutes(1);
    }
    polls.publish(Some(&late));
    let polled = polls.poll(&[("j-1", &sets)]);
    assert_eq!(
        (polled.taken, polled.waiting.len()),
        (vec!["j-1".into()], 0)
    );
    let kinds: Vec<_> = polls.stored().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [EntryKind::Record, EntryKind::Record]);
}

#[test]
fn a_set_that_is_never_proven_is_kept_as_evidence_and_acknowledged() {
    let polls = Polls::new();
    let set = Transmitter::new("b", 2).set(&payload("j-1", 0));
    let other = Transmitter::new("c", 3).set(&payload("j-2", 0));
    let both = [("j-1", set.as_str()), ("j-2", other.as_str())];
    for _ in 0..UNPROVEN_TRIES_MAX {
        // However often it is asked for within a minute, that is one try.
        for _ in 0..5 {
            let polled = polls.poll(&both);
            assert!(is_untold(&polled) && polled.waiting.len() == 2);
        }
        polls.minutes(1);
    }
    // While nothing can be stored it waits on.
    polls.sample.log.refuse_with(Some(Refusal::Busy));
    let polled = polls.poll(&both);
    assert!(is_untold(&polled) && polled.postponed.is_some());
    polls.sample.log.refuse_with(None);
    let polled = polls.poll(&both);
    assert_eq!(polled.taken, ["j-1", "j-2"]);
    assert!(polled.waiting.is_empty() && polled.refused.is_empty());
    let expected = both.map(|(_, set)| (EntryKind::Quarantined, set.to_owned()));
    assert_eq!(polls.stored(), expected);
    // The server dies before the transmitter heard: nothing is kept twice.
    for _ in 0..=UNPROVEN_TRIES_MAX {
        polls.poll(&both);
        polls.minutes(1);
    }
    assert_eq!(polls.stored().len(), 2);
    // What is not proven never comes out of quarantine.
    let mapper = &polls.app.ports.mapper;
    let source = deedtrail_core::id::SourceName::new("ssf.event").unwrap();
    assert!(mapper.map(&source, both[0].1.as_bytes()).is_err());
    assert_eq!(mapper.recognize(&[], both[0].1.as_bytes()), None);
}

#[test]
fn a_set_from_a_clock_that_is_ahead_waits_until_its_time() {
    let polls = Polls::new();
    let set = Transmitter::new("a", 1).set(&payload("j-1", 8));
    for _ in 0..3 {
        let polled = polls.poll(&[("j-1", &set)]);
        assert!(is_untold(&polled));
        assert_eq!(polled.waiting["j-1"], BadSet::Ahead);
        polls.minutes(1);
    }
    assert_eq!(polls.poll(&[("j-1", &set)]).taken, ["j-1"]);
    let far = Transmitter::new("a", 1).set(&payload("j-2", 999));
    for _ in 0..UNPROVEN_TRIES_MAX {
        assert!(is_untold(&polls.poll(&[("j-2", &far)])));
        polls.minutes(1);
    }
    assert_eq!(polls.poll(&[("j-2", &far)]).taken, ["j-2"]);
    assert_eq!(polls.stored()[1], (EntryKind::Quarantined, far));
}

#[test]
fn while_keys_cannot_be_looked_up_no_try_is_counted() {
    let polls = Polls::new();
    let set = Transmitter::new("b", 2).set(&payload("j-1", 0));
    polls.poll(&[("j-1", &set)]);
    polls.publish(None);
    for _ in 0..5 * UNPROVEN_TRIES_MAX {
        polls.minutes(1);
        assert!(is_untold(&polls.poll(&[("j-1", &set)])));
    }
    // After a day those known before count no more.
    polls.minutes(24 * 60);
    let polled = polls.poll(&[("j-1", &set)]);
    assert!(is_untold(&polled) && polled.postponed.is_some());
    assert!(polls.stored().is_empty());
}

#[test]
fn what_is_not_for_this_stream_is_reported_and_kept() {
    let polls = Polls::new();
    let transmitter = Transmitter::new("a", 1);
    let with = |id: &str, name: &str, value: &str| {
        let mut claims = payload(id, 0);
        claims[name] = json!(value);
        transmitter.set(&claims)
    };
    let sets = [
        with("j-1", "aud", "https://other.example.com"),
        with("j-2", "iss", "https://other.example.com"),
        Transmitter::new("a", 2).set(&payload("j-3", 0)),
        "no token at all".to_owned(),
    ];
    let ids = ["j-1", "j-2", "j-3", "j-4"];
    let all: Vec<_> = ids
        .into_iter()
        .zip(sets.iter().map(String::as_str))
        .collect();
    // While it cannot be kept nothing is reported, so that it comes again.
    polls.sample.log.refuse_with(Some(Refusal::Busy));
    let polled = polls.poll(&all[..3]);
    assert!(is_untold(&polled) && polled.postponed.is_some());
    polls.sample.log.refuse_with(None);
    for _ in 0..2 {
        let polled = polls.poll(&all);
        let reasons = [
            BadSet::Audience,
            BadSet::Issuer,
            BadSet::Signature,
            BadSet::NotCompact,
        ];
        let expected = ids.map(str::to_owned).into_iter().zip(reasons);
        assert_eq!(polled.refused, expected.collect());
        assert!(polled.taken.is_empty());
        // What is no token says nothing of anybody.
        let kept = sets.iter().take(3).cloned();
        let kept: Vec<_> = kept.map(|set| (EntryKind::Quarantined, set)).collect();
        assert_eq!(polls.stored(), kept);
    }
}
