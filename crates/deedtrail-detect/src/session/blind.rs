//! Blind sessions: sign-ins into systems that say nothing about what happens there.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, Event, OutcomeClass, Plane};
use deedtrail_core::finding::{FindingDraft, Severity};
use deedtrail_core::id::IdentityId;
use deedtrail_core::session::BlindSession;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BLIND, Changed, Seen, key_of};
use crate::detector::draft;
use crate::limits::{BLIND_PENDING_MAX, BLIND_ROWS_MAX, FEEDS_MAX};
use crate::{fact, profile};

/// Silence after which a system's feed no longer shows what a sign-in leads to, µs.
const SILENT_US: i64 = Timestamp::DAY_US;
/// Time for which a sign-in waits for the feed of its system to speak, µs.
const WAIT_US: i64 = 2 * Timestamp::MINUTE_US;
/// Days for which a blind system, or a privileged identity in it, is not said again.
const SAID_DAYS: i64 = 30;
/// What applications are called whose feed has a shorter name.
const ALSO_CALLED: [(&str, &str); 9] = [
    ("amazon web services", "aws"),
    ("aws", "aws"),
    ("office 365", "m365"),
    ("microsoft 365", "m365"),
    ("g suite", "google_workspace"),
    ("google workspace", "google_workspace"),
    ("google cloud", "gcp"),
    ("microsoft azure", "azure"),
    ("jira", "atlassian"),
];

/// What systems say about work done in them, and who signed in where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Blind {
    /// By hash of tenant, system and account, or no account: the newest receipt of work.
    feeds: BTreeMap<u64, Feed>,
    /// A feed was not noted: absence no longer means that there is none.
    full: bool,
    pending: Vec<Pending>,
    rows: BTreeMap<(IdentityId, u64), BlindSession>,
    /// When somebody last signed in to a system that is blind, by hash of tenant and system.
    said: BTreeMap<u64, Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Feed {
    tenant: Text,
    system: Text,
    /// Of a system as a whole.
    whole: bool,
    newest: Timestamp,
}

/// A sign-in that waits for the system's feed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pending {
    draft: FindingDraft,
    row: BlindSession,
    target: Target,
    received: Timestamp,
}

/// Where a sign-in leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Target {
    /// An application by the name the identity provider knows it by.
    Application(Text),
    /// Another account of the same system, by the key of its feed.
    Account(u64, Text),
}

impl Target {
    fn shown(&self) -> &Text {
        match self {
            Self::Application(name) | Self::Account(_, name) => name,
        }
    }
}

impl Blind {
    pub(super) fn observe(&mut self, seen: &Seen<'_>) {
        let event = seen.observation.event;
        if profile::is_work(event) {
            self.hear(event);
        }
        let signs_in = event.mapped.action == Action::Authenticate
            && event.mapped.outcome == OutcomeClass::Success;
        if signs_in
            && self.pending.len() < BLIND_PENDING_MAX
            && let Some(target) = target(event)
        {
            self.wait(seen, target);
        }
    }

    /// Takes note that a system speaks about work.
    fn hear(&mut self, event: &Event) {
        let mapped = &event.mapped;
        let account = mapped
            .account
            .as_deref()
            .filter(|account| !account.is_empty());
        for (account, whole) in [(Some(""), true), (account, false)] {
            let Some(account) = account else { continue };
            let key = key_of(event, "feed", [&mapped.system, account]);
            if let Some(feed) = self.feeds.get_mut(&key) {
                feed.newest = feed.newest.max(event.time_received);
            } else if self.feeds.len() >= FEEDS_MAX {
                self.full = true;
            } else {
                let feed = Feed {
                    tenant: event.tenant.as_str().into(),
                    system: fact::cut(&mapped.system, 40).into(),
                    whole,
                    newest: event.time_received,
                };
                self.feeds.insert(key, feed);
            }
        }
    }

    fn wait(&mut self, seen: &Seen<'_>, target: Target) {
        let observation = &seen.observation;
        let event = observation.event;
        // Sign-ins that wait already for the same are one.
        let same = |pending: &&mut Pending| {
            pending.row.identity == seen.subject && pending.target == target
        };
        if let Some(known) = self.pending.iter_mut().find(same) {
            known.row.sign_ins = known.row.sign_ins.saturating_add(1);
            known.row.last = known.row.last.max(event.time_effective);
            return;
        }
        let (severity, privilege) = price(seen, target.shown());
        let pattern = format!("system {}", target.shown());
        let mut draft = draft::of(observation, "blind_session", BLIND, &pattern);
        draft.severity = severity;
        let row = BlindSession {
            tenant: event.tenant.clone(),
            identity: seen.subject,
            actor: fact::actor_name(observation).into(),
            system: target.shown().clone(),
            silent_since: None,
            privilege,
            severity,
            sign_ins: 1,
            first: event.time_effective,
            last: event.time_effective,
        };
        self.pending.push(Pending {
            draft,
            row,
            target,
            received: event.time_received,
        });
    }

