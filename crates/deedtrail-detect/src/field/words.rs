//! The closed lists: fields that only ever have one of some words, or a number between two.

use std::ops::RangeInclusive;

use deedtrail_core::action::ACTIONS;
use deedtrail_core::event::{
    ActorKind, CredentialKind, DeviceTrust, Environment, EventKind, EvidenceGrade, OutcomeClass,
    Plane, Provenance, Sensitivity, TimeQuality, Verdict,
};

/// Every word that the field of that name may have; `None` where it may be any text.
pub fn words_of(name: &str) -> Option<Vec<&'static str>> {
    Some(match name {
        "action" => ACTIONS.iter().map(|it| it.action.name()).collect(),
        "actor_kind" => names(ActorKind::ALL, ActorKind::name),
        "credential_kind" => names(CredentialKind::ALL, CredentialKind::name),
        "device_trust" => names(DeviceTrust::ALL, DeviceTrust::name),
        "environment" | "target_environment" => names(Environment::ALL, Environment::name),
        "evidence_grade" => names(EvidenceGrade::ALL, EvidenceGrade::name),
        "kind" => names(EventKind::ALL, EventKind::name),
        "outcome" => names(OutcomeClass::ALL, OutcomeClass::name),
        "plane" => names(Plane::ALL, Plane::name),
        "target_sensitivity" => names(Sensitivity::ALL, Sensitivity::name),
        "time_quality" => names(TimeQuality::ALL, TimeQuality::name),
        "tool_argument_provenance" => names(Provenance::ALL, Provenance::name),
        "verdict" => names(Verdict::ALL, Verdict::name),
        _ => return None,
    })
}

/// The numbers that the field of that name may have; `None` where there is no end to them.
pub fn range_of(name: &str) -> Option<RangeInclusive<i64>> {
    match name {
        "hour_of_day" => Some(0..=23),
        "day_of_week" => Some(1..=7),
        "hour_share_percent" => Some(0..=100),
        _ => None,
    }
}

fn names<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|one| name(*one)).collect()
}
