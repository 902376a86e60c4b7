//! What a session did, in order, and with which permissions.

use deedtrail_core::Text;
use deedtrail_core::event::Event;
use deedtrail_core::session::{
    CHANGE_TICKETS_MAX, GAP_MARKED_US, NEXT_ACTIONS_MAX, NextAction, PERMISSIONS_MAX,
    PermissionUse, Session,
};
use deedtrail_core::time::Timestamp;

use crate::fact;

/// Longest operation kept, bytes.
const OPERATION_BYTES_MAX: usize = 60;
/// Longest name of a target or permission kept, bytes.
const TARGET_BYTES_MAX: usize = 80;
/// Longest number of a change kept, bytes.
const TICKET_BYTES_MAX: usize = 40;

/// Longest name of a system kept, bytes.
pub(super) const SYSTEM_BYTES_MAX: usize = 40;

/// `text` as it is kept; what is short and plain is not copied byte by byte.
pub(super) fn cut(text: &Text, bytes_max: usize) -> Text {
    if text.len() <= bytes_max && !text.contains(char::is_control) {
        text.clone()
    } else {
        fact::cut(text, bytes_max).into()
    }
}

/// Notes the change that an event names.
pub(super) fn change(session: &mut Session, event: &Event) {
    let Some(ticket) = &event.mapped.change_ticket else {
        return;
    };
    let ticket = cut(ticket, TICKET_BYTES_MAX);
    let changes = &mut session.change_tickets;
    if changes.len() < CHANGE_TICKETS_MAX && !changes.contains(&ticket) {
        changes.push(ticket);
    }
}

/// Notes an action in order of time.
pub(super) fn act(session: &mut Session, event: &Event) {
    let mapped = &event.mapped;
    if !mapped.meaningful {
        return;
    }
    let at = event.time_effective;
    let order = |act: &NextAction| (act.at, act.log_seq, act.event_uid);
    let place = (at, event.log_seq, event.event_uid);
    let next = &mut session.next;
    let behind = next.partition_point(|act| order(act) <= place);
    if behind >= NEXT_ACTIONS_MAX && session.next_left_out > 0 {
        session.next_left_out = session.next_left_out.saturating_add(1);
        return;
    }
    let before = behind.checked_sub(1).map(|place| &mut next[place]);
    if let Some(known) = before.filter(|known| is_again(known, event) && !rested(known, event)) {
        known.times = known.times.saturating_add(1);
        known.until = known.until.max(at);
        return;
    }
    if behind >= NEXT_ACTIONS_MAX {
        session.next_left_out = 1;
        return;
    }
    next.insert(
        behind,
        NextAction {
            event_uid: event.event_uid,
            log_seq: event.log_seq,
            at,
            until: at,
            times: 1,
            system: cut(&mapped.system, SYSTEM_BYTES_MAX),
            action: mapped.action,
            operation: fact::cut(&mapped.operation, OPERATION_BYTES_MAX).into(),
            target: target(event).map(Text::from),
            environment: mapped.target_environment,
            outcome: mapped.outcome,
        },
    );
    if next.len() > NEXT_ACTIONS_MAX {
        let dropped = next.pop().map_or(0, |act| u64::from(act.times));
        session.next_left_out = session.next_left_out.saturating_add(dropped);
    }
}

/// Whether there is a pause before an event that is worth a mark.
fn rested(known: &NextAction, event: &Event) -> bool {
    event.time_effective.micros_since(known.until) > GAP_MARKED_US
}

/// Whether an event is one more of the same.
fn is_again(known: &NextAction, event: &Event) -> bool {
    let mapped = &event.mapped;
    let named = mapped.target_name.as_ref().or(mapped.target_ref.as_ref());
    let same_target = match (&known.target, named) {
        (Some(known), Some(now)) => is_cut_of(known, now, TARGET_BYTES_MAX),
        (None, None) => true,
        _ => false,
    };
    known.action == mapped.action
        && known.outcome == mapped.outcome
        && is_cut_of(&known.system, &mapped.system, SYSTEM_BYTES_MAX)
        && same_target
        && is_cut_of(&known.operation, &mapped.operation, OPERATION_BYTES_MAX)
}

/// Whether `short` is what was kept of `text`.
pub(super) fn is_cut_of(short: &str, text: &str, bytes_max: usize) -> bool {
    short == text || text.len() > bytes_max && text.starts_with(short)
}

fn target(event: &Event) -> Option<String> {
    let mapped = &event.mapped;
    let named = mapped.target_name.as_ref().or(mapped.target_ref.as_ref())?;
    Some(fact::cut(named, TARGET_BYTES_MAX))
}

/// Notes the permission an event used: the one it names, else its operation. `since` is when the
/// departure began that the event is part of.
pub(super) fn permission(session: &mut Session, event: &Event, since: Option<Timestamp>) {
    let mapped = &event.mapped;
    if !mapped.meaningful {
        return;
    }
    let at = event.time_effective;
    let name = mapped.permission.as_ref().unwrap_or(&mapped.operation);
    let mut known = session.permissions.iter();
    let known = known.position(|known| is_cut_of(&known.permission, name, TARGET_BYTES_MAX));
    let used = match known {
        Some(place) => {
            let known = &mut session.permissions[place];
            known.uses = known.uses.saturating_add(1);
            known
        }
        None if session.permissions.len() < PERMISSIONS_MAX => {
            session.permissions.push(PermissionUse {
                permission: fact::cut(name, TARGET_BYTES_MAX).into(),
                uses: 1,
                first: at,
                first_abuse: None,
            });
            let Some(fresh) = session.permissions.last_mut() else {
                return;
            };
            fresh
        }
        None => return,
    };
    used.first = used.first.min(at);
    if let Some(since) = since {
        let known = used.first_abuse.map_or(since, |known| known.min(since));
        // What it was first used for may lie within the run.
        used.first_abuse = Some(known.max(used.first));
    }
}
