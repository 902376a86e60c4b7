//! Identities, what was declared about them, and merges.

use deedtrail_core::event::ActorKind;
use deedtrail_core::finding::Severity;
use deedtrail_core::id::{CredentialUid, IdentityId};
use deedtrail_core::identity::{Declared, Identity, Merge};
use deedtrail_core::port::store::{FindingFilter, IdentityFilter, Progress, Store, StoreError};

use super::{Outcome, batch, finding, identity, second};

pub(super) fn declared_facts_stay(store: &dyn Store) -> Outcome {
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

pub(super) fn identities_are_filtered(store: &dyn Store) -> Outcome {
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

pub(super) fn merges_are_followed(store: &dyn Store) -> Outcome {
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
