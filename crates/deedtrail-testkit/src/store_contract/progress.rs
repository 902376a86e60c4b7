//! What the pipeline saves, and what waits in quarantine.

use deedtrail_core::event::CredentialKind;
use deedtrail_core::finding::{Decision, FindingStatus, Severity};
use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::{CredentialUid, SourceName, TenantId};
use deedtrail_core::identity::{CredentialRecord, Declared, Identity};
use deedtrail_core::port::store::{
    Dismissal, FindingFilter, IdentityFilter, Progress, QuarantineFilter, QuarantineReason,
    Quarantined, Store,
};

use super::access::token;
use super::{Outcome, batch, finding, identity, second};

/// Text that has broken stores before.
pub(super) const HOSTILE: &str =
    "Robert'); DROP TABLE \"identities\";-- 100%_\\ \0 \u{202e}Ä\u{1F600}\r\n{{x}}";

pub(super) fn an_empty_store_is_empty(store: &dyn Store) -> Outcome {
    let nobody = identity("nobody", 0).0;
    assert_eq!(store.processed()?, 0);
    assert_eq!(store.identities(&IdentityFilter::default())?, []);
    assert_eq!(store.identity(nobody.id)?, None);
    assert_eq!(store.alias(nobody.first_alias)?, None);
    assert_eq!(store.findings(&FindingFilter::default(), 10)?, []);
    assert_eq!(store.snapshot("detection")?, None);
    assert_eq!(store.setting("x")?, None);
    Ok(())
}

pub(super) fn progress_comes_back(store: &dyn Store) -> Outcome {
    let (ana, alias) = identity("ana@example.com", 5);
    let key = credential(&ana, "AKIA1");
    let health = SourceHealth {
        records: 3,
        events: 3,
        quarantined: 1,
        bytes: u64::from(u32::MAX) + 1,
        last_received: Some(second(9)),
        grades: [1, 1, 1, 0],
        other_actions: 1,
        missing: [("outcome".into(), 2)].into(),
        ..SourceHealth::new(TenantId::default(), source("okta.system"))
    };
    let of_other = SourceHealth {
        tenant: other(),
        records: 7,
        ..health.clone()
    };
    store.save(Progress {
        through: 42,
        credentials: vec![key.clone()],
        sources: vec![health.clone(), of_other.clone()],
        ..batch([(ana.clone(), alias.clone())])
    })?;
    store.put_snapshot("detection", 42, &[0, 159, 146, 150])?;
    store.put_setting("x", "1")?;
    store.put_setting("x", "2")?;
    assert_eq!(store.processed()?, 42);
    assert_eq!(store.identity(ana.id)?.as_ref(), Some(&ana));
    assert_eq!(store.aliases()?, std::slice::from_ref(&alias));
    assert_eq!(store.aliases_of(ana.id)?, std::slice::from_ref(&alias));
    assert_eq!(store.alias(alias.uid)?.as_ref(), Some(&alias));
    assert_eq!(store.find_alias("ANA@example.com")?, [alias]);
    assert_eq!(store.find_alias("ana")?, []);
    assert_eq!(store.credentials()?, std::slice::from_ref(&key));
    assert_eq!(store.credentials_of(ana.id)?, [key]);
    assert_eq!(store.source_health()?, [health, of_other]);
    assert_eq!(
        store.snapshot("detection")?,
        Some((42, vec![0, 159, 146, 150]))
    );
    assert_eq!(store.setting("x")?.as_deref(), Some("2"));
    Ok(())
}

pub(super) fn positions_go_on_beyond_narrower_numbers(store: &dyn Store) -> Outcome {
    for limit in [1_u64 << 16, 1 << 31, 1 << 32, 1 << 53, (1 << 63) - 2] {
        for through in limit - 1..=limit + 1 {
            store.save(Progress {
                through,
                ..batch([])
            })?;
            store.put_snapshot("detection", through, &[1])?;
            assert_eq!(store.processed()?, through);
            assert_eq!(store.snapshot("detection")?, Some((through, vec![1])));
        }
    }
    Ok(())
}

