//! A record as the mapping sees it: parsed once, kept only where a path leads.

mod cursor;
mod habit;
pub(crate) mod line;
mod memo;
mod parse;
mod shape;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use memo::{Asker, Memo};
pub(crate) use parse::{LineError, parse, parse_line};
pub(crate) use shape::{KeyTable, ShapeId, Shapes};
pub(crate) use tree::{Node, Tree, View};

/// What one thread reuses from record to record.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub(crate) tree: Tree,
    pub(crate) memo: std::cell::RefCell<Memo>,
}
