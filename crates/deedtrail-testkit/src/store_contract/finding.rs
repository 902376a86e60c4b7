//! Findings, and the decisions people took on them.

use deedtrail_core::Text;
use deedtrail_core::finding::{Decision, Finding, FindingEvent, FindingStatus, Severity};
use deedtrail_core::id::{EventUid, FindingId, TenantId};
use deedtrail_core::port::store::{DepartureFilter, FindingFilter, Progress, Store, StoreError};

use super::{Outcome, finding, identity, second};

pub(super) fn findings_keep_decisions(store: &dyn Store) -> Outcome {
    let first = finding("ana", "burst", Severity::Low, 4);
    let findings = vec![Finding {
        status: FindingStatus::Closed,
        ..first.clone()
    }];
    store.save(Progress {
        findings,
        ..Progress::default()
    })?;
    assert_eq!(store.finding(first.id)?.as_ref(), Some(&first));
    let note = Some(Text::new_static("asked Ana; \u{202e}a drill\n'); --"));
    let decide = |id: FindingId| {
        let decision = Decision {
            note: note.clone(),
            ..benign(50)
        };
        store.decide_finding(id, decision)
    };
    assert!(!decide(finding("bob", "burst", Severity::Low, 4).id)?);
    assert!(decide(first.id)?);
    let repeat = Finding {
        repeats: 2,
        last_time: second(6),
        ..first.clone()
    };
    store.save(Progress {
        findings: vec![repeat.clone()],
        ..Progress::default()
    })?;
    let expected = Finding {
        status: FindingStatus::Closed,
        disposition: Some("benign".into()),
        analyst: Some("token:dt_1".into()),
        note: note.clone(),
        updated: second(50),
        ..repeat
    };
    assert_eq!(store.finding(first.id)?, Some(expected.clone()));
    let since = FindingFilter {
        updated_since: Some(second(50)),
        ..FindingFilter::default()
    };
    assert_eq!(store.findings(&since, 9)?, [expected]);
    assert!(store.decide_finding(first.id, benign(60))?);
    let noted = store.finding(first.id)?.and_then(|finding| finding.note);
    assert_eq!(noted, None, "a note belongs to its decision");
    Ok(())
}

/// Closed as benign.
fn benign(at: i64) -> Decision {
    Decision {
        status: FindingStatus::Closed,
        disposition: Some("benign".into()),
        note: None,
        analyst: "token:dt_1".into(),
        at: second(at),
    }
}

pub(super) fn decided_findings_open_again(store: &dyn Store) -> Outcome {
    let quiet = finding("ana", "burst", Severity::Low, 4);
    let grown = |positions: &[u64]| {
        let mut grown = quiet.clone();
        let event = |position: &u64| FindingEvent {
            event_uid: EventUid::derive(&[&position.to_be_bytes()]),
            log_seq: *position,
            time: second(4),
            fact: "seen".to_owned(),
        };
        grown.draft.events = positions.iter().map(event).collect();
        grown
    };
    let save = |finding: Finding| {
        store.save(Progress {
            findings: vec![finding],
            ..Progress::default()
        })
    };
    let state = || {
        let now = store.finding(quiet.id)?;
        let now = now.map(|f| (f.status, f.disposition.map(|d| d.to_string()), f.analyst));
        let open = FindingFilter {
            status: Some(FindingStatus::Open),
            ..FindingFilter::default()
        };
        let counted: u64 = store.finding_counts(&open)?.iter().sum();
        assert_eq!(store.findings(&open, 9)?.len() as u64, counted);
        Ok::<_, StoreError>((now, counted))
    };
    let analyst = Text::new_static("token:dt_1");
    let decided = |status| Some((status, Some("benign".to_owned()), Some(analyst.clone())));
    save(grown(&[12]))?;
    store.decide_finding(quiet.id, benign(50))?;
    save(grown(&[12]))?;
    assert_eq!(state()?, (decided(FindingStatus::Closed), 0));
    save(grown(&[12, 18]))?;
    assert_eq!(state()?, (decided(FindingStatus::Open), 1));
    store.decide_finding(quiet.id, benign(60))?;
    assert_eq!(state()?, (decided(FindingStatus::Closed), 0));
    Ok(())
}

