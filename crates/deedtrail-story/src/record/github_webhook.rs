//! GitHub webhook deliveries: the `push` event with the files of each commit.

use serde_json::{Value, json};

use super::{joined, utc_text};
use crate::chance::Chance;
use crate::organisation::{DOMAIN, GITHUB_ORG, stable_number};

/// The company's own GitHub Enterprise host.
const HOST: &str = "https://github.larkfield.example/";

#[derive(Clone, Debug)]
pub(crate) struct Push<'a> {
    pub(crate) login: &'a str,
    /// `User` or `Bot`.
    pub(crate) sender_kind: &'static str,
    pub(crate) repository: &'a str,
    pub(crate) branch: &'a str,
    pub(crate) message: &'a str,
    pub(crate) added: &'a [&'a str],
    pub(crate) modified: &'a [&'a str],
}

pub(crate) fn push(at: i64, push: &Push<'_>, chance: &mut Chance) -> Value {
    let (before, after) = (chance.hex(40), chance.hex(40));
    let full_name = joined(&[GITHUB_ORG, "/", push.repository]);
    let url = joined(&[HOST, &full_name]);
    let commit = commit(at, push, &url, &after, chance);
    let email = joined(&[push.login, "@users.", DOMAIN]);
    json!({
        "ref": joined(&["refs/heads/", push.branch]),
        "compare": joined(&[&url, "/compare/", &before, "...", &after]),
        "before": before,
        "after": after,
        "repository": repository(&full_name, push.repository, &url),
        "pusher": { "name": push.login, "email": email },
        "organization": { "login": GITHUB_ORG, "id": stable_number(GITHUB_ORG) },
        "sender": {
            "login": push.login, "id": stable_number(push.login), "type": push.sender_kind,
            "site_admin": false
        },
        "created": false,
        "deleted": false,
        "forced": false,
        "base_ref": null,
        "commits": [commit],
        "head_commit": commit
    })
}

fn repository(full_name: &str, name: &str, url: &str) -> Value {
    json!({
        "id": stable_number(full_name),
        "name": name,
        "full_name": full_name,
        "private": true,
        "owner": { "name": GITHUB_ORG, "login": GITHUB_ORG, "id": stable_number(GITHUB_ORG), "type": "Organization" },
        "html_url": url,
        "url": url,
        "default_branch": "main",
        "master_branch": "main",
        "visibility": "internal"
    })
}

fn commit(at: i64, push: &Push<'_>, url: &str, id: &str, chance: &mut Chance) -> Value {
    let author = json!({
        "name": push.login, "email": joined(&[push.login, "@users.", DOMAIN]),
        "username": push.login
    });
    json!({
        "id": id,
        "tree_id": chance.hex(40),
        "distinct": true,
        "message": push.message,
        "timestamp": utc_text(at, 0),
        "url": joined(&[url, "/commit/", id]),
        "author": author,
        "committer": author,
        "added": push.added,
        "removed": [],
        "modified": push.modified
    })
}
