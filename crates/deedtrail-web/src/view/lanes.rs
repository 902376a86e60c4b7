//! Swim-lanes: who acted on whom, or in which system, in order of time.

use deedtrail_core::event::Event;
use deedtrail_core::time::Timestamp;

use super::{Chip, Moment, People, Shown};

/// Most lanes drawn; events of further parties are in the table only.
const LANES_MAX: usize = 10;
/// Most events drawn.
const EVENTS_MAX: usize = 150;
/// Where lanes begin and end, in the picture's units.
const LEFT: f64 = 176.0;
const RIGHT: f64 = 708.0;
/// Middle of the first lane, and from lane to lane.
const TOP: u64 = 18;
const STEP: u64 = 24;

/// A lane with its name.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) name: Shown,
    pub(crate) y: u64,
    /// Base line of the name.
    pub(crate) text_y: u64,
}

/// An event on a lane.
#[derive(Clone, Debug)]
pub(crate) struct Dot {
    pub(crate) x: String,
    pub(crate) y: u64,
    pub(crate) class: &'static str,
    pub(crate) title: String,
}

/// From an actor to what it acted on.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) path: String,
    /// Where it ends.
    pub(crate) x: String,
    pub(crate) y: u64,
}

/// A picture of lanes.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    pub(crate) label: String,
    pub(crate) height: u64,
    pub(crate) parties: Vec<Lane>,
    pub(crate) dots: Vec<Dot>,
    pub(crate) links: Vec<Link>,
}

/// One event as the lanes need it.
struct Step {
    at: Timestamp,
    from: Shown,
    to: Option<Shown>,
    class: &'static str,
    operation: Shown,
}

impl Lanes {
    /// One lane per party; a line leads from the actor to what it acted on. `None` without events.
    pub(crate) fn who_on_whom(
        events: &[Event],
        people: &People,
        class: impl Fn(&Event) -> &'static str,
    ) -> Option<Self> {
        let steps = events.iter().filter_map(|event| {
            let actor = Chip::actor(event, people)?;
            let target = Chip::target(event, people);
            Some(Step {
                at: event.time_effective,
                from: actor.name,
                to: target.map(|chip| chip.name),
                class: class(event),
                operation: Shown::cut(&event.mapped.operation, 60),
            })
        });
        Self::draw(steps.collect(), "who acted on whom")
    }

    /// One lane per system.
    pub(crate) fn by_system(
        events: &[Event],
        class: impl Fn(&Event) -> &'static str,
    ) -> Option<Self> {
        let steps = events.iter().map(|event| Step {
            at: event.time_effective,
            from: Shown::new(&event.mapped.system),
            to: None,
            class: class(event),
            operation: Shown::cut(&event.mapped.operation, 60),
        });
        Self::draw(steps.collect(), "in which system")
    }

    fn draw(mut steps: Vec<Step>, what: &str) -> Option<Self> {
        steps.sort_by_key(|step| step.at);
        steps.truncate(EVENTS_MAX);
        let names = lane_names(&steps);
        if names.is_empty() {
            return None;
        }
        let times: Vec<Timestamp> = steps.iter().map(|step| step.at).collect();
        let xs = places(&times);
        let y_of = |name: &Shown| names.iter().position(|n| n == name).map(lane_y);
        let mut dots = Vec::new();
        let mut links = Vec::new();
        for (step, x) in steps.iter().zip(xs) {
            let Some(y) = y_of(&step.from) else { continue };
            let title = format!(
                "{} {}: {}",
                Moment::new(step.at).full,
                step.from,
                step.operation
            );
            dots.push(Dot {
                x: format!("{x:.1}"),
                y,
                class: step.class,
                title,
            });
            if let Some(to) = step.to.as_ref().and_then(y_of).filter(|to| *to != y) {
                links.push(Link {
                    path: curve(x, y, to),
                    x: format!("{x:.1}"),
                    y: to,
                });
            }
        }
        let label = label(&steps, &names, what);
        let height = TOP + STEP * (names.len() as u64 - 1) + 14;
        let parties = names.into_iter().enumerate().map(lane).collect();
        Some(Self {
            label,
            height,
            parties,
            dots,
            links,
        })
    }
}

fn lane((place, name): (usize, Shown)) -> Lane {
    let y = lane_y(place);
    Lane {
        name: Shown::brief(name.as_str()),
        y,
        text_y: y + 4,
    }
}

fn lane_y(place: usize) -> u64 {
    TOP + STEP * place as u64
}

/// Parties in order of appearance, actors before those only acted on.
fn lane_names(steps: &[Step]) -> Vec<Shown> {
    let actors = steps.iter().map(|step| &step.from);
    let targets = steps.iter().filter_map(|step| step.to.as_ref());
    let mut names: Vec<Shown> = Vec::new();
    for name in actors.chain(targets) {
        if names.len() < LANES_MAX && !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// Time runs left to right; long gaps are shortened (each step advances by 1 + ln(1 + minutes)).
pub(super) fn places(times: &[Timestamp]) -> Vec<f64> {
    let mut at = 0.0;
    let mut ways = Vec::with_capacity(times.len());
    let mut before: Option<Timestamp> = None;
    for at_time in times {
        if let Some(before) = before {
            let minutes = at_time.micros_since(before) / Timestamp::MINUTE_US;
            at += 1.0 + minutes_as_f64(minutes).ln_1p();
        }
        ways.push(at);
        before = Some(*at_time);
    }
    let scale = if at > 0.0 {
        (RIGHT - LEFT - 24.0) / at
    } else {
        0.0
    };
    ways.into_iter()
        .map(|way| LEFT + 12.0 + way * scale)
        .collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a picture needs no more than 52 bits"
)]
fn minutes_as_f64(minutes: i64) -> f64 {
    minutes.max(0) as f64
}

fn curve(x: f64, from: u64, to: u64) -> String {
    let (left, right) = (x - 12.0, x + 12.0);
    format!("M{x:.1} {from} C{right:.1} {from} {left:.1} {to} {x:.1} {to}")
}

fn label(steps: &[Step], names: &[Shown], what: &str) -> String {
    let parties: Vec<&str> = names.iter().map(Shown::as_str).collect();
    format!(
        "Swim-lanes, {what}: {} events among {}. The table below lists them.",
        steps.len(),
        parties.join(", ")
    )
}
