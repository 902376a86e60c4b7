//! Rules and sequences of one's own as their folders hold them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Text of rules and sequences of one's own together, bytes as JSON has them. Files beyond it, in the
/// order of their paths, are left out and told.
pub const OWN_RULES_BYTES_MAX: usize = 12 << 20;

/// One file as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileText {
    /// Path below the folder that the configuration names.
    pub path: String,
    pub text: String,
}

/// Rules and sequences of one's own, each by path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnRules {
    pub rules: Vec<FileText>,
    pub sequences: Vec<FileText>,
}

/// What the folders hold.
#[derive(Clone, Debug, Default)]
pub struct FoldersRead {
    pub own: OwnRules,
    /// The folders as people know them, before the path of a file with a mistake.
    pub rules_at: String,
    pub sequences_at: String,
    /// Files that cannot be read, a line each.
    pub rules_unread: Vec<String>,
    pub sequences_unread: Vec<String>,
}

/// Where rules and sequences of one's own are.
pub trait RuleFolders: fmt::Debug + Send + Sync {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// When a folder itself cannot be read: in words that say which.
    fn read(&self) -> Result<FoldersRead, String>;
}

impl FoldersRead {
    /// Leaves out what is over [`OWN_RULES_BYTES_MAX`], and says so.
    #[must_use]
    pub fn within_limit(mut self) -> Self {
        let mut bytes = 0;
        let mut fits = |file: &FileText| {
            // Signs that JSON escapes are longer there.
            let text = serde_json::to_string(&file.text).map_or(usize::MAX, |text| text.len());
            bytes = text
                .saturating_add(file.path.len() * 6)
                .saturating_add(bytes);
            bytes <= OWN_RULES_BYTES_MAX
        };
        let told = |folder: &str, file: &FileText| {
            format!(
                "{}:1: rules and sequences of one's own are over {} MiB together with this file; \
                 it is left out",
                below(folder, &file.path),
                OWN_RULES_BYTES_MAX >> 20
            )
        };
        let (kept, over) = self.own.rules.into_iter().partition::<Vec<_>, _>(&mut fits);
        self.own.rules = kept;
        let over = over.iter().map(|file| told(&self.rules_at, file));
        self.rules_unread.extend(over);
        let (kept, over) = self
            .own
            .sequences
            .into_iter()
            .partition::<Vec<_>, _>(&mut fits);
        self.own.sequences = kept;
        let over = over.iter().map(|file| told(&self.sequences_at, file));
        self.sequences_unread.extend(over);
        self
    }
}

pub(super) fn below(folder: &str, path: &str) -> String {
    if folder.is_empty() {
        return path.to_owned();
    }
    format!("{}/{path}", folder.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, bytes: usize) -> FileText {
        FileText {
            path: path.to_owned(),
            text: "\n".repeat(bytes / 2),
        }
    }

    #[test]
    fn files_over_the_limit_together_are_left_out_and_told() {
        let read = FoldersRead {
            own: OwnRules {
                rules: vec![
                    file("a.yml", OWN_RULES_BYTES_MAX / 2),
                    file("b.yml", OWN_RULES_BYTES_MAX / 2),
                ],
                sequences: vec![file("c.yml", 10)],
            },
            rules_at: "/rules/".to_owned(),
            ..FoldersRead::default()
        };
        let read = read.within_limit();
        let paths = |files: &[FileText]| files.iter().map(|f| f.path.clone()).collect::<Vec<_>>();
        assert_eq!(paths(&read.own.rules), ["a.yml"]);
        assert!(read.rules_unread[0].starts_with("/rules/b.yml:1: "));
        assert_eq!(paths(&read.own.sequences), [""; 0]);
    }
}
