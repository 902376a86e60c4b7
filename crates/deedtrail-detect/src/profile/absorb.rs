//! Two identities turn out to be one: what is known of both is known of the one.

use deedtrail_behaviour::kept::Kept;

use super::{ActionHistory, CLASS_NAMES_MAX, COOLDOWNS_MAX, Profile};
use crate::detector::PENDING_MAX;
use crate::limits::{CLASSES_MAX, NETWORKS_MAX, OPERATIONS_MAX, SESSIONS_MAX, TARGETS_MAX};

impl Profile {
    /// Adds what is known of another. Days on which both were active count once where the newest
    /// is the same, twice else; silences and half-made patterns are this one's own.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.first_seen = [self.first_seen, other.first_seen]
            .into_iter()
            .flatten()
            .min();
        self.last_seen = self.last_seen.max(other.last_seen);
        self.last_use = self.last_use.max(other.last_use);
        let newer = other.last_work.as_ref().map(|work| work.time)
            > self.last_work.as_ref().map(|work| work.time);
        if newer {
            self.last_work = other.last_work;
        }
        self.events_total = self.events_total.saturating_add(other.events_total);
        self.active_days = self.active_days.max(other.active_days);
        self.last_active_day = self.last_active_day.max(other.last_active_day);
        for (hour, theirs) in self.hours.iter_mut().zip(other.hours) {
            *hour = hour.saturating_add(theirs);
        }
        for (action, theirs) in other.actions {
            self.actions.entry(action).or_default().absorb(theirs);
        }
        let sets = [
            (&mut self.operations, &other.operations, OPERATIONS_MAX),
            (&mut self.targets, &other.targets, TARGETS_MAX),
            (&mut self.target_kinds, &other.target_kinds, OPERATIONS_MAX),
            (&mut self.systems, &other.systems, NETWORKS_MAX),
            (&mut self.classes, &other.classes, CLASSES_MAX),
            (&mut self.networks, &other.networks, NETWORKS_MAX),
            (&mut self.asns, &other.asns, NETWORKS_MAX),
            (&mut self.countries, &other.countries, NETWORKS_MAX),
        ];
        for (set, theirs, capacity) in sets {
            set.absorb(theirs, capacity);
        }
        self.class_new_day = self.class_new_day.max(other.class_new_day);
        self.sessions.extend(other.sessions);
        let sessions = self.sessions.make_contiguous();
        sessions.sort_by_key(|session| (session.last, session.uid));
        while self.sessions.len() > SESSIONS_MAX {
            self.sessions.pop_front();
        }
        self.changes_total = self.changes_total.saturating_add(other.changes_total);
        self.paired_reads = self.paired_reads.saturating_add(other.paired_reads);
        self.pending_reads.extend(other.pending_reads);
        let over = self.pending_reads.len().saturating_sub(PENDING_MAX);
        self.pending_reads.drain(..over);
        for name in other.class_names {
            if self.class_names.len() < CLASS_NAMES_MAX && !self.class_names.contains(&name) {
                self.class_names.push(name);
            }
        }
        self.cooldowns.absorb(&other.cooldowns, COOLDOWNS_MAX);
        self.enumeration_peak = self.enumeration_peak.max(other.enumeration_peak);
        self.bytes_out_peak = self.bytes_out_peak.max(other.bytes_out_peak);
    }
}

impl ActionHistory {
    fn absorb(&mut self, other: Self) {
        self.events = self.events.saturating_add(other.events);
        self.days = self.days.max(other.days);
        self.last_day = self.last_day.max(other.last_day);
        self.day_peak = self.day_peak.max(other.day_peak);
    }
}

/// Gives the profile of `merged` to `kept`.
pub(crate) fn merge<K: Ord + std::hash::Hash + Copy>(
    profiles: &mut Kept<K, Profile>,
    kept: K,
    merged: &K,
) {
    let Some(other) = profiles.remove(merged) else {
        return;
    };
    match profiles.get_mut(&kept) {
        Some(known) => known.absorb(other),
        None => profiles.insert(kept, other),
    }
}
