//! What failed, as callers of the archive are told.

use std::path::Path;

use deedtrail_core::port::archive::ArchiveError;

use crate::engine::EngineError;

/// Said between a file and what is wrong with it by `sums::Damaged`.
const IS_DAMAGED: &str = " is damaged: ";
/// Said by each of the layers that an error of a file passes.
const PARQUET: &str = "Parquet error: ";

/// The failure of the archive in `folder`: of a damaged file, that it is.
pub(super) fn of(folder: &Path, error: &EngineError) -> ArchiveError {
    let (folder, said) = (folder.display().to_string(), error.to_string());
    match damage(&folder, &said) {
        Some(damage) => ArchiveError::Damaged {
            damage: damage.to_owned(),
        },
        None => ArchiveError::Failed {
            folder,
            reason: once(said),
        },
    }
}

/// The file of the archive that is damaged, and how. It is looked for in the words: Arrow turns the
/// errors of what it reads into text.
fn damage<'a>(folder: &str, said: &'a str) -> Option<&'a str> {
    let at = said.find(IS_DAMAGED)?;
    let file = said.get(..at)?.rfind(folder)?;
    said.get(file..)
}

/// What several layers said is said once.
fn once(mut said: String) -> String {
    let twice = PARQUET.repeat(2);
    while said.contains(&twice) {
        said = said.replace(&twice, PARQUET);
    }
    said
}

#[cfg(test)]
mod tests {
    use deltalake::parquet::errors::ParquetError;

    use super::*;

    #[test]
    fn a_failure_says_which_file_is_damaged() {
        let check = |reason: &str, expected: &str| {
            let error = EngineError::Parquet(ParquetError::General(reason.to_owned()));
            let told = of(Path::new("/d/archive"), &error).to_string();
            assert!(told.contains(expected), "{told}");
        };
        check("no magic", "a file of events: Parquet error: no magic;");
        check(
            "Parquet error: Parquet error: no magic",
            "a file of events: Parquet error: no magic;",
        );
        let file = "/d/archive/events-000001/a.parquet is damaged: not what was written";
        let error = EngineError::Parquet(ParquetError::General(format!("External: {file}")));
        let told = of(Path::new("/d/archive"), &error).to_string();
        assert!(told.starts_with(file), "{told}");
        let told = of(Path::new("/other"), &error).to_string();
        assert!(told.starts_with("the archive at /other failed"), "{told}");
    }
}
