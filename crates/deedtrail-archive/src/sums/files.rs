//! The files of one archive as Delta Lake and `DataFusion` see them: written with check sums, and
//! compared with them by whoever reads.

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use deltalake::logstore::object_store::local::LocalFileSystem;
use deltalake::logstore::object_store::path::Path;
use deltalake::logstore::object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::Mutex;

use super::{KnownSums, Summing, Sums};

/// Which checkpoint is the newest: a hint that is written again and again, and not needed, since
/// the folder is listed. Other engines may read it.
const HINT: &str = "_last_checkpoint";
/// The file system, with check sums for the files of one archive.
#[derive(Debug)]
pub(crate) struct CheckedFiles {
    sums: Arc<KnownSums>,
    files: Arc<LocalFileSystem>,
    /// Held from the look whether a file is there until it is.
    creating: Mutex<()>,
}

impl CheckedFiles {
    /// Those of the archive in this folder, which is absolute.
    pub(crate) fn of(archive: &FilePath) -> Self {
        Self {
            sums: Arc::new(KnownSums::of(archive)),
            files: Arc::new(LocalFileSystem::new()),
            creating: Mutex::default(),
        }
    }

    pub(crate) fn sums(&self) -> Arc<KnownSums> {
        Arc::clone(&self.sums)
    }

    /// The sums of a file, where it has some.
    async fn sums_of(&self, path: &FilePath) -> Result<Option<Arc<Sums>>> {
        if let Some(sums) = self.sums.remembered(path) {
            return Ok(sums);
        }
        let (known, path) = (self.sums(), path.to_owned());
        let read = tokio::task::spawn_blocking(move || known.read(&path)).await?;
        read.map_err(generic)
    }

    /// Where the sums of what is about to be written go.
    fn sums_location(&self, location: &Path) -> Result<Option<Path>> {
        if location.filename() == Some(HINT) {
            return Ok(None);
        }
        let path = self.files.path_to_filesystem(location)?;
        self.sums.forget(&path);
        Ok(self
            .sums
            .path_of(&path)
            .map(Path::from_absolute_path)
            .transpose()?)
    }

    /// Reads ranges of a file, each whole blocks, and compares them.
    async fn compared(
        &self,
        location: &Path,
        (path, sums): (&FilePath, &Sums),
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>> {
        if ranges.iter().all(Range::is_empty) {
            return Ok(vec![Bytes::new(); ranges.len()]);
        }
        let all = self.files.get_ranges(location, ranges).await?;
        for (range, bytes) in ranges.iter().zip(&all) {
            let read = range.start + bytes.len() as u64;
            if read != range.end {
                sums.compare_size(path, read).map_err(generic)?;
            }
            sums.compare(path, range.start, bytes).map_err(generic)?;
        }
        Ok(all)
    }
}

/// Flushes a file, and that it is in its folder, to disk.
async fn synced(path: PathBuf) -> Result<()> {
    let flush = move || {
        File::open(&path)?.sync_all()?;
        path.parent()
            .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    tokio::task::spawn_blocking(flush).await?.map_err(generic)
}

fn generic(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Generic {
        store: "archive",
        source: Box::new(error),
    }
}

impl fmt::Display for CheckedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with check sums", self.files)
    }
}

