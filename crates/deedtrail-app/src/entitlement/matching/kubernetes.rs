//! Kubernetes: verbs on resources, as RBAC compares them.
//!
//! The audit log's operation has no API group, so that groups are not compared.

use deedtrail_core::Text;

use super::Cover;

/// Whether `VERB RESOURCE[.GROUP][/SUBRESOURCE]` or `VERB /path` of a rule covers what was done.
pub(super) fn covers(pattern: &str, operation: &str) -> bool {
    let (Some((verb, thing)), Some((did, on))) =
        (pattern.split_once(' '), operation.split_once(' '))
    else {
        return false;
    };
    (verb == "*" || verb == did) && covers_thing(thing, on)
}

/// Verbs of requests for resources
/// (<https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb>).
const VERBS: u64 = 8;

/// How many actions `VERB RESOURCE` stands for; of any resource that is not known.
pub(super) fn actions_of(pattern: &str) -> Option<u64> {
    let (verb, thing) = pattern.split_once(' ')?;
    (verb == "*" && !thing.contains('*') && !thing.starts_with('/')).then_some(VERBS)
}

fn covers_thing(thing: &str, on: &str) -> bool {
    if thing.starts_with('/') || on.starts_with('/') {
        let start = thing.strip_suffix('*');
        return thing == on || start.is_some_and(|start| on.starts_with(start));
    }
    let (resource, part) = parts(thing);
    let (on_resource, on_part) = parts(on);
    match (resource, part) {
        ("*", "") => true,
        ("*", part) => part == on_part,
        (resource, part) => resource == on_resource && part == on_part,
    }
}

/// Resource without its group, and subresource.
fn parts(thing: &str) -> (&str, &str) {
    let (name, part) = thing.split_once('/').unwrap_or((thing, ""));
    (name.split('.').next().unwrap_or(name), part)
}

/// Whether `RESOURCE[/NAMESPACE][/NAME]` lies within one of `NAMESPACE/NAME`. Of a cluster's own
/// resources the namespace is missing.
pub(super) fn within(scope: &[Text], target: &str) -> Cover {
    let mut parts = target.split('/').skip(1);
    let (first, second) = (parts.next(), parts.next());
    let fits = |pattern: &Text| {
        let (namespace, name) = pattern.split_once('/').unwrap_or((pattern, "*"));
        match (first, second) {
            (None, _) => namespace == "*" && name == "*",
            (Some(only), None) if namespace == "*" => name == "*" || name == only,
            (Some(only), None) => namespace == only && name == "*",
            (Some(within), Some(named)) => {
                (namespace == "*" || namespace == within) && (name == "*" || name == named)
            }
        }
    };
    if scope.iter().any(fits) {
        Cover::Yes
    } else {
        Cover::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_cover_as_the_authoriser_does() {
        for (pattern, operation, expected) in [
            ("get pods", "get pods", true),
            ("* pods", "delete pods", true),
            ("get *", "get pods/log", true),
            ("get pods", "get pods/log", false),
            ("get pods/log", "get pods/log", true),
            ("patch */scale", "patch deployments/scale", true),
            ("patch */scale", "patch deployments", false),
            ("list deployments.apps", "list deployments", true),
            (
                "patch deployments.apps/scale",
                "patch deployments/scale",
                true,
            ),
            ("get /healthz*", "get /healthz/ready", true),
            ("get /healthz", "get /healthz/ready", false),
            ("get *", "watch pods", false),
            ("get *", "get", false),
        ] {
            assert_eq!(
                covers(pattern, operation),
                expected,
                "{pattern}: {operation}"
            );
        }
    }

    #[test]
    fn a_role_of_a_namespace_ends_there() {
        for (pattern, target, expected) in [
            ("shop/*", "pods/shop/web-1", Cover::Yes),
            ("shop/*", "pods/shop", Cover::Yes),
            ("shop/*", "pods/bank/web-1", Cover::No),
            ("shop/*", "pods", Cover::No),
            ("shop/web", "secrets/shop/web", Cover::Yes),
            ("shop/web", "secrets/shop/db", Cover::No),
            ("shop/web", "secrets/shop", Cover::No),
            ("*/admin", "clusterroles/admin", Cover::Yes),
            ("*/admin", "clusterroles/view", Cover::No),
        ] {
            assert_eq!(
                within(&[pattern.into()], target),
                expected,
                "{pattern} {target}"
            );
        }
    }
}
