//! Compares what was done with what was granted. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use deedtrail_core::Text;
use deedtrail_core::entitlement::{Effect, Entitlement, EntitlementImport};
use deedtrail_core::event::{OutcomeClass, PolicyDecision};
use deedtrail_core::time::Timestamp;

use super::coverage::Watched;
use super::{Basis, Deeds, Did, May, MayNot, UsedInPart, Why};
use crate::entitlement::matching::{
    Cover, Deed, Exercise, Permissions, actions_of, covers_scope, exercise, is_pattern,
    is_same_system,
};
use crate::entitlement::observed::Observed;

/// What something came by, named for one row.
const BY_MAX: usize = 3;
/// Unused permissions named of one entitlement.
const UNUSED_MAX: usize = 20;

/// What became of one kind of deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    MayNot(Why),
    Did(Basis),
}

/// The actions each permission of an entitlement was used for, by its place.
type Used = BTreeMap<usize, BTreeSet<Text>>;

/// Deeds that are told in one row.
type Row<'a> = (
    Verdict,
    Vec<Text>,
    (&'a Text, &'a Option<Text>, &'a Text),
    (Option<bool>, &'a Option<Text>),
);

#[derive(Debug)]
pub(in crate::entitlement) struct Compared {
    pub(in crate::entitlement) did: Vec<Did>,
    pub(in crate::entitlement) may_not: Vec<MayNot>,
    /// Of each entitlement, by place: which of its permissions were used, and as which actions.
    used: Vec<Used>,
}

/// What was done, sorted by what allows it.
pub(in crate::entitlement) fn compare(
    held: &[Entitlement],
    imports: &[EntitlementImport],
    observed: &[Observed],
) -> Compared {
    let mut comparing = Comparing {
        held,
        permissions: held.iter().map(|it| Permissions::of(&it.grant)).collect(),
        imports,
        candidates: BTreeMap::new(),
        used: vec![Used::new(); held.len()],
    };
    let mut rows: BTreeMap<Row<'_>, Deeds> = BTreeMap::new();
    for seen in observed {
        let Some((verdict, by)) = comparing.verdict(seen) else {
            continue;
        };
        let deed = &seen.deed;
        let key = (
            verdict,
            by,
            (&deed.system, &deed.account, &deed.operation),
            (seen.policy_allowed, &seen.policy_id),
        );
        match rows.get_mut(&key) {
            Some(deeds) => add(deeds, seen),
            None => drop(rows.insert(key, deeds(seen))),
        }
    }
    comparing.told(rows)
}

/// An entitlement whose permissions cover a deed.
#[derive(Debug)]
struct Candidate {
    place: usize,
    /// Which of its permissions do.
    permissions: Vec<usize>,
}

#[derive(Debug)]
struct Comparing<'a> {
    held: &'a [Entitlement],
    /// Of each of `held`.
    permissions: Vec<Permissions<'a>>,
    imports: &'a [EntitlementImport],
    /// By deed, whatever its target.
    candidates: BTreeMap<Deed, Rc<[Candidate]>>,
    used: Vec<Used>,
}

