//! Which permission an event exercised, and whether a grant covers it. Pure.
//!
//! Published in docs/reference/entitlement-import.md: change both.

mod aws;
mod github;
mod kubernetes;

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::entitlement::Grant;

pub(super) use aws::is_data_permission;

/// What somebody did, as far as permissions go.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deed {
    pub(super) system: Text,
    pub(super) account: Option<Text>,
    pub(super) operation: Text,
    /// The permission or role, where the record names it.
    pub(super) permission: Option<Text>,
    pub(super) action: Action,
    /// What was acted on, as the vendor names it.
    pub(super) target: Option<Text>,
}

/// Whether a grant covers a deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cover {
    No,
    /// Its permission does; whether its scope does cannot be told from the record.
    Unclear,
    Yes,
}

/// Which permissions a deed exercised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Exercise {
    /// It needs none.
    Nothing,
    /// The record does not tell, and no table does.
    Unknown,
    /// Any of these.
    Named(Vec<Text>),
}

/// Which permissions a deed exercised.
pub(super) fn exercise(deed: &Deed) -> Exercise {
    if matches!(deed.action, Action::Authenticate | Action::SessionChange) {
        return Exercise::Nothing;
    }
    match deed.system.as_str() {
        "aws" => aws::exercise(&deed.operation),
        "kubernetes" => Exercise::Named(vec![deed.operation.clone()]),
        "github" => github::exercise(&deed.operation, deed.action),
        system if is_entra(system) => named(deed).map_or(Exercise::Unknown, Exercise::Named),
        _ => {
            let mut names = named(deed).unwrap_or_default();
            names.push(deed.operation.clone());
            Exercise::Named(names)
        }
    }
}

/// The permissions that a record names as exercised. Where rights are given or taken they are what
/// was given, not what was used.
fn named(deed: &Deed) -> Option<Vec<Text>> {
    let gives = matches!(
        deed.action,
        Action::PrivilegeGrant
            | Action::PrivilegeRevoke
            | Action::ConsentGrant
            | Action::IdentityCreate
            | Action::IdentityChange
    );
    let permission = deed.permission.as_ref().filter(|_| !gives)?;
    let names = permission.split([' ', ',']).filter(|name| !name.is_empty());
    let mut names: Vec<Text> = names.map(Text::new).collect();
    if names.len() > 1 {
        names.push(permission.clone());
    }
    (!names.is_empty()).then_some(names)
}

fn is_entra(system: &str) -> bool {
    matches!(system, "entra" | "m365" | "azure")
}

/// Whether rights in `of` are rights in the system `deed` was done in.
pub(super) fn is_same_system(of: &str, deed: &str) -> bool {
    of == deed || (of == "entra" && is_entra(deed))
}

/// The permissions of a grant, so that those of one service are found among many.
#[derive(Debug)]
pub(super) struct Permissions<'a> {
    grant: &'a Grant,
    /// Places by what stands before the colon, in small letters; under the empty text where nothing
    /// does, or a pattern.
    places: BTreeMap<String, Vec<usize>>,
}

impl<'a> Permissions<'a> {
    pub(super) fn of(grant: &'a Grant) -> Self {
        let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, permission) in grant.permissions.iter().enumerate() {
            let service = service_of(&grant.system, permission);
            let service = service.filter(|service| !service.contains(['*', '?']));
            let service = service.unwrap_or_default().to_ascii_lowercase();
            places.entry(service).or_default().push(place);
        }
        Self { grant, places }
    }

    /// Places of those that cover a deed, whatever its target; none when the grant does not.
    /// `account` is that of its import.
    pub(super) fn exercised(&self, account: &str, deed: &Deed) -> Vec<usize> {
        let grant = self.grant;
        let here = is_same_system(&grant.system, &deed.system);
        if !here || !is_same_account(grant, account, deed) {
            return Vec::new();
        }
        let all_if = |covers: bool| (0..grant.permissions.len()).filter(|_| covers).collect();
        if !grant.operations.is_empty() {
            let mut patterns = grant.operations.iter();
            return all_if(patterns.any(|pattern| folded_wildcard(pattern, &deed.operation)));
        }
        let Exercise::Named(names) = exercise(deed) else {
            return Vec::new();
        };
        let covering = |name: &Text| self.covering(&deed.system, name);
        if grant.permissions_except {
            return all_if(names.iter().any(|name| covering(name).is_empty()));
        }
        let mut places: Vec<usize> = names.iter().flat_map(covering).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Of what a deed exercised, what one permission covers; at least the operation.
    pub(super) fn exercised_as(&self, place: usize, deed: &Deed) -> Text {
        let names = match exercise(deed) {
            Exercise::Named(names) if self.grant.operations.is_empty() => names,
            _ => Vec::new(),
        };
        let pattern = self.grant.permissions.get(place);
        let covers =
            |name: &Text| pattern.is_some_and(|pattern| covers_name(&deed.system, pattern, name));
        names
            .into_iter()
            .find(covers)
            .unwrap_or_else(|| deed.operation.clone())
    }

    fn covering(&self, system: &str, name: &str) -> Vec<usize> {
        let service = service_of(&self.grant.system, name).unwrap_or_default();
        let service = Some(service.to_ascii_lowercase()).filter(|service| !service.is_empty());
        let starts = [String::new()].into_iter().chain(service);
        let places = starts.filter_map(|start| self.places.get(&start));
        let covers = |place: &usize| covers_name(system, &self.grant.permissions[*place], name);
        places.flatten().copied().filter(covers).collect()
    }
}

