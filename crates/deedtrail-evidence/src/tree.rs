//! The outer log: a Merkle tree over batch headers, kept as C2SP tiles (c2sp.org/tlog-tiles).
//!
//! Tiles are derived from the segments. Full tiles are written once and synced; partial tiles are
//! only trusted when they lead to the root of a signed checkpoint.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use deedtrail_core::port::log::ReadError;

use crate::disk::{Access, Disk, read_file};
use crate::merkle::{self, Hash, Head, Nodes};
use crate::sync::Arc;

/// Hashes of a full tile.
const TILE_WIDTH: usize = 256;

/// Level and index of a tile.
type TileAt = (u32, u64);

/// Path of a tile below the log's folder; `width` 256 is a full tile.
pub fn tile_path(level: u32, index: u64, width: usize) -> String {
    let mut number = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        number = format!("x{:03}/{number}", rest % 1000);
        rest /= 1000;
    }
    match width {
        TILE_WIDTH => format!("tile/{level}/{number}"),
        _ => format!("tile/{level}/{number}.p/{width}"),
    }
}

/// The tree's right edge in memory, everything else on disk.
#[derive(Debug)]
pub(crate) struct Tree {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    size: u64,
    /// Hashes of the unfinished tile of each level.
    edges: Vec<Vec<Hash>>,
    /// Finished tiles that are not on disk yet.
    unwritten: BTreeMap<TileAt, Vec<Hash>>,
}

/// What has to be on disk before a checkpoint of this size is signed.
#[derive(Debug)]
pub(crate) struct TreeSnapshot {
    pub head: Head,
    edges: Vec<Vec<Hash>>,
    unwritten: BTreeMap<TileAt, Vec<Hash>>,
}

/// Index of the tile at `level` that the `size`-th leaf falls into.
fn edge_tile(size: u64, level: u32) -> u64 {
    size.checked_shr(8 * (level + 1)).unwrap_or(0)
}

impl Tree {
    pub(crate) fn empty(disk: Arc<dyn Disk>, folder: PathBuf) -> Self {
        Self {
            disk,
            folder,
            size: 0,
            edges: vec![],
            unwritten: BTreeMap::new(),
        }
    }

    /// The tree as of a checkpoint, from the tiles on disk; `None` unless they lead to its root.
    pub(crate) fn restore(disk: Arc<dyn Disk>, folder: PathBuf, head: Head) -> Option<Self> {
        let mut tree = Self::empty(disk, folder);
        tree.size = head.size;
        for level in 0..8 {
            let width =
                usize::try_from(head.size.checked_shr(8 * level).unwrap_or(0) & 255).ok()?;
            let edge = match width {
                0 => Vec::new(),
                _ => tree
                    .read_tile(level, edge_tile(head.size, level), width)
                    .ok()?,
            };
            tree.edges.push(edge);
        }
        (tree.root().ok()? == head.root).then_some(tree)
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn root(&self) -> Result<Hash, ReadError> {
        merkle::root_at(self, self.size)
    }

    /// Adds a leaf.
    pub(crate) fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for level in 0.. {
            let at = level as usize;
            if self.edges.len() == at {
                self.edges.push(Vec::with_capacity(TILE_WIDTH));
            }
            self.edges[at].push(hash);
            if self.edges[at].len() < TILE_WIDTH {
                break;
            }
            let full = std::mem::take(&mut self.edges[at]);
            hash = merkle::fold_complete(&full);
            self.unwritten
                .insert((level, edge_tile(self.size, level)), full);
        }
        self.size += 1;
    }

    pub(crate) fn snapshot(&self) -> Result<TreeSnapshot, ReadError> {
        let head = Head {
            size: self.size,
            root: self.root()?,
        };
        Ok(TreeSnapshot {
            head,
            edges: self.edges.clone(),
            unwritten: self.unwritten.clone(),
        })
    }

    /// Forgets finished tiles that `snapshot` has brought to disk.
    pub(crate) fn written(&mut self, snapshot: &TreeSnapshot) {
        self.unwritten
            .retain(|at, _| !snapshot.unwritten.contains_key(at));
    }

    fn read_tile(&self, level: u32, index: u64, width: usize) -> Result<Vec<Hash>, ReadError> {
        let partial = self.folder.join(tile_path(level, index, width));
        let full = self.folder.join(tile_path(level, index, TILE_WIDTH));
        for path in [partial, full] {
            let fault = |source| ReadError::Io {
                path: path.display().to_string(),
                source,
            };
            let Some(bytes) = read_file(&*self.disk, &path).map_err(fault)? else {
                continue;
            };
            let hashes: Vec<Hash> = bytes
                .chunks_exact(32)
                .filter_map(|hash| hash.try_into().ok())
                .collect();
            if hashes.len() >= width {
                return Ok(hashes[..width].to_vec());
            }
        }
        let path = tile_path(level, index, width);
        Err(ReadError::Io {
            path,
            source: io::ErrorKind::NotFound.into(),
        })
    }

