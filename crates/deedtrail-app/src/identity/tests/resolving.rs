//! Who is who.

use proptest::prelude::*;

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, CredentialKind, Event, MappedEvent};
use deedtrail_core::id::{AliasUid, IdentityId};
use deedtrail_core::identity::IdentityStatus;
use deedtrail_core::port::store::Store as _;
use deedtrail_testkit::MemoryStore;

use super::events::{
    acting_for, actor, alias, at, by, kind_of, on, save, sealed, second, with_key,
};
use crate::identity::{MergeDecision, Resolver};

#[test]
fn the_same_verified_email_is_the_same_human_across_sources() {
    let mut resolver = Resolver::default();
    let okta = actor(
        &mut resolver,
        by(&["okta.id:00u1", "email:Ana@Example.com"]),
    );
    let github = actor(
        &mut resolver,
        by(&["github.login:ana", "email:ana@example.com"]),
    );
    assert_eq!(okta, github);
    assert_eq!(okta, actor(&mut resolver, by(&["github.login:ANA"])));
    let uid = AliasUid::of(&sealed(1, by(&[])).tenant, "okta.id", "00u1");
    assert_eq!(okta, IdentityId::discovered(uid));
}

#[test]
fn names_and_addresses_never_merge() {
    let mut resolver = Resolver::default();
    let first = actor(
        &mut resolver,
        by(&["okta.id:00u1", "name:Ana", "ip:192.0.2.1"]),
    );
    let second = actor(
        &mut resolver,
        by(&["okta.id:00u2", "name:Ana", "ip:192.0.2.1"]),
    );
    assert_ne!(first, second);
    assert_ne!(first, actor(&mut resolver, by(&["name:Ana"])));
}

#[test]
fn a_machine_with_a_persons_contact_address_stays_a_machine() {
    let mut resolver = Resolver::default();
    let human = kind_of(ActorKind::Human, by(&["email:ana@example.com"]));
    let ana = actor(&mut resolver, human.clone());
    let service = by(&["aws.arn:arn:aws:iam::1:user/svc", "email:ana@example.com"]);
    let bot = actor(&mut resolver, kind_of(ActorKind::ServiceAccount, service));
    assert_ne!(ana, bot);
    assert_eq!(ana, actor(&mut resolver, human));
}

#[test]
fn a_client_or_service_that_many_come_through_merges_nobody() {
    let mut resolver = Resolver::default();
    let through = |email: &str, other: &str| by(&[&format!("email:{email}@x.example"), other]);
    for other in [
        "oauth.client_id:cli",
        "aws.service:ec2.example",
        "key.fingerprint:aa",
    ] {
        let ana = actor(&mut resolver, through("ana", other));
        assert_ne!(ana, actor(&mut resolver, through("bob", other)), "{other}");
    }
    let agent = ["agent.id:a1", "oauth.client_id:c9"];
    assert_eq!(
        actor(&mut resolver, by(&agent)),
        actor(&mut resolver, by(&agent[1..]))
    );
}

#[test]
fn two_known_identities_of_one_record_are_merged_and_can_be_parted() {
    let mut resolver = Resolver::default();
    let late = actor(&mut resolver, at(20, by(&["okta.id:00u1"])));
    let early = actor(
        &mut resolver,
        at(10, with_key("K", by(&["email:ana@example.com"]))),
    );
    let both = by(&["okta.id:00u1", "email:ana@example.com"]);
    assert_eq!(
        actor(&mut resolver, at(30, both.clone())),
        early,
        "the one seen first is kept"
    );
    assert_eq!(actor(&mut resolver, at(31, by(&["okta.id:00u1"]))), early);
    assert_eq!(resolver.identity(late).unwrap().id, early);
    let merges = resolver.take_changes().merges;
    assert_eq!(merges.len(), 1);
    assert!(
        merges[0].reason.contains("okta.id:00u1"),
        "{}",
        merges[0].reason
    );

    assert!(resolver.unmerge(late, second(40)));
    assert!(!resolver.unmerge(late, second(41)), "undone twice");
    assert_eq!(actor(&mut resolver, by(&["okta.id:00u1"])), late);
    assert_eq!(actor(&mut resolver, by(&["email:ana@example.com"])), early);
    actor(&mut resolver, both);
    assert_eq!(
        actor(&mut resolver, by(&["email:ana@example.com"])),
        early,
        "merged again"
    );
    assert_eq!(
        actor(&mut resolver, by(&["okta.id:00u1"])),
        late,
        "merged again"
    );
}

