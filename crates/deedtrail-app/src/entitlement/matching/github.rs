//! GitHub: actions of the audit log as permissions of apps, by family.
//!
//! <https://docs.github.com/rest/authentication/permissions-required-for-github-apps>

use deedtrail_core::Text;
use deedtrail_core::action::Action;

use super::Exercise;

/// Starts of actions, and the permission they are of; the longest that fits counts.
const FAMILIES: [(&str, &str); 43] = [
    ("git.", "contents"),
    ("push", "contents"),
    ("repo.download_zip", "contents"),
    ("release", "contents"),
    ("merge_queue.", "merge_queues"),
    ("pull_request", "pull_requests"),
    ("issue", "issues"),
    ("milestone", "issues"),
    ("label", "issues"),
    ("discussion", "discussions"),
    ("workflows.", "actions"),
    ("workflow_", "actions"),
    ("check", "checks"),
    ("deployment", "deployments"),
    ("environment", "environments"),
    ("status", "statuses"),
    ("page", "pages"),
    ("package", "packages"),
    ("project", "organization_projects"),
    ("hook.", "repository_hooks"),
    ("org.config", "organization_administration"),
    ("org.add_member", "members"),
    ("org.remove_member", "members"),
    ("org.invite_member", "members"),
    ("org.update_member", "members"),
    ("team", "members"),
    ("org_hook", "organization_hooks"),
    ("org.create_actions_secret", "organization_secrets"),
    ("org.update_actions_secret", "organization_secrets"),
    ("org.remove_actions_secret", "organization_secrets"),
    ("org.", "organization_administration"),
    ("repo.create_actions_secret", "secrets"),
    ("repo.update_actions_secret", "secrets"),
    ("repo.remove_actions_secret", "secrets"),
    ("secret_scanning_alert", "secret_scanning_alerts"),
    ("code_scanning", "security_events"),
    ("repository_vulnerability_alert", "vulnerability_alerts"),
    ("dependabot_alert", "vulnerability_alerts"),
    ("codespaces", "codespaces"),
    ("protected_branch", "administration"),
    ("repository_ruleset", "administration"),
    ("public_key", "administration"),
    ("repo.", "administration"),
];

/// Access of a permission; each includes those before it.
const ACCESS: [&str; 3] = ["read", "write", "admin"];

pub(super) fn exercise(operation: &str, action: Action) -> Exercise {
    let fitting = FAMILIES
        .iter()
        .filter(|(start, _)| operation.starts_with(start));
    let family = fitting.max_by_key(|(start, _)| start.len());
    let Some((_, family)) = family else {
        return Exercise::Unknown;
    };
    let reads = matches!(
        action,
        Action::Read | Action::Enumerate | Action::Export | Action::SecretRead
    );
    let access = if reads { "read" } else { "write" };
    Exercise::Named(vec![Text::from(format!("{family}:{access}"))])
}

/// Whether `FAMILY:ACCESS` covers what was exercised.
pub(super) fn covers(pattern: &str, name: &str) -> bool {
    let (Some((family, access)), Some((used, needed))) =
        (pattern.split_once(':'), name.split_once(':'))
    else {
        return pattern == name;
    };
    let rank = |access: &str| ACCESS.iter().position(|known| *known == access);
    family == used && rank(access).is_some_and(|rank_of| Some(rank_of) >= rank(needed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_of_families() {
        let named = |operation: &str, action| match exercise(operation, action) {
            Exercise::Named(names) => names.join(" "),
            other => format!("{other:?}"),
        };
        assert_eq!(named("git.clone", Action::Export), "contents:read");
        assert_eq!(named("git.push", Action::CodeChange), "contents:write");
        assert_eq!(
            named("repo.destroy", Action::Destroy),
            "administration:write"
        );
        assert_eq!(
            named("repo.create_actions_secret", Action::Write),
            "secrets:write"
        );
        assert_eq!(named("marketplace.buy", Action::Other), "Unknown");
    }

    #[test]
    fn the_reference_page_has_every_family() {
        let page = include_str!("../../../../../docs/reference/entitlement-import.md");
        for (start, family) in FAMILIES {
            let row = page
                .lines()
                .find(|line| line.starts_with(&format!("| `{family}` |")));
            assert!(row.unwrap().contains(&format!("`{start}`")), "{start}");
        }
    }

    #[test]
    fn more_access_includes_less() {
        assert!(covers("contents:write", "contents:read"));
        assert!(covers("contents:write", "contents:write"));
        assert!(!covers("contents:read", "contents:write"));
        assert!(!covers("issues:write", "contents:read"));
        assert!(!covers("contents:none", "contents:read"));
    }
}
