//! The sums of an archive's files as they become known, and files read by who knows them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Error, Read, Result};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf as _, Bytes};
use deltalake::parquet::errors::ParquetError;
use deltalake::parquet::file::reader::{ChunkReader, Length};

use super::{BLOCK_BYTES, Damaged, Sums};

/// Sums that are remembered, of all files together.
const REMEMBERED_BLOCKS_MAX: usize = 4 << 20;
/// What a file counts besides, sums: its path and its place.
const FILE_BLOCKS: usize = 64;

/// Sums of the files of one archive. No file changes once it is written.
#[derive(Debug)]
pub(crate) struct KnownSums {
    /// Folder of the archive, which has that of each generation.
    archive: PathBuf,
    remembered: Mutex<Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    /// `None` of a file that has none.
    sums: BTreeMap<PathBuf, Option<Arc<Sums>>>,
    blocks: usize,
}

impl Remembered {
    fn forget(&mut self, path: &Path) {
        if let Some(sums) = self.sums.remove(path) {
            self.blocks -= FILE_BLOCKS + sums.map_or(0, |sums| sums.blocks.len());
        }
    }
}

impl KnownSums {
    pub(super) fn of(archive: &Path) -> Self {
        Self {
            archive: archive.to_owned(),
            remembered: Mutex::default(),
        }
    }

    /// Folder of the generation that has the file at `path`.
    fn generation(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(&self.archive).ok()?;
        Some(self.archive.join(below.components().next()?))
    }

    /// Where the sums of the file at `path` lie; none for what is not a generation's.
    pub(super) fn path_of(&self, path: &Path) -> Option<PathBuf> {
        super::path_of(&self.generation(path)?, path)
    }

    /// `None` when nobody asked for those of the file before.
    #[expect(clippy::option_option, reason = "nobody asked yet, or there are none")]
    pub(super) fn remembered(&self, path: &Path) -> Option<Option<Arc<Sums>>> {
        self.with_remembered(|it| it.sums.get(path).cloned())
    }

    /// Those of the file at `path`, where it has some.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Arc<Sums>>> {
        if let Some(sums) = self.remembered(path) {
            return Ok(sums);
        }
        let Some(generation) = self.generation(path) else {
            return Ok(None);
        };
        let sums = Sums::read(&generation, path)?.map(Arc::new);
        let blocks = FILE_BLOCKS + sums.as_ref().map_or(0, |sums| sums.blocks.len());
        self.with_remembered(|it| {
            it.blocks += blocks;
            if it.blocks > REMEMBERED_BLOCKS_MAX {
                it.sums.clear();
                it.blocks = blocks;
            }
            it.sums.insert(path.to_owned(), sums.clone());
        });
        Ok(sums)
    }

    /// What is wrong with the sums of the file at `path` on disk, whatever is remembered.
    pub(crate) fn fault(&self, path: &Path) -> Result<Option<Damaged>> {
        let generation = self.generation(path);
        generation.map_or(Ok(None), |generation| Sums::fault(&generation, path))
    }

    /// A file is written, or is gone.
    pub(super) fn forget(&self, path: &Path) {
        self.with_remembered(|it| it.forget(path));
    }

    /// A generation is gone.
    pub(crate) fn forget_below(&self, generation: &Path) {
        self.with_remembered(|it| {
            let below = it.sums.keys().filter(|path| path.starts_with(generation));
            let below: Vec<PathBuf> = below.cloned().collect();
            for path in below {
                it.forget(&path);
            }
        });
    }

    fn with_remembered<T>(&self, work: impl FnOnce(&mut Remembered) -> T) -> T {
        let mut remembered = self.remembered.lock();
        work(remembered.as_mut().unwrap_or_else(PoisonError::get_mut))
    }

    /// Opens a file whose bytes are compared as they are read.
    pub(crate) fn open(&self, path: &Path) -> Result<CheckedFile> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let sums = self.read(path)?;
        if let Some(sums) = &sums {
            sums.compare_size(path, bytes).map_err(Error::other)?;
        }
        Ok(CheckedFile(Arc::new(Opened {
            file,
            bytes,
            path: path.to_owned(),
            sums,
        })))
    }
}

/// An open file of which no byte is handed out that is not what was written, as far as it has sums.
/// Cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct CheckedFile(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    file: File,
    bytes: u64,
    path: PathBuf,
    sums: Option<Arc<Sums>>,
}

impl CheckedFile {
    /// Whether there is something to compare with.
    pub(crate) fn has_sums(&self) -> bool {
        self.0.sums.is_some()
    }

