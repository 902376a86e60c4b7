//! Who appears in the story.

use deedtrail_core::event::ActorKind;

use crate::sample::builder::Person;

/// Who appears.
pub(super) struct Cast {
    pub(super) alice: Person,
    pub(super) helpdesk: Person,
    pub(super) deployer: Person,
    pub(super) admin: Person,
    pub(super) agent: Person,
    pub(super) export: Person,
    pub(super) sync: Person,
}

fn person(namespace: &'static str, value: &str, kind: ActorKind, name: &str) -> Person {
    Person {
        namespace,
        value: value.into(),
        kind,
        name: name.into(),
    }
}

pub(super) fn cast() -> Cast {
    let role = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
    Cast {
        alice: person(
            "email",
            "alice@example.com",
            ActorKind::Human,
            "alice@example.com",
        ),
        helpdesk: person(
            "okta.id",
            "0oa1helpdesk",
            ActorKind::OauthApp,
            "helpdesk-api",
        ),
        deployer: person(
            "aws.arn",
            &role("ci-deployer"),
            ActorKind::AutomationRunner,
            "ci-deployer",
        ),
        admin: person(
            "aws.arn",
            &role("prod-admin"),
            ActorKind::Workload,
            "role/prod-admin",
        ),
        agent: person(
            "agent.id",
            "agent-support-7",
            ActorKind::AiAgent,
            "support-agent",
        ),
        export: person(
            "aws.arn",
            "arn:aws:iam::111122223333:user/nightly-export",
            ActorKind::ServiceAccount,
            "nightly-export",
        ),
        sync: person(
            "oauth.client_id",
            "legacy-crm-sync",
            ActorKind::OauthApp,
            "legacy-crm-sync",
        ),
    }
}
