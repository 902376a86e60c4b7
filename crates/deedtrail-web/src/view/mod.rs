//! What pages are made of: text that cannot break a page, times, pictures, timelines.

mod bars;
mod chip;
mod curve;
mod habit;
mod joined;
mod lanes;
mod moment;
mod panel;
mod text;
mod trail;
mod tree;

pub(crate) use bars::Bars;
pub(crate) use chip::{Badge, Chip, People, kind_word};
pub(crate) use curve::{Curve, class as trust_class};
pub(crate) use habit::HabitView;
pub(crate) use joined::JoinedLanes;
pub(crate) use lanes::Lanes;
pub(crate) use moment::{Moment, ago, span};
pub(crate) use panel::{Checkpoint, EventPanel, Fact};
pub(crate) use text::{Shown, grouped, share};
pub(crate) use trail::{Order, Row, Selection, rows};
pub(crate) use tree::Tree;