#[async_trait]
impl ObjectStore for CheckedFiles {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        // Of two that make the same commit the second is refused, and the first keeps its sums.
        let _one_at_a_time = self.creating.lock().await;
        if options.mode == PutMode::Create {
            match self.files.head(location).await {
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
                Ok(_) => {
                    return Err(Error::AlreadyExists {
                        path: location.to_string(),
                        source: "it was written before".into(),
                    });
                }
            }
        }
        let path = self.files.path_to_filesystem(location)?;
        let sums = self.sums_location(location)?;
        if let Some(at) = &sums {
            let mut summing = Summing::default();
            payload.iter().for_each(|piece| summing.add(piece));
            let encoded = summing.sums().encode();
            self.files.put(at, encoded.into()).await?;
            // On disk before the file is: no other content may ever be found under its name.
            synced(self.files.path_to_filesystem(at)?).await?;
        }
        let put = self.files.put_opts(location, payload, options).await?;
        if sums.is_some() {
            synced(path.clone()).await?;
        }
        // Whoever looked before the file was there may have found no sums.
        self.sums.forget(&path);
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.files.put_multipart_opts(location, options).await?;
        let Some(at) = self.sums_location(location)? else {
            return Ok(upload);
        };
        Ok(Box::new(SummedUpload {
            upload,
            summing: Summing::default(),
            files: Arc::clone(&self.files),
            known: self.sums(),
            path: self.files.path_to_filesystem(location)?,
            at,
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if location.filename() == Some(HINT) {
            return Err(Error::NotFound {
                path: location.to_string(),
                source: "the folder is listed instead".into(),
            });
        }
        let path = self.files.path_to_filesystem(location)?;
        let sums = if options.head {
            None
        } else {
            self.sums_of(&path).await?
        };
        let Some(sums) = sums else {
            return self.files.get_opts(location, options).await;
        };
        let head = GetOptions {
            head: true,
            range: None,
            ..options.clone()
        };
        let meta = self.files.get_opts(location, head).await?.meta;
        sums.compare_size(&path, meta.size).map_err(generic)?;
        let range = within(options.range.as_ref(), meta.size);
        let around = sums.around(&range);
        let read = self
            .compared(location, (&path, &sums), std::slice::from_ref(&around))
            .await?;
        let bytes = part(&read, std::slice::from_ref(&around), &range)?;
        let payload = futures::stream::once(async move { Ok(bytes) }).boxed();
        Ok(GetResult {
            payload: GetResultPayload::Stream(payload),
            meta,
            range,
            attributes: Attributes::default(),
        })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let path = self.files.path_to_filesystem(location)?;
        let Some(sums) = self.sums_of(&path).await? else {
            return self.files.get_ranges(location, ranges).await;
        };
        let around = merged(ranges.iter().map(|range| sums.around(range)).collect());
        let read = self.compared(location, (&path, &sums), &around).await?;
        ranges
            .iter()
            .map(|range| part(&read, &around, range))
            .collect()
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (sums, files) = (self.sums(), Arc::clone(&self.files));
        let deleted = self.files.delete_stream(locations);
        let with_sums = deleted.map(move |deleted| {
            let location = deleted?;
            let path = files.path_to_filesystem(&location)?;
            sums.forget(&path);
            match sums.path_of(&path).map(std::fs::remove_file) {
                Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(generic(error))
                }
                _ => Ok(location),
            }
        });
        with_sums.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    /// Nothing of a table is copied or renamed: the copy would have no sums.
    async fn copy_opts(&self, from: &Path, _to: &Path, _options: CopyOptions) -> Result<()> {
        Err(Error::NotSupported {
            source: format!("{from} would be copied without its check sums").into(),
        })
    }
}

/// The bytes that are asked for of a file of so many.
fn within(asked: Option<&GetRange>, size: u64) -> Range<u64> {
    match asked {
        None => 0..size,
        Some(GetRange::Bounded(range)) => range.start.min(size)..range.end.min(size),
        Some(GetRange::Offset(start)) => (*start).min(size)..size,
        Some(GetRange::Suffix(bytes)) => size.saturating_sub(*bytes)..size,
    }
}

/// The same bytes in ranges that neither meet nor overlap, in order.
fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// What lies in `range`, cut out of what was read around it.
fn part(read: &[Bytes], around: &[Range<u64>], range: &Range<u64>) -> Result<Bytes> {
    let cut = || {
        let at = around.partition_point(|one| one.start <= range.start);
        let (one, bytes) = (around.get(at.checked_sub(1)?)?, read.get(at - 1)?);
        let from = usize::try_from(range.start.checked_sub(one.start)?).ok()?;
        let to = usize::try_from(range.end.checked_sub(one.start)?).ok()?;
        (from <= to && to <= bytes.len()).then(|| bytes.slice(from..to))
    };
    cut().ok_or_else(|| Error::Generic {
        store: "archive",
        source: format!("bytes {range:?} are not in the file").into(),
    })
}

/// A file that is written in parts, whose sums are written before it gets its name.
#[derive(Debug)]
struct SummedUpload {
    upload: Box<dyn MultipartUpload>,
    summing: Summing,
    files: Arc<LocalFileSystem>,
    known: Arc<KnownSums>,
    path: PathBuf,
    at: Path,
}

#[async_trait]
impl MultipartUpload for SummedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        data.iter().for_each(|piece| self.summing.add(piece));
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let encoded = self.summing.sums().encode();
        self.files.put(&self.at, encoded.into()).await?;
        let done = self.upload.complete().await?;
        self.known.forget(&self.path);
        Ok(done)
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_write_one_commit_the_first_keeps_its_sums() {
        let archive = tempfile::tempdir().unwrap();
        let generation = archive.path().join("events-000001");
        std::fs::create_dir_all(&generation).unwrap();
        let files = Arc::new(CheckedFiles::of(archive.path()));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        for number in 0..100 {
            let commit = generation.join(format!("_delta_log/{number:020}.json"));
            let location = Path::from_absolute_path(commit).unwrap();
            let writers = ["one", "the other"].map(|content| {
                let (files, location) = (Arc::clone(&files), location.clone());
                let create = PutOptions::from(PutMode::Create);
                runtime.spawn(async move {
                    let put = files.put_opts(&location, content.into(), create).await;
                    put.is_ok().then_some(content)
                })
            });
            let done = writers.map(|writer| runtime.block_on(writer).unwrap());
            let ([Some(first), None] | [None, Some(first)]) = done else {
                panic!("{done:?}");
            };
            let read = runtime.block_on(async { files.get(&location).await?.bytes().await });
            assert_eq!(read.unwrap(), first.as_bytes());
        }
    }
}
