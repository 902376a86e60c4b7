//! Where, when and with what: hour of the week, network, client, credential.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use deedtrail_core::event::{Event, TimeQuality};
use deedtrail_core::id::CredentialUid;
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
/// What is looked at of a client's name, bytes.
const CLIENT_BYTES_MAX: usize = 128;
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place<'e> {
    pub(super) context: u32,
    pub(super) symbol: u32,
    label: Label<'e>,
}

/// What people read of it; written out only where somebody does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Label<'e> {
    /// Hours since the week of 1970-01-01 began, which was on a Thursday, and the day counted from then.
    Hour {
        days: i64,
        hour: i64,
    },
    Country(&'e str),
    System(i64),
    /// IPv4 by /24, IPv6 by /48: what one site usually has.
    Network(IpAddr),
    /// Without version numbers, so that an update is not a new client.
    Client(&'e str),
    Credential(CredentialUid),
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Hour { days, hour } => {
                let day = usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0);
                write!(f, "{} {hour:02}:00", DAYS[day])
            }
            Self::Country(country) => f.write_str(country),
            Self::System(asn) => write!(f, "AS{asn}"),
            Self::Network(IpAddr::V4(ip)) => {
                let [a, b, c, _] = ip.octets();
                write!(f, "{a}.{b}.{c}.0/24")
            }
            Self::Network(IpAddr::V6(ip)) => {
                let [a, b, c, ..] = ip.segments();
                write!(f, "{a:x}:{b:x}:{c:x}::/48")
            }
            Self::Client(client) => {
                let mut before = None;
                for one in client.chars().filter(|one| !one.is_ascii_digit()) {
                    if one != '.' || before != Some('.') {
                        f.write_char(one)?;
                    }
                    before = Some(one);
                }
                Ok(())
            }
            Self::Credential(uid) => uid.fmt(f),
        }
    }
}

impl Label<'_> {
    const fn context(&self) -> u32 {
        match self {
            Self::Hour { .. } => HOUR,
            Self::Country(_) => COUNTRY,
            Self::System(_) => SYSTEM,
            Self::Network(_) => NETWORK,
            Self::Client(_) => CLIENT,
            Self::Credential(_) => CREDENTIAL,
        }
    }
}

impl<'e> Place<'e> {
    fn new(label: Label<'e>) -> Self {
        let mut symbol = Hash::default();
        // Writing to a hash cannot fail.
        write!(symbol, "{label}").unwrap_or_default();
        Self {
            context: label.context(),
            symbol: symbol.folded(),
            label,
        }
    }
}

/// The circumstances an event names.
pub(super) fn of(event: &Event) -> Vec<Place<'_>> {
    let mapped = &event.mapped;
    let mut places = Vec::with_capacity(6);
    if mapped.time.is_some() && event.time_quality == TimeQuality::Vendor {
        places.push(hour(event.time_effective));
    }
    let country = mapped.src_country.as_deref();
    places.extend(country.map(|country| Place::new(Label::Country(country))));
    let asn = mapped.src_asn;
    places.extend(asn.map(|asn| Place::new(Label::System(asn))));
    places.extend(mapped.src_ip.as_deref().and_then(network));
    let fingerprint = mapped.client_fingerprint.as_deref();
    places.extend(fingerprint.or(mapped.user_agent.as_deref()).map(client));
    let credential = event.credential_uid;
    places.extend(credential.map(|uid| Place::new(Label::Credential(uid))));
    places
}

