//! Reads what systems export about who may do what. Pure: bytes in, grants out.

mod aws;
mod entra;
mod github;
mod kubernetes;
pub(super) mod list;
mod policy;

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;

use deedtrail_core::Text;
use deedtrail_core::entitlement::{Grant, ImportName};
use deedtrail_core::limits::COLUMN_BYTES_MAX;
use deedtrail_core::time::Timestamp;

use super::{FILE_BYTES_MAX, GRANTS_MAX, PERMISSIONS_MAX};

/// Mistakes listed; the rest of the file is not read further.
const MISTAKES_MAX: usize = 100;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportKind {
    /// `aws iam get-account-authorization-details`.
    Aws,
    /// Microsoft Graph: service principals, app role assignments, delegated grants.
    Entra,
    /// Installations of GitHub apps.
    Github,
    /// Kubernetes RBAC: roles and bindings.
    Kubernetes,
    /// CSV or NDJSON with a schema of ours.
    List,
}

impl ImportKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Aws,
        Self::Entra,
        Self::Github,
        Self::Kubernetes,
        Self::List,
    ];

    /// The name as the command line and the API write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Entra => "entra",
            Self::Github => "github",
            Self::Kubernetes => "kubernetes",
            Self::List => "list",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Mistake {
    /// A line and column, or a path into the JSON.
    pub place: String,
    /// What is wrong, and what was probably meant.
    pub message: String,
}

impl Mistake {
    pub(super) fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            message: message.into(),
        }
    }
}

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedEntitlements {
    pub import: ImportName,
    /// By key; no key is there twice.
    pub grants: Vec<Grant>,
    /// What the file does not say, or what of it was left out.
    pub notes: Vec<String>,
}

/// What a reader of one format found.
#[derive(Debug, Default)]
struct Found {
    /// As far as the file says it.
    account: Text,
    grants: Vec<Grant>,
    notes: Vec<String>,
    mistakes: Vec<Mistake>,
}

impl Found {
    fn fail(&mut self, place: impl Into<String>, message: impl Into<String>) {
        if self.mistakes.len() < MISTAKES_MAX {
            self.mistakes.push(Mistake::new(place, message));
        }
    }

    /// Whether reading on is of no use.
    fn is_full(&self) -> bool {
        self.mistakes.len() >= MISTAKES_MAX || self.grants.len() > GRANTS_MAX
    }

    fn refused(place: &str, message: impl Into<String>) -> Self {
        Self {
            mistakes: vec![Mistake::new(place, message)],
            ..Self::default()
        }
    }
}

/// Reads a file of a kind. `account` names what was exported, where the file does not say it or
/// something else is wanted.
pub fn read(
    kind: ImportKind,
    account: Option<&str>,
    file: &[u8],
) -> Result<ParsedEntitlements, Vec<Mistake>> {
    if file.len() > FILE_BYTES_MAX {
        let message =
            format!("it is over {FILE_BYTES_MAX} bytes; cut it in parts of an account each");
        return Err(vec![Mistake::new("the file", message)]);
    }
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut found = match kind {
        ImportKind::Aws => aws::read(file),
        ImportKind::Entra => entra::read(file),
        ImportKind::Github => github::read(file),
        ImportKind::Kubernetes => kubernetes::read(file),
        ImportKind::List => list::read(file),
    };
    check(&mut found);
    if !found.mistakes.is_empty() {
        return Err(found.mistakes);
    }
    found.grants.sort_by(|left, right| left.key.cmp(&right.key));
    let account = account.filter(|account| !account.is_empty());
    let account = account.map_or(found.account, Text::new);
    Ok(ParsedEntitlements {
        import: ImportName {
            kind: kind.name().into(),
            account,
        },
        grants: found.grants,
        notes: found.notes,
    })
}

/// Limits of every format, and keys that are there twice.
fn check(found: &mut Found) {
    if found.grants.len() > GRANTS_MAX {
        found.fail(
            "the file",
            format!("over {GRANTS_MAX} grants; cut it in parts"),
        );
        return;
    }
    let mut keys = BTreeSet::new();
    let mut wrong = Vec::new();
    for grant in &mut found.grants {
        if grant.permissions.len() > PERMISSIONS_MAX {
            let message = format!("over {PERMISSIONS_MAX} permissions in one grant");
            wrong.push(Mistake::new(grant.key.as_str(), message));
        }
        if longest(grant) > COLUMN_BYTES_MAX {
            let message = format!("a text of over {COLUMN_BYTES_MAX} bytes");
            let place: String = grant.key.chars().take(80).collect();
            wrong.push(Mistake::new(place, message));
        }
        let (first, mut number) = (grant.key.clone(), 1);
        while !keys.insert(grant.key.clone()) {
            number += 1;
            grant.key = format!("{first} ({number})").into();
        }
    }
    for mistake in wrong {
        found.fail(mistake.place, mistake.message);
    }
}

/// Bytes of the longest text of a grant.
fn longest(grant: &Grant) -> usize {
    let lists = [
        &grant.permissions,
        &grant.operations,
        &grant.scope,
        &grant.conditions,
    ];
    let listed = lists.into_iter().flatten();
    let single = [&grant.via, &grant.granted_by, &grant.justification];
    let single = single.into_iter().flatten();
    let holders = grant.holders.iter().map(|holder| &holder.value);
    let texts = listed.chain(single).chain(holders);
    let texts = texts.chain([&grant.key, &grant.system]);
    texts.map(Text::len).max().unwrap_or_default()
}

/// A vendor's JSON as its type; keys we do not know are left alone.
fn json<T: DeserializeOwned>(file: &[u8], what: &str) -> Result<T, Found> {
    serde_json::from_slice(file).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        let text = error.to_string();
        let text = text
            .rsplit_once(" at line ")
            .map_or(&*text, |(text, _)| text);
        Found::refused(
            &place,
            format!("{text}; this is to be {what}{}", looks_like(file)),
        )
    })
}

/// Which kind of file this seems to be instead, if any.
fn looks_like(file: &[u8]) -> String {
    let head = String::from_utf8_lossy(file.get(..file.len().min(4 << 10)).unwrap_or_default());
    let signs = [
        ("UserDetailList", ImportKind::Aws),
        ("RoleDetailList", ImportKind::Aws),
        ("rbac.authorization.k8s.io", ImportKind::Kubernetes),
        ("appRole", ImportKind::Entra),
        ("oauth2PermissionGrants", ImportKind::Entra),
        ("\"installations\"", ImportKind::Github),
        ("app_slug", ImportKind::Github),
        ("alias", ImportKind::List),
    ];
    let sign = signs.iter().find(|(sign, _)| head.contains(sign));
    sign.map(|(_, kind)| format!("; it looks like kind `{}`", kind.name()))
        .unwrap_or_default()
}

/// A vendor's instant; one that does not read is not known.
fn instant(text: Option<&str>) -> Option<Timestamp> {
    text.and_then(Timestamp::parse_rfc3339)
}