pub(super) fn a_refused_batch_leaves_nothing(store: &dyn Store) -> Outcome {
    let (ana, mut alias) = identity("ana", 1);
    alias.identity = identity("nobody", 1).0.id;
    let refused = store.save(Progress {
        through: 9,
        ..batch([(ana.clone(), alias)])
    });
    assert!(refused.is_err(), "an alias that leads nowhere was taken");
    assert_eq!(store.identity(ana.id)?, None);
    assert_eq!(store.processed()?, 0);
    Ok(())
}

pub(super) fn a_rebuild_keeps_what_people_did(store: &dyn Store) -> Outcome {
    let (mut ana, alias) = identity("ana", 1);
    ana.declared.purpose = Some("pays the bills".into());
    let burst = finding("ana", "burst", Severity::Low, 4);
    let progress = Progress {
        findings: vec![burst.clone()],
        ..batch([(ana.clone(), alias)])
    };
    let replay = Progress {
        identities: vec![Identity {
            declared: Declared::default(),
            ..ana.clone()
        }],
        ..progress.clone()
    };
    store.save(progress)?;
    let decision = Decision {
        status: FindingStatus::Acknowledged,
        disposition: None,
        note: Some("seen".into()),
        analyst: "me".into(),
        at: second(9),
    };
    store.decide_finding(burst.id, decision)?;
    store.put_token(token("dt_1", "h1"))?;
    store.put_setting("x", "1")?;
    store.put_snapshot("detection", 1, b"state")?;
    store.forget_derived()?;
    assert_eq!(store.processed()?, 0);
    assert_eq!(store.identities(&IdentityFilter::default())?, []);
    assert_eq!(store.aliases()?, []);
    assert_eq!(store.finding(burst.id)?, None);
    assert_eq!(store.snapshot("detection")?, None);
    assert_eq!(store.tokens()?.len(), 1);
    assert_eq!(store.setting("x")?.as_deref(), Some("1"));
    store.save(replay)?;
    assert_eq!(store.identity(ana.id)?, Some(ana));
    let status = store.finding(burst.id)?.map(|finding| finding.status);
    assert_eq!(status, Some(FindingStatus::Acknowledged));
    Ok(())
}

pub(super) fn other() -> TenantId {
    TenantId::new("other").unwrap_or_default()
}

fn quarantined(sequence: u64, name: &str) -> Quarantined {
    Quarantined {
        sequence,
        tenant: TenantId::default(),
        source: source(name),
        code: "not_json".into(),
        reason: "not JSON at byte 3".into(),
        received: second(1),
        bytes: 12,
        dismissal: None,
    }
}

pub(super) fn quarantine_is_released(store: &dyn Store) -> Outcome {
    let (all, record) = (QuarantineFilter::default(), quarantined);
    let of = |name: &str| QuarantineFilter {
        source: Some(source(name)),
        ..QuarantineFilter::default()
    };
    let elsewhere = Quarantined {
        tenant: other(),
        ..record(4, "a.x")
    };
    let quarantined = vec![record(1, "a.x"), record(2, "b.x"), record(3, "a.x")];
    store.save(Progress {
        quarantined: [quarantined, vec![elsewhere.clone()]].concat(),
        ..Progress::default()
    })?;
    let newest_first = [record(3, "a.x"), record(2, "b.x"), record(1, "a.x")];
    assert_eq!(store.quarantined(&all, 9)?, newest_first);
    assert_eq!(store.quarantined(&all, 1)?, newest_first[..1]);
    let (first, rest) = ([record(1, "a.x")], [record(2, "b.x"), record(3, "a.x")]);
    assert_eq!(store.quarantined_from(&all, 0, 1)?, first);
    assert_eq!(store.quarantined_from(&all, 2, 9)?, rest);
    let reason = |name, records, newest| QuarantineReason {
        source: source(name),
        code: record(1, name).code,
        records,
        newest,
        received: second(1),
    };
    let reasons = [reason("a.x", 2, 3), reason("b.x", 1, 2)];
    assert_eq!(store.quarantine_reasons(&all)?, reasons);
    assert_eq!(store.quarantine_reasons(&of("a.x"))?, reasons[..1]);
    assert_eq!(store.quarantine_reasons(&of("c.x"))?, []);
    assert_eq!(store.quarantined_from(&of("a.x"), 2, 9)?, rest[1..]);
    assert_eq!(store.quarantined_from(&all, 4, 9)?, []);
    assert_eq!(store.quarantined(&of("b.x"), 9)?, newest_first[1..2]);
    let theirs = QuarantineFilter {
        tenant: elsewhere.tenant.clone(),
        ..QuarantineFilter::default()
    };
    assert_eq!(
        store.quarantined(&theirs, 9)?,
        std::slice::from_ref(&elsewhere)
    );
    assert_eq!(store.quarantined_at(&all.tenant, 4)?, None);
    assert_eq!(store.quarantined_at(&theirs.tenant, 4)?, Some(elsewhere));
    store.save(Progress {
        released: vec![2, 3, 77],
        ..Progress::default()
    })?;
    assert_eq!(store.quarantined(&all, 9)?, newest_first[2..]);
    Ok(())
}

