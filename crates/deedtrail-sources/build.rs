//! Lists the folders of `sources/` so that they are part of the binary: the folder is the registry.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sources");
    println!("cargo::rerun-if-changed=sources");
    let mut folders: Vec<_> = fs::read_dir(&root)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    folders.retain(|folder| folder.is_dir());
    folders.sort();
    let mut code = String::from("pub(super) const SOURCES: &[(&str, &str, &str)] = &[\n");
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let mapping = folder.join("mapping.toml").display().to_string();
        let readme = folder.join("README.md").display().to_string();
        writeln!(
            code,
            "    ({name:?}, include_str!({mapping:?}), include_str!({readme:?})),"
        )
        .map_err(io::Error::other)?;
    }
    code.push_str("];\n");
    let tables = root.join("tables.toml").display().to_string();
    writeln!(
        code,
        "pub(super) const TABLES: &str = include_str!({tables:?});"
    )
    .map_err(io::Error::other)?;
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(Path::new(&out).join("sources.rs"), code)
}
