//! Clients that nobody here wrote: Python of a virtual environment with packages from the index.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Python of a virtual environment below `folder` with `packages` (`name==version`), made once per
/// set of packages. Needs Python 3 with `venv`.
///
/// # Panics
///
/// Without Python or the package index, with everything that was said.
pub fn python_with(folder: &Path, packages: &[&str]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    packages.hash(&mut hasher);
    let folder = folder.join(format!("python-{:016x}", hasher.finish()));
    let python = folder.join("bin/python");
    // One test makes it, the others wait.
    let lock = File::create(folder.with_extension("lock")).expect("the folder can be written");
    lock.lock().expect("the lock can be taken");
    if !folder.join("complete").is_file() {
        let venv = ["-m", "venv", "--clear"];
        output(Command::new("python3").args(venv).arg(&folder));
        let install = ["-m", "pip", "install", "--quiet"];
        output(Command::new(&python).args(install).args(packages));
        std::fs::write(folder.join("complete"), "").expect("the folder can be written");
    }
    python
}

/// What a command prints.
///
/// # Panics
///
/// When it fails, with everything it said.
pub fn output(command: &mut Command) -> String {
    let done = command.output().expect("the command starts");
    let (said, complained) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert!(
        done.status.success(),
        "{command:?} failed:\n{said}\n{complained}"
    );
    said.into_owned()
}
