//! The action taxonomy: what an operation does in security terms, one list for all vendors.

use serde::{Deserialize, Serialize};

/// What an operation does. `other` is a measured figure per source, not a place to hide.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Authenticate,
    SessionChange,
    Read,
    Enumerate,
    Write,
    Delete,
    Destroy,
    ConfigChange,
    CodeChange,
    Deploy,
    Execute,
    PrivilegeGrant,
    PrivilegeRevoke,
    CredentialCreate,
    CredentialRotate,
    CredentialRevoke,
    SecretRead,
    Export,
    Share,
    MessagePublish,
    MessageConsume,
    NotifyPeople,
    Click,
    ConsentGrant,
    IdentityCreate,
    IdentityChange,
    IdentityDisable,
    LicenceChange,
    LoggingChange,
    #[default]
    Other,
}

/// Meaning of an action for people and for OCSF consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionFacts {
    pub action: Action,
    pub name: &'static str,
    /// One sentence.
    pub meaning: &'static str,
    /// Three vendors' operations.
    pub examples: &'static str,
    /// OCSF 1.8 `class_uid`.
    pub class_uid: u32,
    /// OCSF 1.8 `activity_id` within that class.
    pub activity_id: u32,
}

const fn facts(
    action: Action,
    name: &'static str,
    meaning: &'static str,
    examples: &'static str,
    ocsf: (u32, u32),
) -> ActionFacts {
    ActionFacts {
        action,
        name,
        meaning,
        examples,
        class_uid: ocsf.0,
        activity_id: ocsf.1,
    }
}

