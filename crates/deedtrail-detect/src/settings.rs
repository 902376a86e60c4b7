//! Thresholds of the code detectors.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Thresholds an operator may change; the defaults are what the reference documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct Settings {
    /// Silence after which a use is a reactivation, days.
    #[schemars(range(min = 1, max = 36_500))]
    pub dormant_days: i64,
    /// Periods of its own cadence an identity must have been silent for, beside `dormant_days`.
    #[schemars(range(min = 0, max = 1_000))]
    pub dormant_periods: i64,
    /// Active days of history before a departure from the pattern is claimed.
    #[schemars(range(min = 0, max = 36_500))]
    pub history_days_min: i64,
    /// Age at which an unrotated credential is old, days.
    #[schemars(range(min = 1, max = 36_500))]
    pub credential_age_days_max: i64,
    /// Time for which a workload must be gone before its credential is a zombie, days.
    #[schemars(range(min = 1, max = 36_500))]
    pub zombie_days: i64,
    /// Sign-ins without any work that make an account login-only.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub login_only_sign_ins: u64,
    /// Time those sign-ins must span, days.
    #[schemars(range(min = 1, max = 36_500))]
    pub login_only_days: i64,
    /// Time within which failures follow a click, minutes.
    #[schemars(range(min = 1, max = 525_600))]
    pub click_failure_minutes: i64,
    /// Failed sign-ins after a click that make it credential harvesting.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub click_failures_min: usize,
    /// Time within which other actions follow a click, minutes.
    #[schemars(range(min = 1, max = 525_600))]
    pub click_follow_minutes: i64,
    /// Time within which a rotation or change ticket belongs to a secret read, minutes.
    #[schemars(range(min = 1, max = 525_600))]
    pub secret_pair_minutes: i64,
    /// Listings of roles, policies or identities within an hour that make an enumeration.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub enumeration_min: usize,
    /// Time within which write attempts follow a failed change, hours.
    #[schemars(range(min = 1, max = 8_760))]
    pub control_gap_hours: i64,
    /// Distinct targets of one credential that make a burst.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst_targets_min: usize,
    /// Time within which they are touched, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub burst_seconds: i64,
    /// Time within which an escalation follows a sign-in, minutes.
    #[schemars(range(min = 1, max = 525_600))]
    pub escalation_minutes: i64,
    /// Departures from learned behaviour that may be told in a day, over all identities of a tenant.
    #[schemars(range(min = 0, max = 10_000))]
    pub behaviour_alerts_per_day: u32,
    /// Smallest volume of one event that can be exfiltration, bytes.
    #[schemars(range(min = 0, max = 1_125_899_906_842_624_i64))]
    pub exfiltration_bytes_min: i64,
    /// Times the largest earlier volume it must reach.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub exfiltration_factor: i64,
    /// Pause that ends a session of a person without a vendor's session id, minutes.
    #[schemars(range(min = 1, max = 10_080))]
    pub session_pause_human_minutes: i64,
    /// The same for service accounts, workloads and runners, minutes.
    #[schemars(range(min = 1, max = 10_080))]
    pub session_pause_machine_minutes: i64,
    /// The same for AI agents, minutes.
    #[schemars(range(min = 1, max = 10_080))]
    pub session_pause_agent_minutes: i64,
    /// Pause after which a session with a vendor's session id counts as ended, hours.
    #[schemars(range(min = 1, max = 720))]
    pub session_idle_hours: i64,
    /// A source is silent when its own rhythm makes so long a silence rarer than one in this many.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub source_silence_one_in: u32,
    /// Time for which a source must be known before its silence says anything, days.
    #[schemars(range(min = 0, max = 36_500))]
    pub source_history_days: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dormant_days: 90,
            dormant_periods: 3,
            history_days_min: 14,
            credential_age_days_max: 180,
            zombie_days: 30,
            login_only_sign_ins: 30,
            login_only_days: 30,
            click_failure_minutes: 30,
            click_failures_min: 3,
            click_follow_minutes: 60,
            secret_pair_minutes: 60,
            enumeration_min: 10,
            control_gap_hours: 24,
            burst_targets_min: 300,
            burst_seconds: 60,
            escalation_minutes: 60,
            behaviour_alerts_per_day: 2,
            exfiltration_bytes_min: 100 << 20,
            exfiltration_factor: 10,
            session_pause_human_minutes: 30,
            session_pause_machine_minutes: 30,
            session_pause_agent_minutes: 30,
            session_idle_hours: 12,
            source_silence_one_in: 10_000,
            source_history_days: 7,
        }
    }
}
