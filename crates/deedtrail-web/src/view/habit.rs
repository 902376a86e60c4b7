//! Habits of an identity: a grid of the hours of the week, and its mix of actions then and now.
//! Both have their figures as a table.

use deedtrail_app::habit::{ActionMix, ActionShift, HOURS_WEEKS, Habits, WeekHours};
use deedtrail_core::time::Timestamp;

use super::{Moment, Shown, grouped, share};

const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
/// Shades beside the empty one.
const SHADES: u64 = 5;
/// Where the cells begin, and from cell to cell, in the picture's units.
const LEFT: usize = 36;
const TOP: usize = 14;
const STEP_X: usize = 28;
const STEP_Y: usize = 18;
/// Actions shown, those whose share changed most first.
const SHIFTS_MAX: usize = 12;

/// One hour of the week.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) x: usize,
    pub(crate) y: usize,
    /// 0 for none, 1 to 5 for up to the most.
    pub(crate) shade: u64,
    pub(crate) title: String,
}

/// One day of the week.
#[derive(Clone, Debug)]
pub(crate) struct DayRow {
    pub(crate) name: &'static str,
    pub(crate) short: String,
    pub(crate) text_y: usize,
    pub(crate) counts: Vec<String>,
}

/// A word above the cells.
#[derive(Clone, Debug)]
pub(crate) struct HourWord {
    pub(crate) x: usize,
    pub(crate) word: String,
}

/// The grid of a week.
#[derive(Clone, Debug)]
pub(crate) struct HourGrid {
    pub(crate) sentence: String,
    pub(crate) height: usize,
    pub(crate) hours: Vec<HourWord>,
    pub(crate) days: Vec<DayRow>,
    pub(crate) cells: Vec<Cell>,
}

/// One action then and now.
#[derive(Clone, Debug)]
pub(crate) struct ShiftRow {
    pub(crate) action: Shown,
    pub(crate) count: String,
    pub(crate) share: String,
    /// Width of its bar, 0 to 100.
    pub(crate) percent: u64,
    pub(crate) before: String,
    pub(crate) share_before: String,
    pub(crate) percent_before: u64,
    /// `+12.3 points`, `new`, `gone` …
    pub(crate) change: String,
    /// Never done in the time before.
    pub(crate) new: bool,
}

/// Both.
#[derive(Clone, Debug)]
pub(crate) struct HabitView {
    pub(crate) from: Moment,
    pub(crate) until: Moment,
    /// `None` without an event.
    pub(crate) grid: Option<HourGrid>,
    pub(crate) shifts: Vec<ShiftRow>,
    pub(crate) shifts_more: usize,
    /// Both times have events.
    pub(crate) comparable: bool,
    pub(crate) total: String,
    pub(crate) total_before: String,
}

impl HabitView {
    pub(crate) fn new(habits: &Habits) -> Self {
        let mix = &habits.mix;
        let from = habits
            .until
            .plus_micros(-HOURS_WEEKS * 7 * Timestamp::DAY_US);
        let row = |shift: &ActionShift| shift_row(mix, shift);
        Self {
            from: Moment::new(from),
            until: Moment::new(habits.until),
            grid: HourGrid::new(&habits.hours),
            shifts: mix.shifts.iter().take(SHIFTS_MAX).map(row).collect(),
            shifts_more: mix.shifts.len().saturating_sub(SHIFTS_MAX),
            comparable: mix.total > 0 && mix.total_before > 0,
            total: grouped(mix.total),
            total_before: grouped(mix.total_before),
        }
    }
}

impl HourGrid {
    fn new(hours: &WeekHours) -> Option<Self> {
        let peak = hours.counts.iter().flatten().copied().max()?;
        if peak == 0 {
            return None;
        }
        let days = DAYS.iter().zip(&hours.counts).enumerate();
        let cells = days.clone().flat_map(|(day, (name, counts))| {
            let hours = counts.iter().enumerate();
            hours.map(move |(hour, count)| cell((day, name), (hour, *count), peak))
        });
        Some(Self {
            sentence: sentence(hours, peak),
            height: TOP + DAYS.len() * STEP_Y,
            hours: (0..24).step_by(3).map(hour_word).collect(),
            cells: cells.collect(),
            days: days
                .map(|(day, (name, counts))| day_row(day, name, counts))
                .collect(),
        })
    }
}

