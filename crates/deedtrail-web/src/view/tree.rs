//! How far a session reached, as a tree of two levels; the same facts stand in a table beside it.

use super::Shown;

/// Things drawn per branch; the rest is in the table.
const LEAVES_MAX: usize = 4;
/// From line to line, in the picture's units.
const STEP: u64 = 20;
const TOP: u64 = 16;
/// Where the root, branches and leaves stand.
const ROOT_X: u64 = 8;
const BRANCH_X: u64 = 200;
const LEAF_X: u64 = 392;
/// Width of a character, rounded up.
const CHARACTER: u64 = 6;

/// A word in the picture with the line that leads to it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) x: u64,
    pub(crate) y: u64,
    pub(crate) text_x: u64,
    pub(crate) text_y: u64,
    pub(crate) text: Shown,
    pub(crate) path: Option<String>,
}

/// A tree: root, branches, leaves.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) label: String,
    pub(crate) height: u64,
    pub(crate) nodes: Vec<Node>,
}

impl Tree {
    /// `None` without branches.
    pub(crate) fn new(root: &Shown, branches: &[(String, Vec<Shown>)]) -> Option<Self> {
        if branches.is_empty() {
            return None;
        }
        let root = Shown::brief(root.as_str());
        let root_end = word_end(ROOT_X, &root);
        let mut nodes = Vec::new();
        let mut row = 0;
        for (name, leaves) in branches {
            let y = TOP + row * STEP;
            let elbow = |from: u64, y0: u64, to: u64, y1: u64| {
                let middle = u64::midpoint(from, to);
                Some(format!("M{from} {y0} H{middle} V{y1} H{to}"))
            };
            let name = Shown::brief(name);
            let branch_end = word_end(BRANCH_X, &name);
            nodes.push(node(BRANCH_X, y, name, elbow(root_end, TOP, BRANCH_X, y)));
            let shown = leaves.len().min(LEAVES_MAX);
            for leaf in leaves.iter().take(shown) {
                let y_leaf = TOP + row * STEP;
                let path = elbow(branch_end, y, LEAF_X, y_leaf);
                nodes.push(node(LEAF_X, y_leaf, leaf.clone(), path));
                row += 1;
            }
            if leaves.len() > shown {
                let more = Shown::new(&format!("and {} more", leaves.len() - shown));
                let y_leaf = TOP + row * STEP;
                let path = elbow(branch_end, y, LEAF_X, y_leaf);
                nodes.push(node(LEAF_X, y_leaf, more, path));
                row += 1;
            }
            row += u64::from(leaves.is_empty());
        }
        let things: usize = branches.iter().map(|(_, leaves)| leaves.len()).sum();
        let label = format!(
            "Blast radius of {root}: {} kinds, {things} things. The table below lists them.",
            branches.len()
        );
        nodes.push(node(ROOT_X, TOP, root, None));
        Some(Self {
            label,
            height: TOP + row * STEP,
            nodes,
        })
    }
}

/// Where the line that leads on from a word begins.
fn word_end(x: u64, text: &Shown) -> u64 {
    x + 14 + CHARACTER * text.as_str().chars().count() as u64
}

fn node(x: u64, y: u64, text: Shown, path: Option<String>) -> Node {
    Node {
        x,
        y,
        text_x: x + 8,
        text_y: y + 4,
        text,
        path,
    }
}