/// Adds what is unusual; `places` are in the order of [`of`].
pub(super) fn judge(own: &Counts, peers: Option<&Counts>, places: &[Place<'_>], terms: &mut Terms) {
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

fn is_around(place: &Place<'_>, other: &Place<'_>) -> bool {
    place.context != other.context && matches!(other.context, COUNTRY | SYSTEM | NETWORK)
}

fn judge_one(
    own: &Counts,
    peers: Option<&Counts>,
    place: &Place<'_>,
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
fn probability(own: &Counts, peers: Option<&Counts>, place: &Place<'_>, below: Option<f64>) -> f64 {
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
fn surprise(own: &Counts, place: &Place<'_>, p: f64) -> f64 {
    match own.total(place.context) {
        Some(total) if total.count >= SESSIONS_MIN => {
            (-(p * f64::from(total.distinct)).ln()).max(0.0)
        }
        _ => 0.0,
    }
}

fn judge_hour(own: &Counts, peers: Option<&Counts>, place: &Place<'_>, terms: &mut Terms) {
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

fn network_sentence(own: &Counts, place: &Place<'_>, around: &[&Place<'_>]) -> String {
    let mut sentence = format!("network {}: {}", place.label, seen(own, place));
    for other in around {
        sentence.push_str(", ");
        sentence.push_str(&other.label.to_string());
        sentence.push_str(": ");
        sentence.push_str(&seen(own, other));
    }
    sentence
}

fn seen(own: &Counts, place: &Place<'_>) -> String {
    let total = own.total(place.context).map_or(0, |total| total.count);
    let count = own.count(place.context, place.symbol);
    match (place.context, count) {
        (HOUR, 0) => format!("never in {total} hours with activity"),
        (HOUR, _) => format!("{count} of {total} hours with activity"),
        (_, 0) => format!("never in {total} sessions"),
        _ => format!("{count} of {total} sessions"),
    }
}

fn hour(at: Timestamp) -> Place<'static> {
    let hours = at.as_micros().div_euclid(Timestamp::HOUR_US);
    let of_week = hours.rem_euclid(i64::from(HOURS_A_WEEK));
    let (days, hour) = (hours.div_euclid(24), hours.rem_euclid(24));
    Place {
        context: HOUR,
        symbol: 1 + u32::try_from(of_week).unwrap_or(0),
        label: Label::Hour { days, hour },
    }
}

fn network(text: &str) -> Option<Place<'_>> {
    let ip = text.parse::<IpAddr>().ok()?.to_canonical();
    Some(Place::new(Label::Network(ip)))
}

fn client(text: &str) -> Place<'_> {
    let cut = text.floor_char_boundary(CLIENT_BYTES_MAX);
    let kept = text.get(..cut).unwrap_or_default();
    Place::new(Label::Client(kept))
}

/// FNV-1a of what is written to it.
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl fmt::Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

impl Hash {
    /// Folded to 32 bits; never 0.
    fn folded(&self) -> u32 {
        u32::try_from((self.0 ^ (self.0 >> 32)) & 0xffff_ffff)
            .unwrap_or(1)
            .max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_what_people_read() {
        let shown = |place: Place<'_>| place.label.to_string();
        assert_eq!(shown(client("curl/8.5.0")), "curl/.");
        assert_eq!(shown(client("a 1.2.3.4 b..c...d")), "a . b.c.d");
        let long = "x".repeat(CLIENT_BYTES_MAX - 1) + "é";
        assert_eq!(shown(client(&long)).len(), CLIENT_BYTES_MAX - 1);
        assert_eq!(shown(network("192.0.2.77").unwrap()), "192.0.2.0/24");
        assert_eq!(shown(network("::ffff:192.0.2.7").unwrap()), "192.0.2.0/24");
        assert_eq!(
            shown(network("2001:db8:1:2::3").unwrap()),
            "2001:db8:1::/48"
        );
        assert!(network("nowhere").is_none());
        let monday = Timestamp::from_micros(4 * Timestamp::DAY_US + 9 * Timestamp::HOUR_US);
        assert_eq!(shown(hour(monday)), "Monday 09:00");
    }

    /// What was learned is known by these numbers: another hash would make everything new.
    #[test]
    fn symbols_stay_what_they_were() {
        let symbols = [
            client("curl/8.5.0").symbol,
            network("192.0.2.77").unwrap().symbol,
            Place::new(Label::System(64_496)).symbol,
            Place::new(Label::Country("")).symbol,
        ];
        assert_eq!(
            symbols,
            [2_185_838_710, 1_015_881_053, 1_632_487_557, 1_339_080_641]
        );
    }
}
