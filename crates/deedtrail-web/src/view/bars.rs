//! Histogram of activity: bars drawn here, the same figures as a table beside them.

use std::collections::BTreeMap;

use deedtrail_app::activity::Activity;
use deedtrail_core::time::Timestamp;

use super::{Moment, grouped, span};

/// Width of the picture in its own units.
const WIDTH: f64 = 720.0;
/// Where the bars stand, and how high the highest is.
const FLOOR: f64 = 60.0;
const HEIGHT_MAX: f64 = 52.0;

/// One bar, in the picture's units.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) width: String,
    pub(crate) height: String,
    pub(crate) hot: bool,
    pub(crate) title: String,
}

/// One row of the table that says the same.
#[derive(Clone, Debug)]
pub(crate) struct BarRow {
    pub(crate) start: Moment,
    pub(crate) count: String,
    pub(crate) hot: bool,
}

/// A histogram.
#[derive(Clone, Debug)]
pub(crate) struct Bars {
    /// What the picture shows, in a sentence.
    pub(crate) label: String,
    pub(crate) first: Moment,
    pub(crate) last: Moment,
    pub(crate) unit: String,
    pub(crate) peak: String,
    pub(crate) columns: Vec<Bar>,
    /// Only buckets with events.
    pub(crate) rows: Vec<BarRow>,
    pub(crate) any_hot: bool,
}

impl Bars {
    /// Bars of an activity; those for which `hot` holds are marked as abnormal.
    pub(crate) fn new(activity: &Activity, hot_times: &[Timestamp]) -> Self {
        let window = activity.window;
        let counts: BTreeMap<usize, u64> = activity
            .buckets
            .iter()
            .filter_map(|bucket| Some((window.place(bucket.start)?, bucket.count)))
            .collect();
        let hot: Vec<usize> = hot_times
            .iter()
            .filter_map(|at| window.place(*at))
            .collect();
        let peak = counts.values().copied().max().unwrap_or(0);
        let starts = window.starts();
        let slot = WIDTH / as_f64(starts.len().max(1) as u64);
        let mut columns = Vec::new();
        let mut rows = Vec::new();
        for (place, start) in starts.iter().enumerate() {
            let Some(count) = counts.get(&place).copied() else {
                continue;
            };
            let hot = hot.contains(&place);
            let start = Moment::new(*start);
            columns.push(bar(place, slot, (count, peak), hot, &start));
            rows.push(BarRow {
                start,
                count: grouped(count),
                hot,
            });
        }
        let total: u64 = counts.values().sum();
        let unit = span(window.bucket_us);
        Self {
            label: label(total, &rows, &unit),
            first: Moment::new(window.from),
            last: Moment::new(window.to),
            unit,
            peak: grouped(peak),
            any_hot: rows.iter().any(|row| row.hot),
            columns,
            rows,
        }
    }
}

fn bar(place: usize, slot: f64, (count, peak): (u64, u64), hot: bool, start: &Moment) -> Bar {
    // A count of one stays visible beside a peak of a million.
    let height = (HEIGHT_MAX * as_f64(count) / as_f64(peak.max(1))).max(1.5);
    let plural = if count == 1 { "event" } else { "events" };
    let mark = if hot { ", in this finding" } else { "" };
    Bar {
        x: format!("{:.1}", slot * as_f64(place as u64)),
        y: format!("{:.1}", FLOOR - height),
        width: format!("{:.1}", (slot - 2.0).max(1.0)),
        height: format!("{height:.1}"),
        hot,
        title: format!("{} — {} {plural}{mark}", start.full, grouped(count)),
    }
}

fn label(total: u64, rows: &[BarRow], unit: &str) -> String {
    let hot = rows.iter().filter(|row| row.hot).count();
    let marked = match hot {
        0 => String::new(),
        1 => "; one bar holds events of the finding and is marked".to_owned(),
        many => format!("; {many} bars hold events of the finding and are marked"),
    };
    format!("{} events in bars of {unit}{marked}", grouped(total))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a picture needs no more than 52 bits"
)]
const fn as_f64(count: u64) -> f64 {
    count as f64
}