pub(super) fn findings_are_summed_up_by_rule(store: &dyn Store) -> Outcome {
    let of_rule = |name: &str, rule: &str, repeats: u32, at: i64| {
        let mut one = finding(name, "burst", Severity::Low, at);
        one.draft.rule = rule.into();
        one.repeats = repeats;
        one.last_time = second(at);
        one
    };
    let findings = vec![
        of_rule("ana", "a/b", 3, 4),
        of_rule("bob", "a/b", 1, 9),
        of_rule("cyd", "a/b", 1, 5),
        of_rule("dan", "code/burst", 2, 6),
    ];
    store.save(Progress {
        findings: findings.clone(),
        ..Progress::default()
    })?;
    store.decide_finding(findings[0].id, benign(50))?;
    let acknowledged = Decision {
        status: FindingStatus::Acknowledged,
        disposition: Some("misuse".into()),
        ..benign(51)
    };
    store.decide_finding(findings[1].id, acknowledged)?;
    let figures = store.rule_figures(&TenantId::default())?;
    let sums = figures.iter().map(|it| {
        let said = it.dispositions.iter();
        let said: Vec<_> = said.map(|(name, count)| (name.as_str(), *count)).collect();
        (
            it.rule.as_str(),
            it.findings,
            it.matches,
            it.open,
            it.last,
            said,
        )
    });
    assert_eq!(
        sums.collect::<Vec<_>>(),
        [
            (
                "a/b",
                3,
                5,
                2,
                second(9),
                vec![("benign", 1), ("misuse", 1)]
            ),
            ("code/burst", 1, 2, 1, second(6), vec![]),
        ]
    );
    let other = TenantId::new("other").unwrap_or_default();
    assert_eq!(store.rule_figures(&other)?, []);
    Ok(())
}

pub(super) fn findings_are_filtered(store: &dyn Store) -> Outcome {
    let findings = vec![
        finding("ana", "burst", Severity::Low, 4),
        finding("bob", "drift", Severity::High, 4),
        finding("cyd", "burst", Severity::Critical, 3),
    ];
    store.save(Progress {
        findings,
        ..Progress::default()
    })?;
    let titles = |filter: FindingFilter, limit| -> Result<Vec<String>, StoreError> {
        Ok(store
            .findings(&filter, limit)?
            .into_iter()
            .map(|f| f.draft.title)
            .collect())
    };
    let none = FindingFilter::default;
    let all = ["bob did drift", "ana did burst", "cyd did burst"];
    assert_eq!(titles(none(), 9)?, all);
    assert_eq!(titles(none(), 1)?, all[..1]);
    let identity = Some(identity("ana", 0).0.id);
    assert_eq!(titles(FindingFilter { identity, ..none() }, 9)?, all[1..2]);
    let kind = Some("burst".to_owned());
    assert_eq!(titles(FindingFilter { kind, ..none() }, 9)?, all[1..]);
    let severity_min = Some(Severity::High);
    let severe = titles(
        FindingFilter {
            severity_min,
            ..none()
        },
        9,
    )?;
    assert_eq!(severe, [all[0], all[2]]);
    let text = Some("BOB".to_owned());
    assert_eq!(titles(FindingFilter { text, ..none() }, 9)?, all[..1]);
    let status = Some(FindingStatus::Closed);
    assert_eq!(
        titles(FindingFilter { status, ..none() }, 9)?,
        Vec::<String>::new()
    );
    let updated_since = Some(second(4));
    assert_eq!(
        titles(
            FindingFilter {
                updated_since,
                ..none()
            },
            9
        )?,
        all[..2]
    );
    Ok(())
}