    /// Says which sign-ins led to where nothing is seen.
    pub(super) fn tick(&mut self, now: Timestamp, changed: &mut Changed) -> Vec<FindingDraft> {
        self.settle_all(changed, |pending| {
            now.micros_since(pending.received) >= WAIT_US
        })
    }

    /// The same once the log rests and no clock says how long it does: by the times of events.
    pub(super) fn rest(&mut self, newest: Timestamp, changed: &mut Changed) -> Vec<FindingDraft> {
        self.settle_all(changed, |pending| {
            newest.micros_since(pending.row.first) >= WAIT_US
        })
    }

    fn settle_all(
        &mut self,
        changed: &mut Changed,
        due: impl Fn(&Pending) -> bool,
    ) -> Vec<FindingDraft> {
        if !self.pending.iter().any(&due) {
            return Vec::new();
        }
        let (due, wait): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(due);
        self.pending = wait;
        due.into_iter()
            .filter_map(|pending| self.settle(pending, changed))
            .collect()
    }

    fn settle(&mut self, pending: Pending, changed: &mut Changed) -> Option<FindingDraft> {
        let Pending {
            mut draft,
            mut row,
            target,
            received,
        } = pending;
        let heard = self.heard(row.tenant.as_str(), &target);
        let speaks = heard.is_some_and(|newest| received.micros_since(newest) < SILENT_US);
        if speaks || heard.is_none() && self.full {
            return None;
        }
        row.silent_since = heard;
        let key = (
            row.identity,
            profile::key(&[row.tenant.as_str(), &row.system]),
        );
        let known = self.rows.get(&key);
        let last = known.map(|known| (known.severity, known.last));
        let row = self.note(key, row);
        changed.blind.insert(key, row.clone());
        let rests = |last: Timestamp| row.last.utc_day() - last.utc_day() < SAID_DAYS;
        let said = self.say_of(key.1, row.last);
        // Whose rights are great is told by name, once they are; of others, that there is such a
        // system.
        let again = if weighs_much(row.severity) {
            last.is_some_and(|(severity, last)| weighs_much(severity) && rests(last))
        } else {
            said.is_some_and(rests)
        };
        if again {
            return None;
        }
        draft.severity = row.severity;
        say(&mut draft, &row);
        Some(draft)
    }

    /// Notes a sign-in into a blind system; returns the latest one before. One that comes late moves
    /// nothing back.
    fn say_of(&mut self, system: u64, at: Timestamp) -> Option<Timestamp> {
        let known = self.said.get(&system).copied();
        let latest = known.map_or(at, |known| known.max(at));
        if known.is_none() && self.said.len() >= BLIND_ROWS_MAX {
            let oldest = self.said.iter().min_by_key(|(system, at)| (**at, **system));
            if let Some(oldest) = oldest.map(|(system, _)| *system) {
                self.said.remove(&oldest);
            }
        }
        self.said.insert(system, latest);
        known
    }

    /// When the system last said something about work; `None` when it never did.
    fn heard(&self, tenant: &str, target: &Target) -> Option<Timestamp> {
        match target {
            Target::Account(key, _) => self.feeds.get(key).map(|feed| feed.newest),
            Target::Application(name) => {
                let name = name.to_lowercase();
                let feeds = self.feeds.values();
                let of = feeds.filter(|feed| feed.whole && feed.tenant == tenant);
                of.filter(|feed| is_called(&name, &feed.system))
                    .map(|feed| feed.newest)
                    .max()
            }
        }
    }

    fn note(&mut self, key: (IdentityId, u64), row: BlindSession) -> BlindSession {
        if self.rows.len() >= BLIND_ROWS_MAX && !self.rows.contains_key(&key) {
            let oldest = self.rows.iter().min_by_key(|(key, row)| (row.last, **key));
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.rows.remove(&oldest);
            }
        }
        let known = self.rows.remove(&key);
        let row = match known {
            Some(known) => BlindSession {
                sign_ins: known.sign_ins.saturating_add(row.sign_ins),
                first: known.first.min(row.first),
                last: known.last.max(row.last),
                severity: known.severity.max(row.severity),
                ..row
            },
            None => row,
        };
        self.rows.insert(key, row.clone());
        row
    }
}

