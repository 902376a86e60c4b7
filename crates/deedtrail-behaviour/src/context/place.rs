//! Where, when and with what: hour of the week, network, client, credential.

use std::net::IpAddr;

use deedtrail_core::event::{Event, TimeQuality};
use deedtrail_core::time::Timestamp;

use crate::assessment::{TermKind, Terms};
use crate::table::Counts;

const HOUR: u32 = 1;
const NETWORK: u32 = 2;
const SYSTEM: u32 = 3;
const COUNTRY: u32 = 4;
const CLIENT: u32 = 5;
const CREDENTIAL: u32 = 6;

/// Sessions below which nothing is said about places.
const SESSIONS_MIN: u16 = 20;
/// What a place nobody knows is taken to be likely.
const UNKNOWN_SHARE: f64 = 1.0 / 64.0;
/// What a new network is likely within a known AS, and a new AS within a known country.
const WITHIN_SHARE: f64 = 0.25;
/// Sessions that what peers do counts for.
const PEER_WEIGHT: f64 = 4.0;
/// What the hours before and after count for.
const BESIDE_SHARE: f64 = 0.5;
const HOURS_A_WEEK: u32 = 168;
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// One circumstance of an event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) context: u32,
    pub(super) symbol: u32,
    /// What people read.
    label: String,
}

impl Place {
    fn new(context: u32, label: String) -> Self {
        Self {
            context,
            symbol: hash(label.as_bytes()),
            label,
        }
    }
}

/// The circumstances an event names.
pub(super) fn of(event: &Event) -> Vec<Place> {
    let mapped = &event.mapped;
    let mut places = Vec::new();
    if mapped.time.is_some() && event.time_quality == TimeQuality::Vendor {
        places.push(hour(event.time_effective));
    }
    let country = mapped.src_country.as_deref();
    places.extend(country.map(|country| Place::new(COUNTRY, country.to_owned())));
    places.extend(
        mapped
            .src_asn
            .map(|asn| Place::new(SYSTEM, format!("AS{asn}"))),
    );
    places.extend(mapped.src_ip.as_deref().and_then(network));
    let fingerprint = mapped.client_fingerprint.as_deref();
    places.extend(fingerprint.or(mapped.user_agent.as_deref()).map(client));
    let credential = event.credential_uid.map(|uid| uid.to_string());
    places.extend(credential.map(|uid| Place::new(CREDENTIAL, uid)));
    places
}

/// Adds what is unusual; `places` are in the order of [`of`].
pub(super) fn judge(own: &Counts, peers: Option<&Counts>, places: &[Place], terms: &mut Terms) {
    let mut around: Option<f64> = None;
    let mut network = None;
    for place in places {
        match place.context {
            HOUR => judge_hour(own, peers, place, terms),
            COUNTRY | SYSTEM | NETWORK => {
                let below = around.map(|p| WITHIN_SHARE * p);
                around = Some(probability(own, peers, place, below));
                network = Some(place);
            }
            CLIENT => judge_one(own, peers, place, TermKind::Client, terms),
            _ => judge_one(own, peers, place, TermKind::Credential, terms),
        }
    }
    if let (Some(p), Some(place)) = (around, network) {
        let around: Vec<_> = places
            .iter()
            .filter(|other| is_around(place, other))
            .collect();
        let nats = surprise(own, place, p);
        terms.add(TermKind::Network, nats, || {
            network_sentence(own, place, &around)
        });
    }
}

fn is_around(place: &Place, other: &Place) -> bool {
    place.context != other.context && matches!(other.context, COUNTRY | SYSTEM | NETWORK)
}

fn judge_one(
    own: &Counts,
    peers: Option<&Counts>,
    place: &Place,
    kind: TermKind,
    terms: &mut Terms,
) {
    let nats = surprise(own, place, probability(own, peers, place, None));
    terms.add(kind, nats, || {
        let what = if kind == TermKind::Client {
            "client"
        } else {
            "credential"
        };
        format!("{what} `{}`: {}", place.label, seen(own, place))
    });
}