    fn hashes(&self, level: u32, first: u64, count: usize) -> Result<Vec<Hash>, ReadError> {
        let tile = first / TILE_WIDTH as u64;
        let at = usize::try_from(first % TILE_WIDTH as u64).unwrap_or(0);
        let take = |hashes: &[Hash]| hashes.get(at..at + count).map(<[Hash]>::to_vec);
        let held = if tile == edge_tile(self.size, level) {
            self.edges.get(level as usize).and_then(|edge| take(edge))
        } else {
            self.unwritten
                .get(&(level, tile))
                .and_then(|full| take(full))
        };
        match held {
            Some(hashes) => Ok(hashes),
            None => Ok(self.read_tile(level, tile, TILE_WIDTH)?[at..at + count].to_vec()),
        }
    }
}

impl Nodes for Tree {
    type Error = ReadError;

    fn perfect(&self, height: u32, index: u64) -> Result<Hash, ReadError> {
        let (level, rest) = (height / 8, height % 8);
        let hashes = self.hashes(level, index << rest, 1 << rest)?;
        Ok(merkle::fold_complete(&hashes))
    }
}

impl TreeSnapshot {
    /// Brings the tiles to disk. Full tiles are synced, partial ones are not.
    pub(crate) fn write(&self, disk: &dyn Disk, folder: &Path) -> io::Result<()> {
        for ((level, index), hashes) in &self.unwritten {
            let path = folder.join(tile_path(*level, *index, TILE_WIDTH));
            write_tile(disk, &path, hashes)?.sync()?;
            disk.sync_folder(path.parent().unwrap_or(folder))?;
            disk.remove_folder(&path.with_extension("p"))?;
        }
        for (level, edge) in (0..).zip(&self.edges).filter(|(_, edge)| !edge.is_empty()) {
            let path = tile_path(level, edge_tile(self.head.size, level), edge.len());
            write_tile(disk, &folder.join(path), edge)?;
        }
        Ok(())
    }
}

fn write_tile(
    disk: &dyn Disk,
    path: &Path,
    hashes: &[Hash],
) -> io::Result<Arc<dyn crate::disk::DiskFile>> {
    if let Some(parent) = path.parent() {
        disk.create_folder(parent)?;
    }
    let file = disk.open(path, Access::Create)?;
    file.write_at(hashes.as_flattened(), 0)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::disk::RealDisk;

    const LEAF: Hash = [7; 32];

    /// A tree of any size whose leaves are all alike: its complete subtrees are known.
    struct Alike;

    impl Nodes for Alike {
        type Error = Infallible;

        fn perfect(&self, height: u32, _: u64) -> Result<Hash, Infallible> {
            Ok((0..height).fold(LEAF, |hash, _| merkle::node_hash(&hash, &hash)))
        }
    }

    fn head(size: u64) -> Head {
        let Ok(root) = merkle::root_at(&Alike, size);
        Head { size, root }
    }

    /// The tree of that size, out of the unfinished tiles that a log of it would have on disk.
    fn tree_of(size: u64, folder: &Path) -> Tree {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        for level in 0..8 {
            let width = usize::try_from(size.checked_shr(8 * level).unwrap_or(0) & 255).unwrap();
            let Ok(hash) = Alike.perfect(8 * level, 0);
            let path = tile_path(level, edge_tile(size, level), width);
            if width > 0 {
                write_tile(disk.as_ref(), &folder.join(path), &vec![hash; width]).unwrap();
            }
        }
        Tree::restore(disk, folder.to_owned(), head(size)).unwrap()
    }

    #[test]
    fn a_tree_grows_over_the_sizes_at_which_narrower_counters_end() {
        let powers = [8, 15, 16, 24, 31, 32, 40, 48, 56, 62, 63];
        let limits = powers.map(|power| 1_u64 << power);
        for limit in limits.into_iter().chain([u64::MAX - 4]) {
            let folder = tempfile::tempdir().unwrap();
            let before = limit - 3;
            let mut tree = tree_of(before, folder.path());
            for size in before + 1..=limit + 3 {
                tree.push(LEAF);
                let now = head(size);
                assert_eq!(tree.root().unwrap(), now.root, "{size}");
                let path = merkle::consistency_path(&tree, before, size).unwrap();
                assert!(merkle::is_consistent(head(before), now, &path), "{size}");
                for index in [before, size - 1] {
                    let path = merkle::inclusion_path(&tree, index, size).unwrap();
                    let root = merkle::root_from_path(LEAF, index, size, &path);
                    assert_eq!(root, Some(now.root), "{index} of {size}");
                }
            }
            let snapshot = tree.snapshot().unwrap();
            snapshot.write(&RealDisk, folder.path()).unwrap();
            let again = Tree::restore(Arc::new(RealDisk), folder.path().to_owned(), snapshot.head);
            assert_eq!(again.unwrap().root().unwrap(), head(limit + 3).root);
        }
    }
}
