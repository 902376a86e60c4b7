//! Trust: one table of points, applied on every event and tick (docs/reference/trust.md).

use std::fmt::Write as _;

use deedtrail_core::Text;
use deedtrail_core::event::{CredentialKind, DeviceTrust, Event};
use deedtrail_core::finding::Severity;
use deedtrail_core::session::{TRUST_STEPS_MAX, TRUST_THRESHOLDS, Trust, TrustStep};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fact;

/// A row of the table of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: &'static str,
    pub points: i32,
    pub meaning: &'static str,
}

const fn row(id: &'static str, points: i32, meaning: &'static str) -> Row {
    Row {
        id,
        points,
        meaning,
    }
}

const START_STRONG: Row = row(
    "start_strong",
    95,
    "Where a session starts whose first event names a second factor, a certificate or a role \
     session that ends by itself.",
);
const START_PLAIN: Row = row(
    "start_plain",
    80,
    "Where any other session starts: password, key, token or cookie alone, or nothing said.",
);
const DEVICE_MANAGED: Row = row(
    "device_managed",
    5,
    "It began on a managed, compliant device.",
);
const DEVICE_FOREIGN: Row = row(
    "device_foreign",
    -10,
    "It began on an unmanaged device or one that does not comply.",
);
const AGE: Row = row(
    "age",
    -1,
    "Each full hour since it started or signed in again; at most 30 points in all. Signing in \
     again gives them back.",
);
pub(super) const NETWORK: Row = row(
    "network_change",
    -10,
    "It goes on from another AS, or network where no AS is known, in the same country.",
);
pub(super) const COUNTRY: Row = row("country_change", -20, "It goes on from another country.");
pub(super) const CLIENT: Row = row("client_change", -15, "It goes on with another client.");
const REFUSED: Row = row(
    "refused",
    -3,
    "Something it asked for was denied or failed; the first five times.",
);
const FINDING_LOW: Row = row(
    "finding_low",
    -5,
    "A finding of severity info or low names it.",
);
const FINDING_MEDIUM: Row = row(
    "finding_medium",
    -12,
    "A finding of severity medium names it.",
);
const FINDING_HIGH: Row = row("finding_high", -25, "A finding of severity high names it.");
const FINDING_CRITICAL: Row = row(
    "finding_critical",
    -40,
    "A finding of severity critical names it.",
);
pub(super) const UNUSUAL: Row = row(
    "unusual",
    -5,
    "It departs from what its identity usually does, and nothing in it has weight: no finding tells \
     it.",
);
pub(super) const GRAVE: Row = row(
    "departure",
    -20,
    "The first time for each verdict that is not in scope: unauthorised change, escalated, \
     persistence, secret extraction, destructive.",
);
const QUIET: Row = row(
    "quiet",
    3,
    "Each full hour without any of the above but age, until what they took is given back.",
);

/// The whole table, in the order it is printed.
pub const TABLE: [Row; 16] = [
    START_STRONG,
    START_PLAIN,
    DEVICE_MANAGED,
    DEVICE_FOREIGN,
    AGE,
    NETWORK,
    COUNTRY,
    CLIENT,
    REFUSED,
    FINDING_LOW,
    FINDING_MEDIUM,
    FINDING_HIGH,
    FINDING_CRITICAL,
    UNUSUAL,
    GRAVE,
    QUIET,
];

/// Most points that age takes.
const AGE_POINTS_MAX: i32 = 30;
/// Refusals that cost points.
const REFUSALS_MAX: u8 = 5;

/// The row of a finding's severity.
pub(super) const fn row_of(severity: Severity) -> Row {
    match severity {
        Severity::Info | Severity::Low => FINDING_LOW,
        Severity::Medium => FINDING_MEDIUM,
        Severity::High => FINDING_HIGH,
        Severity::Critical => FINDING_CRITICAL,
    }
}

/// What is needed to go on with a session's trust.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Working {
    /// Since when age counts, and the points it took since.
    aged_from: Timestamp,
    hours: i64,
    aged: i32,
    /// Points departures took that quiet hours have not given back.
    lost: i32,
    quiet_from: Timestamp,
    quiet_hours: i64,
    refusals: u8,
}

/// Trust at the event that begins a session.
pub(super) fn start(trust: &mut Trust, event: &Event) -> Working {
    let at = event.time_effective;
    let (row, why) = match strength(event) {
        Some(why) => (START_STRONG, why),
        None => (START_PLAIN, "no second factor named"),
    };
    trust.lowest = 100;
    apply(trust, at, row, row.points, why);
    match event.mapped.device_trust {
        DeviceTrust::ManagedCompliant => {
            apply(
                trust,
                at,
                DEVICE_MANAGED,
                DEVICE_MANAGED.points,
                "managed, compliant device",
            );
        }
        DeviceTrust::ManagedNoncompliant | DeviceTrust::Unmanaged => {
            let device = event.mapped.device_trust.name();
            apply(trust, at, DEVICE_FOREIGN, DEVICE_FOREIGN.points, device);
        }
        DeviceTrust::Unknown => {}
    }
    Working {
        aged_from: at,
        hours: 0,
        aged: 0,
        lost: 0,
        quiet_from: at,
        quiet_hours: 0,
        refusals: 0,
    }
}