/// Whether a permission stands for several actions.
pub(super) fn is_pattern(permission: &str) -> bool {
    permission.contains(['*', '?'])
}

/// How many actions a pattern stands for, where that is known.
pub(super) fn actions_of(system: &str, pattern: &str) -> Option<u64> {
    match system {
        "kubernetes" => kubernetes::actions_of(pattern),
        _ => None,
    }
}

/// What stands before the colon of a permission; nothing in systems that have no services.
fn service_of<'a>(system: &str, permission: &'a str) -> Option<&'a str> {
    let (service, _) = permission.split_once(':')?;
    (system != "kubernetes").then_some(service)
}

/// Whether one permission of a grant is the permission that was exercised, or a pattern of it.
fn covers_name(system: &str, pattern: &str, name: &str) -> bool {
    match system {
        "kubernetes" => kubernetes::covers(pattern, name),
        "github" => github::covers(pattern, name),
        _ => folded_wildcard(pattern, name),
    }
}

/// An identity of one account of AWS acts in others by the policies of its own.
fn is_same_account(grant: &Grant, account: &str, deed: &Deed) -> bool {
    let acted_in = deed.account.as_deref().unwrap_or_default();
    grant.system == "aws" || account.is_empty() || acted_in.is_empty() || account == acted_in
}

/// Whether the scope of a grant covers the target of a deed.
pub(super) fn covers_scope(grant: &Grant, deed: &Deed) -> Cover {
    if grant.scope.is_empty() {
        return if grant.scope_except {
            Cover::No
        } else {
            Cover::Yes
        };
    }
    let Some(target) = &deed.target else {
        return Cover::Unclear;
    };
    let within = match deed.system.as_str() {
        "aws" => aws::within(&grant.scope, target),
        "kubernetes" => kubernetes::within(&grant.scope, target),
        system if is_entra(system) || system == "github" => Cover::Unclear,
        _ => of_patterns(&grant.scope, target),
    };
    match (grant.scope_except, within) {
        (true, Cover::Yes) => Cover::No,
        (true, Cover::No) => Cover::Yes,
        (_, within) => within,
    }
}

fn of_patterns(scope: &[Text], target: &str) -> Cover {
    if scope.iter().any(|pattern| wildcard(pattern, target)) {
        Cover::Yes
    } else {
        Cover::No
    }
}

/// [`wildcard`], with capitals and small letters alike.
fn folded_wildcard(pattern: &str, text: &str) -> bool {
    let Some(plain) = pattern.find(['*', '?']) else {
        return pattern.eq_ignore_ascii_case(text);
    };
    // Most patterns differ before their first star.
    let (start, begins) = (pattern.get(..plain), text.get(..plain));
    let may = start.zip(begins);
    may.is_some_and(|(start, begins)| start.eq_ignore_ascii_case(begins))
        && wildcard(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

/// Whether `text` is of the form of `pattern`, in which `*` stands for anything and `?` for one
/// byte. Takes at most `pattern` times `text` steps.
pub(super) fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where the last star stands, and how much of the text it stands for.
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(byte) if *byte == b'?' || Some(byte) == text.get(seen) => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((place, taken)) = star else {
                    return false;
                };
                star = Some((place, taken + 1));
                at = place + 1;
                seen = taken + 1;
            }
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}
