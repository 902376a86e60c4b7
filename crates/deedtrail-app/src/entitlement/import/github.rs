//! GitHub: what the apps installed in an organisation may do
//! (`gh api --paginate --slurp orgs/ORG/installations`).
//!
//! <https://docs.github.com/rest/orgs/orgs#list-app-installations-for-an-organization>

use std::collections::BTreeMap;

use serde::Deserialize;

use deedtrail_core::Text;
use deedtrail_core::entitlement::Grant;
use deedtrail_core::event::Alias;

use super::{Found, instant, json};

/// One page, several, or the bare list.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Export {
    Page(Page),
    Pages(Vec<Page>),
    Bare(Vec<Installation>),
}

#[derive(Debug, Deserialize)]
struct Page {
    total_count: u64,
    installations: Vec<Installation>,
}

#[derive(Debug, Deserialize)]
struct Installation {
    id: u64,
    app_slug: String,
    account: Account,
    permissions: BTreeMap<String, String>,
    repository_selection: Option<String>,
    created_at: Option<String>,
    suspended_at: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Account {
    login: String,
}

pub(super) fn read(file: &[u8]) -> Found {
    let what = "what `gh api --paginate --slurp orgs/ORG/installations` prints";
    let export: Export = match json(file, what) {
        Ok(export) => export,
        Err(found) => return found,
    };
    let (total, installations) = match export {
        Export::Page(page) => (Some(page.total_count), page.installations),
        Export::Pages(pages) => {
            let total = pages.first().map(|page| page.total_count);
            (
                total,
                pages
                    .into_iter()
                    .flat_map(|page| page.installations)
                    .collect(),
            )
        }
        Export::Bare(list) => (None, list),
    };
    let mut found = Found::default();
    let listed = installations.len() as u64;
    if let Some(total) = total.filter(|total| *total > listed) {
        let message = format!("{listed} of {total} installations are there; fetch all pages");
        found.fail("total_count", message);
    }
    let account = installations.first().map(|one| one.account.login.clone());
    found.account = account.map(Text::from).unwrap_or_default();
    for (number, one) in installations.iter().enumerate() {
        if one.account.login != found.account {
            let message = "it is of another organisation than the first; import each by itself";
            found.fail(format!("installations[{number}]"), message);
        }
        install(&mut found, one);
    }
    found
}

fn install(found: &mut Found, one: &Installation) {
    if let Some(since) = &one.suspended_at {
        let note = format!(
            "{} may do nothing: it is suspended since {since}",
            one.app_slug
        );
        return found.notes.push(note);
    }
    let selected = one.repository_selection.as_deref() == Some("selected");
    let condition = selected.then(|| Text::new_static("only in selected repositories"));
    for (family, access) in &one.permissions {
        found.grants.push(Grant {
            key: format!("installation {} {family}", one.id).into(),
            system: "github".into(),
            permissions: vec![format!("{family}:{access}").into()],
            conditions: condition.iter().cloned().collect(),
            via: Some(format!("installation of the app {}", one.app_slug).into()),
            granted: instant(one.created_at.as_deref()),
            holders: vec![Alias {
                namespace: "github.login".into(),
                // The name under which an app acts.
                value: format!("{}[bot]", one.app_slug).into(),
            }],
            ..Grant::default()
        });
    }
}
