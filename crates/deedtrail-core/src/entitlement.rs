//! Entitlements: what an identity may do, as the systems themselves say.

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::event::Alias;
use crate::id::{EntitlementId, TenantId};
use crate::time::Timestamp;

/// Whether a grant lets something be done, or forbids it. A deny wins over every allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    #[default]
    Allow,
    Deny,
}

impl Effect {
    /// The name as stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// A right that was granted: one statement of a policy, one rule of a role, one row of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grant {
    /// Tells the grant from the others of its import; the same from one import to the next.
    pub key: Text,
    /// The system it is a right in: `aws`, `kubernetes`, `entra`, `github` …
    pub system: Text,
    /// Permissions or roles, as the system names them; patterns where the system has patterns.
    pub permissions: Vec<Text>,
    /// The grant is of everything but `permissions`.
    #[serde(skip_serializing_if = "is_false")]
    pub permissions_except: bool,
    /// Operations that count as use of it where its permissions are not named like operations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Text>,
    /// What it is a right to; patterns where the system has them. Empty: everything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<Text>,
    /// The grant is on everything but `scope`.
    #[serde(skip_serializing_if = "is_false")]
    pub scope_except: bool,
    pub effect: Effect,
    /// When it counts, in words. Conditions are told, not evaluated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Text>,
    /// The group, role, binding or policy it comes by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted_by: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub justification: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Who has it. A group is one too (namespace `….group`) where its members are not told.
    pub holders: Vec<Alias>,
}

/// Which import an entitlement comes from. The next import of the same name replaces what this
/// one said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImportName {
    /// `aws`, `kubernetes`, `entra`, `github` or `list`.
    pub kind: Text,
    /// The account, cluster, tenant or organisation that was exported; empty when there is one.
    pub account: Text,
}

/// A grant as the last import of its name said it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    pub id: EntitlementId,
    pub tenant: TenantId,
    pub import: ImportName,
    /// When the import that said so first was taken in.
    pub first_imported: Timestamp,
    /// When the last one was.
    pub imported: Timestamp,
    pub grant: Grant,
}

/// What was imported under one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntitlementImport {
    pub tenant: TenantId,
    pub import: ImportName,
    /// When the last import was taken in.
    pub imported: Timestamp,
    pub grants: u64,
    /// The systems its grants are rights in, by name.
    pub systems: Vec<Text>,
}

impl Entitlement {
    /// The id of a grant of an import.
    pub fn id_of(tenant: &TenantId, import: &ImportName, key: &str) -> EntitlementId {
        EntitlementId::derive(&[
            tenant.as_str().as_bytes(),
            import.kind.as_bytes(),
            import.account.as_bytes(),
            key.as_bytes(),
        ])
    }
}

/// Whether an alias stands for a group, which is nobody by itself.
pub fn is_group(alias: &Alias) -> bool {
    alias.namespace.ends_with(".group")
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_says_only_what_it_knows_and_reads_back() {
        let grant = Grant {
            key: "k".into(),
            system: "aws".into(),
            permissions: vec!["s3:*".into()],
            ..Grant::default()
        };
        let text = serde_json::to_string(&grant).unwrap();
        assert_eq!(
            text,
            r#"{"key":"k","system":"aws","permissions":["s3:*"],"effect":"allow","holders":[]}"#
        );
        assert_eq!(serde_json::from_str::<Grant>(&text).unwrap(), grant);
        let slip = text.replace("effect", "efect");
        assert!(serde_json::from_str::<Grant>(&slip).is_err());
    }

    #[test]
    fn ids_tell_imports_apart() {
        let import = |account: &str| ImportName {
            kind: "aws".into(),
            account: account.into(),
        };
        let tenant = TenantId::default();
        let id = |account, key| Entitlement::id_of(&tenant, &import(account), key);
        assert_eq!(id("1", "k"), id("1", "k"));
        assert_ne!(id("1", "k"), id("2", "k"));
        assert_ne!(id("1", "k"), id("1k", ""));
    }
}