/// Whether rights are so great that a row is told by name.
const fn weighs_much(severity: Severity) -> bool {
    matches!(severity, Severity::High | Severity::Critical)
}

/// Whether an application of this lower-case name is the system a feed speaks of.
fn is_called(application: &str, system: &str) -> bool {
    let plain = system.to_lowercase().replace('_', " ");
    let also = |(called, means): &(&str, &str)| *means == system && application.contains(called);
    (plain.len() >= 3 && application.contains(&plain)) || ALSO_CALLED.iter().any(also)
}

/// Where a successful sign-in leads besides the system that reports it.
fn target(event: &Event) -> Option<Target> {
    let mapped = &event.mapped;
    if let Some((account, role)) = role_elsewhere(event) {
        let name = format!("{} account {account}: {role}", mapped.system);
        let key = key_of(event, "feed", [&mapped.system, &account]);
        return Some(Target::Account(key, fact::cut(&name, 80).into()));
    }
    let kind = mapped.target_kind.as_deref().unwrap_or_default();
    if mapped.plane != Plane::IdentityProvider || !profile::contains_any(kind, &["app"]) {
        return None;
    }
    let name = mapped.target_name.as_ref().or(mapped.target_ref.as_ref())?;
    let own = mapped.system.to_ascii_lowercase();
    let to_itself = name.to_lowercase().contains(own.as_str());
    (!to_itself).then(|| Target::Application(fact::cut(name, 60).into()))
}

/// The account and name of a role assumed in another account: `arn:…:iam::ACCOUNT:role/NAME`.
fn role_elsewhere(event: &Event) -> Option<(String, String)> {
    let mapped = &event.mapped;
    let named = [&mapped.target_ref, &mapped.target_name];
    let aliases = mapped.target_aliases.iter().map(|alias| &alias.value);
    let names = named.into_iter().flatten().chain(aliases);
    let arn = names.filter_map(|name| {
        let mut parts = name.splitn(6, ':');
        let is_arn = parts.next() == Some("arn");
        let account = parts.nth(3)?;
        let role = parts.next()?.strip_prefix("role/")?;
        is_arn.then(|| (account.to_owned(), fact::cut(role, 60)))
    });
    let own = mapped.account.as_deref().unwrap_or_default();
    arn.into_iter()
        .find(|(account, _)| !own.is_empty() && account != own)
}

/// What a blind session costs: by what the identity may do there, as far as that is known.
fn price(seen: &Seen<'_>, system: &str) -> (Severity, Text) {
    const WORDS: [&str; 6] = ["admin", "root", "owner", "prod", "poweruser", "break-glass"];
    let observation = &seen.observation;
    if profile::contains_any(system, &WORDS) {
        return (Severity::High, Text::new_static("named as privileged"));
    }
    let identity = observation.identity;
    let tagged = identity.is_some_and(|identity| {
        let mut tags = identity.declared.tags.iter();
        tags.any(|(tag, value)| {
            profile::contains_any(tag, &["privileg", "admin"]) && value != "false"
        })
    });
    if tagged {
        return (Severity::High, Text::new_static("declared as privileged"));
    }
    let kind = identity.map_or(observation.event.mapped.actor_kind, |identity| {
        identity.kind
    });
    match kind {
        ActorKind::Human => (
            Severity::Low,
            Text::new_static("a person, rights not known"),
        ),
        _ => (
            Severity::Medium,
            Text::new_static("no person, rights not known"),
        ),
    }
}

fn say(draft: &mut FindingDraft, row: &BlindSession) {
    let why = match row.silent_since {
        None => "no feed of it has ever delivered anything".to_owned(),
        Some(since) => format!("its feed has been silent since {since}"),
    };
    draft.title = format!(
        "{} signed in to {} and nobody sees what follows",
        row.actor, row.system
    );
    let sign_ins = usize::try_from(row.sign_ins).unwrap_or(usize::MAX);
    draft.reasons = vec![
        format!(
            "observed: {} to {}",
            fact::counted(sign_ins, "sign-in"),
            row.system
        ),
        format!("after sign-in: {why} (limit 24 h)"),
        format!("weight: {}", row.privilege),
    ];
    draft.confidence = 0.8;
}
