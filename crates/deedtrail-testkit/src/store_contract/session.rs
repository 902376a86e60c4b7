//! Sessions, what joins them, and blind sessions.

use deedtrail_core::event::ActorKind;
use deedtrail_core::finding::Severity;
use deedtrail_core::id::{SessionUid, TenantId};
use deedtrail_core::port::store::{Progress, SessionFilter, Store};
use deedtrail_core::session::{
    BlastRadius, BlindSession, JoinBy, KnownBy, Session, SessionDeparture, SessionJoin,
    SessionVerdict, ToldBy, Trust,
};

use super::{Outcome, batch, finding, identity, second};

fn uid(name: &str) -> SessionUid {
    SessionUid::derive(&[name.as_bytes()])
}

/// A session of `who` that was last active at `last`.
fn session(name: &str, who: &str, last: i64, score: u8) -> Session {
    let (identity, _) = identity(who, 0);
    Session {
        uid: uid(name),
        part: 1,
        tenant: identity.tenant,
        identity: identity.id,
        actor: who.into(),
        actor_kind: ActorKind::Human,
        known_by: KnownBy::Gap,
        started: second(0),
        last: second(last),
        ended: None,
        events: 1,
        refused: 0,
        sources: Vec::new(),
        systems: vec!["aws".into()],
        planes: Vec::new(),
        credential: None,
        network: None,
        country: None,
        client: None,
        next: Vec::new(),
        next_left_out: 0,
        blast: BlastRadius::default(),
        permissions: Vec::new(),
        change_tickets: vec!["CHG-1".into()],
        verdict: SessionVerdict::InScope,
        reasons: Vec::new(),
        trust: Trust {
            score,
            ..Trust::default()
        },
        findings: Vec::new(),
        departures: Vec::new(),
    }
}

fn join(from: &str, to: &str, confidence: u8) -> SessionJoin {
    SessionJoin {
        tenant: TenantId::default(),
        from: uid(from),
        to: uid(to),
        by: JoinBy::Trace,
        reason: "one trace".into(),
        confidence,
        at: second(1),
    }
}

fn saved(sessions: Vec<Session>) -> Progress {
    Progress {
        through: 1,
        sessions,
        ..Progress::default()
    }
}

/// It departed, of so many sessions as a share at least as unusual.
fn departing(session: Session, shares: &[f64]) -> Session {
    let departure = |share: &f64| SessionDeparture {
        since: second(0),
        at: second(5),
        share: *share,
        told_by: ToldBy::Session,
        finding: None,
        reasons: Vec::new(),
    };
    Session {
        departures: shares.iter().map(departure).collect(),
        ..session
    }
}

pub(super) fn departing_sessions_are_listed_the_most_unusual_first(store: &dyn Store) -> Outcome {
    store.save(batch([identity("ana", 1)]))?;
    let all = [
        (1, &[0.001][..]),
        (2, &[0.01]),
        (3, &[0.5, 0.001]),
        (4, &[1.0]),
        (5, &[]),
    ];
    let sessions =
        all.map(|(last, shares)| departing(session(&last.to_string(), "ana", last, 80), shares));
    store.save(saved(sessions.to_vec()))?;
    for identity in [None, Some(identity("ana", 0).0.id)] {
        let filter = SessionFilter {
            departing: true,
            identity,
            ..SessionFilter::default()
        };
        let found = store.sessions(&filter, 10)?;
        let last = found.iter().map(|it| it.last.as_micros() / 1_000_000);
        assert_eq!(last.collect::<Vec<_>>(), [3, 1, 2, 4]);
        let next = SessionFilter {
            offset: 2,
            ..filter
        };
        assert_eq!(store.sessions(&next, 1)?, found[2..3]);
    }
    Ok(())
}