pub(super) fn quarantine_is_dismissed(store: &dyn Store) -> Outcome {
    let dismissal = Dismissal {
        by: "ana".into(),
        at: second(9),
        reason: "test records".into(),
    };
    store.save(Progress {
        quarantined: vec![quarantined(1, "a.x"), quarantined(2, "a.x")],
        ..Progress::default()
    })?;
    store.save(Progress {
        dismissed: vec![(2, dismissal.clone()), (77, dismissal.clone())],
        ..Progress::default()
    })?;
    let waiting = QuarantineFilter::default();
    let gone = Quarantined {
        dismissal: Some(dismissal),
        ..quarantined(2, "a.x")
    };
    let dismissed = QuarantineFilter {
        dismissed: true,
        code: Some("not_json".into()),
        ..QuarantineFilter::default()
    };
    assert_eq!(store.quarantined(&waiting, 9)?, [quarantined(1, "a.x")]);
    assert_eq!(
        store.quarantined(&dismissed, 9)?,
        std::slice::from_ref(&gone)
    );
    assert_eq!(store.quarantined_at(&waiting.tenant, 2)?, Some(gone));
    assert_eq!(store.quarantine_reasons(&dismissed)?[0].records, 1);
    store.save(Progress {
        restored: vec![2, 77],
        ..Progress::default()
    })?;
    assert_eq!(store.quarantined(&dismissed, 9)?, []);
    assert_eq!(store.quarantined(&waiting, 9)?.len(), 2);
    Ok(())
}

pub(super) fn hostile_text(store: &dyn Store) -> Outcome {
    let long = "ä".repeat(1 << 19);
    for text in [HOSTILE, long.as_str(), ""] {
        let (mut person, mut alias) = identity(text, 1);
        person.declared.owner = Some(text.into());
        person.declared.tags.insert(text.into(), text.into());
        alias.evidence = text.into();
        let found = finding(text, "burst", Severity::Low, 4);
        let findings = vec![found.clone()];
        store.save(Progress {
            findings,
            ..batch([(person.clone(), alias.clone())])
        })?;
        store.put_setting(text, text)?;
        assert_eq!(store.identity(person.id)?, Some(person));
        assert_eq!(store.find_alias(text)?, [alias]);
        assert_eq!(store.finding(found.id)?, Some(found));
        assert_eq!(store.setting(text)?.as_deref(), Some(text));
    }
    let behind_nul = IdentityFilter {
        text: Some("{{X}}".to_owned()),
        ..Default::default()
    };
    assert_eq!(store.identities(&behind_nul)?.len(), 1);
    Ok(())
}

fn source(name: &str) -> SourceName {
    SourceName::new(name).unwrap_or_else(|error| unreachable!("{error}"))
}

fn credential(of: &Identity, reference: &str) -> CredentialRecord {
    CredentialRecord {
        uid: CredentialUid::derive(&[reference.as_bytes()]),
        identity: of.id,
        kind: CredentialKind::AccessKey,
        reference: reference.into(),
        system: "aws".into(),
        created: Some(second(1)),
        last_rotated: None,
        expires: Some(second(99)),
        revoked: None,
        first_used: Some(second(2)),
        last_used: Some(second(3)),
        uses: 7,
        used_from: vec!["runner-1".into(), "AS64500".into()],
    }
}
