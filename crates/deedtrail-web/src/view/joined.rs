//! Swim-lanes of a session and those joined to it: a lane for each actor in each system, what was
//! done as marks, pauses, and lines where one session led to another. Tables beside it say the same.

use deedtrail_app::session::{NextStep, SessionFile};
use deedtrail_core::Text;
use deedtrail_core::id::SessionUid;
use deedtrail_core::session::SessionJoin;
use deedtrail_core::time::Timestamp;

use super::lanes::places;
use super::{Moment, Shown, span};

/// Most lanes drawn; what was done on further ones is in the table only.
const LANES_MAX: usize = 14;
/// Most marks drawn, the first in order.
const MARKS_MAX: usize = 400;
/// Middle of the first lane, and from lane to lane, in the picture's units.
const TOP: u64 = 34;
const STEP: u64 = 32;
/// Least distance of two words above the lanes.
const WORDS_APART: f64 = 46.0;

/// What one actor did in one system.
#[derive(Clone, Debug)]
pub(crate) struct JoinedLane {
    pub(crate) system: Shown,
    pub(crate) actor: Shown,
    /// Of the session the page is about.
    pub(crate) own: bool,
    pub(crate) y: u64,
    pub(crate) system_y: u64,
    pub(crate) actor_y: u64,
}

/// An action, its shape by what was done.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) class: &'static str,
    pub(crate) path: String,
    pub(crate) title: String,
}

/// A pause across all lanes.
#[derive(Clone, Debug)]
pub(crate) struct Pause {
    pub(crate) x: String,
    /// How long, where there is room for it.
    pub(crate) word: Option<String>,
    pub(crate) title: String,
}

/// One session led to another; `number` is its row in the table of joins.
#[derive(Clone, Debug)]
pub(crate) struct JoinLine {
    pub(crate) path: String,
    pub(crate) number: usize,
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) text_y: String,
    pub(crate) title: String,
}

/// The picture.
#[derive(Clone, Debug)]
pub(crate) struct JoinedLanes {
    pub(crate) label: String,
    pub(crate) height: u64,
    pub(crate) floor: u64,
    pub(crate) first: Moment,
    pub(crate) last: Moment,
    pub(crate) lanes: Vec<JoinedLane>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) pauses: Vec<Pause>,
    pub(crate) lines: Vec<JoinLine>,
    /// Actions that are in the table only.
    pub(crate) undrawn: usize,
}

/// A step with its place.
struct Placed<'a> {
    step: &'a NextStep,
    x: f64,
    y: Option<u64>,
}

impl JoinedLanes {
    /// `None` when nothing was done. `joins` are those drawn, in the order of their table.
    pub(crate) fn new(
        file: &SessionFile,
        steps: &[NextStep],
        joins: &[&SessionJoin],
        class: impl Fn(&NextStep) -> &'static str,
    ) -> Option<Self> {
        let (first, last) = (steps.first()?, steps.last()?);
        let shown = steps.get(..MARKS_MAX).unwrap_or(steps);
        let names = names(shown);
        let times: Vec<Timestamp> = shown.iter().map(|step| step.act.at).collect();
        let placed: Vec<Placed<'_>> = shown
            .iter()
            .zip(places(&times))
            .map(|(step, x)| {
                let lane = names.iter().position(|name| *name == name_of(step));
                Placed {
                    step,
                    x,
                    y: lane.map(lane_y),
                }
            })
            .collect();
        let marks: Vec<Mark> = placed.iter().filter_map(|at| mark(at, &class)).collect();
        let floor = lane_y(names.len() - 1) + 12;
        let own = file.session.uid;
        let is_own = |name: &(&Text, &Text)| {
            let mut steps = shown.iter().filter(|step| name_of(step) == *name);
            steps.any(|step| step.session == own)
        };
        let lanes = names.iter().enumerate();
        Some(Self {
            label: label(shown, &names, joins.len()),
            height: floor + 6,
            floor,
            first: Moment::new(first.act.at),
            last: Moment::new(last.act.at),
            lanes: lanes
                .map(|(place, name)| lane(place, name, is_own(name)))
                .collect(),
            undrawn: steps.len() - marks.len(),
            marks,
            pauses: pauses(&placed),
            lines: lines(&placed, joins),
        })
    }
}

fn name_of(step: &NextStep) -> (&Text, &Text) {
    (&step.act.system, &step.actor)
}

