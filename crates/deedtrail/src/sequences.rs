//! Unsafe sequences in force: those of this build and those of the operator's folder.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use deedtrail_charter::Library;
use deedtrail_charter::limits::TEXT_BYTES_MAX;

use crate::rules::{read_file, yaml_files};

/// Sequences, and what is wrong with files of some.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) library: Arc<Library>,
    /// `id hash`, one sequence per line.
    pub(crate) fingerprint: String,
    /// One line each. A sequence with a mistake is left out, and no other.
    pub(crate) problems: Vec<String>,
}

/// The sequences of this build and of `folder`; fails when the folder itself cannot be read.
pub(crate) fn load(folder: Option<&Path>) -> anyhow::Result<Loaded> {
    let mut paths = match folder {
        Some(folder) => yaml_files(folder).context("`sequences`")?,
        None => Vec::new(),
    };
    paths.sort();
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        let shown = path.display().to_string();
        match read_file(&path, TEXT_BYTES_MAX) {
            Ok(text) => files.push((shown, text)),
            Err(error) => problems.push(format!("{shown}: {error}")),
        }
    }
    let files = files.iter();
    let texts = files.map(|(path, text)| (path.as_str(), text.as_str()));
    let (library, found) = Library::with(texts);
    problems.extend(found.iter().map(ToString::to_string));
    let mut fingerprint = String::new();
    for form in library.forms() {
        let hash = blake3::hash(&serde_json::to_vec(form)?).to_hex();
        writeln!(fingerprint, "{} {hash}", form.id)?;
    }
    Ok(Loaded {
        library: Arc::new(library),
        fingerprint,
        problems,
    })
}