#[test]
fn people_decide_who_is_one_and_may_think_again() {
    let mut resolver = Resolver::default();
    let left = actor(&mut resolver, by(&["github.login:ana"]));
    let right = actor(&mut resolver, at(11, by(&["slack.id:U1"])));
    let merge = MergeDecision::Merge {
        left: right,
        right: left,
        reason: "told so".into(),
    };
    let unmerge = MergeDecision::Unmerge { merged: right };
    for decision in [&merge, &unmerge, &merge] {
        let content = serde_json::to_vec(decision).unwrap();
        assert!(
            resolver.apply_decision(&content, second(20)),
            "{decision:?}"
        );
        assert!(
            !resolver.apply_decision(&content, second(21)),
            "{decision:?} twice"
        );
    }
    assert_eq!(actor(&mut resolver, by(&["slack.id:U1"])), left);
    assert!(!resolver.apply_decision(b"{\"decision\":\"forget\"}", second(22)));
}

#[test]
fn kinds_become_known_and_specific_but_never_flip() {
    use ActorKind::{AiAgent, Human, ServiceAccount, Unknown};
    let check = |kinds: &[ActorKind], expected| {
        let mut resolver = Resolver::default();
        let last = kinds
            .iter()
            .map(|kind| actor(&mut resolver, kind_of(*kind, by(&["x.id:1"]))));
        let id = last.last().unwrap();
        assert_eq!(resolver.identity(id).unwrap().kind, expected, "{kinds:?}");
    };
    check(&[Unknown, Human, Unknown], Human);
    check(&[Human, ServiceAccount], Human);
    check(&[ServiceAccount, AiAgent, ServiceAccount], AiAgent);
    check(&[ServiceAccount, Human], ServiceAccount);
}

#[test]
fn a_role_assumed_by_two_people_is_one_identity_acting_for_two() {
    let mut resolver = Resolver::default();
    let session = |person: &str| {
        let role = by(&["aws.arn:arn:aws:iam::1:role/ops"]);
        acting_for(
            &[(
                "assumed_role",
                &format!("aws.role_session:{person}@example.com"),
            )],
            role,
        )
    };
    let mut resolved = |person: &str| resolver.resolve(&mut sealed(1, session(person)));
    let (ana, bob, again) = (resolved("ana"), resolved("bob"), resolved("ana"));
    assert_eq!(ana.actor, bob.actor);
    assert_ne!(ana.behind, bob.behind);
    assert_eq!(ana, again);
    let human = actor(
        &mut resolver,
        by(&["okta.id:00u1", "email:ana@example.com"]),
    );
    assert_eq!(ana.behind, [("assumed_role".into(), human)]);
    assert_ne!(Some(human), ana.actor);
}

#[test]
fn an_agents_three_relations_are_all_kept() {
    let mut resolver = Resolver::default();
    let links = [
        ("deployed_as", "gcp.email:bot@p.example"),
        ("acting_as", "k8s.serviceaccount:ml:bot"),
        ("on_behalf_of", "email:ana@example.com"),
    ];
    let mut event = sealed(1, acting_for(&links, by(&["agent.id:a1"])));
    let resolved = resolver.resolve(&mut event);
    let relations: Vec<_> = resolved
        .behind
        .iter()
        .map(|(relation, _)| relation.as_str())
        .collect();
    assert_eq!(relations, ["deployed_as", "acting_as", "on_behalf_of"]);
    assert_eq!(
        resolver.identity(resolved.actor.unwrap()).unwrap().kind,
        ActorKind::AiAgent
    );
    let acting_as = resolver.identity(resolved.behind[1].1).unwrap();
    assert_eq!(acting_as.kind, ActorKind::ServiceAccount);
}