/// In order of appearance.
fn names(steps: &[NextStep]) -> Vec<(&Text, &Text)> {
    let mut names = Vec::new();
    for step in steps {
        let name = name_of(step);
        if names.len() < LANES_MAX && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn lane_y(place: usize) -> u64 {
    TOP + STEP * place as u64
}

fn lane(place: usize, (system, actor): &(&Text, &Text), own: bool) -> JoinedLane {
    let y = lane_y(place);
    JoinedLane {
        system: Shown::brief(system),
        actor: Shown::brief(actor),
        own,
        y,
        system_y: y - 2,
        actor_y: y + 10,
    }
}

fn mark(at: &Placed<'_>, class: &impl Fn(&NextStep) -> &'static str) -> Option<Mark> {
    let (step, class) = (at.step, class(at.step));
    let operation = Shown::cut(&step.act.operation, 60);
    let target = step.act.target.as_deref().map(|it| Shown::cut(it, 60));
    Some(Mark {
        class,
        path: shape(class, at.x, at.y?),
        title: format!(
            "{} {}: {operation}{}, {}",
            Moment::new(step.act.at).full,
            Shown::brief(&step.actor),
            target.map_or_else(String::new, |target| format!(" on {target}")),
            step.act.outcome.name()
        ),
    })
}

/// The shapes of badges: diamond, triangle, square, disc; a small disc for the rest.
fn shape(class: &str, x: f64, y: u64) -> String {
    match class {
        "crit" => format!("M{x:.1} {y}m0 -6l6 6 -6 6 -6 -6z"),
        "high" => format!("M{x:.1} {y}m0 -6l5.5 10h-11z"),
        "med" => format!("M{x:.1} {y}m-4 -4h8v8h-8z"),
        "low" => format!("M{x:.1} {y}m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z"),
        _ => format!("M{x:.1} {y}m-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z"),
    }
}

fn pauses(placed: &[Placed<'_>]) -> Vec<Pause> {
    let mut written = f64::MIN;
    let pairs = placed.windows(2).filter_map(|pair| {
        let [before, after] = pair else { return None };
        let x = f64::midpoint(before.x, after.x);
        Some((x, after.step.gap_s?))
    });
    let pause = |(x, seconds): (f64, i64)| {
        let lasted = span(seconds.saturating_mul(Timestamp::SECOND_US));
        let room = x - written >= WORDS_APART;
        if room {
            written = x;
        }
        Pause {
            x: format!("{x:.1}"),
            title: format!("{lasted} without an action"),
            word: room.then_some(lasted),
        }
    };
    pairs.map(pause).collect()
}

fn lines(placed: &[Placed<'_>], joins: &[&SessionJoin]) -> Vec<JoinLine> {
    let numbered = joins.iter().enumerate();
    numbered
        .filter_map(|(place, join)| line(placed, place + 1, join))
        .collect()
}

/// From the last thing done in the one before the join to the first done in the other.
fn line(placed: &[Placed<'_>], number: usize, join: &SessionJoin) -> Option<JoinLine> {
    let of = |uid: SessionUid| placed.iter().filter(move |at| at.step.session == uid);
    let to = of(join.to).next()?;
    let until = join.at.min(to.step.act.at);
    let before = of(join.from).rfind(|at| at.step.act.at <= until);
    let from = before.or_else(|| of(join.from).next())?;
    let (from_y, to_y) = (from.y?, to.y?);
    let (path, y) = bend((from.x, as_place(from_y)), (to.x, as_place(to_y)));
    Some(JoinLine {
        path,
        number,
        x: format!("{:.1}", f64::midpoint(from.x, to.x)),
        y: format!("{y:.1}"),
        text_y: format!("{:.1}", y + 3.5),
        title: format!("{} % sure: {}", join.confidence, Shown::new(&join.reason)),
    })
}

/// The curve, and how high its middle is. Along one lane it goes above it.
fn bend((x0, y0): (f64, f64), (x1, y1): (f64, f64)) -> (String, f64) {
    if (y0 - y1).abs() < 1.0 {
        let (middle, top) = (f64::midpoint(x0, x1), y0 - 24.0);
        let path = format!("M{x0:.1} {y0} Q{middle:.1} {top} {x1:.1} {y1}");
        return (path, y0 - 12.0);
    }
    let (out, back) = (x0 + 14.0, x1 - 14.0);
    let path = format!("M{x0:.1} {y0} C{out:.1} {y0} {back:.1} {y1} {x1:.1} {y1}");
    (path, f64::midpoint(y0, y1))
}

fn as_place(y: u64) -> f64 {
    u32::try_from(y).map_or(0.0, f64::from)
}

fn label(steps: &[NextStep], names: &[(&Text, &Text)], joins: usize) -> String {
    let lanes: Vec<String> = names
        .iter()
        .map(|(system, actor)| format!("{} in {}", Shown::brief(actor), Shown::brief(system)))
        .collect();
    format!(
        "Swim-lanes: {} actions of {}; {joins} joins. The tables below list them.",
        steps.len(),
        lanes.join(", ")
    )
}
