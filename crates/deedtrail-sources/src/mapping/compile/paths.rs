//! Paths: from text to slots of the shapes.

use super::{Compiled, Compiler};
use crate::mapping::path::{self, Path as WrittenPath};
use crate::mapping::pattern::Patterns;
use crate::mapping::plan::{LEVELS_MAX, Path, Step};
use crate::record::{ShapeId, Shapes};

impl Compiler<'_> {
    /// The levels of `a[].b[]`: a path to each list.
    pub(super) fn levels(&mut self, each: &str) -> Compiled<Vec<Path>> {
        let written = self.written(each)?;
        if written.steps.last() != Some(&path::Step::Each) {
            return self.wrong(each, format!("`each = \"{each}\"` must end with `[]`"));
        }
        let mut lists = Vec::new();
        for (index, step) in written.steps.iter().enumerate() {
            if *step != path::Step::Each {
                continue;
            }
            if self.levels.len() + 1 >= LEVELS_MAX {
                return self.wrong(
                    each,
                    format!("at most {} lists in each other", LEVELS_MAX - 1),
                );
            }
            lists.push(self.steps(each, &written.steps[..index])?);
            self.levels.push(written.steps[..=index].to_vec());
        }
        Ok(lists)
    }

    pub(super) fn written(&self, text: &str) -> Compiled<WrittenPath> {
        WrittenPath::parse(text).or_else(|message| self.wrong(text, message))
    }

    /// A path; `@` and the longest list gone through are its start.
    pub(super) fn path(&mut self, text: &str) -> Compiled<Path> {
        let written = self.written(text)?;
        if !written.from_element {
            return self.steps(text, &written.steps);
        }
        let Some(level) = self.levels.last() else {
            return self.wrong(text, format!("`{text}`: `@` needs `each` under [records]"));
        };
        let mut steps = level.clone();
        steps.extend(written.steps);
        self.steps(text, &steps)
    }

    pub(super) fn steps(&mut self, text: &str, steps: &[path::Step]) -> Compiled<Path> {
        let level = (0..self.levels.len())
            .rev()
            .find(|index| steps.starts_with(&self.levels[*index]));
        let bound = level.map_or(0, |index| self.levels[index].len());
        let mut shape = ShapeId::ROOT;
        let mut compiled = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let (step, next) = self.step(text, step, shape)?;
            shape = next;
            if index >= bound {
                compiled.push(step);
            }
        }
        let text = if text.contains('=') {
            text.into()
        } else {
            self.shapes.get(shape).path.clone()
        };
        let level = level.and_then(|index| u8::try_from(index).ok());
        Ok(Path::new(text, shape, level, compiled))
    }

    pub(super) fn step(
        &mut self,
        text: &str,
        step: &path::Step,
        at: ShapeId,
    ) -> Compiled<(Step, ShapeId)> {
        Ok(match step {
            path::Step::Key(name) => {
                let (slot, shape) = self.slot(text, at, name)?;
                (Step::Slot(slot), shape)
            }
            path::Step::Each => (Step::Each, self.shapes.add_element(at)),
            path::Step::Index(index) => (Step::Index(*index), self.shapes.add_element(at)),
            path::Step::Where { key, pattern } => {
                let element = self.shapes.add_element(at);
                let (mut shape, mut slots) = (element, Vec::new());
                for name in key {
                    let (slot, below) = self.slot(text, shape, name)?;
                    slots.push(slot);
                    shape = below;
                }
                let patterns = Patterns::parse(pattern.split('|'))
                    .or_else(|message| self.wrong(text, message))?;
                (
                    Step::Where {
                        key: slots,
                        patterns,
                    },
                    element,
                )
            }
        })
    }

    pub(super) fn slot(&mut self, text: &str, at: ShapeId, name: &str) -> Compiled<(u32, ShapeId)> {
        match self.shapes.add_child(at, name) {
            Some(found) => Ok(found),
            None => self.wrong(
                text,
                format!(
                    "more than {} keys of one object are named",
                    Shapes::CHILDREN_MAX
                ),
            ),
        }
    }
}
