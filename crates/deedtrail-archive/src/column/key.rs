//! Where a row is and what files are sorted, pruned and searched by.

use std::borrow::Cow;

use deedtrail_core::event::Event;
use deedtrail_core::id::AliasUid;
use deedtrail_core::time::Timestamp;

use super::{Cell, Column, Kind, column};

/// First and last day a Delta date may be, days since the epoch: years 1 to 9999.
const DAY_RANGE: (i64, i64) = (-719_162, 2_932_896);

pub(super) const COLUMNS: &[Column] = &[
    column!(
        Kind::Text,
        tenant = tenant,
        "",
        "Who the event belongs to. Partition column.",
        "metadata.tenant_uid",
        "organization.id"
    ),
    Column {
        name: "event_month",
        kind: Kind::Date,
        unit: "first day of the month, UTC",
        meaning: "Month of `time_effective`. Partition column.",
        ocsf: "",
        ecs: "",
        get: |event| Cell::Integer(month_of(event.time_effective)),
        set: |_, _| {},
    },
    Column {
        name: "event_day",
        kind: Kind::Date,
        unit: "UTC day",
        meaning: "Day of `time_effective`.",
        ocsf: "",
        ecs: "",
        get: |event| Cell::Integer(day_of(event.time_effective)),
        set: |_, _| {},
    },
    column!(
        Kind::Id,
        actor_alias_uid = actor_alias_uid,
        "hash of tenant, namespace and value",
        "Who acted: the first of `actor_aliases`. Files are sorted by it. Resolves to an identity when a page or command asks.",
        "actor.user.uid",
        "user.id"
    ),
    column!(
        Kind::Time,
        time_effective = time_effective,
        "µs, UTC",
        "What to order by: the vendor's time, else our receipt.",
        "time",
        "@timestamp"
    ),
    column!(
        Kind::Time,
        time = mapped.time,
        "µs, UTC",
        "When it happened by the vendor's clock; null when the record does not say.",
        "metadata.original_time",
        "event.start"
    ),
    column!(
        Kind::Time,
        time_received = time_received,
        "µs, UTC",
        "When we received it.",
        "metadata.logged_time",
        "event.ingested"
    ),
    column!(
        Kind::Integer,
        log_seq = log_seq,
        "sequence",
        "Place of the record in the evidence log.",
        "metadata.sequence",
        "event.sequence"
    ),
    column!(
        Kind::Integer,
        derived_at = derived_at,
        "sequence",
        "Log position at which this row was derived.",
        "",
        ""
    ),
    column!(
        Kind::Text,
        source = source,
        "vendor.log",
        "Which feed the record came by.",
        "metadata.product.name",
        "event.dataset"
    ),
    column!(
        Kind::Enum,
        kind = mapped.kind,
        "",
        "Kind of telemetry: click, authentication, activity, tool_call, usage, lifecycle, message, signal, web_access.",
        "category_name",
        "event.category"
    ),
    column!(
        Kind::Enum,
        action = mapped.action,
        "",
        "What the operation does in security terms.",
        "activity_name",
        "event.type"
    ),
    column!(
        Kind::Enum,
        outcome = mapped.outcome,
        "",
        "success, failure, denied or unknown.",
        "status",
        "event.outcome"
    ),
    column!(
        Kind::Text,
        system = mapped.system,
        "",
        "The system acted in: aws, github, slack …",
        "metadata.product.vendor_name",
        "cloud.provider"
    ),
    column!(
        Kind::Text,
        account = mapped.account,
        "",
        "Its account, organisation, project or tenant.",
        "cloud.account.uid",
        "cloud.account.id"
    ),
    column!(
        Kind::Text,
        operation = mapped.operation,
        "",
        "The vendor's verb, verbatim.",
        "api.operation",
        "event.action"
    ),
    column!(
        Kind::Enum,
        actor_kind = mapped.actor_kind,
        "",
        "human, service_account, workload, oauth_app, ai_agent, automation_runner, scanner, system or unknown.",
        "actor.user.type",
        ""
    ),
    column!(
        Kind::Boolean,
        meaningful = mapped.meaningful,
        "",
        "False for heartbeats, health checks, token refreshes and list-only polling: it happened, it is not use.",
        "",
        ""
    ),
    column!(
        Kind::Id,
        event_uid = event_uid,
        "keyed hash of tenant, source, idempotency key, revision and ordinal",
        "This event. A remapping keeps it.",
        "metadata.uid",
        "event.id"
    ),
    column!(
        Kind::Id,
        session_uid = session_uid,
        "hash",
        "The session it happened in.",
        "actor.session.uid",
        ""
    ),
    column!(
        Kind::Id,
        target_uid = target_uid,
        "hash",
        "What was acted on.",
        "resources.uid",
        ""
    ),
    Column {
        name: "target_alias_uid",
        kind: Kind::Id,
        unit: "hash of tenant, namespace and value",
        meaning: "The first of `target_aliases`, hashed like `actor_alias_uid`: finds what was done to an identity.",
        ocsf: "user.uid",
        ecs: "user.target.id",
        get: target_alias_uid,
        set: |_, _| {},
    },
    column!(
        Kind::Id,
        on_behalf_of_uid = on_behalf_of_uid,
        "hash of tenant, namespace and value",
        "Who the actor acts for: hash of that alias.",
        "",
        "user.effective.id"
    ),
    column!(
        Kind::Id,
        credential_uid = credential_uid,
        "hash",
        "The credential presented; its value is never stored.",
        "",
        ""
    ),
    column!(
        Kind::Text,
        src_ip = mapped.src_ip,
        "IPv4 or IPv6 address",
        "Where the request came from.",
        "src_endpoint.ip",
        "source.ip"
    ),
    column!(
        Kind::Id,
        link_uid = link_uid,
        "hash",
        "The protected link that was opened.",
        "",
        ""
    ),
];

