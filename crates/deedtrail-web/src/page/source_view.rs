//! A source's health in words and figures, for every page that shows it.

use deedtrail_app::feed_health::{SourceReport, SourceState};
use deedtrail_core::health::{Lag, MissingNumbers, SourceHealth};
use deedtrail_core::time::Timestamp;

use crate::view::{Moment, Shown, ago, grouped, share, span};

/// The pages about sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Health,
    Coverage,
    Grades,
    Quarantine,
}

impl Tab {
    pub(super) const ALL: [Self; 4] =
        [Self::Health, Self::Coverage, Self::Grades, Self::Quarantine];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Health => "Health",
            Self::Coverage => "Coverage",
            Self::Grades => "Evidence grades",
            Self::Quarantine => "Quarantine",
        }
    }

    pub(super) const fn address(self) -> &'static str {
        match self {
            Self::Health => "/sources",
            Self::Coverage => "/coverage",
            Self::Grades => "/grades",
            Self::Quarantine => "/quarantine",
        }
    }
}

/// A state as a badge.
#[derive(Clone, Copy, Debug)]
pub(super) struct StateBadge {
    pub(super) class: &'static str,
    pub(super) word: &'static str,
}

impl From<SourceState> for StateBadge {
    fn from(state: SourceState) -> Self {
        let (class, word) = match state {
            SourceState::NeverDelivered => ("info", "Never delivered"),
            SourceState::Live => ("ok", "Live"),
            SourceState::Quiet => ("low", "Quiet"),
            SourceState::Degraded => ("med", "Says less"),
            SourceState::Silent => ("high", "Silent"),
        };
        Self { class, word }
    }
}

