//! How an identity stands, as its page shows it.

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::behaviour::{Standing, readiness_in_words};
use deedtrail_app::timeline::{IdentityFile, ReadingError};
use deedtrail_core::behaviour::Drift;

use super::behaviour::badge;
use super::charters::SignedView;
use crate::view::{Badge, Shown, grouped};

#[derive(Debug)]
pub(super) struct PointLine {
    pub(super) points: u32,
    pub(super) reason: Shown,
}

#[derive(Debug)]
pub(super) struct DriftLine {
    pub(super) state: &'static str,
    pub(super) figures: String,
    pub(super) rising: Vec<Shown>,
}

#[derive(Debug)]
pub(super) struct StandingView {
    pub(super) danger: Badge,
    pub(super) danger_points: u32,
    pub(super) points: Vec<PointLine>,
    pub(super) active: &'static str,
    pub(super) activity: String,
    /// Sessions that departed without being a finding, and the address of their list.
    pub(super) unusual: Option<(String, String)>,
    /// Whether its sessions are judged, and by what.
    pub(super) readiness: Option<Shown>,
    pub(super) drift: Option<DriftLine>,
    /// Version of the newest baseline, and who approved it.
    pub(super) baseline: Option<(u32, SignedView)>,
}

impl StandingView {
    pub(super) fn load(
        app: &App,
        principal: &Principal,
        file: &IdentityFile,
    ) -> Result<Self, ReadingError> {
        Ok(Self::new(&app.standing(principal, file)?))
    }

    fn new(standing: &Standing) -> Self {
        let known = standing.behaviour.as_ref();
        let drift = known.and_then(|known| known.drift.as_ref());
        let points = standing.danger_reasons.iter().map(|point| PointLine {
            points: point.points,
            reason: Shown::cut(&point.reason, 200),
        });
        let baseline = standing.baseline.as_ref();
        Self {
            danger: badge(standing.danger),
            danger_points: standing.danger_points,
            points: points.collect(),
            active: standing.active.name(),
            activity: format!(
                "{} events on {} of the last 28 days",
                grouped(standing.events),
                standing.active_days
            ),
            unusual: (standing.unusual_sessions > 0).then(|| {
                let list = format!("/sessions?identity={}&departing=yes", standing.identity);
                (unusual(standing.unusual_sessions), list)
            }),
            readiness: known.map(|known| Shown::cut(&readiness_in_words(known), 300)),
            drift: drift.map(drift_line),
            baseline: baseline.map(|it| (it.version, SignedView::new(&it.approved))),
        }
    }
}

fn unusual(sessions: u64) -> String {
    let sessions = match sessions {
        1 => "1 session".to_owned(),
        many => format!("{} sessions", grouped(many)),
    };
    format!(
        "{sessions} of the last 28 days unlike what is learned, with nothing of weight in them: no \
         finding"
    )
}

fn drift_line(drift: &Drift) -> DriftLine {
    let rising = drift.rising.iter().map(|rise| {
        let (before, now) = (rise.before * 100.0, rise.now * 100.0);
        let text = format!("more of {}: {before:.1} % → {now:.1} %", rise.action);
        Shown::cut(&text, 160)
    });
    DriftLine {
        state: if drift.departs() {
            "Its work has been changing for weeks"
        } else {
            "No drift beyond chance"
        },
        figures: format!(
            "newest week {:.2} of 1, chance {:.2}, {:+.2} a week",
            drift.score, drift.noise, drift.trend
        ),
        rising: if drift.departs() {
            rising.collect()
        } else {
            Vec::new()
        },
    }
}