/// UTC day, days since the epoch, within the years a Delta date may be.
fn day_of(at: Timestamp) -> i64 {
    at.utc_day().clamp(DAY_RANGE.0, DAY_RANGE.1)
}

/// First day of the UTC month, days since the epoch. The calendar arithmetic is the proleptic
/// Gregorian one of <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>,
/// where years begin on 1 March.
fn month_of(at: Timestamp) -> i64 {
    let day = day_of(at);
    let since_era_zero = day + 719_468;
    let day_of_era = since_era_zero.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5;
    day - day_of_month
}

fn target_alias_uid(event: &Event) -> Cell<'_> {
    event
        .mapped
        .target_aliases
        .first()
        .map_or(Cell::Null, |alias| {
            Cell::Id(AliasUid::of(&event.tenant, &alias.namespace, &alias.value).to_bytes())
        })
}

/// Text of a boolean out of an optional structure.
pub(super) fn flag(value: Option<bool>) -> Cell<'static> {
    value.map_or(Cell::Null, Cell::Boolean)
}

/// Optional text.
pub(super) fn text(value: Option<&str>) -> Cell<'_> {
    value.map_or(Cell::Null, |text| Cell::Text(Cow::Borrowed(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_start_on_their_first_day() {
        for (at, first) in [
            ("2026-11-21T10:00:00Z", "2026-11-01T00:00:00Z"),
            ("2024-02-29T23:59:59Z", "2024-02-01T00:00:00Z"),
            ("2024-03-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("1969-12-31T23:59:59Z", "1969-12-01T00:00:00Z"),
            ("2000-12-31T00:00:00Z", "2000-12-01T00:00:00Z"),
        ] {
            let expected = Timestamp::parse_rfc3339(first).unwrap().utc_day();
            assert_eq!(
                month_of(Timestamp::parse_rfc3339(at).unwrap()),
                expected,
                "{at}"
            );
        }
    }

    #[test]
    fn absurd_times_stay_within_the_calendar() {
        assert_eq!(day_of(Timestamp::from_micros(i64::MIN)), DAY_RANGE.0);
        assert_eq!(month_of(Timestamp::from_micros(i64::MIN)), DAY_RANGE.0);
        assert_eq!(month_of(Timestamp::from_micros(i64::MAX)), DAY_RANGE.1 - 30);
    }
}
