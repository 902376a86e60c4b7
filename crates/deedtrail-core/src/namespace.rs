//! Namespaces of aliases: how far a value in them tells one identity from another.

use std::borrow::Cow;

use crate::event::{ActorKind, CredentialKind};
use ActorKind::{AiAgent, Human, OauthApp, ServiceAccount, Unknown, Workload};
use Uniqueness::{Account, Person, Shared};

/// What one value of a namespace stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uniqueness {
    /// One identity in every system: the same value in two sources is the same identity.
    Person,
    /// One account of one system.
    Account,
    /// May stand for several identities (display names, addresses, services that act for many,
    /// keys that two may hold): never a reason to merge.
    Shared,
}

/// A namespace that mappings use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    pub name: &'static str,
    pub uniqueness: Uniqueness,
    /// Values differ by more than case.
    pub folds_case: bool,
    /// Kind of the identity where the record does not say.
    pub kind: ActorKind,
}

const fn namespace(name: &'static str, uniqueness: Uniqueness, kind: ActorKind) -> Namespace {
    Namespace {
        name,
        uniqueness,
        folds_case: false,
        kind,
    }
}

const fn folded(name: &'static str, uniqueness: Uniqueness, kind: ActorKind) -> Namespace {
    Namespace {
        name,
        uniqueness,
        folds_case: true,
        kind,
    }
}

/// Every namespace with facts of its own, by name.
pub const NAMESPACES: [Namespace; 58] = [
    folded("acct", Person, Unknown),
    namespace("agent.id", Account, AiAgent),
    namespace("agent.name", Shared, AiAgent),
    namespace("aws.access_key", Shared, Unknown),
    namespace("aws.account", Shared, Unknown),
    namespace("aws.arn", Account, Unknown),
    namespace("aws.federated", Account, Unknown),
    namespace("aws.identity_center", Account, Human),
    namespace("aws.identity_center_name", Shared, Human),
    namespace("aws.role_session", Shared, Unknown),
    namespace("aws.service", Shared, ActorKind::System),
    namespace("aws.source_identity", Shared, Unknown),
    namespace("aws.unique_id", Account, Unknown),
    folded("cyberark.user", Account, Unknown),
    namespace("defender.account_upn", Account, Unknown),
    namespace("did", Person, Unknown),
    folded("duo.username", Account, Human),
    folded("email", Person, Unknown),
    folded("entra.app_id", Account, OauthApp),
    folded("entra.object_id", Account, Unknown),
    folded("entra.service_principal", Account, ServiceAccount),
    folded("entra.upn", Account, Human),
    folded("gcp.email", Account, Unknown),
    folded("gcp.principal", Account, Unknown),
    namespace("gcp.unique_id", Account, Unknown),
    folded("github.app", Account, OauthApp),
    namespace("github.id", Account, Unknown),
    folded("github.login", Account, Unknown),
    namespace("google.id", Account, Unknown),
    namespace("ip", Shared, Unknown),
    namespace("jira.user_key", Account, Unknown),
    namespace("k8s.serviceaccount", Account, ServiceAccount),
    namespace("k8s.uid", Account, Unknown),
    namespace("k8s.user", Account, Unknown),
    namespace("key.fingerprint", Shared, Unknown),
    folded("m365.user", Account, Unknown),
    namespace("name", Shared, Unknown),
    namespace("oauth.client_id", Account, OauthApp),
    namespace("oidc.subject", Account, Unknown),
    namespace("okta.id", Account, Unknown),
    folded("okta.login", Account, Unknown),
    namespace("phone", Shared, Unknown),
    folded("salesforce.username", Account, Unknown),
    namespace("slack.id", Account, Unknown),
    namespace("spiffe.id", Person, Workload),
    namespace("ssf.issuer", Account, ActorKind::System),
    namespace("ssf.subject", Account, Unknown),
    namespace("uri", Account, Unknown),
    namespace("user.name", Shared, Unknown),
    namespace("vault.accessor", Shared, Unknown),
    namespace("vault.approle", Account, ServiceAccount),
    namespace("vault.display_name", Shared, Unknown),
    namespace("vault.entity", Account, Unknown),
    namespace("vault.username", Account, Unknown),
    namespace("vault.workload", Account, Workload),
    folded("windows.account", Account, Unknown),
    namespace("windows.security_id", Account, Unknown),
    namespace("workload", Shared, Workload),
];

/// The kind of credential whose public id a namespace holds; `None` for namespaces of identities.
pub fn credential_kind(namespace: &str) -> Option<CredentialKind> {
    match namespace {
        "aws.access_key" => Some(CredentialKind::AccessKey),
        "key.fingerprint" => Some(CredentialKind::SshKey),
        "vault.accessor" => Some(CredentialKind::Token),
        _ => None,
    }
}

/// The facts of a namespace. One that is not listed is taken for account ids when it ends in `id`,
/// and for shared names otherwise.
pub fn namespace_facts(name: &str) -> Namespace {
    let listed = NAMESPACES.binary_search_by(|namespace| namespace.name.cmp(name));
    match listed {
        Ok(index) => NAMESPACES[index],
        Err(_) if names_an_id(name) => namespace("", Account, Unknown),
        Err(_) => namespace("", Shared, Unknown),
    }
}

/// Whether the last word of a namespace is `id`.
fn names_an_id(name: &str) -> bool {
    name.rsplit(['.', '_']).next() == Some("id") && name.len() > 2
}

impl Namespace {
    /// Whether two records with the same value are about the same identity.
    pub fn is_unique(self) -> bool {
        self.uniqueness != Shared
    }
}

/// The form of an alias value that its id is made from: trimmed, and in lower case where the
/// namespace does not tell cases apart.
pub fn canonical_value<'a>(namespace: &str, value: &'a str) -> Cow<'a, str> {
    let trimmed = value.trim();
    let folds = namespace_facts(namespace).folds_case;
    if folds
        && trimmed
            .chars()
            .any(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit()))
    {
        Cow::Owned(trimmed.to_lowercase())
    } else {
        Cow::Borrowed(trimmed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AliasUid, TenantId};

    #[test]
    fn the_table_is_sorted_so_that_look_ups_work() {
        assert!(NAMESPACES.is_sorted_by(|a, b| a.name < b.name));
        for namespace in NAMESPACES {
            assert_eq!(namespace_facts(namespace.name), namespace);
        }
    }

    #[test]
    fn a_namespace_of_credentials_merges_nobody() {
        let holds_credentials = |n: &&Namespace| credential_kind(n.name).is_some();
        let namespaces: Vec<_> = NAMESPACES.iter().filter(holds_credentials).collect();
        assert_eq!(namespaces.len(), 3);
        assert!(namespaces.iter().all(|namespace| !namespace.is_unique()));
    }

    #[test]
    fn unlisted_ids_are_accounts_and_unlisted_names_are_shared() {
        assert!(namespace_facts("acme.id").is_unique());
        assert!(namespace_facts("acme.user_id").is_unique());
        assert!(!namespace_facts("acme.display").is_unique());
        assert!(!namespace_facts("").is_unique());
    }

    #[test]
    fn case_matters_only_where_the_namespace_says_so() {
        let uid = |namespace, value| AliasUid::of(&TenantId::default(), namespace, value);
        assert_eq!(
            uid("email", " Ana@Example.com"),
            uid("email", "ana@example.com")
        );
        assert_ne!(uid("okta.id", "00uA"), uid("okta.id", "00ua"));
    }
}