pub(super) fn sessions_are_filtered(store: &dyn Store) -> Outcome {
    store.save(batch([identity("ana", 1), identity("bo", 1)]))?;
    let escalated = Session {
        verdict: SessionVerdict::Escalated,
        ..session("b", "bo", 3, 50)
    };
    let departing = departing(session("c", "ana", 5, 90), &[0.01]);
    let elsewhere = Session {
        tenant: TenantId::new("elsewhere").unwrap_or_default(),
        ..session("e", "ana", 9, 10)
    };
    let sessions = vec![session("a", "ana", 2, 80), escalated, departing];
    store.save(saved(sessions.into_iter().chain([elsewhere]).collect()))?;
    let listed = |filter: SessionFilter| -> Result<Vec<i64>, _> {
        let sessions = store.sessions(&filter, 10)?;
        let last = |session: &Session| session.last.as_micros() / 1_000_000;
        Ok::<_, deedtrail_core::port::store::StoreError>(sessions.iter().map(last).collect())
    };
    assert_eq!(listed(SessionFilter::default())?, [5, 3, 2]);
    let ana = SessionFilter {
        identity: Some(identity("ana", 0).0.id),
        ..SessionFilter::default()
    };
    assert_eq!(listed(ana)?, [5, 2]);
    let untrusted = SessionFilter {
        trust_below: Some(80),
        ..SessionFilter::default()
    };
    assert_eq!(listed(untrusted)?, [3]);
    let escalated = SessionFilter {
        verdict: Some(SessionVerdict::Escalated),
        ..SessionFilter::default()
    };
    assert_eq!(listed(escalated)?, [3]);
    let departing = SessionFilter {
        departing: true,
        ..SessionFilter::default()
    };
    assert_eq!(listed(departing)?, [5]);
    let second_page = SessionFilter {
        offset: 1,
        ..SessionFilter::default()
    };
    assert_eq!(listed(second_page)?, [3, 2]);
    assert_eq!(store.sessions(&SessionFilter::default(), 1)?.len(), 1);
    Ok(())
}

pub(super) fn sessions_go_on_and_have_parts(store: &dyn Store) -> Outcome {
    let first = session("a", "ana", 2, 80);
    store.save(saved(vec![first.clone()]))?;
    let tenant = TenantId::default();
    assert_eq!(store.session(&tenant, first.uid)?.as_ref(), Some(&first));
    let on = Session {
        events: 2,
        ..session("a", "ana", 7, 60)
    };
    store.save(saved(vec![on.clone()]))?;
    assert_eq!(store.session(&tenant, first.uid)?.as_ref(), Some(&on));
    let later = Session {
        part: 99,
        ..session("a", "ana", 900, 80)
    };
    store.save(saved(vec![later.clone()]))?;
    assert_eq!(store.session(&tenant, first.uid)?.as_ref(), Some(&later));
    assert_eq!(store.sessions(&SessionFilter::default(), 9)?, [later, on]);
    let elsewhere = TenantId::new("elsewhere").unwrap_or_default();
    assert_eq!(store.session(&elsewhere, first.uid)?, None);
    assert_eq!(store.session(&tenant, uid("none"))?, None);
    store.forget_derived()?;
    assert_eq!(store.sessions(&SessionFilter::default(), 9)?, []);
    Ok(())
}

pub(super) fn joins_are_found_from_both_ends(store: &dyn Store) -> Outcome {
    let joins = vec![join("a", "b", 50), join("b", "c", 95), join("x", "y", 99)];
    let progress = Progress {
        session_joins: joins.clone(),
        ..saved(Vec::new())
    };
    store.save(progress.clone())?;
    store.save(progress)?;
    let tenant = TenantId::default();
    let of = |names: &[&str]| {
        let uids: Vec<SessionUid> = names.iter().map(|name| uid(name)).collect();
        store.session_joins(&tenant, &uids)
    };
    assert_eq!(of(&["a"])?, [joins[0].clone()]);
    assert_eq!(of(&["b"])?, [joins[1].clone(), joins[0].clone()]);
    assert_eq!(of(&["a", "b", "c"])?.len(), 2);
    assert_eq!(of(&[])?, []);
    let elsewhere = TenantId::new("elsewhere").unwrap_or_default();
    assert_eq!(store.session_joins(&elsewhere, &[uid("a")])?, []);
    store.forget_derived()?;
    assert_eq!(store.session_joins(&tenant, &[uid("a")])?, []);
    Ok(())
}

