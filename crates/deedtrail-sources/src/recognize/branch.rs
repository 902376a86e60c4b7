//! A source's condition, split into branches: alternatives of facts that hold together.

use std::collections::BTreeMap;

use crate::mapping::plan::{Condition, Outline, Path, Step, Value};
use crate::mapping::spec::Unlabelled;
use crate::record::{ShapeId, Shapes};

/// One way in which a record can be of a source.
#[derive(Debug)]
pub(super) struct Branch {
    /// Number of the source.
    pub(super) source: usize,
    /// How much it asks for; less than any other if its source comes last.
    pub(super) weight: u32,
    /// What one parse for all sources can tell.
    pub(super) shared: Condition,
    /// Children of the record it cannot do without, by their slots in that parse: one of each list.
    pub(super) needs: Vec<Vec<u32>>,
    /// Which of the ways of the source's plan it is, if that parse cannot tell everything.
    pub(super) own: Option<usize>,
}

/// Above the weight of any condition.
const NOT_LAST: u32 = 1 << 24;

/// Weight of one key that is there, whatever its value: no sign of any log.
const LEAST_TELLING: u32 = 3;

/// The branches of a log's condition, with what they ask of `shapes`.
pub(super) fn branches(source: usize, outline: &Outline, shapes: &mut Shapes) -> Vec<Branch> {
    let rank = match outline.unlabelled {
        Unlabelled::First => NOT_LAST,
        Unlabelled::Last => 0,
        Unlabelled::Never => return Vec::new(),
    };
    // One key of a usual kind is in many records; a line that fits the form of a source is not.
    let tells = |condition: &Condition| outline.form.is_some() || weight(condition) > LEAST_TELLING;
    let ways = outline.identify.ways().into_iter().enumerate();
    let telling = ways.filter(|(_, condition)| tells(condition));
    let branches = telling.map(|(way, condition)| {
        let mut shared = Shared {
            outline,
            shapes: &mut *shapes,
            needs: Vec::new(),
        };
        let (part, is_whole) = shared.part(&condition);
        let needs = shared.needs;
        Branch {
            source,
            weight: rank + weight(&condition).min(NOT_LAST - 1),
            shared: part,
            needs,
            own: (!is_whole || outline.form.is_some()).then_some(way),
        }
    });
    branches.collect()
}

/// How much a branch asks for: an exact text is surer than a pattern, that than presence, and a
/// place deep in a record than one at its top. What is asked twice counts once.
fn weight(condition: &Condition) -> u32 {
    let mut asked: BTreeMap<String, u32> = BTreeMap::new();
    for (value, patterns) in &condition.fields {
        let (place, depth) = match value {
            Value::Path(path) => (path.text.to_string(), path.steps.len().clamp(1, 3) - 1),
            other => (format!("{other:?}"), 0),
        };
        let depth = if patterns.fits_absence() { 0 } else { depth };
        let strength = patterns.strength() + u32::try_from(depth).unwrap_or(0);
        let known = asked.entry(place).or_default();
        *known = strength.max(*known);
    }
    let refused = u32::try_from(condition.none_of.len()).unwrap_or(u32::MAX);
    asked
        .into_values()
        .fold(refused, u32::saturating_add)
        .saturating_add(1)
}

/// From a log's own paths to those of the parse for all sources.
struct Shared<'s> {
    outline: &'s Outline,
    shapes: &'s mut Shapes,
    needs: Vec<Vec<u32>>,
}

impl Shared<'_> {
    /// What of a branch can be said there, and whether that is all of it.
    fn part(&mut self, condition: &Condition) -> (Condition, bool) {
        let mut part = Condition::default();
        let mut is_whole = true;
        for (value, patterns) in &condition.fields {
            let path = self.path(value);
            if !patterns.fits_absence() {
                let roots = self.roots(value);
                self.needs.extend(roots);
            }
            match path {
                Some(path) => part.fields.push((Value::Path(path), patterns.clone())),
                None => is_whole = false,
            }
        }
        for refused in &condition.none_of {
            match self.whole(refused) {
                Some(refused) => part.none_of.push(refused),
                None => is_whole = false,
            }
        }
        (part, is_whole)
    }

    /// A condition there, if all of it can be said.
    fn whole(&mut self, condition: &Condition) -> Option<Condition> {
        let mut fields = Vec::new();
        for (value, patterns) in &condition.fields {
            fields.push((Value::Path(self.path(value)?), patterns.clone()));
        }
        let mut all = |conditions: &[Condition]| {
            let all = conditions.iter().map(|one| self.whole(one));
            all.collect::<Option<Vec<_>>>()
        };
        Some(Condition {
            fields,
            any_of: all(&condition.any_of)?,
            all_of: all(&condition.all_of)?,
            none_of: all(&condition.none_of)?,
        })
    }

    /// The same place there. Paths with brackets are left to the source alone: others may read
    /// the same list without.
    fn path(&mut self, value: &Value) -> Option<Path> {
        let Value::Path(path) = value else {
            return None;
        };
        let names = self.outline.shapes.names(path.slots.as_ref()?);
        let (mut shape, mut steps) = (ShapeId::ROOT, Vec::new());
        for name in names {
            let (slot, below) = self.shapes.add_child(shape, name)?;
            steps.push(Step::Slot(slot));
            shape = below;
        }
        Some(Path::new(path.text.clone(), shape, None, steps))
    }

    /// Children of the record of which one has to be there for a value; `None` if it may do without.
    fn roots(&mut self, value: &Value) -> Option<Vec<u32>> {
        let path = match value {
            Value::Path(path) => path,
            Value::Children(children) => &children.parent,
            Value::First(all) => {
                let all: Option<Vec<_>> = all.iter().map(|one| self.roots(one)).collect();
                return all.map(|all| all.concat());
            }
            Value::Template(parts) => return parts.iter().find_map(|part| self.roots(part)),
            Value::Made(made) if made.default.is_none() => return self.roots(&made.from),
            Value::Named(index) => {
                let outline = self.outline;
                return self.roots(&outline.named[*index]);
            }
            Value::Made(_) | Value::Own(_) | Value::Constant(_) => return None,
        };
        let (None, Some(Step::Slot(slot))) = (path.level, path.steps.first()) else {
            return None;
        };
        let name = self.outline.shapes.names(&[*slot]).pop()?;
        let (slot, _) = self.shapes.add_child(ShapeId::ROOT, name)?;
        Some(vec![slot])
    }
}
