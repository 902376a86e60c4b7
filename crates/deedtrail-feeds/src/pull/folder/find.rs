//! Which files there are.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::path::PathBuf;

use glob::MatchOptions;

use super::known::{Extent, Inode};
use crate::pull::limits::FILES_MAX;

/// Tools that copy files write them under a hidden name first.
const VISIBLE: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: false,
    require_literal_leading_dot: true,
};

/// A file that is there now.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) inode: Inode,
    pub(super) extent: Extent,
    /// No path leads to it any more.
    pub(super) is_gone: bool,
}

impl Found {
    pub(super) fn new(path: PathBuf, facts: &Metadata) -> Self {
        Self {
            path,
            inode: Inode::of(facts),
            extent: Extent::of(facts),
            is_gone: false,
        }
    }

    pub(super) fn shown(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }
}

/// Every file that one of the patterns matches, once, by pattern and name. `fail` is told what
/// could not be looked at.
pub(super) fn find(patterns: &[PathBuf], fail: &mut dyn FnMut(String)) -> Vec<Found> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for pattern in patterns {
        let paths = match glob::glob_with(&pattern.to_string_lossy(), VISIBLE) {
            Ok(paths) => paths,
            Err(error) => {
                fail(format!("{}: {error}", pattern.display()));
                continue;
            }
        };
        for path in paths {
            let looked = path.map_err(|error| (error.path().to_owned(), io::Error::from(error)));
            let looked = looked.and_then(|path| match fs::metadata(&path) {
                Ok(facts) => Ok((path, facts)),
                Err(error) => Err((path, error)),
            });
            match looked {
                Ok((path, facts)) if facts.is_file() => {
                    let file = Found::new(path, &facts);
                    if seen.insert(file.inode) {
                        found.push(file);
                    }
                }
                Ok(_) => {}
                // It went while we looked.
                Err((_, error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err((path, error)) => fail(format!("{}: {error}", path.display())),
            }
            if found.len() > FILES_MAX {
                fail(format!(
                    "there are more than {FILES_MAX} files; the others are left"
                ));
                found.truncate(FILES_MAX);
                return found;
            }
        }
    }
    found
}
