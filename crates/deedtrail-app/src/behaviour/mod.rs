//! Learned behaviour as people ask for it: how an identity stands, which sources can be judged, what
//! a budget of alerts would let through, and baselines (docs/reference/behaviour.md).

mod baseline;
mod readiness;
mod standing;

use deedtrail_core::behaviour::{Forecast, IdentityBehaviour};
use deedtrail_core::port::store::{BehaviourOrder, Scope};

use crate::App;
use crate::access::Principal;
use crate::timeline::ReadingError;

pub(crate) use baseline::approval;
pub use baseline::{
    BASELINE, BASELINE_WITHDRAWAL, BaselineError, BaselineOverview, BaselineText, Change,
    OpenFindings, WithdrawalEntry, compare,
};
pub use readiness::{Lack, SourceReadiness, readiness_in_words};
pub use standing::{Active, Danger, DangerPoint, POINTS, PointRow, Standing};

/// Identities whose standing is shown at once, the latest active; those with grave findings come on top.
pub const STANDINGS_MAX: usize = 200;

impl App {
    /// Identities whose work has been changing for weeks, the farthest first.
    pub fn drifting(
        &self,
        principal: &Principal,
        limit: usize,
    ) -> Result<Vec<IdentityBehaviour>, ReadingError> {
        principal.require(Scope::Read)?;
        let store = &self.ports.store;
        Ok(store.behaviours(&principal.tenant, BehaviourOrder::Drifting, limit)?)
    }

    /// What budgets of alerts would have let through; `None` before there is a session to judge.
    pub fn forecast(&self, principal: &Principal) -> Result<Option<Forecast>, ReadingError> {
        principal.require(Scope::Read)?;
        Ok(self.ports.store.forecast(&principal.tenant)?)
    }
}
