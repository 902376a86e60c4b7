//! How far a session reached, as a tree of two levels; the same facts stand in a table beside it.

use super::Shown;

/// Things drawn per branch; the rest is in the table.
const LEAVES_MAX: usize = 4;
/// From line to line, in the picture's units.
const STEP: u64 = 20;
const TOP: u64 = 16;
/// Where the root, branches and leaves stand.
const ROOT_END_X: u64 = 160;
const BRANCH_X: u64 = 190;
const LEAF_X: u64 = 380;

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
        let mut nodes = Vec::new();
        let mut row = 0;
        for (name, leaves) in branches {
            let y = TOP + row * STEP;
            let elbow = |from: u64, y0: u64, to: u64, y1: u64| {
                let middle = u64::midpoint(from, to);
                Some(format!("M{from} {y0} H{middle} V{y1} H{to}"))
            };
            nodes.push(node(
                BRANCH_X,
                y,
                Shown::brief(name),
                elbow(ROOT_END_X, TOP, BRANCH_X, y),
            ));
            let shown = leaves.len().min(LEAVES_MAX);
            for leaf in leaves.iter().take(shown) {
                let y_leaf = TOP + row * STEP;
                let path = elbow(BRANCH_X + 130, y, LEAF_X, y_leaf);
                nodes.push(node(LEAF_X, y_leaf, leaf.clone(), path));
                row += 1;
            }
            if leaves.len() > shown {
                let more = Shown::new(&format!("and {} more", leaves.len() - shown));
                let y_leaf = TOP + row * STEP;
                let path = elbow(BRANCH_X + 130, y, LEAF_X, y_leaf);
                nodes.push(node(LEAF_X, y_leaf, more, path));
                row += 1;
            }
            row += u64::from(leaves.is_empty());
        }
        nodes.push(node(8, TOP, Shown::brief(root.as_str()), None));
        let things: usize = branches.iter().map(|(_, leaves)| leaves.len()).sum();
        Some(Self {
            label: format!(
                "Blast radius of {root}: {} kinds, {things} things. The table below lists them.",
                branches.len()
            ),
            height: TOP + row * STEP,
            nodes,
        })
    }
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
