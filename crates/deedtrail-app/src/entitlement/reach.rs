//! How far a session could have gone: what imports say its identity may do, and those it gained.
//!
//! Published in docs/reference/sessions.md: change both.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::entitlement::{Effect, Entitlement, Grant};
use deedtrail_core::id::{AliasUid, EventUid, IdentityId};
use deedtrail_core::port::store::{Scope, StoreError};
use deedtrail_core::session::{BlastRadius, JoinBy, Reached, Session, Thing};
use deedtrail_core::time::Timestamp;

use crate::App;
use crate::access::Principal;
use crate::session::SessionFile;
use crate::timeline::ReadingError;

/// Identities whose rights are counted; those gained beyond it are only numbered.
const THROUGH_MAX: usize = 12;
/// Resources and permissions that each kind names; further ones are numbered.
const NAMED_MAX: usize = 6;
/// What a grant without a scope is on.
const EVERYTHING: &str = "everything";

/// Access level of a permission: what it lets its holder do, the most dangerous first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessLevel {
    /// Everything, or giving rights to others.
    Administer,
    ReadSecrets,
    Destroy,
    Change,
    Read,
}

impl AccessLevel {
    /// The name as shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Administer => "administer",
            Self::ReadSecrets => "read secrets",
            Self::Destroy => "destroy",
            Self::Change => "change",
            Self::Read => "read",
        }
    }

    /// Told from the words of a permission.
    fn of(permission: &str) -> Self {
        let lower = permission.to_lowercase();
        let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let verb = lower.rsplit_once(':').map_or(lower.as_str(), |(_, it)| it);
        let reads = ["get", "list", "read", "describe", "view", "watch", "search"];
        let reads = reads.iter().any(|word| verb.starts_with(word));
        let gives = any(&["iam:", "rolebinding", "rolemanagement", "approleassignment"]);
        let administers = any(&["admin", "owner", "assumerole", "impersonate", "escalate"]);
        if lower.chars().all(|c| !c.is_alphanumeric()) || administers || (gives && !reads) {
            Self::Administer
        } else if any(&["secret", "password", "credential", "token", "decrypt"]) {
            Self::ReadSecrets
        } else if verb.starts_with('*') || any(&["delete", "destroy", "terminate", "purge"]) {
            Self::Destroy
        } else if reads {
            Self::Read
        } else {
            Self::Change
        }
    }
}

/// How far a session could have gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// Whose rights are counted: the session's identity, then those it gained.
    pub through: Vec<Through>,
    pub through_left_out: u64,
    /// Rights of all of them that imports tell.
    pub entitlements: u64,
    /// Different things these rights are on; a pattern is one.
    pub resources: u64,
    /// The most dangerous first.
    pub kinds: Vec<ReachKind>,
    /// Different identities it gave, changed or took something, and people it notified.
    pub users_affected: u64,
}

/// Somebody whose rights a session has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Through {
    pub identity: IdentityId,
    pub name: Text,
    /// How it came to them.
    pub how: &'static str,
    pub entitlements: u64,
}

/// Rights of one kind in one system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReachKind {
    pub access: AccessLevel,
    pub system: Text,
    /// The first by name, of how many.
    pub resources: Vec<Text>,
    pub resources_total: u64,
    /// The first by name, of how many.
    pub permissions: Vec<Text>,
    pub permissions_total: u64,
}

/// Resources and permissions by access level and system.
type Kinds = BTreeMap<(AccessLevel, Text), (BTreeSet<Text>, BTreeSet<Text>)>;

impl App {
    /// What imports say the identity of a session may do, and those it gained.
    ///
    /// Conditions and denies are not taken off: it is the most that can be reached.
    pub fn session_reach(
        &self,
        principal: &Principal,
        file: &SessionFile,
    ) -> Result<Reach, ReadingError> {
        principal.require(Scope::Read)?;
        let now = self.ports.clock.now();
        let mut reach = Reach {
            users_affected: users_affected(&file.session.blast),
            ..Reach::default()
        };
        let mut kinds = gained_rights(&file.session);
        let mut counted = BTreeSet::new();
        for (identity, how) in self.gained(principal, file)? {
            let Some(identity) = self.ports.store.identity(identity)? else {
                continue;
            };
            if !counted.insert(identity.id) {
                continue;
            }
            if reach.through.len() >= THROUGH_MAX {
                reach.through_left_out += 1;
                continue;
            }
            let whose = self.identity_file(identity)?;
            let held = self.held(&principal.tenant, &whose)?;
            let held = held.iter().filter(|it| allows(it, now));
            let before = reach.entitlements;
            for entitlement in held {
                reach.entitlements += 1;
                count(&mut kinds, &entitlement.grant);
            }
            reach.through.push(Through {
                identity: whose.identity.id,
                name: whose.identity.name,
                how,
                entitlements: reach.entitlements - before,
            });
        }
        let things = kinds.iter().flat_map(|((_, system), (resources, _))| {
            resources.iter().map(move |resource| (system, resource))
        });
        reach.resources = things.collect::<BTreeSet<_>>().len() as u64;
        reach.kinds = kinds.into_iter().map(kind).collect();
        Ok(reach)
    }