#[test]
fn a_rotated_key_and_a_renamed_role_stay_one_identity() {
    let mut resolver = Resolver::default();
    let named = |name: &str, mapped| MappedEvent {
        actor_name: Some(name.into()),
        ..mapped
    };
    let role = |arn: &str| by(&["aws.unique_id:AROA1", arn]);
    let before = with_key("AKIA1", named("ci", role("aws.arn:arn:aws:iam::1:role/ci")));
    let id = actor(&mut resolver, at(1, before));
    let create = on(
        Action::CredentialCreate,
        ("access_key", "AKIA2"),
        by(&["email:a@b.example"]),
    );
    let owner = vec![alias("aws.unique_id:AROA1")];
    resolver.resolve(&mut sealed(
        2,
        at(
            2,
            MappedEvent {
                target_aliases: owner,
                ..create
            },
        ),
    ));
    let revoke = on(
        Action::CredentialRevoke,
        ("access_key", "AKIA1"),
        by(&["email:a@b.example"]),
    );
    resolver.resolve(&mut sealed(3, at(3, revoke)));
    let after = with_key(
        "AKIA2",
        named("deployer", role("aws.arn:arn:aws:iam::1:role/deployer")),
    );
    let event = sealed(4, at(4, after.clone()));
    assert_eq!(actor(&mut resolver, at(4, after)), id);
    assert_eq!(resolver.identity(id).unwrap().name, "deployer");

    let new = resolver.credential(event.credential_uid.unwrap()).unwrap();
    assert_eq!(
        (new.identity, new.created, new.uses),
        (id, Some(second(2)), 1)
    );
    let old_uid = sealed(1, with_key("AKIA1", by(&[])))
        .credential_uid
        .unwrap();
    let old = resolver.credential(old_uid).unwrap();
    assert_eq!(
        (old.identity, old.revoked, old.last_used),
        (id, Some(second(3)), Some(second(1)))
    );
}

#[test]
fn a_refused_change_of_a_credential_changes_nothing() {
    let mut resolver = Resolver::default();
    let rotate = on(
        Action::CredentialRotate,
        ("access_key", "K"),
        by(&["email:a@b.example"]),
    );
    let denied = deedtrail_core::event::OutcomeClass::Denied;
    resolver.resolve(&mut sealed(
        1,
        MappedEvent {
            outcome: denied,
            ..rotate.clone()
        },
    ));
    assert_eq!(resolver.take_changes().credentials, []);
    resolver.resolve(&mut sealed(2, rotate));
    assert_eq!(
        resolver.take_changes().credentials[0].last_rotated,
        Some(second(10))
    );
}

#[test]
fn a_key_that_stands_beside_its_user_is_the_users() {
    let mut resolver = Resolver::default();
    let user = actor(&mut resolver, by(&["aws.arn:arn:aws:iam::1:user/svc"]));
    let create = on(
        Action::CredentialCreate,
        ("user", "svc"),
        by(&["email:admin@x.example"]),
    );
    let aliases = ["aws.arn:arn:aws:iam::1:user/svc", "aws.access_key:AKIA9"].map(alias);
    let mut event = sealed(
        2,
        MappedEvent {
            target_aliases: aliases.into(),
            ..create
        },
    );
    resolver.resolve(&mut event);
    let credentials = resolver.take_changes().credentials;
    assert_eq!(credentials.len(), 1, "the user is no credential");
    assert_eq!(
        (credentials[0].identity, credentials[0].created),
        (user, Some(second(10)))
    );
    let used = sealed(
        3,
        with_key("AKIA9", by(&["aws.arn:arn:aws:iam::1:user/svc"])),
    );
    assert_eq!(used.credential_uid, Some(credentials[0].uid));
}

