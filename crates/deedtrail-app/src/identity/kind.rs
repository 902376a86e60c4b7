//! What kind of identity it is: from unknown to known, from general to specific, never from human
//! to machine.

use deedtrail_core::event::{ActorKind, Alias};
use deedtrail_core::namespace::namespace_facts;

/// The kind a record gives: its own word, else what the namespace of its stable alias implies.
pub(super) fn said(kind: ActorKind, stable: &Alias) -> ActorKind {
    if kind == ActorKind::Unknown {
        namespace_facts(&stable.namespace).kind
    } else {
        kind
    }
}

/// Whether a further alias of a record can be the actor's own. One that stands for a machine (the
/// client a person came through, the service that called) is so only if the actor is a machine.
pub(super) fn can_own(said: ActorKind, alias: &Alias) -> bool {
    let facts = namespace_facts(&alias.namespace);
    let machine = !matches!(facts.kind, ActorKind::Unknown | ActorKind::Human);
    let fits = if machine {
        said != ActorKind::Unknown
    } else {
        true
    };
    facts.is_unique() && fits && may_be_one(facts.kind, said)
}

/// What is known after a record said `said`.
pub(super) fn refine(known: ActorKind, said: ActorKind) -> ActorKind {
    let specific = matches!(
        said,
        ActorKind::Workload
            | ActorKind::OauthApp
            | ActorKind::AiAgent
            | ActorKind::AutomationRunner
            | ActorKind::Scanner
    );
    match known {
        ActorKind::Unknown => said,
        ActorKind::ServiceAccount if specific => said,
        _ => known,
    }
}

/// Whether one identity may be both: a human and a machine are never one.
pub(super) fn may_be_one(left: ActorKind, right: ActorKind) -> bool {
    left == ActorKind::Unknown
        || right == ActorKind::Unknown
        || (left == ActorKind::Human) == (right == ActorKind::Human)
}
