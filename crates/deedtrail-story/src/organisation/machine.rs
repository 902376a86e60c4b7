//! What the organisation knows about one non-human identity.

use super::{AWS_PRODUCTION, DOMAIN, stable_hex, stable_uuid};

/// The account a machine acts with; its alias is derived from the machine's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    AwsRole,
    AwsUser,
    GitHubLogin,
    VaultEntity,
    /// Namespace of the Kubernetes service account.
    Kubernetes(&'static str),
    EntraApp,
    /// A user in Okta that only programs use.
    OktaUser,
    Agent,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    pub(crate) name: &'static str,
    /// Actor kind as the product names it.
    pub(crate) kind: &'static str,
    pub(crate) accounts: &'static [Account],
    /// Nobody declared it: absent from the import, discovered from events.
    pub(crate) undeclared: bool,
    /// Login of the owner; empty when nobody answers for it.
    pub(crate) owner: &'static str,
    pub(crate) backup_owner: &'static str,
    pub(crate) department: &'static str,
    pub(crate) environment: &'static str,
    pub(crate) purpose: &'static str,
    pub(crate) declared_tools: &'static [&'static str],
    pub(crate) read_only: bool,
    /// Deployment it serves.
    pub(crate) workload: &'static str,
    /// Days before the anchor on which that deployment was deleted; 0 when it lives.
    pub(crate) workload_gone_days: i64,
    /// Days before the anchor on which its owner left; 0 when there is one.
    pub(crate) orphaned_days: i64,
}

impl Machine {
    pub(crate) fn aliases(&self) -> Vec<String> {
        self.accounts
            .iter()
            .flat_map(|account| match account {
                Account::AwsRole => vec![["aws.arn:", &self.role_arn()].concat()],
                Account::AwsUser => vec![["aws.arn:", &self.user_arn()].concat()],
                Account::GitHubLogin => vec![["github.login:", self.name].concat()],
                Account::VaultEntity => vec![["vault.entity:", &self.vault_entity()].concat()],
                Account::Kubernetes(namespace) => {
                    vec![["k8s.serviceaccount:", namespace, ":", self.name].concat()]
                }
                Account::EntraApp => vec![
                    ["entra.app_id:", &self.app_id()].concat(),
                    ["entra.object_id:", &self.entra_object_id()].concat(),
                    ["entra.service_principal:", &self.entra_object_id()].concat(),
                ],
                Account::OktaUser => vec![
                    ["email:", &self.email()].concat(),
                    ["okta.id:", &self.okta_id()].concat(),
                ],
                Account::Agent => vec![["agent.id:", self.name].concat()],
            })
            .collect()
    }

    /// The alias a finding on this machine is expected to carry.
    pub(crate) fn first_alias(&self) -> String {
        self.aliases().into_iter().next().unwrap_or_default()
    }

    pub(crate) fn role_arn(&self) -> String {
        ["arn:aws:iam::", AWS_PRODUCTION, ":role/", self.name].concat()
    }

    pub(crate) fn user_arn(&self) -> String {
        ["arn:aws:iam::", AWS_PRODUCTION, ":user/", self.name].concat()
    }

    /// AWS unique id of the role or user.
    pub(crate) fn unique_id(&self) -> String {
        let prefix = if self.accounts.contains(&Account::AwsUser) {
            "AIDA"
        } else {
            "AROA"
        };
        [prefix, &stable_hex(self.name, 17).to_uppercase()].concat()
    }

    /// Public id of the long-lived access key.
    pub(crate) fn access_key_id(&self) -> String {
        let digits = stable_hex(&[self.name, " key"].concat(), 16);
        ["AKIA", &digits.to_uppercase()].concat()
    }

    pub(crate) fn email(&self) -> String {
        [self.name, "@", DOMAIN].concat()
    }

    pub(crate) fn okta_id(&self) -> String {
        ["00u", &stable_hex(self.name, 17)].concat()
    }

    /// Public id of the machine's Okta API token.
    pub(crate) fn okta_token_id(&self) -> String {
        ["00T", &stable_hex(&[self.name, " token"].concat(), 17)].concat()
    }

    pub(crate) fn vault_entity(&self) -> String {
        stable_uuid(&[self.name, " vault"].concat())
    }

    pub(crate) fn app_id(&self) -> String {
        stable_uuid(&[self.name, " app"].concat())
    }

    pub(crate) fn entra_object_id(&self) -> String {
        stable_uuid(&[self.name, " object"].concat())
    }
}
