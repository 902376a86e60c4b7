//! What events do to identities and credentials: created, disabled, enabled, deleted, rotated.

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, Event};
use deedtrail_core::id::IdentityId;
use deedtrail_core::identity::IdentityStatus;
use deedtrail_core::namespace::namespace_facts;

use super::credential::took_effect;
use super::kind;
use super::resolver::{Resolver, Sighting, earliest};
use super::seal;

impl Resolver {
    /// Learns from an event that acts on a credential or an identity.
    pub(super) fn learn_lifecycle(&mut self, event: &Event, actor: Option<IdentityId>) {
        match event.mapped.action {
            Action::CredentialCreate | Action::CredentialRotate | Action::CredentialRevoke => {
                self.learn_credential_change(event, actor);
            }
            Action::IdentityCreate | Action::IdentityChange | Action::IdentityDisable => {
                self.learn_identity_change(event);
            }
            _ => {}
        }
    }

    fn learn_identity_change(&mut self, event: &Event) {
        let mapped = &event.mapped;
        let target = seal::stable_alias(&mapped.target_aliases);
        let unique = |namespace: &str| namespace_facts(namespace).is_unique();
        let Some(alias) = target.filter(|alias| unique(&alias.namespace)) else {
            return;
        };
        if !took_effect(mapped) {
            return;
        }
        let creates = mapped.action == Action::IdentityCreate;
        let id = match self.known(&event.tenant, alias) {
            Some(id) => id,
            None if !creates => return,
            None => {
                let sighting = Sighting {
                    tenant: &event.tenant,
                    evidence: event.source.as_str(),
                    at: Some(event.time_effective),
                };
                let said = kind::said(ActorKind::Unknown, alias);
                self.discover(alias, said, sighting)
            }
        };
        let Some(identity) = self.identities.get_mut(&id) else {
            return;
        };
        if creates {
            identity.created = earliest(identity.created, Some(event.time_effective));
        }
        if let Some(status) = status_after(mapped.action, &mapped.operation) {
            identity.status = status;
        }
        self.touched.identities.insert(id);
    }
}

/// The state an operation on an account leaves it in; `None` when it does not change.
fn status_after(action: Action, operation: &str) -> Option<IdentityStatus> {
    let verb = operation.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| verb.contains(word));
    match action {
        Action::IdentityCreate => Some(IdentityStatus::Active),
        Action::IdentityDisable if says(&["delete", "destroy", "purge", "remove"]) => {
            Some(IdentityStatus::Deleted)
        }
        Action::IdentityDisable => Some(IdentityStatus::Disabled),
        _ if says(&["disable", "deactivate"]) => None,
        _ if says(&["enable", "activate", "unsuspend", "unlock", "restore"]) => {
            Some(IdentityStatus::Active)
        }
        _ => None,
    }
}