/// Every action, in the order of the enum.
pub const ACTIONS: [ActionFacts; 30] = [
    facts(
        Action::Authenticate,
        "authenticate",
        "An identity proved, or failed to prove, who it is.",
        "`user.session.start` (Okta), `ConsoleLogin` (AWS), `UserLoggedIn` (M365)",
        (3002, 1),
    ),
    facts(
        Action::SessionChange,
        "session_change",
        "A session was issued, refreshed, stepped up or ended.",
        "`user.session.end` (Okta), `AssumeRole` (AWS), `auth/token/renew-self` (Vault)",
        (3003, 1),
    ),
    facts(
        Action::Read,
        "read",
        "One named thing was read.",
        "`GetObject` (AWS), `FileAccessed` (M365), `get` pods (Kubernetes)",
        (6003, 2),
    ),
    facts(
        Action::Enumerate,
        "enumerate",
        "A collection was listed or searched.",
        "`ListRoles` (AWS), `list` secrets (Kubernetes), `tools/list` (MCP)",
        (6003, 2),
    ),
    facts(
        Action::Write,
        "write",
        "Data was created or changed.",
        "`PutObject` (AWS), `FileModified` (M365), `issue.update` (GitHub)",
        (6003, 3),
    ),
    facts(
        Action::Delete,
        "delete",
        "One thing that can be made again was removed.",
        "`DeleteObject` (AWS), `FileDeleted` (M365), `delete` pod (Kubernetes)",
        (6003, 4),
    ),
    facts(
        Action::Destroy,
        "destroy",
        "Something was removed irreversibly or in bulk.",
        "`DeleteBucket` (AWS), `repo.destroy` (GitHub), `delete` namespace (Kubernetes)",
        (6003, 4),
    ),
    facts(
        Action::ConfigChange,
        "config_change",
        "How a system behaves was changed.",
        "`ModifyDBInstance` (AWS), `org.update_member_repository_creation_permission` (GitHub), `Set-OrganizationConfig` (M365)",
        (6003, 3),
    ),
    facts(
        Action::CodeChange,
        "code_change",
        "Source code or a build or deployment definition was changed.",
        "`git.push` (GitHub), `UpdateFunctionCode` (AWS), `pull_request.merge` (GitHub)",
        (6003, 3),
    ),
    facts(
        Action::Deploy,
        "deploy",
        "A version was put into service.",
        "`UpdateService` (AWS ECS), `patch` deployments (Kubernetes), `deployment.create` (GitHub)",
        (6002, 3),
    ),
    facts(
        Action::Execute,
        "execute",
        "Code, a job, a model or a command was run.",
        "`SendCommand` (AWS), `create` pods/exec (Kubernetes), `execute_tool` (OpenTelemetry)",
        (6003, 99),
    ),
    facts(
        Action::PrivilegeGrant,
        "privilege_grant",
        "An identity got more rights.",
        "`AttachUserPolicy` (AWS), `user.account.privilege.grant` (Okta), `org.update_member` (GitHub)",
        (3005, 1),
    ),
    facts(
        Action::PrivilegeRevoke,
        "privilege_revoke",
        "An identity lost rights.",
        "`DetachUserPolicy` (AWS), `user.account.privilege.revoke` (Okta), `team.remove_member` (GitHub)",
        (3005, 2),
    ),
    facts(
        Action::CredentialCreate,
        "credential_create",
        "A key, token, password or factor came into being.",
        "`CreateAccessKey` (AWS), `system.api_token.create` (Okta), `personal_access_token.create` (GitHub)",
        (3001, 99),
    ),
    facts(
        Action::CredentialRotate,
        "credential_rotate",
        "A credential was replaced.",
        "`RotateSecret` (AWS), `user.account.update_password` (Okta), `database/rotate-role` (Vault)",
        (3001, 4),
    ),
    facts(
        Action::CredentialRevoke,
        "credential_revoke",
        "A credential was ended.",
        "`DeleteAccessKey` (AWS), `system.api_token.revoke` (Okta), `auth/token/revoke` (Vault)",
        (3001, 99),
    ),
    facts(
        Action::SecretRead,
        "secret_read",
        "A secret's value was handed out.",
        "`GetSecretValue` (AWS), `read` secret/data (Vault), `get` secrets (Kubernetes)",
        (6003, 2),
    ),
    facts(
        Action::Export,
        "export",
        "Data left the tenant or went to an external party.",
        "`ModifySnapshotAttribute` (AWS), `org.audit_log_export` (GitHub), `CUSTOMER_TAKEOUT_CREATED` (Google)",
        (6001, 9),
    ),
    facts(
        Action::Share,
        "share",
        "Access to a thing was opened to others.",
        "`PutBucketPolicy` (AWS), `SharingSet` (M365), `change_user_access` (Google)",
        (6001, 8),
    ),
    facts(
        Action::MessagePublish,
        "message_publish",
        "A message was put on a queue or topic.",
        "`Publish` (AWS SNS), `SendMessage` (AWS SQS), `publish` span (OpenTelemetry)",
        (6003, 1),
    ),
    facts(
        Action::MessageConsume,
        "message_consume",
        "A message was taken from a queue or topic.",
        "`ReceiveMessage` (AWS SQS), `process` span (OpenTelemetry), `GetRecords` (AWS Kinesis)",
        (6003, 2),
    ),
    facts(
        Action::NotifyPeople,
        "notify_people",
        "People were sent something.",
        "`SendEmail` (AWS SES), `Send` (M365 mailbox), `send_email` tool (agent)",
        (4009, 1),
    ),
    facts(
        Action::Click,
        "click",
        "A protected link was opened.",
        "`ClickAllowed` (Defender), clicks permitted (Proofpoint), clicks blocked (Proofpoint)",
        (4002, 3),
    ),
    facts(
        Action::ConsentGrant,
        "consent_grant",
        "An application was allowed to act for people.",
        "`Consent to application.` (Entra), `app.oauth2.as.consent.grant` (Okta), `oauth_application.create` (GitHub)",
        (3005, 1),
    ),
    facts(
        Action::IdentityCreate,
        "identity_create",
        "An identity came into being.",
        "`CreateUser` (AWS), `user.lifecycle.create` (Okta), `CREATE_USER` (Google)",
        (3001, 1),
    ),
    facts(
        Action::IdentityChange,
        "identity_change",
        "An identity's attributes were changed.",
        "`UpdateUser` (AWS), `user.account.update_profile` (Okta), `Update user.` (Entra)",
        (3001, 99),
    ),
    facts(
        Action::IdentityDisable,
        "identity_disable",
        "An identity was disabled or removed.",
        "`DeleteUser` (AWS), `user.lifecycle.deactivate` (Okta), `SUSPEND_USER` (Google)",
        (3001, 5),
    ),
    facts(
        Action::LicenceChange,
        "licence_change",
        "A licence or seat was given, taken or changed.",
        "`USER_LICENSE_ASSIGNMENT` (Google), `Change user license.` (Entra), `copilot.cfb_seat_added` (GitHub)",
        (3001, 99),
    ),
    facts(
        Action::LoggingChange,
        "logging_change",
        "Evidence itself was changed: a log switched off, narrowed or deleted.",
        "`StopLogging` (AWS), `Set-AdminAuditLogConfig` (M365), `sys/audit` disable (Vault)",
        (6003, 3),
    ),
    facts(
        Action::Other,
        "other",
        "Nothing above; counted per source.",
        "an operation no table names",
        (6003, 99),
    ),
];

impl Action {
    /// Meaning, examples and OCSF class of this action.
    pub fn facts(self) -> &'static ActionFacts {
        &ACTIONS[self as usize]
    }

    /// The name as stored and shown, e.g. `privilege_grant`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The action of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        ACTIONS
            .iter()
            .find(|facts| facts.name == name)
            .map(|facts| facts.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_follows_the_enum() {
        for (place, facts) in ACTIONS.iter().enumerate() {
            assert_eq!(facts.action as usize, place, "{}", facts.name);
            assert_eq!(Action::from_name(facts.name), Some(facts.action));
            let json = serde_json::to_string(&facts.action).unwrap();
            assert_eq!(json, format!("\"{}\"", facts.name));
        }
        assert_eq!(Action::from_name("fly"), None);
    }
}