fn cell((day, name): (usize, &str), (hour, count): (usize, u64), peak: u64) -> Cell {
    let next = (hour + 1) % 24;
    Cell {
        x: LEFT + hour * STEP_X,
        y: TOP + day * STEP_Y,
        shade: count.saturating_mul(SHADES).div_ceil(peak),
        title: format!(
            "{name} {hour:02}:00 to {next:02}:00 UTC: {} events in {HOURS_WEEKS} weeks",
            grouped(count)
        ),
    }
}

fn hour_word(hour: usize) -> HourWord {
    HourWord {
        x: LEFT + hour * STEP_X,
        word: format!("{hour:02}:00"),
    }
}

fn day_row(day: usize, name: &'static str, counts: &[u64; 24]) -> DayRow {
    DayRow {
        name,
        short: name.chars().take(3).collect(),
        text_y: TOP + day * STEP_Y + 12,
        counts: counts.iter().map(|count| grouped(*count)).collect(),
    }
}

/// What the grid shows, in words.
fn sentence(hours: &WeekHours, peak: u64) -> String {
    let total = hours.total();
    let days = DAYS.iter().zip(&hours.counts);
    let mut all = days.flat_map(|(name, counts)| {
        let hours = counts.iter().enumerate();
        hours.map(move |(hour, count)| (name, hour, *count))
    });
    let most = all.find(|(_, _, count)| *count == peak);
    let most = most.map_or_else(String::new, |(name, hour, _)| {
        format!("most on {name} at {hour:02}:00 ({})", grouped(peak))
    });
    let weekend: u64 = hours.counts.iter().skip(5).flatten().sum();
    let night = hours.counts.iter().map(|day| {
        let (early, late) = (day.iter().take(6), day.iter().skip(22));
        early.chain(late).sum::<u64>()
    });
    format!(
        "{} events, {most}; {} at the weekend, {} between 22:00 and 06:00 UTC.",
        grouped(total),
        share(weekend, total),
        share(night.sum(), total)
    )
}

fn shift_row(mix: &ActionMix, shift: &ActionShift) -> ShiftRow {
    let comparable = mix.total > 0 && mix.total_before > 0;
    ShiftRow {
        action: Shown::new(&shift.action.replace('_', " ")),
        count: grouped(shift.count),
        share: share(shift.count, mix.total),
        percent: percent(shift.count, mix.total),
        before: grouped(shift.before),
        share_before: share(shift.before, mix.total_before),
        percent_before: percent(shift.before, mix.total_before),
        change: match (shift.count, shift.before) {
            _ if !comparable => "–".to_owned(),
            (_, 0) => "new".to_owned(),
            (0, _) => "no longer done".to_owned(),
            _ => points(shift.change),
        },
        new: comparable && shift.before == 0,
    }
}

/// Thousandths as percentage points: `+12.3 points`.
fn points(change: i64) -> String {
    let sign = if change < 0 { "−" } else { "+" };
    let size = change.unsigned_abs();
    format!("{sign}{}.{} points", size / 10, size % 10)
}

fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).div_ceil(whole.max(1)).min(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_hour_is_the_darkest_and_one_event_is_seen() {
        let mut hours = WeekHours::default();
        hours.counts[0][9] = 1_000;
        hours.counts[5][23] = 1;
        let grid = HourGrid::new(&hours).unwrap();
        let shade = |day: usize, hour: usize| grid.cells[day * 24 + hour].shade;
        assert_eq!((shade(0, 9), shade(5, 23), shade(6, 0)), (5, 1, 0));
        assert_eq!(
            grid.sentence,
            "1\u{202f}001 events, most on Monday at 09:00 (1\u{202f}000); < 0.1 % at the weekend, \
             < 0.1 % between 22:00 and 06:00 UTC."
        );
        assert!(HourGrid::new(&WeekHours::default()).is_none());
    }

    #[test]
    fn changes_are_told_in_points() {
        assert_eq!(points(123), "+12.3 points");
        assert_eq!(points(-5), "−0.5 points");
    }
}
