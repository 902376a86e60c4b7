//! Circumstances of an event: hour, network, client, credential, volume, bursts.
//!
//! Whatever an identity has not shown often enough to be judged by adds nothing.

mod place;
mod tail;
mod volume;

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::event::TimeQuality;
use deedtrail_core::id::{IdentityId, SessionUid};
use serde::{Deserialize, Serialize};

use crate::assessment::{TermKind, Terms};
use crate::hashed::Hashed;
use crate::kept::{Keep, Kept};
use crate::limits::{GROUPS_MAX, IDENTITIES_MAX, OPEN_SESSIONS_MAX, SESSION_PLACES_MAX};
use crate::part::{Lesson, Part};
use crate::step::Step;
use crate::table::Counts;
use place::Place;
use volume::{Flow, Volume};

/// What is kept of one identity or group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Habits {
    places: Counts,
    hourly: Volume,
    sudden: Volume,
}

/// What an open session showed; learned when it closes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Shown {
    identity: IdentityId,
    group: Text,
    places: BTreeSet<(u32, u32)>,
    day: u16,
}

/// Circumstances of every identity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Context {
    identities: Kept<IdentityId, Habits>,
    groups: BTreeMap<Text, Habits>,
    open: Hashed<SessionUid, Shown>,
}

impl Keep for Habits {}

impl Part for Context {
    fn score(&mut self, step: &Step<'_>, terms: &mut Terms) {
        let places = place::of(step.event);
        let identity = step.subject.identity;
        let group = step.subject.peer_group;
        if self.identities.len() < IDENTITIES_MAX || self.identities.contains_key(&identity) {
            self.identities
                .get_or_insert_with(identity, Habits::default);
        }
        if let Some(habits) = self.identities.get_mut(&identity) {
            let peers = self.groups.get(group);
            habits.judge_places(peers, &places, terms);
            // What was received in one go did not happen in one go.
            if step.event.time_quality == TimeQuality::Vendor {
                let ended = habits.count(step);
                habits.judge_volume(peers, terms);
                if let Some(peers) = self.groups.get_mut(group) {
                    ended
                        .0
                        .into_iter()
                        .for_each(|window| peers.hourly.learn(window));
                    ended
                        .1
                        .into_iter()
                        .for_each(|window| peers.sudden.learn(window));
                }
            }
        }
        self.show(step, &places);
    }

    fn close(&mut self, session: SessionUid, lesson: Lesson) {
        let Some(shown) = self.open.remove(&session) else {
            return;
        };
        if lesson == Lesson::Forget {
            return;
        }
        if !shown.group.is_empty()
            && (self.groups.len() < GROUPS_MAX || self.groups.contains_key(&shown.group))
        {
            self.groups.entry(shown.group.clone()).or_default();
        }
        let group = self.groups.get_mut(&shown.group);
        let habits = [self.identities.get_mut(&shown.identity), group];
        for habits in habits.into_iter().flatten() {
            for (context, symbol) in &shown.places {
                habits.places.add(*context, *symbol, shown.day);
            }
        }
    }

    fn age(&mut self, identity: IdentityId, day: u16) {
        if let Some(habits) = self.identities.get_mut(&identity) {
            habits.places.halve(day);
            habits.hourly.halve();
            habits.sudden.halve();
        }
    }

    fn pack_quiet(&mut self) {
        self.identities.pack_quiet();
    }

    fn forget(&mut self, identity: IdentityId) {
        self.identities.remove(&identity);
    }

    fn merge(&mut self, kept: IdentityId, merged: IdentityId) {
        let Some(other) = self.identities.remove(&merged) else {
            return;
        };
        let habits = self.identities.get_or_insert_with(kept, Habits::default);
        habits.places.merge(&other.places);
        habits.hourly.merge(&other.hourly);
        habits.sudden.merge(&other.sudden);
    }

    fn bytes(&self, identity: IdentityId) -> usize {
        let habits = self.identities.get(&identity);
        habits.map_or(0, |habits| size_of::<Habits>() + habits.places.bytes())
    }
}

impl Context {
    fn show(&mut self, step: &Step<'_>, places: &[Place<'_>]) {
        if self.open.len() >= OPEN_SESSIONS_MAX && !self.open.contains_key(&step.session) {
            return;
        }
        let day = crate::engine::day_of(step.event.time_effective);
        let shown = self.open.get_or_insert_with(step.session, || Shown {
            identity: step.subject.identity,
            group: Text::new(step.subject.peer_group),
            places: BTreeSet::new(),
            day,
        });
        shown.day = shown.day.max(day);
        for place in places {
            if shown.places.len() < SESSION_PLACES_MAX {
                shown.places.insert((place.context, place.symbol));
            }
        }
    }
}

impl Habits {
    fn judge_places(&self, peers: Option<&Self>, places: &[Place<'_>], terms: &mut Terms) {
        let peers = peers.map(|peers| &peers.places);
        place::judge(&self.places, peers, places, terms);
    }

    /// Counts an event; the windows that it ended.
    fn count(&mut self, step: &Step<'_>) -> (Option<[f64; 4]>, Option<[f64; 4]>) {
        let flow = Flow::of(step.event);
        let at = step.event.time_effective.as_micros();
        let hourly = self.hourly.count(at, volume::HOUR_US, &flow);
        let sudden = self.sudden.count(at, volume::SUDDEN_US, &flow);
        (hourly, sudden)
    }

    fn judge_volume(&self, peers: Option<&Self>, terms: &mut Terms) {
        let hourly = peers.map(|peers| &peers.hourly);
        let sudden = peers.map(|peers| &peers.sudden);
        self.hourly
            .judge(hourly, TermKind::Volume, "this hour", terms);
        self.sudden
            .judge(sudden, TermKind::Burst, "within 10 s", terms);
    }
}
