//! The small things rows are made of: who, and how severe.

use std::collections::BTreeMap;

use deedtrail_core::event::{ActorKind, Event};
use deedtrail_core::finding::Severity;
use deedtrail_core::id::AliasUid;
use deedtrail_core::identity::Identity;

use super::Shown;

/// Most characters of a name in a row.
const NAME_CHARACTERS_MAX: usize = 48;

/// Who stands behind an alias.
pub(crate) type People = BTreeMap<AliasUid, Identity>;

/// Severity as word, colour (by class) and shape (by style sheet).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Badge {
    pub(crate) class: &'static str,
    pub(crate) word: &'static str,
    /// Name in addresses and the API.
    pub(crate) name: &'static str,
}

impl Badge {
    pub(crate) const fn new(severity: Severity) -> Self {
        let (class, word) = match severity {
            Severity::Critical => ("crit", "Critical"),
            Severity::High => ("high", "High"),
            Severity::Medium => ("med", "Medium"),
            Severity::Low => ("low", "Low"),
            Severity::Info => ("info", "Info"),
        };
        Self {
            class,
            word,
            name: severity.name(),
        }
    }
}

/// Somebody or something, with its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chip {
    pub(crate) kind: Shown,
    pub(crate) name: Shown,
    pub(crate) href: Option<String>,
}

impl Chip {
    pub(crate) fn of(identity: &Identity) -> Self {
        Self {
            kind: Shown::new(kind_word(identity.kind)),
            name: Shown::cut(&identity.name, NAME_CHARACTERS_MAX),
            href: Some(identity_address(identity)),
        }
    }

    /// The actor: the resolved identity, else what the record calls it.
    pub(crate) fn actor(event: &Event, people: &People) -> Option<Self> {
        let known = event.actor_alias_uid.and_then(|uid| people.get(&uid));
        if let Some(identity) = known {
            return Some(Self::of(identity));
        }
        let mapped = &event.mapped;
        let name = mapped.actor_name.as_ref().or(mapped.actor_ref.as_ref())?;
        Some(Self {
            kind: Shown::new(kind_word(mapped.actor_kind)),
            name: Shown::cut(name, NAME_CHARACTERS_MAX),
            href: None,
        })
    }

    /// What was acted on.
    pub(crate) fn target(event: &Event, people: &People) -> Option<Self> {
        let mut uids = event.mapped.target_aliases.iter();
        let known = uids.find_map(|alias| {
            people.get(&AliasUid::of(&event.tenant, &alias.namespace, &alias.value))
        });
        if let Some(identity) = known {
            return Some(Self::of(identity));
        }
        let mapped = &event.mapped;
        let name = mapped.target_name.as_ref().or(mapped.target_ref.as_ref())?;
        Some(Self {
            kind: Shown::cut(mapped.target_kind.as_deref().unwrap_or("target"), 24),
            name: Shown::cut(name, NAME_CHARACTERS_MAX),
            href: None,
        })
    }
}

/// Address of an identity's page.
pub(crate) fn identity_address(identity: &Identity) -> String {
    format!("/identities/{}", identity.id)
}

/// A kind in one or two words.
pub(crate) const fn kind_word(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::Human => "human",
        ActorKind::ServiceAccount => "service account",
        ActorKind::Workload => "workload",
        ActorKind::OauthApp => "app",
        ActorKind::AiAgent => "AI agent",
        ActorKind::AutomationRunner => "runner",
        ActorKind::Scanner => "scanner",
        ActorKind::System => "system",
        ActorKind::Unknown => "unknown",
    }
}
