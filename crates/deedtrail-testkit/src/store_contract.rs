//! What every store must do. A test calls [`check`] with a way to make an empty store.

use deedtrail_core::Text;
use deedtrail_core::event::{ActorKind, CredentialKind};
use deedtrail_core::finding::{Finding, FindingDraft, FindingEvent, FindingStatus, Severity};
use deedtrail_core::id::{
    AliasUid, CredentialUid, EventUid, FindingId, IdentityId, SourceName, TenantId,
};
use deedtrail_core::identity::{
    AliasRecord, CredentialRecord, Declared, Identity, IdentityStatus, Merge,
};
use deedtrail_core::port::store::{
    FindingFilter, IdentityFilter, Progress, Quarantined, Scope, SignInLink, SourceHealth, Store,
    StoreError, TokenRecord, WebSession,
};
use deedtrail_core::time::Timestamp;

type Outcome = Result<(), StoreError>;
type Rule = fn(&dyn Store) -> Outcome;

/// Text that has broken stores before.
const HOSTILE: &str =
    "Robert'); DROP TABLE \"identities\";-- 100%_\\ \0 \u{202e}Ä\u{1F600}\r\n{{x}}";

/// Runs every rule over stores made by `make`; panics at the first one broken.
pub fn check(make: &dyn Fn() -> Box<dyn Store>) {
    let rules: [(&str, Rule); 15] = [
        ("an empty store is empty", an_empty_store_is_empty),
        ("progress comes back as it was", progress_comes_back),
        (
            "a refused batch leaves nothing",
            a_refused_batch_leaves_nothing,
        ),
        ("declared facts stay", declared_facts_stay),
        ("identities are filtered", identities_are_filtered),
        ("merges are followed and undone", merges_are_followed),
        ("findings keep decisions", findings_keep_decisions),
        ("decided findings open again", decided_findings_open_again),
        ("findings are filtered", findings_are_filtered),
        ("findings are counted", findings_are_counted),
        (
            "a rebuild keeps what people did",
            a_rebuild_keeps_what_people_did,
        ),
        ("quarantine is released", quarantine_is_released),
        ("tokens", tokens),
        ("sign-in and sessions", sign_in_and_sessions),
        ("hostile text", hostile_text),
    ];
    for (name, rule) in rules {
        let store = make();
        let outcome = rule(store.as_ref());
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
    }
}

/// An instant some seconds after the epoch.
pub fn second(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * Timestamp::SECOND_US)
}

/// An identity with one alias `email:<name>`, seen at `seen`.
pub fn identity(name: &str, seen: i64) -> (Identity, AliasRecord) {
    let tenant = TenantId::default();
    let uid = AliasUid::of(&tenant, "email", name);
    let id = IdentityId::discovered(uid);
    let identity = Identity {
        id,
        tenant,
        kind: ActorKind::Human,
        name: name.into(),
        status: IdentityStatus::Active,
        discovered: true,
        first_alias: uid,
        created: None,
        first_seen: Some(second(seen)),
        last_seen: Some(second(seen)),
        declared: Declared::default(),
    };
    let alias = AliasRecord {
        uid,
        identity: id,
        namespace: "email".into(),
        value: name.into(),
        evidence: "first seen in idp.log".into(),
        first_seen: Some(second(seen)),
        last_seen: Some(second(seen)),
    };
    (identity, alias)
}

/// A batch with these identities and their aliases.
pub fn batch<const N: usize>(people: [(Identity, AliasRecord); N]) -> Progress {
    let (identities, aliases) = people.into_iter().unzip();
    Progress {
        through: 1,
        identities,
        aliases,
        ..Progress::default()
    }
}