pub(super) fn findings_are_counted(store: &dyn Store) -> Outcome {
    assert_eq!(store.finding_counts(&FindingFilter::default())?, [0; 5]);
    let closed = finding("ana", "burst", Severity::Low, 4);
    let id = closed.id;
    store.save(Progress {
        findings: vec![
            closed,
            finding("ana", "drift", Severity::Low, 5),
            finding("bob", "drift", Severity::High, 4),
            finding("cyd", "burst", Severity::Critical, 3),
        ],
        ..Progress::default()
    })?;
    store.decide_finding(id, benign(9))?;
    let none = FindingFilter::default;
    let filters = [
        (none(), [0, 2, 0, 1, 1]),
        (
            FindingFilter {
                status: Some(FindingStatus::Open),
                ..none()
            },
            [0, 1, 0, 1, 1],
        ),
        (
            FindingFilter {
                status: Some(FindingStatus::Closed),
                identity: Some(identity("ana", 0).0.id),
                ..none()
            },
            [0, 1, 0, 0, 0],
        ),
        (
            FindingFilter {
                severity_min: Some(Severity::High),
                kind: Some("drift".to_owned()),
                ..none()
            },
            [0, 0, 0, 1, 0],
        ),
        (
            FindingFilter {
                text: Some("CYD".to_owned()),
                updated_since: Some(second(3)),
                ..none()
            },
            [0, 0, 0, 0, 1],
        ),
    ];
    for (filter, counts) in filters {
        assert_eq!(store.finding_counts(&filter)?, counts, "{filter:?}");
        let listed = store.findings(&filter, usize::MAX)?.len() as u64;
        assert_eq!(listed, counts.iter().sum::<u64>(), "{filter:?}");
    }
    Ok(())
}

pub(super) fn departures_are_summed_up(store: &dyn Store) -> Outcome {
    let day = 86_400;
    let closed = finding("cyd", "burst", Severity::High, 5);
    let put_aside = closed.id;
    let mut elsewhere = finding("ana", "drift", Severity::High, 9);
    elsewhere.draft.tenant = TenantId::new("elsewhere").unwrap_or_default();
    elsewhere.id = elsewhere.draft.id();
    let of_pattern = |pattern: &'static str, at| {
        let mut finding = finding("ana", "burst", Severity::High, at);
        finding.draft.pattern = pattern.into();
        Finding::new(finding.draft)
    };
    store.save(Progress {
        findings: vec![
            finding("ana", "burst", Severity::Low, 4),
            of_pattern("q", 6),
            of_pattern("p", day + 1),
            finding("ana", "drift", Severity::Low, day + 2),
            finding("ana", "sign_in_spray", Severity::High, day + 3),
            finding("bob", "burst", Severity::Medium, 2),
            closed,
            elsewhere.clone(),
        ],
        ..Progress::default()
    })?;
    store.decide_finding(put_aside, benign(9))?;
    let summed = |tenant: TenantId, findings_max| {
        let found = store.departures(&DepartureFilter {
            tenant,
            kinds: &["burst", "drift"],
            since: second(3),
            findings_max,
        })?;
        let each = found.into_iter();
        let each = each.map(|it| {
            (
                it.kind.to_string(),
                it.day,
                it.severity,
                it.findings,
                it.last,
            )
        });
        Ok::<Vec<_>, StoreError>(each.collect())
    };
    let burst = "burst".to_owned();
    let all = [
        (burst.clone(), 0, Severity::High, 2, second(6)),
        (burst, 1, Severity::High, 1, second(day + 1)),
        ("drift".to_owned(), 1, Severity::Low, 1, second(day + 2)),
    ];
    assert_eq!(summed(TenantId::default(), 99)?, all);
    assert_eq!(summed(TenantId::default(), 2)?, all[1..], "the newest");
    let theirs = elsewhere.draft.tenant.clone();
    assert_eq!(summed(theirs.clone(), 99)?.len(), 1);
    let of_theirs = FindingFilter {
        tenant: theirs,
        ..FindingFilter::default()
    };
    assert_eq!(store.findings(&of_theirs, 9)?, [elsewhere]);
    assert_eq!(store.finding_counts(&of_theirs)?, [0, 0, 0, 1, 0]);
    Ok(())
}