pub(super) fn blind_sessions_are_one_per_identity_and_system(store: &dyn Store) -> Outcome {
    let blind = |who: &str, system: &str, severity, last| BlindSession {
        tenant: TenantId::default(),
        identity: identity(who, 0).0.id,
        actor: who.into(),
        system: system.into(),
        silent_since: None,
        privilege: "not known".into(),
        severity,
        sign_ins: u64::try_from(last).unwrap_or_default(),
        first: second(0),
        last: second(last),
    };
    let rows = [
        blind("ana", "crm", Severity::Low, 9),
        blind("ana", "erp", Severity::High, 1),
        blind("ana", "crm", Severity::Low, 10),
    ];
    for row in &rows {
        store.save(Progress {
            blind_sessions: vec![row.clone()],
            ..saved(Vec::new())
        })?;
    }
    let tenant = TenantId::default();
    let stored = store.blind_sessions(&tenant, 9)?;
    assert_eq!(stored, [rows[1].clone(), rows[2].clone()]);
    assert_eq!(store.blind_sessions(&tenant, 1)?.len(), 1);
    let elsewhere = TenantId::new("elsewhere").unwrap_or_default();
    assert_eq!(store.blind_sessions(&elsewhere, 9)?, []);
    store.forget_derived()?;
    assert_eq!(store.blind_sessions(&tenant, 9)?, []);
    Ok(())
}

pub(super) fn ids_within_a_range(store: &dyn Store) -> Outcome {
    store.save(batch([identity("ana", 1), identity("bo", 1)]))?;
    let part = Session {
        part: 2,
        ..session("a", "ana", 4, 80)
    };
    let elsewhere = Session {
        tenant: TenantId::new("elsewhere").unwrap_or_default(),
        ..session("e", "ana", 9, 10)
    };
    let sessions = vec![
        session("a", "ana", 2, 80),
        part,
        session("b", "bo", 3, 50),
        elsewhere,
    ];
    store.save(saved(sessions))?;
    let tenant = TenantId::default();
    let mut both = [uid("a"), uid("b")];
    both.sort();
    let [low, high] = both;
    assert_eq!(store.sessions_within(&tenant, &(low..=high), 9)?, both);
    assert_eq!(store.sessions_within(&tenant, &(low..=high), 1)?, [low]);
    assert_eq!(store.sessions_within(&tenant, &(low..=low), 9)?, [low]);
    let of_another = uid("e")..=uid("e");
    assert_eq!(store.sessions_within(&tenant, &of_another, 9)?, []);
    let (ana, _) = identity("ana", 0);
    let (bo, _) = identity("bo", 0);
    assert_eq!(store.identities_within(&(ana.id..=ana.id), 9)?, [ana.id]);
    let (low, high) = (ana.id.min(bo.id), ana.id.max(bo.id));
    assert_eq!(store.identities_within(&(low..=high), 9)?, [low, high]);
    let own = finding("own", "off_hours", Severity::Low, 5);
    let mut foreign = finding("foreign", "off_hours", Severity::Low, 5);
    foreign.draft.tenant = TenantId::new("other").unwrap_or_default();
    let findings = vec![own.clone(), foreign.clone()];
    store.save(Progress {
        through: 9,
        findings,
        ..Progress::default()
    })?;
    let within = |id| store.findings_within(&tenant, &(id..=id), 9);
    assert_eq!(within(own.id)?, [own.id]);
    assert_eq!(within(foreign.id)?, []);
    Ok(())
}