impl Comparing<'_> {
    /// What becomes of a deed, and what it came by; `None` for one that failed for a reason of its
    /// own, which is neither use nor a denial.
    fn verdict(&mut self, seen: &Observed) -> Option<(Verdict, Vec<Text>)> {
        if seen.outcome == OutcomeClass::Failure {
            return None;
        }
        let candidates = self.candidates(&seen.deed);
        let (allowed, sure, denied) = self.covering(seen, &candidates);
        let by = |places: &[usize]| {
            let via = places.iter().map(|place| self.named(*place));
            let via: BTreeSet<Text> = via.collect();
            via.into_iter().take(BY_MAX).collect::<Vec<_>>()
        };
        if seen.outcome == OutcomeClass::Denied {
            return Some((Verdict::MayNot(Why::Denied), by(&allowed)));
        }
        let (verdict, by) = if !denied.is_empty() {
            (Verdict::MayNot(Why::AgainstDeny), by(&denied))
        } else if allowed.is_empty() {
            (self.without(seen), Vec::new())
        } else if sure.is_empty() {
            (Verdict::Did(Basis::Conditional), by(&allowed))
        } else {
            (Verdict::Did(Basis::Granted), by(&sure))
        };
        for it in candidates.iter().filter(|it| allowed.contains(&it.place)) {
            for permission in &it.permissions {
                let action = self.permissions[it.place].exercised_as(*permission, &seen.deed);
                let actions = self.used[it.place].entry(*permission).or_default();
                actions.insert(action);
            }
        }
        Some((verdict, by))
    }

    /// Entitlements that allow it, those of them without a doubt, and those that deny it without
    /// one.
    fn covering(
        &self,
        seen: &Observed,
        candidates: &[Candidate],
    ) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
        let (mut allowed, mut sure, mut denied) = (Vec::new(), Vec::new(), Vec::new());
        for place in candidates.iter().map(|it| it.place) {
            let grant = &self.held[place].grant;
            if grant.expires.is_some_and(|expires| expires <= seen.first) {
                continue;
            }
            let covered = covers_scope(grant, &seen.deed);
            let is_sure = covered == Cover::Yes && grant.conditions.is_empty();
            match (grant.effect, covered) {
                (_, Cover::No) => {}
                (Effect::Allow, _) => {
                    allowed.push(place);
                    if is_sure {
                        sure.push(place);
                    }
                }
                (Effect::Deny, _) if is_sure => denied.push(place),
                (Effect::Deny, _) => {}
            }
        }
        (allowed, sure, denied)
    }

    /// Targets differ more than permissions do.
    fn candidates(&mut self, deed: &Deed) -> Rc<[Candidate]> {
        let key = Deed {
            target: None,
            ..deed.clone()
        };
        let (held, permissions) = (self.held, &self.permissions);
        let found = self.candidates.entry(key).or_insert_with_key(|deed| {
            let both = held.iter().zip(permissions).enumerate();
            let all = both.map(|(place, (it, permissions))| Candidate {
                place,
                permissions: permissions.exercised(&it.import.account, deed),
            });
            all.filter(|it| !it.permissions.is_empty()).collect()
        });
        Rc::clone(found)
    }

    /// Nothing that was imported allows it.
    fn without(&self, seen: &Observed) -> Verdict {
        let exercised = exercise(&seen.deed);
        if exercised == Exercise::Nothing {
            return Verdict::Did(Basis::NoneNeeded);
        }
        if exercised == Exercise::Unknown || !self.is_imported(&seen.deed) {
            return Verdict::Did(Basis::Uncompared);
        }
        let told = seen.policy_allowed == Some(true) && seen.policy_id.is_some();
        if told && seen.deed.system == "kubernetes" {
            return Verdict::Did(Basis::Policy);
        }
        Verdict::MayNot(Why::WithoutEntitlement)
    }

    /// Whether an import would say so if it were allowed.
    fn is_imported(&self, deed: &Deed) -> bool {
        let acted_in = deed.account.as_deref().unwrap_or_default();
        self.imports.iter().any(|told| {
            let account = told.import.account.as_str();
            let same = account.is_empty() || acted_in.is_empty() || account == acted_in;
            let mut systems = told.systems.iter();
            same && systems.any(|system| is_same_system(system, &deed.system))
        })
    }

    fn named(&self, place: usize) -> Text {
        let Entitlement { grant, import, .. } = &self.held[place];
        grant.via.clone().unwrap_or_else(|| import.kind.clone())
    }

    fn told(self, rows: BTreeMap<Row<'_>, Deeds>) -> Compared {
        let (mut did, mut may_not) = (Vec::new(), Vec::new());
        for ((verdict, by, ..), deeds) in rows {
            match verdict {
                Verdict::Did(basis) => did.push(Did { deeds, basis, by }),
                Verdict::MayNot(why) => may_not.push(MayNot { why, deeds, by }),
            }
        }
        did.sort_by_key(|row| std::cmp::Reverse(row.deeds.events));
        may_not.sort_by_key(|row| (row.why, std::cmp::Reverse(row.deeds.events)));
        Compared {
            did,
            may_not,
            used: self.used,
        }
    }
}

