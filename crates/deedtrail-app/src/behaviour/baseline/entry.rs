//! Baselines as entries of the log.
//!
//! Where somebody works from and when tells of a person: networks and hours stand in a part of class
//! `personal` of their own, the rest in a plain part. Erasing what is personal leaves the approval.

use deedtrail_core::Text;
use deedtrail_core::behaviour::{Baseline, BaselineRecord};
use deedtrail_core::id::{IdentityId, TenantId};
use deedtrail_core::port::log::{NewEntry, Part, PartClass};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Note of an entry that carries an approved baseline.
pub const BASELINE: &str = "baseline";
/// Note of an entry that withdraws one.
pub const BASELINE_WITHDRAWAL: &str = "baseline withdrawal";

/// Which baseline is withdrawn and why, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithdrawalEntry {
    pub tenant: TenantId,
    pub identity: IdentityId,
    pub version: u32,
    pub by: Text,
    pub reason: Text,
}

/// What of a baseline tells of a person.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Personal {
    networks: BTreeMap<Text, u64>,
    hours: [u64; 24],
}

/// An approval as the parts of an entry.
pub(super) fn parts(approval: &BaselineRecord) -> Vec<Part> {
    let personal = Personal {
        networks: approval.baseline.networks.clone(),
        hours: approval.baseline.hours,
    };
    let plain = BaselineRecord {
        baseline: Baseline {
            networks: BTreeMap::new(),
            hours: [0; 24],
            ..approval.baseline.clone()
        },
        ..approval.clone()
    };
    let part = |class, value: serde_json::Value| Part {
        class,
        key_id: 0,
        bytes: value.to_string().into_bytes(),
    };
    vec![
        part(PartClass::Plain, serde_json::json!(plain)),
        part(PartClass::Personal, serde_json::json!(personal)),
    ]
}

/// The approval in an entry; `None` when there is none that can be read. Without what is personal
/// (it was erased) networks and hours are unknown.
pub(crate) fn approval(entry: &NewEntry) -> Option<BaselineRecord> {
    let of = |class| entry.parts.iter().find(|part| part.class == class);
    let plain = of(PartClass::Plain)?;
    let mut approval: BaselineRecord = serde_json::from_slice(&plain.bytes).ok()?;
    if approval.tenant != entry.tenant {
        return None;
    }
    if let Some(part) = of(PartClass::Personal)
        && let Ok(personal) = serde_json::from_slice::<Personal>(&part.bytes)
    {
        approval.baseline.networks = personal.networks;
        approval.baseline.hours = personal.hours;
    }
    Some(approval)
}

#[cfg(test)]
mod tests {
    use deedtrail_core::charter::Signed;
    use deedtrail_core::port::log::EntryKind;
    use deedtrail_core::time::Timestamp;

    use super::*;

    fn record() -> BaselineRecord {
        let mut baseline = Baseline {
            events: 9,
            actions: [("aws read".into(), 9)].into(),
            networks: [("198.51.100.0/24".into(), 9)].into(),
            ..Baseline::default()
        };
        baseline.hours[9] = 9;
        BaselineRecord {
            tenant: TenantId::default(),
            identity: IdentityId::from_bytes([1; 16]),
            version: 0,
            owner: Some("ana".into()),
            approved: Signed {
                by: "ben".into(),
                at: Timestamp::from_micros(3),
            },
            baseline,
            accepted_findings: Vec::new(),
            withdrawn: None,
        }
    }

    fn entry(parts: Vec<Part>) -> NewEntry {
        NewEntry {
            kind: EntryKind::Configuration,
            tenant: TenantId::default(),
            source: None,
            received: Timestamp::from_micros(3),
            idempotency_key: None,
            note: BASELINE.into(),
            parts,
        }
    }

    #[test]
    fn networks_and_hours_stand_apart_from_the_rest() {
        let parts = parts(&record());
        let plain = String::from_utf8(parts[0].bytes.clone()).unwrap();
        assert!(
            plain.contains("aws read") && !plain.contains("198.51.100"),
            "{plain}"
        );
        assert_eq!(parts[1].class, PartClass::Personal);
        assert_eq!(approval(&entry(parts.clone())), Some(record()));
        let erased = approval(&entry(parts[..1].to_vec())).unwrap();
        assert_eq!(erased.baseline.actions, record().baseline.actions);
        assert!(erased.baseline.networks.is_empty());
        assert_eq!(erased.baseline.hours, [0; 24]);
    }

    #[test]
    fn an_entry_of_one_part_is_read_too_and_another_tenant_has_no_say() {
        let whole = Part {
            class: PartClass::Plain,
            key_id: 0,
            bytes: serde_json::json!(record()).to_string().into_bytes(),
        };
        assert_eq!(approval(&entry(vec![whole.clone()])), Some(record()));
        let elsewhere = NewEntry {
            tenant: TenantId::new("elsewhere").unwrap(),
            ..entry(vec![whole])
        };
        assert_eq!(approval(&elsewhere), None);
    }
}
