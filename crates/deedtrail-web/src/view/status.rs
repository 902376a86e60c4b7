//! Words for a finding's state and for what an analyst concluded.

use deedtrail_core::finding::FindingStatus;

/// Names of the states, as the API writes them.
pub(crate) const NAMES: [&str; 3] = ["open", "acknowledged", "closed"];

/// The state of that name.
pub(crate) fn from_name(name: &str) -> Option<FindingStatus> {
    match name {
        "open" => Some(FindingStatus::Open),
        "acknowledged" => Some(FindingStatus::Acknowledged),
        "closed" => Some(FindingStatus::Closed),
        _ => None,
    }
}

/// Name of a state.
pub(crate) const fn name(status: FindingStatus) -> &'static str {
    match status {
        FindingStatus::Open => "open",
        FindingStatus::Acknowledged => "acknowledged",
        FindingStatus::Closed => "closed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for text in NAMES {
            assert_eq!(from_name(text).map(name), Some(text));
        }
    }
}
