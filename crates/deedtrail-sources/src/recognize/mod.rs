//! Which source a record is of that nobody labelled.
//!
//! The conditions of all sources are asked of one parse of the record. Each is split into branches
//! of which one has to hold; a branch says by what it asks for how sure it is. The surest branch
//! that holds decides. Where two sources are as sure as each other, nobody knows.

mod branch;
mod delivery;
#[cfg(test)]
mod tests;

use deedtrail_core::id::SourceName;

use crate::map::{Reader, view_of};
use crate::mapping::plan::{Outline, Plan};
use crate::record::{Buffers, ShapeId, Shapes, line, parse};

use branch::Branch;
pub(crate) use delivery::{sorted, table};

/// All sources' conditions, compiled together.
#[derive(Debug, Default)]
pub(crate) struct Recognizer {
    /// What the conditions ask for where one parse can tell.
    shapes: Shapes,
    names: Vec<SourceName>,
    /// The surest first.
    branches: Vec<Branch>,
    /// Numbers of branches by the child of the record they cannot do without, and of those that can.
    by_slot: Vec<Vec<u32>>,
    others: Vec<u32>,
    /// Those of sources that read lines of text.
    of_text: Vec<u32>,
}

impl Recognizer {
    pub(crate) fn new<'p>(sources: impl Iterator<Item = (&'p SourceName, &'p Outline)>) -> Self {
        let mut all = Self::default();
        let mut reads_text = Vec::new();
        for (source, (name, outline)) in sources.enumerate() {
            all.names.push(name.clone());
            reads_text.push(outline.form.is_some());
            let branches = branch::branches(source, outline, &mut all.shapes);
            all.branches.extend(branches);
        }
        all.branches
            .sort_by_key(|branch| std::cmp::Reverse(branch.weight));
        let numbered = (0_u32..).zip(&all.branches);
        let of_text = numbered.filter(|(_, branch)| reads_text[branch.source]);
        all.of_text = of_text.map(|(number, _)| number).collect();
        all.index();
        all
    }

    /// Files every branch under the child of the record that fewest branches need.
    fn index(&mut self) {
        let children = self.shapes.get(ShapeId::ROOT).child_count();
        let mut askers = vec![0_usize; children];
        let needs = self.branches.iter().flat_map(|branch| &branch.needs);
        for slot in needs.flatten() {
            askers[*slot as usize] += 1;
        }
        self.by_slot = vec![Vec::new(); children];
        for (number, branch) in (0_u32..).zip(&self.branches) {
            let asked = |need: &&Vec<u32>| need.iter().map(|slot| askers[*slot as usize]).sum();
            let rarest = branch
                .needs
                .iter()
                .min_by_key(|need| -> usize { asked(need) });
            match rarest {
                Some(need) => need
                    .iter()
                    .for_each(|slot| self.by_slot[*slot as usize].push(number)),
                None => self.others.push(number),
            }
        }
    }

    /// The sources a record may be of, none surer than another: mostly one or none.
    pub(crate) fn candidates<'p>(
        &self,
        plan_of: impl Fn(&SourceName) -> Option<&'p Plan>,
        record: &[u8],
        buffers: &mut Buffers,
    ) -> Vec<&SourceName> {
        let numbers = if line::is_json(record) {
            self.likely(record, buffers)
        } else {
            self.of_text.clone()
        };
        let (mut weight, mut surest) = (0, Vec::new());
        for branch in numbers
            .iter()
            .map(|number| &self.branches[*number as usize])
        {
            if branch.weight < weight {
                break;
            }
            let known = surest.contains(&branch.source);
            let plan = || plan_of(&self.names[branch.source]);
            let holds = match &branch.own {
                _ if known => continue,
                None => true,
                Some(way) => plan().is_some_and(|plan| {
                    let view = view_of(plan, record, &mut buffers.tree);
                    view.is_some_and(|view| {
                        let reader = Reader::new(view, &plan.named, &buffers.memo);
                        plan.ways.get(*way).is_some_and(|way| reader.holds(way))
                    })
                }),
            };
            if holds {
                weight = branch.weight;
                surest.push(branch.source);
            }
        }
        surest
            .into_iter()
            .map(|source| &self.names[source])
            .collect()
    }

    /// Numbers of the branches that hold as far as one parse can tell, the surest first.
    fn likely(&self, record: &[u8], buffers: &mut Buffers) -> Vec<u32> {
        let Buffers { tree, memo } = buffers;
        let Ok(view) = parse(record, &self.shapes, tree) else {
            return Vec::new();
        };
        let there = |slot| view.child(view.root(), slot).is_there();
        let filed = (0_u32..).zip(&self.by_slot);
        let filed = filed.filter(|(slot, branches)| !branches.is_empty() && there(*slot));
        let filed = filed.flat_map(|(_, branches)| branches);
        let reader = Reader::new(view, &[], memo);
        let mut numbers: Vec<u32> = filed
            .chain(&self.others)
            .copied()
            .filter(|number| reader.holds(&self.branches[*number as usize].shared))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}
