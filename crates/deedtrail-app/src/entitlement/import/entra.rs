//! Entra: app roles that were assigned and delegated permissions that were consented to, as
//! Microsoft Graph tells them, in one object.
//!
//! <https://learn.microsoft.com/graph/api/resources/approleassignment>,
//! <https://learn.microsoft.com/graph/api/resources/oauth2permissiongrant>

use std::collections::BTreeMap;

use serde::Deserialize;

use deedtrail_core::Text;
use deedtrail_core::entitlement::Grant;
use deedtrail_core::event::Alias;

use super::{Found, instant, json};

/// The app role of an assignment that is of no role in particular.
const DEFAULT_ACCESS: &str = "00000000-0000-0000-0000-000000000000";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    tenant_id: Option<Text>,
    service_principals: Option<Listed<ServicePrincipal>>,
    app_role_assignments: Option<Listed<Assignment>>,
    oauth2_permission_grants: Option<Listed<Delegated>>,
}

/// A list, or a page of Graph.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Listed<T> {
    All(Vec<T>),
    Page {
        value: Vec<T>,
        #[serde(rename = "@odata.nextLink")]
        next: Option<String>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServicePrincipal {
    id: String,
    display_name: Option<String>,
    #[serde(default)]
    app_roles: Vec<AppRole>,
}

#[derive(Debug, Deserialize)]
struct AppRole {
    id: String,
    value: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assignment {
    id: String,
    app_role_id: String,
    principal_id: String,
    principal_type: String,
    resource_id: String,
    resource_display_name: Option<String>,
    created_date_time: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delegated {
    id: String,
    client_id: String,
    consent_type: String,
    principal_id: Option<String>,
    resource_id: String,
    scope: Option<String>,
}

pub(super) fn read(file: &[u8]) -> Found {
    let what = "an object with `servicePrincipals`, `appRoleAssignments` and \
                `oauth2PermissionGrants` of Microsoft Graph";
    let export: Export = match json(file, what) {
        Ok(export) => export,
        Err(found) => return found,
    };
    let mut found = Found {
        account: export.tenant_id.unwrap_or_default(),
        ..Found::default()
    };
    if export.app_role_assignments.is_none() && export.oauth2_permission_grants.is_none() {
        found.fail("the file", format!("this is to be {what}"));
        return found;
    }
    if export.service_principals.is_none() {
        let message = "without `servicePrincipals` app roles have no names; add it";
        found.fail("the file", message);
        return found;
    }
    let principals = all(&mut found, "servicePrincipals", export.service_principals);
    let names = Names::of(&principals);
    for assignment in all(
        &mut found,
        "appRoleAssignments",
        export.app_role_assignments,
    ) {
        assigned(&mut found, &assignment, &names);
    }
    let grants = all(
        &mut found,
        "oauth2PermissionGrants",
        export.oauth2_permission_grants,
    );
    for grant in grants {
        delegated(&mut found, &grant, &names);
    }
    found
}

fn all<T>(found: &mut Found, place: &str, listed: Option<Listed<T>>) -> Vec<T> {
    match listed {
        None => Vec::new(),
        Some(Listed::All(all)) => all,
        Some(Listed::Page { value, next }) => {
            if next.is_some() {
                let message = "it is one page (`@odata.nextLink`); fetch all of them";
                found.fail(place, message);
            }
            value
        }
    }
}

/// What ids stand for.
struct Names<'a> {
    resources: BTreeMap<&'a str, &'a str>,
    roles: BTreeMap<(&'a str, &'a str), &'a str>,
}

impl<'a> Names<'a> {
    fn of(principals: &'a [ServicePrincipal]) -> Self {
        let name = |one: &'a ServicePrincipal| one.display_name.as_deref().unwrap_or(&one.id);
        let roles = principals.iter().flat_map(|one| {
            let named = one.app_roles.iter();
            let named = named.filter_map(|role| Some((role, role.value.as_deref()?)));
            named.map(|(role, value)| ((one.id.as_str(), role.id.as_str()), value))
        });
        Self {
            resources: principals
                .iter()
                .map(|one| (one.id.as_str(), name(one)))
                .collect(),
            roles: roles.collect(),
        }
    }

    fn resource<'n>(&self, id: &'n str) -> &'n str
    where
        'a: 'n,
    {
        self.resources.get(id).copied().unwrap_or(id)
    }
}

fn assigned(found: &mut Found, assignment: &Assignment, names: &Names<'_>) {
    let Assignment {
        id,
        app_role_id: role,
        resource_id,
        ..
    } = assignment;
    let namespace = match assignment.principal_type.as_str() {
        "User" => "entra.object_id",
        "ServicePrincipal" => "entra.service_principal",
        "Group" => "entra.group",
        other => {
            let other: String = other.chars().take(40).collect();
            let message =
                format!("`principalType` is `{other}`; it is User, Group or ServicePrincipal");
            return found.fail(format!("appRoleAssignments {id}"), message);
        }
    };
    let named = assignment.resource_display_name.as_deref();
    let resource = named.unwrap_or_else(|| names.resource(resource_id));
    let value = names.roles.get(&(resource_id.as_str(), role.as_str()));
    let permission = match value {
        Some(value) => *value,
        None if role == DEFAULT_ACCESS => "default access",
        None => {
            let note =
                format!("the app role {role} of {resource} has no name in `servicePrincipals`");
            found.notes.push(note);
            role
        }
    };
    found.grants.push(Grant {
        key: format!("appRoleAssignment {id}").into(),
        system: "entra".into(),
        permissions: vec![permission.into()],
        scope: vec![resource.into()],
        via: Some(format!("app role of {resource}").into()),
        granted: instant(assignment.created_date_time.as_deref()),
        holders: vec![alias(namespace, &assignment.principal_id)],
        ..Grant::default()
    });
}

fn delegated(found: &mut Found, grant: &Delegated, names: &Names<'_>) {
    let id = &grant.id;
    let behalf = match (grant.consent_type.as_str(), &grant.principal_id) {
        ("AllPrincipals", _) => "on behalf of whoever is signed in".to_owned(),
        ("Principal", Some(user)) => format!("on behalf of the user {user}"),
        _ => {
            let message = "`consentType` is `AllPrincipals`, or `Principal` with a `principalId`";
            return found.fail(format!("oauth2PermissionGrants {id}"), message);
        }
    };
    let resource = names.resource(&grant.resource_id);
    let scopes = grant.scope.as_deref().unwrap_or_default();
    found.grants.push(Grant {
        key: format!("oauth2PermissionGrant {id}").into(),
        system: "entra".into(),
        permissions: scopes.split_whitespace().map(Text::from).collect(),
        scope: vec![resource.into()],
        conditions: vec![behalf.into()],
        via: Some(format!("delegated permissions of {resource}").into()),
        holders: vec![alias("entra.service_principal", &grant.client_id)],
        ..Grant::default()
    });
}

fn alias(namespace: &str, value: &str) -> Alias {
    Alias {
        namespace: namespace.into(),
        value: value.into(),
    }
}