/// Health of a source in words and figures.
#[derive(Debug)]
pub(super) struct HealthView {
    pub(super) last: Option<(Moment, String)>,
    pub(super) lag: String,
    pub(super) records: String,
    pub(super) events: String,
    pub(super) quarantined: String,
    pub(super) any_quarantined: bool,
    /// Empty for none.
    pub(super) dismissed: String,
    pub(super) duplicates: String,
    pub(super) any_duplicates: bool,
    pub(super) conflicts: String,
    pub(super) bytes: String,
    /// Share of events by evidence grade, with the grade's letter.
    pub(super) grades: Vec<(&'static str, String)>,
    pub(super) other: String,
    pub(super) missing: Vec<(Shown, String)>,
    pub(super) day: String,
    pub(super) bars: Vec<HourBar>,
    pub(super) overdue: Option<Moment>,
    pub(super) gaps: Vec<GapView>,
    pub(super) degraded: Vec<Shown>,
    pub(super) numbered: bool,
    pub(super) skipped: Vec<SkippedView>,
    pub(super) skipped_total: String,
    /// Skipped too, but too many to be waited for.
    pub(super) forgotten: Option<String>,
}

/// Numbers that never came.
#[derive(Debug)]
pub(super) struct SkippedView {
    /// `12`, or `12 to 15`.
    pub(super) numbers: String,
    /// The stream in which they are counted, if there are several.
    pub(super) within: Option<Shown>,
    pub(super) count: String,
    pub(super) noticed: Moment,
}

/// One of the last 24 hours in a picture of 96 by 20.
#[derive(Debug)]
pub(super) struct HourBar {
    pub(super) x: usize,
    pub(super) y: u64,
    pub(super) height: u64,
}

#[derive(Debug)]
pub(super) struct GapView {
    pub(super) from: Moment,
    pub(super) to: Moment,
    pub(super) length: String,
}

/// Height of the picture.
const HEIGHT: u64 = 20;

impl HealthView {
    pub(super) fn new(health: &SourceHealth, now: Timestamp) -> Self {
        let graded: u64 = health.grades.iter().sum();
        let letters = ["A", "B", "C", "D"].into_iter();
        let missing = health.missing.iter();
        let mut missing: Vec<(&str, u64)> = missing.map(|(name, n)| (name.as_str(), *n)).collect();
        missing.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let hours = health.hours.at(now);
        let gaps = health.watched.gaps.iter().rev();
        Self {
            last: health
                .last_received
                .map(|at| (Moment::new(at), ago(now.micros_since(at)))),
            lag: lag(health),
            records: grouped(health.records),
            events: grouped(health.events),
            quarantined: grouped(health.quarantined),
            any_quarantined: health.quarantined > 0,
            dismissed: match health.dismissed {
                0 => String::new(),
                count => grouped(count),
            },
            duplicates: grouped(health.duplicates),
            any_duplicates: health.duplicates > 0,
            conflicts: grouped(health.conflicts),
            bytes: bytes(health.bytes),
            grades: letters
                .zip(health.grades.map(|count| share(count, graded)))
                .collect(),
            other: share(health.other_actions, health.events),
            missing: missing
                .into_iter()
                .map(|(name, count)| (Shown::new(name), share(count, health.events)))
                .collect(),
            day: grouped(hours.iter().sum()),
            bars: bars(&hours),
            overdue: health
                .watched
                .overdue_at
                .filter(|at| *at > now)
                .map(Moment::new),
            gaps: gaps
                .map(|gap| GapView {
                    from: Moment::new(gap.from),
                    to: Moment::new(gap.to),
                    length: span(gap.to.micros_since(gap.from)),
                })
                .collect(),
            degraded: health
                .watched
                .degraded
                .iter()
                .map(|it| Shown::new(it))
                .collect(),
            numbered: health.watched.numbered,
            skipped: health.watched.missing.iter().rev().map(skipped).collect(),
            skipped_total: grouped(health.watched.missing_total),
            forgotten: (health.watched.skipped_forgotten > 0)
                .then(|| grouped(health.watched.skipped_forgotten)),
        }
    }
}

fn skipped(gap: &MissingNumbers) -> SkippedView {
    let MissingNumbers { first, last, .. } = gap;
    SkippedView {
        numbers: if first == last {
            first.to_string()
        } else {
            format!("{first} to {last}")
        },
        within: (!gap.within.is_empty()).then(|| Shown::cut(&gap.within, 60)),
        count: grouped(gap.count()),
        noticed: Moment::new(gap.noticed),
    }
}

/// Within what time half of the events come, and almost all of them.
fn lag(health: &SourceHealth) -> String {
    let within = |percent| {
        let spelt = |seconds: u64| {
            let seconds = i64::try_from(seconds).ok()?;
            Some(span(seconds.saturating_mul(Timestamp::SECOND_US)))
        };
        if health.lag.is_long(percent) {
            return spelt(Lag::LONG_S).map(|longest| format!("over {longest}"));
        }
        spelt(health.lag.within_s(percent)?)
    };
    match (within(50), within(95)) {
        (Some(half), Some(most)) if half == most => half,
        (Some(half), Some(most)) => format!("{half}, 95 % {most}"),
        _ => "–".to_owned(),
    }
}

fn bars(hours: &[u64]) -> Vec<HourBar> {
    let peak = hours.iter().copied().max().unwrap_or(0).max(1);
    let bars = hours.iter().enumerate().filter(|(_, count)| **count > 0);
    bars.map(|(place, count)| {
        let height = (count * HEIGHT / peak).max(1);
        HourBar {
            x: place * 4,
            y: HEIGHT - height,
            height,
        }
    })
    .collect()
}

/// Bytes in a unit people read.
pub(super) fn bytes(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, name)) => format!("{}.{} {name}", bytes / size, bytes % size * 10 / size),
        None => format!("{bytes} B"),
    }
}

/// Title of a source; one without a mapping says so: a protocol whose records wait for one, or a
/// source that was taken away.
pub(super) fn title(report: &SourceReport) -> Shown {
    let title = report.facts.as_ref().map(|facts| facts.title.as_str());
    Shown::new(title.unwrap_or("records of which no source can be told, or whose mapping is gone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_words() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "17179869183.9 GiB");
    }

    #[test]
    fn hours_become_bars_of_the_highest() {
        let bars = bars(&[0, 1, 1_000, 500]);
        let drawn: Vec<_> = bars.iter().map(|bar| (bar.x, bar.y, bar.height)).collect();
        assert_eq!(drawn, [(4, 19, 1), (8, 0, 20), (12, 10, 10)]);
    }
}
