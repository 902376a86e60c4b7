//! Keys, tokens and certificates: who uses them, from where, and what becomes of them.

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{CredentialKind, Event, MappedEvent, OutcomeClass};
use deedtrail_core::id::{CredentialUid, IdentityId};
use deedtrail_core::identity::CredentialRecord;
use deedtrail_core::namespace::{self, namespace_facts};

use super::resolver::{Resolver, earliest};
use super::seal;

/// Most places of use listed per credential; further ones are not noted.
const USED_FROM_MAX: usize = 32;
/// Most credentials kept per identity. Events with further ones keep the credential's id; no record
/// of its own is made for it.
pub(super) const CREDENTIALS_MAX: usize = 1024;

impl Resolver {
    /// Counts a use. A credential belongs to whoever used it first; that somebody else uses it
    /// later is for detection to say.
    pub(super) fn use_credential(&mut self, event: &Event, actor: IdentityId) {
        let mapped = &event.mapped;
        let (Some(uid), Some(reference)) = (event.credential_uid, &mapped.credential_ref) else {
            return;
        };
        let kind = mapped.credential_kind.unwrap_or_default();
        let Some(credential) = self.entry(uid, actor, kind, (reference, &mapped.system)) else {
            return;
        };
        if credential.first_used.is_none() {
            credential.identity = actor;
        }
        let at = Some(event.time_effective);
        credential.uses = credential.uses.saturating_add(1);
        credential.first_used = earliest(credential.first_used, at);
        credential.last_used = credential.last_used.max(at);
        if let Some(place) = place_of_use(mapped)
            && credential.used_from.len() < USED_FROM_MAX
            && !credential.used_from.contains(&place)
        {
            credential.used_from.push(place);
        }
    }

    /// Creation, rotation and revocation of the credentials an event acts on.
    pub(super) fn learn_credential_change(&mut self, event: &Event, actor: Option<IdentityId>) {
        let mapped = &event.mapped;
        let Some(owner) = self.owner_of_target(event).or(actor) else {
            return;
        };
        let at = Some(event.time_effective);
        for (kind, reference) in target_credentials(mapped) {
            let uid = seal::credential_id(&event.tenant, &mapped.system, reference);
            let Some(credential) = self.entry(uid, owner, kind, (reference, &mapped.system)) else {
                continue;
            };
            match mapped.action {
                Action::CredentialCreate => credential.created = earliest(credential.created, at),
                Action::CredentialRotate => {
                    credential.last_rotated = credential.last_rotated.max(at);
                }
                _ => credential.revoked = earliest(credential.revoked, at),
            }
        }
    }

    /// The record of a credential, made when it is new. `None` for what is a session rather than a
    /// credential, and for new ones of an identity that has had too many.
    fn entry(
        &mut self,
        uid: CredentialUid,
        owner: IdentityId,
        kind: CredentialKind,
        (reference, system): (&Text, &Text),
    ) -> Option<&mut CredentialRecord> {
        if matches!(
            kind,
            CredentialKind::RoleSession | CredentialKind::SessionCookie
        ) {
            return None;
        }
        if !self.credentials.contains_key(&uid) {
            let held = self.credentials_held.entry(owner).or_insert(0);
            if *held >= CREDENTIALS_MAX {
                return None;
            }
            *held += 1;
        }
        self.touched.credentials.insert(uid);
        let credential = self
            .credentials
            .entry(uid)
            .or_insert_with(|| CredentialRecord {
                uid,
                identity: owner,
                kind,
                reference: reference.clone(),
                system: system.clone(),
                created: None,
                last_rotated: None,
                expires: None,
                revoked: None,
                first_used: None,
                last_used: None,
                uses: 0,
                used_from: Vec::new(),
            });
        if credential.kind == CredentialKind::Unknown {
            credential.kind = kind;
        }
        Some(credential)
    }

    /// Whose credential it is, where the record names them as a target.
    fn owner_of_target(&self, event: &Event) -> Option<IdentityId> {
        let unique = |namespace: &str| namespace_facts(namespace).is_unique();
        let named = event
            .mapped
            .target_aliases
            .iter()
            .filter(|a| unique(&a.namespace));
        named
            .into_iter()
            .find_map(|alias| self.known(&event.tenant, alias))
    }
}

/// Whether an event took effect, as far as the record says.
pub(super) fn took_effect(mapped: &MappedEvent) -> bool {
    !matches!(mapped.outcome, OutcomeClass::Failure | OutcomeClass::Denied)
}

/// The credentials an event creates, rotates or revokes: kind and public id. They are the target
/// itself, or stand beside it as an alias (a user's key).
fn target_credentials(mapped: &MappedEvent) -> Vec<(CredentialKind, &Text)> {
    if !took_effect(mapped) {
        return Vec::new();
    }
    let target = mapped.target_kind.as_deref().and_then(credential_kind);
    let itself = target.zip(mapped.target_ref.as_ref());
    let beside = mapped.target_aliases.iter().filter_map(|alias| {
        namespace::credential_kind(&alias.namespace).map(|kind| (kind, &alias.value))
    });
    itself
        .into_iter()
        .chain(beside)
        .filter(|(_, reference)| !reference.is_empty())
        .collect()
}

/// The kind of credential a target kind names: `access_key`, `personal_access_token`, `deploy_key` …
fn credential_kind(target_kind: &str) -> Option<CredentialKind> {
    let words = target_kind
        .to_ascii_lowercase()
        .replace(['-', ' ', '.'], "_");
    if matches!(words.as_str(), "credential" | "key") {
        return Some(CredentialKind::Unknown);
    }
    let by_end = [
        ("token", CredentialKind::Token),
        ("secret", CredentialKind::Token),
        ("api_key", CredentialKind::AccessKey),
        ("access_key", CredentialKind::AccessKey),
        ("account_key", CredentialKind::AccessKey),
        ("ssh_key", CredentialKind::SshKey),
        ("deploy_key", CredentialKind::SshKey),
        ("certificate", CredentialKind::Certificate),
        ("password", CredentialKind::Password),
        ("grant", CredentialKind::OauthGrant),
    ];
    CredentialKind::from_name(&words).or_else(|| {
        by_end
            .iter()
            .find(|(end, _)| words.ends_with(end))
            .map(|(_, kind)| *kind)
    })
}

/// The workload a credential was used from, else the network: AS, or the /24 or /48 of the address.
fn place_of_use(mapped: &MappedEvent) -> Option<Text> {
    if let Some(workload) = &mapped.workload {
        return Some(workload.clone());
    }
    if let Some(number) = mapped.src_asn {
        return Some(format!("AS{number}").into());
    }
    let address = mapped
        .src_ip
        .as_ref()?
        .parse::<std::net::IpAddr>()
        .ok()?
        .to_canonical();
    Some(match address {
        std::net::IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24").into()
        }
        std::net::IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}::/48").into()
        }
    })
}
