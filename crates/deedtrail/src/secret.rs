//! Secrets, which stand in files of their own.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Longest secret file, bytes: credentials of NATS hold a signed token and a key.
const SECRET_FILE_BYTES_MAX: u64 = 16 << 10;

/// What a secret file holds; `setting` names it in errors.
pub(crate) fn read(setting: &str, file: &Path) -> anyhow::Result<String> {
    let trouble = || format!("cannot read `{setting}` {}", file.display());
    let bytes = fs::metadata(file).with_context(trouble)?.len();
    anyhow::ensure!(
        bytes <= SECRET_FILE_BYTES_MAX,
        "`{setting}` {} has {bytes} bytes; it holds the secret and nothing else",
        file.display()
    );
    fs::read_to_string(file).with_context(trouble)
}
