//! docs/reference/trust.md, printed from the table of points.

use deedtrail_core::session::TRUST_THRESHOLDS;

use super::trust;

/// The page as Markdown.
pub fn reference_page() -> String {
    let [look, act] = TRUST_THRESHOLDS;
    format!(
        "# Trust of a session\n\n\
         Printed from the code; `UPDATE_REFERENCE=1 cargo test -p deedtrail-detect` prints it \
         again.\n\n\
         A session has a score from 0 to 100. It starts with one of the first two rows and changes \
         with every event and tick by the others, never below 0 or above 100. Each change is a step \
         with its time, points, reason and score. Crossing {look} (look at it) or {act} (act) is \
         noted on the step.\n\n{}\n\
         Points come from the log alone: equal logs give equal scores. A late event counts when it \
         arrives. Findings count once each, on the session of the event that made them fire; \
         those of learned behaviour on the session they are about.\n",
        trust::printed(),
    )
}
