//! Ranges as they are found, and as they are handed out.

use std::ops::Range;

use deedtrail_core::limits::SENSITIVE_RANGES_MAX;
use deedtrail_core::port::log::PartClass;

/// Most ranges held while one record is read. Beyond it the rest of the record is one secret.
const FOUND_MAX: usize = 65_536;

/// What was found so far, in any order and overlapping.
#[derive(Debug, Default)]
pub(super) struct Found {
    secrets: Vec<Range<usize>>,
    arguments: Vec<Range<usize>>,
}

impl Found {
    pub(super) fn add(&mut self, range: Range<usize>, class: PartClass) {
        let full = self.secrets.len() + self.arguments.len() >= FOUND_MAX;
        match class {
            _ if range.is_empty() => {}
            _ if full => self.close(range.start),
            PartClass::ToolArguments => self.arguments.push(range),
            _ => self.secrets.push(range),
        }
    }

    /// Makes everything from `start` on one secret; later calls can only move it forward.
    fn close(&mut self, start: usize) {
        match self.secrets.last_mut() {
            Some(last) if last.end == usize::MAX => last.start = last.start.min(start),
            _ => self.secrets.push(start..usize::MAX),
        }
    }

    /// Everything found within a record of `length` bytes.
    pub(super) fn into_ranges(self, length: usize) -> Vec<(Range<usize>, PartClass)> {
        if self.secrets.is_empty() && self.arguments.is_empty() {
            return Vec::new();
        }
        let secrets = united(self.secrets, length);
        let arguments = without(united(self.arguments, length), &secrets);
        let secrets = secrets.into_iter().map(|range| (range, PartClass::Secret));
        let arguments = arguments
            .into_iter()
            .map(|range| (range, PartClass::ToolArguments));
        let mut ranges: Vec<_> = secrets.chain(arguments).collect();
        ranges.sort_unstable_by_key(|(range, _)| range.start);
        bounded(ranges)
    }
}

/// The ranges in order, those that overlap or touch joined.
fn united(mut ranges: Vec<Range<usize>>, length: usize) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        let end = range.end.min(length);
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(end),
            _ => joined.push(range.start..end),
        }
    }
    joined
}

/// `ranges` less what `holes` cover; both in order and disjoint.
fn without(ranges: Vec<Range<usize>>, holes: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut rest = Vec::with_capacity(ranges.len());
    let mut first = 0;
    for mut range in ranges {
        while holes.get(first).is_some_and(|hole| hole.end <= range.start) {
            first += 1;
        }
        for hole in holes[first..]
            .iter()
            .take_while(|hole| hole.start < range.end)
        {
            if range.start < hole.start {
                rest.push(range.start..hole.start);
            }
            range.start = hole.end.min(range.end);
        }
        if !range.is_empty() {
            rest.push(range);
        }
    }
    rest
}

/// At most `SENSITIVE_RANGES_MAX` ranges: the widest gaps stay open, the others are covered.
fn bounded(ranges: Vec<(Range<usize>, PartClass)>) -> Vec<(Range<usize>, PartClass)> {
    if ranges.len() <= SENSITIVE_RANGES_MAX {
        return ranges;
    }
    let gap = |at: usize| ranges[at].0.start - ranges[at - 1].0.end;
    let mut open: Vec<usize> = (1..ranges.len()).collect();
    open.sort_unstable_by_key(|at| (std::cmp::Reverse(gap(*at)), *at));
    open.truncate(SENSITIVE_RANGES_MAX - 1);
    open.sort_unstable();
    open.push(ranges.len());
    let mut from = 0;
    let mut joined = Vec::with_capacity(open.len());
    for to in open {
        let group = &ranges[from..to];
        let whole = ranges[from].0.start..ranges[to - 1].0.end;
        let arguments = group
            .iter()
            .all(|(_, class)| *class == PartClass::ToolArguments);
        joined.push(if arguments {
            (whole, PartClass::ToolArguments)
        } else {
            (whole, PartClass::Secret)
        });
        from = to;
    }
    joined
}