#[test]
fn sessions_and_endless_tokens_do_not_fill_the_memory() {
    let mut resolver = Resolver::default();
    let session = MappedEvent {
        credential_kind: Some(CredentialKind::RoleSession),
        ..with_key("ASIA1", by(&["email:ana@x.example"]))
    };
    actor(&mut resolver, session);
    assert_eq!(resolver.take_changes().credentials, []);
    for number in 0..1100 {
        actor(
            &mut resolver,
            with_key(&format!("K{number}"), by(&["email:ana@x.example"])),
        );
    }
    assert_eq!(resolver.take_changes().credentials.len(), 1024);
    actor(&mut resolver, with_key("K1", by(&["email:ana@x.example"])));
    assert_eq!(resolver.take_changes().credentials[0].uses, 2);
}

#[test]
fn one_key_from_two_workloads_is_one_credential_and_two_principals() {
    let mut resolver = Resolver::default();
    let from = |workload: &str, mapped| MappedEvent {
        workload: Some(workload.into()),
        ..with_key("AKIA1", mapped)
    };
    let first = actor(
        &mut resolver,
        from("runner-1", by(&["k8s.serviceaccount:a:one"])),
    );
    let second = actor(
        &mut resolver,
        from("runner-2", by(&["k8s.serviceaccount:a:two"])),
    );
    assert_ne!(first, second);
    let credentials = resolver.take_changes().credentials;
    assert_eq!(credentials.len(), 1);
    assert_eq!(credentials[0].identity, first);
    assert_eq!(credentials[0].used_from, ["runner-1", "runner-2"]);
    assert_eq!(credentials[0].uses, 2);
}

#[test]
fn places_of_use_are_workload_then_network_and_bounded() {
    let mut resolver = Resolver::default();
    let from = |ip: &str| MappedEvent {
        src_ip: Some(ip.into()),
        ..with_key("K", by(&["email:a@b.example"]))
    };
    for ip in [
        "192.0.2.7",
        "192.0.2.8",
        "2001:db8:1::5",
        "::ffff:198.51.100.1",
        "not an address",
    ] {
        actor(&mut resolver, from(ip));
    }
    let used_from = resolver.take_changes().credentials[0].used_from.clone();
    assert_eq!(
        used_from,
        ["192.0.2.0/24", "2001:db8:1::/48", "198.51.100.0/24"]
    );
    for third in 0..200 {
        actor(&mut resolver, from(&format!("10.0.{third}.1")));
    }
    assert_eq!(resolver.take_changes().credentials[0].used_from.len(), 32);
}

#[test]
fn a_record_that_names_only_a_known_key_is_its_owners() {
    let mut resolver = Resolver::default();
    let owner = actor(&mut resolver, with_key("K", by(&["email:ana@example.com"])));
    let mut event = sealed(2, with_key("K", by(&[])));
    assert_eq!(resolver.resolve(&mut event).actor, Some(owner));
    assert_eq!(
        event.actor_alias_uid,
        resolver.identity(owner).map(|i| i.first_alias)
    );
    assert_eq!(resolver.resolve(&mut sealed(3, by(&[]))).actor, None);
    assert_eq!(
        resolver
            .resolve(&mut sealed(4, with_key("L", by(&[]))))
            .actor,
        None
    );
}

#[test]
fn accounts_are_created_disabled_enabled_and_deleted() {
    let mut resolver = Resolver::default();
    let mut admin = |action, operation: &str, seconds| {
        let target = vec![alias("okta.id:00u9")];
        let event = on(
            action,
            ("user", "00u9"),
            at(seconds, by(&["email:admin@example.com"])),
        );
        let operation = operation.into();
        let mapped = MappedEvent {
            operation,
            target_aliases: target,
            ..event
        };
        resolver.resolve(&mut sealed(1, mapped));
        let uid = AliasUid::of(&sealed(1, by(&[])).tenant, "okta.id", "00u9");
        resolver
            .identity_of(uid)
            .map(|identity| (identity.status, identity.created))
    };
    let created = Some(second(5));
    assert_eq!(admin(Action::IdentityDisable, "user.suspend", 1), None);
    let check = [
        (
            Action::IdentityCreate,
            "user.lifecycle.create",
            IdentityStatus::Active,
        ),
        (
            Action::IdentityDisable,
            "user.lifecycle.suspend",
            IdentityStatus::Disabled,
        ),
        (
            Action::IdentityChange,
            "user.update",
            IdentityStatus::Disabled,
        ),
        (
            Action::IdentityChange,
            "user.lifecycle.unsuspend",
            IdentityStatus::Active,
        ),
        (
            Action::IdentityDisable,
            "user.lifecycle.delete",
            IdentityStatus::Deleted,
        ),
    ];
    for (seconds, (action, operation, status)) in (5..).zip(check) {
        assert_eq!(
            admin(action, operation, seconds),
            Some((status, created)),
            "{operation}"
        );
    }
}

