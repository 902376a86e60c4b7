//! A secret read by a machine without the rotation or change ticket that makes it legitimate.

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, EventKind};
use deedtrail_core::finding::{FindingDraft, FindingEvent};
use deedtrail_core::id::{AliasUid, IdentityId, SessionUid, TenantId};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CodeDetector, Context, Runs, draft};
use crate::fact;
use crate::profile::{Profile, Trace, TraceKind};
use crate::settings::Settings;

pub(super) const DETECTOR: CodeDetector = CodeDetector {
    id: "code/secret",
    findings: &["unpaired_secret_read"],
    meaning: "A machine reads a secret it never read or normally rotates afterwards, and within \
              60 minutes there is no rotation with a change ticket. Reads that are rotated under \
              a ticket are legitimate.",
    runs: Runs::Event(detect),
};

/// Pending reads kept per identity; beyond it the oldest is settled unsaid.
pub(crate) const PENDING_MAX: usize = 4;

/// A secret read that waits for its rotation or ticket, with the draft it becomes if none comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingRead {
    tenant: TenantId,
    identity: IdentityId,
    first_alias: AliasUid,
    name: String,
    session: Option<SessionUid>,
    read: Trace,
    /// What made it worth waiting for, in words.
    why: String,
    /// Number of ticks before it arrived.
    arrived: u64,
}

fn detect(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    let mut drafts = settle(profile, context.at(), None, context.settings);
    let kind = context
        .observation
        .identity
        .map_or(context.observation.event.mapped.actor_kind, |i| i.kind);
    if kind == ActorKind::Human {
        return drafts;
    }
    let event = context.observation.event.event_uid;
    if context.left(TraceKind::CredentialRotate) {
        let rotation = profile
            .traces
            .of_event(TraceKind::CredentialRotate, event)
            .cloned();
        drafts.extend(rotation.and_then(|rotation| rotated(context, profile, &rotation)));
    }
    // A tool called `vault_read` is what an agent says it did; the store's own record tells.
    let stored = context.observation.event.mapped.kind != EventKind::ToolCall;
    if stored
        && context.left(TraceKind::SecretRead)
        && let Some(read) = profile
            .traces
            .of_event(TraceKind::SecretRead, event)
            .cloned()
    {
        was_read(context, profile, read);
    }
    drafts
}

/// A read: legitimate under its own ticket, else it waits if it is unusual.
fn was_read(context: &Context<'_>, profile: &mut Profile, read: Trace) {
    let usually_rotates = {
        let reads = profile
            .actions
            .get(&Action::SecretRead)
            .map_or(0, |history| history.events);
        profile.paired_reads > 0 && u64::from(profile.paired_reads) * 2 >= reads
    };
    let why = if read.change_ticket.is_some() {
        return;
    } else if usually_rotates {
        format!(
            "usual: {} of its reads were followed by a rotation",
            profile.paired_reads
        )
    } else if context.facts.first_time_target == Some(true) {
        let days = profile.active_days;
        format!(
            "usual: it never read {} in {days} active days",
            read.target_name
        )
    } else {
        return;
    };
    let (identity, first_alias) = draft::subject(&context.observation);
    profile.pending_reads.push(PendingRead {
        tenant: context.observation.event.tenant.clone(),
        identity,
        first_alias,
        name: fact::actor_name(&context.observation),
        session: context.observation.event.session_uid,
        read,
        why,
        arrived: context.tick,
    });
    if profile.pending_reads.len() > PENDING_MAX {
        profile.pending_reads.remove(0);
    }
}

/// A rotation: pairs the reads that wait; without a ticket the pair itself is the finding.
fn rotated(context: &Context<'_>, profile: &mut Profile, rotation: &Trace) -> Option<FindingDraft> {
    let window_us = context.settings.secret_pair_minutes * Timestamp::MINUTE_US;
    let from = rotation.time.plus_micros(-window_us);
    let to = rotation.time.plus_micros(window_us);
    let read = profile
        .traces
        .within(TraceKind::SecretRead, from, to)
        .next_back()
        .cloned()?;
    profile.paired_reads = profile.paired_reads.saturating_add(1);
    let ticket = rotation
        .change_ticket
        .clone()
        .or(read.change_ticket.clone());
    let near =
        |pending: &PendingRead| pending.read.time.micros_since(rotation.time).abs() <= window_us;
    let waiting = profile.pending_reads.iter().rposition(near);
    let pending = waiting.map(|place| profile.pending_reads.remove(place));
    profile
        .pending_reads
        .retain(|pending| ticket.is_none() || !near(pending));
    let pending = pending.filter(|_| ticket.is_none())?;
    let mut draft = said(&pending, context.settings);
    draft.title = format!(
        "{}: read {} and rotated {} without a change ticket",
        pending.name, pending.read.target_name, rotation.target_name,
    );
    draft.reasons.insert(
        0,
        format!(
            "observed: a rotation {} after the read, neither names a change ticket",
            fact::span(rotation.time.micros_since(pending.read.time).abs()),
        ),
    );
    draft.at = draft.at.max(rotation.time);
    draft::rests_on(&mut draft, std::iter::once(rotation.finding_event()));
    Some(draft)
}

/// Says every read for which nothing came in time: at a tick after it arrived, or when the
/// identity's own events have gone past its window.
pub(crate) fn settle(
    profile: &mut Profile,
    now: Timestamp,
    tick: Option<u64>,
    settings: &Settings,
) -> Vec<FindingDraft> {
    let window_us = settings.secret_pair_minutes * Timestamp::MINUTE_US;
    let due = |pending: &PendingRead| {
        now.micros_since(pending.read.time) > window_us
            && tick.is_none_or(|tick| tick > pending.arrived)
    };
    if !profile.pending_reads.iter().any(due) {
        return Vec::new();
    }
    let (over, rest) = std::mem::take(&mut profile.pending_reads)
        .into_iter()
        .partition::<Vec<_>, _>(due);
    profile.pending_reads = rest;
    over.iter().map(|pending| said(pending, settings)).collect()
}

fn said(pending: &PendingRead, settings: &Settings) -> FindingDraft {
    let read: FindingEvent = pending.read.finding_event();
    FindingDraft {
        kind: "unpaired_secret_read".into(),
        rule: DETECTOR.id.into(),
        tenant: pending.tenant.clone(),
        identity: pending.identity,
        first_alias: pending.first_alias,
        pattern: format!("secret {:016x}", pending.read.target).into(),
        session: pending.session,
        severity: draft::severity_of("unpaired_secret_read"),
        confidence: 0.7,
        title: format!(
            "{}: read {} without a rotation or change ticket",
            pending.name, pending.read.target_name
        ),
        reasons: vec![
            format!(
                "window: no rotation under a change ticket within {} min of the read",
                settings.secret_pair_minutes
            ),
            pending.why.clone(),
        ],
        allowed: Vec::new(),
        refused: Vec::new(),
        hypotheses: Vec::new(),
        techniques: Vec::new(),
        at: read.time,
        events: vec![read],
    }
}