fn deeds(seen: &Observed) -> Deeds {
    let deed = &seen.deed;
    Deeds {
        system: deed.system.clone(),
        account: deed.account.clone(),
        operation: deed.operation.clone(),
        permissions: match exercise(deed) {
            Exercise::Named(names) => names,
            Exercise::Nothing | Exercise::Unknown => Vec::new(),
        },
        events: seen.events,
        targets: u64::from(deed.target.is_some()),
        target: deed.target.clone(),
        first: seen.first,
        last: seen.last,
        policy_decision: seen.policy_allowed.map(|allowed| PolicyDecision {
            allowed,
            policy_id: seen.policy_id.clone(),
        }),
        event_uid: seen.event_uid,
    }
}

fn add(deeds: &mut Deeds, seen: &Observed) {
    deeds.events += seen.events;
    deeds.targets += u64::from(seen.deed.target.is_some());
    deeds.first = deeds.first.min(seen.first);
    deeds.last = deeds.last.max(seen.last);
}

impl Compared {
    /// Entitlements of which something was not used, the least used first.
    pub(in crate::entitlement) fn unused(
        &self,
        held: &[Entitlement],
        watched: &Watched,
    ) -> Vec<May> {
        let rows = held.iter().zip(&self.used);
        let rows = rows.filter(|(it, _)| it.grant.effect == Effect::Allow);
        let mut may: Vec<May> = rows
            .filter_map(|(entitlement, used)| unused(entitlement, used, watched))
            .collect();
        may.sort_by(|left, right| {
            let used = |may: &May| may.unused_total < may.permissions_total;
            let part = |may: &May| may.unused_total == 0;
            let key = |may: &May| (part(may), used(may), may.system.clone(), may.via.clone());
            key(left).cmp(&key(right))
        });
        may
    }
}

/// Patterns of which some action was done: it is not known that all they give is needed.
fn in_part(entitlement: &Entitlement, used: &Used) -> Vec<UsedInPart> {
    let grant = &entitlement.grant;
    if grant.permissions_except {
        return Vec::new();
    }
    let patterns = used.iter().filter_map(|(place, actions)| {
        let permission = grant.permissions.get(*place)?;
        let seen = actions.len() as u64;
        let of = actions_of(&grant.system, permission);
        let part = is_pattern(permission) && of.is_none_or(|of| seen < of);
        part.then(|| UsedInPart {
            permission: permission.clone(),
            seen,
            of,
            actions: actions.iter().take(UNUSED_MAX).cloned().collect(),
        })
    });
    patterns.collect()
}

fn unused(entitlement: &Entitlement, used: &Used, watched: &Watched) -> Option<May> {
    let grant = &entitlement.grant;
    let left: Vec<&Text> = grant
        .permissions
        .iter()
        .enumerate()
        .filter(|(number, _)| !used.contains_key(number))
        .map(|(_, permission)| permission)
        .collect();
    let in_part = in_part(entitlement, used);
    if left.is_empty() && in_part.is_empty() {
        return None;
    }
    let watched: Result<Timestamp, String> = watched.since(grant);
    Some(May {
        id: entitlement.id,
        import: entitlement.import.clone(),
        system: grant.system.clone(),
        unused: left
            .iter()
            .take(UNUSED_MAX)
            .map(|it| (*it).clone())
            .collect(),
        unused_total: left.len() as u64,
        used_in_part: in_part.iter().take(UNUSED_MAX).cloned().collect(),
        used_in_part_total: in_part.len() as u64,
        permissions_total: grant.permissions.len() as u64,
        except: grant.permissions_except,
        scope: grant.scope.clone(),
        scope_except: grant.scope_except,
        conditions: grant.conditions.clone(),
        via: grant.via.clone(),
        granted: grant.granted,
        granted_by: grant.granted_by.clone(),
        justification: grant.justification.clone(),
        expires: grant.expires,
        first_imported: entitlement.first_imported,
        watched_since: watched.as_ref().ok().copied(),
        unknown: watched.err().unwrap_or_default().into(),
    })
}
