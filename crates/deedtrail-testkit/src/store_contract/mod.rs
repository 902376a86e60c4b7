//! What every store must do. A test calls [`check`] with a way to make an empty store.

mod access;
mod behaviour;
mod charter;
mod custody;
mod entitlement;
mod exception;
mod finding;
mod people;
mod progress;
mod session;

use deedtrail_core::event::ActorKind;
use deedtrail_core::finding::{Finding, FindingDraft, Severity};
use deedtrail_core::id::{AliasUid, IdentityId, TenantId};
use deedtrail_core::identity::{AliasRecord, Declared, Identity, IdentityStatus};
use deedtrail_core::port::store::{Progress, Store, StoreError};
use deedtrail_core::time::Timestamp;

type Outcome = Result<(), StoreError>;
type Rule = fn(&dyn Store) -> Outcome;

/// Each with its name.
const RULES: [(&str, Rule); 33] = [
    ("an empty store is empty", progress::an_empty_store_is_empty),
    (
        "progress comes back as it was",
        progress::progress_comes_back,
    ),
    ("custody comes back", custody::custody_comes_back),
    ("views are found by who", custody::views_are_found_by_who),
    (
        "a refused batch leaves nothing",
        progress::a_refused_batch_leaves_nothing,
    ),
    ("declared facts stay", people::declared_facts_stay),
    ("identities are filtered", people::identities_are_filtered),
    (
        "merges are followed and undone",
        people::merges_are_followed,
    ),
    ("findings keep decisions", finding::findings_keep_decisions),
    (
        "decided findings open again",
        finding::decided_findings_open_again,
    ),
    (
        "findings are summed up by rule",
        finding::findings_are_summed_up_by_rule,
    ),
    ("findings are filtered", finding::findings_are_filtered),
    ("findings are counted", finding::findings_are_counted),
    (
        "departures are summed up",
        finding::departures_are_summed_up,
    ),
    (
        "a rebuild keeps what people did",
        progress::a_rebuild_keeps_what_people_did,
    ),
    (
        "imports of entitlements replace each other",
        entitlement::imports_replace_each_other,
    ),
    (
        "positions go on beyond narrower numbers",
        progress::positions_go_on_beyond_narrower_numbers,
    ),
    ("quarantine is released", progress::quarantine_is_released),
    ("quarantine is dismissed", progress::quarantine_is_dismissed),
    ("charters are kept", charter::versions_are_kept),
    ("exceptions are kept", exception::exceptions_are_kept),
    ("behaviour is replaced", behaviour::behaviour_is_replaced),
    (
        "behaviour goes with a merge",
        behaviour::behaviour_goes_with_a_merge,
    ),
    ("baselines are kept", behaviour::baselines_are_kept),
    ("tokens", access::tokens),
    ("sign-in and sessions", access::sign_in_and_sessions),
    ("sessions are filtered", session::sessions_are_filtered),
    (
        "departing sessions are listed the most unusual first",
        session::departing_sessions_are_listed_the_most_unusual_first,
    ),
    ("sessions go on", session::sessions_go_on_and_have_parts),
    (
        "joins are found from both ends",
        session::joins_are_found_from_both_ends,
    ),
    (
        "blind sessions",
        session::blind_sessions_are_one_per_identity_and_system,
    ),
    ("ids within a range", session::ids_within_a_range),
    ("hostile text", progress::hostile_text),
];

/// Runs every rule over stores made by `make`; panics at the first one broken.
pub fn check(make: &dyn Fn() -> Box<dyn Store>) {
    for (name, rule) in RULES {
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
