//! What the operator decides.

use serde::{Deserialize, Serialize};

/// How many alerts there may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// Alerts a day, over all identities.
    PerDay(f64),
    /// Alerts as a share of sessions, 0 to 1.
    Share(f64),
}

/// What is learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learning {
    /// What is usual at once; what is not after three days, or when somebody approves it.
    #[default]
    Guarded,
    /// Everything: for a period that is known to be good.
    Everything,
    /// Nothing, and thresholds stay where they are: during an incident.
    Paused,
}

/// Settings of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub budget: Budget,
    pub learning: Learning,
    /// A session without action or shape of at least this many nats never alerts, so that quiet
    /// weeks do not spend the budget.
    pub floor_nats: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            budget: Budget::PerDay(5.0),
            learning: Learning::Guarded,
            floor_nats: 4.0,
        }
    }
}
