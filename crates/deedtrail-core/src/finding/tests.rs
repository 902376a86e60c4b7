//! Repeats of a finding.

use super::*;

fn draft(severity: Severity, title: &str, positions: &[u64]) -> FindingDraft {
    let event = |position: &u64| FindingEvent {
        event_uid: EventUid::derive(&[&position.to_be_bytes()]),
        log_seq: *position,
        time: minute(*position),
        fact: format!("event {position}"),
    };
    let alias = AliasUid::of(&TenantId::default(), "email", "alice@example.com");
    FindingDraft {
        kind: "burst".into(),
        rule: "code/burst".into(),
        tenant: TenantId::default(),
        identity: IdentityId::discovered(alias),
        first_alias: alias,
        pattern: "".into(),
        session: None,
        severity,
        confidence: 0.5,
        title: title.to_owned(),
        reasons: vec![format!("reason of {title}")],
        events: positions.iter().map(event).collect(),
        allowed: Vec::new(),
        refused: Vec::new(),
        hypotheses: Vec::new(),
        techniques: Vec::new(),
        at: minute(*positions.last().unwrap()),
    }
}

fn minute(number: u64) -> Timestamp {
    let micros = i64::try_from(number).unwrap() * Timestamp::MINUTE_US;
    Timestamp::default().plus_micros(micros)
}

#[test]
fn words_are_those_of_the_most_severe_draft_and_of_the_newest_among_equals() {
    let mut finding = Finding::new(draft(Severity::High, "first", &[1]));
    finding.absorb(draft(Severity::Low, "lesser", &[2]));
    assert_eq!(finding.draft.title, "first");
    assert_eq!(finding.draft.reasons, ["reason of first"]);
    assert_eq!(finding.draft.severity, Severity::High);
    finding.absorb(draft(Severity::High, "equal", &[3]));
    assert_eq!(finding.draft.title, "equal");
    finding.absorb(draft(Severity::Critical, "worst", &[4]));
    assert_eq!(finding.draft.title, "worst");
    assert_eq!(finding.draft.events.len(), 4);
    assert_eq!((finding.repeats, finding.last_time), (4, minute(4)));
}

#[test]
fn full_finding_lists_the_newest_events_and_replay_changes_nothing() {
    let count = FINDING_EVENTS_MAX as u64 + 50;
    let one = |position: u64| draft(Severity::High, &position.to_string(), &[position]);
    let mut finding = Finding::new(one(1));
    (2..=count).for_each(|position| finding.absorb(one(position)));
    let listed = finding.draft.events.iter().map(|event| event.log_seq);
    assert_eq!(listed.collect::<Vec<_>>(), (51..=count).collect::<Vec<_>>());
    let before = finding.clone();
    (1..=count).for_each(|position| finding.absorb(one(position)));
    assert_eq!(finding, before);
}

#[test]
fn decision_covers_what_had_arrived_and_no_more() {
    let mut finding = Finding::new(draft(Severity::High, "policy", &[12]));
    let covered = finding.newest_position();
    let status = |finding: &Finding| finding.status_now(FindingStatus::Closed, covered);
    finding.absorb(draft(Severity::High, "policy", &[12]));
    assert_eq!(status(&finding), FindingStatus::Closed, "nothing new");
    finding.absorb(draft(Severity::High, "databases", &[18]));
    assert_eq!(status(&finding), FindingStatus::Open);
}
