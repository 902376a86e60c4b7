//! A record as the mapping sees it: parsed once, kept only where a path leads.

mod cursor;
mod parse;
mod shape;
mod tree;

pub(crate) use parse::parse;
pub(crate) use shape::{KeyTable, ShapeId, Shapes};
pub(crate) use tree::{Node, Tree, View};
