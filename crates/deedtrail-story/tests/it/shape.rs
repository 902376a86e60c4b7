//! Size, order, determinism and names of the story.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use deedtrail_core::time::Timestamp;
use deedtrail_story::{DELIVERY_RECORDS_MAX, Delivery, Story};

/// 2026-11-21, a Saturday.
const ANCHOR: i64 = 20_778;

fn deliveries() -> Vec<Delivery> {
    Story::new(ANCHOR, 7).deliveries().collect()
}

fn records(delivery: &Delivery) -> Vec<serde_json::Value> {
    let whole = || serde_json::from_slice::<serde_json::Value>(&delivery.body).expect("JSON");
    let elements = |list: &serde_json::Value| list.as_array().expect("records").clone();
    match delivery.source {
        "otel.genai" => elements(&whole()["resourceSpans"]),
        "aws.cloudtrail" => elements(&whole()["Records"]),
        "okta.system" => elements(&whole()),
        _ => text(delivery)
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect(),
    }
}

fn text(delivery: &Delivery) -> &str {
    std::str::from_utf8(&delivery.body).expect("UTF-8")
}

/// Records of a delivery as a reader of bytes sees them.
fn count(delivery: &Delivery) -> usize {
    match delivery.source {
        "otel.genai" => text(delivery).matches("\"spanId\":").count(),
        "aws.cloudtrail" => text(delivery).matches("\"eventID\":").count(),
        "okta.system" => text(delivery).matches("\"uuid\":").count(),
        _ => text(delivery).lines().count(),
    }
}

#[test]
fn fills_sixty_days_from_ten_sources() {
    let mut by_source: BTreeMap<&str, usize> = BTreeMap::new();
    let mut previous = Timestamp::default();
    for delivery in deliveries() {
        assert_eq!(count(&delivery), delivery.records);
        assert!(delivery.records <= DELIVERY_RECORDS_MAX);
        assert!(delivery.at >= previous, "deliveries go forward in time");
        assert!(
            delivery.at.utc_day() < ANCHOR,
            "nothing from the anchor's day"
        );
        previous = delivery.at;
        *by_source.entry(delivery.source).or_default() += delivery.records;
    }
    let total: usize = by_source.values().sum();
    assert_eq!(by_source.len(), 10, "{by_source:?}");
    assert!((50_000..60_000).contains(&total), "{total} {by_source:#?}");
}

#[test]
fn same_seed_same_bytes() {
    let told = |seed| -> Vec<(Timestamp, Vec<u8>)> {
        Story::new(ANCHOR, seed)
            .deliveries()
            .skip(380)
            .take(60)
            .map(|delivery| (delivery.at, delivery.body))
            .collect()
    };
    assert_eq!(told(7).len(), 60);
    assert_eq!(told(7), told(7));
    assert_ne!(told(7), told(8));
}

#[test]
fn days_do_not_depend_on_the_anchor_calendar() {
    // A holiday-rich anchor still has every incident on a workday within three weeks.
    for anchor in [ANCHOR, 20_822, 20_454] {
        let story = Story::new(anchor, 7);
        assert_eq!(story.incidents().len(), 10);
        for incident in story.incidents() {
            let last = incident.facts.last().unwrap();
            assert!(
                (anchor - 21..anchor).contains(&last.at.utc_day()),
                "{}",
                incident.id
            );
        }
    }
}

#[test]
fn every_fact_has_a_record_at_its_second() {
    let mut seconds: BTreeSet<(&str, i64)> = BTreeSet::new();
    let story = Story::new(ANCHOR, 7);
    let facts = || {
        story
            .incidents()
            .iter()
            .flat_map(|incident| &incident.facts)
    };
    let days: BTreeSet<i64> = facts().map(|fact| fact.at.utc_day()).collect();
    for delivery in story.deliveries() {
        if !days.contains(&delivery.at.utc_day()) {
            continue;
        }
        for record in records(&delivery) {
            if let Some(at) = time_of(&record) {
                seconds.insert((delivery.source, at.as_micros() / Timestamp::SECOND_US));
            }
        }
    }
    for incident in story.incidents() {
        for fact in &incident.facts {
            let second = fact.at.as_micros() / Timestamp::SECOND_US;
            // Timers start within two seconds.
            let found = (second..second + 3).any(|at| seconds.contains(&(fact.source, at)));
            assert!(found, "{} {}: {}", incident.id, fact.at, fact.text);
        }
    }
}

/// The time a record gives, wherever its vendor puts it.
fn time_of(record: &serde_json::Value) -> Option<Timestamp> {
    let texts = [
        &record["published"],
        &record["eventTime"],
        &record["requestReceivedTimestamp"],
        &record["time"],
        &record["TimeGenerated"],
        &record["head_commit"]["timestamp"],
    ];
    if let Some(text) = texts.iter().find_map(|value| value.as_str()) {
        return Timestamp::parse_rfc3339(text);
    }
    if let Some(millis) = record["created_at"].as_i64() {
        return Some(Timestamp::from_micros(millis * 1000));
    }
    let start = &record["scopeSpans"][0]["spans"][0]["startTimeUnixNano"];
    let nanos: i64 = start.as_str()?.parse().ok()?;
    Some(Timestamp::from_micros(nanos / 1000))
}

#[test]
fn import_declares_people_and_machines() {
    let story = Story::new(ANCHOR, 7);
    let table = String::from_utf8(story.identities()).unwrap();
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 1 + 20 + 36, "four machines are undeclared");
    assert!(rows[0].starts_with("alias,name,kind,owner"));
    let ledger = rows
        .iter()
        .find(|row| row.contains("svc-ledger-sync"))
        .unwrap();
    assert!(ledger.contains("2026-09-22T15:00:00"), "{ledger}");
    let ids: BTreeSet<&str> = rows[1..]
        .iter()
        .map(|row| row.split(',').next().unwrap())
        .collect();
    assert_eq!(ids.len(), 56, "aliases are distinct");
}

#[test]
fn addresses_are_reserved_for_documentation_or_private() {
    let mut seen: BTreeSet<IpAddr> = BTreeSet::new();
    for delivery in deliveries().iter().rev().take(200) {
        let text = std::str::from_utf8(&delivery.body).unwrap();
        seen.extend(
            text.split('"')
                .filter_map(|token| token.parse::<IpAddr>().ok()),
        );
    }
    assert!(seen.len() > 50, "{seen:?}");
    for address in seen {
        let reserved = match address {
            IpAddr::V4(v4) => v4.is_documentation() || v4.is_private(),
            IpAddr::V6(v6) => v6.segments()[..2] == [0x2001, 0xdb8],
        };
        assert!(reserved, "{address}");
    }
}