    /// The bytes from `start` on, at most `length`.
    fn bytes(&self, start: u64, length: u64) -> Result<Bytes> {
        let asked = start.min(self.0.bytes)..start.saturating_add(length).min(self.0.bytes);
        let sums = self.0.sums.as_deref().filter(|_| !asked.is_empty());
        let around = sums.map_or(asked.clone(), |sums| sums.around(&asked));
        let too_long = |_| Error::other("more bytes are asked for than memory has places");
        let mut read = vec![0; usize::try_from(around.end - around.start).map_err(too_long)?];
        self.0.file.read_exact_at(&mut read, around.start)?;
        if let Some(sums) = sums {
            let compared: std::result::Result<(), Damaged> =
                sums.compare(&self.0.path, around.start, &read);
            compared.map_err(Error::other)?;
        }
        let from = usize::try_from(asked.start - around.start).map_err(too_long)?;
        let to = usize::try_from(asked.end - around.start).map_err(too_long)?;
        Ok(Bytes::from(read).slice(from..to))
    }
}

impl Length for CheckedFile {
    fn len(&self) -> u64 {
        self.0.bytes
    }
}

impl ChunkReader for CheckedFile {
    type T = Blocks;

    fn get_read(&self, start: u64) -> std::result::Result<Self::T, ParquetError> {
        Ok(Blocks {
            file: self.clone(),
            at: start,
            block: Bytes::new(),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> std::result::Result<Bytes, ParquetError> {
        let read = self.bytes(start, length as u64)?;
        if read.len() < length {
            let path = self.0.path.display();
            return Err(ParquetError::EOF(format!(
                "{path} ends within the {length} bytes from byte {start} on"
            )));
        }
        Ok(read)
    }
}

/// The bytes of a file from some place on, a block at a time.
#[derive(Debug)]
pub(crate) struct Blocks {
    file: CheckedFile,
    at: u64,
    block: Bytes,
}

impl Read for Blocks {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.block.is_empty() {
            let block = BLOCK_BYTES as u64;
            self.block = self.file.bytes(self.at, block - self.at % block)?;
            self.at += self.block.len() as u64;
        }
        let count = buffer.len().min(self.block.len());
        self.block.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FOLDER, Summing};
    use super::*;

    /// A file of three blocks and a bit in a generation, with its sums.
    fn written() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
        let archive = tempfile::tempdir().unwrap();
        let generation = archive.path().join("events-000001");
        std::fs::create_dir_all(generation.join(FOLDER)).unwrap();
        let bytes: Vec<u8> = (0..=248).cycle().take(3 * BLOCK_BYTES + 99).collect();
        let path = generation.join("one.parquet");
        std::fs::write(&path, &bytes).unwrap();
        let mut summing = Summing::default();
        summing.add(&bytes);
        let sums = super::super::path_of(&generation, &path).unwrap();
        std::fs::write(sums, summing.sums().encode()).unwrap();
        (archive, path, bytes)
    }

    #[test]
    fn any_part_of_a_file_is_read_as_it_was_written() {
        let (archive, path, bytes) = written();
        let file = KnownSums::of(archive.path()).open(&path).unwrap();
        assert_eq!(file.len(), bytes.len() as u64);
        for start in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES + 7] {
            for length in [0, 1, 2, BLOCK_BYTES, BLOCK_BYTES + 2] {
                let read = file.get_bytes(start as u64, length).unwrap();
                assert_eq!(read, bytes[start..start + length], "{start} {length}");
            }
            let mut rest = Vec::new();
            let mut reader = file.get_read(start as u64).unwrap();
            reader.read_to_end(&mut rest).unwrap();
            assert_eq!(rest, bytes[start..], "{start}");
        }
        assert!(file.get_bytes(bytes.len() as u64 - 1, 2).is_err());
        assert_eq!(file.get_bytes(bytes.len() as u64, 0).unwrap().len(), 0);
    }

    #[test]
    fn a_block_that_changed_is_an_error_and_the_others_are_read() {
        let (archive, path, mut bytes) = written();
        let known = KnownSums::of(archive.path());
        bytes[BLOCK_BYTES + 5] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let file = known.open(&path).unwrap();
        let told = file.get_bytes(BLOCK_BYTES as u64 + 900, 1).unwrap_err();
        assert!(
            told.to_string().contains("one.parquet is damaged"),
            "{told}"
        );
        file.get_bytes(0, BLOCK_BYTES).unwrap();
        let mut all = Vec::new();
        let mut reader = file.get_read(0).unwrap();
        reader.read_to_end(&mut all).unwrap_err();
        assert_eq!(all.len(), BLOCK_BYTES);
        bytes.pop();
        std::fs::write(&path, &bytes).unwrap();
        assert!(known.open(&path).is_err());
    }
}
