//! What each part of a plan asks a record for, so that parts that can have no value are left out.

use crate::mapping::plan::{Choices, Condition, Interest, Plan, Value};
use crate::record::{ShapeId, Shapes};

/// Where at least one value must be; `None`: there may be an answer without any.
type Places = Option<Vec<ShapeId>>;

/// Gives every part of a plan that depends on the record an interest of its own.
pub(super) fn find(plan: &mut Plan) {
    let named = &plan.named;
    let mut bits = Bits {
        shapes: &mut plan.shapes,
        next: 1,
    };
    for field in &mut plan.fields {
        field.interest = bits.interest(of_value(named, &field.value));
    }
    for label in &mut plan.labels {
        label.interest = bits.interest(of_value(named, &label.value));
    }
    for change in &mut plan.changes {
        let sides = change.before.iter().chain(&change.after);
        bits.give(
            &mut change.interest,
            any(sides.map(|side| of_value(named, side))),
        );
    }
    for link in &mut plan.delegation {
        let when = link
            .when
            .as_ref()
            .and_then(|when| of_condition(named, when));
        link.interest = bits.interest(of_value(named, &link.value).or(when));
    }
    for said in &mut plan.mentions {
        said.interest = bits.interest(of_value(named, &said.from));
    }
    for told in &mut plan.tools {
        told.interest = bits.interest(of_value(named, &told.from));
    }
    for field in &mut plan.listed {
        field.interest = bits.interest(of_choices(named, &field.choices));
    }
}

struct Bits<'s> {
    shapes: &'s mut Shapes,
    /// The next free bit, 0 if there is none.
    next: u128,
}

impl Bits<'_> {
    fn give(&mut self, interest: &mut Interest, places: Places) {
        *interest = self.interest(places);
    }

    fn interest(&mut self, places: Places) -> Interest {
        let bit = self.next;
        let Some(places) = places.filter(|_| bit != 0) else {
            return Interest::ALWAYS;
        };
        for place in places {
            if !self.shapes.want(place, bit) {
                return Interest::ALWAYS;
            }
        }
        self.next <<= 1;
        Interest(bit)
    }
}

/// The places of all, unless one may do without.
fn any(all: impl Iterator<Item = Places>) -> Places {
    let places: Option<Vec<Vec<ShapeId>>> = all.collect();
    Some(places?.concat())
}

fn of_value(named: &[Value], value: &Value) -> Places {
    match value {
        Value::Own(_) | Value::Constant(_) => None,
        Value::Path(path) => Some(vec![path.shape]),
        Value::Named(index) => of_value(named, &named[*index]),
        Value::First(all) => any(all.iter().map(|one| of_value(named, one))),
        Value::Children(children) => {
            let paths = children.slots.iter();
            Some(paths.map(|(_, path)| path.shape).collect())
        }
        // Every part has to be there: one that depends on the record speaks for all.
        Value::Template(parts) => parts.iter().find_map(|part| of_value(named, part)),
        Value::Made(made) => {
            let when = made.when.as_ref();
            let when = when.and_then(|when| of_condition(named, when));
            let from = || of_value(named, &made.from).filter(|_| made.default.is_none());
            when.or_else(from)
        }
    }
}

/// Where values must be for a condition to hold.
fn of_condition(named: &[Value], condition: &Condition) -> Places {
    let asked = condition.fields.iter();
    let asked = asked.filter(|(_, patterns)| !patterns.fits_absence());
    let mut fields = asked.map(|(value, _)| of_value(named, value));
    fields
        .find_map(|places| places)
        .or_else(|| {
            condition
                .all_of
                .iter()
                .find_map(|one| of_condition(named, one))
        })
        .or_else(|| {
            let any_of = condition.any_of.iter().map(|one| of_condition(named, one));
            any(any_of).filter(|places| !places.is_empty())
        })
}

fn of_choices<T>(named: &[Value], choices: &Choices<T>) -> Places {
    any(choices.0.iter().map(|choice| {
        let when = choice.when.as_ref();
        let when = when.and_then(|when| of_condition(named, when));
        let of = || {
            let of = choice.of.as_ref().filter(|_| choice.set.is_none())?;
            of_value(named, of)
        };
        when.or_else(of)
    }))
}