/// What makes an authentication strong; `None` when nothing says that it is.
fn strength(event: &Event) -> Option<&'static str> {
    let mapped = &event.mapped;
    let label = |name: &str| {
        mapped
            .labels
            .get(name)
            .map(|text| text.to_ascii_lowercase())
    };
    let second = label("mfa")
        .is_some_and(|mfa| ["true", "yes", "multifactorauthentication"].contains(&mfa.as_str()));
    let factor = label("factor").is_some_and(|factor| !factor.contains("password"));
    match mapped.credential_kind {
        _ if second || factor => Some("second factor named"),
        Some(CredentialKind::Certificate) => Some("certificate"),
        Some(CredentialKind::RoleSession) => Some("role session that ends by itself"),
        _ => None,
    }
}

impl Working {
    /// Takes points off for a departure.
    pub(super) fn lose(&mut self, trust: &mut Trust, at: Timestamp, row: Row, reason: &str) {
        let before = i32::from(trust.score);
        apply(trust, at, row, row.points, reason);
        self.lost = self.lost.saturating_add(before - i32::from(trust.score));
        self.quiet_from = self.quiet_from.max(at);
        self.quiet_hours = 0;
    }

    pub(super) fn refused(&mut self, trust: &mut Trust, at: Timestamp, reason: &str) {
        if self.refusals < REFUSALS_MAX {
            self.refusals += 1;
            self.lose(trust, at, REFUSED, reason);
        }
    }

    /// A successful sign-in within the session makes it young again.
    pub(super) fn signed_in(&mut self, trust: &mut Trust, at: Timestamp) {
        if at <= self.aged_from {
            return;
        }
        let back = std::mem::take(&mut self.aged);
        (self.aged_from, self.hours) = (at, 0);
        apply(trust, at, AGE, back, "signed in again");
    }

    /// Goes on to `to`: what has become older costs points, what stayed quiet gets some back. True
    /// when anything changed.
    pub(super) fn pass(&mut self, trust: &mut Trust, to: Timestamp) -> bool {
        let mut moved = false;
        let hours = to.micros_since(self.aged_from) / Timestamp::HOUR_US;
        if hours > self.hours {
            let fresh = i32::try_from(hours - self.hours).unwrap_or(i32::MAX);
            let points = fresh
                .saturating_mul(-AGE.points)
                .min(AGE_POINTS_MAX - self.aged);
            self.hours = hours;
            self.aged += points;
            let reason = format!("{hours} h since it started or signed in");
            apply(trust, to, AGE, -points, &reason);
            moved |= points != 0;
        }
        let quiet = to.micros_since(self.quiet_from) / Timestamp::HOUR_US;
        if quiet > self.quiet_hours {
            let fresh = i32::try_from(quiet - self.quiet_hours).unwrap_or(i32::MAX);
            let points = fresh.saturating_mul(QUIET.points).min(self.lost);
            self.quiet_hours = quiet;
            self.lost -= points;
            apply(
                trust,
                to,
                QUIET,
                points,
                &format!("{quiet} h without a departure"),
            );
            moved |= points != 0;
        }
        moved
    }

    /// When the next full hour of age or quiet is over.
    pub(super) fn next_hour(&self) -> Timestamp {
        let after = |from: Timestamp, hours: i64| {
            from.plus_micros(hours.saturating_add(1).saturating_mul(Timestamp::HOUR_US))
        };
        let age = after(self.aged_from, self.hours);
        if self.lost > 0 {
            age.min(after(self.quiet_from, self.quiet_hours))
        } else {
            age
        }
    }
}

/// Changes the score and notes the step; steps of one row that follow each other are one.
fn apply(trust: &mut Trust, at: Timestamp, row: Row, points: i32, reason: &str) {
    let before = trust.score;
    let after = i32::from(before).saturating_add(points).clamp(0, 100);
    let after = u8::try_from(after).unwrap_or(100);
    let opens = trust.steps.is_empty();
    if points == 0 && !opens {
        return;
    }
    trust.score = after;
    trust.lowest = trust.lowest.min(after);
    let crossed = TRUST_THRESHOLDS
        .into_iter()
        .rev()
        .find(|line| !opens && (before >= *line) != (after >= *line));
    let reason = Text::from(fact::cut(reason, 120));
    let merges = row == AGE || row == QUIET;
    if let Some(newest) = trust.steps.last_mut()
        && merges
        && newest.row == row.id
        && newest.crossed.is_none()
        && crossed.is_none()
    {
        newest.points = newest.points.saturating_add(points);
        (newest.at, newest.reason, newest.score) = (at, reason, after);
        return;
    }
    trust.steps.push(TrustStep {
        at,
        points,
        row: Text::new_static(row.id),
        reason,
        score: after,
        crossed,
    });
    if trust.steps.len() > TRUST_STEPS_MAX {
        trust.steps.remove(1);
        trust.steps_left_out = trust.steps_left_out.saturating_add(1);
    }
}

/// The table as Markdown rows.
pub(super) fn printed() -> String {
    let mut text = String::from("| row | points | when |\n|---|---:|---|\n");
    for row in TABLE {
        let written = writeln!(
            text,
            "| `{}` | {:+} | {} |",
            row.id, row.points, row.meaning
        );
        // Writing to a String cannot fail.
        debug_assert!(written.is_ok());
    }
    text
}