    /// Its own identity, then roles it took on and identities it had credentials made for.
    fn gained(
        &self,
        principal: &Principal,
        file: &SessionFile,
    ) -> Result<Vec<(IdentityId, &'static str)>, ReadingError> {
        let session = &file.session;
        let mut gained = vec![(session.identity, "its own")];
        for join in file.joins.iter().filter(|join| join.from == session.uid) {
            if !matches!(join.by, JoinBy::IssuedCredential | JoinBy::Delegation) {
                continue;
            }
            let joined = file.joined.iter().find(|other| other.uid == join.to);
            gained.extend(joined.map(|other| (other.identity, "taken on")));
        }
        for role in &session.blast.rights_gained.things {
            let role = role.name.split_once(" (").map(|(role, _)| role);
            let known = role.map(|role| self.role(principal, role)).transpose()?;
            let known = known.flatten();
            gained.extend(known.map(|identity| (identity, "taken on")));
        }
        let made = session.next.iter();
        let made = made.filter(|act| act.action == Action::CredentialCreate);
        let made: Vec<EventUid> = made.map(|act| act.event_uid).collect();
        for event in self.events_by_uid(principal, made)? {
            for holder in &event.mapped.target_aliases {
                let uid = AliasUid::of(&event.tenant, &holder.namespace, &holder.value);
                let holder = self.ports.store.alias(uid)?;
                gained.extend(holder.map(|alias| (alias.identity, "credential made")));
            }
        }
        Ok(gained)
    }

    /// The role of that name, when there is one.
    fn role(&self, principal: &Principal, name: &str) -> Result<Option<IdentityId>, StoreError> {
        let aliases = self.ports.store.find_alias(name)?.into_iter();
        let roles = aliases.filter(|alias| {
            let (namespace, value) = (&alias.namespace, &alias.value);
            let theirs = AliasUid::of(&principal.tenant, namespace, value) == alias.uid;
            theirs && (namespace.contains("role") || namespace.contains("arn"))
        });
        let who: BTreeSet<IdentityId> = roles.map(|alias| alias.identity).collect();
        Ok(who.first().copied().filter(|_| who.len() == 1))
    }
}

fn allows(entitlement: &Entitlement, now: Timestamp) -> bool {
    let grant = &entitlement.grant;
    grant.effect == Effect::Allow && grant.expires.is_none_or(|at| at > now)
}

fn count(kinds: &mut Kinds, grant: &Grant) {
    let everything = [Text::new_static(EVERYTHING)];
    let scope = match grant.scope.as_slice() {
        [] => &everything,
        _ if grant.scope_except => &everything,
        scope => scope,
    };
    for permission in &grant.permissions {
        let access = if grant.permissions_except {
            AccessLevel::Administer
        } else {
            AccessLevel::of(permission)
        };
        let of_kind = kinds.entry((access, grant.system.clone())).or_default();
        of_kind.0.extend(scope.iter().cloned());
        of_kind.1.insert(permission.clone());
    }
}

/// Rights over everything that the session itself gave: imports of before do not tell them.
fn gained_rights(session: &Session) -> Kinds {
    let mut kinds = Kinds::new();
    let system = session.systems.first().cloned().unwrap_or_default();
    for right in &session.blast.rights_gained.things {
        // Without one of these it says whom, not what.
        let name = right.name.split_once(" for ");
        let Some((name, _)) = name.or_else(|| right.name.split_once(" (")) else {
            continue;
        };
        if AccessLevel::of(name) == AccessLevel::Administer {
            let of_kind = kinds.entry((AccessLevel::Administer, system.clone()));
            let of_kind = of_kind.or_default();
            of_kind.0.insert(Text::new_static(EVERYTHING));
            of_kind.1.insert(name.into());
        }
    }
    kinds
}

fn kind(
    ((access, system), (resources, permissions)): (
        (AccessLevel, Text),
        (BTreeSet<Text>, BTreeSet<Text>),
    ),
) -> ReachKind {
    let (resources_total, permissions_total) = (resources.len() as u64, permissions.len() as u64);
    ReachKind {
        access,
        system,
        resources: resources.into_iter().take(NAMED_MAX).collect(),
        resources_total,
        permissions: permissions.into_iter().take(NAMED_MAX).collect(),
        permissions_total,
    }
}

fn users_affected(blast: &BlastRadius) -> u64 {
    let lists = [
        &blast.identities_changed,
        &blast.credentials_made,
        &blast.rights_gained,
    ];
    // A role that was taken on is nobody's.
    let users = |thing: &&Thing| !thing.name.contains(" (");
    let names = lists.iter().flat_map(|list| &list.things).filter(users);
    let names = names.map(|thing| {
        let whom = thing.name.rsplit_once(" for ");
        whom.map_or(thing.name.as_str(), |(_, whom)| whom)
    });
    let names: BTreeSet<&str> = names.collect();
    let left_out = lists.iter().map(|list: &&Reached| list.left_out).sum();
    blast
        .people_notified
        .saturating_add(names.len() as u64)
        .saturating_add(left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_permission_tell_its_access_level() {
        for (permission, access) in [
            ("*", AccessLevel::Administer),
            ("*:*", AccessLevel::Administer),
            ("iam:AttachUserPolicy", AccessLevel::Administer),
            ("sts:AssumeRole", AccessLevel::Administer),
            ("create rolebindings", AccessLevel::Administer),
            (
                "arn:aws:iam::aws:policy/AdministratorAccess",
                AccessLevel::Administer,
            ),
            ("secretsmanager:GetSecretValue", AccessLevel::ReadSecrets),
            ("get secrets", AccessLevel::ReadSecrets),
            ("s3:*", AccessLevel::Destroy),
            ("s3:DeleteObject", AccessLevel::Destroy),
            ("s3:PutObject", AccessLevel::Change),
            ("contents:write", AccessLevel::Change),
            ("iam:ListRoles", AccessLevel::Read),
            ("get pods", AccessLevel::Read),
            ("contents:read", AccessLevel::Read),
        ] {
            assert_eq!(AccessLevel::of(permission), access, "{permission}");
        }
    }
}
