//! Registries for tests.

use std::sync::LazyLock;

use deedtrail_core::id::SourceName;
use deedtrail_sources::Registry;

/// The sources of this build.
pub(crate) fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::built_in().unwrap());
    &REGISTRY
}

pub(crate) fn source(name: &str) -> SourceName {
    SourceName::new(name).unwrap()
}

/// A registry with one more source, made of `mapping`.
pub(crate) fn registry_with(name: &str, mapping: &str) -> Registry {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(name)).unwrap();
    std::fs::write(folder.path().join(name).join("mapping.toml"), mapping).unwrap();
    Registry::load(folder.path()).unwrap()
}
