//! How far a session reached.

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{Environment, Event, EventKind};
use deedtrail_core::id::ReferenceUid;
use deedtrail_core::session::{Audience, BlastRadius, FileChange, REACHED_MAX, Reached};

use super::record;
use crate::fact;

/// Adds what an event that took place reached.
pub(super) fn reach(blast: &mut BlastRadius, event: &Event) {
    let mapped = &event.mapped;
    match mapped.action {
        Action::CredentialCreate => note(&mut blast.credentials_made, event),
        Action::PrivilegeGrant | Action::ConsentGrant => note_right(blast, event),
        Action::SecretRead => note(&mut blast.secrets_read, event),
        Action::CredentialRotate | Action::CredentialRevoke => note(&mut blast.rotated, event),
        Action::Delete | Action::Destroy => note(&mut blast.destroyed, event),
        Action::IdentityCreate | Action::IdentityChange | Action::IdentityDisable => {
            note(&mut blast.identities_changed, event);
        }
        Action::Write
        | Action::ConfigChange
        | Action::CodeChange
        | Action::Deploy
        | Action::Execute
        | Action::Share
        | Action::LoggingChange
        | Action::PrivilegeRevoke
        | Action::LicenceChange
            if mapped.meaningful =>
        {
            note(&mut blast.written, event);
        }
        Action::NotifyPeople => notify(blast, event),
        _ => {}
    }
    if let Some(issued) = mapped.labels.get("issued_credential")
        && mapped.action != Action::CredentialCreate
    {
        let role = fact::target_name(event);
        let kind = kind(event);
        let name = format!("{role} ({})", fact::cut(issued, 40));
        blast
            .rights_gained
            .note(&name, kind.as_ref(), mapped.target_environment);
    }
    files(blast, event);
    let count = |number: Option<i64>| number.map_or(0, |n| u64::try_from(n).unwrap_or(0));
    if matches!(mapped.action, Action::Read | Action::Export | Action::Share) {
        blast.objects_out = blast.objects_out.saturating_add(count(mapped.object_count));
    }
    blast.bytes_out = blast.bytes_out.saturating_add(count(mapped.bytes_out));
}

fn note(reached: &mut Reached, event: &Event) {
    let mapped = &event.mapped;
    let name = mapped.target_name.as_ref().or(mapped.target_ref.as_ref());
    let environment = mapped.target_environment;
    let kind = kind(event);
    // Most names are known or short: nothing is copied for them.
    match name.filter(|name| name.len() <= 80 && !name.contains(char::is_control)) {
        Some(name) => reached.note(name, kind.as_ref(), environment),
        None => reached.note(&fact::target_name(event), kind.as_ref(), environment),
    }
}

fn kind(event: &Event) -> Option<Text> {
    let kind = event.mapped.target_kind.as_ref()?;
    Some(record::cut(kind, 40))
}

/// A grant names the right, and to whom it went.
fn note_right(blast: &mut BlastRadius, event: &Event) {
    let mapped = &event.mapped;
    let role = mapped.labels.get("role").or(mapped.labels.get("policy"));
    let right = mapped.permission.as_ref().or(role);
    let whom = fact::target_name(event);
    let name = match right {
        Some(right) => format!("{} for {whom}", fact::cut(right, 60)),
        None => whom,
    };
    let kind = kind(event);
    blast
        .rights_gained
        .note(&name, kind.as_ref(), mapped.target_environment);
}

fn notify(blast: &mut BlastRadius, event: &Event) {
    let mapped = &event.mapped;
    let count = mapped
        .audience_count
        .map_or(0, |n| u64::try_from(n).unwrap_or(0));
    blast.messages = blast.messages.saturating_add(1);
    blast.people_notified = blast.people_notified.saturating_add(count);
    if blast.notified.len() < REACHED_MAX {
        blast.notified.push(Audience {
            reference: audience(event),
            through: fact::cut(&mapped.system, 40).into(),
            count,
            approver: mapped
                .approver
                .as_ref()
                .map(|who| fact::cut(who, 60).into()),
            at: event.time_effective,
        });
    }
}

/// Whom it went to, as a hash: the list that the record names, else what it acted on.
fn audience(event: &Event) -> Option<ReferenceUid> {
    let list = event.mapped.labels.get("audience_list");
    let tenant = event.tenant.as_str().as_bytes();
    list.map(|list| ReferenceUid::derive(&[tenant, list.as_bytes()]))
        .or(event.target_uid)
}

fn files(blast: &mut BlastRadius, event: &Event) {
    let mapped = &event.mapped;
    if mapped.action != Action::CodeChange || mapped.kind == EventKind::Click {
        return;
    }
    for change in &mapped.changes {
        if blast.files.len() >= REACHED_MAX {
            blast.files_left_out = blast.files_left_out.saturating_add(1);
            continue;
        }
        let hash = |value: &Option<Text>| value.as_ref().map(|text| fact::cut(text, 64).into());
        blast.files.push(FileChange {
            path: fact::cut(&change.path, 120).into(),
            before: hash(&change.before),
            after: hash(&change.after),
            environment: environment(mapped.target_environment, &change.path),
            at: event.time_effective,
        });
    }
}

/// The environment a file belongs to: the target's, else what its path says.
fn environment(declared: Environment, path: &str) -> Environment {
    if declared != Environment::Unknown {
        return declared;
    }
    let mut parts = path.split(['/', '-', '.', '_']);
    let named = parts.find_map(|part| match part {
        "prod" | "production" => Some(Environment::Production),
        "staging" | "stage" => Some(Environment::Staging),
        "dev" | "development" => Some(Environment::Development),
        _ => None,
    });
    named.unwrap_or_default()
}
