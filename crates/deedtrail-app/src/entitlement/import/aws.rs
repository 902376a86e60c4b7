//! `aws iam get-account-authorization-details`.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use deedtrail_core::Text;
use deedtrail_core::entitlement::{Effect, Grant};
use deedtrail_core::event::Alias;

use super::policy::Document;
use super::{Found, json};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Details {
    user_detail_list: Option<Vec<Principal>>,
    group_detail_list: Option<Vec<Group>>,
    role_detail_list: Option<Vec<Principal>>,
    policies: Option<Vec<Managed>>,
    #[serde(default)]
    is_truncated: bool,
}

/// A user or a role.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Principal {
    arn: String,
    #[serde(default, alias = "UserPolicyList", alias = "RolePolicyList")]
    inline_policies: Vec<Inline>,
    #[serde(default)]
    attached_managed_policies: Vec<Attached>,
    #[serde(default)]
    group_list: Vec<String>,
    permissions_boundary: Option<Boundary>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Group {
    #[serde(rename = "GroupName")]
    name: String,
    #[serde(default, rename = "GroupPolicyList")]
    inline_policies: Vec<Inline>,
    #[serde(default)]
    attached_managed_policies: Vec<Attached>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inline {
    policy_name: String,
    policy_document: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attached {
    policy_arn: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Boundary {
    permissions_boundary_arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Managed {
    arn: String,
    policy_name: String,
    #[serde(default)]
    policy_version_list: Vec<Version>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    document: Value,
    #[serde(default)]
    is_default_version: bool,
}

pub(super) fn read(file: &[u8]) -> Found {
    let details: Details = match json(
        file,
        "what `aws iam get-account-authorization-details` prints",
    ) {
        Ok(details) => details,
        Err(found) => return found,
    };
    if details.is_truncated {
        let message = "it is the first page only (`IsTruncated`); leave --no-paginate and \
                       --max-items out";
        return Found::refused("IsTruncated", message);
    }
    let lists = (
        details.user_detail_list,
        details.group_detail_list,
        details.role_detail_list,
        details.policies,
    );
    let (Some(users), Some(groups), Some(roles), Some(policies)) = lists else {
        let message = "`UserDetailList`, `GroupDetailList`, `RoleDetailList` and `Policies` belong \
                       together; export all of it, without --filter";
        return Found::refused("the file", message);
    };
    let mut reading = Reading::new(&policies);
    reading.principals("UserDetailList", &users, &groups);
    reading.principals("RoleDetailList", &roles, &[]);
    reading.found.account = account(&users, &roles, &mut reading.found);
    reading.root(users.first().or(roles.first()));
    reading.end()
}

/// The account that all of the file is about.
fn account(users: &[Principal], roles: &[Principal], found: &mut Found) -> Text {
    let mut account = None;
    for principal in users.iter().chain(roles) {
        let of_one = principal.arn.split(':').nth(4).filter(|id| !id.is_empty());
        let Some(of_one) = of_one else {
            let shown: String = principal.arn.chars().take(80).collect();
            found.fail(shown, "not the ARN of a user or role");
            continue;
        };
        if account.is_some_and(|known| known != of_one) {
            found.fail(
                "the file",
                "it is about several accounts; import each by itself",
            );
            break;
        }
        account = Some(of_one);
    }
    account.unwrap_or_default().into()
}

/// Which grants there are, and who holds them.
#[derive(Debug)]
struct Reading<'a> {
    /// By ARN: where it stands, and the policy.
    managed: BTreeMap<&'a str, (usize, &'a Managed)>,
    grants: BTreeMap<Text, Grant>,
    /// Keys of the grants of an attachment that was read.
    attachments: BTreeMap<String, Vec<Text>>,
    found: Found,
}

impl<'a> Reading<'a> {
    fn new(policies: &'a [Managed]) -> Self {
        let managed = policies.iter().enumerate();
        Self {
            managed: managed.map(|(n, p)| (p.arn.as_str(), (n, p))).collect(),
            grants: BTreeMap::new(),
            attachments: BTreeMap::new(),
            found: Found::default(),
        }
    }

    fn principals(&mut self, list: &str, principals: &'a [Principal], groups: &'a [Group]) {
        let by_name: BTreeMap<&str, (usize, &Group)> = groups
            .iter()
            .enumerate()
            .map(|(number, group)| (group.name.as_str(), (number, group)))
            .collect();
        for (number, principal) in principals.iter().enumerate() {
            if self.found.is_full() {
                return;
            }
            let place = format!("{list}[{number}]");
            let inline = (&*principal.inline_policies, principal.arn.as_str());
            self.holds(
                principal,
                &place,
                inline,
                &principal.attached_managed_policies,
                None,
            );
            for name in &principal.group_list {
                let Some((number, group)) = by_name.get(name.as_str()) else {
                    let message = format!("the group `{name}` is not in `GroupDetailList`");
                    self.found.fail(place.as_str(), message);
                    continue;
                };
                let place = format!("GroupDetailList[{number}]");
                let inline = (&*group.inline_policies, name.as_str());
                let attached = &group.attached_managed_policies;
                self.holds(principal, &place, inline, attached, Some(name));
            }
        }
    }

    /// A principal has these policies, by itself or as a member of a group.
    fn holds(
        &mut self,
        principal: &'a Principal,
        place: &str,
        (inline, of): (&'a [Inline], &str),
        attached: &'a [Attached],
        group: Option<&str>,
    ) {
        let by = group.map_or_else(String::new, |group| format!("group {group}, "));
        for (number, policy) in inline.iter().enumerate() {
            let document = Document {
                place: &format!("{place} inline policy {number}"),
                key: &format!("{by}inline {of} {}", policy.policy_name),
                via: &format!("{by}inline policy {}", policy.policy_name),
            };
            self.attach(principal, &document, &policy.policy_document);
        }
        for policy in attached {
            let Some((number, managed)) = self.managed.get(policy.policy_arn.as_str()).copied()
            else {
                let arn = &policy.policy_arn;
                let message =
                    format!("the policy {arn} is not in `Policies`; export without --filter");
                self.found.fail(place, message);
                continue;
            };
            let default = managed.policy_version_list.iter();
            let default = default
                .into_iter()
                .find(|version| version.is_default_version);
            let Some(version) = default else {
                let message = "none of `PolicyVersionList` is the default version";
                self.found.fail(format!("Policies[{number}]"), message);
                continue;
            };
            let document = Document {
                place: &format!("Policies[{number}]"),
                key: &format!("{by}{}", managed.arn),
                via: &format!("{by}policy {}", managed.policy_name),
            };
            self.attach(principal, &document, &version.document);
        }
    }

    /// A principal holds every grant of a document. A boundary is a condition: it makes a grant of
    /// its own.
    fn attach(&mut self, principal: &Principal, document: &Document<'_>, body: &Value) {
        let boundary = principal.permissions_boundary.as_ref();
        let boundary = boundary.and_then(|b| b.permissions_boundary_arn.as_deref());
        let within = boundary.map_or_else(String::new, |arn| format!(" within {arn}"));
        let key = format!("{}{within}", document.key);
        if !self.attachments.contains_key(&key) {
            let grants = Document {
                key: &key,
                ..document.clone()
            };
            let grants = grants.grants(body).unwrap_or_else(|wrong| {
                for mistake in wrong {
                    self.found.fail(mistake.place, mistake.message);
                }
                Vec::new()
            });
            let keys = self.add(grants, boundary);
            self.attachments.insert(key.clone(), keys);
        }
        let holder = arn(&principal.arn);
        for key in self.attachments.get(&key).into_iter().flatten() {
            if let Some(grant) = self.grants.get_mut(key) {
                grant.holders.push(holder.clone());
            }
        }
    }

    fn add(&mut self, grants: Vec<Grant>, boundary: Option<&str>) -> Vec<Text> {
        let mut keys = Vec::with_capacity(grants.len());
        for mut grant in grants {
            let first = grant.key.clone();
            for number in 2.. {
                if !self.grants.contains_key(&grant.key) {
                    break;
                }
                grant.key = format!("{first} ({number})").into();
            }
            // A boundary takes away what is allowed; a deny stands by itself.
            let bounded = boundary.filter(|_| grant.effect == Effect::Allow);
            let within = bounded.map(|arn| format!("within the permissions boundary {arn}"));
            grant.conditions.extend(within.map(Text::from));
            keys.push(grant.key.clone());
            self.grants.insert(grant.key.clone(), grant);
        }
        keys
    }

    /// The root user may do everything and is in no list.
    fn root(&mut self, somebody: Option<&Principal>) {
        let parts = somebody.map(|one| one.arn.split(':').collect::<Vec<_>>());
        let Some([_, partition, _, _, account, ..]) = parts.as_deref() else {
            return;
        };
        let root = Grant {
            key: "root user".into(),
            system: "aws".into(),
            permissions: vec!["*".into()],
            via: Some("root user of the account".into()),
            holders: vec![arn(&format!("arn:{partition}:iam::{account}:root"))],
            ..Grant::default()
        };
        self.grants.insert(root.key.clone(), root);
    }

    fn end(mut self) -> Found {
        let limits = "policies of resources, of the organisation and of sessions are not in this \
                      export";
        self.found.notes.push(limits.to_owned());
        self.found.grants = self.grants.into_values().collect();
        self.found
    }
}

fn arn(value: &str) -> Alias {
    Alias {
        namespace: "aws.arn".into(),
        value: value.into(),
    }
}
