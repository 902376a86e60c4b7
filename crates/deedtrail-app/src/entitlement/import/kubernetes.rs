//! Kubernetes RBAC: `kubectl get roles,clusterroles,rolebindings,clusterrolebindings -A -o json`.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/rbac/>

use std::collections::BTreeMap;

use serde::Deserialize;

use deedtrail_core::Text;
use deedtrail_core::entitlement::Grant;
use deedtrail_core::event::Alias;

use super::{Found, PERMISSIONS_MAX, instant, json};

#[derive(Debug, Deserialize)]
struct List {
    items: Vec<Item>,
    metadata: Option<ListMetadata>,
}

#[derive(Debug, Deserialize)]
struct ListMetadata {
    r#continue: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    kind: Option<String>,
    metadata: Metadata,
    #[serde(default)]
    rules: Option<Vec<Rule>>,
    #[serde(default)]
    subjects: Option<Vec<Subject>>,
    role_ref: Option<RoleRef>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: Option<String>,
    creation_timestamp: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
    resource_names: Vec<String>,
    #[serde(rename = "nonResourceURLs")]
    non_resource_urls: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Subject {
    kind: String,
    name: String,
    namespace: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RoleRef {
    kind: String,
    name: String,
}

/// Roles by kind, namespace (empty for cluster roles) and name.
type Roles<'a> = BTreeMap<(&'a str, &'a str, &'a str), &'a [Rule]>;

pub(super) fn read(file: &[u8]) -> Found {
    let what = "what `kubectl get roles,clusterroles,rolebindings,clusterrolebindings -A -o json` \
                prints";
    let list: List = match json(file, what) {
        Ok(list) => list,
        Err(found) => return found,
    };
    let goes_on = list.metadata.and_then(|metadata| metadata.r#continue);
    if goes_on.is_some_and(|token| !token.is_empty()) {
        let message = "it is the first page only; leave --chunk-size and `limit` out";
        return Found::refused("metadata.continue", message);
    }
    let mut found = Found::default();
    let roles = roles(&list.items);
    let bindings = list.items.iter().enumerate();
    let bindings =
        bindings.filter(|(_, item)| is_kind(item, ["RoleBinding", "ClusterRoleBinding"]));
    let mut count = 0;
    for (number, binding) in bindings {
        count += 1;
        if found.is_full() {
            break;
        }
        bind(&mut found, &format!("items[{number}]"), binding, &roles);
    }
    if roles.is_empty() || count == 0 {
        let missing = if count == 0 { "bindings" } else { "roles" };
        found.fail(
            "items",
            format!("there are no {missing}; this is to be {what}"),
        );
    }
    found
}

fn is_kind(item: &Item, kinds: [&str; 2]) -> bool {
    let kind = item.kind.as_deref();
    kind.is_some_and(|kind| kinds.contains(&kind))
}

fn roles(items: &[Item]) -> Roles<'_> {
    let roles = items
        .iter()
        .filter(|item| is_kind(item, ["Role", "ClusterRole"]));
    let mut all: Roles<'_> = BTreeMap::new();
    for item in roles {
        let kind = item.kind.as_deref().unwrap_or_default();
        let namespace = item.metadata.namespace.as_deref().unwrap_or_default();
        let rules = item.rules.as_deref().unwrap_or_default();
        all.insert((kind, namespace, &item.metadata.name), rules);
    }
    all
}

fn bind(found: &mut Found, place: &str, binding: &Item, roles: &Roles<'_>) {
    let name = &binding.metadata.name;
    let namespace = binding.metadata.namespace.as_deref();
    let (Some(kind), Some(role)) = (binding.kind.as_deref(), &binding.role_ref) else {
        found.fail(place, format!("the binding `{name}` has no `roleRef`"));
        return;
    };
    let of = if role.kind == "Role" { namespace } else { None };
    let key = (
        role.kind.as_str(),
        of.unwrap_or_default(),
        role.name.as_str(),
    );
    let shown = match (kind, namespace) {
        ("RoleBinding", Some(namespace)) => format!("RoleBinding {namespace}/{name}"),
        ("RoleBinding", None) => {
            found.fail(
                place,
                format!("the RoleBinding `{name}` has no `metadata.namespace`"),
            );
            return;
        }
        _ => format!("ClusterRoleBinding {name}"),
    };
    let Some(rules) = roles.get(&key) else {
        let note = format!(
            "{shown} refers to {} {}, which is not there",
            role.kind, role.name
        );
        found.notes.push(note);
        return;
    };
    let mut holders = Vec::new();
    for subject in binding.subjects.iter().flatten() {
        match holder(subject, namespace) {
            Ok(holder) => holders.push(holder),
            Err(message) => found.fail(place, message),
        }
    }
    if holders.is_empty() {
        return;
    }
    for (number, rule) in rules.iter().enumerate() {
        let permissions = match permissions(rule, kind) {
            Ok(permissions) if permissions.is_empty() => continue,
            Ok(permissions) => permissions,
            Err(message) => {
                found.fail(
                    format!("{} {} rules[{number}]", role.kind, role.name),
                    message,
                );
                continue;
            }
        };
        found.grants.push(Grant {
            key: format!("{shown}#{number}").into(),
            system: "kubernetes".into(),
            permissions,
            scope: scope(rule, kind, namespace),
            via: Some(format!("{shown}, {} {}", role.kind, role.name).into()),
            granted: instant(binding.metadata.creation_timestamp.as_deref()),
            holders: holders.clone(),
            ..Grant::default()
        });
    }
}

/// `VERB RESOURCE[.GROUP][/SUBRESOURCE]` or `VERB /path`, each verb with each resource. Paths are of
/// the cluster: a binding in a namespace gives none of them.
fn permissions(rule: &Rule, kind: &str) -> Result<Vec<Text>, String> {
    let groups = rule.api_groups.len().max(1);
    let things = rule.resources.len().saturating_mul(groups);
    let things = things.saturating_add(rule.non_resource_urls.len());
    if things.saturating_mul(rule.verbs.len()) > PERMISSIONS_MAX {
        return Err(format!(
            "over {PERMISSIONS_MAX} verbs on resources in one rule"
        ));
    }
    let core = [String::new()];
    let groups = match rule.api_groups.as_slice() {
        [] => &core,
        groups => groups,
    };
    let mut named = Vec::with_capacity(things);
    for resource in &rule.resources {
        for group in groups {
            named.push(in_group(resource, group));
        }
    }
    if kind == "ClusterRoleBinding" {
        named.extend(rule.non_resource_urls.iter().cloned());
    }
    let verbs = rule.verbs.iter();
    let each = verbs.flat_map(|verb| named.iter().map(move |thing| format!("{verb} {thing}")));
    Ok(each.map(Text::from).collect())
}

fn in_group(resource: &str, group: &str) -> String {
    match (resource, group) {
        ("*", _) | (_, "") => resource.to_owned(),
        _ => match resource.split_once('/') {
            Some((thing, part)) => format!("{thing}.{group}/{part}"),
            None => format!("{resource}.{group}"),
        },
    }
}

/// `NAMESPACE/NAME`, with `*` for any.
fn scope(rule: &Rule, kind: &str, namespace: Option<&str>) -> Vec<Text> {
    let within = if kind == "RoleBinding" {
        namespace
    } else {
        None
    };
    if within.is_none() && rule.resource_names.is_empty() {
        return Vec::new();
    }
    let within = within.unwrap_or("*");
    if rule.resource_names.is_empty() {
        return vec![format!("{within}/*").into()];
    }
    let named = rule.resource_names.iter();
    named
        .map(|name| format!("{within}/{name}").into())
        .collect()
}

fn holder(subject: &Subject, namespace: Option<&str>) -> Result<Alias, String> {
    let name = &subject.name;
    let account = name.strip_prefix("system:serviceaccount:");
    let (of, value) = match (subject.kind.as_str(), account) {
        ("ServiceAccount", _) => {
            let within = subject.namespace.as_deref().or(namespace);
            let within = within.ok_or(format!("the service account `{name}` has no namespace"))?;
            ("k8s.serviceaccount", format!("{within}:{name}"))
        }
        ("User", Some(account)) => ("k8s.serviceaccount", account.to_owned()),
        ("User", None) => ("k8s.user", name.clone()),
        ("Group", _) => ("k8s.group", name.clone()),
        (kind, _) => {
            let kind: String = kind.chars().take(40).collect();
            return Err(format!(
                "`{kind}` is no subject; it is User, Group or ServiceAccount"
            ));
        }
    };
    Ok(Alias {
        namespace: of.into(),
        value: value.into(),
    })
}
