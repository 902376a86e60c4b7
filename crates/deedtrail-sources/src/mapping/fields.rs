//! The canonical fields that have one value: where the file says it and where it goes.

use deedtrail_core::event::{CredentialKind, DeviceTrust, EventKind, MappedEvent, Plane, Verdict};

use super::spec::{ChoicesSpec, EventSpec, ValueSpec};
use crate::map::value;

/// One field with one value.
pub(super) struct PlainField {
    pub(super) name: &'static str,
    pub(super) spec: fn(&EventSpec) -> Option<&ValueSpec>,
    pub(super) set: fn(&mut MappedEvent, &str),
}

macro_rules! text {
    ($($field:ident),+ $(,)?) => { [$(PlainField {
        name: stringify!($field),
        spec: |event| event.$field.as_ref(),
        set: |event, text| event.$field = Some(value::column(text)),
    }),+] };
}

macro_rules! number {
    ($($field:ident),+ $(,)?) => { [$(PlainField {
        name: stringify!($field),
        spec: |event| event.$field.as_ref(),
        set: |event, text| event.$field = value::count(text),
    }),+] };
}

const TEXTS: &[PlainField] = &text![
    account,
    credential_ref,
    session_ref,
    permission,
    approver,
    change_ticket,
    workload,
    outcome_detail,
    src_country,
    user_agent,
    client_fingerprint,
    device_ref,
    message_ref,
    link_ref,
    verdict_detail,
    threat,
    trace_uid,
    span_uid,
    parent_uid,
];

const NUMBERS: &[PlainField] = &number![
    duration_ms,
    audience_count,
    bytes_out,
    object_count,
    src_asn,
    src_port,
];

const SPECIAL: &[PlainField] = &[
    PlainField {
        name: "system",
        spec: |event| Some(&event.system),
        set: |event, text| event.system = value::column(text),
    },
    PlainField {
        name: "command",
        spec: |event| event.command.as_ref(),
        set: |event, text| event.command = Some(value::column(&value::mask_secrets(text))),
    },
    PlainField {
        name: "src_ip",
        spec: |event| event.src_ip.as_ref(),
        set: |event, text| {
            if let Some((ip, port)) = value::address(text) {
                event.src_ip = Some(ip);
                event.src_port = event.src_port.or(port);
            }
        },
    },
    PlainField {
        name: "url",
        spec: |event| event.url.as_ref(),
        set: |event, text| {
            event.url_hash = Some(value::hash(text.as_bytes()));
            event.url_domain = value::domain(text).map(|host| value::column(&host));
        },
    },
    PlainField {
        name: "url_domain",
        spec: |event| event.url_domain.as_ref(),
        set: |event, text| event.url_domain = Some(value::column(&text.to_lowercase())),
    },
];

/// Every field with one value.
pub(super) fn plain() -> impl Iterator<Item = &'static PlainField> {
    TEXTS.iter().chain(NUMBERS).chain(SPECIAL)
}

/// One field whose values are a closed list.
pub(super) struct ClosedField {
    pub(super) name: &'static str,
    pub(super) spec: fn(&EventSpec) -> Option<&ChoicesSpec>,
    pub(super) names: fn() -> Vec<&'static str>,
    pub(super) set: fn(&mut MappedEvent, u8),
}

macro_rules! closed {
    ($field:ident, $list:ident, $value:ident => $to:expr) => {
        ClosedField {
            name: stringify!($field),
            spec: |event| event.$field.as_ref(),
            names: || $list::ALL.iter().map(|item| item.name()).collect(),
            set: |event, index| {
                if let Some(&$value) = $list::ALL.get(usize::from(index)) {
                    event.$field = $to;
                }
            },
        }
    };
}

pub(super) const CLOSED: &[ClosedField] = &[
    closed!(kind, EventKind, value => value),
    closed!(plane, Plane, value => value),
    closed!(credential_kind, CredentialKind, value => Some(value)),
    closed!(device_trust, DeviceTrust, value => value),
    closed!(verdict, Verdict, value => Some(value)),
    ClosedField {
        name: "meaningful",
        spec: |event| event.meaningful.as_ref(),
        names: || vec!["false", "true"],
        set: |event, index| event.meaningful = index == 1,
    },
];
