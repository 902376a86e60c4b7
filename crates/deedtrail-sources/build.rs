//! Lists the folders of `sources/` so that they are part of the binary: the folder is the registry.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    // Cargo runs this in the package's folder.
    let root = Path::new("sources");
    println!("cargo::rerun-if-changed=sources");
    let mut folders: Vec<_> = fs::read_dir(root)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    folders.retain(|folder| folder.join("mapping.toml").is_file());
    folders.sort();
    let mut code = String::from("pub(super) const SOURCES: &[(&str, &str, &str)] = &[\n");
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let mapping = included(&folder.join("mapping.toml"));
        let readme = included(&folder.join("README.md"));
        writeln!(code, "    ({name:?}, {mapping}, {readme}),").map_err(io::Error::other)?;
    }
    let tables = included(&root.join("tables.toml"));
    writeln!(code, "];\npub(super) const TABLES: &str = {tables};").map_err(io::Error::other)?;
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(Path::new(&out).join("sources.rs"), code)
}

/// The expression that has a file's text; blank where there is none (a test asks for READMEs). It
/// names no folder of this machine, so that a checkout can move while its build output stays.
fn included(file: &Path) -> String {
    if file.is_file() {
        let below = format!("/{}", file.display());
        format!("include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {below:?}))")
    } else {
        "\"\"".to_owned()
    }
}
