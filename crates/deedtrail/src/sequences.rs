//! Unsafe sequences in force: those of this build and those of the operator's folder.

use std::path::Path;

use anyhow::Context as _;
use deedtrail_charter::Library;
use deedtrail_charter::limits::TEXT_BYTES_MAX;
use deedtrail_detect::RuleFile;

use crate::rules::{read_file, yaml_files};

/// What is wrong with the sequences of `folder`, one line each; fails when the folder itself cannot be
/// read.
pub(crate) fn mistakes(folder: &Path) -> anyhow::Result<Vec<String>> {
    let (files, mut mistakes) = read(folder)?;
    let files: Vec<(String, String)> = files
        .into_iter()
        .map(|file| (folder.join(file.path).display().to_string(), file.text))
        .collect();
    let texts = files.iter();
    let texts = texts.map(|(path, text)| (path.as_str(), text.as_str()));
    let (_, found) = Library::with(texts);
    mistakes.extend(found.iter().map(ToString::to_string));
    Ok(mistakes)
}

/// The files below a folder by path, and what is wrong with those that cannot be read.
pub(crate) fn read(folder: &Path) -> anyhow::Result<(Vec<RuleFile>, Vec<String>)> {
    let mut paths = yaml_files(folder).context("`sequences`")?;
    paths.sort();
    let (mut files, mut unread) = (Vec::new(), Vec::new());
    for path in paths {
        match read_file(&path, TEXT_BYTES_MAX) {
            Ok(text) => {
                let path = path.strip_prefix(folder).unwrap_or(&path);
                let path = path.to_string_lossy().into_owned();
                files.push(RuleFile { path, text });
            }
            Err(error) => unread.push(format!("{}: {error}", path.display())),
        }
    }
    Ok((files, unread))
}
