//! Keys, tokens and certificates: who uses them, from where, and what becomes of them.

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{CredentialKind, Event, MappedEvent, OutcomeClass};
use deedtrail_core::id::{CredentialUid, IdentityId};
use deedtrail_core::identity::CredentialRecord;
use deedtrail_core::namespace::namespace_facts;

use super::resolver::{Resolver, earliest};
use super::seal;

/// Most places of use listed per credential; further ones are not noted.
const USED_FROM_MAX: usize = 32;

impl Resolver {
    /// Counts a use. A credential belongs to whoever used it first; that somebody else uses it
    /// later is for detection to say.
    pub(super) fn use_credential(&mut self, event: &Event, actor: IdentityId) {
        let mapped = &event.mapped;
        let (Some(uid), Some(reference)) = (event.credential_uid, &mapped.credential_ref) else {
            return;
        };
        let kind = mapped.credential_kind.unwrap_or_default();
        let credential = self.credential_entry(uid, actor, kind, (reference, &mapped.system));
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

    /// Creation, rotation and revocation of the credential an event acts on.
    pub(super) fn learn_credential_change(&mut self, event: &Event, actor: Option<IdentityId>) {
        let mapped = &event.mapped;
        let Some((kind, reference)) = target_credential(mapped) else {
            return;
        };
        let Some(owner) = self.owner_of_target(event).or(actor) else {
            return;
        };
        let uid = seal::credential_id(&event.tenant, &mapped.system, kind, reference);
        let credential = self.credential_entry(uid, owner, kind, (reference, &mapped.system));
        let at = Some(event.time_effective);
        match mapped.action {
            Action::CredentialCreate => credential.created = earliest(credential.created, at),
            Action::CredentialRotate => credential.last_rotated = credential.last_rotated.max(at),
            _ => credential.revoked = earliest(credential.revoked, at),
        }
    }

    fn credential_entry(
        &mut self,
        uid: CredentialUid,
        owner: IdentityId,
        kind: CredentialKind,
        (reference, system): (&Text, &Text),
    ) -> &mut CredentialRecord {
        self.touched.credentials.insert(uid);
        self.credentials
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
            })
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

/// The credential an event creates, rotates or revokes: kind and public id.
fn target_credential(mapped: &MappedEvent) -> Option<(CredentialKind, &Text)> {
    let changes = matches!(
        mapped.action,
        Action::CredentialCreate | Action::CredentialRotate | Action::CredentialRevoke
    );
    let kind = credential_kind(mapped.target_kind.as_deref()?)?;
    let reference = mapped
        .target_ref
        .as_ref()
        .filter(|reference| !reference.is_empty())?;
    (changes && took_effect(mapped)).then_some((kind, reference))
}

/// The kind of credential a target kind names: `access_key`, `personal_access_token`, `deploy_key` …
fn credential_kind(target_kind: &str) -> Option<CredentialKind> {
    let words = target_kind
        .to_ascii_lowercase()
        .replace(['-', ' ', '.'], "_");
    if words == "unknown" {
        return None;
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
