//! A finding with what its type says: what to do, how soon, and which controls it answers.

use serde::Serialize;

use super::{Finding, Severity, registry};
use crate::Text;

/// A finding as the API and the command line give it away.
#[derive(Clone, Debug, Serialize)]
pub struct Briefing {
    #[serde(flatten)]
    pub finding: Finding,
    /// Order of response: 1 (critical, at once) to 5 (info, when there is time).
    pub priority: usize,
    /// What findings of this type mean, or what the unsafe sequence says that raised it; `None` when
    /// neither is known any longer.
    pub meaning: Option<Text>,
    /// What to do first, in order.
    pub response: &'static [&'static str],
    /// Checked control references: ids of the control table.
    pub mapped_ref: Vec<Text>,
    /// Control references as first printed; the crosswalk says how to read them.
    pub seed_ref: &'static [&'static str],
}

impl From<Finding> for Briefing {
    fn from(finding: Finding) -> Self {
        let kind = registry::find(&finding.draft.kind);
        Self {
            priority: Severity::ALL.len() - finding.draft.severity as usize,
            meaning: kind.map(|kind| Text::new_static(kind.meaning)),
            response: kind.map_or(&[], |kind| kind.response),
            mapped_ref: kind.map_or_else(Vec::new, |kind| {
                let ids = kind.mapped_ref.iter();
                ids.map(|id| Text::new_static(id)).collect()
            }),
            seed_ref: kind.map_or(&[], |kind| kind.seed_ref),
            finding,
        }
    }
}