/// A finding about `name` that fired at `at`.
pub fn finding(name: &str, kind: &str, severity: Severity, at: i64) -> Finding {
    let (identity, _) = identity(name, 0);
    Finding::new(FindingDraft {
        kind: kind.into(),
        rule: "test.rule".into(),
        tenant: identity.tenant,
        identity: identity.id,
        first_alias: identity.first_alias,
        pattern: "p".into(),
        session: None,
        severity,
        confidence: 0.5,
        title: format!("{name} did {kind}"),
        reasons: vec!["observed 3, usual 0".to_owned()],
        events: Vec::new(),
        allowed: Vec::new(),
        refused: Vec::new(),
        hypotheses: Vec::new(),
        techniques: Vec::new(),
        at: second(at),
    })
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

fn an_empty_store_is_empty(store: &dyn Store) -> Outcome {
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

fn progress_comes_back(store: &dyn Store) -> Outcome {
    let (ana, alias) = identity("ana@example.com", 5);
    let key = credential(&ana, "AKIA1");
    let health = SourceHealth {
        source: source("okta.system"),
        records: 3,
        events: 3,
        quarantined: 1,
        duplicates: 2,
        conflicts: 0,
        bytes: u64::from(u32::MAX) + 1,
        last_received: Some(second(9)),
        last_event: None,
        grades: [1, 1, 1, 0],
        other_actions: 1,
        missing: [("outcome".into(), 2)].into(),
    };
    store.save(Progress {
        through: 42,
        credentials: vec![key.clone()],
        sources: vec![health.clone()],
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
    assert_eq!(store.source_health()?, [health]);
    assert_eq!(
        store.snapshot("detection")?,
        Some((42, vec![0, 159, 146, 150]))
    );
    assert_eq!(store.setting("x")?.as_deref(), Some("2"));
    Ok(())
}

fn a_refused_batch_leaves_nothing(store: &dyn Store) -> Outcome {
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

fn declared_facts_stay(store: &dyn Store) -> Outcome {
    let (mut ana, alias) = identity("ana", 1);
    ana.declared.owner = Some("lead@example.com".into());
    store.save(batch([(ana.clone(), alias.clone())]))?;
    let seen_again = Identity {
        last_seen: Some(second(8)),
        declared: Declared {
            owner: Some("guess".into()),
            ..Declared::default()
        },
        ..ana.clone()
    };
    store.save(batch([(seen_again.clone(), alias.clone())]))?;
    let kept = store.identity(ana.id)?;
    assert_eq!(
        kept,
        Some(Identity {
            last_seen: Some(second(8)),
            ..ana.clone()
        })
    );
    let declared = vec![ana.id];
    store.save(Progress {
        declared,
        ..batch([(seen_again.clone(), alias)])
    })?;
    assert_eq!(store.identity(ana.id)?, Some(seen_again));
    Ok(())
}

fn identities_are_filtered(store: &dyn Store) -> Outcome {
    let (mut ana, ana_alias) = identity("Ana@Example.com", 1);
    ana.declared.owner = Some("Lead@Example.com".into());
    let (bot, mut bot_alias) = identity("100%_bot", 2);
    let bot = Identity {
        kind: ActorKind::AiAgent,
        ..bot
    };
    bot_alias.value = "arn:aws:iam::1:role/Bot".into();
    store.save(batch([(ana, ana_alias), (bot, bot_alias)]))?;
    let names = |filter: IdentityFilter| -> Result<Vec<String>, StoreError> {
        let list = store.identities(&filter)?;
        if filter.limit.is_none() && filter.offset == 0 {
            assert_eq!(store.identity_count(&filter)?, list.len() as u64);
        }
        Ok(list.iter().map(|i| i.name.to_string()).collect())
    };
    let text = |text: &str| IdentityFilter {
        text: Some(text.to_owned()),
        ..Default::default()
    };
    let both = ["100%_bot", "Ana@Example.com"];
    assert_eq!(names(IdentityFilter::default())?, both);
    assert_eq!(names(text("ana@EXAMPLE"))?, both[1..]);
    assert_eq!(names(text("lead@"))?, both[1..]);
    assert_eq!(names(text("role/bot"))?, both[..1]);
    assert_eq!(names(text("0%_b"))?, both[..1]);
    assert_eq!(names(text("a%e"))?, Vec::<String>::new());
    let kind = Some("ai_agent".to_owned());
    assert_eq!(
        names(IdentityFilter {
            kind,
            ..Default::default()
        })?,
        both[..1]
    );
    assert_eq!(
        names(IdentityFilter {
            unowned: true,
            ..Default::default()
        })?,
        both[..1]
    );
    assert_eq!(
        names(IdentityFilter {
            limit: Some(1),
            ..Default::default()
        })?,
        both[..1]
    );
    assert_eq!(
        names(IdentityFilter {
            offset: 1,
            ..Default::default()
        })?,
        both[1..]
    );
    Ok(())
}

fn merges_are_followed(store: &dyn Store) -> Outcome {
    let people = [identity("a", 1), identity("b", 2), identity("c", 3)];
    let [a, b, c] = people.clone().map(|(identity, _)| identity.id);
    let merge = |merged, kept, undone| Merge {
        kept,
        merged,
        reason: "one record named both".into(),
        at: second(5),
        aliases: vec![people[0].1.uid],
        credentials: vec![CredentialUid::derive(&[b"k"])],
        undone,
    };
    let merges = vec![merge(c, b, None), merge(b, a, None)];
    let findings = vec![finding("c", "burst", Severity::Low, 4)];
    store.save(Progress {
        merges: merges.clone(),
        findings,
        ..batch(people.clone())
    })?;
    let ids = |filter: &IdentityFilter| -> Result<Vec<IdentityId>, StoreError> {
        Ok(store
            .identities(filter)?
            .iter()
            .map(|identity| identity.id)
            .collect())
    };
    let of_a = FindingFilter {
        identity: Some(a),
        ..FindingFilter::default()
    };
    let all = IdentityFilter {
        merged: true,
        ..IdentityFilter::default()
    };
    assert_eq!(store.merges()?.len(), 2);
    assert!(
        merges
            .iter()
            .all(|merge| store.merges().is_ok_and(|m| m.contains(merge)))
    );
    assert_eq!(ids(&IdentityFilter::default())?, [a]);
    assert_eq!(ids(&all)?, [c, b, a]);
    assert_eq!(store.identity(c)?.map(|identity| identity.id), Some(a));
    assert_eq!(store.findings(&of_a, 9)?.len(), 1);
    store.save(Progress {
        merges: vec![merge(b, a, Some(second(9)))],
        ..Progress::default()
    })?;
    assert_eq!(ids(&IdentityFilter::default())?, [b, a]);
    assert_eq!(store.identity(c)?.map(|identity| identity.id), Some(b));
    assert_eq!(store.findings(&of_a, 9)?, []);
    Ok(())
}

fn findings_keep_decisions(store: &dyn Store) -> Outcome {
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
    let decide = |id: FindingId| {
        let (closed, benign) = (FindingStatus::Closed, Some("benign".into()));
        store.decide_finding(id, closed, benign, "token:dt_1".into(), second(50))
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
        updated: second(50),
        ..repeat
    };
    assert_eq!(store.finding(first.id)?, Some(expected.clone()));
    let since = FindingFilter {
        updated_since: Some(second(50)),
        ..FindingFilter::default()
    };
    assert_eq!(store.findings(&since, 9)?, [expected]);
    Ok(())
}

fn decided_findings_open_again(store: &dyn Store) -> Outcome {
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
    let (closed, benign) = (FindingStatus::Closed, Some("benign".into()));
    store.decide_finding(quiet.id, closed, benign, analyst.clone(), second(50))?;
    save(grown(&[12]))?;
    assert_eq!(state()?, (decided(FindingStatus::Closed), 0));
    save(grown(&[12, 18]))?;
    assert_eq!(state()?, (decided(FindingStatus::Open), 1));
    let benign = Some("benign".into());
    store.decide_finding(quiet.id, closed, benign, analyst.clone(), second(60))?;
    assert_eq!(state()?, (decided(FindingStatus::Closed), 0));
    Ok(())
}

fn findings_are_filtered(store: &dyn Store) -> Outcome {
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

fn findings_are_counted(store: &dyn Store) -> Outcome {
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
    let closed = FindingStatus::Closed;
    store.decide_finding(id, closed, None, "token:dt_1".into(), second(9))?;
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

fn a_rebuild_keeps_what_people_did(store: &dyn Store) -> Outcome {
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
    store.decide_finding(
        burst.id,
        FindingStatus::Acknowledged,
        None,
        "me".into(),
        second(9),
    )?;
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

fn source(name: &str) -> SourceName {
    SourceName::new(name).unwrap_or_else(|error| unreachable!("{error}"))
}

fn quarantine_is_released(store: &dyn Store) -> Outcome {
    let record = |sequence, name: &str| Quarantined {
        sequence,
        source: source(name),
        code: "not_json".into(),
        reason: "not JSON at byte 3".into(),
        received: second(1),
        bytes: 12,
    };
    let quarantined = vec![record(1, "a.x"), record(2, "b.x"), record(3, "a.x")];
    store.save(Progress {
        quarantined,
        ..Progress::default()
    })?;
    let newest_first = [record(3, "a.x"), record(2, "b.x"), record(1, "a.x")];
    assert_eq!(store.quarantined(None, 9)?, newest_first);
    assert_eq!(store.quarantined(None, 1)?, newest_first[..1]);
    let (first, rest) = ([record(1, "a.x")], [record(2, "b.x"), record(3, "a.x")]);
    assert_eq!(store.quarantined_from(None, 0, 1)?, first);
    assert_eq!(store.quarantined_from(None, 2, 9)?, rest);
    let of_a = Some(&source("a.x"));
    assert_eq!(store.quarantined_from(of_a, 2, 9)?, rest[1..]);
    assert_eq!(store.quarantined_from(None, 4, 9)?, []);
    assert_eq!(
        store.quarantined(Some(&source("b.x")), 9)?,
        newest_first[1..2]
    );
    store.save(Progress {
        released: vec![2, 3, 77],
        ..Progress::default()
    })?;
    assert_eq!(store.quarantined(None, 9)?, newest_first[2..]);
    Ok(())
}

fn token(prefix: &str, hash: &str) -> TokenRecord {
    TokenRecord {
        prefix: prefix.into(),
        hash: hash.into(),
        name: "shipper".into(),
        tenant: TenantId::default(),
        scopes: vec![Scope::Ingest, Scope::Read],
        created: second(1),
        expires: Some(second(100)),
        last_used: None,
        revoked: None,
    }
}

fn tokens(store: &dyn Store) -> Outcome {
    let good = token("dt_1", "h1");
    store.put_token(good.clone())?;
    assert!(
        store.put_token(token("dt_1", "h2")).is_err(),
        "a prefix was taken twice"
    );
    assert_eq!(store.token_by_hash("h1")?.as_ref(), Some(&good));
    assert_eq!(store.token_by_hash("h2")?, None);
    store.touch_token("dt_1", second(8))?;
    store.touch_token("dt_1", second(7))?;
    assert!(store.revoke_token("dt_1", second(9))?);
    assert!(!store.revoke_token("dt_1", second(10))?);
    assert!(!store.revoke_token("dt_2", second(10))?);
    let (last_used, revoked) = (Some(second(8)), Some(second(9)));
    assert_eq!(
        store.tokens()?,
        [TokenRecord {
            last_used,
            revoked,
            ..good
        }]
    );
    Ok(())
}

fn link(hash: &str, principal: &str) -> SignInLink {
    SignInLink {
        hash: hash.into(),
        principal: principal.into(),
        tenant: TenantId::default(),
        scopes: vec![Scope::Read, Scope::Write],
        ends: second(10),
    }
}

fn sign_in_and_sessions(store: &dyn Store) -> Outcome {
    store.put_sign_in_link(link("l1", "ana"))?;
    store.put_sign_in_link(link("l2", "ben"))?;
    assert_eq!(store.take_sign_in_link("l0", second(1))?, None);
    let ana = store.take_sign_in_link("l1", second(9))?;
    assert_eq!(ana, Some(link("l1", "ana")));
    let again = store.take_sign_in_link("l1", second(9))?;
    assert_eq!(again, None, "a link worked twice");
    let late = store.take_sign_in_link("l2", second(10))?;
    assert_eq!(late, None, "a link worked after its end");
    store.put_sign_in_link(link("l3", "ana"))?;
    store.put_sign_in_link(link("l4", "ana"))?;
    let older = store.take_sign_in_link("l3", second(1))?;
    assert_eq!(older, None, "a link worked after a newer one was made");
    let newer = store.take_sign_in_link("l4", second(1))?;
    assert_eq!(newer, Some(link("l4", "ana")));
    let session = WebSession {
        hash: "s1".into(),
        principal: "admin".into(),
        tenant: TenantId::default(),
        created: second(1),
        last_used: second(1),
        absolute_end: second(99),
        scopes: vec![Scope::Read],
    };
    store.put_session(session.clone())?;
    store.touch_session("s1", second(5))?;
    let touched = WebSession {
        last_used: second(5),
        ..session
    };
    assert_eq!(store.session_by_hash("s1")?, Some(touched));
    store.end_session("s1")?;
    assert_eq!(store.session_by_hash("s1")?, None);
    Ok(())
}

fn hostile_text(store: &dyn Store) -> Outcome {
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
