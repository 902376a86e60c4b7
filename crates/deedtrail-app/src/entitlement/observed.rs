//! What somebody did, counted: one query of the archive.

use serde::Deserialize;

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::OutcomeClass;
use deedtrail_core::id::{AliasUid, EventUid, TenantId};
use deedtrail_core::port::archive::{Archive, ArchiveError, OutputFormat, QueryBudget};
use deedtrail_core::time::Timestamp;

use super::matching::Deed;

/// Kinds of deeds that are compared; of more, the most frequent.
pub(super) const OBSERVED_MAX: usize = 5_000;
/// Aliases of one identity that are asked for.
const ALIASES_MAX: usize = 500;

/// Events that are alike.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    pub(super) deed: Deed,
    pub(super) outcome: OutcomeClass,
    pub(super) policy_allowed: Option<bool>,
    pub(super) policy_id: Option<Text>,
    pub(super) events: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// One of them.
    pub(super) event_uid: EventUid,
}

/// A row as the archive prints it: what is null is not there.
#[derive(Debug, Deserialize)]
struct Row {
    system: Option<Text>,
    account: Option<Text>,
    operation: Option<Text>,
    permission: Option<Text>,
    action: String,
    target_ref: Option<Text>,
    outcome: String,
    policy_allowed: Option<bool>,
    policy_id: Option<Text>,
    events: u64,
    first: String,
    last: String,
    event_uid: EventUid,
}

/// What the holders of these aliases did in a window, most frequent first, and whether that is all.
pub(super) fn observed(
    archive: &dyn Archive,
    tenant: &TenantId,
    aliases: &[AliasUid],
    (from, to): (Timestamp, Timestamp),
) -> Result<(Vec<Observed>, bool), ArchiveError> {
    if aliases.is_empty() {
        return Ok((Vec::new(), true));
    }
    let mut out = Vec::new();
    let sql = sql(aliases, from, to);
    let budget = QueryBudget::default();
    archive.query(tenant, &sql, OutputFormat::Json, budget, &mut out)?;
    let lines = out.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let rows = lines.map(|line| serde_json::from_slice::<Row>(line).ok().and_then(of_row));
    let mut rows: Vec<Observed> = rows.collect::<Option<_>>().ok_or_else(|| {
        ArchiveError::BadQuery("the rows of it are not what was asked for".to_owned())
    })?;
    let all = rows.len() <= OBSERVED_MAX;
    rows.truncate(OBSERVED_MAX);
    Ok((rows, all))
}

fn sql(aliases: &[AliasUid], from: Timestamp, to: Timestamp) -> String {
    let key = "system, account, operation, permission, action, target_ref, outcome, \
               policy_allowed, policy_id";
    let aliases = aliases.iter().take(ALIASES_MAX);
    let aliases: Vec<String> = aliases.map(|uid| format!("'{uid}'")).collect();
    format!(
        "SELECT {key}, count(*) AS events, min(time_effective) AS first, \
         max(time_effective) AS last, max(event_uid) AS event_uid FROM events \
         WHERE actor_alias_uid IN ({}) AND time_effective >= '{from}' AND time_effective < '{to}' \
         AND meaningful GROUP BY {key} ORDER BY events DESC, event_uid LIMIT {}",
        aliases.join(", "),
        OBSERVED_MAX + 1,
    )
}

fn of_row(row: Row) -> Option<Observed> {
    Some(Observed {
        deed: Deed {
            system: row.system.unwrap_or_default(),
            account: row.account,
            operation: row.operation.unwrap_or_default(),
            permission: row.permission,
            action: Action::from_name(&row.action).unwrap_or(Action::Other),
            target: row.target_ref,
        },
        outcome: OutcomeClass::from_name(&row.outcome)?,
        policy_allowed: row.policy_allowed,
        policy_id: row.policy_id,
        events: row.events,
        first: Timestamp::parse_rfc3339(&row.first)?,
        last: Timestamp::parse_rfc3339(&row.last)?,
        event_uid: row.event_uid,
    })
}