/// Records over few people, so that aliases meet; everyone is of one kind.
fn records() -> impl Strategy<Value = Vec<MappedEvent>> {
    let alias = (0..3_u8, 0..6_u8).prop_map(|(namespace, number)| {
        let namespace = ["okta.id", "email", "github.login"][usize::from(namespace)];
        format!("{namespace}:u{number}@x.example")
    });
    let record = (
        prop::collection::vec(alias, 1..3),
        0..50_i64,
        prop::option::of(0..3_u8),
    );
    let mapped = record.prop_map(|(aliases, seconds, key)| {
        let aliases: Vec<&str> = aliases.iter().map(String::as_str).collect();
        let mapped = at(seconds, kind_of(ActorKind::Human, by(&aliases)));
        match key {
            Some(number) => with_key(&format!("K{number}"), mapped),
            None => mapped,
        }
    });
    prop::collection::vec(mapped, 1..40)
}

fn events(records: &[MappedEvent]) -> Vec<Event> {
    (0..)
        .zip(records)
        .map(|(sequence, mapped)| sealed(sequence, mapped.clone()))
        .collect()
}

/// Which aliases lead to one identity, whatever its id.
fn groups(store: &MemoryStore) -> Vec<Vec<AliasUid>> {
    let mut groups = std::collections::BTreeMap::<_, Vec<_>>::new();
    for alias in store.aliases().unwrap() {
        groups.entry(alias.identity).or_default().push(alias.uid);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort();
    groups
}

/// Runs the log with a restart after every `cut` events.
fn run(records: &[MappedEvent], cut: usize) -> (Resolver, MemoryStore) {
    let store = MemoryStore::default();
    let mut resolver = Resolver::default();
    for batch in events(records).chunks_mut(cut) {
        for event in batch {
            resolver.resolve(event);
        }
        save(&mut resolver, &store);
        resolver = Resolver::from_bytes(&resolver.to_bytes().unwrap()).unwrap();
    }
    (resolver, store)
}

fn state(store: &MemoryStore) -> impl PartialEq + std::fmt::Debug + use<> {
    let everyone = deedtrail_core::port::store::IdentityFilter {
        merged: true,
        ..Default::default()
    };
    let identities = store.identities(&everyone).unwrap();
    (
        identities,
        store.aliases().unwrap(),
        store.credentials().unwrap(),
        store.merges().unwrap(),
    )
}

proptest! {
    #[test]
    fn the_state_does_not_depend_on_batches_or_restarts(records in records(), cut in 1_usize..9) {
        prop_assert_eq!(state(&run(&records, cut).1), state(&run(&records, usize::MAX).1));
    }

    #[test]
    fn who_belongs_together_does_not_depend_on_the_order(records in records()) {
        let mut backwards = records.clone();
        backwards.reverse();
        prop_assert_eq!(groups(&run(&records, 9).1), groups(&run(&backwards, 9).1));
    }

    #[test]
    fn parting_every_merge_leaves_each_alias_with_a_known_identity(records in records()) {
        let (mut resolver, store) = run(&records, usize::MAX);
        for merge in store.merges().unwrap().iter().rev() {
            prop_assert!(resolver.unmerge(merge.merged, second(99)));
        }
        save(&mut resolver, &store);
        for alias in store.aliases().unwrap() {
            let identity = store.identity(alias.identity).unwrap();
            prop_assert_eq!(identity.map(|identity| identity.id), Some(alias.identity));
        }
    }
}
