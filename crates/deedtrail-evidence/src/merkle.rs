//! RFC 6962 (section 2.1) Merkle trees over SHA-256: roots, inclusion and consistency proofs.
//!
//! Verification follows RFC 9162 sections 2.1.3.2 and 2.1.4.2, so that it shares no code with the
//! generation it checks.

use std::convert::Infallible;

use sha2::{Digest as _, Sha256};

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// Hash of a leaf: SHA-256(0x00 ‖ bytes).
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    Sha256::new_with_prefix([0])
        .chain_update(bytes)
        .finalize()
        .into()
}

/// Hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1_u8; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// Root of the empty tree: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// A tree that can tell the hash of its complete subtrees.
pub trait Nodes {
    type Error;
    /// Hash of the complete subtree over leaves `index << height .. (index + 1) << height`.
    fn perfect(&self, height: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Leaf hashes held in memory.
#[derive(Clone, Copy, Debug)]
pub struct Leaves<'a>(pub &'a [Hash]);

impl Nodes for Leaves<'_> {
    type Error = Infallible;

    fn perfect(&self, height: u32, index: u64) -> Result<Hash, Infallible> {
        let first = usize::try_from(index << height).unwrap_or(usize::MAX);
        Ok(fold_complete(&self.0[first..first + (1 << height)]))
    }
}

/// Root over `hashes` as the leaves of a complete tree; their number is a power of two.
pub(crate) fn fold_complete(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row
            .chunks_exact(2)
            .map(|pair| node_hash(&pair[0], &pair[1]))
            .collect();
    }
    row.first().copied().unwrap_or_else(empty_root)
}

/// Root over leaf hashes; the empty tree's root when there are none.
pub fn root(leaves: &[Hash]) -> Hash {
    let Ok(root) = root_at(&Leaves(leaves), leaves.len() as u64);
    root
}

/// Root over leaves that come one after the other; it keeps one hash per complete subtree only.
#[derive(Debug, Default)]
pub(crate) struct Accumulator {
    size: u64,
    /// Roots of the complete subtrees, the largest first.
    peaks: Vec<Hash>,
}

impl Accumulator {
    pub(crate) fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // Each one bit of the size is a complete subtree; adding one carries like a sum.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn root(&self) -> Hash {
        let peaks = self.peaks.iter().rev().copied();
        let joined = peaks.reduce(|right, left| node_hash(&left, &right));
        joined.unwrap_or_else(empty_root)
    }
}

/// Root of the tree cut to its first `size` leaves.
pub fn root_at<N: Nodes>(nodes: &N, size: u64) -> Result<Hash, N::Error> {
    if size == 0 {
        Ok(empty_root())
    } else {
        range_root(nodes, 0, size)
    }
}

/// Largest power of two smaller than `count` (RFC 6962's k); `count` is at least 2.
fn split_point(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// MTH(D[first..end]); the range is not empty and starts where the RFC's recursion puts it.
fn range_root<N: Nodes>(nodes: &N, first: u64, end: u64) -> Result<Hash, N::Error> {
    let count = end - first;
    if count.is_power_of_two() {
        let height = count.trailing_zeros();
        return nodes.perfect(height, first >> height);
    }
    let middle = first + split_point(count);
    let left = range_root(nodes, first, middle)?;
    let right = range_root(nodes, middle, end)?;
    Ok(node_hash(&left, &right))
}

/// PATH(index, D[size]): hashes from the leaf's sibling upwards. `index < size`.
pub fn inclusion_path<N: Nodes>(nodes: &N, index: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    let (mut first, mut end) = (0, size);
    let mut path = Vec::new();
    while end - first > 1 {
        let middle = first + split_point(end - first);
        if index < middle {
            path.push(range_root(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(nodes, first, middle)?);
            first = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// PROOF(old, D[new]). Empty when `old` is 0 or equals `new`; `old <= new`.
pub fn consistency_path<N: Nodes>(nodes: &N, old: u64, new: u64) -> Result<Vec<Hash>, N::Error> {
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut first, mut end) = (0, new);
    let mut path = Vec::new();
    // `whole` is the RFC's b: the subtree that ends at `old` is the old tree itself.
    let mut whole = true;
    while end != old {
        let middle = first + split_point(end - first);
        if old <= middle {
            path.push(range_root(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(nodes, first, middle)?);
            first = middle;
            whole = false;
        }
    }
    if !whole {
        path.push(range_root(nodes, first, end)?);
    }
    path.reverse();
    Ok(path)
}

/// The root that `path` leads to from `leaf` (RFC 9162, 2.1.3.2); `None` when the path's length
/// does not fit `index` and `size`.
pub fn root_from_path(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// A tree's size and root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub size: u64,
    pub root: Hash,
}

/// Whether `path` shows that `new` extends `old` (RFC 9162, 2.1.4.2).
pub fn is_consistent(old: Head, new: Head, path: &[Hash]) -> bool {
    if old.size == 0 {
        return path.is_empty() && old.root == empty_root();
    }
    if old.size == new.size {
        return path.is_empty() && old.root == new.root;
    }
    if old.size > new.size {
        return false;
    }
    let with_old_root = old.size.is_power_of_two().then_some(old.root);
    let mut hashes = with_old_root.into_iter().chain(path.iter().copied());
    let Some(seed) = hashes.next() else {
        return false;
    };
    let (mut node, mut last) = (old.size - 1, new.size - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut new_hash) = (seed, seed);
    for sibling in hashes {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(&sibling, &old_hash);
            new_hash = node_hash(&sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, &sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == old.root && new_hash == new.root
}
