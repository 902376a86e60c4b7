//! The data sets: one session a line, symbols as numbers.

use std::path::Path;

/// Sessions of symbols.
pub type Sessions = Vec<Vec<String>>;

/// One data set.
pub struct Set {
    pub train: Sessions,
    pub normal: Sessions,
    pub abnormal: Sessions,
}

impl Set {
    /// Reads `train`, `test_normal` and `test_abnormal` of a folder, as text or zstd.
    pub fn read(folder: &Path) -> Result<Self, String> {
        Ok(Self {
            train: sessions(folder, "train")?,
            normal: sessions(folder, "test_normal")?,
            abnormal: sessions(folder, "test_abnormal")?,
        })
    }
}

fn sessions(folder: &Path, name: &str) -> Result<Sessions, String> {
    let plain = folder.join(format!("{name}.txt"));
    let packed = folder.join(format!("{name}.txt.zst"));
    let (path, bytes) = match std::fs::read(&plain) {
        Ok(bytes) => (plain, Ok(bytes)),
        Err(_) => {
            let read = std::fs::File::open(&packed).and_then(zstd::decode_all);
            (packed, read)
        }
    };
    let bytes = bytes.map_err(|error| format!("{}: {error}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = text
        .lines()
        .map(|line| line.split_once(',').map_or(line, |(_, rest)| rest));
    let session = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    Ok(lines
        .map(session)
        .filter(|session| !session.is_empty())
        .collect())
}