/// Escape method C, with `below`, else what peers do, else a guess.
fn probability(own: &Counts, peers: Option<&Counts>, place: &Place, below: Option<f64>) -> f64 {
    let peers = peers.and_then(|peers| {
        let total = f64::from(peers.total(place.context)?.count);
        Some(f64::from(peers.count(place.context, place.symbol)) / total)
    });
    let base = below.unwrap_or(UNKNOWN_SHARE).max(peers.unwrap_or(0.0));
    let Some(total) = own.total(place.context) else {
        return base;
    };
    let (count, distinct) = (f64::from(total.count), f64::from(total.distinct));
    let seen = f64::from(own.count(place.context, place.symbol));
    (seen + distinct * base) / (count + distinct)
}

/// Nats beyond what any of the known places would cost.
fn surprise(own: &Counts, place: &Place, p: f64) -> f64 {
    match own.total(place.context) {
        Some(total) if total.count >= SESSIONS_MIN => {
            (-(p * f64::from(total.distinct)).ln()).max(0.0)
        }
        _ => 0.0,
    }
}

fn judge_hour(own: &Counts, peers: Option<&Counts>, place: &Place, terms: &mut Terms) {
    let around = |counts: &Counts| {
        let index = place.symbol - 1;
        let count = |index: u32| f64::from(counts.count(HOUR, 1 + index % HOURS_A_WEEK));
        let beside = count(index + 1) + count(index + HOURS_A_WEEK - 1);
        (count(index) + BESIDE_SHARE * beside) / (1.0 + 2.0 * BESIDE_SHARE)
    };
    let total = own.total(HOUR).map_or(0, |total| total.count);
    if total < SESSIONS_MIN {
        return;
    }
    let even = 1.0 / f64::from(HOURS_A_WEEK);
    let base = peers.and_then(|peers| {
        let total = f64::from(peers.total(HOUR)?.count);
        Some((around(peers) + PEER_WEIGHT * even) / (total + PEER_WEIGHT))
    });
    let weighted = PEER_WEIGHT * base.unwrap_or(even);
    let p = (around(own) + weighted) / (f64::from(total) + PEER_WEIGHT);
    let nats = (-(p / even).ln()).max(0.0);
    terms.add(TermKind::Hour, nats, || {
        format!("{} UTC: {}", place.label, seen(own, place))
    });
}

fn network_sentence(own: &Counts, place: &Place, around: &[&Place]) -> String {
    let mut sentence = format!("network {}: {}", place.label, seen(own, place));
    for other in around {
        sentence.push_str(", ");
        sentence.push_str(&other.label);
        sentence.push_str(": ");
        sentence.push_str(&seen(own, other));
    }
    sentence
}

fn seen(own: &Counts, place: &Place) -> String {
    let total = own.total(place.context).map_or(0, |total| total.count);
    let count = own.count(place.context, place.symbol);
    match (place.context, count) {
        (HOUR, 0) => format!("never in {total} hours with activity"),
        (HOUR, _) => format!("{count} of {total} hours with activity"),
        (_, 0) => format!("never in {total} sessions"),
        _ => format!("{count} of {total} sessions"),
    }
}

fn hour(at: Timestamp) -> Place {
    let hours = at.as_micros().div_euclid(Timestamp::HOUR_US);
    let days = hours.div_euclid(24);
    let of_week = hours.rem_euclid(i64::from(HOURS_A_WEEK));
    // 1970-01-01 was a Thursday.
    let day = usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0);
    Place {
        context: HOUR,
        symbol: 1 + u32::try_from(of_week).unwrap_or(0),
        label: format!("{} {:02}:00", DAYS[day], hours.rem_euclid(24)),
    }
}

/// IPv4 by /24, IPv6 by /48: what one site usually has.
fn network(text: &str) -> Option<Place> {
    let label = match text.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    };
    Some(Place::new(NETWORK, label))
}

/// A client without its version numbers, so that an update is not a new client.
fn client(text: &str) -> Place {
    let cut = text.floor_char_boundary(128);
    let kept = text.get(..cut).unwrap_or_default();
    let mut label: String = kept.chars().filter(|c| !c.is_ascii_digit()).collect();
    while label.contains("..") {
        label = label.replace("..", ".");
    }
    Place::new(CLIENT, label)
}

/// FNV-1a, folded to 32 bits; never 0.
fn hash(bytes: &[u8]) -> u32 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    u32::try_from((state ^ (state >> 32)) & 0xffff_ffff)
        .unwrap_or(1)
        .max(1)
}
